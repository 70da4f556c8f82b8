"""The measured effect: who counts, in which group, and what is said, against a plain count."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from model import in_control
from world import START, Load, World, small_policy

from reengage import db
from reengage.journey import cohort
from reengage.outcome import effect, intervals, outcomes
from reengage.outcome.intervals import Plan
from reengage.policy import Effect, Policy

LONG_AGO = START - timedelta(days=400)
EFFECT = Effect(winsorise=0, detect=0.2, base=0.3)


def policy(**changes: Any) -> Policy:
    values: dict[str, Any] = {"attribution_days": 2, "control_share": 0.3, "effect": EFFECT}
    return small_policy(**values | changes)


@dataclass(frozen=True)
class Unit:
    """A contact as it was drawn, by a plain reading of what was decided and done."""

    arm: str
    eligible_on: date
    step: str
    is_returned: bool
    revenue: int


def drawn(world: World, window_days: int, since: date = START) -> dict[int, Unit]:
    """Everybody's first decision that would have sent something since a day, by the model."""
    found: dict[int, Unit] = {}
    decisions = [d for e in world.model.episodes.values() for d in e.decisions]
    for decision in sorted(decisions, key=lambda d: d.as_of):
        if decision.as_of < since or decision.reason not in ("due", "control"):
            continue
        who, end = decision.contact_id, decision.as_of + timedelta(days=window_days)
        done = [
            i
            for i in world.model.interactions.values()
            if i.contact_id == who
            and decision.as_of < i.on <= end
            and i.kind in world.policy.signals
        ]
        found.setdefault(
            who,
            Unit(
                "control" if decision.reason == "control" else "treatment",
                decision.as_of,
                decision.step,
                bool(done),
                sum(i.amount for i in done),
            ),
        )
    return found


def over(units: dict[int, Unit], window_days: int, through: date) -> dict[int, Unit]:
    return {
        who: unit
        for who, unit in units.items()
        if unit.eligible_on + timedelta(days=window_days) <= through
    }


def effects(world: World, where: str = "dimension = 'all'") -> dict[str, Any]:
    rows = world.sql(f"SELECT * FROM outcome.effect WHERE {where}")
    return {row.estimand: row for row in rows}


