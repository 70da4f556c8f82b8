"""The day's decisions, held against a plain model of the rules, and against accidents."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from world import START, Load, World, small_policy

RELAXED = {
    "deadline": None,
    "derandomize": True,
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
                              HealthCheck.data_too_large],
}  # fmt: skip
LONG_AGO = datetime(1997, 1, 1, tzinfo=UTC)
FATES = ("accepted", "delivered", "delivered", "delivered", "undelivered", "rejected",
         "cancelled", "unknown", "sending", "draft")  # fmt: skip

policies = st.builds(
    small_policy,
    ladder=st.sampled_from([(3, 6, 9), (1, 2, 9), (4, 5, 7)]),
    control_share=st.sampled_from([0.0, 0.0, 0.5]),
    repeat_after_days=st.integers(1, 12),
    gap_days=st.integers(0, 4),
    close_after_days=st.integers(1, 5),
    cooldown_days=st.integers(1, 6),
    signals=st.sampled_from([("purchase", "visit"), ("purchase", "email_open")]),
)


@settings(max_examples=12, **RELAXED)
@given(policy=policies, data=st.data())
def test_a_history_of_days_agrees_with_the_model(
    warehouse: sa.Engine, policy: Any, data: st.DataObject
) -> None:
    world = World(warehouse, policy)
    draw = data.draw
    some = st.sampled_from
    people = range(1, draw(st.integers(2, 5)) + 1)
    numbers = st.none() | st.integers(1, 2) | st.integers(1, 5)

    def begin(load: Load) -> None:
        for contact_id in people:
            born = draw(st.none() | st.integers(0, 12))
            load.contact(contact_id, draw(numbers), born and START - timedelta(days=born))
            if draw(st.integers(0, 4)):
                load.consent(contact_id, LONG_AGO)
            for _ in range(draw(st.integers(0, 2))):
                on = START - timedelta(days=draw(st.integers(0, 12)))
                load.interaction(contact_id, on, draw(some(["purchase", "visit", "email_open"])))

    def change(load: Load) -> None:
        for what in draw(st.lists(some(["buy", "late", "open_mail", "take_back", "card", "grant",
                                        "withdraw"]), max_size=2)):  # fmt: skip
            who = draw(some(people))
            if what in ("buy", "late", "open_mail"):
                days = 0 if what == "buy" else draw(st.integers(0, 10))
                kind = "email_open" if what == "open_mail" else "purchase"
                load.interaction(who, load.as_of - timedelta(days=days), kind)
            elif what == "take_back" and world.model.interactions:
                load.take_back(draw(some(sorted(world.model.interactions))))
            elif what == "card":
                born = draw(st.none() | st.integers(0, 20))
                load.contact(who, draw(numbers), born and load.as_of - timedelta(days=born))
            elif what in ("grant", "withdraw"):
                at = world.at(load.as_of, -draw(st.integers(1, 200)))
                load.consent(who, *((at, None) if what == "grant" else (None, at)))

    def people_act(as_of: date, hour: float) -> None:
        """Hits, stops, and stops taken back."""
        if not world.contacts:
            return
        at = world.at(as_of, hour)
        seen = sorted(k for k, m in world.model.messages.items() if m.accepted_at)
        for what in draw(st.lists(some(["open", "open", "scan", "stop", "start"]), max_size=2)):
            if what in ("open", "scan") and seen:
                world.hit(draw(some(seen)), at, what == "open")
            elif what == "stop":
                world.stop(draw(some(people)), at)
            elif what == "start":
                world.start_again(draw(some(people)), at)

    for day in range(draw(st.integers(4, 16))):
        as_of = START + timedelta(days=day)
        people_act(as_of, -0.5)  # the evening of as_of
        people_act(as_of, 3)  # the night after it: later than as_of
        if draw(st.integers(0, 5)):  # else the day is missed
            world.load(as_of, begin if not world.contacts else change)
            first = world.decide(as_of)
            if draw(st.booleans()):
                assert world.decide(as_of) == first
            world.check_decisions(as_of)
            for key, message in list(world.model.messages.items()):
                if message.as_of == as_of:
                    world.fate(key, draw(some(FATES)), world.at(as_of, 11))
        people_act(as_of, 13)
        if draw(st.booleans()) and world.model.decided:
            world.write(as_of)
        world.check_state()
    if world.model.decided:
        world.write(as_of)
        world.check_state()
        rows = world.sql(
            "SELECT as_of, step, arm, due, sent, delivered, opened, returned, opted_out,"
            " CAST(revenue AS integer) FROM outcome.daily_step"
        )
        assert {tuple(r[:3]): tuple(r[3:]) for r in rows} == world.model.daily_steps()
