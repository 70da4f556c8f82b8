"""What a past day knew stays known: versions of orders and cards, merges, and policies' texts."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa
from test_core import CARD, CARD_HEAD
from test_sources import POLICY as SHIPPED
from test_sources import Feed, clock, correcting
from world import START, World, small_policy

from reengage import db
from reengage.maintenance.audits import tidy
from reengage.settings import INCLUDE

POLICY = correcting(SHIPPED)
MONDAY = date(2024, 3, 4)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
MERGES = "SELECT contact_id, merged_into, load_id FROM core.merge ORDER BY merge_id"


def test_each_version_of_an_order_is_known_from_its_load_until_the_next(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path, exclude={"state": ["cancelled"]})
    for as_of, total, state in (
        (MONDAY, "5", ""),
        (TUESDAY, "5", "cancelled"),
        (WEDNESDAY, "6", ""),
    ):
        feed.write("x.csv", [("1", "a", "2024-03-01", total, state)], "id,who,at,total,state")
        feed.take(as_of, POLICY)
    tidy(warehouse, clock, keep_days=0)
    assert feed.rows(
        "SELECT CAST(amount AS integer), is_fact, known_from, known_until"
        " FROM history.interaction_version ORDER BY known_from"
    ) == [(5, True, MONDAY, TUESDAY), (5, False, TUESDAY, WEDNESDAY), (6, True, WEDNESDAY, None)]


def test_each_version_of_a_card_is_known_without_the_person(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    columns = CARD["columns"] | {"lifecycle_class": "class", "email": "email"}
    crm = Feed(warehouse, tmp_path, "crm", **CARD | {"columns": columns})
    head = f"{CARD_HEAD},class,email"
    for as_of, phone, lifecycle in (
        (MONDAY, "2125550123", "gold"),
        (TUESDAY, "2125550124", "new"),
        (WEDNESDAY, "2125550124", "gold"),
    ):
        crm.write(
            "x.csv", [("k1", phone, "Ann", "2024-01-01", "", "", lifecycle, "a@b.example")], head
        )
        crm.take(as_of)
    tidy(warehouse, clock, keep_days=0)
    versions = crm.rows(
        "SELECT lifecycle_class, known_from, known_until, phone_hash"
        " FROM history.card_version ORDER BY known_from"
    )
    assert [version[:3] for version in versions] == [
        ("gold", MONDAY, TUESDAY),
        ("new", TUESDAY, WEDNESDAY),
        ("gold", WEDNESDAY, None),
    ]
    first, second, third = (version[3] for version in versions)
    assert first and second == third != first
    # Of the version that a load of the last day replaced, the person is still there.
    assert crm.rows(
        "SELECT phone, email, first_name, record <> '{}' FROM raw.contact ORDER BY load_id"
    ) == [
        (None, None, None, False),
        ("+12125550124", "a@b.example", "Ann", True),
        ("+12125550124", "a@b.example", "Ann", True),
    ]


def test_merges_and_partings_are_kept_in_their_order(warehouse: sa.Engine, tmp_path: Path) -> None:
    crm, app = (Feed(warehouse, tmp_path, name, **CARD) for name in ("crm", "app"))
    crm.write("a.csv", [("k1", "2125550123", "Ann", "", "", "s1")], CARD_HEAD)
    app.write("a.csv", [("p1", "", "", "", "", "")], CARD_HEAD)
    crm.take()
    app.take()
    assert crm.rows(MERGES) == []
    app.write("a.csv", [("p1", "", "", "", "", "s1")], CARD_HEAD)
    joined = app.take().load_id
    ((merged, kept, load_id),) = crm.rows(MERGES)
    assert load_id == joined
    assert crm.rows("SELECT contact_id, merged_into FROM core.contact ORDER BY merged_into") == [
        (merged, kept),
        (kept, None),
    ]
    # A second card of the same source holds the account: it joins nobody any more.
    crm.write("b.csv", [("k2", "2125550177", "Bea", "", "", "s1")], CARD_HEAD)
    parted = crm.take().load_id
    assert crm.rows(MERGES) == [(merged, kept, joined), (merged, None, parted)]


def test_what_each_version_of_the_policy_said_is_kept(warehouse: sa.Engine) -> None:
    text = (INCLUDE / "journey.yaml").read_text(encoding="utf-8")
    assert SHIPPED.text == text
    world = World(warehouse, small_policy(), is_new=True)
    days = [START + timedelta(days=number) for number in range(3)]
    for as_of, version in zip(days, ("one", "two", "one"), strict=True):
        world.policy = world.policy.model_copy(
            update={"version": version, "text": f"{version}: {text}"}
        )
        world.load(as_of)
        world.decide(as_of)
    with warehouse.connect() as connection:
        kept = connection.exec_driver_sql(
            "SELECT policy_version, first_as_of, text FROM cohort.policy ORDER BY first_as_of"
        ).all()
    assert [tuple(row) for row in kept] == [
        ("one", days[0], f"one: {text}"),
        ("two", days[1], f"two: {text}"),
    ]


def test_a_warehouse_of_before_keeps_who_is_merged_and_its_versions(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]],
) -> None:
    with new_warehouse("0048") as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO core.contact (contact_id, merged_into, first_source,"
                " first_source_contact_id, first_seen_on) VALUES"
                " (1, NULL, 'crm', 'a', '2024-01-01'), (2, 1, 'crm', 'b', '2024-01-01')"
            )
            connection.exec_driver_sql(
                "INSERT INTO raw.load (source, entity, as_of, status, started_at) VALUES"
                " ('shop', 'interaction', '2024-03-04', 'loaded', '2024-03-05Z'),"
                " ('shop', 'interaction', '2024-03-05', 'loaded', '2024-03-06Z')"
            )
            for load_id, status, by in ((1, "superseded", 2), (2, "loaded", None)):
                connection.execute(
                    sa.text(
                        "INSERT INTO raw.interaction (load_id, file_id, line, source, record_key,"
                        " record_hash, dated_on, status, superseded_by, record, contact_source,"
                        " source_contact_id, kind, occurred_at) VALUES (:load, :load, 1, 'shop',"
                        " '1', '', '2024-03-01', CAST(:status AS raw.row_status), :by, :record,"
                        " 'shop', 'a', 'purchase', '2024-03-01Z')"
                    ),
                    {"load": load_id, "status": status, "by": by, "record": json.dumps({"id": 1})},
                )
        db.migrate(engine)
        db.migrate(engine)
        with engine.connect() as connection:
            assert [tuple(row) for row in connection.exec_driver_sql(MERGES)] == [(2, 1, None)]
            versions = connection.exec_driver_sql(
                "SELECT is_fact, known_from, known_until FROM history.interaction_version"
                " ORDER BY known_from"
            ).all()
        # What the first was until it was replaced, nobody kept.
        assert [tuple(row) for row in versions] == [
            (None, date(2024, 3, 4), date(2024, 3, 5)),
            (True, date(2024, 3, 5), None),
        ]
