"""What is deleted where it came from is taken back, and nothing else is."""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hostile_api import Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from test_connectors import ASKED, RECORDS, Tills, order, tills  # noqa: F401
from test_core import CARD, CARD_HEAD, DIFFERENCES
from test_rest import Shop as Api
from test_rest import shop as api  # noqa: F401
from test_sources import POLICY, Feed, correcting, loaded
from test_sql import Shop, meddle, pg, shop  # noqa: F401

from depth import examples
from reengage import db
from reengage.cli import main
from reengage.errors import ConfigurationError, SourceError
from reengage.ingest import core
from reengage.ingest.sources.connectors.files import Files
from reengage.ingest.sources.connectors.sql import Sql
from reengage.ingest.sources.load import Load, load_source
from reengage.policy import Policy

DAY = date(2024, 3, 31)
NOW = datetime(2024, 4, 1, 4, tzinfo=UTC)
CONSENT: dict[str, Any] = {
    "entity": "consent",
    "kind": None,
    "columns": {"source_contact_id": "id", "granted_at": "granted"},
}
PRODUCT: dict[str, Any] = {
    "entity": "product",
    "kind": None,
    "columns": {"source_product_id": "sku", "name": "name", "available": "there"},
}


def letting_go(policy: Policy) -> Policy:
    """One that lets any share of the rows be deleted."""
    gates = policy.gates.model_copy(update={"max_deleted_share": 1.0})
    return policy.model_copy(update={"gates": gates})


FREE = letting_go(correcting(POLICY))


@dataclass
class Days:
    """Loads of a feed, a day after the other, each by a file of its own."""

    feed: Feed
    number: int = 0
    now: datetime = field(default=NOW)

    def write(self, rows: list[Any], header: str) -> None:
        self.number += 1
        self.now = NOW + timedelta(days=self.number)
        file = self.feed.write(f"{self.number:03}.csv", rows, header)
        os.utime(file, (self.number, self.number))

    def take(self, policy: Policy = FREE) -> Load:
        as_of = DAY + timedelta(days=self.number)
        source = self.feed.source
        load = load_source(self.feed.engine, source, policy, as_of, lambda: self.now)
        assert load.problem is None, load.problem
        core.take(self.feed.engine, source, load.load_id, as_of, policy, lambda: self.now)
        return load


def emptied(engine: sa.Engine) -> None:
    """The warehouse as it was before any load."""
    with engine.begin() as connection:
        for table in ("raw.load", "raw.file", "raw.interaction", "raw.consent", "raw.seen"):
            connection.exec_driver_sql(f"TRUNCATE {table}")
        for table in ("contact", "contact_identity", "contact_activity", "interaction", "consent"):
            connection.exec_driver_sql(f"TRUNCATE core.{table}")


# --- against a plain model -----------------------------------------------------------------------

ORDERS = st.dictionaries(
    st.integers(1, 12).map(str),
    st.tuples(st.sampled_from("abc"), st.integers(2, 29), st.integers(1, 9), st.booleans()),
    max_size=12,
)


@settings(max_examples=examples(15))
@given(st.lists(st.tuples(ORDERS, st.booleans()), min_size=2, max_size=5))
def test_core_has_what_the_newest_file_says_whatever_came_before(
    warehouse: sa.Engine, tmp_path_factory: pytest.TempPathFactory, days: list[Any]
) -> None:
    """Orders come, late ones too, change, move to others, are cancelled, vanish and come back."""
    emptied(warehouse)
    folder = tmp_path_factory.mktemp("shop")
    feed = Feed(warehouse, folder, deletes="snapshot", exclude={"state": ["cancelled"]})
    runs = Days(feed)
    before: set[str] = set()
    for orders, is_twice in days:
        rows = [
            (key, who, f"2024-03-{on:02}", total, "cancelled" if is_cancelled else "")
            for key, (who, on, total, is_cancelled) in orders.items()
        ]
        # Between these two, all is looked at.
        ends = [("first", "z", "2024-03-01", 1, ""), ("last", "z", "2024-03-31", 1, "")]
        runs.write([*ends, *rows], "id,who,at,total,state")
        load = runs.take()
        if is_twice:
            again = runs.take()
            assert (again.rows_new, again.rows_taken_back, again.rows_changed) == (0, 0, 0)
        stands = {row[0]: float(row[3]) for row in rows if not row[4]}
        assert loaded(feed) == {**stands, "first": 1, "last": 1}
        assert feed.rows(DIFFERENCES) == []
        assert load.rows_taken_back == len(before - stands.keys())
        assert load.rows_deleted == len(before - orders.keys())
        before = {*stands}


GRANTS = st.sets(st.tuples(st.sampled_from("ab"), st.integers(-3, 6)), max_size=5)