class Shop:
    """Random days of contacts who go quiet, come back, say stop, or are written to on one phone."""

    PEOPLE = range(1, 81)

    def __init__(self, engine: sa.Engine, seed: int, policy: Policy) -> None:
        self.world, self.dice = World(engine, policy), Random(seed)
        self.day = START - timedelta(days=1)

    def _fill(self, load: Load) -> None:
        for who in self.PEOPLE:
            begins = START + timedelta(days=who % 20)
            if begins == self.day:
                load.contact(who, who // 2 if who % 10 == 0 else 100 + who)
                load.consent(who, self.world.at(LONG_AGO, 0))
                load.interaction(who, self.day - timedelta(days=self.dice.randint(0, 3)))
            elif begins < self.day and self.dice.random() < 0.05:
                late = self.dice.choice([0, 0, 0, 1, 4])
                kind = self.dice.choice(["purchase", "visit"])
                load.interaction(who, self.day - timedelta(days=late), kind)

    def next(self, *, is_stopped: bool = False) -> None:
        self.day += timedelta(days=1)
        self.world.load(self.day, self._fill)
        for who in self.world.contacts:
            if self.dice.random() < 0.003:
                self.world.stop(who, self.world.at(self.day, 9))
        self.world.decide(self.day, let_go=not is_stopped)
        if is_stopped:
            self.world.write(self.day)
            self.world.stop_day(self.day, "size")
        for key, message in self.world.model.messages.items():
            if message.status == "queued":
                fate = self.dice.choice(["delivered", "delivered", "undelivered"])
                self.world.fate(key, fate, self.world.at(self.day, 11))
        self.world.write(self.day)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_counts_and_what_they_did_is_a_plain_count_of_the_randomised(
    warehouse: sa.Engine, seed: int
) -> None:
    shop = Shop(warehouse, seed, policy())
    world = shop.world
    for day in range(24):
        shop.next(is_stopped=day in (7, 8))
    days = {"ladder": world.policy.horizon_days, "first_step": 2}
    assert days["ladder"] == 9
    for estimand, window in days.items():
        expected = drawn(world, window)
        mature = over(expected, window, shop.day)
        assert len(expected) > len(mature) > 30
        found = world.sql(
            "SELECT contact_id, arm, eligible_on, step, is_returned, revenue FROM outcome.unit"
            " WHERE estimand = CAST(:estimand AS outcome.estimand) AND is_over",
            estimand=estimand,
        )
        assert {row.contact_id: Unit(*row[1:]) for row in found} == mature
        told = effects(world)[estimand]
        arms = {
            arm: [u for u in mature.values() if u.arm == arm] for arm in ("treatment", "control")
        }
        counts = [
            count
            for units in arms.values()
            for count in (len(units), sum(unit.is_returned for unit in units))
        ]
        assert [told.treated, told.treated_returned, told.control, told.control_returned] == counts
        assert told.difference == pytest.approx(counts[1] / counts[0] - counts[3] / counts[2])
        fixed = intervals.newcombe(*counts)
        assert (told.ci_low, told.ci_high) == pytest.approx((fixed.low, fixed.high))
        always = intervals.always_valid(*counts, Plan(0.2, 0.8))
        assert (told.always_low is None) == (always is None)
        assert told.treated_revenue == sum(u.revenue for u in arms["treatment"])
        assert told.control_revenue == sum(u.revenue for u in arms["control"])
        assert all(
            (unit.arm == "control") == in_control(world.policy, who)
            for who, unit in expected.items()
        )
    experiment = world.sql("SELECT * FROM outcome.experiment")[0]
    ladder = drawn(world, 9)
    control = sum(unit.arm == "control" for unit in ladder.values())
    assert (experiment.drawn_control, experiment.drawn_treated) == (control, len(ladder) - control)
    assert experiment.open_units == len(ladder) - len(over(ladder, 9, shop.day))
    assert experiment.ratio_p > intervals.UNEVEN


def test_the_slices_of_a_dimension_are_all_contacts(warehouse: sa.Engine) -> None:
    shop = Shop(warehouse, 4, policy())
    for _ in range(24):
        shop.next()
    world = shop.world
    sums = {
        row.dimension: tuple(row)[1:]
        for row in world.sql(
            "SELECT dimension, sum(treated) AS treated, sum(control) AS control,"
            " sum(treated_returned) AS returned FROM outcome.effect WHERE estimand = 'ladder'"
            " AND dimension <> 'planned' GROUP BY dimension"
        )
    }
    assert sums.keys() == {"all", "step", "class", "language", "month"}
    whole = effects(world)["ladder"]
    assert sums["all"] == (whole.treated, whole.control, whole.treated_returned)
    # A slice without anybody in one of the groups says nothing, and is left out.
    assert sums["class"] == sums["language"] == sums["all"]
    assert all(
        row.always_low is None
        for row in world.sql("SELECT always_low FROM outcome.effect WHERE dimension <> 'all'")
    )


def quiet(load: Load, world: World, people: range, since: date = START) -> None:
    """Contacts who went quiet three days ago: all are due on the day."""
    for who in people:
        load.contact(who, who)
        load.consent(who, world.at(LONG_AGO, 0))
        load.interaction(who, since - timedelta(days=3))


def test_a_contact_counts_once_however_often_it_goes_quiet(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy(repeat_after_days=1))
    world.load(START, lambda load: quiet(load, world, range(1, 31)))
    world.decide(START)
    world.write(START)
    back, again = START + timedelta(days=4), START + timedelta(days=7)
    world.load(back, lambda load: [load.interaction(who, back) for who in range(1, 31)] and None)
    world.decide(back)
    world.write(back)
    world.load(again)
    assert world.decide(again).sends()
    world.write(again)
    rows = world.sql("SELECT count(*), max(eligible_on) FROM outcome.eligible")
    assert tuple(rows[0]) == (30, START)
    world.load(START + timedelta(days=20))
    world.decide(START + timedelta(days=20))
    world.write(START + timedelta(days=20))
    told = effects(world)
    assert told["first_step"].treated_returned == told["first_step"].control_returned == 0
    ladder = told["ladder"]
    assert ladder.treated_returned == ladder.treated
    assert ladder.control_returned == ladder.control
    # The second text of the ladder's window is part of what it cost.
    assert ladder.control_cost == 0


def test_another_salt_begins_anew_and_leaves_whoever_is_on_their_way(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy(gap_days=0))
    world.load(START, lambda load: quiet(load, world, range(1, 31)))
    world.decide(START)
    world.write(START)
    autumn = world.policy.control.model_copy(update={"salt": "autumn"})
    world.follow(world.policy.model_copy(update={"control": autumn}))
    later = START + timedelta(days=3)
    world.load(later, lambda load: quiet(load, world, range(31, 61), later))
    assert world.decide(later).contacts.keys() >= {("contest", "send", "due")}
    world.write(later)
    rows = world.sql("SELECT salt, array_agg(contact_id) FROM outcome.eligible GROUP BY salt")
    assert {row[0]: set(row[1]) for row in rows} == {
        "spring": set(range(1, 31)),
        "autumn": set(range(31, 61)),
    }
    experiments = world.sql("SELECT salt, began_on FROM outcome.experiment ORDER BY salt")
    assert [tuple(row) for row in experiments] == [("autumn", later), ("spring", START)]


def test_what_stands_in_the_way_of_texts_alone_moves_nobody_out(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy())
    world.load(START, lambda load: quiet(load, world, range(1, 41)))
    world.decide(START)
    treated = [who for who in range(1, 41) if not in_control(world.policy, who)]
    for who, reason in zip(
        treated, ("stock", "template", "approval", "unread_reply"), strict=False
    ):
        world.sql(
            "UPDATE cohort.decision SET action = 'hold',"
            " reason = CAST(:reason AS cohort.reason), is_final = FALSE WHERE contact_id = :who",
            who=who,
            reason=reason,
        )
    outcomes.write(world.engine, world.policy, START, world.clock)
    rows = world.sql("SELECT contact_id FROM outcome.eligible WHERE arm = 'treatment'")
    assert sorted(row.contact_id for row in rows) == treated


def test_a_day_that_is_stopped_draws_nobody(warehouse: sa.Engine) -> None:
    """Not even those for whom no text could be made: in the control group there are none such."""
    world = World(warehouse, policy())
    world.load(START, lambda load: quiet(load, world, range(1, 41)))
    world.decide(START, let_go=False)
    world.sql(
        "UPDATE cohort.decision SET action = 'hold', reason = 'template', is_final = FALSE"
        " WHERE action = 'send' AND contact_id < 20"
    )
    outcomes.write(world.engine, world.policy, START, world.clock)
    drawn_so_far = "SELECT count(*) FROM outcome.eligible"
    assert world.sql(drawn_so_far)[0][0] == 40
    with world.engine.begin() as connection:
        cohort.stop(connection, world.policy, START, "size", world.clock())
    assert world.sql(drawn_so_far)[0][0] == 0
    outcomes.write(world.engine, world.policy, START, world.clock)
    assert world.sql(drawn_so_far)[0][0] == 0


def test_the_plan_is_settled_when_it_begins_and_its_contacts_are_compared_once(
    warehouse: sa.Engine,
) -> None:
    world = World(warehouse, policy(effect=Effect(base=0.3, detect=0.5)))
    world.load(START, lambda load: quiet(load, world, range(1, 61)))
    world.decide(START)
    world.write(START)
    world.follow(policy(effect=Effect(base=0.1, detect=0.01), attribution_days=30))
    end = START + timedelta(days=9)
    world.load(end, lambda load: [load.interaction(who, end) for who in range(1, 31)] and None)
    world.decide(end)
    world.write(end)
    plan = world.sql("SELECT * FROM outcome.experiment")[0]
    assert (plan.detect, plan.base, plan.attribution_days) == (0.5, 0.3, 2)
    assert plan.planned_units == intervals.planned_size(0.3, 0.3, Plan(0.5, 0.8)) < 60
    assert plan.planned_through == START
    planned = effects(world, "dimension = 'planned'")["ladder"]
    assert planned.treated + planned.control == 60
    assert planned.treated_returned + planned.control_returned == 30
    assert planned.always_low is None
    # What comes late still counts among all, and not in what was to be looked at once.
    later = end + timedelta(days=1)
    world.load(later, lambda load: [load.interaction(who, end) for who in (40, 41)] and None)
    world.decide(later)
    world.write(later)
    assert effects(world, "dimension = 'planned'")["ladder"] == planned
    whole = effects(world)["ladder"]
    assert whole.treated_returned + whole.control_returned == 32


def test_phones_in_both_groups_are_counted(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy())
    arms = {who: in_control(world.policy, who) for who in range(1, 41)}
    held = next(who for who, is_control in arms.items() if is_control)
    sent = next(who for who, is_control in arms.items() if not is_control)
    world.load(START, lambda load: quiet(load, world, range(1, 41)))
    world.decide(START)
    world.write(START)
    mixed = "SELECT mixed_phones FROM outcome.experiment"
    assert world.sql(mixed)[0][0] == 0
    world.sql(
        "UPDATE core.contact SET merged_into = :sent WHERE contact_id = :held", sent=sent, held=held
    )
    world.write(START)
    assert world.sql(mixed)[0][0] == 1
    arm = "SELECT CAST(arm AS text) FROM outcome.eligible WHERE contact_id = :held"
    assert world.sql(arm, held=held)[0][0] == "control"


def test_money_is_of_one_currency_and_the_largest_is_cut_down(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy(effect=Effect(winsorise=0.02, base=0.3)))
    world.load(START, lambda load: quiet(load, world, range(1, 61)))
    world.decide(START)
    day = START + timedelta(days=1)

    def fill(load: Load) -> None:
        for who in range(1, 11):
            load.interaction(who, day)
        load._sql("UPDATE core.interaction SET amount = 1000 WHERE contact_id = 1 AND amount > 0")
        load._sql("UPDATE core.interaction SET currency = 'EUR' WHERE contact_id = 2")

    world.load(day, fill)
    for later in (day, START + timedelta(days=9)):
        if later > day:
            world.load(later)
        world.decide(later)
        world.write(later)
    told = effects(world)["ladder"]
    assert told.treated_revenue + told.control_revenue == 1000 + 8 * 7
    # Contact 1 has spent as much before, and 2 in another currency.
    known = "SELECT contact_id, purchases_before, spent_before FROM outcome.eligible"
    assert {row.contact_id: tuple(row)[1:] for row in world.sql(known)} == {
        who: (1, {1: 1000, 2: 0}.get(who, 7)) for who in range(1, 61)
    }
    assert told.revenue_cap == 7
    spent = {True: 0, False: 0}
    for who in range(1, 11):
        spent[in_control(world.policy, who)] += 0 if who == 2 else 7
    assert told.revenue_difference == pytest.approx(
        spent[False] / told.treated - spent[True] / told.control
    )


@pytest.mark.parametrize("amounts", ["paid", "full"])
def test_what_coupons_took_off_is_a_cost_beside_the_texts(
    warehouse: sa.Engine, amounts: str
) -> None:
    """By percent and by value; not of an order that was given back."""
    world = World(
        warehouse,
        policy(
            ladder={"coupon": 3},
            control_share=0.4,
            effect=Effect(winsorise=0, detect=0.2, base=0.3, amounts=amounts),
        ),
    )
    people = range(1, 61)
    world.load(START, lambda load: quiet(load, world, people))
    world.decide(START)
    world.write(START)
    back = START + timedelta(days=1)
    texted = [who for who in people if not in_control(world.policy, who)]
    world.load(back, lambda load: [load.interaction(who, back) for who in people] and None)
    # Each spent 7, of whom: a third by a coupon of 20 percent, a third by one of 3, a third none.
    world.sql("UPDATE outbox.message SET accepted_at = status_at")
    for who in texted:
        kind, value = {0: ("percent", 20), 1: ("value", 3)}.get(who % 3, (None, None))
        if kind:
            world.sql(
                "UPDATE core.interaction SET coupon_code = (SELECT code FROM outbox.coupon WHERE"
                " contact_id = :who) WHERE contact_id = :who AND occurred_on = :back",
                who=who,
                back=back,
            )
            world.sql(
                "UPDATE outbox.coupon SET kind = CAST(:kind AS outbox.coupon_kind), value = :value,"
                " redeemed_at = (SELECT occurred_at FROM core.interaction WHERE contact_id = :who"
                " AND occurred_on = :back) WHERE contact_id = :who",
                who=who,
                kind=kind,
                value=value,
                back=back,
            )
    given_back = next(who for who in texted if who % 3 == 1)
    world.sql(
        "UPDATE core.interaction SET is_settled = TRUE WHERE contact_id = :who"
        " AND occurred_on = :back",
        who=given_back,
        back=back,
    )
    end = START + timedelta(days=10)
    world.load(end)
    world.decide(end)
    world.write(end)
    off = {0: 7 * 0.25 if amounts == "paid" else 7 * 0.2, 1: 3.0, 2: 0.0}
    took_off = sum(off[who % 3] for who in texted if who != given_back)
    told = effects(world)["ladder"]
    assert float(told.treated_discount) == pytest.approx(took_off)
    assert told.control_discount == 0
    each = took_off / len(texted)
    net = told.revenue_difference - (each if amounts == "full" else 0)
    assert told.net_revenue_difference == pytest.approx(net)
    assert told.net_revenue_low < told.net_revenue_difference < told.net_revenue_high
    # Everybody came back: nobody because of the texts, so no return has a cost.
    assert told.outlay_per_incremental_return is None
    world.sql("UPDATE outcome.eligible SET returned_on = NULL WHERE arm = 'control'")
    with world.engine.begin() as connection:
        effect.compare(connection, "salt:spring", end, world.clock())
    told = effects(world)["ladder"]
    more = told.outlay_per_incremental_return - told.cost_per_incremental_return
    assert more == pytest.approx(each)
    assert told.outlay_low < told.outlay_per_incremental_return < told.outlay_high


def test_days_from_before_the_word_was_kept_count_where_their_policy_is_known(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]],
) -> None:
    now = policy()
    with new_warehouse("0039") as engine:
        with engine.begin() as connection:
            for day, version in enumerate(("an older one", now.version)):
                connection.execute(
                    sa.text(
                        "INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id)"
                        " VALUES (:as_of, :version, :as_of, 0)"
                    ),
                    {"as_of": START + timedelta(days=day), "version": version},
                )
            # Day 0: 1 and 2. Day 1: 2 for the second time, 3 and 4 for the first.
            for who, day, reason in (
                (1, 0, "due"),
                (2, 0, "control"),
                (2, 1, "control"),
                (3, 1, "due"),
                (4, 1, "control"),
            ):
                binds = {"who": who, "day": START + timedelta(days=day), "since": LONG_AGO}
                connection.execute(
                    sa.text(
                        "INSERT INTO core.contact (contact_id, first_source,"
                        " first_source_contact_id, status, first_seen_on) VALUES (:who, 'crm',"
                        " CAST(:who AS text), 'active', :day) ON CONFLICT DO NOTHING"
                    ),
                    binds,
                )
                connection.execute(
                    sa.text(
                        "INSERT INTO cohort.episode (contact_id, dormant_since, opened_on)"
                        " VALUES (:who, :since, :day) ON CONFLICT DO NOTHING"
                    ),
                    binds,
                )
                connection.execute(
                    sa.text(
                        "INSERT INTO cohort.decision (as_of, contact_id, dormant_since,"
                        " inactive_days, step, prior_sends, prior_opens, action, reason,"
                        " policy_version) VALUES (:day, :who, :since, 400, 'survey', 0, 0,"
                        " CAST(:action AS cohort.action), CAST(:reason AS cohort.reason), '')"
                    ),
                    binds | {"action": "send" if reason == "due" else "hold", "reason": reason},
                )
        db.migrate(engine)
        with engine.connect() as connection:
            days = "SELECT as_of, control_salt, control_share FROM cohort.day ORDER BY as_of"
            assert connection.exec_driver_sql(days).all()[0][1:] == (None, None)
            connection.rollback()
            world = World(engine, now, is_new=True)
            world.clock.move_to(world.at(START + timedelta(days=1), 22))
            outcomes.write(engine, now, START + timedelta(days=1), world.clock)
            told = [tuple(row) for row in connection.exec_driver_sql(days)]
            assert [row[1:] for row in told] == [(None, None), ("spring", 0.3)]
            rows = connection.exec_driver_sql(
                "SELECT contact_id, CAST(arm AS text) FROM outcome.eligible ORDER BY contact_id"
            )
            assert [tuple(row) for row in rows] == [(3, "treatment"), (4, "control")]


