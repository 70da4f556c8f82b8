"""What opening a link costs: hits a second and the slowest hundredth, on the whole path (guard, one
round trip that records, judges and looks up, the page) of the shipped policy's steps in turn,
beside a bare FastAPI route that writes one row with the same driver and answers two letters.

Both are served by uvicorn in processes of their own, from the same server's database, and are asked
in turns over a few kept connections from this process.
"""

import asyncio
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import truediv
from statistics import median, quantiles
from typing import Any

from reengage import db
from reengage.errors import ReengageError
from reengage.policy import read_policy
from reengage.settings import INCLUDE
from reengage_local.bench import Bench, Figures

SENT_AT = datetime(2026, 1, 31, 17, tzinfo=UTC)
LINKS = 5_000
CONNECTIONS = 8
TURNS = 9
WARM_SECONDS, TURN_SECONDS = 2.0, 1.5
BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)


class Unrecorded(ReengageError):
    """Not every hit that was answered was recorded: the figures would say something else."""


@dataclass
class Asked:
    """The answers of all turns: how many a second by turn, and each one's seconds."""

    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        return quantiles(self.seconds, n=100)[98] * 1000


def run(bench: Bench) -> Figures:
    """The benchmark; its two figures. Raises Unrecorded."""
    path, bare = Asked(), Asked()
    steps = read_policy(INCLUDE / "journey.yaml").steps
    with bench.warehouse() as engine:
        with engine.begin() as connection:
            db.run(
                connection,
                "bench/fill_links",
                contacts=LINKS,
                steps=[step.name for step in steps],
                landings=[step.landing for step in steps],
                coupons=[step.coupon is not None for step in steps],
                at=SENT_AT,
            )
            connection.exec_driver_sql("CREATE TABLE bare_hit (code text, at timestamptz)")
        url = engine.url.render_as_string(hide_password=False)
        bench.say(f"web: opening {LINKS:,} links over {CONNECTIONS} connections.")
        with _serving(_serve_path, url) as ours, _serving(_serve_bare, url) as plain:
            for turn in range(TURNS + 1):
                for port, asked in ((ours, path), (plain, bare)):
                    seconds = TURN_SECONDS if turn else WARM_SECONDS
                    answered = asyncio.run(_load(port, seconds))
                    asked.rates.append(len(answered) / seconds)
                    asked.seconds += answered
                    if not turn:
                        answers = len(answered)
                        asked.rates.clear()
                        asked.seconds.clear()
                        if asked is path:
                            warmed = answers
        with engine.connect() as connection:
            found = db.run(connection, "bench/hits").one()
        if not found.hits == found.judged == warmed + len(path.seconds):
            raise Unrecorded(
                f"{warmed + len(path.seconds):,} hits were answered, {found.hits:,} recorded and "
                f"{found.judged:,} judged: see web/app.py."
            )
    for name, asked in (("link", path), ("bare route", bare)):
        bench.say(f"  {name:<12}{median(asked.rates):>9,.0f} a second, p99 {asked.p99_ms:,.1f} ms")
    figures = {
        # Turn by turn: what else the machine does comes and goes.
        "web_hit_ratio_to_bare": median(map(truediv, path.rates, bare.rates)),
        "web_hit_p99_ms": path.p99_ms,
    }
    bench.say()
    for name, value in figures.items():
        bench.say(f"  {name:<46}{value:>8.3f}")
    return figures


# --- the two servers ------------------------------------------------------------------------------


@contextmanager
def _serving(serve: Any, url: str) -> Iterator[int]:
    """A server in a process of its own; its port."""
    with socket.socket() as listener, tempfile.TemporaryDirectory() as home:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(listener, url, home), daemon=True
        )
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.join()


def _serve_path(listener: socket.socket, url: str, home: str) -> None:
    """The link service, as `reengage web` runs it, behind a proxy that names the visitor."""
    os.environ |= {"REENGAGE_HOME": home, "REENGAGE_TRUSTED_PROXIES": "127.0.0.1"}
    import uvicorn

    from reengage.clock import wall_clock
    from reengage.web.app import create_app
    from reengage.web.http_server import options

    app = create_app(db.engine(url), read_policy(INCLUDE / "journey.yaml"), wall_clock, {})
    uvicorn.Server(uvicorn.Config(app, log_level="warning", **options())).run([listener])


def _serve_bare(listener: socket.socket, url: str, _: str) -> None:
    """The least that records something: a route, an INSERT, two letters."""
    import psycopg
    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    app = FastAPI()
    idle: list[psycopg.AsyncConnection[Any]] = []
    dsn = url.replace("postgresql+psycopg", "postgresql")

    @app.get("/{code}")
    async def view(code: str) -> HTMLResponse:
        if idle:
            connection = idle.pop()
        else:
            connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        await connection.execute(
            "INSERT INTO bare_hit (code, at) VALUES (%s, %s)", (code, datetime.now(UTC))
        )
        idle.append(connection)
        return HTMLResponse("ok")

    config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none")
    uvicorn.Server(config).run([listener])


# --- the visitors ---------------------------------------------------------------------------------


async def _load(port: int, seconds: float) -> list[float]:
    """Ask for links over kept connections, for so long; the seconds that each answer took."""
    loop, answered = asyncio.get_running_loop(), list[float]()
    visitors = [_Visitor(number, answered) for number in range(CONNECTIONS)]
    for visitor in visitors:
        await loop.create_connection(partial(_same, visitor), "127.0.0.1", port)
    for visitor in visitors:
        visitor.ask()
    await asyncio.sleep(seconds)
    for visitor in visitors:
        visitor.is_done = True
    await asyncio.gather(*(visitor.ended for visitor in visitors))
    return answered


def _same(visitor: "_Visitor") -> "_Visitor":
    return visitor


class _Visitor(asyncio.Protocol):
    """One kept connection, which asks for the next link as soon as it has an answer."""

    def __init__(self, number: int, answered: list[float]) -> None:
        self._link = number * (LINKS // CONNECTIONS)
        self._answered = answered
        self._missing: int | None = None
        self._head = b""
        self._asked = 0.0
        self.is_done = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def ask(self) -> None:
        """Ask for the next link."""
        self._link = self._link % LINKS + 1
        where = f"81.{self._link >> 8 & 255}.{self._link & 255}.7"
        self._asked = time.perf_counter()
        self._transport.write(
            f"GET /A{self._link:08} HTTP/1.1\r\nHost: go.example.com\r\nUser-Agent: {BROWSER}\r\n"
            f"Accept: text/html\r\nX-Forwarded-For: {where}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self._missing is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._head.startswith(b"HTTP/1.1 200"):
                self._fail(f"A link was answered with {self._head[:12].decode(errors='replace')}.")
                return
            at = self._head.lower().find(b"content-length:") + 15
            length = int(self._head[at : self._head.find(b"\r\n", at)])
            self._missing = length - (len(self._head) - end - 4)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._answered.append(time.perf_counter() - self._asked)
            self._head, self._missing = b"", None
            if self.is_done:
                self._end()
            else:
                self.ask()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.ended.done():
            self._fail("A connection was cut.")

    def _end(self) -> None:
        self.ended.set_result(None)
        self._transport.close()

    def _fail(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(Unrecorded(why))
        self._transport.close()