@settings(max_examples=examples(15))
@given(st.lists(GRANTS, min_size=2, max_size=6))
def test_a_consent_stands_while_its_source_says_it_and_again_only_by_a_later_one(
    warehouse: sa.Engine, tmp_path_factory: pytest.TempPathFactory, days: list[Any]
) -> None:
    emptied(warehouse)
    feed = Feed(warehouse, tmp_path_factory.mktemp("crm"), **CONSENT, deletes="snapshot")
    runs = Days(feed)
    known: set[Any] = set()
    granted: dict[str, datetime] = {"z": NOW}
    withdrawn: dict[str, datetime] = {}
    for number, said in enumerate(days, 1):
        # Nobody agrees tomorrow.
        there = {(who, NOW + timedelta(days=min(at, number), hours=-1)) for who, at in said}
        runs.write([("z", NOW), *sorted(there)], "id,granted")
        runs.take()
        for who, at in there:
            granted[who] = max(granted.get(who, at), at)
        for who in {who for who, _ in known - there} - {who for who, _ in there}:
            withdrawn[who] = runs.now
        known = there
        agreed = {
            row[0]
            for row in feed.rows(
                "SELECT contact.first_source_contact_id FROM core.consent_record"
                " INNER JOIN core.contact USING (contact_id) GROUP BY 1"
                " HAVING core.has_consent(max(granted_at), max(withdrawn_at))"
            )
        }
        assert agreed == {
            who for who, at in granted.items() if who not in withdrawn or at > withdrawn[who]
        }


# --- a database, an interface, a function --------------------------------------------------------


def test_an_order_that_is_deleted_in_a_table_is_taken_back_and_comes_back(shop: Shop) -> None:  # noqa: F811
    del shop.said["by_time"]
    shop.said["deletes"] = "snapshot"
    for key, at in ((1, "2024-03-01"), (2, "2024-03-10"), (3, "2024-03-30")):
        shop.order(key, None, at=f"{at} 10:00")
    shop.take()
    table = shop.said["table"]
    shop.does(f"DELETE FROM {table} WHERE id = 2")
    load = shop.take()
    assert (load.rows_taken_back, load.rows_deleted) == (1, 1)
    assert loaded(shop) == {"1": 5, "3": 5}
    assert "1 rows that were there before are there no more" in load.notes[0]
    assert shop.take().rows_taken_back == 0, "once"
    shop.order(2, None, at="2024-03-10 10:00")
    assert (shop.take().rows_deleted, loaded(shop)) == (0, {"1": 5, "2": 5, "3": 5})
    assert shop.rows(
        "SELECT status, is_deleted, superseded_by IS NULL FROM raw.interaction"
        " WHERE record_key = '2' ORDER BY load_id"
    ) == [("superseded", True, False), ("loaded", False, True)]


def test_without_the_word_nothing_is_deleted_and_that_is_told_once(shop: Shop) -> None:  # noqa: F811
    del shop.said["by_time"], shop.said["deletes"]
    shop.order(1, None)
    shop.order(2, None)
    [note] = shop.take().notes
    assert "keeps its customer from looking quiet. Say `deletes: snapshot`" in note
    shop.does(f"DELETE FROM {shop.said['table']} WHERE id = 2")
    assert shop.take().notes == ()
    assert loaded(shop) == {"1": 5, "2": 5}
    shop.said["deletes"] = "unseen"
    assert shop.take(DAY + timedelta(days=1)).notes == ()


