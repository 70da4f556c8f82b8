"""The gates of a day: open or closed at their limits, and what becomes of the day then."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from world import LINKS, START, Load, World, phone, small_policy

from reengage.errors import DayStopped, ReengageError, SendRefused
from reengage.journey import cohort, episode, gates, release
from reengage.journey.gates import Verdict
from reengage.marketer.story import day_text
from reengage.policy import Gates, Policy

DAY = START + timedelta(days=40)  # 10 February 1998
LONG_AGO = datetime(1997, 1, 1, tzinfo=UTC)


def policy_with(
    size: dict[str, Any] | None = None,
    unsubscribes: dict[str, Any] | None = None,
    budget: dict[str, Any] | None = None,
    **changes: Any,
) -> Policy:
    parts = {"size": size or {}, "unsubscribes": unsubscribes or {}, "budget": budget or {}}
    return small_policy(gates=Gates(max_rejected_share=0.05, **parts), **changes)


def quiet(world: World, as_of: date, people: range, days: int = 3) -> None:
    """Contacts who may be written to and bought last so many days before as_of."""

    def fill(load: Load) -> None:
        for contact_id in people:
            load.contact(contact_id, contact_id)
            load.consent(contact_id, LONG_AGO)
            load.interaction(contact_id, as_of - timedelta(days=days))

    world.load(as_of, fill)


def decide(world: World, as_of: date) -> cohort.DayCounts:
    world.clock.move_to(world.at(as_of, 10))
    return cohort.decide(world.engine, world.policy, as_of, world.clock, LINKS)


def judged(world: World, as_of: date = DAY) -> dict[str, Verdict]:
    with world.engine.begin() as connection:
        verdicts = gates.judge(connection, world.policy, as_of, world.clock())
    return {verdict.gate: verdict for verdict in verdicts}


def go(world: World, as_of: date = DAY) -> gates.Passage:
    return gates.pass_or_stop(world.engine, world.policy, as_of, world.clock)


def past(world: World, *days: tuple[int, int], is_released: bool = True) -> None:
    """Days decided so many days before DAY, and how many were to be written to."""
    for before, sends in days:
        world.sql(
            "INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id, sends,"
            " released_at, stopped_by) VALUES (:d, 'v', :at, 0, :n, :released, :stopped)",
            d=DAY - timedelta(days=before),
            at=LONG_AGO,
            n=sends,
            released=LONG_AGO if is_released else None,
            stopped=None if is_released else "size",
        )


def statuses(world: World) -> dict[str, int]:
    rows = world.sql("SELECT CAST(status AS text), count(*) FROM outbox.message GROUP BY 1")
    return dict(map(tuple, rows))


# --- size -----------------------------------------------------------------------------------------

USUAL = ((1, 2), (2, 1), (3, 9), (4, 2))  # a median of 2
LIMITED = {"max_growth": 2, "history_days": 4, "at_least": 0, "over_days": 28}


@pytest.mark.parametrize(
    ("days", "people", "changes", "is_open", "said"),
    [
        (USUAL, 4, {}, True, "4 are to be written to, 2.0 times the usual 2 (limit 2)."),
        (USUAL, 5, {}, False, "5 are to be written to, 2.5 times the usual 2 (limit 2)."),
        (USUAL, 5, {"history_days": 5}, True, "known once 5 days have gone out, and 4 have."),
        (USUAL, 5, {"at_least": 6}, True, "under 6 no day is too large"),
        (USUAL, 6, {"at_least": 6}, False, "raise gates.size.max_growth"),
        (USUAL, 5, {"over_days": 3}, True, "and 3 have"),
        (USUAL[:1], 5, {"at_most": 5}, True, "at most 5 may be"),
        (USUAL[:1], 6, {"at_most": 5}, False, "raise gates.size.at_most"),
        (USUAL, 4, {"at_most": 3}, False, "gates.size.at_most"),
        # A day on which nobody was written to is no measure of one.
        (((1, 0), *((n + 1, s) for n, s in USUAL)), 4, {}, True, "the usual 2 "),
    ],
)
def test_the_size_gate_holds_a_day_against_the_days_that_went_out(
    warehouse: sa.Engine, days: Any, people: int, changes: dict[str, Any], is_open: bool, said: str
) -> None:
    world = World(warehouse, policy_with(size=LIMITED | changes), is_new=True)
    past(world, *days)
    quiet(world, DAY, range(1, people + 1))
    decide(world, DAY)
    verdict = judged(world)["size"]
    assert (verdict.is_open, verdict.measured) == (is_open, people)
    assert verdict.is_open == (verdict.allowed is None or people <= verdict.allowed)
    assert said in verdict.said


def test_a_missed_day_is_made_up_without_an_alarm(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(size=LIMITED), is_new=True)
    past(world, *((before + 1, sends) for before, sends in USUAL))
    quiet(world, DAY, range(1, 9))
    decide(world, DAY)
    verdict = judged(world)["size"]
    assert verdict.is_open and verdict.allowed == 8
    assert "2.0 times the usual 4 of 2 days" in verdict.said


def test_a_stopped_day_is_no_history_but_it_is_a_day(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(size=LIMITED), is_new=True)
    past(world, *((before + 1, sends) for before, sends in USUAL))
    past(world, (1, 50), is_released=False)
    quiet(world, DAY, range(1, 6))
    decide(world, DAY)
    verdict = judged(world)["size"]
    assert not verdict.is_open and verdict.allowed == 4, "else a stop would pass the next day"


# --- unsubscribes ---------------------------------------------------------------------------------


@pytest.fixture
def texted(warehouse: sa.Engine) -> World:
    """Ten contacts texted on DAY; four more are due two days later, when the stops are counted."""
    world = World(warehouse, policy_with(unsubscribes={"at_least": 10}), is_new=True)
    quiet(world, DAY, range(1, 11))
    decide(world, DAY)
    go(world)
    world.sql(
        "UPDATE outbox.message SET status = 'delivered', accepted_at = :at", at=world.at(DAY, 10)
    )
    quiet(world, DAY + timedelta(days=2), range(11, 15))
    return world


def suppress(world: World, contact_id: int, number: int | None, hour: float, **more: Any) -> None:
    values = {"reason": "opted_out", "lifted": None, **more}
    world.sql(
        "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since,"
        " lifted_at) VALUES (:id, :phone, 'sms', CAST(:reason AS core.suppression_reason),"
        " 'reply', :at, :lifted)",
        id=contact_id,
        phone=phone(number) if number else None,
        at=world.at(DAY, hour),
        **values,
    )


def test_stops_after_a_text_are_counted_by_contact_and_by_number(texted: World) -> None:
    world = texted
    suppress(world, 1, None, 11)
    suppress(world, 0, 2, 10)  # nobody's any more; at the very moment
    suppress(world, 3, None, 9)  # before the text
    suppress(world, 4, None, 11, lifted=world.at(DAY, 12))  # taken back
    suppress(world, 5, None, 11, reason="hard_bounce")
    later = DAY + timedelta(days=2)
    decide(world, later)
    for limit, is_open in ((0.2, True), (0.19, False)):
        world.policy = policy_with(unsubscribes={"at_least": 10, "max_opt_out_share": limit})
        verdict = judged(world, later)["unsubscribes"]
        assert (verdict.is_open, verdict.measured) == (is_open, 0.2)
        assert "2 of the 10 texts of the last 7 days" in verdict.said
    world.policy = policy_with(unsubscribes={"at_least": 11, "max_opt_out_share": 0})
    verdict = judged(world, later)["unsubscribes"]
    assert verdict.is_open and "under 11 texts say nothing" in verdict.said


@pytest.mark.parametrize(("over_days", "texts"), [(1, 0), (3, 10)])
def test_only_the_texts_taken_within_the_days_count(
    texted: World, over_days: int, texts: int
) -> None:
    # Taken on the day after DAY, which is the one before the day judged.
    world, later = texted, DAY + timedelta(days=3)
    past(world, (-2, 1))
    decide(world, later)
    world.policy = policy_with(unsubscribes={"over_days": over_days})
    assert f"of the {texts} texts" in judged(world, later)["unsubscribes"].said


def test_giving_up_half_of_a_base_is_seen(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(), is_new=True)
    quiet(world, DAY, range(1, 9))
    decide(world, DAY)

    def end(contact_id: int, days_before: int, outcome: str = "unsubscribed") -> None:
        world.sql(
            "INSERT INTO outcome.contact_outcome (contact_id, dormant_since, outcome, decided_on,"
            " steps_sent) VALUES (:id, :since, CAST(:outcome AS outcome.outcome), :on, 1)",
            id=contact_id,
            since=START,
            outcome=outcome,
            on=DAY - timedelta(days=days_before),
        )

    for contact_id in range(1, 4):
        end(contact_id, contact_id)  # close_after_days is 3
    end(4, 4)  # too long ago
    end(5, 0, "unreachable")
    end(6, 0)
    verdict = judged(world)["unsubscribes"]
    assert verdict.is_open and verdict.measured == 0.5, "4 of 8 are at the limit"
    end(7, 2)
    verdict = judged(world)["unsubscribes"]
    assert not verdict.is_open and "5 of 8 contacts were left to rest" in verdict.said
    with pytest.raises(DayStopped, match="max_given_up_share"):
        go(world)
    reasons = {row.reason for row in world.sql("SELECT reason FROM cohort.decision")}
    assert reasons == {"unsubscribes"}


def test_what_was_given_up_between_two_days_far_apart_is_seen(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(), is_new=True)
    past(world, (9, 1))
    quiet(world, DAY, range(1, 3))
    decide(world, DAY)
    for before in (12, 13):  # close_after_days is 3, and nothing went out in between
        world.sql(
            "INSERT INTO outcome.contact_outcome (contact_id, dormant_since, outcome, decided_on,"
            " steps_sent) VALUES (1, :since, 'unsubscribed', :on, 1)",
            since=START + timedelta(days=before),
            on=DAY - timedelta(days=before),
        )
    said = judged(world)["unsubscribes"].said
    since = day_text(DAY - timedelta(days=12))
    assert f"1 of 2 contacts were left to rest, without a click, since {since}" in said


def test_a_gate_does_not_open_by_being_closed_for_long(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(size={"at_least": 5}), is_new=True)
    past(world, *((before, 1) for before in range(70, 77)))  # what is usual is long ago
    past(world, *((before, 40) for before in range(1, 70)), is_released=False)
    quiet(world, DAY, range(1, 11))
    decide(world, DAY)
    with pytest.raises(DayStopped, match=rf"Nothing of {DAY} is sent\. 10 are .* 10\.0 times"):
        go(world)


def test_stops_stay_in_sight_while_nothing_goes_out(texted: World) -> None:
    for contact_id in range(1, 9):
        texted.stop(contact_id, texted.at(DAY, 20))
    later = DAY + timedelta(days=40)
    past(texted, *((-days, 9) for days in range(1, 40)), is_released=False)
    decide(texted, later)
    texted.policy = policy_with(unsubscribes={"at_least": 5, "max_opt_out_share": 0.5})
    assert not judged(texted, later)["unsubscribes"].is_open


def test_that_too_many_leave_is_told_on_a_day_without_texts(warehouse: sa.Engine) -> None:
    closed = [
        Verdict("unsubscribes", False, 0.9, 0.5, "too many"),
        Verdict("size", False, 9, 1, ""),
    ]
    assert gates.rule(policy_with(), closed, 0) == "stop"
    assert gates.rule(policy_with(approval="anomaly"), closed, 0) == "ask"
    assert gates.rule(policy_with(), closed[1:], 0) == "send"


def test_drafts_that_no_task_queued_are_due_again(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(), is_new=True)
    quiet(world, DAY, range(1, 4))
    decide(world, DAY)
    assert go(world).is_released
    world.load(DAY + timedelta(days=1))
    assert decide(world, DAY + timedelta(days=1)).sends() == {"survey": 3}
    rows = world.sql(
        "SELECT DISTINCT as_of, CAST(action AS text), CAST(reason AS text) FROM cohort.decision"
        " ORDER BY 1"
    )
    assert [tuple(row[1:]) for row in rows] == [("hold", "approval"), ("send", "due")]


def test_a_stopped_coupon_is_worth_nothing(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(size={"at_most": 1}), is_new=True)
    quiet(world, DAY, range(1, 4), days=9)
    assert decide(world, DAY).sends() == {"coupon": 3}
    with pytest.raises(DayStopped):
        go(world)
    world.load(DAY + timedelta(days=1))
    decide(world, DAY + timedelta(days=1))
    for table in ("coupon", "link"):
        rows = world.sql(
            f"SELECT count(*), count(DISTINCT message_id),"
            " bool_and(position(code IN (SELECT string_agg(body, ' ') FROM outbox.message)) > 0)"
            f" FROM outbox.{table}"
        )
        assert tuple(rows[0]) == (3, 3, True), table


# --- budget ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("span", ["day", "month"])
@pytest.mark.parametrize(("unit", "limit"), [("segments", 5), ("money", 0.04)])
def test_a_budget_is_used_up_and_not_exceeded(
    warehouse: sa.Engine, span: str, unit: str, limit: float
) -> None:
    world = World(warehouse, policy_with(budget={span: {unit: limit}}), is_new=True)
    quiet(world, DAY, range(1, 6))
    decide(world, DAY)
    verdict = judged(world)["budget"]
    assert (verdict.is_open, verdict.measured, verdict.allowed) == (True, limit, limit)
    less = {"segments": 4, "money": 0.039}[unit]
    world.policy = policy_with(budget={span: {unit: less}})
    verdict = judged(world)["budget"]
    assert not verdict.is_open and f"gates.budget.{span}.{unit}" in verdict.said


def test_the_month_counts_what_went_out_or_still_may(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(budget={"month": {"money": 100.0}}), is_new=True)
    quiet(world, DAY, range(1, 9))
    decide(world, DAY)
    go(world)

    def become(contact_id: int, status: str, price: float | None = None, **more: Any) -> None:
        world.sql(
            "UPDATE outbox.message SET status = CAST(:status AS outbox.message_status),"
            " price = :price, currency = :currency, as_of = :day WHERE contact_id = :id",
            id=contact_id,
            status=status,
            price=price,
            **{"currency": "USD", "day": DAY, **more},
        )

    become(1, "queued")  # 0.008, as expected
    become(2, "delivered", 1)
    become(3, "unknown", 2)
    become(4, "accepted", 500, currency="IDR")  # 0.008
    become(5, "rejected", 500)
    become(6, "cancelled", 500)
    become(7, "delivered", 500, day=date(1998, 1, 31))
    become(8, "delivered", 4, day=date(1998, 2, 1))
    later = DAY + timedelta(days=2)
    quiet(world, later, range(9, 10))
    decide(world, later)
    verdict = judged(world, later)["budget"]
    assert verdict.measured == 7.024
    told = "The day takes 1 SMS segment for 0.01 USD, the month with it 6 SMS segments"
    assert told in verdict.said


# --- what becomes of the day ----------------------------------------------------------------------


def test_a_day_with_open_gates_goes_out_once(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(), is_new=True)
    quiet(world, DAY, range(1, 4))
    with pytest.raises(ReengageError, match="not decided yet"):
        go(world)
    decide(world, DAY)
    with pytest.raises(SendRefused, match=r"3 drafts of survey .* not let go"):
        release.release(warehouse, world.policy, DAY, "survey", world.clock())
    first = go(world)
    assert (first.is_released, first.sends) == (True, {"survey": 3})
    assert release.release(warehouse, world.policy, DAY, "survey", world.clock()) == 3
    before = world.sql("SELECT * FROM cohort.day"), world.sql("SELECT * FROM cohort.gate")
    # Another policy does not bring it back.
    world.policy = policy_with(budget={"day": {"segments": 0}})
    world.clock.move_to(world.at(DAY, 12))
    again = go(world)
    assert again.is_released and {v.gate: v for v in again.verdicts} == {
        v.gate: v for v in first.verdicts
    }
    assert before == (world.sql("SELECT * FROM cohort.day"), world.sql("SELECT * FROM cohort.gate"))
    assert release.release(warehouse, world.policy, DAY, "survey", world.clock()) == 0


def test_a_stopped_day_is_decided_again_the_next_and_both_arms_fare_alike(
    warehouse: sa.Engine,
) -> None:
    closed = policy_with(budget={"day": {"segments": 3}}, control_share=0.4)
    world = World(warehouse, closed, is_new=True)
    quiet(world, DAY, range(1, 31))
    drawn = decide(world, DAY)
    assert {action for _, action, _ in drawn.contacts} == {"send", "hold"}
    with pytest.raises(DayStopped, match=r"budget\.day\.segments allows 3 SMS segments") as first:
        go(world)
    held = {("survey", "hold", "budget"): 30}
    with warehouse.connect() as connection:
        assert cohort.counts(connection, DAY).contacts == held
    assert statuses(world).keys() == {"cancelled"}
    used_up = "done_steps <> '{}' OR last_sent_on IS NOT NULL OR first_eligible_on IS NOT NULL"
    assert world.sql(f"SELECT 1 FROM cohort.episode WHERE {used_up}") == []
    assert release.release(warehouse, world.policy, DAY, "survey", world.clock()) == 0
    # Again, with enough money now: it is over all the same.
    world.policy = policy_with(control_share=0.4)
    with pytest.raises(DayStopped) as again:
        go(world)
    assert str(again.value) == str(first.value)
    with warehouse.connect() as connection:
        assert cohort.counts(connection, DAY).contacts == held

    later = DAY + timedelta(days=1)
    world.load(later)
    assert decide(world, later).contacts == drawn.contacts, "the same people in the same arms"
    go(world, later)
    sends = drawn.contacts["survey", "send", "due"]
    assert release.release(warehouse, world.policy, later, "survey", world.clock()) == sends
    assert statuses(world) == {"queued": sends}, "one message each, under its one key"
    world.load(later + timedelta(days=1))
    assert decide(world, later + timedelta(days=1)).contacts == {}


@pytest.mark.parametrize("is_closed", [False, True])
def test_of_two_gates_at_once_one_decides(warehouse: sa.Engine, is_closed: bool) -> None:
    policy = policy_with(budget={"day": {"segments": 0 if is_closed else 99}})
    world = World(warehouse, policy, is_new=True)
    quiet(world, DAY, range(1, 21))
    decide(world, DAY)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(go, world) for _ in range(2)]
        errors = [future.exception(60) for future in both]
    if is_closed:
        assert str(errors[0]) == str(errors[1]) and isinstance(errors[0], DayStopped)
    else:
        assert errors == [None, None]
    assert world.sql("SELECT count(*) FROM cohort.gate")[0][0] == 3
    assert statuses(world) == {"cancelled" if is_closed else "draft": 20}


def test_killed_in_the_middle_of_a_stop_nothing_has_happened(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(warehouse, policy_with(budget={"day": {"segments": 0}}), is_new=True)
    quiet(world, DAY, range(1, 4))
    decide(world, DAY)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(episode, "advance", killed)
        go(world)
    assert statuses(world) == {"draft": 3} and gates.waits(warehouse, DAY)
    assert world.sql("SELECT 1 FROM cohort.gate") == []
    with pytest.raises(DayStopped):
        go(world)
    assert statuses(world) == {"cancelled": 3} and not gates.waits(warehouse, DAY)


# --- a person -------------------------------------------------------------------------------------


def test_every_day_on_which_something_is_sent_is_asked_about(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(approval="always"), is_new=True)
    world.load(DAY)
    decide(world, DAY)
    assert go(world).is_released, "of nobody nothing is asked"
    later = DAY + timedelta(days=1)
    quiet(world, later, range(1, 4))
    decide(world, later)
    with pytest.raises(ReengageError, match="gates were not asked"):
        gates.approved(warehouse, later, "ann", world.clock())
    for _ in range(2):
        assert not go(world, later).is_released
    assert gates.waits(warehouse, later) and statuses(world) == {"draft": 3}
    for who in ("ann", "bob"):
        assert gates.approved(warehouse, later, who, world.clock()) == {"survey": 3}
    assert go(world, later).is_released
    rows = world.sql("SELECT is_open, said FROM cohort.gate WHERE gate = 'approval'")
    assert [tuple(row) for row in rows] == [(True, "Approved by ann.")]
    with pytest.raises(ReengageError, match="let go before"):
        gates.turned_down(warehouse, world.policy, later, "bob", world.clock())
    assert release.release(warehouse, world.policy, later, "survey", world.clock()) == 3


@pytest.mark.parametrize(
    ("by", "said"), [("ann", "Turned down by ann."), (None, "Nobody answered within 12 hours.")]
)
def test_a_day_that_is_not_approved_is_over(
    warehouse: sa.Engine, by: str | None, said: str
) -> None:
    world = World(warehouse, policy_with(approval="always"), is_new=True)
    quiet(world, DAY, range(1, 4))
    decide(world, DAY)
    go(world)
    for who in (by, "bob"):
        gates.turned_down(warehouse, world.policy, DAY, who, world.clock())
    assert statuses(world) == {"cancelled": 3}
    assert {r.reason for r in world.sql("SELECT reason FROM cohort.decision")} == {"approval"}
    with pytest.raises(DayStopped, match=said):
        gates.approved(warehouse, DAY, "ann", world.clock())
    with pytest.raises(DayStopped, match=said):
        go(world)
    world.load(DAY + timedelta(days=1))
    assert decide(world, DAY + timedelta(days=1)).sends() == {"survey": 3}


def test_an_anomaly_asks_and_an_empty_budget_stops(warehouse: sa.Engine) -> None:
    asking = policy_with(size={"at_most": 2}, approval="anomaly")
    world = World(warehouse, asking, is_new=True)
    quiet(world, DAY, range(1, 3))
    decide(world, DAY)
    assert go(world).is_released
    release.release(warehouse, world.policy, DAY, "survey", world.clock())
    later = DAY + timedelta(days=1)
    quiet(world, later, range(3, 6))
    decide(world, later)
    passage = go(world, later)
    assert not passage.is_released
    (size,) = (v for v in passage.verdicts if v.gate == "size")
    assert "3 are to be written to" in size.said and "approve" in size.said
    world.policy = policy_with(
        size={"at_most": 2}, budget={"day": {"money": 0.0}}, approval="anomaly"
    )
    with pytest.raises(DayStopped, match=r"budget\.day\.money allows 0\.00 USD"):
        go(world, later)
    reasons = world.sql("SELECT DISTINCT reason FROM cohort.decision WHERE as_of = :d", d=later)
    assert [row.reason for row in reasons] == ["budget"]


def test_a_day_left_waiting_is_given_up_when_the_next_is_decided(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(approval="always"), is_new=True)
    quiet(world, DAY, range(1, 4))
    decide(world, DAY)
    go(world)
    later = DAY + timedelta(days=1)
    world.load(later)
    assert decide(world, later).sends() == {"survey": 3}
    with pytest.raises(DayStopped, match="Nobody let it go before the next day was decided"):
        gates.approved(warehouse, DAY, "ann", world.clock())
    assert statuses(world) == {"draft": 3}
    assert world.sql("SELECT DISTINCT as_of FROM outbox.message") == [(later,)]


def test_a_yes_and_a_no_at_once_are_one_answer(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(approval="always"), is_new=True)
    quiet(world, DAY, range(1, 4))
    decide(world, DAY)
    go(world)
    now = world.clock()
    with ThreadPoolExecutor(2) as pool:
        yes = pool.submit(gates.approved, warehouse, DAY, "ann", now).exception
        no = pool.submit(gates.turned_down, warehouse, world.policy, DAY, "bob", now).exception
        errors = [yes(60), no(60)]
    assert sum(error is None for error in errors) == 1
    assert statuses(world) == {"draft" if errors[0] is None else "cancelled": 3}
    assert world.sql("SELECT count(*) FROM cohort.gate WHERE gate = 'approval'")[0][0] == 1
