"""The two servers, the log of their requests, and faults on demand."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from .messages import Answer, BrokenAnswer, Request
from .routes import ROUTES, STORAGE_ROUTES
from .store import Refusal, Repo, Store

TOKENS = {"hf_write": ("me", "write"), "hf_read": ("me", "read"), "hf_other": ("other", "write")}


@dataclass
class Fault:
    """What happens to the `nth` request, and `times - 1` more, that match `pattern`."""

    pattern: str
    nth: int
    times: int
    act: Callable[[], Answer | None]
    after: bool
    seen: int = 0

    def meets(self, line: str) -> bool:
        if not re.search(self.pattern, line):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class HubServer:
    """
    A Hub on loopback; its storage of large files is on a second port. Use it in a `with` statement.

    Args:
        tokens (`dict[str, tuple[str, str]]`, *optional*): token -> name of its user, and "read" or "write".
        part_size (`int`, *optional*): large files of more bytes are sent in parts.
    """

    def __init__(self, tokens: dict[str, tuple[str, str]] | None = None, part_size: int | None = None):
        self.store, self.part_size = Store(TOKENS if tokens is None else tokens), part_size
        self.parts: dict[str, dict[int, bytes]] = {}
        self.requests: list[str] = []  # "METHOD /path", in order
        self.faults: list[Fault] = []
        self.hung, self._released, self._lock = threading.Event(), threading.Event(), threading.RLock()
        self._servers = [_Listener(self, routes) for routes in (ROUTES, STORAGE_ROUTES)]
        self.url, self.storage_url = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def __enter__(self):
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.release()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def repo(self, name: str, kind: str = "models") -> Repo:
        return self.store.repos[kind, name]

    def requested(self, pattern: str) -> int:
        """How many requests match."""
        return sum(bool(re.search(pattern, line)) for line in self.requests)

    def fail(self, pattern: str, status: int, message: str = "on demand", nth: int = 1, times: int = 1) -> None:
        """Refuse the `nth` request whose "METHOD /path" matches, and `times - 1` more."""

        def act():
            raise Refusal(status, message)

        self.faults.append(Fault(pattern, nth, times, act, after=False))

    def say(self, pattern: str, answer: Answer, nth: int = 1, times: int = 1, after: bool = False) -> None:
        """Give this answer to the `nth` request that matches, and to `times - 1` more; `after`: when all is done."""
        self.faults.append(Fault(pattern, nth, times, lambda: answer, after))

    def cut(self, pattern: str, nth: int = 1, times: int = 1, after: bool = False) -> None:
        """Close the connection in place of an answer; `after`: when all that the request asks for is done."""

        def act():
            raise ConnectionAbortedError

        self.faults.append(Fault(pattern, nth, times, act, after))

    def hang(self, pattern: str = "", nth: int = 1, after: bool = False) -> None:
        """Leave the `nth` request without an answer; `after`: when all that it asks for is done."""

        def act():
            self.hung.set()
            self._released.wait()
            raise ConnectionAbortedError

        self.faults.append(Fault(pattern, nth, 1, act, after))

    def spoil(
        self,
        pattern: str,
        send: Callable[[BaseHTTPRequestHandler], None],
        nth: int = 1,
        times: int = 1,
        after: bool = False,
    ) -> None:
        """Let `send` do what it likes in place of an answer; `after`: when all that is asked for is done."""

        def act():
            raise BrokenAnswer(send)

        self.faults.append(Fault(pattern, nth, times, act, after))

    def meanwhile(self, pattern: str, act: Callable[[], None], nth: int = 1) -> None:
        """Do something before the `nth` request that matches is answered."""
        self.faults.append(Fault(pattern, nth, 1, act, after=False))

    def release(self) -> None:
        """End all that hangs, and all faults."""
        self.faults.clear()
        self._released.set()
        self._released, self.hung = threading.Event(), threading.Event()

    def answer(self, request: Request, routes: dict) -> Answer:
        line = f"{request.method} {request.path}"
        with self._lock:
            self.requests.append(line)
            met = [fault for fault in self.faults if fault.meets(line)]
        for fault in met:
            if not fault.after and (said := fault.act()):
                return said
        try:
            with self._lock:
                answer = self._route(request, routes)
        finally:
            said = [fault.act() for fault in met if fault.after]
        return next(filter(None, said), answer)

    def _route(self, request: Request, routes: dict) -> Answer:
        for (method, pattern), route in routes.items():
            found = re.fullmatch(pattern, request.path)
            if found and request.method in method.split():
                answer = route(self, request, **{k: unquote(v) for k, v in found.groupdict("").items()})
                return answer if isinstance(answer, Answer) else Answer(answer)
        raise Refusal(404, f"No such page: {request.method} {request.path}")


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: HubServer, routes: dict):
        self.hub, self.routes = hub, routes
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request, client_address):
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, url.path, parse_qs(url.query), headers, self.read_body())
        try:
            answer = self.server.hub.answer(request, self.server.routes)
        except Refusal as refusal:
            answer = Answer(refusal.body, refusal.status, {"X-Error-Message": refusal.message})
            if refusal.code:
                answer.headers["X-Error-Code"] = refusal.code
        except ConnectionAbortedError as aborted:
            self.close_connection = True
            if isinstance(aborted, BrokenAnswer):
                aborted.send(self)
            return
        body = answer.body
        if body is None:
            body = b""
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
            answer.headers.setdefault("Content-Type", "application/json")
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        """Say nothing."""

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any