def test_what_was_told_before_discounts_were_counted_stays(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]],
) -> None:
    with new_warehouse("0051") as engine:
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO outcome.experiment (experiment, salt, control_arm, began_on,"
                    " currency, horizon_days, attribution_days, detect, power, winsorise)"
                    " VALUES ('salt:spring', 'spring', 'control', :day, 'USD', 9, 2, 0.2, 0.8, 0)"
                ),
                {"day": START},
            )
            connection.execute(
                sa.text(
                    "INSERT INTO outcome.effect (experiment, estimand, arm, step, dimension, value,"
                    " from_as_of, to_as_of, treated, control, treated_returned, control_returned,"
                    " difference, ci_low, ci_high, wald_low, wald_high, incremental_returns,"
                    " treated_revenue, control_revenue, revenue_difference, incremental_revenue,"
                    " treated_cost, control_cost) VALUES ('salt:spring', 'ladder', 'treatment', '',"
                    " 'planned', '', :day, :day, 9, 1, 3, 0, 0.3, 0, 1, 0, 1, 3, 0, 0, 0, 0, 0, 0)"
                ),
                {"day": START},
            )
        db.migrate(engine)
        with engine.connect() as connection:
            (row,) = connection.exec_driver_sql("SELECT * FROM outcome.effect").all()
            assert (row.treated, row.treated_discount, row.net_revenue_difference) == (9, 0, None)
            amounts = connection.exec_driver_sql("SELECT amounts FROM outcome.experiment")
            assert amounts.scalar_one() == "paid"
