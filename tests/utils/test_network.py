"""A server that accepts a connection and is silent, or asks for endless patience, ends in an error."""

import socket
import time
from types import SimpleNamespace

import httpx2
import pytest
from huggingface_hub import constants, get_session
from huggingface_hub.utils import _http, http_backoff

from hf_ssl.hub.hub_errors import clear_errors
from hf_ssl.hub.repository import open_repository
from hf_ssl.loading import load_encoder
from hf_ssl.utils import bounded_streams, network
from hf_ssl.utils.network import bounded_waiting

from ..faults import broken_answers
from ..hub_server.client import settings


@pytest.fixture
def silent(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name, value in settings(address, str(tmp_path)).items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setattr("transformers.utils.hub._hf_api", None)
        for name in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"):
            monkeypatch.setattr(constants, name, 0.2)
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
        yield address


def test_a_silent_server_ends_in_a_sentence(silent):
    start = time.monotonic()
    with pytest.raises(OSError):
        load_encoder("me/model")
    with pytest.raises(OSError, match="cannot be reached"):
        open_repository("me/model", token="hf_write")
    with pytest.raises(OSError, match="cannot be reached"), clear_errors("me/model"):
        get_session().post(f"{silent}/api/models/me/model/upload", timeout=None)
    assert time.monotonic() - start < 20


ANSWERS = ("trickling", "trickling head", "endless", "endless head")


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_without_end_ends_in_a_sentence(hub, monkeypatch, name):
    for constant in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"):
        monkeypatch.setattr(constants, constant, 0.1)
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(broken_answers, "time", SimpleNamespace(sleep=lambda seconds: time.sleep(0.05)))
    hub.spoil("", broken_answers.BROKEN[name], times=99)
    for ask in (once, http_backoff):
        start = time.monotonic()
        with pytest.raises(OSError, match="cannot be reached .* push again"), clear_errors("me/x"):
            ask("POST", f"{hub.url}/api/{ask.__name__}")
        assert time.monotonic() - start < 4


def once(method, url):
    get_session().request(method, url)


def test_a_large_file_may_take_long(hub, monkeypatch):
    monkeypatch.setattr(bounded_streams, "_LONGEST", 150_000)
    monkeypatch.setattr(bounded_streams, "_PROGRESS", 1000)
    for constant in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"):
        monkeypatch.setattr(constants, constant, 0.1)
    hub.spoil("/me/x/resolve|/api/x", slowly, times=2)
    with bounded_waiting():
        assert len(get_session().get(f"{hub.url}/me/x/resolve/main/model.safetensors").content) == 200_000
        with pytest.raises(httpx2.ReadTimeout):
            get_session().get(f"{hub.url}/api/x")


def slowly(handler):
    """In twice the time that an answer may take."""
    handler.send_response(200)
    handler.send_header("Content-Length", "200000")
    handler.send_header("Connection", "close")
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b"x" * 10_000)
        time.sleep(0.04)


def test_others_keep_their_client():
    users = network._users  # a command that ran in this process has bounded it for good
    network._enter(-users)
    before = get_session()
    with bounded_waiting(), bounded_waiting():
        assert get_session() is not before
        assert len(get_session().event_hooks["request"]) == 2
    assert len(get_session().event_hooks["request"]) == 1
    network._enter(users)


def test_patience_has_an_end(hub, monkeypatch):
    waits = []
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", waits.append)
    hub.fail("GET /api/models/me/x", 429, times=99)
    with bounded_waiting():
        client = get_session()
        late = [
            lambda response: response.headers.update({"retry-after": "100000000", "ratelimit": '"a";r=0;t=99999999'})
        ]
        client.event_hooks = {**client.event_hooks, "response": late + client.event_hooks["response"]}
        with pytest.raises(Exception, match="429"):
            http_backoff("GET", f"{hub.url}/api/models/me/x")
    assert len(waits) == 5 and max(waits) <= 11
