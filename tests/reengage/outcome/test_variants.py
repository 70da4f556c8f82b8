"""Two texts or offers of one step: who is drawn into which, and what one brings by the other."""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from model import in_control
from test_effect import EFFECT, LONG_AGO, policy, quiet
from world import START, World

from reengage import db
from reengage.journey import cohort, preview
from reengage.outcome import effect, intervals, outcomes
from reengage.policy import Policy, Step

PAIR = {"a": "survey.txt", "b": {"template": "contest.txt", "share": 0.3}}
DRAW = "survey/a/b"
EXPERIMENT = f"salt:spring:{DRAW}"
PEOPLE = range(1, 121)


def of(pair: Any, **changes: Any) -> Policy:
    """The small policy, its survey in two versions."""
    small = policy(**changes)
    survey, *others = small.steps
    step = Step.model_validate({**survey.model_dump(), "template": pair})
    return small.model_copy(update={"steps": (step, *others)})


def drawn(who: int, share: float, draw: str = DRAW, salt: str = "spring") -> str:
    """The variant by the rule: b to a share of all, at the upper end of the hash."""
    first, second = draw.split("/")[1:]
    word = f"{salt}:{draw}:crm:{who}"
    place = int(hashlib.md5(word.encode()).hexdigest()[:8], 16) / 2**32
    return second if place >= 1 - share else first


def begin(warehouse: sa.Engine, pair: Any = PAIR, **changes: Any) -> World:
    """A day on which all are due for the survey."""
    world = World(warehouse, of(pair, **changes))
    world.load(START, lambda load: quiet(load, world, PEOPLE))
    world.decide(START)
    world.write(START)
    return world


def variants(world: World) -> dict[int, str | None]:
    """By contact, of the latest decision that has one."""
    rows = world.sql(
        "SELECT contact_id, variant FROM cohort.decision WHERE variant IS NOT NULL ORDER BY as_of"
    )
    return {row.contact_id: row.variant for row in rows}


# --- the draw -------------------------------------------------------------------------------------


def test_the_draw_is_the_rule_whatever_group_chance_gives(warehouse: sa.Engine) -> None:
    world = begin(warehouse)
    found = variants(world)
    assert found == {who: drawn(who, 0.3) for who in PEOPLE}
    # Those held back are drawn as well, as both groups are.
    assert {found[who] for who in PEOPLE if in_control(world.policy, who)} == {"a", "b"}
    messages = world.sql("SELECT contact_id, variant, body FROM outbox.message")
    assert {row.contact_id: row.variant for row in messages} == {
        who: found[who] for who in PEOPLE if not in_control(world.policy, who)
    }
    assert {(row.variant, "enter" in row.body.lower()) for row in messages} == {
        ("a", False),
        ("b", True),
    }


@pytest.mark.parametrize("share", [0.5, 0.3, 0.05])
def test_variants_are_independent_of_the_control_group_and_as_large_as_said(share: float) -> None:
    """By the rule, which the test before holds the statement to."""
    from scipy import stats

    control = policy()
    counted = Counter((in_control(control, who), drawn(who, share)) for who in range(1, 60_001))
    table = [[counted[held, variant] for variant in "ab"] for held in (True, False)]
    assert stats.chi2_contingency(table).pvalue > 0.001
    of_b = counted[True, "b"] + counted[False, "b"]
    assert stats.binomtest(of_b, 60_000, share).pvalue > 0.001
    # Of another step, another salt and another pair likewise.
    for other in ({"draw": "coupon/a/b"}, {"salt": "autumn"}, {"draw": "survey/a/c"}):
        both = Counter((drawn(w, share), drawn(w, share, **other)[-1]) for w in range(1, 60_001))
        names = sorted({name for _, name in both})
        pairs = [[both[one, two] for two in names] for one in "ab"]
        assert stats.chi2_contingency(pairs).pvalue > 0.001


