"""What all connectors share, and a function of somebody's own."""

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from test_sources import POLICY, Feed, loaded

from reengage import connections, db
from reengage.errors import ConfigurationError
from reengage.ingest.sources import connectors, numerals
from reengage.ingest.sources.connectors.base import Connector, Part, Stamp
from reengage.ingest.sources.connectors.function import Asked
from reengage.ingest.sources.load import Load, load_source
from reengage.ingest.sources.records import Notes, Row, typed_text

DAY = date(2024, 3, 31)
NOW = datetime(2024, 4, 1, 4, tzinfo=UTC)

# What the function below gives, and what it was asked.
RECORDS: list[Any] = []
ASKED: list[Asked] = []


def read(asked: Asked) -> Iterator[Any]:
    ASKED.append(asked)
    for record in RECORDS:
        if isinstance(record, Exception):
            raise record
        yield record


class Tills(Feed):
    def __init__(self, engine: sa.Engine, folder: Path, **yaml: Any) -> None:
        super().__init__(engine, folder)
        del self.said["path"]
        self.said |= {"connector": "python", "function": f"{__name__}:read"}
        self.said |= {"by_time": "changed_at", "required": True} | yaml
        self.now = NOW

    def read(self, as_of: date = DAY, policy: Any = POLICY) -> Load:
        return load_source(self.engine, self.source, policy, as_of, lambda: self.now)


@pytest.fixture
def tills(warehouse: sa.Engine, tmp_path: Path) -> Tills:
    RECORDS.clear()
    ASKED.clear()
    return Tills(warehouse, tmp_path)


def order(key: Any, **more: Any) -> dict[str, Any]:
    said = {"id": key, "who": f"C{key}", "at": datetime(2024, 3, 30, 10, tzinfo=UTC)}
    return said | {"total": Decimal("5.10"), "changed_at": "2024-03-30T11:00:00Z"} | more


def test_a_function_is_asked_for_what_is_new_and_its_records_are_rows(tills: Tills) -> None:
    tills.said |= {"options": {"shops": "all"}, "connection": "tills"}
    tills.said["columns"]["source_contact_id"] = "customer.id"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_TILLS", '{"conn_type": "http", "password": "s3cr3t"}')
        RECORDS.extend([order(1, customer={"id": "C1"}), "no mapping", order(2, who=None)])
        tills.said["without_id"] = "keep"
        load = tills.read()
        [asked] = ASKED
        assert (asked.since, asked.until, asked.options) == (None, None, {"shops": "all"})
        assert asked.access is not None
        assert asked.access.password == "s3cr3t"
        assert "s3cr3t" not in repr(asked)
        rejects = tills.rows("SELECT line, reason FROM raw.reject ORDER BY line")
        assert rejects == [(2, "is no mapping but str"), (3, "source_contact_id is missing")]
        assert load.rows_read == 3
        tills.said["columns"]["source_contact_id"] = "who"


def test_how_far_a_function_came_is_where_the_next_day_goes_on(tills: Tills) -> None:
    RECORDS.extend([order(1), order(2, changed_at="2099-01-01T00:00:00Z")])
    tills.take()
    tills.now += timedelta(days=1)
    RECORDS[:] = [order(3, changed_at=datetime(2024, 4, 1, 11, tzinfo=UTC))]
    tills.take(DAY + timedelta(days=1))
    assert [asked.since for asked in ASKED] == [None, NOW - timedelta(hours=24)]
    assert loaded(tills).keys() == {"1", "2", "3"}
    RECORDS.clear()
    tills.now += timedelta(days=1)
    load = tills.take(DAY + timedelta(days=2))
    assert ASKED[-1].since == datetime(2024, 3, 31, 11, tzinfo=UTC)
    assert (load.rows_read, load.newest_on) == (0, date(2024, 3, 30)), "nothing new is no news"


def test_what_a_function_raises_is_told_without_whom_it_is_about(tills: Tills) -> None:
    RECORDS.extend([order(1), ValueError("no order of anna@example.org, +39 335 1234567")])
    load = tills.read()
    assert load.problem is not None
    assert "has failed with ValueError: no order of <email>, <phone>" in load.problem
    assert tills.rows("SELECT cursor_after FROM raw.load") == [(None,)]
    assert tills.rows("SELECT count(*) FROM raw.interaction") == [(1,)], "what came before stays"
    RECORDS[1] = order(2)
    tills.take()
    assert loaded(tills).keys() == {"1", "2"}


def test_a_time_that_is_none_moves_nothing_on(tills: Tills) -> None:
    RECORDS.extend([order(1), order(2, changed_at="yesterday")])
    problem = tills.read().problem
    assert problem is not None
    assert "changed_at holds what is no time like 2026-05-19T10:30:00Z" in problem


def test_a_key_that_no_record_has_is_told(tills: Tills) -> None:
    RECORDS.extend([{**order(1), "Who": "C1"}])
    del RECORDS[0]["who"]
    problem = tills.read().problem
    assert problem is not None
    assert "no row has the key who (source_contact_id). Is it Who?" in problem
    assert tills.rows("SELECT count(*) FROM raw.interaction") == [(0,)]


