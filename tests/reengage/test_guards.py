"""What must never be texted, each refused where it would happen, and with its reason."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from world import LINKS, START, Load, World, small_policy

from reengage.errors import DayStopped, SendRefused
from reengage.journey import cohort, gates, release
from reengage.policy import Policy

DAY = START + timedelta(days=40)
LONG_AGO = datetime(1997, 1, 1, tzinfo=UTC)
MOST = small_policy().sending.max_age_days


def a_day(engine: sa.Engine, policy: Policy | None = None) -> World:
    """A world in which three contacts are due, and DAY is decided."""
    world = World(engine, policy or small_policy(), is_new=True)

    def fill(load: Load) -> None:
        for contact_id in (1, 2, 3):
            load.contact(contact_id, contact_id)
            load.consent(contact_id, LONG_AGO)
            load.interaction(contact_id, DAY - timedelta(days=3))

    world.load(DAY, fill)
    assert decide(world, DAY).sends() == {"survey": 3}
    return world


def decide(world: World, as_of: date) -> cohort.DayCounts:
    world.clock.move_to(world.at(as_of, 10))
    return cohort.decide(world.engine, world.policy, as_of, world.clock, LINKS)


def pass_gates(world: World) -> gates.Passage:
    return gates.pass_or_stop(world.engine, world.policy, DAY, world.clock)


def released(world: World) -> int:
    return release.release(world.engine, world.policy, DAY, "survey", world.clock())


def statuses(world: World) -> dict[str, int]:
    rows = world.sql("SELECT CAST(status AS text), count(*) FROM outbox.message GROUP BY 1")
    return dict(map(tuple, rows))


def is_due_again(world: World) -> bool:
    """Whether the next day takes the drafts back and writes to the same three."""
    later = DAY + timedelta(days=MOST + 1)
    world.load(later)
    sends = decide(world, later).sends()
    assert {
        r.reason
        for r in world.sql("SELECT reason FROM cohort.decision WHERE as_of = :day", day=DAY)
    } == {"approval"}
    return sum(sends.values()) == 3 == statuses(world).get("draft")


def test_a_day_is_let_go_and_released_until_it_is_too_old(warehouse: sa.Engine) -> None:
    world = a_day(warehouse)
    world.clock.move_to(world.at(DAY + timedelta(days=MOST - 1), 23.9))
    assert pass_gates(world).is_released
    assert released(world) == 3
    # Done is done: a rerun, years later, has nothing to refuse.
    world.clock.move_to(world.at(DAY + timedelta(days=999), 10))
    assert released(world) == 0
    assert pass_gates(world).is_released


def test_a_day_that_is_too_old_is_not_released_and_is_taken_back(warehouse: sa.Engine) -> None:
    world = a_day(warehouse)
    assert pass_gates(world).is_released
    world.clock.move_to(world.at(DAY + timedelta(days=MOST), 0))
    with pytest.raises(SendRefused, match=rf"{MOST + 1} days ago.*max_age_days .* is {MOST}"):
        released(world)
    assert statuses(world) == {"draft": 3}
    assert is_due_again(world)


def test_a_day_that_is_too_old_is_not_let_go_and_is_due_again(warehouse: sa.Engine) -> None:
    world = a_day(warehouse)
    world.clock.move_to(world.at(DAY + timedelta(days=MOST), 0))
    with pytest.raises(SendRefused, match="max_age_days"):
        pass_gates(world)
    assert gates.waits(warehouse, DAY) and statuses(world) == {"draft": 3}
    assert is_due_again(world)


def test_the_age_of_a_day_is_counted_in_the_brands_days(warehouse: sa.Engine) -> None:
    world = a_day(warehouse)
    assert pass_gates(world).is_released
    # In UTC it is the next day already.
    world.clock.move_to(world.at(DAY + timedelta(days=MOST - 1), 23.5))
    assert world.clock().date() - DAY == timedelta(days=MOST + 1)
    assert released(world) == 3


def test_the_policy_of_this_installation_holds_where_none_is_given(warehouse: sa.Engine) -> None:
    world = a_day(warehouse)
    assert pass_gates(world).is_released
    world.clock.move_to(world.at(DAY + timedelta(days=MOST), 0))
    with pytest.raises(SendRefused, match="max_age_days"):
        release.release(warehouse, world.policy, DAY, "survey", world.clock())


@pytest.mark.parametrize("is_asked", [False, True])
def test_without_an_approval_nothing_is_released(warehouse: sa.Engine, is_asked: bool) -> None:
    world = a_day(warehouse, small_policy(approval="always"))
    if is_asked:
        assert not pass_gates(world).is_released
    with pytest.raises(SendRefused, match=r"day was not let go.*approve the day"):
        released(world)
    assert statuses(world) == {"draft": 3}


def test_an_approval_that_nobody_gave_in_time_is_none(warehouse: sa.Engine) -> None:
    world = a_day(warehouse, small_policy(approval="always"))
    pass_gates(world)
    gates.turned_down(warehouse, world.policy, DAY, None, world.clock())
    assert released(world) == 0
    with pytest.raises(DayStopped, match="Nobody answered"):
        gates.approved(warehouse, DAY, "ann", world.clock())
    assert statuses(world) == {"cancelled": 3}