def test_a_check_of_the_policy_tells_what_would_not_be_noticed(
    pg: Shop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REENGAGE_SOURCES", str(pg.folder))
    monkeypatch.setattr("reengage_local.stack.existing_warehouse", lambda: None)
    told = "shop (interaction): an order that is deleted there keeps its customer"
    pg.order(1, "2024-03-30 11:00:00+00:00")
    for said, is_told in (({}, True), ({"deletes": "unseen"}, False), ({"sweep": 30}, False)):
        del pg.said["deletes"]
        pg.said |= said
        assert pg.source
        (pg.folder / "_source.yaml").rename(pg.folder / "shop.yaml")
        assert main(["policy"]) == 0
        said_of_it = capsys.readouterr().out
        assert (told in said_of_it) == is_told
        assert ("Say `sweep: 30` so that the ids there are looked through" in said_of_it) == is_told
        pg.said.setdefault("deletes", "unseen")


def test_a_table_that_breaks_off_takes_nothing_back(pg: Shop) -> None:  # noqa: F811
    del pg.said["by_time"]
    pg.said["deletes"] = "snapshot"
    pg.does(
        "INSERT INTO shop.orders SELECT n, 'C' || n, timestamp '2024-03-01' + n * interval '5 min',"
        " 5 FROM generate_series(1, 5000) AS n"
    )
    pg.take()

    def cut() -> None:
        pg.does(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'FETCH%' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )

    assert meddle(pg, cut).problem is not None
    assert pg.rows("SELECT count(*) FROM raw.interaction WHERE status = 'loaded'") == [(5000,)]
    pg.does("DELETE FROM shop.orders WHERE id = 4000")
    load = pg.take()
    assert (load.rows_deleted, len(loaded(pg))) == (1, 4999)


def test_a_load_that_is_killed_after_it_has_read_is_taken_over(pg: Shop) -> None:  # noqa: F811
    del pg.said["by_time"]
    pg.said["deletes"] = "snapshot"
    for key, on in ((1, "01"), (2, "10"), (3, "30")):
        pg.order(key, None, at=f"2024-03-{on} 10:00")
    pg.take()
    pg.does("DELETE FROM shop.orders WHERE id = 2")
    pg.read()  # and core never sees it
    assert loaded(pg).keys() == {"1", "2", "3"}
    load = pg.take()
    assert (load.rows_deleted, loaded(pg).keys()) == (1, {"1", "3"})


def test_what_an_interface_answers_no_more_is_taken_back(api: Api) -> None:  # noqa: F811
    del api.said["by_time"], api.said["request"]["since"]
    api.said["deletes"] = "snapshot"
    for key, on in ((1, "01"), (2, "10"), (3, "30")):
        api.order(key, at=f"2024-03-{on}T10:00:00Z")
    api.take()
    gone = api.orders.pop(1)
    api.api.answers = lambda _: Reply({"orders": []})
    api.problem()
    assert loaded(api).keys() == {"1", "2", "3"}, "an empty answer deletes nothing"
    api.api.answers = lambda asked: Reply({"orders": api.since(asked)})
    load = api.take()
    assert (load.rows_deleted, loaded(api).keys()) == (1, {"1", "3"})
    api.orders.append(gone)
    api.take()
    assert loaded(api).keys() == {"1", "2", "3"}


def test_a_function_that_fails_takes_nothing_back(tills: Tills) -> None:  # noqa: F811
    del tills.said["by_time"]
    tills.said["deletes"] = "snapshot"
    for key, on in ((1, 1), (2, 10), (3, 30)):
        RECORDS.append(order(key, at=datetime(2024, 3, on, tzinfo=UTC)))
    tills.take()
    second = RECORDS.pop(1)
    RECORDS.append(ValueError("away"))
    assert tills.read().problem is not None
    assert tills.rows("SELECT count(*) FROM raw.interaction WHERE is_deleted") == [(0,)]
    RECORDS.pop()
    assert tills.take().rows_deleted == 1
    RECORDS.insert(1, second)
    tills.take()
    assert loaded(tills).keys() == {"1", "2", "3"}


# --- a sweep --------------------------------------------------------------------------------------


def test_what_the_ids_of_the_last_days_do_not_name_is_taken_back(shop: Shop) -> None:  # noqa: F811
    del shop.said["deletes"]
    shop.said["sweep"] = 30
    for key, on in ((1, "2024-01-10"), (2, "2024-03-20"), (3, "2024-03-30")):
        shop.order(key, f"{on} 11:00:00+00:00", at=f"{on} 10:00")
    assert shop.take().notes == ()
    shop.does(f"DELETE FROM {shop.said['table']} WHERE id < 3")
    shop.order(4, "2024-04-01 11:00:00+00:00", at="2024-03-31 10:00")
    shop.now += timedelta(days=1)
    load = shop.take(DAY + timedelta(days=1))
    assert (load.rows_new, load.rows_deleted) == (1, 1)
    assert loaded(shop).keys() == {"1", "3", "4"}, "what is older than the sweep stays"
    assert shop.take(DAY + timedelta(days=1)).rows_deleted == 0
    shop.said["sweep"] = "all"
    shop.take(DAY + timedelta(days=1))
    assert loaded(shop).keys() == {"3", "4"}
    shop.order(2, "2024-04-01 12:00:00+00:00", at="2024-03-20 10:00")
    shop.take(DAY + timedelta(days=1))
    assert loaded(shop).keys() == {"2", "3", "4"}


def test_a_row_that_moves_out_of_the_days_of_a_sweep_is_not_deleted(shop: Shop) -> None:  # noqa: F811
    shop.said |= {"sweep": 30, "deletes": "marked", "exclude": {"who": ["X"]}}
    for key in (1, 2, 3):
        shop.order(key, "2024-03-30 11:00:00+00:00", at="2024-03-29 10:00")
    shop.take()
    table = shop.said["table"]
    shop.does(f"UPDATE {table} SET changed_at = '2023-03-30 11:00:00+00:00' WHERE id = 1")
    shop.does(f"UPDATE {table} SET changed_at = NULL WHERE id = 2")
    shop.does(f"DELETE FROM {table} WHERE id = 3")
    shop.now += timedelta(days=1)
    assert shop.take(DAY + timedelta(days=1)).rows_deleted == 1
    assert loaded(shop).keys() == {"1", "2"}


def test_news_of_an_old_order_is_swept_too(shop: Shop) -> None:  # noqa: F811
    del shop.said["deletes"]
    shop.said["sweep"] = 30
    shop.order(1, "2024-03-30 11:00:00+00:00")
    shop.take()
    shop.order(2, "2024-03-31 11:00:00+00:00", at="2023-05-01 10:00")
    shop.now += timedelta(days=1)
    shop.take(DAY + timedelta(days=1))
    shop.does(f"DELETE FROM {shop.said['table']} WHERE id = 2")
    shop.now += timedelta(days=1)
    assert shop.take(DAY + timedelta(days=2)).rows_deleted == 1
    assert loaded(shop).keys() == {"1"}


def test_by_a_key_all_ids_are_swept(shop: Shop) -> None:  # noqa: F811
    del shop.said["by_time"]
    shop.said |= {"by_key": "id", "overlap_keys": 1, "sweep": "all"}
    del shop.said["deletes"]
    for key in range(20):
        shop.order(key, None)
    shop.take()
    shop.does(f"DELETE FROM {shop.said['table']} WHERE id = 3")
    assert shop.take(DAY + timedelta(days=1)).rows_deleted == 1
    assert len(loaded(shop)) == 19


def test_what_is_written_while_it_is_swept_is_not_lost(pg: Shop) -> None:  # noqa: F811
    del pg.said["deletes"]
    pg.said["sweep"] = 30
    for key in (1, 2, 3):
        pg.order(key, "2024-03-30 11:00:00+00:00", at="2024-03-29 10:00")
    pg.take()
    real = Sql.ids

    def busy(self: Sql, *given: Any) -> Iterator[Any]:
        pg.order(4, "2024-04-02 03:59:00+00:00", at="2024-03-31 10:00")
        pg.does("DELETE FROM shop.orders WHERE id = 1")
        pg.does("UPDATE shop.orders SET changed_at = '2024-04-02 03:59+00', total = 7 WHERE id = 2")
        yield from real(self, *given)

    pg.now += timedelta(days=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sql, "ids", busy)
        assert pg.take(DAY + timedelta(days=1)).rows_deleted == 1
    pg.now += timedelta(days=1)
    pg.take(DAY + timedelta(days=2))
    assert loaded(pg) == {"2": 7, "3": 5, "4": 5}


def test_a_sweep_that_breaks_off_or_names_too_few_takes_nothing_back(pg: Shop) -> None:  # noqa: F811
    del pg.said["deletes"]
    pg.said["sweep"] = "all"
    pg.does(
        "INSERT INTO shop.orders SELECT n, 'C' || n, '2024-03-30', 5, '2024-03-30 11:00+00'"
        " FROM generate_series(1, 100) AS n"
    )
    pg.take()

    def away(self: Sql, *_: Any) -> Iterator[Any]:
        yield 1, {"id": "1"}
        raise SourceError("the database is away")

    pg.does("DELETE FROM shop.orders WHERE id > 90")
    pg.now += timedelta(days=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sql, "ids", away)
        problem = pg.read(DAY + timedelta(days=1)).problem
    assert problem is not None
    assert "what is deleted there is not known: the database is away" in problem
    problem = pg.read(DAY + timedelta(days=1)).problem
    assert problem is not None
    assert "all ids has 10 of 100 rows that were there before no more (10.0%" in problem
    assert pg.rows("SELECT count(*) FROM raw.interaction WHERE is_deleted") == [(0,)]
    load = pg.take(DAY + timedelta(days=1), FREE)
    assert (load.rows_deleted, len(loaded(pg))) == (10, 90)


def test_a_refund_that_is_still_to_come_outlives_a_sweep(shop: Shop) -> None:  # noqa: F811
    del shop.said["deletes"]
    shop.said["sweep"] = "all"
    shop.order(1, "2024-03-30 11:00:00+00:00", at="2024-03-29 10:00")
    shop.take()
    table = shop.said["table"]
    shop.does(f"UPDATE {table} SET total = -5, at = '2024-04-03', changed_at = '2024-03-31 11:00Z'")
    shop.take()
    assert shop.take().rows_deleted == 0
    assert shop.rows("SELECT status FROM raw.interaction ORDER BY status") == [
        ("waiting",),
        ("loaded",),
    ]


def test_the_ids_of_an_interface_are_swept(api: Api) -> None:  # noqa: F811
    del api.said["deletes"]
    api.said["sweep"] = 30
    for key in (1, 2, 3):
        api.order(key)
    api.take()
    api.orders.pop(0)
    api.now += timedelta(days=1)
    load = api.take(DAY + timedelta(days=1))
    assert (load.rows_deleted, loaded(api).keys()) == (1, {"2", "3"})
    api.orders.clear()
    api.take(DAY + timedelta(days=1))
    assert loaded(api).keys() == {"2", "3"}, "an empty answer deletes nothing"


def test_a_function_is_told_that_ids_are_enough(tills: Tills) -> None:  # noqa: F811
    del tills.said["deletes"]
    tills.said["sweep"] = 10
    RECORDS.extend([order(1), order(2)])
    tills.take()
    asked = [(one.is_sweep, one.since) for one in ASKED]
    assert asked == [(False, None), (True, NOW - timedelta(days=10))]
    ASKED.clear()
    tills.now += timedelta(days=1)

    def read(asked: Any) -> Iterator[Any]:
        ASKED.append(asked)
        yield from [{"id": 2}] if asked.is_sweep else [order(2)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("test_connectors.read", read)
        load = tills.take(DAY + timedelta(days=1))
    assert (load.rows_deleted, loaded(tills).keys()) == (1, {"2"})
    assert [(asked.is_sweep, asked.since) for asked in ASKED] == [
        (False, datetime(2024, 3, 29, 11, tzinfo=UTC)),
        (True, NOW - timedelta(days=9)),
        (True, None),
    ], "what is missing is looked for among all"


def test_consents_and_cards_are_swept_by_all_their_ids(pg: Shop) -> None:  # noqa: F811
    pg.does(
        "CREATE TABLE shop.consents (id text, granted timestamptz, no text, changed_at timestamptz)"
    )
    for name in ("a", "b", "c"):
        pg.does(
            "INSERT INTO shop.consents VALUES (:name, '2024-01-01Z', NULL, '2024-01-01Z')",
            name=name,
        )
    pg.said |= CONSENT | {"table": "shop.consents", "sweep": "all"}
    del pg.said["kind"], pg.said["deletes"]
    pg.said["columns"] = {**CONSENT["columns"], "withdrawn_at": "no"}
    pg.take()
    pg.does("DELETE FROM shop.consents WHERE id = 'a'")
    pg.does("UPDATE shop.consents SET no = '2024-03-31', changed_at = '2024-03-31Z' WHERE id = 'b'")
    pg.now += timedelta(days=1)
    assert pg.take(DAY + timedelta(days=1)).rows_deleted == 1
    pg.does("DELETE FROM shop.consents WHERE id = 'b'")
    pg.now += timedelta(days=1)
    pg.take(DAY + timedelta(days=2))
    assert pg.rows(
        "SELECT first_source_contact_id, core.has_consent(max(granted_at), max(withdrawn_at))"
        " FROM core.consent_record INNER JOIN core.contact USING (contact_id) GROUP BY 1 ORDER BY 1"
    ) == [("a", False), ("b", False), ("c", True)]
    assert pg.rows("SELECT count(*) FROM core.consent WHERE withdrawn_at > '2024-04-01Z'") == [(1,)]


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "delete", "backdate", "late"]),
        st.integers(1, 9),
        st.integers(1, 80),
    ),
    max_size=8,
)


