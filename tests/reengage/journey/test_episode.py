"""Episodes: who may write them, where they stand on the ladder, and what brings somebody back.

Random histories are held against the model in test_cohort.py; here are the cases by name.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from world import START, Load, World, small_policy

from reengage import db
from reengage.settings import SQL

LONG_AGO = START - timedelta(days=3)
AFTER = START + timedelta(days=1)
LATER = AFTER + timedelta(days=1)

# Who writes episodes, but for episode/ itself: a merge ends the evaluation of the merged contact's,
# and maintenance mends what the audit finds.
OTHER_WRITERS = {"core/merge_contacts", "maintenance/mend_episodes"}


def statements() -> dict[str, str]:
    """The SQL of each name, without comments; the benchmarks' own is none of the product's."""
    return {
        name: " ".join(db.split((SQL / f"{name}.sql").read_text(encoding="utf-8")))
        for name in db.names()
        if not name.startswith("bench/")
    }


def test_nobody_else_writes_episodes() -> None:
    writes = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|MERGE INTO)\s+cohort\.episode\b")
    writers = {name for name, text in statements().items() if writes.search(text)}
    assert {name for name in writers if not name.startswith("episode/")} == OTHER_WRITERS
    assert "episode/close" in writers


@pytest.fixture
def world(warehouse: sa.Engine) -> World:
    """Two contacts, quiet for three days on START, to whom the survey is due."""
    world = World(warehouse, small_policy(ladder=(3, 40, 41), close_after_days=40), is_new=True)

    def fill(load: Load) -> None:
        for who in (1, 2):
            load.contact(who, who)
            load.consent(who, world.at(LONG_AGO, -100))
            load.interaction(who, LONG_AGO)

    world.load(START, fill)
    world.decide(START)
    return world


def status_of(world: World, contact_id: int) -> str:
    found = world.sql("SELECT status FROM core.contact WHERE contact_id = :id", id=contact_id)
    return str(found[0].status)


def inactivity(world: World) -> list[tuple[int, bool]]:
    """Whose there is, and whether it stands."""
    rows = world.sql(
        "SELECT contact_id, lifted_at IS NULL AS stands FROM core.suppression"
        " WHERE reason = 'inactivity' ORDER BY contact_id, channel DESC"
    )
    return [(row.contact_id, row.stands) for row in rows]


def day(world: World, as_of: date, fill: Callable[[Load], Any] = lambda load: None) -> None:
    world.load(as_of, fill)
    world.decide(as_of)
    world.write(as_of)


def merge(world: World, contact_id: int, into: int) -> None:
    with world.engine.begin() as connection:
        db.run(
            connection, "core/merge_contacts", merged_ids=[contact_id], kept_ids=[into], load_id=1
        )


def give_up(world: World, contact_id: int) -> None:
    """Their text arrives, nobody clicks, and the ladder is at its end."""
    world.fate((contact_id, LONG_AGO, "survey"), "delivered", world.at(START, 11))
    world.policy = world.policy.model_copy(update={"close_after_days": 1})
    world.sql(
        "UPDATE cohort.episode SET next_due_on = NULL, next_step = NULL WHERE contact_id = :id",
        id=contact_id,
    )
    day(world, AFTER)
    assert inactivity(world) == [(contact_id, True)]


@pytest.mark.parametrize("who", ["human", "machine"])
def test_a_click_on_a_text_to_a_card_that_was_merged_into_them_brings_them_back(
    world: World, who: str
) -> None:
    give_up(world, 1)
    merge(world, 2, into=1)
    world.hit((2, LONG_AGO, "survey"), world.at(AFTER, 23), who)
    day(world, LATER)
    is_back = who == "human"
    assert inactivity(world) == [(1, not is_back)]
    assert status_of(world, 1) == ("active" if is_back else "unsubscribed")


@pytest.mark.parametrize(("days_before", "is_back"), [(0, False), (-1, True)])
def test_a_signal_brings_back_who_was_resting_before_the_journey_knew_them(
    world: World, days_before: int, is_back: bool
) -> None:
    world.sql(
        "INSERT INTO core.suppression (contact_id, channel, reason, source, since)"
        " VALUES (1, 'sms', 'inactivity', 'import', :at)",
        at=world.at(START, 12),
    )
    world.sql("UPDATE core.contact SET status = 'unsubscribed' WHERE contact_id = 1")
    since = world.at(START, 12).astimezone(world.policy.brand.zone).date()
    on = since - timedelta(days=days_before)
    day(world, LATER, lambda load: load.interaction(1, on))
    assert inactivity(world) == [(1, not is_back)]
    assert status_of(world, 1) == ("active" if is_back else "unsubscribed")


def test_who_is_given_up_twice_is_brought_back_by_what_came_after_each(world: World) -> None:
    give_up(world, 1)
    world.hit((1, LONG_AGO, "survey"), world.at(AFTER, 23))
    world.sql(
        "INSERT INTO core.suppression (contact_id, channel, reason, source, since)"
        " VALUES (1, 'email', 'inactivity', 'import', :at)",
        at=world.at(LATER, 9),
    )
    day(world, LATER)
    assert inactivity(world) == [(1, False), (1, True)]
    assert status_of(world, 1) == "unsubscribed"


def test_a_new_ladder_is_not_climbed_by_a_contact_who_turned_out_to_be_another(
    world: World,
) -> None:
    merge(world, 2, into=1)
    world.policy = small_policy(ladder=(3, 4, 5), close_after_days=40)
    day(world, AFTER)
    rows = world.sql("SELECT contact_id, next_due_on FROM cohort.episode ORDER BY contact_id")
    assert [(row.contact_id, row.next_due_on is None) for row in rows] == [(1, False), (2, True)]


# --- whom a suppression holds ---------------------------------------------------------------------

SAID = {
    (1, "sms", "opted_out"): "person",
    (1, "sms", "complaint"): "person",
    (1, "sms", "inactivity"): "person",
    (1, "sms", "erased"): "person",
    (1, "sms", "paused"): "person",
    (1, "sms", "hard_bounce"): "number",
    (1, "sms", "number_reassigned"): "number",
    (0, "sms", "opted_out"): "number",
    (0, "sms", "hard_bounce"): "number",
    (1, "email", "hard_bounce"): "address",
}


def test_suppressions_from_before_say_whom_they_hold(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]],
) -> None:
    with new_warehouse("0034") as engine:
        with engine.begin() as connection:
            for contact_id, channel, reason in SAID:
                connection.execute(
                    sa.text(
                        "INSERT INTO core.suppression"
                        " (contact_id, phone_hash, channel, reason, source, since) VALUES (:id,"
                        " 'n', :channel, CAST(:reason AS core.suppression_reason), 'x', :at)"
                    ),
                    {"id": contact_id, "channel": channel, "reason": reason, "at": "2026-01-01"},
                )
        db.migrate(engine)
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT contact_id, channel, CAST(reason AS text) AS reason,"
                " CAST(scope AS text) AS scope FROM core.suppression"
            ).all()
    assert {(row.contact_id, row.channel, row.reason): row.scope for row in rows} == SAID


def test_a_merge_takes_along_what_holds_the_person_and_nothing_else(world: World) -> None:
    for reason in ("opted_out", "paused", "hard_bounce", "number_reassigned", "inactivity"):
        world.sql(
            "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)"
            " VALUES (2, 'n', 'sms', CAST(:reason AS core.suppression_reason), 'x', :at)",
            reason=reason,
            at=world.at(START, 12),
        )
    merge(world, 2, into=1)
    rows = world.sql("SELECT CAST(reason AS text) FROM core.suppression WHERE contact_id = 1")
    assert sorted(row[0] for row in rows) == ["opted_out", "paused"]
