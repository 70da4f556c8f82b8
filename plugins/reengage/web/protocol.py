"""HTTP as uvicorn reads it, but with an end to its patience: a head that is too long or comes too
slowly closes the connection before it has cost more than that.
"""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 10.0


class PatientProtocol(HttpToolsProtocol):
    """A connection whose every request has HEAD_SECONDS to say what it wants."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._read = self._part = 0
        self._is_told = False
        self._deadline: asyncio.TimerHandle | None = None
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expected()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._part = len(data)
        self._read += self._part
        super().data_received(data)
        if not self._is_told and self._read > HEAD_BYTES:
            self.transport.close()
        # What comes after an answer (a body that nobody asked for, empty lines) has ended uvicorn's
        # keep-alive, and may never come to an end itself.
        if self.timeout_keep_alive_task is None and self.cycle and self.cycle.response_complete:
            self._expect()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._read, self._is_told = self._part, False
        self._expect()

    def on_headers_complete(self) -> None:
        self._expected()
        self._is_told = True
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # What is between two requests is timed by uvicorn's keep-alive.
        self._read = 0

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _expected(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def options(**more: Any) -> dict[str, Any]:
    """How uvicorn serves the public service. No access log: the code in a link's path is all that
    its holder needs. Proxies' headers are the application's to judge.
    """
    return {
        "http": PatientProtocol,
        "ws": "none",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "limit_concurrency": 1000,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 10,
        **more,
    }


def run(host: str, port: int, workers: int) -> None:
    """Serve the link service of this installation until it is told to end: requests under way get
    some seconds. With several workers one that dies is replaced.
    """
    from reengage.web.app import default_app

    default_app()  # what is wrong with the policy or a page is said here, once
    uvicorn.run(
        "reengage.web.app:default_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        **options(),
    )