@settings(max_examples=examples(15))
@given(st.lists(CHANGES, min_size=2, max_size=5), st.sampled_from([20, "all"]))
def test_after_a_sweep_core_has_what_the_source_has(
    warehouse: sa.Engine, tmp_path_factory: pytest.TempPathFactory, days: list[Any], sweep: Any
) -> None:
    """Of the days that are swept: what is older and deleted may stay."""
    emptied(warehouse)
    tills = Tills(warehouse, tmp_path_factory.mktemp("tills"), sweep=sweep)  # noqa: F811
    del tills.said["deletes"]
    has: dict[str, Any] = {"0": order("0", changed_at=NOW)}
    for number, changes in enumerate(days, 1):
        tills.now = NOW + timedelta(days=number)
        for what, key, back in changes:
            key = str(key)
            at = tills.now - timedelta(days=back + 2)
            before = tills.now - timedelta(hours=1)
            late = tills.now - timedelta(hours=20)
            if what in ("insert", "late") and key not in has:
                has[key] = order(key, at=at, changed_at=before if what == "insert" else late)
            elif what == "update" and key in has:
                has[key] = {**has[key], "total": back, "changed_at": before}
            elif what == "backdate" and key in has:
                has[key] = {**has[key], "changed_at": tills.now - timedelta(days=90)}
            elif what == "delete" and key in has:
                del has[key]

        def read(asked: Any) -> Iterator[Any]:
            for record in has.values():
                if asked.since is None or record["changed_at"] >= asked.since:
                    yield record

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("test_connectors.read", read)
            tills.take(DAY + timedelta(days=number), FREE)
        core_has = loaded(tills)
        # What has gone back in time before anybody read it is no news.
        old = {key for key, one in has.items() if one["changed_at"] < NOW - timedelta(days=80)}
        assert has.keys() - old - {"0"} <= core_has.keys()
        if sweep == "all":
            assert core_has.keys() <= has.keys()
        else:
            since = (tills.now - timedelta(days=20)).date()
            left = tills.rows(
                "SELECT source_event_id FROM core.interaction WHERE occurred_on > :since",
                since=since,
            )
            assert {row[0] for row in left} <= has.keys()
        assert tills.rows(DIFFERENCES) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"sweep": 30, "deletes": "unseen"}, "finds what is deleted, and deletes says unseen"),
        ({"sweep": 30, "by_time": None}, "goes with by_time or by_key; where all is read"),
        ({"sweep": 30, "by_time": None, "by_key": "id"}, "a number of days goes with by_time"),
        ({"sweep": 30} | CONSENT, "a consent that is deleted today may be years old: say all"),
        ({"sweep": "none"}, "sweep"),
    ],
)
def test_a_wrong_sweep_says_what_is_wrong(tmp_path: Path, said: dict[str, Any], told: str) -> None:
    table = Shop(None, tmp_path, None, "orders")  # type: ignore[arg-type]
    del table.said["deletes"]
    table.said = {key: one for key, one in (table.said | said).items() if one is not None}
    with pytest.raises(ConfigurationError, match=told):
        assert table.source