def test_of_windows_those_before_a_crash_are_not_asked_for_again(tills: Tills) -> None:
    tills.said |= {"start": "2024-03-01", "window_days": 10, "time_zone": "UTC"}
    RECORDS.extend([order(1)])
    tills.take()
    ends = [asked.until and asked.until.day for asked in ASKED]
    assert ends == [11, 21, 31, None]
    tills.take()
    assert [asked.since and asked.since.day for asked in ASKED[4:]] == [31], "what may come late"


def test_a_function_that_is_not_there_says_so(tills: Tills) -> None:
    for function in ("no_such_package:read", f"{__name__}:no_such_function"):
        tills.said["function"] = function
        with pytest.raises(ConfigurationError, match="cannot be found"):
            tills.read()


# --- a connector of somebody's own ---------------------------------------------------------------


class Ledger(Connector):
    """The least that a connector is."""

    where = "the ledger"

    def parts(self, before: str | None, now: datetime) -> list[Part]:
        return [Part("ledger", "the ledger")]

    def stamp(self, part: Part, now: datetime) -> Stamp:
        return Stamp(1, NOW)

    def read(self, part: Part, notes: Notes) -> Iterator[Row]:
        yield 1, {"id": "1", "who": "C1", "at": "2024-03-30", "total": self.source.options["total"]}


def test_a_package_of_ones_own_adds_a_connector(
    tills: Tills, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By an entry point, as a package that is installed has it."""
    package = tmp_path / "site" / "ledger-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: ledger\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        f"[reengage.connectors]\nledger = {__name__}:Ledger\nlost = no_such_module:Lost\n"
    )
    monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
    connectors._others.cache_clear()
    try:
        tills.said |= {"connector": "ledger", "options": {"total": "7"}}
        for key in ("function", "by_time"):
            del tills.said[key]
        tills.take()
        assert loaded(tills) == {"1": 7}
        tills.said["path"] = "x.csv"
        with pytest.raises(ConfigurationError, match="path: is a key of files"):
            assert tills.source
        del tills.said["path"]
        tills.said["connector"] = "lost"
        with pytest.raises(ConfigurationError, match="lost cannot be loaded"):
            tills.read()
    finally:
        connectors._others.cache_clear()


# --- values and connections ----------------------------------------------------------------------


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_number_is_read_as_it_is_whatever_sign_the_source_says(value: Decimal) -> None:
    value = round(value, 6)
    for decimal in (None, ".", ","):
        for currency in (None, "USD", "JPY", "IDR"):
            text = typed_text(value, decimal)
            assert text is not None
            assert Decimal(numerals.amount(text, decimal, currency)) == value  # type: ignore[arg-type]


def test_what_is_typed_is_told_apart() -> None:
    said: Mapping[Any, str | None] = {
        None: None,
        True: "true",
        12: "12",
        Decimal("1E+3"): "1000",
        Decimal("50.000"): "50",
        1.5: "1.5",
        float("inf"): None,
        date(2026, 5, 19): "2026-05-19",
        datetime(2026, 5, 19, 10, tzinfo=ZoneInfo("Europe/Rome")): "2026-05-19T10:00:00+02:00",
        UUID(int=1): "00000000-0000-0000-0000-000000000001",
        b"C-17": "C-17",
        b"\xff\x01": "ff01",
        b"\x00\x01": "0001",
        (1, "a"): '[1, "a"]',
    }
    assert {key: typed_text(key) for key in said} == said


def test_a_connection_is_read_in_both_forms(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "conn"
    file.write_text("postgres://me:p%2Fw@db.example:5433/shop?sslmode=require")
    file.chmod(0o600)
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB_FILE", str(file))
    uri = connections.of_environment("shop_db")
    monkeypatch.setenv(
        "AIRFLOW_CONN_SHOP_DB",
        json.dumps(
            {
                "conn_type": "postgres",
                "login": "me",
                "password": "p/w",
                "host": "db.example",
                "port": 5433,
                "schema": "shop",
                "extra": '{"sslmode": "require"}',
            }
        ),
    )
    assert connections.of_environment("shop_db") == uri
    assert "p/w" not in repr(uri)
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", "{s3cr3t")
    with pytest.raises(ConfigurationError) as error:
        connections.of_environment("shop_db")
    assert "s3cr3t" not in str(error.value)


def test_a_warehouse_of_before_knows_its_files_and_reads_no_other(
    new_warehouse: Any, tmp_path: Path
) -> None:
    with new_warehouse("0050") as engine:
        feed = Feed(engine, tmp_path)
        file = feed.write("a.csv", [("1", "7", "2024-03-01", 5)])
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    textwrap.dedent("""
                    WITH load AS (
                        INSERT INTO raw.load (source, entity, as_of, started_at, status, newest_on)
                        VALUES ('shop', 'interaction', '2024-03-30', now(), 'loaded', '2024-03-01')
                        RETURNING load_id
                    )
                    INSERT INTO raw.file
                        (load_id, source, path, size_bytes, modified_at, mapping_hash, is_complete)
                    SELECT load_id, 'shop', :path, 1, now(), 'x', TRUE FROM load
                    """)
                ),
                {"path": str(file)},
            )
        db.migrate(engine)
        load = feed.take()
        assert (load.rows_read, load.newest_on) == (1, date(2024, 3, 1))
        assert feed.rows("SELECT reads_from, reads_to FROM raw.file") == [(None, None)] * 2
