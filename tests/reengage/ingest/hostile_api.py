"""A shop's interface on loopback that does what interfaces do: it pages in every style, is busy,
cuts its answers, changes under the reader, and wants what is not its own.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


@dataclass
class Reply:
    """cut: bytes of the body after which the connection ends, though more was announced. drip:
    seconds between each two of its bytes.
    """

    said: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip: float = 0


@dataclass
class Api:
    """answers: what is said to a request; base: where."""

    answers: Callable[[Asked], Reply]
    base: str = ""
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(answers: Callable[[Asked], Reply]) -> Iterator[Api]:
    api = Api(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            body = self.rfile.read(length).decode()
            asked = Asked(self.command, parts.path, query, dict(self.headers), body)
            api.asked.append(asked)
            reply = api.answers(asked)
            said = reply.said if isinstance(reply.said, bytes) else json.dumps(reply.said).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            with suppress(ConnectionError):
                for byte in said if reply.drip else ():
                    self.wfile.write(bytes([byte]))
                    time.sleep(reply.drip)
                self.wfile.write(said[: reply.cut] if not reply.drip else b"")
            if reply.cut is not None:
                self.close_connection = True

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