def test_a_contact_keeps_its_variant_and_another_pair_draws_anew(warehouse: sa.Engine) -> None:
    often = {"repeat_after_days": 1, "gap_days": 0}
    world = begin(warehouse, **often)
    before = variants(world)
    # The shares change within the salt; they come back, and go quiet once more.
    world.follow(of({"a": "survey.txt", "b": {"template": "contest.txt", "share": 0.9}}, **often))
    back, again = START + timedelta(days=1), START + timedelta(days=5)
    world.load(back, lambda load: [load.interaction(who, back) for who in PEOPLE] and None)
    world.decide(back)
    world.load(again)
    assert world.decide(again).sends()["survey"] > 50
    assert variants(world) == before
    world.write(again)
    # Who counts, counts as it was drawn first.
    rows = world.sql(
        "SELECT eligible_on, control_share FROM outcome.eligible WHERE draw = :d", d=DRAW
    )
    assert {tuple(row) for row in rows} == {(START, 0.7)}
    # Another name is another text, and another draw.
    world.follow(of({"a": "survey.txt", "c": "contest.txt"}, **often))
    back, again = again + timedelta(days=1), again + timedelta(days=6)
    world.load(back, lambda load: [load.interaction(who, back) for who in PEOPLE] and None)
    world.decide(back)
    world.load(again)
    world.decide(again)
    assert variants(world) == {who: drawn(who, 0.5, "survey/a/c") for who in PEOPLE}


def test_a_merge_changes_nobodys_variant(warehouse: sa.Engine) -> None:
    world = begin(warehouse)
    kept, merged = next(
        (one, other)
        for one in PEOPLE
        for other in PEOPLE
        if drawn(one, 0.3) == "a" and drawn(other, 0.3) == "b" and not in_control(world.policy, one)
    )
    with world.engine.begin() as connection:
        db.run(connection, "core/merge_contacts", merged_ids=[merged], kept_ids=[kept], load_id=1)
    world.sql("UPDATE cohort.decision SET variant = NULL WHERE contact_id = :kept", kept=kept)
    # Drawn anew from its own first id, whatever cards it holds now.
    later = START + timedelta(days=10)
    world.sql("DELETE FROM cohort.episode WHERE contact_id = :kept", kept=kept)
    world.sql("DELETE FROM outbox.link WHERE contact_id = :kept", kept=kept)
    world.sql("DELETE FROM outbox.message WHERE contact_id IN (:a, :b)", a=kept, b=merged)
    gone_on = later - timedelta(days=3)
    world.load(later, lambda load: load.interaction(kept, gone_on) and None)
    world.decide(later)
    found = world.sql(
        "SELECT variant FROM cohort.decision WHERE contact_id = :kept AND as_of = :later",
        kept=kept,
        later=later,
    )
    assert [row.variant for row in found] == ["a"]
    rows = world.sql("SELECT contact_id, variant FROM outcome.eligible WHERE draw = :d", d=DRAW)
    assert (merged, "b") in {tuple(row) for row in rows} or in_control(world.policy, merged)


def test_an_offer_of_its_own_goes_into_the_text_and_the_coupon(warehouse: sa.Engine) -> None:
    offer = {"kind": "percent", "value": 40, "valid_days": 5}
    small = policy(control_share=0.0, ladder={"coupon": 3})
    step = Step.model_validate(
        {
            **small.steps[0].model_dump(),
            "template": {"a": "coupon", "b": {"template": "coupon", "coupon": offer}},
        }
    )
    world = World(warehouse, small.model_copy(update={"steps": (step,)}))
    world.load(START, lambda load: quiet(load, world, PEOPLE))
    world.decide(START)
    rows = world.sql(
        "SELECT message.variant, coupon.value, message.body LIKE '%40%' AS says FROM outbox.message"
        " JOIN outbox.coupon USING (contact_id, message_id)"
    )
    assert {(row.variant, float(row.value), row.says) for row in rows} == {
        ("a", 15.0, False),
        ("b", 40.0, True),
    }


