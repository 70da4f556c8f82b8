"""Days that were lived and days that are replayed: the same decisions, contact by contact."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from world import LINKS, START, Load, World, assert_same, small_policy

from depth import examples
from reengage import db
from reengage.errors import ConfigurationError
from reengage.history import past, replays
from reengage.journey import cohort
from reengage.policy import Behaviour, ConsentClock, Policy, Rhythm, Thresholds, WarmUp

DAYS = 16
LONG_AGO = datetime(1997, 6, 1, tzinfo=UTC)
CLASSES = (None, None, "cars", "food")


def day(number: int) -> date:
    return START + timedelta(days=number)


def some_policy(chance: Random) -> Policy:
    """Any policy of the kinds that there are."""
    shape = chance.choice(("plain", "classes", "rhythm", "clocks", "monthly"))
    thresholds: dict[str, Thresholds] = {
        "plain": Thresholds(),
        "classes": Thresholds(lifecycle={"cars": 1.5, "food": 0.5}),
        "rhythm": Thresholds(
            rhythm=Rhythm(quantile=0.5, purchases=3, at_least_days=1, at_most_days=5)
        ),
        "clocks": Thresholds(
            behaviours=(
                Behaviour(name="bought", signals=("purchase",), days=(4, 6, 9)),
                Behaviour(name="came", signals=("visit",), days=(3, 5, 8)),
            )
        ),
        "monthly": Thresholds(frequency="half", frequencies={"half": 0.5}),
    }
    return small_policy(
        thresholds=thresholds[shape],
        entry=chance.choice(("by_days", "in_order")),
        control_share=chance.choice((0, 0.3)),
        gap_days=chance.choice((0, 2, 4)),
        repeat_after_days=chance.choice((1, 5, 12)),
        close_after_days=chance.choice((1, 3)),
        per_day=chance.choice((None, None, 2)),
        order=chance.choice(("recent", "waiting", "shared")),
        warm_up=chance.choice((None, None, WarmUp(first_day=1, growth=1.5, days=4))),
        expires_after_days=chance.choice((None, 200)),
        clocks=chance.choice(((), (ConsentClock(country="KR", after_days=216),))),
    )


def lived(world: World, chance: Random, *, is_late: bool = False) -> Iterator[date]:
    """Days on which people come, buy, agree, withdraw, stop and start again. Their texts arrive
    nowhere for certain, and nobody answers one. is_late: some of it is loaded days afterwards.
    """

    def days_late() -> int:
        return chance.choice((0, 0, 1, 5)) if is_late else 0

    people = chance.randint(3, 12)
    late = {c for c in range(1, people + 1) if chance.random() < 0.3}

    def come(load: Load, contact_id: int) -> None:
        load.contact(
            contact_id,
            chance.choice((None, contact_id, contact_id, contact_id % 3, contact_id % 5)),
            chance.choice((None, load.as_of, load.as_of - timedelta(days=2))),
            country=chance.choice(("US", "KR")),
            lifecycle_class=chance.choice(CLASSES),
            is_landline=chance.random() < 0.1,
        )

    def begin(load: Load) -> None:
        for contact_id in range(1, people + 1):
            if contact_id in late:
                continue
            come(load, contact_id)
            for _ in range(chance.randint(0, 3)):
                on = load.as_of - timedelta(days=chance.randint(0, 12))
                load.interaction(contact_id, on, chance.choice(KINDS))
            if chance.random() < 0.8:
                load.consent(contact_id, LONG_AGO, basis="asked")

    def go_on(load: Load) -> None:
        for contact_id in sorted(late):
            if chance.random() < 0.2:
                late.remove(contact_id)
                come(load, contact_id)
        for contact_id in sorted(world.contacts):
            noon = world.at(load.as_of, -12) - timedelta(days=days_late())
            if chance.random() < 0.15:
                on = load.as_of - timedelta(days=days_late())
                load.interaction(contact_id, on, chance.choice(KINDS))
            if chance.random() < 0.1:
                load.consent(contact_id, noon)
            elif chance.random() < 0.05:
                load.consent(contact_id, None, noon)

    for number in range(DAYS):
        as_of = day(number)
        world.load(as_of, go_on if number else begin)
        for contact_id in world.contacts:
            if chance.random() < 0.04:
                world.stop(contact_id, world.at(as_of, -2))
        world.decide(as_of)
        for key, message in world.model.messages.items():
            if message.as_of == as_of:
                world.fate(key, "accepted", world.at(as_of, 11))
        world.write(as_of)
        for contact_id in world.contacts:
            if chance.random() < 0.1:
                world.start_again(contact_id, world.at(as_of, 23))
        yield as_of


KINDS = ("purchase", "visit", "email_open")


def decided(world: World, table: str, last: date) -> set[tuple[Any, ...]]:
    rows = world.sql(
        f"SELECT contact_id, as_of, step, CAST(reason AS text) FROM {table} WHERE as_of <= :last",
        last=last,
    )
    return {tuple(row) for row in rows}


@settings(max_examples=examples(6), derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(seed=st.integers(0, 10**9), is_late=st.booleans())
def test_a_replay_decides_what_was_decided(warehouse: sa.Engine, seed: int, is_late: bool) -> None:
    """All of it, as no text of these days was opened, answered or known to have arrived: by the
    journey itself, and by the plain model of its rules. Where some of it came late, by what was
    known; else by the dates as well.
    """
    chance = Random(seed)
    world = World(warehouse, some_policy(chance))
    as_of = max(lived(world, chance, is_late=is_late))
    world.check_decisions()
    replays.replay(
        warehouse,
        world.policy,
        day(0),
        as_of,
        scenario="lived",
        begin=day(0),
        is_known=is_late,
        with_audience=True,
    )
    found = decided(world, "history.audience", as_of)
    assert_same(found, decided(world, "cohort.decision", as_of))
    for row in world.sql("SELECT as_of, step, due, would_send FROM history.cohort_day"):
        of_day = [one for one in found if one[1:3] == (row.as_of, row.step)]
        assert row.due == len(of_day)
        assert row.would_send == sum(reason == "due" for *_, reason in of_day)


def contents(engine: sa.Engine) -> dict[str, str]:
    """Every row of every table but history's, in one word a table, and where sequences stand."""
    with engine.connect() as connection:
        tables = connection.execute(
            sa.text(
                "SELECT schemaname || '.' || relname FROM pg_stat_user_tables"
                " WHERE schemaname NOT IN ('history') AND schemaname NOT LIKE 'pg_temp%'"
            )
        ).scalars()
        found = {
            table: str(
                connection.exec_driver_sql(
                    "SELECT md5(string_agg(CAST(one.* AS text) || one.ctid || one.xmin, ' '"
                    f" ORDER BY one.ctid)) FROM {table} AS one"
                ).scalar_one()
            )
            for table in tables
        }
        sequences = connection.execute(
            sa.text("SELECT schemaname || '.' || sequencename, last_value FROM pg_sequences")
        )
        return found | {name: str(value) for name, value in sequences}


