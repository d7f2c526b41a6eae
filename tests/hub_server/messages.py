"""A request, and its answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str | None:
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None

    def json(self) -> dict:
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    body: bytes | dict | list | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class BrokenAnswer(ConnectionAbortedError):
    """In place of an answer: `send` does with the connection what it likes, and then it is closed."""

    def __init__(self, send: Callable[[BaseHTTPRequestHandler], None]):
        super().__init__("on demand")
        self.send = send
