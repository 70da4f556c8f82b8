"""Two groups beside each other: what is taken out of a difference, and what it comes to."""

from typing import Any

import numpy as np
import pytest

from reengage.outcome import comparison
from reengage.outcome.comparison import Group
from reengage.outcome.intervals import Plan

PLAN = Plan(detect=0.01, power=0.8)


def group(returned: Any, revenue: Any = None, before: Any = None, cost: Any = None) -> Group:
    """What a table would say of a group, from its contacts."""
    zeros = np.zeros(len(returned))
    revenue, before, cost = (zeros if v is None else v for v in (revenue, before, cost))
    return Group(
        len(returned),
        int(returned.sum()),
        revenue.mean(),
        revenue.var(ddof=1),
        before.mean(),
        before.var(ddof=1),
        np.cov(revenue, before)[0, 1],
        cost.mean(),
        cost.var(ddof=1),
        np.cov(cost, returned)[0, 1],
    )


def test_a_difference_comes_to_returns_and_to_what_each_cost() -> None:
    treated = Group(9000, 990, revenue_mean=5, revenue_variance=100, cost_mean=0.02)
    control = Group(1000, 80, revenue_mean=4, revenue_variance=80)
    found = comparison.compare(treated, control, PLAN)
    assert found
    assert found.difference == pytest.approx(0.03)
    assert found.incremental_returns == pytest.approx(270)
    assert found.incremental_revenue == pytest.approx(9000)
    assert found.cost_per_return == pytest.approx(0.02 / 0.03)
    assert found.always
    assert found.always.low < found.fixed.low < 0.03 < found.fixed.high < found.always.high
    assert comparison.compare(treated, control).always is None  # type: ignore[union-attr]
    assert comparison.compare(treated, Group(0, 0), PLAN) is None
    worse = comparison.compare(control, treated)
    assert worse
    assert worse.cost_per_return is worse.cost_per_return_interval is None


def test_a_chance_difference_of_kinds_is_taken_out() -> None:
    """More of the loyal were drawn into one group: within either kind nothing differs."""
    loyal = Group(900, 450), Group(50, 25)
    others = Group(900, 90), Group(150, 15)
    treated, control = (comparison.together(pair) for pair in zip(loyal, others, strict=True))
    raw = comparison.compare(treated, control)
    assert raw
    assert raw.difference == pytest.approx(0.1)
    found = comparison.post_stratified([loyal, others])
    assert found
    assert found.difference == pytest.approx(0)
    assert found.interval.low < 0 < found.interval.high


def test_strata_too_small_are_taken_together() -> None:
    pair, small = (Group(900, 90), Group(100, 10)), (Group(90, 45), Group(10, 5))
    assert comparison.post_stratified([pair, small]) is None
    assert comparison.post_stratified([pair]) is None
    assert comparison.post_stratified([]) is None
    found = comparison.post_stratified([pair, pair, small])
    assert found
    assert found.difference == pytest.approx(0)
    several = comparison.post_stratified([pair, small, small])
    assert several
    assert several.difference == pytest.approx(0)


def test_what_is_known_of_contacts_before_narrows_the_interval_and_holds_the_truth() -> None:
    dice = np.random.default_rng(5)
    narrower = held = 0
    for _ in range(1000):
        treated, control = dice.random(1800) < 0.5, dice.random(200) < 0.5
        strata = []
        for is_loyal in (True, False):
            kind = []
            for members, effect in ((treated, 0.1), (control, 0)):
                size = int((members == is_loyal).sum())
                base = 0.6 if is_loyal else 0.1
                kind.append(Group(size, int(dice.binomial(size, base + effect))))
            strata.append((kind[0], kind[1]))
        raw = comparison.compare(
            comparison.together(t for t, _ in strata), comparison.together(c for _, c in strata)
        )
        found = comparison.post_stratified(strata)
        assert raw
        assert found
        narrower += found.interval.high - found.interval.low < raw.fixed.high - raw.fixed.low
        held += found.interval.low <= 0.1 <= found.interval.high
    assert narrower > 950
    assert held / 1000 == pytest.approx(0.95, abs=0.02)


def test_spend_before_is_taken_out_of_revenue() -> None:
    dice = np.random.default_rng(6)
    narrower = held = 0
    for _ in range(500):
        before = dice.gamma(2, 50, 2000)
        revenue = 0.5 * before + dice.gamma(1, 20, 2000)
        revenue[:1800] += 2
        none = np.zeros(2000)
        treated = group(none[:1800], revenue[:1800], before[:1800])
        control = group(none[1800:], revenue[1800:], before[1800:])
        raw = comparison.compare(treated, control)
        found = comparison.cuped(treated, control)
        assert raw
        assert raw.revenue
        assert found
        narrower += found.interval.high - found.interval.low < raw.revenue.high - raw.revenue.low
        held += found.interval.low <= 2 <= found.interval.high
    assert narrower == 500
    assert held / 500 == pytest.approx(0.95, abs=0.03)
    assert comparison.cuped(Group(10, 1), Group(10, 1)) is None


def test_what_each_return_cost_is_within_its_bounds_as_often_as_said() -> None:
    dice = np.random.default_rng(8)
    held = told = 0
    for _ in range(1000):
        treated, control = dice.random(3000) < 0.3, dice.random(1000) < 0.2
        # A coupon costs where it brings somebody back.
        cost = 0.05 + 0.5 * treated
        found = comparison.compare(group(treated, cost=cost), group(control))
        assert found
        if bounds := found.cost_per_return_interval:
            told += 1
            held += bounds.low <= (0.05 + 0.15) / 0.1 <= bounds.high
    assert told > 990
    assert held / told == pytest.approx(0.95, abs=0.02)


def test_how_many_more_contacts_it_takes_goes_down_to_none() -> None:
    treated, control = Group(9000, 900), Group(1000, 100)
    more = comparison.more_contacts(treated, control, PLAN)
    assert more
    assert 100_000 < more < 200_000
    assert comparison.more_contacts(Group(2_700_000, 270_000), Group(300_000, 30_000), PLAN) == 0
    assert comparison.more_contacts(Group(90, 9), Group(10, 1), PLAN) is None