def test_a_replay_changes_nothing_but_its_own_days(warehouse: sa.Engine) -> None:
    """Row by row as they lie on disk, whatever the journey stands at; and of history the days of
    the scenario that are replayed, and no others.
    """
    chance = Random(7)
    world = World(warehouse, small_policy(control_share=0.2))
    assert max(lived(world, chance)) == day(DAYS - 1)

    def history() -> dict[str, list[Any]]:
        return {
            table: sorted(map(tuple, world.sql(f"SELECT * FROM history.{table}")), key=str)
            for table in ("cohort_day", "cohort_reason", "audience")
        }

    def replay(first: int, last: int, scenario: str, policy: Policy = world.policy) -> None:
        replays.replay(
            warehouse, policy, day(first), day(last), scenario=scenario, with_audience=True
        )

    before = contents(warehouse)
    replay(4, DAYS - 1, "one")
    replay(4, DAYS - 1, "other")
    assert contents(warehouse) == before and len(before) > 40
    known = history()
    assert all(known.values())
    replay(4, DAYS - 1, "one")
    assert history() == known
    slower = small_policy(ladder=(5, 8, 12))
    replay(9, 11, "one", slower)
    changed = history()
    slice_ = {day(number) for number in range(9, 12)}
    for table, rows in known.items():

        def is_elsewhere(row: tuple[Any, ...]) -> bool:
            return "other" in row or not slice_ & set(row)

        assert list(filter(is_elsewhere, rows)) == list(filter(is_elsewhere, changed[table]))
        assert rows != changed[table]
    replay(9, 11, "one")
    assert history()["cohort_day"] == known["cohort_day"]


def test_a_session_of_the_past_writes_to_no_table_of_the_warehouse(warehouse: sa.Engine) -> None:
    with past.past(warehouse, small_policy(), day(0), day(3)) as session:
        connection = session.connection
        with db.stand_in(connection, session.stand_ins):
            with pytest.raises(ConfigurationError, match=r"would write to core\.derived_from"):
                db.run(connection, "core/note_derived", name="ladder", value="another")
            assert db.run(connection, "cohort/watermark").one().last_load_id == 0
        connection.rollback()
        with connection.begin() as transaction:
            db.run(connection, "core/note_derived", name="ladder", value="another")
            transaction.rollback()


def test_an_order_is_one_until_it_is_taken_back(warehouse: sa.Engine) -> None:
    """As it was lived: two orders alike of one day, one of them given back three days later."""
    world = World(warehouse, small_policy(gap_days=0))

    def buy(load: Load, on: date, amount: int) -> None:
        event = load.interaction(1, on, "purchase" if amount > 0 else "refund")
        load.connection.execute(
            sa.text("UPDATE core.interaction SET amount = :amount WHERE source_event_id = :event"),
            {"amount": amount, "event": event},
        )

    deeds = {0: [7], 5: [9, 9], 6: [9], 8: [-9, -9], 11: [-9], 14: [5, -5]}
    for number in range(DAYS):
        as_of = day(number)

        def fill(load: Load, number: int = number) -> None:
            if not number:
                load.contact(1, 1, day(0))  # who has not agreed: no text changes what comes
            for amount in deeds.get(number, []):
                buy(load, load.as_of, amount)
            db.run(load.connection, "core/begin_corrected", contact_ids=[1])
            db.run(load.connection, "core/match_refunds")

        world.load(as_of, fill)
        world.clock.move_to(world.at(as_of, 10))
        cohort.decide(warehouse, world.policy, as_of, world.clock, LINKS)
    with warehouse.connect() as connection:
        taken_back = connection.execute(
            sa.text(
                "SELECT occurred_on, taken_back_on FROM core.settlement WHERE taken_back_on"
                " IS NOT NULL ORDER BY 2, 1"
            )
        )
        assert list(map(tuple, taken_back)) == [
            (day(5), day(8)),
            (day(6), day(8)),
            (day(5), day(11)),
            (day(14), day(14)),
        ]
    replays.replay(
        warehouse, world.policy, day(0), as_of, scenario="lived", begin=day(0), with_audience=True
    )

    def when(table: str) -> list[tuple[Any, ...]]:
        return sorted((row[1], row[2]) for row in decided(world, table, as_of))

    assert when("history.audience") == when("cohort.decision")
    assert (day(8), "survey") in when("cohort.decision")
