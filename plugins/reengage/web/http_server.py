"""HTTP as uvicorn reads it, but with an end to its patience: a head that is too long or comes too
slowly, an answer that nobody reads, and more connections than one address can need are closed
before they have cost more than that.
"""

import asyncio
import ipaddress
import os
import resource
import socket
import struct
from collections import Counter
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from reengage.web import visits
from reengage.web.app import PROXIES_VARIABLE, default_app, networks

HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 10.0

# The open connections of a process, and of one address in it. A carrier shares an address among
# hundreds of people, who get their texts at the same hour: a phone opens two connections for a page
# and keeps them for KEEP_ALIVE_SECONDS, so that a quarter is enough for 60 visits a second, six
# times what guard.Limits answers to one address. It leaves three quarters to everybody else.
MOST_OPEN = 1000
MOST_CONNECTIONS = MOST_OPEN // 4
# Enough for what a page loads; whoever presses a button after reading connects again. A proxy keeps
# its connections for a minute or so: if we closed one first, a press on it would end in a 502.
KEEP_ALIVE_SECONDS = 2
PROXY_KEEP_ALIVE_SECONDS = 75
# No browser asks before it has its answer, and one read can hold thousands of such requests.
MOST_PIPELINED = 16
# How long an answer may wait for a client that does not read, and what the system keeps of it for
# each connection: left to itself, it is megabytes.
UNREAD_SECONDS = 5.0
UNREAD_BYTES = 128 * 1024
# Files that may be open: connections, and as many again for all else.
MOST_FILES = 2 * MOST_OPEN


class _Open:
    """The connections of one server."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()
        # Those of addresses that are counted, and that ask for nothing: the longest idle first.
        self.idle: dict[PatientProtocol, None] = {}


_servers: WeakKeyDictionary[Any, _Open] = WeakKeyDictionary()


class _Answer:
    """The transport of one answer, whose head waits for its body: one packet to a phone, which is
    woken once.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        # "100 Continue" is no head of the answer: the body of the request waits for it.
        if self._head is None and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._transport.write((self._head or b"") + data)
            self._head = self._head and b""

    def flush(self) -> None:
        """Write a head without a body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class PatientProtocol(HttpToolsProtocol):
    """A connection whose every request has HEAD_SECONDS to say what it wants, and whose answers
    wait UNREAD_SECONDS, or twice that, to be read.

    An address has at most MOST_CONNECTIONS; another is closed at once. Where MOST_OPEN are open,
    whoever comes takes the place of the one that has been idle longest.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._read = self._part = self._drained = 0
        self._is_told = False
        self._running: RequestResponseCycle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._all = _servers.setdefault(self.server_state, _Open())
        self._who = ""
        who = self.subscriber(self.client)
        if self._all.of[who] >= MOST_CONNECTIONS or not self._has_room():
            self._drop()
            return
        if who:
            self._who = who
            self._all.of[who] += 1
            self._all.idle[self] = None
        else:
            self.timeout_keep_alive = PROXY_KEEP_ALIVE_SECONDS
        if wire := transport.get_extra_info("socket"):
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)
        self._watch = self.loop.call_later(UNREAD_SECONDS, self._look)
        self._expect()

    @staticmethod
    def subscriber(peer: tuple[str, int] | None) -> str:
        """Whose connection a peer's is; '' for a proxy of ours, which stands for everybody."""
        who = visits.address({"client": peer})
        return "" if peer and who and _is_proxy(peer[0], _trusted()) else who

    def connection_lost(self, exc: Exception | None) -> None:
        self._expected()
        if self._watch:
            self._watch.cancel()
        self._all.idle.pop(self, None)
        if self._who:
            self._all.of[self._who] -= 1
            if not self._all.of[self._who]:
                del self._all.of[self._who]
        super().connection_lost(exc)
        # uvicorn tells the last request alone that nobody is there any more.
        self.pipeline.clear()
        if self._running:
            self._running.disconnected = True
            self._running.message_event.set()

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
        if len(self.pipeline) >= MOST_PIPELINED:
            self._drop()
        # What else has come with it is not begun.
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        # Until then it can make room: a body may come as slowly as it likes, for some seconds.
        self._all.idle.pop(self, None)
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        cycle.transport = _Answer(cycle.transport)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        if self._running:
            self._running.transport.flush()
        is_idle = not self.pipeline
        super().on_response_complete()
        # What is between two requests is timed by uvicorn's keep-alive.
        self._read = 0
        if is_idle and self._who and not self.transport.is_closing():
            self._all.idle[self] = None

    def resume_writing(self) -> None:
        self._drained += 1
        super().resume_writing()

    def _look(self, before: tuple[bool, int] | None = None) -> None:
        """Give up a connection that has been full, or closed with something left to be read, since
        the last look.
        """
        is_closing = self.transport.is_closing()
        now = (is_closing, self._drained) if is_closing or self.flow.write_paused else None
        if now and now == before:
            self._drop()
        else:
            self._watch = self.loop.call_later(UNREAD_SECONDS, self._look, now)

    def _has_room(self) -> bool:
        """Whether there is room for one more; the longest idle connection makes some."""
        if len(self.connections) < MOST_OPEN:
            return True
        longest = next(iter(self._all.idle), None)
        if longest is None:
            return False
        del self._all.idle[longest]
        longest._drop()
        return True

    def _drop(self) -> None:
        """End the connection with a reset: the system, too, forgets at once what it has of it."""
        self.connections.discard(self)
        if wire := self.transport.get_extra_info("socket"):
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

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


def _trusted() -> str:
    return os.environ.get(PROXIES_VARIABLE, "")


@lru_cache(maxsize=4096)
def _is_proxy(host: str, trusted: str) -> bool:
    """Whether an address is among the proxies of REENGAGE_TRUSTED_PROXIES."""
    found = ipaddress.ip_address(host)
    return any(part == "*" or found in ipaddress.ip_network(part) for part in networks(trusted))


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
        "limit_concurrency": MOST_OPEN,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": 10,
        # On a busy machine a worker takes longer to begin than the 5 s after which it is killed.
        "timeout_worker_healthcheck": 60,
        **more,
    }


def run(host: str, port: int, workers: int) -> None:
    """Serve the link service of this installation until it is told to end: requests under way get
    some seconds. With several workers one that dies is replaced.
    """
    _allow_files()
    default_app()  # what is wrong with the policy or a page is said here, once
    uvicorn.run(
        "reengage.web.app:default_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        **options(),
    )


def _allow_files() -> None:
    """Let this process and its workers open MOST_FILES. Usual are 1,024: when connections have
    taken them, no hit can be kept in a file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
