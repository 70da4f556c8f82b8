"""What numbers can be taken for: intervals of a difference, sizes of groups, whether a split is as
it should be. Pure functions; the statistics are those of statsmodels and scipy.

Levels are of two-sided intervals: 0.95 leaves 2.5 % out at either end.

What takes seconds to import is imported where it is used: on most evenings no groups can be
compared yet, and a day is a process of its own.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Sample:
    """Of one figure in one group: how many, their mean, their variance (n - 1)."""

    size: int
    mean: float
    variance: float

    @property
    def error(self) -> float:
        """The variance of the mean."""
        return self.variance / self.size


@dataclass(frozen=True)
class Plan:
    """What was settled before anything was seen.

    detect: the difference that is to be seen, as a share (0.01: one point). power: how often an
    experiment of the planned size sees it.
    """

    detect: float
    power: float


@functools.cache
def _quantile(share: float) -> float:
    """Of the standard normal distribution."""
    from scipy import special

    return float(special.ndtri(share))


def newcombe(
    treated: int, treated_returned: int, control: int, control_returned: int, level: float = LEVEL
) -> Interval:
    """Of the difference of two shares: Newcombe's hybrid score, method 10 of his paper (Statistics
    in Medicine 17, 1998, 873-890). It holds for rare events and small groups, where Wald does not.
    """
    return _of_shares(treated, treated_returned, control, control_returned, level, "newcomb")


def wald(
    treated: int, treated_returned: int, control: int, control_returned: int, level: float = LEVEL
) -> Interval:
    """Of the difference of two shares, as older papers print it. Only to compare with them."""
    return _of_shares(treated, treated_returned, control, control_returned, level, "wald")


def _of_shares(
    treated: int,
    treated_returned: int,
    control: int,
    control_returned: int,
    level: float,
    method: str,
) -> Interval:
    from statsmodels.stats.proportion import confint_proportions_2indep

    low, high = confint_proportions_2indep(
        treated_returned,
        treated,
        control_returned,
        control,
        method=method,
        compare="diff",
        alpha=1 - level,
    )
    return Interval(float(low), float(high))


def welch(treated: Sample, control: Sample, level: float = LEVEL) -> Interval | None:
    """Of the difference of two means whose variances differ (Welch 1947). None: a group of fewer
    than two says nothing of how far apart its members are.
    """
    from scipy import special

    if min(treated.size, control.size) < 2:
        return None
    error = treated.error + control.error
    difference = treated.mean - control.mean
    if error == 0:
        return Interval(difference, difference)
    freedom = error**2 / sum(s.error**2 / (s.size - 1) for s in (treated, control))
    reach = float(special.stdtrit(freedom, (1 + level) / 2)) * math.sqrt(error)
    return Interval(difference - reach, difference + reach)


def normal(difference: float, error: float, level: float = LEVEL) -> Interval:
    """Of a difference whose variance is `error`, of large groups."""
    reach = _quantile((1 + level) / 2) * math.sqrt(error)
    return Interval(difference - reach, difference + reach)


def always_valid(
    treated: int,
    treated_returned: int,
    control: int,
    control_returned: int,
    plan: Plan,
    level: float = LEVEL,
) -> Interval | None:
    """Of the difference of two shares, however often somebody looks: of all the looks together, at
    most 1 - level of experiments ever miss the truth.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (Annals of
    Statistics 52, 2024), which is Robbins' normal mixture, after Howard, Ramdas, McAuliffe and
    Sekhon (2021); it is narrowest about when the fixed interval would have seen what the plan looks
    for. The variances are those of Agresti and Caffo (one more of either kind in each group), so
    that a group in which nobody came back yet is not taken for certain. None where either group has
    fewer than `FEWEST` of either kind: what is known of large numbers does not hold yet.
    """
    error = difference_error(treated, treated_returned, control, control_returned)
    if error is None:
        return None
    reach = _multiplier(error, plan, level) * math.sqrt(error)
    difference = treated_returned / treated - control_returned / control
    return Interval(difference - reach, difference + reach)


FEWEST = 10  # who came back, and who did not, in each group


def difference_error(
    treated: int, treated_returned: int, control: int, control_returned: int
) -> float | None:
    """The variance of the difference of two shares, as always_valid takes it; None where it has no
    interval yet.
    """
    error = 0.0
    for size, returned in ((treated, treated_returned), (control, control_returned)):
        if min(returned, size - returned) < FEWEST:
            return None
        share = (returned + 1) / (size + 2)
        error += share * (1 - share) / (size + 2)
    return error


def _planned_error(plan: Plan, level: float) -> float:
    """The variance of the difference at which the fixed interval sees `detect` as often as
    planned.
    """
    reach = _quantile((1 + level) / 2) + _quantile(plan.power)
    return (plan.detect / reach) ** 2


def _multiplier(error: float, plan: Plan, level: float) -> float:
    """How many standard errors the always-valid interval reaches to either side."""
    alpha = 1 - level
    # What makes the mixture narrowest where as much is known as was planned: their approximation.
    narrowest = -2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))
    known = narrowest * _planned_error(plan, level) / error
    return math.sqrt((1 + 1 / known) * (math.log1p(known) - 2 * math.log(alpha)))


def needed_growth(error: float, plan: Plan, level: float = LEVEL) -> float:
    """How many times as large the groups must be until the always-valid interval leaves out zero
    as often as planned, where the difference is what the plan looks for. At most 1: they are.

    error: the variance of the difference now.
    """
    power = _quantile(plan.power)

    def sees(growth: float) -> bool:
        then = error / growth
        reach = _multiplier(then, plan, level) + power
        return reach * math.sqrt(then) <= plan.detect

    low, high = 0.0, 1.0
    while not sees(high):
        low, high = high, high * 2
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if sees(middle) else (middle, high)
    return high


@functools.cache
def planned_size(base: float, share: float, plan: Plan, level: float = LEVEL) -> int:
    """How many contacts both groups must have together for the fixed interval.

    base: the share that comes back by itself. share: of the control group, of all.
    """
    from statsmodels.stats.power import NormalIndPower

    control = NormalIndPower().solve_power(
        effect_size=plan.detect / math.sqrt(base * (1 - base)),
        alpha=1 - level,
        power=plan.power,
        ratio=(1 - share) / share,
    )
    return round(math.ceil(float(control)) / share)


def power_of(difference: float, error: float, level: float = LEVEL) -> float:
    """How often the fixed interval leaves out zero where the difference is this, and `error` is the
    variance of what is seen of it.
    """
    from scipy import special

    reach, seen = _quantile((1 + level) / 2), difference / math.sqrt(error)
    return float(special.ndtr(seen - reach) + special.ndtr(-seen - reach))


def fieller(
    cost: float,
    returned: float,
    cost_error: float,
    returned_error: float,
    covariance: float,
    level: float = LEVEL,
) -> Interval | None:
    """Of the ratio of two differences, cost over returned (Fieller 1954), their variances and their
    covariance given. None where it has no bounds: the returns may be none, or fewer than none.
    """
    if returned <= 0:
        return None
    squared = _quantile((1 + level) / 2) ** 2
    a = returned**2 - squared * returned_error
    b = cost * returned - squared * covariance
    c = cost**2 - squared * cost_error
    inside = b**2 - a * c
    if a <= 0 or inside < 0:
        return None
    return Interval((b - math.sqrt(inside)) / a, (b + math.sqrt(inside)) / a)


def ratio_p(treated: int, control: int, expected_control: float) -> float:
    """How likely a split at least as uneven is, where it is drawn as it should be (chi²).

    expected_control: of all of them, by the policy's share at each one's draw.
    """
    from scipy import special

    size = treated + control
    if not 0 < expected_control < size:
        return 1.0
    off = (control - expected_control) ** 2
    squared = off / expected_control + off / (size - expected_control)
    return float(special.chdtrc(1, squared))


def ratio_always_p(drawn: Iterable[tuple[float, int, int]]) -> float:
    """As ratio_p, however often somebody looks, at this look: Lindon and Malek's Dirichlet-
    multinomial test (NeurIPS 2022), its prior worth 100 contacts at the policy's share.

    drawn: (share of the control group, treated, control), a line for each share that the policy
    had. The least of all looks' is the one to judge by.
    """
    from scipy import special

    lines = [line for line in drawn if 0 < line[0] < 1 and line[1] + line[2]]
    if not lines:
        return 1.0
    size = sum(treated + control for _, treated, control in lines)
    share = sum(share * (treated + control) for share, treated, control in lines) / size
    a, b = PRIOR * share, PRIOR * (1 - share)
    controls = sum(control for _, _, control in lines)
    log_odds = float(
        special.betaln(a + controls, b + size - controls) - special.betaln(a, b)
    ) - sum(
        control * math.log(share) + treated * math.log1p(-share)
        for share, treated, control in lines
    )
    return math.exp(-max(0.0, log_odds))


PRIOR = 100
UNEVEN = 0.001  # below it a split is not as it should be