# --- what is not taken for deleted ---------------------------------------------------------------


@pytest.fixture
def days(warehouse: sa.Engine, tmp_path: Path) -> Iterator[Days]:
    yield Days(Feed(warehouse, tmp_path, deletes="snapshot"))


HEAD = "id,who,at,total"
THREE = [("1", "a", "2024-03-01", 5), ("2", "b", "2024-03-10", 5), ("3", "c", "2024-03-30", 5)]


def test_an_export_of_the_last_days_takes_nothing_older_or_newer_back(days: Days) -> None:
    days.write(THREE, HEAD)
    days.take()
    days.write([("2", "b", "2024-03-10", 5), ("4", "d", "2024-03-20", 5)], HEAD)
    assert days.take().rows_deleted == 0
    assert loaded(days.feed).keys() == {"1", "2", "3", "4"}


def test_a_row_that_cannot_be_read_is_not_deleted(days: Days) -> None:
    days.write([*THREE, ("4", "d", "2024-03-12", 5)], HEAD)
    days.take()
    days.write([THREE[0], ("2", "b", "soon", 5), THREE[2]], HEAD)
    assert days.take().rows_deleted == 1
    assert loaded(days.feed).keys() == {"1", "2", "3"}
    days.write([THREE[0], ("", "b", "2024-03-10", 5), THREE[2]], HEAD)
    load = days.take()
    assert load.rows_deleted == 0, "which row that is, nobody can tell"
    assert "they may be those, so nothing is taken for deleted" in load.notes[0]


