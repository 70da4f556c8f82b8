"""The oldest server that is promised: PostgreSQL 15, as Debian has it, or one of your own."""

import os
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from retailer import Retailer, opened
from sqlalchemy.pool import StaticPool

from reengage import db
from reengage.errors import ConfigurationError
from reengage.settings import warehouse_address, warehouse_url
from reengage_local import schema
from reengage_local.postgres import EmbeddedServer

DEBIAN = Path("/usr/lib/postgresql/15/bin")
PLAIN_DAY = Path(__file__).parents[1] / "cases" / "plain-day"


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty server of version 15, or of the one that
    REENGAGE_TEST_WAREHOUSE names: a database, whose login may make others.
    """
    given = os.environ.get("REENGAGE_TEST_WAREHOUSE")
    if given:
        yield given
        return
    if not (DEBIAN / "initdb").exists():
        pytest.skip(
            "no PostgreSQL 15 here: apt-get install postgresql-15, or set REENGAGE_TEST_WAREHOUSE "
            "to the address of a server"
        )
    server = EmbeddedServer(tmp_path_factory.mktemp("oldest"), DEBIAN)
    server.start()
    yield server.dsn("warehouse")
    server.forget()


@pytest.fixture
def empty(oldest: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """An empty database on it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(
        "postgresql+psycopg" + oldest.removeprefix("postgresql"),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
    )
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    url = admin.url.set(database=name).render_as_string(hide_password=False)
    monkeypatch.setenv(
        "AIRFLOW_CONN_REENGAGE_WAREHOUSE", "postgresql" + url.partition("psycopg")[2]
    )
    engine = db.engine(url)
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "{name}"')


def test_an_empty_server_is_migrated_and_lives_two_days(empty: sa.Engine, tmp_path: Path) -> None:
    db.migrate(empty)
    db.migrate(empty)
    retailer = Retailer(empty, opened(PLAIN_DAY, tmp_path))
    for file in PLAIN_DAY.glob("*.csv"):
        (tmp_path / "data" / file.name).write_bytes(file.read_bytes())
    assert retailer.day(date(2026, 5, 20)).texted == {"K1": "survey"}
    second = retailer.day(date(2026, 5, 21))
    assert (second.stopped, second.texted) == (None, {})


def test_its_schema_is_that_of_every_server(empty: sa.Engine) -> None:
    db.migrate(empty)
    with empty.connect() as connection:
        assert schema.text(connection) == schema.FILE.read_text(encoding="utf-8")


def test_a_migration_that_was_killed_goes_on_where_it_was(empty: sa.Engine) -> None:
    db.migrate(empty, "0006")
    with empty.connect() as connection:
        known = connection.exec_driver_sql("SELECT version_num FROM reengage_migrations").scalar()
    assert known == "0006"
    db.migrate(empty)


def test_sessions_end_with_a_lost_host_and_tell_time_in_utc(empty: sa.Engine) -> None:
    with empty.connect() as connection:
        for name, value in {"tcp_user_timeout": "50000", "TimeZone": "UTC"}.items():
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == value
        info = connection.connection.driver_connection.info
        assert info.get_parameters()["keepalives_idle"] == "20"


def test_options_of_the_connection_reach_the_server(empty: sa.Engine) -> None:
    address = empty.url.update_query_dict({"options": "-c work_mem=77MB", "keepalives_idle": "5"})
    engine = db.engine(address.render_as_string(hide_password=False))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW work_mem").scalar() == "77MB"
        assert connection.exec_driver_sql("SHOW TimeZone").scalar() == "UTC"
        parameters = connection.connection.driver_connection.info.get_parameters()
        assert parameters["keepalives_idle"] == "5"
    engine.dispose()


def test_a_pooler_that_shares_sessions_is_refused(empty: sa.Engine) -> None:
    pooled = sa.create_engine(empty.url, poolclass=StaticPool)  # one session for everybody
    with pytest.raises(ConfigurationError, match="pool_mode = session"):
        db.check_sessions(pooled)
    pooled.dispose()
    db.check_sessions(empty)


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://ann:s%2Fcret@db.example:5433/w?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        '{"conn_type": "postgres", "login": "ann", "password": "s/cret", "host": "db.example",'
        ' "port": 5433, "schema": "w", "extra": {"sslmode": "verify-full", "cursor": "dict",'
        ' "sslrootcert": "/etc/ca.pem"}}',
        '{"conn_type": "postgres", "login": "ann", "password": "s/cret", "host": "db.example",'
        ' "port": "5433", "schema": "w", "extra": "{\\"sslmode\\": \\"verify-full\\",'
        ' \\"sslrootcert\\": \\"/etc/ca.pem\\"}"}',
        "postgres://ann:s%2Fcret@db.example:5433/w?__extra__=%7B%22sslmode%22%3A+%22verify-full%22"
        "%2C+%22sslrootcert%22%3A+%22%2Fetc%2Fca.pem%22%7D",
    ],
    ids=["uri", "json", "extra as text", "extra in the uri"],
)
def test_tls_and_its_certificates_are_part_of_the_address(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_REENGAGE_WAREHOUSE", given)
    assert warehouse_url() == warehouse_address(
        "ann",
        "s/cret",
        "db.example",
        5433,
        "w",
        {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"},
    )
    url = sa.make_url(warehouse_url())
    assert url.password == "s/cret"
    assert dict(url.query) == {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}
