"""The end of an episode: one outcome each, the first that fits, and what follows from it.

Random histories are held against the model in test_cohort.py; here are the cases by name.
"""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from world import START, Load, World, small_policy

Key = tuple[int, date, str]
LONG_AGO = START - timedelta(days=3)


def outcome_of(world: World) -> list[Any]:
    rows = world.sql("SELECT outcome FROM outcome.contact_outcome ORDER BY dormant_since")
    return [row.outcome for row in rows]


def status_of(world: World) -> str:
    return str(world.sql("SELECT status FROM core.contact")[0][0])


@pytest.fixture
def world(warehouse: sa.Engine) -> World:
    """One contact, quiet for three days on START: the survey is due."""
    world = World(warehouse, small_policy(ladder=(3, 40, 41), close_after_days=40), is_new=True)

    def fill(load: Load) -> None:
        load.contact(1, 1)
        load.consent(1, world.at(LONG_AGO, -100))
        load.interaction(1, LONG_AGO)

    world.load(START, fill)
    world.decide(START)
    return world


SURVEY: Key = (1, LONG_AGO, "survey")
AFTER = START + timedelta(days=1)


def end(world: World, day: date) -> None:
    """Bring the ladder to its end at once: the close is what is tested."""
    world.policy = world.policy.model_copy(update={"close_after_days": 1})
    world.model.policy = world.policy
    world.sql("UPDATE cohort.episode SET next_due_on = NULL, next_step = NULL")
    for episode in world.model.open():
        episode.due_on = None
    world.write(day)
    world.check_state()


@pytest.mark.parametrize(
    ("stopped", "back", "opened", "fate", "outcome", "status"),
    [
        (True, True, True, "delivered", "opted_out", "unsubscribed"),
        (True, False, False, "delivered", "opted_out", "unsubscribed"),
        (False, True, True, "delivered", "returned", "active"),
        (False, False, True, "delivered", "active", "active"),
        (False, False, False, "delivered", "unsubscribed", "unsubscribed"),
        (False, False, False, "undelivered", "unreachable", "active"),
        (False, False, False, "unknown", "unreachable", "active"),
    ],
)
def test_the_first_outcome_that_fits_is_written(
    world: World, stopped: bool, back: bool, opened: bool, fate: str, outcome: str, status: str
) -> None:
    world.fate(SURVEY, fate, world.at(START, 11))
    if opened:
        world.hit(SURVEY, world.at(START, 12))
    if stopped:
        world.stop(1, world.at(START, 13))
    world.load(
        AFTER, (lambda load: load.interaction(1, AFTER) and None) if back else lambda _: None
    )
    world.decide(AFTER)
    end(world, AFTER)
    assert outcome_of(world) == [outcome]
    assert status_of(world) == status
    world.write(AFTER)
    assert outcome_of(world) == [outcome]


@pytest.mark.parametrize("sign", ["signal", "late signal", "hit", "machine", "email_open"])
def test_a_sign_of_life_lifts_inactivity_and_nothing_else_does(world: World, sign: str) -> None:
    world.fate(SURVEY, "delivered", world.at(START, 11))
    world.load(AFTER)
    world.decide(AFTER)
    end(world, AFTER)
    assert status_of(world) == "unsubscribed"
    later = AFTER + timedelta(days=1)
    if sign in ("hit", "machine"):
        world.hit(SURVEY, world.at(later, -0.5), sign == "hit")
    on = START - timedelta(days=1) if sign == "late signal" else later
    kind = "email_open" if sign == "email_open" else "purchase"
    is_row = sign in ("signal", "late signal", "email_open")
    world.load(later, lambda load: is_row and load.interaction(1, on, kind) and None)
    world.decide(later)
    world.write(later)
    lifted = sign in ("signal", "late signal", "hit")
    assert status_of(world) == ("active" if lifted else "unsubscribed")


def test_an_opt_out_is_lifted_by_nothing_but_the_person(world: World) -> None:
    world.fate(SURVEY, "delivered", world.at(START, 11))
    world.stop(1, world.at(START, 12))
    world.load(AFTER, lambda load: load.interaction(1, AFTER) and None)
    world.decide(AFTER)
    world.hit(SURVEY, world.at(AFTER, 12))
    world.write(AFTER)
    assert status_of(world) == "unsubscribed"
    found = world.sql("SELECT reason FROM core.suppression WHERE lifted_at IS NULL")
    assert [row.reason for row in found] == ["opted_out"]


def test_a_cancelled_order_lets_the_episode_go_on(world: World) -> None:
    """The survey is not sent again, and there is no outcome of an episode that goes on."""
    world.fate(SURVEY, "delivered", world.at(START, 11))
    events: list[str] = []
    world.load(AFTER, lambda load: events.append(load.interaction(1, AFTER)))
    world.decide(AFTER)
    assert outcome_of(world) == ["returned"]
    later = AFTER + timedelta(days=1)
    world.load(later, lambda load: load.take_back(events[0]))
    world.decide(later)
    assert outcome_of(world) == []
    world.check_state()
    assert world.sql("SELECT count(*) FROM outbox.message")[0][0] == 1


@pytest.mark.parametrize(
    ("price", "currency", "cost"),
    [("0.02", "USD", "0.02"), ("3", "credits", "0.5"), ("0.04", "EUR", "0.5"), (None, None, "0.5")],
)
def test_a_cost_is_in_the_brands_currency_or_what_the_policy_expects(
    world: World, price: str | None, currency: str | None, cost: str
) -> None:
    world.fate(SURVEY, "delivered", world.at(START, 11))
    world.sql(
        "UPDATE outbox.message SET price = :price, currency = :currency, expected_price = 0.5",
        price=price, currency=currency,
    )  # fmt: skip
    world.load(AFTER)
    world.decide(AFTER)
    end(world, AFTER)
    told = "SELECT cost FROM outcome.contact_outcome UNION ALL SELECT cost FROM outcome.daily_step"
    assert {str(row.cost) for row in world.sql(told)} == {cost}