def test_a_guest_s_order_that_was_somebody_s_is_not_deleted(days: Days) -> None:
    days.feed.said["without_id"] = "leave_out"
    days.write(THREE, HEAD)
    days.take()
    days.write([THREE[0], ("2", "", "2024-03-10", 5), THREE[2]], HEAD)
    days.take()
    assert loaded(days.feed).keys() == {"1", "2", "3"}


def test_a_refund_that_is_still_to_come_leaves_its_order(days: Days) -> None:
    days.write(THREE, HEAD)
    days.take()
    days.write([THREE[0], ("2", "b", "2024-04-03", -5), THREE[2]], HEAD)
    assert days.take().rows_deleted == 0
    assert loaded(days.feed).keys() == {"1", "2", "3"}
    days.write([THREE[0], ("2", "b", "2024-04-03", -5), THREE[2]], HEAD)
    days.take()
    assert loaded(days.feed).keys() == {"1", "3"}, "its day has come"


def test_a_file_that_changes_while_it_is_read_takes_nothing_back(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.write(THREE, HEAD)
    days.take()
    days.write([THREE[0], THREE[2]], HEAD)
    file = days.feed.folder / "002.csv"
    read = Files.read

    def growing(self: Files, *given: Any) -> Iterator[Any]:
        yield from read(self, *given)
        with file.open("a", encoding="utf-8") as more:
            csv.writer(more).writerow(THREE[1])

    with monkeypatch.context() as patch:
        patch.setattr(Files, "read", growing)
        load = days.take()
    assert "002.csv changed while it was read" in load.notes[0]
    assert loaded(days.feed).keys() == {"1", "2", "3"}
    assert days.take().rows_deleted == 0, "and it is read again"


def test_older_files_are_not_read_where_the_newest_says_all(days: Days) -> None:
    days.write([*THREE, ("4", "d", "2024-03-11", 5)], HEAD)
    days.take()
    days.write(THREE, HEAD)
    days.take()
    days.feed.said["zero"] = "nothing"  # another mapping: files are read anew
    assert days.take().rows_read == 3
    assert loaded(days.feed).keys() == {"1", "2", "3"}


def test_another_mapping_gives_other_keys_and_nobody_has_withdrawn(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    """Of rows that are read under other names nothing is deleted, and no share is missing."""
    feed = Feed(warehouse, tmp_path, "crm", **CONSENT, deletes="snapshot")
    runs = Days(feed)
    rows = [(f"K{n}", "2024-01-02T10:00:00Z") for n in range(30)]
    runs.write(rows, "id,granted")
    runs.take(POLICY)
    feed.said["columns"] = {**CONSENT["columns"], "purpose": {"value": "news"}}
    runs.write(rows, "id,granted")
    load = runs.take(POLICY)
    assert (load.rows_deleted, load.rows_new) == (0, 30)
    assert feed.rows("SELECT purpose, count(granted_at) FROM core.consent_record GROUP BY 1") == [
        ("marketing", 0),
        ("news", 30),
    ]
    assert feed.rows("SELECT count(*) FROM core.consent WHERE withdrawn_at > '2024-02-01'") == [
        (0,)
    ]


def test_who_had_withdrawn_stays_withdrawn_whatever_the_mapping_is(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    """The withdrawal of a row that is gone holds against what another source was told before it."""
    columns = {**CONSENT["columns"], "withdrawn_at": "withdrawn"}
    said: dict[str, Any] = {**CONSENT, "columns": columns}
    till = Days(Feed(warehouse, tmp_path, "till", **said))
    till.feed.said["columns"] = {**columns, "contact_source": {"value": "crm"}}
    till.write([("k", "2024-02-01", "")], "id,granted,withdrawn")
    runs = Days(Feed(warehouse, tmp_path, "crm", **said, deletes="snapshot"))
    other = ("z", "2024-01-01", "")
    runs.write([other, ("k", "2024-01-01", "2024-03-01")], "id,granted,withdrawn")
    runs.take()
    till.take()
    agreed = (
        "SELECT core.has_consent(max(granted_at), max(withdrawn_at)) FROM core.consent_record"
        " INNER JOIN core.contact USING (contact_id) WHERE first_source_contact_id = 'k'"
    )
    assert runs.feed.rows(agreed) == [(False,)]
    runs.feed.said["columns"] = {**columns, "purpose": {"value": "marketing"}}
    runs.write([other], "id,granted,withdrawn")
    runs.take()
    assert runs.feed.rows(agreed) == [(False,)]


def test_who_agrees_anew_on_the_day_of_the_load_has_not_withdrawn(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    """The new row waits for its day, and is in place of the old one."""
    runs = Days(Feed(warehouse, tmp_path, "crm", **CONSENT, deletes="snapshot"))
    runs.write([("a", "2024-01-01"), ("b", "2024-01-01")], "id,granted")
    runs.take()
    today = (DAY + timedelta(days=3)).isoformat()
    runs.write([("a", f"{today}T05:00:00Z")], "id,granted")
    runs.now += timedelta(hours=2)
    load = runs.take()
    assert (load.rows_deleted, load.rows_waiting) == (1, 1)
    runs.write([("a", f"{today}T05:00:00Z")], "id,granted")
    runs.take()
    assert runs.feed.rows(
        "SELECT first_source_contact_id, core.has_consent(max(granted_at), max(withdrawn_at))"
        " FROM core.consent_record INNER JOIN core.contact USING (contact_id) GROUP BY 1 ORDER BY 1"
    ) == [("a", True), ("b", False)]


def test_a_consent_that_cannot_be_read_is_not_deleted(warehouse: sa.Engine, tmp_path: Path) -> None:
    columns = {**CONSENT["columns"], "channel": "by"}
    runs = Days(Feed(warehouse, tmp_path, "crm", **{**CONSENT, "columns": columns}))
    runs.feed.said["deletes"] = "snapshot"
    rows = [(n, "sms", "2024-01-01") for n in "abcd"]
    runs.write(rows, "id,by,granted")
    runs.take()
    runs.write([("a", "sms", "soon"), ("c", "email", "soon"), rows[3]], "id,by,granted")
    assert runs.take().rows_deleted == 2
    runs.write(rows, "id,by,granted")
    runs.take()
    assert runs.feed.rows(
        "SELECT first_source_contact_id, core.has_consent(max(granted_at), max(withdrawn_at))"
        " FROM core.consent_record INNER JOIN core.contact USING (contact_id) GROUP BY 1 ORDER BY 1"
    ) == [("a", True), ("b", False), ("c", False), ("d", True)]


def test_a_yes_that_is_deleted_is_not_given_anew_by_an_earlier_no(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    """A source may keep each yes and no of somebody as a row."""
    columns = {**CONSENT["columns"], "withdrawn_at": "withdrawn"}
    said: dict[str, Any] = {**CONSENT, "columns": columns}
    runs = Days(Feed(warehouse, tmp_path, "crm", **said, deletes="snapshot"))
    past = [("a", "2024-01-01", "2024-02-01"), ("b", "2024-01-01", "2024-02-01")]
    past += [("c", "2024-01-01", ""), ("c", "", "2024-02-01"), ("d", "2024-01-01", "")]
    runs.write([*past, *((n, "2024-03-01", "") for n in "abcd")], "id,granted,withdrawn")
    runs.take()
    runs.write([*past, ("a", "2024-03-01", "")], "id,granted,withdrawn")
    runs.take()
    assert runs.feed.rows(
        "SELECT first_source_contact_id, core.has_consent(max(granted_at), max(withdrawn_at))"
        " FROM core.consent_record INNER JOIN core.contact USING (contact_id) GROUP BY 1 ORDER BY 1"
    ) == [("a", True), ("b", False), ("c", False), ("d", True)]


def test_a_no_that_is_deleted_is_a_no(warehouse: sa.Engine, tmp_path: Path) -> None:
    """A grant from before it, that comes late, grants nothing."""
    no = {"exclude": {"status": ["no"]}, "deletes": "snapshot"}
    runs = Days(Feed(warehouse, tmp_path, "crm", **CONSENT, **no))
    header = "id,granted,status"
    runs.write([("z", "2024-01-01", ""), ("a", "", "no")], header)
    runs.take()
    runs.write([("z", "2024-01-01", "")], header)
    runs.take()
    runs.write([("z", "2024-01-01", ""), ("a", "2024-02-01", "")], header)
    runs.take()
    assert runs.feed.rows(
        "SELECT first_source_contact_id, core.has_consent(max(granted_at), max(withdrawn_at))"
        " FROM core.consent_record INNER JOIN core.contact USING (contact_id) GROUP BY 1 ORDER BY 1"
    ) == [("a", False), ("z", True)]


# --- what it does --------------------------------------------------------------------------------


def test_a_card_that_is_deleted_says_nothing_any_more(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path, "crm", **CARD, deletes="snapshot")
    runs = Days(feed)
    cards = [("k1", "2125550123", "Ann", "", "", ""), ("k2", "2125550124", "Bea", "", "", "")]
    runs.write(cards, CARD_HEAD)
    runs.take()
    runs.write(cards[:1], CARD_HEAD)
    assert runs.take().rows_deleted == 1
    phones = "SELECT first_source_contact_id, phone_e164 FROM core.contact ORDER BY 1"
    assert feed.rows(phones) == [("k1", "+12125550123"), ("k2", None)]
    assert feed.rows(
        "SELECT source_contact_id, known_until - known_from FROM history.card_version"
        " WHERE known_until IS NOT NULL"
    ) == [("k2", 1)]
    runs.write(cards, CARD_HEAD)
    runs.take()
    assert feed.rows(phones) == [("k1", "+12125550123"), ("k2", "+12125550124")]


def test_a_product_that_is_deleted_keeps_its_name_and_cannot_be_had(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path, **PRODUCT, deletes="snapshot")
    runs = Days(feed)
    names = "SELECT source_product_id, name, is_available FROM core.product ORDER BY 1"
    rows = [(f"s{n:02}", f"Tea {n}", "yes") for n in range(30)]
    runs.write(rows, "sku,name,there")
    runs.take(POLICY)
    runs.write(rows[:1], "sku,name,there")
    assert runs.take(POLICY).rows_deleted == 29, "a list may shrink as it likes"
    assert feed.rows(names)[:2] == [("s00", "Tea 0", True), ("s01", "Tea 1", False)]
    runs.write(rows, "sku,name,there")
    runs.take(POLICY)
    assert feed.rows(names)[1] == ("s01", "Tea 1", True)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"deletes": "marked"}, "needs the mark of a deleted row in `exclude`"),
        ({"deletes": "gone"}, "snapshot"),
    ],
)
def test_a_wrong_word_says_what_is_wrong(tmp_path: Path, said: dict[str, Any], told: str) -> None:
    feed = Feed(None, tmp_path, **said)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=told):
        assert feed.source


