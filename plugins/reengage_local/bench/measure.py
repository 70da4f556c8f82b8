"""Measuring: seconds by statement, and work that is undone after it was measured."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.texts import drafts


class Stopwatch:
    """Seconds on the wall while `running`, in total and by statement.

    statements: by name, with "analyze" and "copy" for what db does itself. drafting: of what
    renders and stores the day's texts, its statements included.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.drafting = 0.0
        self.statements: defaultdict[str, float] = defaultdict(float)

    @property
    def without_drafting(self) -> float:
        return self.total - self.drafting

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure what is run in this process meanwhile, by one thread."""
        patched: list[tuple[Any, str, Callable[..., Any]]] = [
            (db, "run", self._named(db.run)),
            (db, "analyze", self._counted("analyze", db.analyze)),
            (db, "copy", self._counted("copy", db.copy)),
            (drafts, "draft", self._drafting(drafts.draft)),
        ]
        before = [getattr(module, name) for module, name, _ in patched]
        for module, name, measured in patched:
            setattr(module, name, measured)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.total += time.perf_counter() - began
            for (module, name, _), original in zip(patched, before, strict=True):
                setattr(module, name, original)

    def _named(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(connection: Connection, name: str, /, *given: Any, **binds: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(connection, name, *given, **binds)
            finally:
                self.statements[name] += time.perf_counter() - began

        return measured

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **binds: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*given, **binds)
            finally:
                self.statements[name] += time.perf_counter() - began

        return measured

    def _drafting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **binds: Any) -> Any:
            # Its statements stay out of the table: the day is told without it.
            kept = self.statements
            self.statements = defaultdict(float)
            began = time.perf_counter()
            try:
                return function(*given, **binds)
            finally:
                self.drafting += time.perf_counter() - began
                self.statements = kept

        return measured


@contextmanager
def undone(engine: Engine) -> Iterator[Connection]:
    """A connection whose work is rolled back."""
    with engine.connect() as connection, connection.begin() as transaction:
        try:
            yield connection
        finally:
            transaction.rollback()


def rehearsal(connection: Connection) -> Engine:
    """An engine whose transactions are parts of the caller's, so that they can be undone."""
    return cast(Engine, _Rehearsal(connection))


class _Rehearsal:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self._connection.begin_nested():
            yield self._connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        yield self._connection