def test_a_policy_without_variants_draws_none(warehouse: sa.Engine) -> None:
    world = begin(warehouse, "survey.txt")
    assert variants(world) == {}
    assert world.sql("SELECT variants FROM cohort.day")[0].variants is None
    assert world.sql("SELECT 1 FROM outbox.message WHERE variant IS NOT NULL") == []
    assert [row.draw for row in world.sql("SELECT draw FROM outcome.experiment")] == [""]
    assert [row[0] for row in world.sql("SELECT DISTINCT draw FROM outcome.eligible")] == [""]


# --- what is said ---------------------------------------------------------------------------------


def test_b_is_held_against_a_among_all_who_may_be_texted(warehouse: sa.Engine) -> None:
    world = begin(warehouse, effect=EFFECT)
    back = START + timedelta(days=1)
    returns = {who for who in PEOPLE if who % 3 == 0}
    world.load(back, lambda load: [load.interaction(who, back) for who in returns] and None)
    world.decide(back)
    end = START + timedelta(days=10)
    world.load(end)
    world.decide(end)
    world.write(end)
    texted = [who for who in PEOPLE if not in_control(world.policy, who)]
    groups = {v: {who for who in texted if drawn(who, 0.3) == v} for v in "ab"}
    expected = (
        len(groups["b"]),
        len(groups["b"] & returns),
        len(groups["a"]),
        len(groups["a"] & returns),
    )
    rows = world.sql(
        "SELECT * FROM outcome.effect WHERE experiment = :name AND dimension = 'all'",
        name=EXPERIMENT,
    )
    assert {row.estimand for row in rows} == {"ladder", "first_step"}
    for row in rows:
        assert row.arm == "b"
        found = (row.treated, row.treated_returned, row.control, row.control_returned)
        assert found == expected
        fixed = intervals.newcombe(*expected)
        assert (row.ci_low, row.ci_high) == pytest.approx((fixed.low, fixed.high))
    experiment = world.sql("SELECT * FROM outcome.experiment WHERE draw = :d", d=DRAW)[0]
    assert experiment.experiment == EXPERIMENT
    assert experiment.expected_control == pytest.approx(0.7 * len(texted))
    # The control group's own comparison is what it was: all of it, once.
    (own,) = world.sql(
        "SELECT * FROM outcome.effect WHERE experiment = 'salt:spring' AND dimension = 'all'"
        " AND estimand = 'ladder'"
    )
    assert own.treated == len(texted)
    assert own.treated + own.control == len(PEOPLE)


def test_a_later_step_has_its_variants_in_order(warehouse: sa.Engine) -> None:
    """Everybody begins with the survey; the contest's versions are compared all the same."""
    small = policy(entry="in_order", control_share=0.2, repeat_after_days=1, gap_days=0)
    survey, contest, coupon = small.steps
    pair = {"a": "contest.txt", "b": "survey.txt"}
    step = Step.model_validate({**contest.model_dump(), "template": pair})
    world = World(warehouse, small.model_copy(update={"steps": (survey, step, coupon)}))
    world.load(START, lambda load: quiet(load, world, PEOPLE))
    for day in range(8):
        if day:
            world.load(START + timedelta(days=day))
        world.decide(START + timedelta(days=day))
        world.write(START + timedelta(days=day))
    rows = world.sql("SELECT contact_id, variant, step FROM outcome.eligible WHERE draw <> ''")
    texted = {who for who in PEOPLE if not in_control(world.policy, who)}
    assert {row.contact_id for row in rows} == texted
    assert {row.step for row in rows} == {"contest"}
    assert all(row.variant == drawn(row.contact_id, 0.5, "contest/a/b") for row in rows)
    # It is watched from its own step on: three days less of the ladder.
    days = world.sql("SELECT draw, horizon_days FROM outcome.experiment")
    assert dict(map(tuple, days)) == {"": 9, "contest/a/b": 6}


def test_the_audience_of_a_preview_names_the_variant(warehouse: sa.Engine, tmp_path: Path) -> None:
    world, file = World(warehouse, of(PAIR)), tmp_path / "audience.csv"
    world.load(START, lambda load: quiet(load, world, PEOPLE))
    world.clock.move_to(world.at(START + timedelta(days=1), 10))
    preview.preview(warehouse, world.policy, START, world.clock, "http://127.0.0.1:1/r", file)
    with file.open(encoding="utf-8", newline="") as text:
        told = {int(row["contact_id"]): row["variant"] for row in csv.DictReader(text)}
    assert told == {who: drawn(who, 0.3) for who in PEOPLE}


