"""How long a request may take in all, and how long its answer may be: counted where the bytes pass."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from httpcore2 import NetworkBackend, NetworkStream, ReadTimeout, TimeoutException

_PROGRESS = 256 * 2**10  # bytes
_LONGEST = 64 * 2**20  # bytes of an answer that does not say how long it is, or is no file
_PIECE = 64 * 2**10  # bytes that are sent at once


class AnswerTooLong(httpx2.HTTPError):
    """The server sends more than any answer has; no client tries again after it."""


class Patience:
    """
    Of one try of a request.

    Args:
        request (`str`): method and address.
        whole (`float`): seconds for all of an answer, for the next 256 KiB of a file, and for what tries may lose.
        lost (`float`, *optional*, defaults to 0.0): seconds that earlier tries of the request have waited in vain.
    """

    def __init__(self, request: str, whole: float, lost: float = 0.0):
        self.request, self.whole, self.lost, self.failed = request, whole, lost, False
        self._of_file = True  # what is sent may be as large as a file
        self._since, self._moved, self._room = time.monotonic(), 0, float(_LONGEST)

    @classmethod
    def begin(cls, request: str, whole: float) -> "Patience":
        """For the request that this thread sends next; an error at once where tries of it have lost enough."""
        last = _now.patience
        if last is None or not last.failed or last.request != request:
            last = cls(request, whole)
        if last.lost >= whole * 0.99:  # clocks differ by milliseconds
            raise httpx2.ReadTimeout("no answer in several tries")
        _now.patience = cls(request, whole, last.lost)
        return _now.patience

    def begin_answer(self) -> None:
        self._since, self._moved, self._of_file = time.monotonic(), 0, False

    def expect_file(self, announced: bool) -> None:
        """The answer is a file, which may take as long as it makes progress; `announced`: it says how long it is."""
        self._of_file = True
        if announced:
            self._room = math.inf

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around what waits for the server."""
        start = time.monotonic()
        try:
            yield
        except TimeoutException:
            self._fail(start)
            raise
        if time.monotonic() - self._since > max(self.whole - self.lost, self.whole / 4):
            self._fail(self._since)
            raise ReadTimeout("no whole answer in time")

    def _fail(self, start: float) -> None:
        self.failed, self.lost = True, self.lost + time.monotonic() - start

    def sent(self, count: int) -> None:
        self._moved += count
        if self._of_file and self._moved >= _PROGRESS:
            self._since, self._moved, self.lost = time.monotonic(), 0, 0.0

    def received(self, count: int) -> None:
        self.sent(count)
        self._room -= count
        if self._room < 0:
            raise AnswerTooLong(f"more than {_LONGEST} bytes")


class _Now(threading.local):
    patience: Patience | None = None  # of the request that this thread sent last


_now = _Now()


class BoundedBackend(NetworkBackend):
    """Connections whose every step belongs to the request that they serve."""

    def __init__(self, inner: NetworkBackend):
        self._inner = inner

    def connect_tcp(self, *args: Any, **kwargs: Any) -> NetworkStream:
        patience = _now.patience
        with patience.step():
            return _BoundedStream(self._inner.connect_tcp(*args, **kwargs), patience)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _BoundedStream(NetworkStream):
    """It may serve several requests one after the other; an answer may be read in another thread than it is asked."""

    def __init__(self, inner: NetworkStream, patience: Patience):
        self._inner, self._patience, self._is_sending = inner, patience, True

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._patience, self._is_sending = _now.patience, True
        view = memoryview(buffer)
        for start in range(0, len(view), _PIECE):
            piece = view[start : start + _PIECE]
            with self._patience.step():
                self._inner.write(piece, timeout)
            self._patience.sent(len(piece))

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._is_sending:
            self._is_sending = False
            self._patience.begin_answer()
        with self._patience.step():
            found = self._inner.read(max_bytes, timeout)
        self._patience.received(len(found))
        return found

    def start_tls(self, *args: Any, **kwargs: Any) -> NetworkStream:
        with self._patience.step():
            return _BoundedStream(self._inner.start_tls(*args, **kwargs), self._patience)

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
