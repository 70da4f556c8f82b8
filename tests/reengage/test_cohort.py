"""The day's decisions, held against a plain model of the rules, and against accidents."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from world import LINKS, START, Load, World, small_policy

from reengage import cohort, messages
from reengage.errors import ConfigurationError, DayStopped, PastDayError
from reengage.sources import Source

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


def days_before(day: date, days: int | None) -> date | None:
    return None if days is None else day - timedelta(days=days)


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
            load.contact(contact_id, draw(numbers), days_before(START, born))
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
                load.contact(who, draw(numbers), days_before(load.as_of, born))
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


DAY = START + timedelta(days=40)


def quiet(world: World, people: range, days: int = 30, shared: int | None = None) -> None:
    """Contacts who consented and bought last so many days before DAY."""

    def fill(load: Load) -> None:
        for contact_id in people:
            load.contact(contact_id, contact_id if shared is None else shared)
            load.consent(contact_id, LONG_AGO)
            load.interaction(contact_id, DAY - timedelta(days=days))

    world.load(DAY, fill)


def decisions(world: World) -> list[tuple[Any, ...]]:
    rows = world.sql("SELECT contact_id, step, action, reason FROM cohort.decision ORDER BY 1")
    return [tuple(row) for row in rows]


def test_the_control_group_is_a_share_and_the_same_people_next_time(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(control_share=0.2), is_new=True)
    quiet(world, range(1, 501), days=3)
    world.decide(DAY)
    held = {row[0] for row in decisions(world) if row[3] == "control"}
    assert 70 <= len(held) <= 130
    back = DAY + timedelta(days=20)
    world.load(back, lambda load: [load.interaction(i, back) for i in range(1, 501)] and None)
    again = back + timedelta(days=3)
    world.load(again)
    world.decide(again)
    world.check_decisions(again)
    rows = world.sql("SELECT contact_id FROM cohort.decision WHERE as_of = :d AND reason ="
                     " 'control'", d=again)  # fmt: skip
    assert {row.contact_id for row in rows} == held


def test_a_past_day_is_refused_and_a_decided_one_stays(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(), is_new=True)
    quiet(world, range(1, 4), days=3)
    with pytest.raises(PastDayError, match="loaded already"):
        cohort.decide(world.engine, world.policy, DAY - timedelta(days=1), world.clock, LINKS)
    first = world.decide(DAY)
    assert first.sends() == {"survey": 3}
    later = DAY + timedelta(days=1)
    world.load(later)
    world.decide(later)
    assert world.decide(DAY) == first
    with pytest.raises(PastDayError, match=r"decided already.*make replay"):
        cohort.decide(world.engine, world.policy, DAY - timedelta(days=1), world.clock, LINKS)


def test_of_two_at_once_one_decides(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(), is_new=True)
    quiet(world, range(1, 51), days=3)
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(cohort.decide, world.engine, world.policy, DAY, world.clock, LINKS)
            for _ in range(2)
        ]
        found = [future.result(60) for future in both]
    assert found[0] == found[1]
    assert len(decisions(world)) == 50
    assert world.sql("SELECT count(*) FROM outbox.message")[0][0] == 50


def test_of_one_phone_only_the_latest_customer_is_written_to(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(), is_new=True)
    quiet(world, range(1, 4), days=3, shared=1)
    world.decide(DAY)
    assert [row[3] for row in decisions(world)] == ["due", "duplicate_phone", "duplicate_phone"]


def test_one_text_that_cannot_be_made_holds_that_contact_alone(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(warehouse, small_policy(), is_new=True)
    quiet(world, range(1, 4), days=3)
    render = messages.Templates.render

    def fails_for_two(self: Any, step: Any, row: Any, *rest: Any) -> Any:
        if row["contact_id"] == 2:
            raise messages.TextError("the name is too long")
        return render(self, step, row, *rest)

    monkeypatch.setattr(messages.Templates, "render", fails_for_two)
    world.decide(DAY)
    assert [row[2:] for row in decisions(world)] == [("send", "due"), ("hold", "template"),
                                                     ("send", "due")]  # fmt: skip
    assert world.sql("SELECT count(*) FROM outbox.message")[0][0] == 2
    monkeypatch.setattr(messages.Templates, "render", render)
    world.load(DAY + timedelta(days=1))
    assert world.decide(DAY + timedelta(days=1)).sends() == {"survey": 1}


def test_a_day_whose_texts_fail_leaves_nothing(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(warehouse, small_policy(), is_new=True)
    quiet(world, range(1, 4), days=3)

    def broken(self: Any, *_: Any) -> Any:
        raise ConfigurationError("the template is broken")

    with monkeypatch.context() as patch:
        patch.setattr(messages.Templates, "render", broken)
        with pytest.raises(ConfigurationError):
            cohort.decide(world.engine, world.policy, DAY, world.clock, LINKS)
    for table in ("cohort.day", "cohort.episode", "cohort.decision", "outbox.message"):
        assert world.sql(f"SELECT count(*) FROM {table}")[0][0] == 0
    assert world.decide(DAY).sends() == {"survey": 3}


def test_a_text_to_the_contact_that_was_merged_counts(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(gap_days=5), is_new=True)
    quiet(world, range(1, 3), days=3)
    world.decide(DAY)

    # The cards of 1 and 3 turn out to be one person's; 3 has another phone.
    def joined(load: Load) -> None:
        load.contact(3, 3)
        load.consent(3, LONG_AGO)
        load.interaction(3, load.as_of - timedelta(days=6))

    later = DAY + timedelta(days=1)
    world.load(later, joined)
    world.sql("UPDATE core.contact_identity SET contact_id = 3 WHERE contact_id = 1")
    world.sql("UPDATE core.contact SET merged_into = 3 WHERE contact_id = 1")
    cohort.decide(world.engine, world.policy, later, world.clock, LINKS)
    rows = world.sql("SELECT reason FROM cohort.decision WHERE contact_id = 3")
    assert [row.reason for row in rows] == ["gap"]


def test_a_load_that_was_on_its_way_is_seen_the_next_day(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(), is_new=True)
    on_its_way = world.load(DAY, status="running")
    world.sql("UPDATE raw.load SET source = 'slow'")
    quiet(world, range(1, 3), days=3)
    world.decide(DAY)
    world.sql("UPDATE raw.load SET status = 'loaded'")
    world.sql("INSERT INTO core.interaction (contact_id, source, source_event_id, kind,"
              " occurred_at, occurred_on, loaded_at, load_id)"
              " VALUES (1, 'slow', 'x', 'visit', now(), :on, now(), :load)",
              on=DAY, load=on_its_way)  # fmt: skip
    world.sql("UPDATE core.contact_activity SET last_signal_on = :on, last_visit_on = :on,"
              " updated_load_id = :load WHERE contact_id = 1",
              on=DAY, load=on_its_way)  # fmt: skip
    world.load(DAY + timedelta(days=3))
    cohort.decide(world.engine, world.policy, DAY + timedelta(days=3), world.clock, LINKS)
    rows = world.sql("SELECT contact_id, outcome FROM outcome.contact_outcome")
    assert [tuple(row) for row in rows] == [(1, "returned")]


def source(**more: Any) -> Source:
    return Source(
        source="shop", entity="interaction", kind="purchase", connector="files", path="x.csv",
        columns={"source_contact_id": "c", "occurred_at": "at"}, required=True, **more,
    )  # fmt: skip


def test_a_late_feed_stops_the_day_unless_its_marker_says_it_is_complete(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    marker = tmp_path / "complete"
    shop = source(complete_marker=str(marker))

    def loaded(as_of: date, newest: date | None) -> None:
        with warehouse.begin() as connection:
            connection.execute(
                sa.text("INSERT INTO raw.load (source, entity, as_of, status, started_at,"
                        " newest_on) VALUES ('shop', 'interaction', :d, 'loaded', :at, :newest)"),
                {"d": as_of, "newest": newest, "at": datetime(1998, 1, 1, tzinfo=UTC)},
            )  # fmt: skip

    with pytest.raises(DayStopped, match=r"shop \(interaction\) was not loaded"):
        cohort.check_fresh(warehouse, [shop], DAY)
    loaded(DAY, DAY - timedelta(days=1))
    for text in (None, str(DAY - timedelta(days=1))):
        if text:
            marker.write_text(text)
        with pytest.raises(DayStopped, match="nothing dated on or after"):
            cohort.check_fresh(warehouse, [shop], DAY)
    marker.write_bytes(b"\xff\xfe tomorrow")
    with pytest.raises(DayStopped, match="should hold one date"):
        cohort.check_fresh(warehouse, [shop], DAY)
    marker.write_text(f"{DAY}\n")
    cohort.check_fresh(warehouse, [shop], DAY)
    marker.unlink()
    loaded(DAY, DAY)
    cohort.check_fresh(warehouse, [shop], DAY)
    cohort.check_fresh(
        warehouse, [shop.model_copy(update={"required": False})], DAY + timedelta(days=9)
    )
