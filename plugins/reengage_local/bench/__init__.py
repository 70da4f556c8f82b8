"""`make bench`: what the pipeline costs, measured on this machine beside what it could cost.

Each benchmark prints a table and returns its figures, by name; they are kept in
`$REENGAGE_HOME/bench.json`. A new one is a module with a function `run(Bench) -> Figures`, and its
line in BENCHMARKS.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import sqlalchemy as sa

from reengage import db
from reengage.errors import ConfigurationError
from reengage.phones import keys
from reengage.settings import settings
from reengage_local.postgres import EmbeddedServer
from reengage_local.stack import alone

BENCHMARKS = {
    "journey": "reengage_local.bench.journey",
    "send": "reengage_local.bench.send",
    "web": "reengage_local.bench.web",
    "effect": "reengage_local.bench.effect",
    "first_week": "reengage_local.bench.first_week",
}
DATABASE = "reengage_bench"
LEAST_SIZE, MOST_SIZE = 0.001, 10.0

Figures = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """What a benchmark is given. contacts: how many its world has; is_verbose: every statement."""

    contacts: int
    is_verbose: bool

    def say(self, text: str = "") -> None:
        """A line for the person who waits."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def checkpoint(self) -> None:
        """A checkpoint of the server: what is logged after it does not hang on what ran before."""
        EmbeddedServer(settings().home).checkpoint()

    @contextmanager
    def warehouse(self) -> Iterator[sa.Engine]:
        """An empty warehouse at the newest schema, on the home's embedded server, in a database of
        its own: the home's is not touched. Dropped at the end.
        """
        server = EmbeddedServer(settings().home)
        server.start()
        admin = sa.create_engine(
            _address(server, "postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        _drop(admin)  # of a run that was killed
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {DATABASE}")
        engine = db.engine(_address(server, DATABASE))
        try:
            db.migrate(engine)
            keys.check(engine)  # before contacts are made up whose numbers nobody has hashed
            yield engine
        finally:
            engine.dispose()
            _drop(admin)


def run_bench(only: str, size: float, *, is_verbose: bool = False) -> Figures:
    """Run one benchmark, or all of them (only: ""), on a world of `size` million contacts; the
    figures. Raises ConfigurationError for another name or size, ReengageError where a benchmark
    finds that what it compares is not the same.
    """
    if only and only not in BENCHMARKS:
        raise ConfigurationError(f"There is no benchmark {only!r}; there are: {_names()}.")
    if not LEAST_SIZE <= size <= MOST_SIZE:
        raise ConfigurationError(
            f"SIZE is millions of contacts, from {LEAST_SIZE:g} to {MOST_SIZE:g}; {size:g} is not."
        )
    bench = Bench(contacts=round(size * 1_000_000), is_verbose=is_verbose)
    found: Figures = {}
    with alone("bench"), _progress_told():
        for name in [only] if only else BENCHMARKS:
            run: Callable[[Bench], Figures] = import_module(BENCHMARKS[name]).run
            figures = run(bench)
            _keep(figures)
            found |= figures
    bench.say(f"\nKept in {settings().home / 'bench.json'}.")
    return found


def _keep(figures: Figures) -> None:
    """Write the figures beside those of other benchmarks. Written whole, whenever we are killed."""
    file = settings().home / "bench.json"
    known: Figures = {}
    if file.exists():
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigurationError(f"{file} is no JSON: mend it or remove it.") from error
    known |= {name: round(value, 4) for name, value in figures.items()}
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    aside.replace(file)


def _names() -> str:
    return ", ".join(BENCHMARKS)


def _address(server: EmbeddedServer, database: str) -> str:
    return "postgresql+psycopg" + server.dsn(database).removeprefix("postgresql")


def _drop(admin: sa.Engine) -> None:
    with admin.connect() as connection:
        try:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        except sa.exc.ProgrammingError:
            # FORCE may not end a vacuum of the server's own, which a plain DROP asks to stop.
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {DATABASE}")


@contextmanager
def _progress_told() -> Iterator[None]:
    """Without a terminal, progress is logged: let it be seen."""
    logger, handler = logging.getLogger("reengage"), logging.StreamHandler(sys.stderr)
    level = logger.level
    logger.setLevel(logging.WARNING if sys.stderr.isatty() else logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
