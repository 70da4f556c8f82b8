"""From a database to raw: nothing is lost that is written late, changed, or without a time."""

import json
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from test_sources import POLICY, Feed, loaded

from reengage.cli import main
from reengage.errors import ConfigurationError
from reengage.ingest.sources import read_source
from reengage.ingest.sources.load import Load, load_source

DAY = date(2024, 3, 31)
NOW = datetime(2024, 4, 1, 4, tzinfo=UTC)


class Shop(Feed):
    """Orders in a table of a database, read as the DAG does."""

    def __init__(
        self, engine: sa.Engine, folder: Path, database: sa.Engine, table: str, **yaml: Any
    ) -> None:
        super().__init__(engine, folder)
        del self.said["path"]
        self.said |= {"connector": "sql", "connection": "shop_db", "by_time": "changed_at"}
        self.said |= {"table": table, "required": True} | yaml
        self.said = {key: value for key, value in self.said.items() if value is not None}
        self.database = database
        self.now = NOW

    def does(self, *statements: str, **binds: Any) -> None:
        with self.database.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement), binds)

    def order(
        self, key: Any, changed_at: Any, at: str | None = "2024-03-30 10:00", total: Any = 5
    ) -> None:
        self.does(
            f"INSERT INTO {self.said['table']} VALUES (:key, :who, :at, :total, :changed_at)",
            key=key,
            who=f"C{key}",
            at=at,
            total=total,
            changed_at=changed_at,
        )

    def read(self, as_of: date = DAY, policy: Any = POLICY) -> Load:
        return load_source(self.engine, self.source, policy, as_of, lambda: self.now)

    def cursor(self) -> tuple[Any, ...]:
        return self.rows(
            "SELECT reads_from, reads_to, cursor_before, cursor_after FROM raw.load "
            "ORDER BY load_id DESC LIMIT 1"
        )[0]


ORDERS = "CREATE TABLE {} (id {key}, who text, at {at}, total {money}, changed_at {stamp})"


