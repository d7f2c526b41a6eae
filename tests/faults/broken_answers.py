"""What a server can do instead of answering: each takes the handler of one request."""

import socket
import struct
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

Send = Callable[[BaseHTTPRequestHandler], None]
LONG = 100.0  # seconds, more than anybody waits
STATUSES = (
    "400 401 402 403 404 405 406 407 408 409 410 411 412 413 414 415 416 417 418 421 422 423 424 425 426 428 429 431 "
    "451 500 501 502 503 504 505 506 507 508 510 511 520 599"
).split()
HTML = b"<!doctype html><html><head><title>Bad gateway</title></head>\n<h1>502</h1>\x1b[31m\xe2\x80\xae\n</html>"


def _answer(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = None, **headers: str
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body) if length is None else length), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
        handler.wfile.flush()


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def _half(handler: BaseHTTPRequestHandler) -> None:
    _answer(handler, 200, b'{"success": tr', 1000)
    _reset(handler)


def _silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(LONG)


def _trickle(handler: BaseHTTPRequestHandler) -> None:
    """The head at once, of the body a byte now and then."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    _drip(handler)


def _trickling_head(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    _drip(handler)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    for _ in range(int(LONG / 0.3)):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.3)


def _endless(handler: BaseHTTPRequestHandler) -> None:
    """As much as anybody takes."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 2**20)


def _redirect(status: int, location: str) -> Send:
    def send(handler: BaseHTTPRequestHandler) -> None:
        address = location.replace("SELF", handler.path)
        _answer(handler, status, b"", Location=address)

    return send


def _status(status: int, kind: str) -> Send:
    bodies = {
        "json": b'{"error": "on demand"}',
        "html": HTML,
        "empty": b"",
        "bytes": b"\xff\xfe\0\x1b]0;title\x07",
        "list": b"[1, 2]",
        "long": b'{"error": "' + b"x" * 200_000 + b'"}',
    }
    headers = {"X_Error_Message": "\x1b[31mred \xe2\x80\xae"} if kind == "bytes" else {}

    def send(handler: BaseHTTPRequestHandler) -> None:
        _answer(handler, status, bodies[kind], **headers)

    return send


def _body(body: bytes, status: int = 200, **headers: str) -> Send:
    return lambda handler: _answer(handler, status, body, **headers)


BROKEN: dict[str, Send] = {
    **{f"status {status}": _status(int(status), "json") for status in STATUSES},
    **{
        f"status {s}, {k}": _status(s, k)
        for s in (400, 403, 404, 500, 502)
        for k in ("html", "empty", "bytes", "list", "long")
    },
    "reset": _reset,
    "closed": lambda handler: None,
    "reset within the answer": _half,
    "less than announced": lambda handler: _answer(handler, 200, b"{}", 1000),
    "silent": _silent,
    "trickling": _trickle,
    "trickling head": _trickling_head,
    "endless": _endless,
    "no HTTP": lambda handler: handler.wfile.write(b"\0\1\2 hello\r\n\r\n"),
    "endless head": lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000),
    "empty body": _body(b""),
    "HTML": _body(HTML, Content_Type="text/html"),
    "null": _body(b"null"),
    "a number": _body(b"5"),
    "a list": _body(b"[]"),
    "an empty object": _body(b"{}"),
    "other fields": _body(
        b'{"files": 5, "objects": "x", "success": "maybe", "commitOid": 7, "sha": [], "siblings": 5}'
    ),
    "nulls": _body(
        b'{"files": [null], "objects": [null], "branches": null, "sha": null, "id": null, "commitUrl": null}'
    ),
    "cut JSON": _body(b'{"id": "me/one", "sha"'),
    "no UTF-8": _body(b'{"id": "\xff\xfe"}'),
    "nested JSON": _body(b"[" * 100_000),
    "no gzip": _body(b"no gzip", Content_Encoding="gzip"),
    "204": _body(b"", 204),
    "206": _body(b"{}", 206),
    "304": _body(b"", 304),
    "redirect to itself": _redirect(302, "SELF"),
    "307 to itself": _redirect(307, "SELF"),
    "308 to itself": _redirect(308, "SELF"),
    "redirect to nobody": _redirect(307, "http://127.0.0.1:1/x"),
    "redirect to a file": _redirect(307, "file:///etc/passwd"),
    "redirect to nowhere": _redirect(302, ""),
    "redirect to another name": _redirect(307, "http://nowhere.invalid/x"),
}
