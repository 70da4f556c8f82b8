"""Intervals and splits, held against what others have published and against simulated worlds.

What takes long to import is imported by the test that needs it: every worker collects them all.
"""

import math
from importlib.metadata import distribution
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from reengage.outcome import intervals
from reengage.outcome.intervals import Plan, Sample

PLAN = Plan(detect=0.01, power=0.8)

# Newcombe 1998 (Statistics in Medicine 17, 873-890), Table II, method 10.
NEWCOMBE = [
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1.0)),
    ((10, 10, 0, 10), (0.6075, 1.0)),
]


@pytest.mark.parametrize(("counts", "published"), NEWCOMBE)
def test_newcombes_own_table_is_met_to_the_digit(
    counts: tuple[int, int, int, int], published: tuple[float, float]
) -> None:
    returned, treated, control_returned, control = counts
    found = intervals.newcombe(treated, returned, control, control_returned)
    assert (round(found.low, 4), round(found.high, 4)) == published


def thornton() -> tuple[int, int, int, int]:
    """Thornton 2008 (American Economic Review 98, 1829-1863): whoever drew some money for coming
    back for the result of a test, and who drew none.
    """
    import pandas as pd

    folder = "causaldata/thornton_hiv/thornton_hiv.dta"
    rows = pd.read_stata(str(distribution("causaldata").locate_file(folder)))
    drawn = rows[rows["any"].notna() & rows["got"].notna()]
    some, none = drawn[drawn["any"] == 1], drawn[drawn["any"] == 0]
    return len(some), int(some["got"].sum()), len(none), int(none["got"].sum())


def test_a_published_experiment_comes_out_as_published() -> None:
    counts = thornton()
    assert counts == (2211, 1745, 623, 211)
    assert f"{counts[1] / counts[0] - counts[3] / counts[2]:+.4f}" == "+0.4506"
    found = intervals.wald(*counts)
    assert (f"{found.low:.4f}", f"{found.high:.4f}") == ("0.4097", "0.4914")


def test_rare_events_get_an_interval_that_is_not_symmetric() -> None:
    """A charity's e-mails: 71 of 91,296 gave, and 27 of 91,298 of the others."""
    found = intervals.newcombe(91_296, 71, 91_298, 27)
    difference = 71 / 91_296 - 27 / 91_298
    assert 0 < found.low < difference < found.high
    assert found.high - difference > difference - found.low
    assert intervals.newcombe(91_296, 0, 91_298, 0).high > 0


def test_a_planned_experiment_is_as_large_as_the_textbook_says() -> None:
    assert intervals.planned_size(0.098, 0.1, PLAN) == 77_090


def test_welch_is_what_statsmodels_makes_of_the_contacts_themselves() -> None:
    from statsmodels.stats.weightstats import CompareMeans

    dice = np.random.default_rng(1)
    treated, control = dice.gamma(0.1, 200, 400), dice.gamma(0.1, 100, 90)
    found = intervals.welch(*(Sample(len(s), s.mean(), s.var(ddof=1)) for s in (treated, control)))
    expected = CompareMeans.from_data(treated, control).tconfint_diff(usevar="unequal")
    assert found
    assert (found.low, found.high) == pytest.approx(expected)


def test_fieller_has_bounds_only_where_the_returns_are_some() -> None:
    found = intervals.fieller(2.0, 0.5, 0.01, 0.0025, 0.0)
    assert found
    assert found.low < 4 < found.high
    # At either bound, what the texts cost is what its returns would have cost, just within reach.
    for ratio in (found.low, found.high):
        reach = (2.0 - ratio * 0.5) / math.sqrt(0.01 + ratio**2 * 0.0025)
        assert abs(reach) == pytest.approx(NormalDist().inv_cdf(0.975))
    assert intervals.fieller(2.0, 0.05, 0.01, 0.0025, 0.0) is None


