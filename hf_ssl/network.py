"""No request waits for ever: a server that is silent, or that asks for patience without end, ends in an error."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from huggingface_hub import constants, set_client_factory
from huggingface_hub.utils import _http

_COMMIT = 60  # seconds that the Hub may take to write a commit, and that are not spent on sending it
_PATIENCE = 10  # seconds that a server may ask to be left alone before the next of six tries
_lock, _users = threading.Lock(), 0


@contextmanager
def bounded_waiting() -> Iterator[None]:
    """
    While active, no request of huggingface_hub waits longer than `HF_HUB_DOWNLOAD_TIMEOUT` or `HF_HUB_ETAG_TIMEOUT`
    seconds (10 by default, the larger of them) for a connection, for the next bytes, or to get rid of its own; the
    client tries six times and pauses in between, so that a silent server costs a minute and a half.
    """
    _enter(1)
    try:
        yield
    finally:
        _enter(-1)


def _enter(step: int) -> None:
    global _users
    with _lock:
        before, _users = _users, _users + step
        if not before or not _users:
            set_client_factory(_client if _users else _http.default_client_factory)


def bound_waiting_for_ever() -> None:
    """As [`bounded_waiting`], for the rest of the process; also for the client of Xet, and for data sets."""
    _enter(1)
    for name, value in (("READ_TIMEOUT", "30s"), ("CONNECT_TIMEOUT", "10s"), ("RETRY_MAX_DURATION", "60s")):
        os.environ.setdefault(f"HF_XET_CLIENT_{name}", value)


def bound_streaming(config: ModuleType) -> None:
    """Of `datasets.config`: as many tries as elsewhere, instead of twenty with up to a minute between them."""
    config.STREAMING_READ_MAX_RETRIES = config.STREAMING_OPEN_MAX_RETRIES = 5
    config.STREAMING_READ_SERVER_UNAVAILABLE_RETRY_INTERVAL = _PATIENCE
    config.STREAMING_READ_RATE_LIMIT_RETRY_INTERVAL = _PATIENCE


def _client() -> Any:
    client = _http.default_client_factory()
    hooks = client.event_hooks
    hooks["request"].append(_limit)
    hooks["response"].append(_shorten)
    client.event_hooks = hooks
    return client


def _limit(request: Any) -> None:
    """A time for every step; functions of the Hub's client ask for `None`, or for a minute six times over."""
    limit = max(constants.HF_HUB_DOWNLOAD_TIMEOUT, constants.HF_HUB_ETAG_TIMEOUT)
    times = dict.fromkeys(("connect", "read", "write", "pool"), limit)
    if request.method == "POST" and "/commit/" in request.url.path:
        times["read"] = max(_COMMIT, limit)
    request.extensions["timeout"] = times


def _shorten(response: Any) -> None:
    """A `Retry-After` of a year, or a rate limit that ends in one, would be slept through."""
    for header in ("ratelimit", "ratelimit-policy"):
        response.headers.pop(header, None)
    if response.headers.get("retry-after") is not None:
        response.headers["retry-after"] = str(_PATIENCE)
