"""Fixtures: a real PostgreSQL server for the session, a database of its own for each test."""

import gc
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import sqlalchemy as sa
from hypothesis import settings
from psycopg.errors import ObjectInUse

import homes

gc.disable()  # what is imported and collected is no garbage: to look for some takes a sixth of it

# Before anything imports airflow: the tests' state is never the developer's.
HOME = homes.folder("reengage-test-")
os.environ["REENGAGE_HOME"] = str(HOME)
for name in ("REENGAGE_POLICY", "REENGAGE_SOURCES", "REENGAGE_TEMPLATES"):
    os.environ.pop(name, None)
for name in ("AIRFLOW_CONN_REENGAGE_WAREHOUSE", "AIRFLOW_CONN_REENGAGE_WAREHOUSE_FILE"):
    os.environ.pop(name, None)

from depth import IS_SOAK  # noqa: E402
from patience import in_time  # noqa: E402
from reengage import db  # noqa: E402
from reengage.phones import keys  # noqa: E402
from reengage_local.postgres import EmbeddedServer  # noqa: E402

settings.load_profile("busy")

# What takes longest comes first, so that both workers end together.
LONGEST = (
    "test_celery.py",
    "test_day.py",
    "test_cohort.py",
    "test_readme.py",
    "test_hostile_day.py",
    "test_outbox.py",
    "test_cases.py",
    "test_messy_shop.py",
    "test_page.py",
    "test_sources.py",
    "test_bench.py",
    "test_providers.py",
    "test_machines.py",
    "test_journey_gates.py",
    "test_audits.py",
    "test_outcomes.py",
    "test_story.py",
    "test_marketer.py",
    "test_maintenance_dag.py",
    "test_landing.py",
    "test_restart.py",
    "test_sandbox.py",
    "test_core.py",
    "test_keys.py",
    "test_pages.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make soak` runs what looks deeper there: properties, and what is killed."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
    if IS_SOAK:
        items[:] = [
            item
            for item in items
            if item.get_closest_marker("kills")
            or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not tested, and why."""
    why = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    if why:
        terminalreporter.section("not tested here")
    for reason, tests in why.items():
        terminalreporter.write_line(f"{tests:,} test{'s' * (tests != 1)}: {reason}")


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays, and is not looked through again for garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """The embedded server of the test home, stopped and removed at the end."""
    server = homes.with_schema(HOME)
    server.start()
    yield server
    server.forget()


@pytest.fixture(scope="session")
def template(server: EmbeddedServer) -> str:
    """The name of a migrated, empty database."""
    engine = db.engine(homes.address(HOME))
    keys.check(engine)  # its key is noted, as on a machine that has begun
    engine.dispose()
    return "warehouse"


def pytest_unconfigure() -> None:
    """At the end of a process of the run; the last is the one that has begun it."""
    shutil.rmtree(HOME, ignore_errors=True)
    homes.forget()


NewWarehouse = Callable[..., AbstractContextManager[sa.Engine]]


@pytest.fixture(scope="session")
def admin(server: EmbeddedServer) -> Iterator[sa.Engine]:
    """Who makes and drops databases."""
    admin = sa.create_engine(
        homes.address(HOME, "postgres"), isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )
    yield admin
    admin.dispose()


def patiently(admin: sa.Engine, statement: str) -> None:
    """Run a statement for which nobody may be in a database: who leaves it is gone a little later,
    on a busy machine after more than the seconds that the server waits.
    """

    def is_done() -> bool:
        try:
            with admin.connect() as connection:
                connection.execute(sa.text(statement))
            return True
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, ObjectInUse):
                raise
            return False

    in_time(is_done, f"nobody is in a database any more: {statement}", every=0.1)


@pytest.fixture
def new_warehouse(admin: sa.Engine, template: str, monkeypatch: pytest.MonkeyPatch) -> NewWarehouse:
    """Makes an empty warehouse, gone again at the end of the block, to which
    settings.warehouse_url() points: migrated, or only up to a `revision`.
    """

    @contextmanager
    def make(revision: str = "") -> Iterator[sa.Engine]:
        name = f"test_{uuid.uuid4().hex[:12]}"
        origin = "template0" if revision else template
        # A copy of files is half the work of one that is logged.
        patiently(admin, f'CREATE DATABASE "{name}" TEMPLATE "{origin}" STRATEGY FILE_COPY')
        engine = db.engine(homes.address(HOME, name))
        monkeypatch.setenv("AIRFLOW_CONN_REENGAGE_WAREHOUSE", EmbeddedServer(HOME).dsn(name))
        if revision:
            db.migrate(engine, revision)
        yield engine
        engine.dispose()
        with admin.connect() as connection:
            # FORCE would also end a vacuum of the server's own, which only a superuser may; a
            # plain DROP asks it to stop.
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = :name AND backend_type = 'client backend'"
                ),
                {"name": name},
            )
        patiently(admin, f'DROP DATABASE "{name}"')

    return make


@pytest.fixture
def warehouse(new_warehouse: NewWarehouse) -> Iterator[sa.Engine]:
    """A migrated, empty warehouse of this test alone."""
    with new_warehouse() as engine:
        yield engine
