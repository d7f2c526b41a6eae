"""Whatever the Hub answers, a push leaves the old state or the new one, ends in a sentence, and can be repeated."""

import time
from types import SimpleNamespace

import pytest
from huggingface_hub.utils import _http

from hf_ssl.hub import publish, push_folder
from hf_ssl.hub.hub_errors import HubRefusal

from ..hub_server import Answer
from .test_publish import tree, write


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("folders")
    return write(place / "a", figures=["curve"]), write(place / "b", seed=1, max_shard_size="60KB")


@pytest.fixture(scope="module")
def checked(folders):
    return {folder: publish.published_files(folder) for folder in folders}


@pytest.fixture(autouse=True)
def quick(checked, monkeypatch):
    """The folders are checked once, and nobody waits between the client's tries."""
    monkeypatch.setattr(publish, "published_files", lambda folder, allow_links: checked[folder])
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None, time=time.time))


def files(hub):
    return {path: file.content for path, file in tree(hub).items() if path != ".gitattributes"}


@pytest.mark.parametrize(
    ("status", "message", "kind", "expected"),
    [
        (400, "no such file", HubRefusal, r"refuses this push to me/one \(400: no such file\): mend"),
        (401, "Invalid credentials in Authorization header", HubRefusal, "does not know this token .*hf auth login"),
        (403, "read only", HubRefusal, "may not write to me/one .*write access"),
        (403, "storage quota exceeded", HubRefusal, "has no room for me/one"),
        (404, "No such page", OSError, "does not know what was asked of it .*HF_ENDPOINT"),
        (409, "in progress", OSError, "Somebody else pushed to me/one"),
        (412, "late", OSError, "Somebody else pushed to me/one"),
        (413, "too large", HubRefusal, "too large .*max_shard_size"),
        (422, "unknown field", HubRefusal, "refuses this push"),
        (429, "slow", OSError, "busy or out of order .*push again later"),
        (500, "<html>oops</html>", OSError, r"busy or out of order \(500: no reason given\)"),
        (503, "down", OSError, "busy or out of order"),
        (504, "\x1b[31m\u202e" + "x" * 9000, OSError, r"\\x1b\[31m\\u202ex{99}"),
    ],
)
def test_status(hub, folders, status, message, kind, expected):
    answer = Answer(message.encode(), status)
    if status != 500:
        answer = Answer({"error": message}, status)
    push_folder(folders[0], "me/one")
    hub.say("POST .*/commit/", answer)
    with pytest.raises(kind, match=expected) as caught:
        push_folder(folders[1], "me/one")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600
    assert len(hub.repo("me/one").history("main")) == 2


HTML = Answer(b"<html><body>Log in to this network</body></html>", 200, {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("pattern", "answer", "expected"),
    [
        ("GET /api/models/me/one$", HTML, "answers as no Hub does"),
        ("GET .*/refs", Answer({}), "answers as no Hub does"),
        ("GET .*/tree/", Answer([3]), "answers as no Hub does"),
        ("GET .*/tree/", Answer([]), "names other files of me/one each time"),
        ("GET .*/tree/", Answer(b"[" * 100_000), "answers as no Hub does"),
        ("POST .*/preupload/", Answer({"files": []}), "answers as no Hub does"),
        ("POST .*/preupload/", Answer(None, 503), "busy or out of order"),
        ("POST .*/objects/batch", Answer(b""), "answers as no Hub does"),
        (
            "POST .*/objects/batch",
            Answer({"objects": [{"oid": "x", "size": 1}]}),
            "answers as no Hub does",
        ),
        ("PUT /objects/", Answer(None, 403), "may not write"),
        ("PUT /objects/", Answer(None, 200), "does not know what was asked"),
        ("POST .*/lfs/verify", Answer({"error": "wrong hash"}, 422), "wrong hash"),
        ("POST .*/commit/", HTML, "answers as no Hub does"),
        (
            "GET /me/one/resolve/",
            Answer(None, 302, {"Location": "{url}/me/one/resolve/a/b"}),
            "x",
        ),
    ],
)
def test_answers(hub, folders, pattern, answer, expected):
    push_folder(folders[0], "me/one")
    old = files(hub)
    headers = {name: value.replace("{url}", hub.url) for name, value in answer.headers.items()}
    hub.say(pattern, Answer(answer.body, answer.status, headers), times=99)
    with pytest.raises((OSError, HubRefusal), match=expected) as caught:
        push_folder(folders[1], "me/one")
    assert "\n" not in str(caught.value) and files(hub) == old
    hub.release()
    assert push_folder(folders[1], "me/one").changed and files(hub) != old


def test_a_tag_stays_right_when_somebody_else_pushes_after_it(hub, folders):
    push_folder(folders[0], "me/one", tag="v1")
    tagged = hub.repo("me/one").tags["v1"]
    lines = [{"key": "file", "value": {"path": "somebody.txt", "content": "eA=="}}]
    lines.insert(0, {"key": "header", "value": {"summary": "theirs"}})
    hub.repo("me/one").commit("main", lines, hub.store.objects, "me", False)
    assert not push_folder(folders[0], "me/one", tag="v1").changed
    assert hub.repo("me/one").tags == {"v1": tagged}
    with pytest.raises(ValueError, match="has the tag 'v1' already"):
        push_folder(folders[1], "me/one", tag="v1")


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_that_breaks(hub, folders, after):
    push_folder(folders[0], "me/one")
    old = files(hub)
    hub.cut("POST .*/commit/", after=after)
    with pytest.raises(OSError, match="cannot be reached .*push again"):
        push_folder(folders[1], "me/one", tag="v1")
    assert (files(hub) != old) is after
    assert push_folder(folders[1], "me/one", tag="v1").changed is not after
    assert hub.repo("me/one").tags == {"v1": hub.repo("me/one").find("main").oid}
    assert len(hub.repo("me/one").history("main")) == 3


def test_files_that_the_hub_would_leave_out(hub, folders):
    push_folder(folders[0], "me/one")
    old = files(hub)
    ignored = [
        {"path": path, "uploadMode": "lfs", "shouldIgnore": True}
        for path in publish.published_files(folders[1], False)
    ]
    hub.say("POST .*/preupload/", Answer({"files": ignored}))
    with pytest.raises(ValueError, match="would leave out .*gitignore"):
        push_folder(folders[1], "me/one")
    assert files(hub) == old


def test_a_commit_that_holds_something_else(hub, folders):
    push_folder(folders[0], "me/one")
    hub.say(
        "POST .*/commit/",
        Answer({"commitOid": hub.repo("me/one").find("main").oid, "commitUrl": f"{hub.url}/me/one/commit/x"}),
    )
    with pytest.raises(OSError, match="does not hold .* as it was sent: push again"):
        push_folder(folders[1], "me/one")


def test_our_own_mistakes_are_not_the_hubs(hub, folders, monkeypatch):
    def fails(*_):
        raise KeyError("ours")

    monkeypatch.setattr(publish, "_stale", fails)
    with pytest.raises(KeyError, match="ours"):
        push_folder(folders[0], "me/one")
