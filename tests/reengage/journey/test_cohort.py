"""The day's decisions, held against a plain model of the rules, and against accidents."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from world import LINKS, RULES, START, Load, World, small_policy

from depth import examples
from reengage import errors
from reengage.errors import ConfigurationError, DayStopped, PastDayError
from reengage.ingest.sources import Source
from reengage.journey import cohort
from reengage.policy import Behaviour, Caps, ConsentClock, Policy, Rhythm, Thresholds, WarmUp
from reengage.texts import messages

SETTLED = {"derandomize": True, "phases": (Phase.explicit, Phase.generate)}
LONG_AGO = datetime(1997, 1, 1, tzinfo=UTC)
FATES = (
    "accepted",
    "delivered",
    "delivered",
    "delivered",
    "undelivered",
    "rejected",
    "cancelled",
    "unknown",
    "sending",
    "queued",
)


def days_before(day: date, days: int | None) -> date | None:
    return None if days is None else day - timedelta(days=days)


SIGNALS = ("purchase", "visit", "email_click")
KINDS = (*SIGNALS, "email_open")
BASES = (None, "implied", "express")
LADDERS = [(3, 6, 9), (1, 2, 9), (4, 5, 7)]
# The reasons for which a gate stops a day.
GATES = ("size", "budget", "unsubscribes", "approval")

PLAIN: dict[str, Any] = {
    "ladder": st.sampled_from(LADDERS),
    "control_share": st.sampled_from([0.0, 0.0, 0.5]),
    "repeat_after_days": st.integers(1, 12),
    "gap_days": st.integers(0, 4),
    "close_after_days": st.integers(1, 5),
    "unsubscribe_after_texts": st.integers(1, 3),
    "cooldown_days": st.integers(1, 6),
    "signals": st.sampled_from([SIGNALS, ("purchase", "email_open")]),
}
CAPS: dict[str, Any] = {
    "per_day": st.sampled_from([None, 1, 2]),
    "order": st.sampled_from(["recent", "waiting", "shared"]),
    "warm_up": st.none()
    | st.builds(
        WarmUp,
        first_day=st.just(1),
        growth=st.sampled_from([1.0, 1.5, 2.0]),
        days=st.integers(1, 4),
        since=st.none() | st.integers(-2, 8).map(lambda n: START + timedelta(days=n)),
    ),
}
ENTRY: dict[str, Any] = {"entry": st.sampled_from(["by_days", "in_order", "in_order"])}
PACE: dict[str, Any] = {
    "frequency": st.sampled_from(["daily", "often", "seldom"]),
    "frequencies": st.just({"daily": 1, "often": 0.5, "seldom": 1.5}),
    "lifecycle": st.sampled_from([{}, {"slow": 2}, {"slow": 1.5, "fast": 0.4}]),
    "rhythm": st.none()
    | st.builds(
        Rhythm,
        quantile=st.sampled_from([0.01, 0.5, 0.7, 1.0]),
        purchases=st.sampled_from([3, 4]),
        at_least_days=st.integers(1, 3),
        at_most_days=st.integers(3, 8),
    ),
}
EXPIRY: dict[str, Any] = {
    "expires_after_days": st.sampled_from([None, None, 3, 370]),
    "clocks": st.lists(
        st.builds(
            ConsentClock,
            country=st.sampled_from(["US", "CA"]),
            basis=st.sampled_from(BASES),
            after_days=st.integers(1, 8),
        ),
        max_size=2,
    ).map(tuple),
}
# Of two clocks; a signal that both share, none that nobody shares.
BEHAVIOURS = st.sampled_from(
    [
        (("purchases", ("purchase",)), ("visits", ("visit", "email_click"))),
        (("all", ("purchase", "visit")), ("shop", ("visit",)), ("mail", ("email_click",))),
    ]
)


@st.composite
def behaviours(draw: Any, steps: int = 3) -> tuple[Behaviour, ...]:
    growing = st.lists(st.integers(1, 10), min_size=steps, max_size=steps, unique=True)
    return tuple(
        Behaviour(name=name, signals=signals, days=tuple(sorted(draw(growing))))
        for name, signals in draw(BEHAVIOURS)
    )


def thresholds(**parts: Any) -> st.SearchStrategy[Thresholds]:
    return st.builds(Thresholds, **parts)


def tell(
    world: World, data: st.DataObject, change: st.SearchStrategy[dict[str, Any]] | None = None
) -> None:
    """A history of some days, in the warehouse and in the model. `change` draws what the marketer
    changes in the policy on the way.
    """
    draw = data.draw
    some = st.sampled_from
    people = range(1, draw(st.integers(2, 5)) + 1)
    numbers = st.none() | st.integers(1, 2) | st.integers(1, 5)
    places = some(["US", "US", "CA", None])
    classes = some([None, "slow", "fast"])

    def begin(load: Load) -> None:
        for contact_id in people:
            born = draw(st.none() | st.integers(0, 12))
            load.contact(
                contact_id, draw(numbers), days_before(START, born), draw(places), draw(classes)
            )
            if draw(st.integers(0, 4)):
                load.consent(contact_id, LONG_AGO, basis=draw(some(BASES)))
            for _ in range(draw(st.integers(0, 4))):
                on = START - timedelta(days=draw(st.integers(0, 12)))
                load.interaction(contact_id, on, draw(some(["purchase", *KINDS])))

    def later(load: Load) -> None:
        for what in draw(
            st.lists(
                some(["buy", "late", "other", "take_back", "card", "grant", "withdraw"]), max_size=2
            )
        ):
            who = draw(some(people))
            if what in ("buy", "late", "other"):
                days = 0 if what == "buy" else draw(st.integers(0, 10))
                kind = draw(some(KINDS)) if what == "other" else "purchase"
                load.interaction(who, load.as_of - timedelta(days=days), kind)
            elif what == "take_back" and world.model.interactions:
                load.take_back(draw(some(sorted(world.model.interactions))))
            elif what == "card":
                born = draw(st.none() | st.integers(0, 20))
                load.contact(
                    who, draw(numbers), days_before(load.as_of, born), draw(places), draw(classes)
                )
            elif what in ("grant", "withdraw"):
                # No two at one time, or none of them would be the latest.
                at = world.at(load.as_of, -draw(st.integers(1, 200)))
                at += timedelta(seconds=len(world.model.consents))
                said = (at, None, draw(some(BASES))) if what == "grant" else (None, at)
                load.consent(who, *said)

    def people_act(as_of: date, hour: float) -> None:
        """Hits, stops, and stops taken back; replies that are read some day; bad numbers."""
        if not world.contacts:
            return
        at = world.at(as_of, hour)
        seen = sorted(k for k, m in world.model.messages.items() if m.accepted_at)
        deeds = ["human", "human", "machine", "unsure", "stop", "start", "reply", "read", "bounce"]
        for what in draw(st.lists(some(deeds), max_size=2)):
            if what in RULES and seen:
                world.hit(draw(some(seen)), at, what)
            elif what == "stop":
                world.stop(draw(some(people)), at)
            elif what == "start":
                world.start_again(draw(some(people)), at)
            elif what == "reply":
                world.reply(draw(some(people)), at)
            elif what == "read":
                world.read(at)
            elif what == "bounce":
                world.bounce(draw(some(people)), at)

    def gates(as_of: date) -> None:
        """Mostly open; sometimes one is closed, or nobody comes to say either."""
        what = draw(some(["go"] * 8 + ["stop", "nothing"]))
        if what == "nothing":
            return
        if what == "stop":
            world.stop_day(as_of, draw(some(GATES)))
        world.let_go(as_of)
        if draw(st.integers(0, 4)) == 0:  # too late
            world.stop_day(as_of, draw(some(GATES)))
        for key, message in list(world.model.messages.items()):
            if message.as_of == as_of and as_of in world.model.released:
                world.fate(key, draw(some(FATES)), world.at(as_of, 11))

    for day in range(draw(st.integers(4, 16))):
        as_of = START + timedelta(days=day)
        if change is not None and draw(st.integers(0, 3)) == 0:
            version = f"v{day}"
            world.follow(world.policy.model_copy(update={**draw(change), "version": version}))
        people_act(as_of, -0.5)  # the evening of as_of
        people_act(as_of, 3)  # the night after it: later than as_of
        if draw(st.integers(0, 5)):  # else the day is missed
            world.load(as_of, begin if not world.contacts else later)
            world.decide(as_of, let_go=False)
            world.check_decisions()
            world.check_state()
            gates(as_of)
            if draw(st.booleans()):
                world.decide(as_of, let_go=False)
            world.check_decisions()
            world.check_messages()
        people_act(as_of, 13)
        if draw(st.booleans()) and world.model.decided:
            world.write(as_of)
        world.check_state()
    if world.model.decided:
        world.write(as_of)
        world.check_state()
        world.check_daily_steps()


EXAMPLES = examples(6)


@settings(max_examples=EXAMPLES, **SETTLED)
@given(policy=st.builds(small_policy, **PLAIN), data=st.data())
def test_a_history_of_days_agrees_with_the_model(
    warehouse: sa.Engine, policy: Policy, data: st.DataObject
) -> None:
    tell(World(warehouse, policy), data)


@settings(max_examples=EXAMPLES, **SETTLED)
@given(policy=st.builds(small_policy, **PLAIN, **CAPS, **ENTRY), data=st.data())
def test_a_ladder_in_order_and_caps_agree_with_the_model(
    warehouse: sa.Engine, policy: Policy, data: st.DataObject
) -> None:
    tell(World(warehouse, policy), data)


@settings(max_examples=EXAMPLES, **SETTLED)
@given(
    policy=st.builds(small_policy, **PLAIN, **ENTRY, **EXPIRY, thresholds=thresholds(**PACE)),
    data=st.data(),
)
def test_bent_thresholds_and_consents_that_expire_agree_with_the_model(
    warehouse: sa.Engine, policy: Policy, data: st.DataObject
) -> None:
    tell(World(warehouse, policy), data)


@settings(max_examples=EXAMPLES, **SETTLED)
@given(
    policy=st.builds(
        small_policy, **PLAIN, **ENTRY, thresholds=thresholds(**PACE, behaviours=behaviours())
    ),
    data=st.data(),
)
def test_several_clocks_agree_with_the_model(
    warehouse: sa.Engine, policy: Policy, data: st.DataObject
) -> None:
    tell(World(warehouse, policy), data)


@st.composite
def changes(draw: Any) -> dict[str, Any]:
    """Another ladder, of some of its steps or of others, and whatever else bends it; or only what
    does not.
    """
    apart = {name: draw(strategy) for name, strategy in {**CAPS, **EXPIRY}.items()}
    anew = small_policy(**apart, gap_days=draw(st.integers(0, 4)))
    found = {name: getattr(anew, name) for name in ("caps", "consent", "gap_days")}
    if draw(st.integers(0, 3)):
        names = draw(st.permutations(["survey", "contest", "coupon", "gift"]))
        if draw(st.booleans()):
            names = ["survey", "contest", "coupon"]
        days = sorted(draw(st.lists(st.integers(1, 10), min_size=1, max_size=4, unique=True)))
        ladder = dict(zip(names, days, strict=False))
        found["steps"] = small_policy(ladder=ladder).steps
        found["entry"] = draw(ENTRY["entry"])
        found["thresholds"] = draw(thresholds(**PACE) if draw(st.booleans()) else PLAIN_DAYS)
    return found


PLAIN_DAYS = st.just(Thresholds())


@settings(max_examples=EXAMPLES, **SETTLED)
@given(policy=st.builds(small_policy, **PLAIN, **ENTRY), data=st.data())
def test_a_policy_changed_on_the_way_agrees_with_the_model(
    warehouse: sa.Engine, policy: Policy, data: st.DataObject
) -> None:
    tell(World(warehouse, policy), data, changes())


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
    rows = world.sql(
        "SELECT contact_id, step, action, reason FROM cohort.decision ORDER BY 1, as_of"
    )
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
    rows = world.sql(
        "SELECT contact_id FROM cohort.decision WHERE as_of = :d AND reason = 'control'", d=again
    )
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
        found = [future.result(600) for future in both]
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
        if row.contact_id == 2:
            raise errors.TextError("the name is too long")
        return render(self, step, row, *rest)

    monkeypatch.setattr(messages.Templates, "render", fails_for_two)
    world.decide(DAY)
    assert [row[2:] for row in decisions(world)] == [
        ("send", "due"),
        ("hold", "template"),
        ("send", "due"),
    ]
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
    world.sql("SELECT core.add_month(:on)", on=DAY)
    world.sql(
        "INSERT INTO core.interaction (contact_id, source, source_event_id, kind,"
        " occurred_at, occurred_on, loaded_at, load_id)"
        " VALUES (1, 'slow', 'x', 'visit', now(), :on, now(), :load)",
        on=DAY,
        load=on_its_way,
    )
    world.sql(
        "UPDATE core.contact_activity SET last_signal_on = :on, last_visit_on = :on,"
        " updated_load_id = :load WHERE contact_id = 1",
        on=DAY,
        load=on_its_way,
    )
    world.load(DAY + timedelta(days=3))
    cohort.decide(world.engine, world.policy, DAY + timedelta(days=3), world.clock, LINKS)
    rows = world.sql("SELECT contact_id, outcome FROM outcome.contact_outcome")
    assert [tuple(row) for row in rows] == [(1, "returned")]


def source(**more: Any) -> Source:
    return Source(
        source="shop",
        entity="interaction",
        kind="purchase",
        connector="files",
        path="x.csv",
        columns={"source_contact_id": "c", "occurred_at": "at"},
        required=True,
        **more,
    )


def test_a_late_feed_stops_the_day_unless_its_marker_says_it_is_complete(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    marker = tmp_path / "complete"
    shop = source(complete_marker=str(marker))

    def loaded(as_of: date, newest: date | None) -> None:
        with warehouse.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO raw.load (source, entity, as_of, status, started_at,"
                    " newest_on) VALUES ('shop', 'interaction', :d, 'loaded', :at, :newest)"
                ),
                {"d": as_of, "newest": newest, "at": datetime(1998, 1, 1, tzinfo=UTC)},
            )

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


def go_on(world: World, days: int, fill: Any = lambda load: None) -> None:
    """The day so many days after DAY is loaded, decided and held against the model."""
    as_of = DAY + timedelta(days=days)
    world.load(as_of, fill)
    world.decide(as_of)
    world.check_decisions()
    world.check_state()


def test_in_order_a_changed_ladder_keeps_the_days_between_its_steps(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(entry="in_order", gap_days=0), is_new=True)
    quiet(world, range(1, 3), days=30)
    world.decide(DAY)
    world.follow(small_policy(entry="in_order", gap_days=0, ladder=(3, 7, 9)))
    for days in range(1, 6):
        go_on(world, days)
    assert [row[1:3] for row in decisions(world)] == [("survey", "send"), ("contest", "send")] * 2


def test_a_changed_entry_alone_holds_from_the_next_day(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(entry="in_order", gap_days=0), is_new=True)
    quiet(world, range(1, 3), days=30)
    world.decide(DAY)
    world.follow(small_policy(entry="by_days", gap_days=0))
    go_on(world, 1)
    assert [row[1] for row in decisions(world)] == ["survey", "coupon"] * 2


def test_in_order_an_episode_that_goes_on_keeps_the_days_between(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(entry="in_order", gap_days=0), is_new=True)
    quiet(world, range(1, 2), days=30)
    world.decide(DAY)
    event: list[str] = []
    go_on(world, 1, lambda load: event.append(load.interaction(1, load.as_of)))
    go_on(world, 2, lambda load: load.take_back(event[0]))
    go_on(world, 3)
    assert [row[1] for row in decisions(world)] == ["survey", "contest"]


def test_an_episode_that_goes_on_follows_the_ladder_of_that_day(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(gap_days=0), is_new=True)
    quiet(world, range(1, 2), days=3)
    world.decide(DAY)
    event: list[str] = []
    go_on(world, 1, lambda load: event.append(load.interaction(1, load.as_of)))
    world.follow(small_policy(gap_days=0, ladder={"gift": 2, "survey": 3, "contest": 9}))
    go_on(world, 2, lambda load: load.take_back(event[0]))
    assert [row[1] for row in decisions(world)] == ["survey"]


def test_a_stopped_step_that_the_policy_drops_uses_nothing_up(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(gap_days=0), is_new=True)
    quiet(world, range(1, 2), days=3)
    world.decide(DAY, let_go=False)
    world.follow(small_policy(gap_days=0, ladder={"gift": 3, "contest": 9}))
    go_on(world, 1)
    assert [row[1:] for row in decisions(world)] == [
        ("survey", "hold", "approval"),
        ("gift", "send", "due"),
    ]


def test_a_step_held_for_good_stays_so_on_a_turned_ladder(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(gap_days=0), is_new=True)
    world.load(DAY, lambda load: load.contact(1, 1, DAY - timedelta(days=3)))
    for days in range(4):
        go_on(world, days)
    turned = {"contest": 3, "survey": 6, "coupon": 9}
    world.follow(small_policy(gap_days=0, ladder=turned))
    for days in range(4, 7):
        go_on(world, days)
    assert [row[1] for row in decisions(world)] == ["survey", "contest", "coupon"]


@pytest.mark.parametrize("obstacle", ["consent", "card", "stop", "number"])
def test_a_step_whose_obstacle_has_gone_is_still_to_come_on_a_turned_ladder(
    warehouse: sa.Engine, obstacle: str
) -> None:
    """The coupon was held back for good, and the contest sent once nothing stood in the way. Then
    the marketer puts the coupon behind the contest.
    """
    world = World(warehouse, small_policy(gap_days=0, ladder={"coupon": 3, "contest": 6}))
    who_stops = 2 if obstacle == "number" else 1

    def begin(load: Load) -> None:
        load.contact(1, None if obstacle == "card" else 1)
        load.contact(2, 1 if obstacle == "number" else 2)
        if obstacle != "consent":
            load.consent(1, LONG_AGO)
        load.interaction(1, DAY - timedelta(days=3))

    def in_the_way_no_more(load: Load) -> None:
        if obstacle == "card":
            load.contact(1, 1)
        elif obstacle == "consent":
            load.consent(1, LONG_AGO)

    world.load(DAY, begin)
    if obstacle in ("stop", "number"):
        world.stop(who_stops, world.at(DAY, -1))
    if obstacle == "stop":  # which holds for the contact, whatever its number is now
        world.load(DAY, lambda load: load.contact(1, 3))
    world.decide(DAY)
    if obstacle in ("stop", "number"):
        world.start_again(who_stops, world.at(DAY + timedelta(days=3), -1))
    go_on(world, 3, in_the_way_no_more)
    world.follow(small_policy(gap_days=0, ladder={"contest": 3, "coupon": 9}))
    for days in range(4, 7):
        go_on(world, days)
    assert [row[1:3] for row in decisions(world) if row[0] == 1] == [
        ("coupon", "hold"),
        ("contest", "send"),
        ("coupon", "send"),
    ]


def test_after_a_step_that_waited_a_turned_ladder_goes_on_from_there(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(entry="in_order", gap_days=5), is_new=True)
    quiet(world, range(1, 3), days=3, shared=1)
    world.decide(DAY)
    go_on(world, 1, lambda load: load.contact(1, 9))
    go_on(world, 3)
    turned = {"contest": 3, "survey": 6, "coupon": 9}
    world.follow(small_policy(entry="in_order", gap_days=5, ladder=turned))
    for days in (4, 5, 8):
        go_on(world, days)
    told = [row[1:] for row in decisions(world) if row[0] == 2]
    assert told == [
        ("survey", "hold", "duplicate_phone"),
        ("contest", "hold", "gap"),
        ("contest", "hold", "gap"),
        ("contest", "send", "due"),
        ("survey", "hold", "gap"),
    ]


def test_of_a_step_that_is_gone_its_own_days_count(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(gap_days=0), is_new=True)
    quiet(world, range(1, 2), days=3)
    for days in range(4):
        go_on(world, days)
    # The survey, gone, was sent after 3 days, the contest after 6: the gift is still to come.
    world.follow(small_policy(gap_days=0, ladder={"contest": 4, "gift": 5, "coupon": 9}))
    go_on(world, 4)
    assert [row[1] for row in decisions(world)] == ["survey", "contest", "gift"]


def test_after_one_clock_is_over_another_may_be_due(warehouse: sa.Engine) -> None:
    clocks = (
        Behaviour(name="visits", signals=("visit",), days=(2, 3, 4)),
        Behaviour(name="purchases", signals=("purchase",), days=(10, 11, 12)),
    )
    policy = small_policy(thresholds=Thresholds(behaviours=clocks), close_after_days=1)
    world = World(warehouse, policy, is_new=True)

    def fill(load: Load) -> None:
        load.contact(1, None, DAY - timedelta(days=10))
        load.interaction(1, DAY - timedelta(days=4), "purchase")

    world.load(DAY, fill)
    world.decide(DAY)
    for days in range(1, 8):
        go_on(world, days)
    rows = world.sql("SELECT behaviour FROM cohort.episode ORDER BY opened_on")
    assert [row.behaviour for row in rows] == ["visits", "purchases"]


def test_a_cap_counts_only_who_is_written_to(warehouse: sa.Engine) -> None:
    policy = small_policy(
        control_share=0.5, per_day=3, warm_up=WarmUp(first_day=2, growth=1, days=1)
    )
    world = World(warehouse, policy, is_new=True)
    quiet(world, range(1, 21), days=3)
    world.decide(DAY)
    world.check_decisions()
    told = Counter(row[3] for row in decisions(world))
    assert told["due"] == 2
    assert told["warm_up"]
    assert told["control"]
    go_on(world, 1)
    assert world.sql("SELECT count(*) FROM outbox.message WHERE as_of > :d", d=DAY)[0][0] == 3


def stepwise(world: World) -> None:
    """Twelve who are due for the survey, six for the contest, two for the coupon."""

    def fill(load: Load) -> None:
        for contact_id in range(1, 21):
            load.contact(contact_id, contact_id)
            load.consent(contact_id, LONG_AGO)
            days = 3 if contact_id <= 12 else 6 if contact_id <= 18 else 9
            load.interaction(contact_id, DAY - timedelta(days=days))

    world.load(DAY, fill)


@pytest.mark.parametrize(
    ("order", "cap", "share"),
    [
        ("recent", 10, {"survey": 10}),
        ("waiting", 10, {"survey": 2, "contest": 6, "coupon": 2}),
        ("shared", 10, {"survey": 6, "contest": 3, "coupon": 1}),
        ("shared", 4, {"survey": 2, "contest": 1, "coupon": 1}),
        ("shared", 19, {"survey": 11, "contest": 6, "coupon": 2}),
        ("shared", 30, {"survey": 12, "contest": 6, "coupon": 2}),
    ],
)
def test_a_cap_lets_through_by_its_order(
    warehouse: sa.Engine, order: str, cap: int, share: dict[str, int]
) -> None:
    world = World(warehouse, small_policy(per_day=cap, order=order), is_new=True)
    stepwise(world)
    world.decide(DAY)
    world.check_decisions()
    assert Counter(row[1] for row in decisions(world) if row[3] == "due") == share


def test_a_cap_below_the_number_of_steps_starves_none(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(ladder=(3, 6, 9), per_day=1, order="shared"), is_new=True)
    stepwise(world)
    world.decide(DAY)
    go_on(world, 1)
    go_on(world, 2)
    sent = world.sql("SELECT DISTINCT step FROM cohort.decision WHERE reason = 'due'")
    assert {row.step for row in sent} == {"survey", "contest", "coupon"}


def test_who_was_put_off_goes_before_who_is_new(warehouse: sa.Engine) -> None:
    policy = small_policy(per_day=2, order="waiting", ladder=(3, 60, 90))
    world = World(warehouse, policy, is_new=True)

    def fill(load: Load) -> None:
        for contact_id in range(1, 9):
            load.contact(contact_id, contact_id)
            load.consent(contact_id, LONG_AGO)
            # Half of them are due today, half of them tomorrow.
            load.interaction(contact_id, DAY - timedelta(days=3 if contact_id % 2 else 2))

    world.load(DAY, fill)
    world.decide(DAY)
    go_on(world, 1)
    rows = world.sql(
        "SELECT as_of, contact_id FROM cohort.decision WHERE reason = 'due'"
        " ORDER BY as_of, contact_id"
    )
    assert [row.contact_id for row in rows] == [1, 3, 5, 7]
    world.check_decisions()


def test_a_ladder_is_climbed_to_its_end_before_another_begins(warehouse: sa.Engine) -> None:
    """A shorter cooldown moves the dormancy's date under an open episode."""
    world = World(warehouse, small_policy(cooldown_days=30), is_new=True)
    quiet(world, range(1, 2), days=3)
    world.decide(DAY)
    world.fate((1, DAY - timedelta(days=3), "survey"), "delivered", world.at(DAY, 11))
    world.hit((1, DAY - timedelta(days=3), "survey"), world.at(DAY, 13))
    for days in range(1, 45):
        if days == 36:
            world.follow(small_policy(cooldown_days=20))
        world.load(DAY + timedelta(days=days))
        world.decide(DAY + timedelta(days=days))
        world.write(DAY + timedelta(days=days))
        open_ = world.sql("SELECT count(*) FROM cohort.episode WHERE closed_on IS NULL")[0][0]
        assert open_ <= 1
    assert world.sql("SELECT count(*) FROM cohort.episode")[0][0] == 2