@pytest.mark.parametrize(
    ("treated", "control", "is_even"),
    [(9000, 1000, True), (8950, 1050, True), (8800, 1200, False), (9200, 800, False)],
)
def test_a_split_that_is_not_the_policys_is_told(treated: int, control: int, is_even: bool) -> None:
    size = treated + control
    assert (intervals.ratio_p(treated, control, size / 10) >= intervals.UNEVEN) == is_even
    assert (intervals.ratio_always_p([(0.1, treated, control)]) >= intervals.UNEVEN) == is_even


def test_a_share_that_has_changed_is_no_uneven_split() -> None:
    drawn = [(0.1, 9000, 1000), (0.5, 5000, 5000)]
    assert intervals.ratio_p(14_000, 6000, 6000) == 1
    assert intervals.ratio_always_p(drawn) == 1
    assert intervals.ratio_always_p([(0.1, 14_000, 6000)]) < intervals.UNEVEN


WORLDS, DAYS = 1500, 150


def worlds(base: float, effect: float, daily: int, share: float) -> tuple[NDArray[np.int64], ...]:
    """Treated, came back, control, came back, summed up through each day: (world, day)."""
    dice = np.random.default_rng(7)
    control = dice.binomial(daily, share, (WORLDS, DAYS))
    treated = daily - control
    returned = dice.binomial(treated, base + effect), dice.binomial(control, base)
    told = treated, returned[0], control, returned[1]
    return tuple(np.cumsum(one, axis=1) for one in told)


def looks(world: tuple[NDArray[np.int64], ...], at: int, day: int) -> tuple[int, int, int, int]:
    treated, returned, control, control_returned = (int(one[at, day]) for one in world)
    return treated, returned, control, control_returned


@pytest.mark.parametrize(
    ("base", "effect", "daily", "share"),
    [(0.1, 0.0, 300, 0.1), (0.03, 0.0, 400, 0.1), (0.1, 0.02, 300, 0.1), (0.3, 0.0, 100, 0.5)],
)
def test_daily_looks_miss_the_truth_in_fewer_than_one_world_of_twenty(
    base: float, effect: float, daily: int, share: float
) -> None:
    world = worlds(base, effect, daily, share)
    missed = 0
    for at in range(WORLDS):
        for day in range(DAYS):
            found = intervals.always_valid(*looks(world, at, day), PLAN)
            if found and not found.low <= effect <= found.high:
                missed += 1
                break
    assert missed / WORLDS <= 0.05


def test_daily_looks_at_the_fixed_interval_find_what_is_not_there() -> None:
    """Why the page does not lead with it."""
    world = worlds(0.1, 0.0, 300, 0.1)
    treated, returned, control, control_returned = world
    difference = returned / treated - control_returned / control
    shares = (returned / treated, treated), (control_returned / control, control)
    error = sum(share * (1 - share) / size for share, size in shares)
    wrong = np.abs(difference[:, 10:]) > NormalDist().inv_cdf(0.975) * np.sqrt(error[:, 10:])
    assert wrong.any(axis=1).mean() > 0.2
    assert wrong[:, -1].mean() < 0.065


def test_what_more_is_needed_is_what_it_takes() -> None:
    """At that size, the always-valid interval sees the planned difference as often as planned."""
    error = intervals.difference_error(9000, 990, 1000, 100)
    assert error
    size = 10_000 * intervals.needed_growth(error, PLAN)
    dice = np.random.default_rng(3)
    treated, control = round(size * 0.9), round(size * 0.1)
    seen = 0
    for _ in range(2000):
        counts = treated, dice.binomial(treated, 0.11), control, dice.binomial(control, 0.1)
        found = intervals.always_valid(*map(int, counts), PLAN)
        seen += bool(found and found.low > 0)
    assert seen / 2000 == pytest.approx(0.8, abs=0.04)


def test_nothing_is_said_before_enough_came_back() -> None:
    assert intervals.always_valid(900, 90, 100, 9, PLAN) is None
    assert intervals.always_valid(900, 90, 100, 10, PLAN) is not None
