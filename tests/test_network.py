"""A server that accepts a connection and is silent, or asks for endless patience, ends in an error."""

import socket
import time

import pytest
from huggingface_hub import constants, get_session
from huggingface_hub.utils import http_backoff

from hf_ssl.evaluation import load_encoder
from hf_ssl.hub.hub_errors import clear_errors
from hf_ssl.hub.repository import open_repository
from hf_ssl.network import bounded_waiting

from .hub_server.client import settings


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


def test_others_keep_their_client():
    before = get_session()
    with bounded_waiting(), bounded_waiting():
        assert get_session() is not before
        assert len(get_session().event_hooks["request"]) == 2
    assert len(get_session().event_hooks["request"]) == 1


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
