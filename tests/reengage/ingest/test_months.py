"""core.interaction by month: its partitions, what moves between them, and how it came to be so."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa
from test_core import DIFFERENCES, TWICE
from test_sources import POLICY as SHIPPED
from test_sources import Feed, clock, correcting

from reengage import db
from reengage.maintenance.audits import AuditFailed, audit, tidy

POLICY = correcting(SHIPPED)

MONTHS = (
    "SELECT tableoid::regclass::text, count(*) FROM core.interaction GROUP BY tableoid ORDER BY 1"
)
STANDING = (
    "SELECT source_event_id, occurred_on::text, kind::text FROM core.interaction ORDER BY 1, 2"
)


def test_a_load_makes_the_months_that_it_holds(warehouse: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(warehouse, tmp_path)
    feed.write(
        "a.csv",
        [
            (1, "a", "1969-12-31", 5),
            (2, "a", "1989-12-31", 5),
            (3, "a", "1990-01-01", 5),
            (4, "b", "1997-08-31", 5),
            (5, "b", "2024-02-29", 5),
            (6, "b", "2024-03-01", 5),
            (7, "c", "2024-03-31", 5),
        ],
    )
    feed.take()
    assert feed.rows(MONTHS) == [
        ("core.interaction_1990_01", 1),
        ("core.interaction_1997_08", 1),
        ("core.interaction_2024_02", 1),
        ("core.interaction_2024_03", 2),
        ("core.interaction_before_1990", 2),
    ]
    feed.write("b.csv", [(8, "c", "2024-03-30", 5), (9, "c", "1997-08-01", 5)])
    feed.take()
    assert sum(rows for _, rows in feed.rows(MONTHS)) == 9
    assert feed.rows(DIFFERENCES) == []


def test_an_event_stands_once_whatever_its_source_says_of_its_day(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path, exclude={"state": ["cancelled"]})
    head = "id,who,at,total,state"
    for said, stands in (
        # Another day, in the month and in others; another contact; both at once.
        (("a", "2024-01-10", ""), [("1", "2024-01-10", "purchase")]),
        (("a", "2024-01-11", ""), [("1", "2024-01-11", "purchase")]),
        (("a", "2023-11-30", ""), [("1", "2023-11-30", "purchase")]),
        (("b", "2023-11-30", ""), [("1", "2023-11-30", "purchase")]),
        (("a", "2024-03-01", ""), [("1", "2024-03-01", "purchase")]),
        # No order any more, one again, and of a day that has not come.
        (("a", "2024-03-01", "cancelled"), []),
        (("a", "2024-02-01", ""), [("1", "2024-02-01", "purchase")]),
        (("a", "2024-04-09", ""), []),
        (("a", "2024-02-02", ""), [("1", "2024-02-02", "purchase")]),
    ):
        who, at, state = said
        feed.write("x.csv", [("1", who, at, "5", state)], head)
        feed.take(policy=POLICY)
        assert feed.rows(STANDING) == stands, said
        assert feed.rows(DIFFERENCES) == []
        # What was said before is forgotten, and what stands is known all the same.
        tidy(warehouse, clock, keep_days=0)


def test_a_refund_under_its_order_is_found_in_the_month_of_the_order(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path)
    for at, total, stands in (
        ("2024-01-10", "50", [("1", "2024-01-10", "purchase")]),
        ("2024-03-02", "-20", [("1", "2024-01-10", "purchase")]),  # 30 are left of it
        ("2024-03-05", "-50", []),
        ("2024-03-06", "40", [("1", "2024-03-06", "purchase")]),
    ):
        feed.write("x.csv", [("1", "a", at, total)])
        feed.take(policy=POLICY)
        assert feed.rows(STANDING) == stands, (at, total)
        assert feed.rows(TWICE) == []
        assert feed.rows(DIFFERENCES) == []


def test_the_audit_finds_an_event_that_stands_twice_and_mends_it(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path)
    feed.write("a.csv", [(1, "a", "2024-01-10", 5), (2, "b", "2024-01-10", 5)])
    feed.take()
    with warehouse.begin() as connection:
        connection.exec_driver_sql("SELECT core.add_month('2023-05-01')")
        connection.exec_driver_sql(
            "INSERT INTO core.interaction SELECT contact_id, source, source_event_id, kind,"
            " '2023-05-05Z', '2023-05-05', amount, currency, product_id, coupon_code, loaded_at,"
            " load_id - 1 FROM core.interaction WHERE source_event_id = '1'"
        )
    with pytest.raises(AuditFailed, match=r"core.interaction source_event_id: 1 \(contact \d+\)"):
        audit(warehouse, SHIPPED, clock)
    assert audit(warehouse, SHIPPED, clock, is_repairing=True).is_repaired
    assert feed.rows(STANDING) == [("1", "2024-01-10", "purchase"), ("2", "2024-01-10", "purchase")]
    assert not audit(warehouse, SHIPPED, clock).differing


def test_a_warehouse_of_before_is_parted_by_month(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]],
) -> None:
    kept = "SELECT to_jsonb(interaction) FROM core.interaction ORDER BY contact_id, source_event_id"
    with new_warehouse("0039") as engine:
        with engine.begin() as connection:
            # Some pages of it, and a hole where rows were deleted.
            connection.exec_driver_sql(
                "INSERT INTO core.interaction (contact_id, source, source_event_id, kind,"
                " occurred_at, occurred_on, amount, currency, coupon_code, loaded_at, load_id,"
                " is_settled)"
                " SELECT mod(n, 500), 'shop', 'e' || n, 'purchase', day, day, n, 'USD',"
                " CASE WHEN mod(n, 9) = 0 THEN 'CODE ' || n END, day, 1,"
                " CASE WHEN mod(n, 7) = 0 THEN FALSE END FROM generate_series(1, 5000) AS n"
                " CROSS JOIN LATERAL (SELECT date '1985-03-05' + n * 3 AS day) AS its"
            )
            connection.exec_driver_sql(
                "DELETE FROM core.interaction WHERE load_id = 1 AND amount < 40"
            )
            connection.exec_driver_sql(
                "GRANT SELECT, INSERT ON core.interaction TO PUBLIC;"
                " GRANT UPDATE (amount) ON core.interaction TO PUBLIC"
            )
            before = connection.exec_driver_sql(kept).scalars().all()
        db.migrate(engine)
        db.migrate(engine)
        with engine.begin() as connection:
            assert connection.exec_driver_sql(kept).scalars().all() == before
            months = connection.exec_driver_sql(MONTHS).all()
            assert len(months) == 1 + len(
                {row["occurred_on"][:7] for row in before if row["occurred_on"] >= "1990"}
            )
            rights = connection.exec_driver_sql(
                "SELECT has_table_privilege(who, what, 'INSERT'),"
                " has_table_privilege(who, what, 'DELETE'),"
                " has_column_privilege(who, what, 'amount', 'UPDATE'),"
                " has_column_privilege(who, what, 'kind', 'UPDATE')"
                " FROM (SELECT name 'public' AS who, 'core.interaction' AS what) AS its"
            ).one()
            assert tuple(rights) == (True, False, True, False)
            story = connection.exec_driver_sql(
                "SELECT count(*) FROM cohort.contact_story WHERE contact_id = 77"
            ).scalar_one()
            assert story == sum(row["contact_id"] == 77 for row in before)
            gone = "SELECT to_regclass('core.interaction_of_all_months')"
            assert connection.exec_driver_sql(gone).scalar_one() is None