@pytest.fixture(params=["postgresql", "sqlite"])
def shop(
    request: pytest.FixtureRequest,
    warehouse: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    yield from open_shop(request.param, warehouse, tmp_path, monkeypatch)


@pytest.fixture
def pg(warehouse: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    yield from open_shop("postgresql", warehouse, tmp_path, monkeypatch)


def open_shop(
    kind: str, warehouse: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    if kind == "sqlite":
        file = tmp_path / "shop.sqlite"
        database = sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool)
        said: dict[str, Any] = {"conn_type": "sqlite", "host": str(file)}
        table, types = "orders", {"key": "integer", "at": "text", "money": "real", "stamp": "text"}
    else:
        url = warehouse.url
        database = sa.create_engine(url, poolclass=sa.pool.NullPool)
        said = {"conn_type": "postgres", "login": url.username, "password": url.password}
        said |= {"host": url.host, "port": url.port, "schema": url.database}
        if not said["host"]:
            said["host"] = url.query.get("host")
        table, types = "shop.orders", {"key": "bigint", "at": "timestamp", "money": "numeric(12,3)"}
        types["stamp"] = "timestamptz"
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", json.dumps(said))
    shop = Shop(warehouse, tmp_path, database, table)
    if kind == "postgresql":
        shop.does("CREATE SCHEMA shop")
    shop.does(ORDERS.format(table, **types))
    yield shop
    database.dispose()


def test_a_day_reads_what_is_new_and_says_how_far_it_came(shop: Shop) -> None:
    shop.order(1, "2024-03-30 11:00:00+00:00")
    shop.order(2, "2024-03-31 11:00:00+00:00")
    shop.take()
    assert loaded(shop) == {"1": 5, "2": 5}
    assert shop.cursor() == (
        None,
        "2024-04-01T04:00:00.000000+00:00",
        None,
        "2024-03-31T11:00:00.000000+00:00",
    )
    shop.order(3, "2024-04-01 11:00:00+00:00", at="2024-04-01 10:00", total=7)
    shop.now += timedelta(days=1)
    load = shop.take(DAY + timedelta(days=1))
    assert loaded(shop) == {"1": 5, "2": 5, "3": 7}
    assert (load.rows_new, load.newest_on) == (1, date(2024, 4, 1))
    assert shop.cursor() == (
        "2024-03-30T11:00:00.000000+00:00",
        "2024-04-02T04:00:00.000000+00:00",
        "2024-03-31T11:00:00.000000+00:00",
        "2024-04-01T11:00:00.000000+00:00",
    )


def test_what_commits_late_ties_or_has_no_time_is_not_lost(shop: Shop) -> None:
    """A mark of the newest alone would pass over all of these."""
    shop.order(1, "2024-03-31 11:00:00+00:00")
    shop.take()
    shop.order(2, "2024-03-31 10:30:00+00:00")  # begun before the first, and written after it
    shop.order(3, "2024-03-31 11:00:00+00:00")  # at the very same time
    shop.order(4, None)
    shop.now += timedelta(days=1)
    shop.take(DAY + timedelta(days=1))
    assert loaded(shop) == {"1": 5, "2": 5, "3": 5, "4": 5}


def test_whatever_comes_late_within_the_overlap_core_has_what_the_shop_has(shop: Shop) -> None:
    """Orders and changes with times up to 23 hours before the load that could not see them yet."""
    rnd, has = random.Random(5), dict[str, float]()
    for day in range(5):
        last, shop.now = shop.now, NOW + timedelta(days=day)
        for _ in range(20):
            at = last - timedelta(hours=23) + rnd.random() * (shop.now - last + timedelta(hours=23))
            said = at.strftime("%Y-%m-%d %H:%M:%S+00:00")
            key = str(rnd.randrange(60))
            total = rnd.randrange(1, 900) / 4
            if key in has:
                shop.does(
                    f"UPDATE {shop.said['table']} SET total = :total, changed_at = :at"
                    " WHERE id = :key",
                    total=total,
                    at=said,
                    key=int(key),
                )
            else:
                shop.order(int(key), said, total=total)
            has[key] = total
        shop.take(DAY + timedelta(days=day))
        assert loaded(shop) == has


def test_a_row_that_is_dated_in_the_future_carries_nothing_ahead(shop: Shop) -> None:
    shop.order(1, "2099-01-01 00:00:00+00:00")
    shop.take()
    assert shop.cursor()[3] == "2024-04-01T04:00:00.000000+00:00"
    shop.order(2, "2024-04-01 04:00:01+00:00")
    shop.now += timedelta(days=1)
    shop.take(DAY + timedelta(days=1))
    assert loaded(shop) == {"1": 5, "2": 5}


def test_a_day_that_runs_again_asks_for_the_same_and_changes_nothing(shop: Shop) -> None:
    for key in range(50):
        shop.order(key, f"2024-03-{10 + key % 20} 11:00:00+00:00")
    shop.take()
    first, asked = loaded(shop), shop.cursor()
    again = shop.take()
    assert (loaded(shop), shop.cursor()) == (first, asked)
    assert (again.rows_new, again.rows_read, again.newest_on) == (0, 50, date(2024, 3, 30))


def test_a_changed_row_replaces_the_old_one(shop: Shop) -> None:
    shop.order(1, "2024-03-30 11:00:00+00:00")
    shop.take()
    shop.does(
        f"UPDATE {shop.said['table']} SET total = 9.25, changed_at = '2024-04-01 11:00:00+00:00'"
    )
    shop.now += timedelta(days=1)
    shop.take(DAY + timedelta(days=1))
    assert loaded(shop) == {"1": 9.25}


def test_by_a_key_what_comes_late_among_the_last_is_read_and_the_rest_is_not(shop: Shop) -> None:
    shop.said |= {"by_key": "id", "overlap_keys": 10}
    del shop.said["by_time"]
    for key in (5, 100):
        shop.order(key, None)
    shop.take()
    for key in (20, 95, 101):
        shop.order(key, None)
    shop.now += timedelta(days=1)
    load = shop.take(DAY + timedelta(days=1))
    assert loaded(shop).keys() == {"5", "100", "95", "101"}
    assert load.rows_read == 3
    assert shop.cursor() == ("90", "101", "100", "101")


def test_without_either_all_is_read_each_time(shop: Shop) -> None:
    del shop.said["by_time"]
    shop.order(1, None)
    shop.take()
    shop.order(2, None)
    assert shop.take().rows_read == 2
    assert loaded(shop) == {"1": 5, "2": 5}


def test_values_are_what_the_database_means_by_them(pg: Shop) -> None:
    """A number of three decimals is no thousand; a time without a zone is the source's."""
    pg.said |= {
        "time_zone": "Europe/Rome",
        "columns": pg.said["columns"] | {"currency": "currency", "product_id": "sku"},
        "table": None,
        "query": "SELECT o.*, 'JPY' AS currency, decode('00ff10', 'hex') AS sku, 1 AS \"a:b\" "
        "FROM shop.orders AS o WHERE who <> ' :x' AND who LIKE 'C%' -- all of them",
    }
    pg.said = {key: value for key, value in pg.said.items() if value is not None}
    for key, total in ((1, "50.000"), (2, "1234.500"), (3, "NaN"), (4, "-0.001"), (5, None)):
        pg.does(
            "INSERT INTO shop.orders VALUES (:key, 'C', '2024-03-31 00:30', :total, now())",
            key=key,
            total=total,
        )
    pg.take()
    said = pg.rows("SELECT record_key, amount FROM raw.interaction ORDER BY record_key")
    assert said == [
        ("1", 50),
        ("2", Decimal("1234.5")),
        ("3", None),
        ("4", Decimal("-0.001")),
        ("5", None),
    ]
    assert pg.rows("SELECT DISTINCT product_id, occurred_at FROM raw.interaction") == [
        ("00ff10", datetime(2024, 3, 30, 23, 30, tzinfo=UTC))
    ]


@pytest.mark.parametrize("stamp", ["timestamp", "date", "text"])
def test_the_hour_that_comes_twice_is_read_whatever_the_column_is(pg: Shop, stamp: str) -> None:
    """Without a zone, 02:10 after the clocks went back is before 02:50 of the hour before."""
    pg.does(f"ALTER TABLE shop.orders ALTER COLUMN changed_at TYPE {stamp}")
    pg.said |= {"time_zone": "Europe/Rome", "overlap_hours": 0}
    pg.now = datetime(2024, 10, 28, 4, tzinfo=UTC)
    pg.order(1, "2024-10-27 02:50", at="2024-10-26 10:00")
    pg.take(date(2024, 10, 26))
    pg.order(2, "2024-10-27 02:10", at="2024-10-27 10:00")
    pg.take(date(2024, 10, 27))
    assert loaded(pg) == {"1": 5, "2": 5}


def test_a_column_that_is_missing_or_renamed_is_told_and_nothing_is_taken(shop: Shop) -> None:
    shop.order(1, "2024-03-30 11:00:00+00:00")
    shop.take()
    table = shop.said["table"]
    shop.does(f"ALTER TABLE {table} RENAME COLUMN total TO totals")
    load = shop.read()
    assert load.problem is not None
    assert "has no column total. totals may be meant" in load.problem
    assert loaded(shop) == {"1": 5}
    shop.does(
        f"ALTER TABLE {table} RENAME COLUMN totals TO total",
        f"ALTER TABLE {table} RENAME COLUMN changed_at TO changed",
    )
    problem = shop.read().problem
    assert problem is not None
    assert "has no column changed_at, which by_time names" in problem


def test_a_column_of_another_type_is_told(pg: Shop) -> None:
    pg.order(1, "2024-03-30 11:00:00+00:00")
    pg.take()
    pg.does(
        "ALTER TABLE shop.orders ALTER COLUMN changed_at TYPE bigint"
        " USING extract(epoch FROM changed_at)"
    )
    pg.now += timedelta(days=1)
    problem = pg.read(DAY + timedelta(days=1)).problem
    assert problem is not None
    assert "holds what is no time" in problem
    pg.does("ALTER TABLE shop.orders ALTER COLUMN changed_at TYPE text USING '30/03/2024 11:00'")
    problem = pg.read(DAY + timedelta(days=1)).problem
    assert problem is not None
    assert "holds what is no time" in problem
    assert pg.cursor()[3] == "2024-03-30T11:00:00.000000+00:00", "it has not moved"


def test_rows_that_change_while_they_are_read_are_whole_and_come_again(pg: Shop) -> None:
    pg.does(
        "INSERT INTO shop.orders SELECT n, 'C' || n, '2024-03-30', 5, '2024-03-30 11:00+00'"
        " FROM generate_series(1, 5000) AS n"
    )
    seen = meddle(
        pg,
        lambda: pg.does(
            "UPDATE shop.orders SET total = 9, changed_at = '2024-03-31 11:00+00' WHERE id > 2000",
            "DELETE FROM shop.orders WHERE id = 4000",
        ),
    )
    assert seen.rows_read == 5000
    pg.now += timedelta(days=1)
    pg.take(DAY + timedelta(days=1))
    assert sum(loaded(pg).values()) == 2000 * 5 + 2999 * 9 + 5


def meddle(shop: Shop, deed: Any, after: int = 1500) -> Load:
    """A load during which something happens once so many rows were read."""
    from reengage.ingest.sources.connectors import sql

    real, seen = sql.whole, 0

    def whole(row: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == after:
            deed()
        return real(row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql, "whole", whole)
        return shop.take() if deed.__name__ == "<lambda>" else shop.read()


def test_a_database_that_goes_away_between_pages_moves_nothing_ahead(pg: Shop) -> None:
    pg.does(
        "INSERT INTO shop.orders SELECT n, 'C' || n, '2024-03-30', 5, '2024-03-30 11:00+00'"
        " FROM generate_series(1, 5000) AS n"
    )

    def cut() -> None:
        pg.does(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'FETCH%' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )

    load = meddle(pg, cut)
    assert load.problem is not None
    assert "is not read to its end, so who came back could be texted" in load.problem
    assert load.rows_read >= 1500, "what came before stays"
    assert pg.cursor()[3] is None
    pg.take()
    assert len(loaded(pg)) == 5000


def test_a_load_that_is_killed_between_windows_goes_on_where_it_was(pg: Shop) -> None:
    pg.said |= {"start": "2024-03-01", "window_days": 10, "overlap_hours": 1}
    for day in range(1, 31):
        pg.order(day, f"2024-03-{day:02} 11:00+00", at=f"2024-03-{day:02} 10:00")

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        meddle(pg, die, after=15)
    assert pg.rows("SELECT count(*) FROM raw.interaction") == [(10,)]
    pg.order(31, "2024-03-09 11:00+00", at="2024-03-09 10:00")  # by rights it cannot come so late
    load = pg.take()
    assert load.rows_read == 30, "the window that was read is not read again, and its rows count"
    assert len(loaded(pg)) == 30
    assert pg.rows("SELECT count(*) FROM raw.file") == [(4,)]


def test_two_loads_at_once_take_turns_and_each_row_is_there_once(pg: Shop) -> None:
    pg.does(
        "INSERT INTO shop.orders SELECT n, 'C' || n, '2024-03-30', 5, '2024-03-30 11:00+00'"
        " FROM generate_series(1, 3000) AS n"
    )
    source = pg.source
    found: list[Load] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(load_source(pg.engine, source, POLICY, DAY, lambda: NOW))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [load.problem for load in found] == [None, None]
    assert pg.rows("SELECT count(*) FROM raw.interaction") == [(3000,)]
    pg.take()
    assert len(loaded(pg)) == 3000


def test_another_mapping_reads_all_of_it_anew(shop: Shop) -> None:
    shop.order(1, "2024-03-01 11:00:00+00:00", at="2024-03-01 10:00")
    shop.order(2, "2024-03-30 11:00:00+00:00")
    shop.take()
    shop.said["exclude"] = {"id": ["1"]}
    shop.now += timedelta(days=1)
    shop.take(DAY + timedelta(days=1))
    assert loaded(shop) == {"2": 5}


def test_a_stopped_day_is_asked_for_again_until_it_is_mended(shop: Shop) -> None:
    shop.order(1, "2024-03-29 11:00:00+00:00")
    shop.take()
    for key in range(10, 15):
        shop.order(key, "2024-03-31 11:00:00+00:00", at=None)
    for day in (1, 2):
        shop.now = NOW + timedelta(days=day)
        load = shop.read(DAY + timedelta(days=day))
        assert load.problem is not None, "they are not passed over"
        assert "5 of 6 rows (83.3%) cannot be read" in load.problem
        assert "the first in row 2: occurred_at is missing" in " ".join(load.notes)
    shop.does(f"UPDATE {shop.said['table']} SET at = '2024-03-31 10:00' WHERE id >= 10")
    shop.take(DAY + timedelta(days=2))
    assert len(loaded(shop)) == 6


def test_a_column_that_is_always_empty_is_told(shop: Shop) -> None:
    shop.order(1, None)
    assert "no row has a value in changed_at, so all are read each time" in shop.take().notes[0]


def test_a_table_that_is_empty_where_it_never_was_stops_the_day(shop: Shop) -> None:
    del shop.said["by_time"]
    shop.order(1, None)
    shop.take()
    shop.does(f"DELETE FROM {shop.said['table']}")
    problem = shop.read().problem
    assert problem is not None
    assert "has no row" in problem


def test_no_secret_is_in_what_is_told_or_kept(
    pg: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "s3cr3t-of-the-shop"
    said = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "me"}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", json.dumps(said | {"password": secret}))
    load = pg.read()
    assert load.problem is not None
    assert "cannot be read" in load.problem
    kept = pg.rows("SELECT f::text, l::text FROM raw.file AS f, raw.load AS l")
    assert secret not in f"{load} {kept} {caplog.text}"
    monkeypatch.delenv("AIRFLOW_CONN_SHOP_DB")
    with pytest.raises(ConfigurationError, match="export AIRFLOW_CONN_SHOP_DB"):
        pg.read()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"query": "SELECT 1"}, "say one of table and query"),
        ({"table": None}, "say one of table and query"),
        ({"path": "x.csv"}, "path: is a key of files, and this connector is sql"),
        ({"connection": None}, "connection: the connector sql needs it"),
        ({"by_key": "id"}, "say one of by_time and by_key"),
        ({"by_time": None, "window_days": 3}, "window_days: goes with by_time"),
        ({"window_days": 3}, "window_days: needs start"),
        ({"lines": "sum"}, "write a query whose by_time is the order's"),
        ({"connector": "sqll"}, "write one of files, sql, rest, python; you may mean sql"),
    ],
)
def test_a_wrong_yaml_says_what_is_wrong(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    shop = Shop(None, tmp_path, None, "orders")  # type: ignore[arg-type]
    shop.said = {key: said for key, said in (shop.said | change).items() if said is not None}
    with pytest.raises(ConfigurationError, match=told):
        assert shop.source


def test_the_keys_of_an_interval_want_the_ids_of_events(tmp_path: Path) -> None:
    shop = Shop(None, tmp_path, None, "orders")  # type: ignore[arg-type]
    del shop.said["columns"]["source_event_id"]
    del shop.said["columns"]["amount"]
    file = tmp_path / "x.yaml"
    file.write_text(json.dumps(shop.said), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is known by its source_event_id"):
        read_source(file)


def test_a_check_of_the_policy_asks_for_a_few_rows(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in range(300):
        shop.order(key, "2024-03-30 11:00:00+00:00")
    folder = shop.folder
    assert shop.source
    (folder / "_source.yaml").rename(folder / "shop.yaml")
    monkeypatch.setenv("REENGAGE_SOURCES", str(folder))
    monkeypatch.setattr("reengage_local.stack.existing_warehouse", lambda: None)
    assert main(["policy"]) == 0
    where = f"shop_db, table {shop.said['table']}"
    assert (
        f"shop (interaction): {where}: answers, with 200 rows and more" in capsys.readouterr().out
    )
    monkeypatch.delenv("AIRFLOW_CONN_SHOP_DB")
    assert main(["policy"]) == 1
    assert "There is no connection shop_db" in capsys.readouterr().out


def test_memory_does_not_grow_with_the_table(pg: Shop) -> None:
    """In a process of its own, for its memory."""
    probe = textwrap.dedent("""
        import re, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from zoneinfo import ZoneInfo
        from reengage.ingest.sources import read_source
        from reengage.ingest.sources.connectors import connect
        from reengage.ingest.sources.records import Notes
        sql = connect(read_source(Path(sys.argv[1])), ZoneInfo("UTC"))
        [part] = sql.parts(None, datetime.now(UTC))
        print(sum(1 for _ in sql.read(part, Notes())))
        print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    """)
    del pg.said["table"]
    peaks = []
    for size in (20_000, 400_000):
        pg.said["query"] = (
            "SELECT n AS id, 'C' || n AS who, date '2024-03-30' AS at, 5 AS total, now() AS "
            f"changed_at FROM generate_series(1, {size}) AS n"
        )
        assert pg.source
        said = subprocess.run(
            [sys.executable, "-c", probe, str(pg.folder / "_source.yaml")],
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        ).stdout.split()
        assert int(said[0]) == size
        peaks.append(int(said[1]))
    assert peaks[1] < peaks[0] * 1.15
