"""A few connections to the warehouse for one event loop, each for one statement at a time.

psycopg's own, without SQLAlchemy and without a thread for each request: a hit costs one round trip,
and little beside it. Every statement is a transaction.
"""

import asyncio
import contextlib
import logging
import weakref
from collections import deque, namedtuple
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg import waiting
from psycopg.abc import PQGen
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from reengage import db
from reengage.errors import ReengageError

log = logging.getLogger(__name__)
T = TypeVar("T")

CONNECTIONS = 8
CONNECT_SECONDS = 2
STATEMENT_SECONDS = 3
# How long nobody asks after the warehouse was found away.
PAUSE_SECONDS = 0.5


class Away(ReengageError):
    """The warehouse does not answer: it is down, restarts, or takes too long."""


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection that is given up at once where nobody waits for it any more: the driver would
    ask the server to cancel, and wait for its answer, of a server that hangs.
    """

    async def wait(self, gen: PQGen[T], interval: float = 0.1) -> T:
        return await waiting.wait_async(gen, self.pgconn.socket, interval=interval)


class Pool:
    """Connections of one event loop."""

    def __init__(self, engine: sa.Engine, connections: int = CONNECTIONS) -> None:
        url = engine.url.set(drivername="postgresql")
        self._dsn = url.render_as_string(hide_password=False)
        self._turn = asyncio.Semaphore(connections)
        self._idle: deque[psycopg.AsyncConnection[Any]] = deque()
        weakref.finalize(self, _finish, self._idle)
        self._away_until = 0.0
        self._sql: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._row: dict[str, Callable[[Sequence[Any]], Any]] = {}

    async def one(self, name: str, **binds: Any) -> Any | None:
        """The first row of include/sql/<name>.sql, a file of one statement; None without one."""
        rows = await self.all(name, **binds)
        return rows[0] if rows else None

    async def all(self, name: str, **binds: Any) -> list[Any]:
        """The rows of include/sql/<name>.sql, a file of one statement.

        A statement that a cut connection has interrupted is run a second time, so it must be safe
        to. Raises Away.
        """
        _, names = self._sql.get(name) or self._compile(name)
        values = [binds[name] for name in names]
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(STATEMENT_SECONDS + CONNECT_SECONDS), self._turn:
                if loop.time() < self._away_until:
                    raise Away("The warehouse was away a moment ago.")
                if self._idle:
                    with contextlib.suppress(psycopg.OperationalError):
                        return await self._run(self._idle.pop(), name, values)
                    # A restart of the server cuts them all.
                    _finish(self._idle)
                return await self._run(await self._connect(), name, values)
        except (psycopg.DataError, psycopg.IntegrityError):
            raise  # whatever is asked is wrong, and stays so
        except (psycopg.Error, TimeoutError) as error:
            if getattr(error, "sqlstate", None) is None:  # the server itself said nothing
                self._away_until = loop.time() + PAUSE_SECONDS
            # Not the error's text: it may hold what was asked.
            log.error("The link service has no answer from the warehouse: %s", type(error).__name__)
            raise Away("The warehouse does not answer.") from None

    async def _run(
        self, connection: psycopg.AsyncConnection[Any], name: str, values: Sequence[Any]
    ) -> list[Any]:
        try:
            cursor = await connection.execute(self._sql[name][0], values, prepare=True)
            rows = await cursor.fetchall()
            if name not in self._row:
                columns = [column.name for column in cursor.description or ()]
                row: Any = namedtuple("row", tuple(columns))  # type: ignore[misc]
                self._row[name] = row._make
        except BaseException:
            # Whatever has interrupted it, its state is not known.
            connection.pgconn.finish()
            raise
        self._idle.append(connection)
        return list(map(self._row[name], rows))

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await _Connection.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            cursor_factory=psycopg.AsyncRawCursor,
            application_name="reengage-web",
            options=(
                "-c timezone=UTC -c plan_cache_mode=force_generic_plan "
                # A few rows of each table, by its key: the planner, who knows not how few, would
                # rather read a small table whole.
                "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off "
                f"-c statement_timeout={STATEMENT_SECONDS}s"
            ),
        )

    def _compile(self, name: str) -> tuple[str, tuple[str, ...]]:
        """A statement as the server numbers its binds ($1, …), and their names in that order: the
        driver need not look for them in a long text each time.
        """
        ((clause, _),) = db._statements(name, None)
        compiled = clause.compile(dialect=dialect())
        self._sql[name] = str(compiled), tuple(compiled.positiontup or ())
        return self._sql[name]

    def close(self) -> None:
        """Let go of the connections that nobody uses."""
        _finish(self._idle)


def _finish(connections: deque[psycopg.AsyncConnection[Any]]) -> None:
    while connections:
        connection = connections.pop()
        connection.pgconn.finish()
