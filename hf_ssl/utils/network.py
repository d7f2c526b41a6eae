"""No request waits for ever: a server that is silent, slow or endless, or asks for patience, ends in an error."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from huggingface_hub import constants, set_client_factory
from huggingface_hub.utils import _http

from .bounded_streams import BoundedBackend, Patience

_COMMIT = 60  # seconds that the Hub may take to write a commit, and that are not spent on sending it
_TRIES = 4  # of six that may wait for a silent server
_PATIENCE = 10  # seconds that a server may ask to be left alone before the next of six tries
_lock, _users = threading.Lock(), 0


@contextmanager
def bounded_waiting() -> Iterator[None]:
    """
    While active, every request of huggingface_hub ends in bounded time. With `limit`, the larger one of
    `HF_HUB_DOWNLOAD_TIMEOUT` and `HF_HUB_ETAG_TIMEOUT` (10 seconds by default):

    - a step (a connection, the next bytes, room for more bytes of its own) takes at most `limit` seconds; for the Hub
      to begin its answer to a commit, a minute;
    - an answer is whole after `4 * limit` seconds and has at most 64 MiB; a file that is sent or downloaded may be of
      any size, but makes 256 KiB of progress in every `4 * limit` seconds;
    - `4 * limit` seconds that tries of one request have lost are enough: the others fail at once.

    So a server that is silent, or answers byte by byte, costs 63 seconds by default: 40, and the pauses of the client
    between six tries.
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
        if bool(before) != bool(_users):
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
    for transport in (client._transport, *client._mounts.values()):  # directly, and by each proxy
        if transport is not None:
            transport._pool._network_backend = BoundedBackend(transport._pool._network_backend)
    return client


def _limit(request: Any) -> None:
    """A time for every step; functions of the Hub's client ask for `None`, or for a minute six times over."""
    limit = max(constants.HF_HUB_DOWNLOAD_TIMEOUT, constants.HF_HUB_ETAG_TIMEOUT)
    times = dict.fromkeys(("connect", "read", "write", "pool"), limit)
    if request.method == "POST" and "/commit/" in request.url.path:
        times["read"] = max(_COMMIT, limit)
    request.extensions["timeout"] = times
    whole = max(_TRIES * limit, times["read"])
    request.extensions["patience"] = Patience.begin(f"{request.method} {request.url}", whole)


def _shorten(response: Any) -> None:
    """A `Retry-After` of a year, or a rate limit that ends in one, would be slept through."""
    for header in ("ratelimit", "ratelimit-policy"):
        response.headers.pop(header, None)
    if response.headers.get("retry-after") is not None:
        response.headers["retry-after"] = str(_PATIENCE)
    path, patience = response.request.url.path, response.request.extensions["patience"]
    is_file = path.startswith("/api/resolve-cache/") or not path.startswith("/api/")
    if response.request.method == "GET" and response.status_code in (200, 206) and is_file:
        patience.expect_file("content-length" in response.headers)