def test_a_snapshot_is_read_whole(tmp_path: Path) -> None:
    table = Shop(None, tmp_path, None, "orders", deletes="snapshot")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="by_time and by_key read only what is new"):
        assert table.source


def test_a_warehouse_of_before_goes_on_and_has_counted_nothing(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]], tmp_path: Path
) -> None:
    with new_warehouse("0058") as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO raw.load (source, entity, as_of, status, started_at) VALUES"
                " ('shop', 'interaction', '2024-03-30', 'loaded', '2024-03-31Z')"
            )
            for key, on in (("1", "2024-03-01"), ("2", "2024-03-10"), ("3", "2024-03-29")):
                connection.execute(
                    sa.text(
                        "INSERT INTO raw.interaction (load_id, file_id, line, source, record_key,"
                        " record_hash, dated_on, status, record, contact_source, source_contact_id,"
                        " kind, occurred_at) VALUES (1, 1, 1, 'shop', :key, :hash,"
                        " CAST(:on AS date), 'loaded',"
                        " '{}', 'shop', 'a', 'purchase', CAST(:on AS date))"
                    ),
                    {"key": key, "hash": "x" * 40, "on": on},
                )
        db.migrate(engine)
        db.migrate(engine)
        feed = Feed(engine, tmp_path, deletes="snapshot")
        feed.write("a.csv", [("1", "a", "2024-03-01", 5), ("3", "a", "2024-03-29", 5)])
        load = feed.take()
        assert (load.rows_changed, load.rows_taken_back, load.rows_deleted) == (2, 1, 0)
        assert feed.rows("SELECT rows_changed, rows_deleted FROM raw.load ORDER BY load_id") == [
            (None, None),
            (2, 0),
        ]
        assert feed.rows(
            "SELECT record_key, status FROM raw.interaction WHERE status <> 'superseded' ORDER BY 1"
        ) == [("1", "loaded"), ("3", "loaded")]
