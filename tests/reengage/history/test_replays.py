"""Replays, held against a naive recount of every day, and against the journey itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from world import START, Load, World, small_policy

from depth import examples
from reengage import db
from reengage.errors import ConfigurationError
from reengage.history import replays
from reengage.policy import Behaviour, Rhythm, Thresholds

KINDS = ("purchase", "visit", "email_open")
# A contact: the day it was created (or none), and what it did, by day of the history.
people = st.lists(
    st.tuples(
        st.none() | st.integers(0, 20),
        st.lists(st.tuples(st.integers(0, 40), st.sampled_from(KINDS)), max_size=5),
    ),
    min_size=1,
    max_size=6,
)
LAST = 40


def day(number: int) -> date:
    return START + timedelta(days=number)


def replayed(world: World) -> dict[tuple[date, str], tuple[int, int]]:
    rows = world.sql("SELECT as_of, step, entered, dormant FROM history.cohort_day")
    return {(r.as_of, r.step): (r.entered, r.dormant) for r in rows}


@settings(max_examples=examples(6), derandomize=True)
@given(people=people, first=st.integers(0, LAST), length=st.integers(0, LAST))
def test_a_replay_is_a_recount_of_every_day(
    warehouse: sa.Engine,
    people: list[tuple[int | None, list[tuple[int, str]]]],
    first: int,
    length: int,
) -> None:
    world = World(warehouse, small_policy())

    def fill(load: Load) -> None:
        for contact_id, (born, deeds) in enumerate(people, start=1):
            load.contact(contact_id, None, None if born is None else day(born))
            for number, kind in deeds:
                load.interaction(contact_id, day(number), kind)

    world.load(day(LAST), fill)
    last = min(first + length, LAST)
    replayed_days = replays.replay(warehouse, world.policy, day(first), day(last)).days
    assert replayed_days == last - first + 1

    ladder = world.model.days
    seen = {c: (world.model.visible_on(c), world.model.signals(c)) for c in world.contacts}

    def inactive(contact_id: int, on: date) -> int | None:
        visible, signals = seen[contact_id]
        if visible > on:
            return None
        return (on - max([s for s in signals if s <= on], default=visible)).days

    def step(contact_id: int, on: date) -> str | None:
        days = inactive(contact_id, on)
        reached = [name for name in ladder if days is not None and ladder[name] <= days]
        return max(reached, key=ladder.__getitem__, default=None)

    assert replayed(world) == {
        (day(n), name): (
            sum(inactive(c, day(n)) == days for c in seen),
            sum(step(c, day(n)) == name for c in seen),
        )
        for n in range(first, last + 1)
        for name, days in ladder.items()
    }
    if last > first:
        expected = {}
        for days in ladder.values():
            for within in replays.WITHIN_DAYS:
                reached = [
                    (c, day(n))
                    for c in seen
                    for n in range(first, last + 1)
                    if inactive(c, day(n)) == days and n + within <= LAST
                ]
                back = sum(
                    any(on < s <= on + timedelta(days=within) for s in seen[c][1])
                    for c, on in reached
                )
                expected[days, within] = (len(reached), back)
        rows = world.sql(
            "SELECT inactive_days, within_days, at_risk, returned FROM history.return_curve"
        )
        assert {(r[0], r[1]): (r[2], r[3]) for r in rows} == expected


def test_a_replay_finds_what_the_journey_found(warehouse: sa.Engine) -> None:
    """Each step is entered on the day on which the journey decides it, whatever it decides."""
    world = World(warehouse, small_policy(close_after_days=5, control_share=0.3), is_new=True)

    def begin(load: Load) -> None:
        for contact_id in range(1, 41):
            phone = contact_id if contact_id % 5 else None
            load.contact(contact_id, phone, load.as_of - timedelta(days=contact_id % 4))
            for gap in range(contact_id % 7):
                load.interaction(contact_id, load.as_of - timedelta(days=gap * contact_id % 11))

    def some_buy(load: Load) -> None:
        for contact_id in range(1, 41):
            if (contact_id * 7 + load.as_of.toordinal()) % 13 == 0:
                load.interaction(contact_id, load.as_of)

    for number in range(15):
        world.load(day(number), some_buy if number else begin)
        world.decide(day(number))
        world.check_decisions(day(number))
    replays.replay(warehouse, world.policy, day(0), day(14))
    ladder = world.model.days
    found = replayed(world)
    for number in range(1, 15):  # on the first day, who is long past a threshold is made up for
        for name, days in ladder.items():
            rows = world.sql(
                "SELECT count(*) FROM cohort.decision"
                " WHERE as_of = :d AND step = :step AND inactive_days = :days",
                d=day(number),
                step=name,
                days=days,
            )
            assert found[day(number), name][0] == rows[0][0], (number, name)
    assert sum(entered for entered, _ in found.values()) > 40


def test_days_that_are_not_loaded_cannot_be_replayed(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(), is_new=True)
    with pytest.raises(ConfigurationError, match="no day at all"):
        replays.replay(warehouse, world.policy, day(0), day(1))
    world.load(day(3))
    with pytest.raises(ConfigurationError, match=f"goes through {day(3)}.*AS_OF={day(4)}"):
        replays.replay(warehouse, world.policy, day(0), day(4))
    with pytest.raises(ConfigurationError, match="is after its last day"):
        replays.replay(warehouse, world.policy, day(2), day(1))


def test_days_that_were_replayed_before_texts_were_counted_stay(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]],
) -> None:
    with new_warehouse("0052") as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO history.cohort_day (scenario, as_of, step, entered, dormant)"
                " VALUES ('default', '1998-01-01', 'survey', 3, 5)"
            )
        db.migrate(engine)
        with engine.connect() as connection:
            days = connection.execute(
                sa.text("SELECT entered, dormant, due, would_send, cost FROM history.cohort_day")
            )
            assert list(map(tuple, days)) == [(3, 5, None, None, None)]
            (known,) = db.run(connection, "history/scenarios").all()
            assert not known.is_counted and not known.has_audience


def test_a_scenario_is_called_by_its_policy_unless_it_is_named() -> None:
    file = Path("somewhere/slow.yaml")
    assert replays.scenario_of(None, None, None) == "default"
    assert replays.scenario_of(None, "45/75/120", None) == "45-75-120"
    assert replays.scenario_of(file, None, None) == "slow"
    assert replays.scenario_of(file, "45/75/120", None) == "slow-45-75-120"
    assert replays.scenario_of(file, "45/75/120", "late") == "late"
    assert replays.scenario_of(None, None, None, is_known=True) == "known"
    with pytest.raises(ConfigurationError, match="installation's own policy"):
        replays.scenario_of(None, "45/75/120", "default")
    with pytest.raises(ConfigurationError, match="no comma"):
        replays.scenario_of(file, None, "a,b")


def test_a_policy_is_tried_with_other_days() -> None:
    policy = small_policy()
    late = replays.with_days(policy, "4/7/12")
    assert [step.after_days for step in late.steps] == [4, 7, 12]
    assert late.version != policy.version and late.ladder != policy.ladder
    for wrong in ("4,7,12", "4/7", "4/4/7", "12/7/4", "0/1/2", "4/7/x"):
        with pytest.raises(ConfigurationError, match=r"Write the days like|has 3 steps"):
            replays.with_days(policy, wrong)
    clocks = (Behaviour(name="bought", signals=("purchase",), days=(4, 6, 9)),)
    of_clocks = small_policy(thresholds=Thresholds(behaviours=clocks))
    with pytest.raises(ConfigurationError, match="those of its clocks"):
        replays.with_days(of_clocks, "4/7/12")


def test_a_scenario_begins_before_the_longest_ladder_of_anybody() -> None:
    first = date(1998, 6, 1)

    def days_before(**changes: object) -> int:
        return (first - replays.begins_on(small_policy(**changes), first)).days

    assert days_before() == 9 + 8
    assert days_before(repeat_after_days=20) == 9 + 20
    assert days_before(thresholds=Thresholds(lifecycle={"cars": 3, "food": 0.5})) == 27 + 8
    assert days_before(thresholds=Thresholds(lifecycle={"food": 0.5})) == 9 + 8
    rhythm = Rhythm(quantile=0.5, purchases=3, at_least_days=1, at_most_days=6)
    assert days_before(thresholds=Thresholds(rhythm=rhythm)) == 18 + 8
    clocks = (
        Behaviour(name="bought", signals=("purchase",), days=(4, 6, 19)),
        Behaviour(name="came", signals=("visit",), days=(3, 5, 8)),
    )
    assert days_before(thresholds=Thresholds(behaviours=clocks)) == 19 + 8