@pytest.mark.parametrize("growth", [1.0, 2.0, 10.0])
def test_a_steep_ramp_ends_in_no_cap(growth: float) -> None:
    class Days:
        def scalar_one(self) -> int:
            return self.gone

        def __init__(self, gone: int) -> None:
            self.gone = gone

    ramp = WarmUp(first_day=500, growth=growth, days=365)
    caps = []
    for gone in range(366):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cohort.db, "run", lambda *_, gone=gone, **__: Days(gone))
            caps.append(cohort._warm_up_cap(None, ramp))  # type: ignore[arg-type]
    assert caps[0] == 500
    assert caps[365] is None
    assert all(cap is None or 500 <= cap < 2**31 for cap in caps)


def test_a_text_that_cannot_be_made_takes_nobodys_place(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = small_policy(caps=Caps(per_day=1))
    world = World(warehouse, policy, is_new=True)
    quiet(world, range(1, 3), days=3)
    render = messages.Templates.render

    def fails_for_one(self: Any, step: Any, row: Any, *rest: Any) -> Any:
        if row.contact_id == 1:
            raise errors.TextError("the name is too long")
        return render(self, step, row, *rest)

    monkeypatch.setattr(messages.Templates, "render", fails_for_one)
    world.decide(DAY)
    assert [row[3] for row in decisions(world)] == ["template", "daily_cap"]
    world.load(DAY + timedelta(days=1))
    world.decide(DAY + timedelta(days=1))
    rows = world.sql(
        "SELECT reason FROM cohort.decision WHERE as_of = :d ORDER BY contact_id",
        d=DAY + timedelta(days=1),
    )
    assert [row.reason for row in rows] == ["daily_cap", "due"]


def test_a_day_that_is_not_decided_ends_nobodys_ladder(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(), is_new=True)
    quiet(world, range(1, 2), days=9)
    world.decide(DAY)
    world.fate((1, DAY - timedelta(days=9), "coupon"), "delivered", world.at(DAY, 11))
    for days in (1, 2):
        world.load(DAY + timedelta(days=days))
        world.decide(DAY + timedelta(days=days))
        world.write(DAY + timedelta(days=days))
    # The feed of the day on which the ladder ends is late: it may hold a purchase.
    world.write(DAY + timedelta(days=3))
    assert world.sql("SELECT * FROM outcome.contact_outcome") == []
    late = DAY + timedelta(days=4)
    world.load(late, lambda load: load.interaction(1, late - timedelta(days=1)))
    world.decide(late)
    world.write(late)
    rows = world.sql("SELECT CAST(outcome AS text) FROM outcome.contact_outcome")
    assert [row[0] for row in rows] == ["returned"]