def test_the_story_and_the_preview_say_which_version(warehouse: sa.Engine) -> None:
    world = begin(warehouse)
    who = next(w for w in PEOPLE if drawn(w, 0.3) == "b" and not in_control(world.policy, w))
    with world.engine.connect() as connection:
        plan = preview.plan(connection, world.policy, START, world.clock())
        told = preview.lines(plan, world.policy)
        assert {key[0] for key in plan.samples} == {"survey, version a", "survey, version b"}
        by_version = Counter[str]()
        for row in plan.texts:
            by_version[row.variant] += row.texts
        assert any(
            line.split()[:3] == ["survey,", "version", "b"] and f" {by_version['b']} " in line
            for line in told
        )
    world.sql(
        "UPDATE outbox.message SET accepted_at = status_at, status = 'accepted'"
        " WHERE contact_id = :who",
        who=who,
    )
    (story,) = world.sql(
        "SELECT what FROM cohort.contact_story WHERE contact_id = :who AND kind = 'message'",
        who=who,
    )
    assert story.what.startswith("Text of the survey, version b: ")


# --- before ---------------------------------------------------------------------------------------


def test_an_experiment_from_before_goes_on(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]],
) -> None:
    with new_warehouse("0044") as engine:
        with engine.begin() as connection:
            for statement in (
                "INSERT INTO core.contact (contact_id, first_source, first_source_contact_id,"
                " status, first_seen_on) SELECT n, 'crm', n::text, 'active', :day"
                " FROM generate_series(1, 30) AS n",
                "INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id,"
                " control_salt, control_share) VALUES (:day, '', :day, 0, 'spring', 0.3)",
                "INSERT INTO outcome.experiment (experiment, salt, control_arm, began_on,"
                " currency, horizon_days, attribution_days, returns, detect, power, winsorise)"
                " VALUES ('salt:spring', 'spring', 'control', :day, 'USD', 9, 2,"
                ' \'{"": ["purchase"]}\', 0.2, 0.8, 0)',
                "INSERT INTO outcome.eligible (contact_id, salt, dormant_since, arm, eligible_on,"
                " step, behaviour, control_share, purchases_before, spent_before, count_on)"
                " SELECT n, 'spring', :since, CASE WHEN n % 3 = 0 THEN 'control' ELSE 'treatment'"
                " END::cohort.arm, :day, 'survey', 'any', 0.3, 0, 0, :day"
                " FROM generate_series(1, 30) AS n",
            ):
                connection.execute(sa.text(statement), {"day": START, "since": LONG_AGO})
        db.migrate(engine)
        world = World(engine, policy(), is_new=True)
        end = START + timedelta(days=10)
        with engine.begin() as connection:
            effect.write(connection, world.policy, end, world.at(end, 22))
        rows = world.sql(
            "SELECT estimand, arm, treated, control FROM outcome.effect WHERE dimension = 'all'"
        )
        assert {tuple(row) for row in rows} == {
            ("ladder", "treatment", 20, 10),
            ("first_step", "treatment", 20, 10),
        }
        assert world.sql("SELECT DISTINCT draw, variant FROM outcome.eligible") == [("", None)]


def test_a_stopped_day_draws_nobody_into_a_variant(warehouse: sa.Engine) -> None:
    world = World(warehouse, of(PAIR))
    world.load(START, lambda load: quiet(load, world, PEOPLE))
    world.decide(START, let_go=False)
    world.write(START)
    assert world.sql("SELECT count(*) FROM outcome.eligible WHERE draw <> ''")[0][0] > 50
    with world.engine.begin() as connection:
        cohort.stop(connection, world.policy, START, "size", world.clock())
    outcomes.write(world.engine, world.policy, START, world.clock)
    assert world.sql("SELECT count(*) FROM outcome.eligible")[0][0] == 0
