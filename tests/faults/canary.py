"""A server on loopback that nobody should ask: it gives everybody a picture, and notes what was asked for."""

import io
import os
import signal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from .material import picture


class Canary:
    """Use it in a `with` statement: the server is a process of its own, so that this one can be forked."""

    def __init__(self, home: Path):
        self.log = home / "asked"
        self.log.touch()
        self._server = HTTPServer(("127.0.0.1", 0), _handler(self.log))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._server.serve_forever()
            finally:
                os._exit(0)
        self._server.socket.close()
        return self

    def __exit__(self, *_):
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _handler(log: Path) -> type[BaseHTTPRequestHandler]:
    buffer = io.BytesIO()
    picture(1234).save(buffer, "PNG")

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            with open(log, "a") as opened:
                opened.write(f"{self.path}\n")
            found = self.path.startswith("/picture")
            body = buffer.getvalue() if found else b"out of order"
            self.send_response(200 if found else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

        do_GET = do_HEAD = do_POST = do_PUT = answer

    return Handler
