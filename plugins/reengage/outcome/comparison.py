"""Two groups of an experiment beside each other: what the difference is, and how sure.

Everything is of contacts, as they were drawn (intention to treat), whose window is over. Money is
in one currency.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reengage.outcome import intervals
from reengage.outcome.intervals import Interval, Plan, Sample


@dataclass(frozen=True)
class Group:
    """What is known of a group: how many, how many came back; means, variances and covariances (of
    a sample) of what each one spent (the largest cut down, where the plan says so), spent in the
    time before, and cost; net: what each one spent less what coupons took off; outlay: what each
    one's texts cost, and what coupons took off.
    """

    size: int
    returned: int
    revenue_mean: float = 0
    revenue_variance: float = 0
    before_mean: float = 0
    before_variance: float = 0
    revenue_with_before: float = 0
    cost_mean: float = 0
    cost_variance: float = 0
    cost_with_returned: float = 0
    net_mean: float = 0
    net_variance: float = 0
    outlay_mean: float = 0
    outlay_variance: float = 0
    outlay_with_returned: float = 0

    @property
    def share(self) -> float:
        return self.returned / self.size

    @property
    def returns(self) -> Sample:
        """The returns as a figure of each contact: 1 or 0."""
        spread = self.share * (1 - self.share)
        return Sample(self.size, self.share, spread * self.size / max(self.size - 1, 1))

    @property
    def revenue(self) -> Sample:
        return Sample(self.size, self.revenue_mean, self.revenue_variance)

    @property
    def cost(self) -> Sample:
        return Sample(self.size, self.cost_mean, self.cost_variance)

    @property
    def net(self) -> Sample:
        return Sample(self.size, self.net_mean, self.net_variance)

    @property
    def outlay(self) -> Sample:
        return Sample(self.size, self.outlay_mean, self.outlay_variance)


@dataclass(frozen=True)
class Comparison:
    """One group beside the control group. What cannot be told yet is None."""

    treated: Group
    control: Group
    difference: float
    fixed: Interval
    wald: Interval
    always: Interval | None
    revenue_difference: float
    revenue: Interval | None
    incremental_returns: float
    incremental_revenue: float
    cost_per_return: float | None
    cost_per_return_interval: Interval | None
    net_revenue_difference: float
    net_revenue: Interval | None
    outlay_per_return: float | None
    outlay_per_return_interval: Interval | None


@dataclass(frozen=True)
class Adjusted:
    """A difference after what was known of the contacts before is taken out, with its interval."""

    difference: float
    interval: Interval


def compare(treated: Group, control: Group, plan: Plan | None = None) -> Comparison | None:
    """None where one of the groups is empty. plan: only where the interval is to hold however often
    somebody looks: of all contacts of the experiment, never of a part chosen afterwards.
    """
    if not treated.size or not control.size:
        return None
    counts = (treated.size, treated.returned, control.size, control.returned)
    difference = treated.share - control.share
    spent = treated.revenue_mean - control.revenue_mean
    cost = treated.cost_mean - control.cost_mean
    outlay = treated.outlay_mean - control.outlay_mean
    returned = treated.returns.error + control.returns.error
    return Comparison(
        treated,
        control,
        difference,
        intervals.newcombe(*counts),
        intervals.wald(*counts),
        intervals.always_valid(*counts, plan) if plan else None,
        spent,
        intervals.welch(treated.revenue, control.revenue),
        difference * treated.size,
        spent * treated.size,
        cost / difference if difference > 0 else None,
        intervals.fieller(
            cost,
            difference,
            treated.cost.error + control.cost.error,
            returned,
            treated.cost_with_returned / treated.size + control.cost_with_returned / control.size,
        ),
        treated.net_mean - control.net_mean,
        intervals.welch(treated.net, control.net),
        outlay / difference if difference > 0 else None,
        intervals.fieller(
            outlay,
            difference,
            treated.outlay.error + control.outlay.error,
            returned,
            treated.outlay_with_returned / treated.size
            + control.outlay_with_returned / control.size,
        ),
    )


def together(groups: Iterable[Group]) -> Group:
    """Several groups as one, as far as returns go."""
    all_of_them = list(groups)
    return Group(sum(g.size for g in all_of_them), sum(g.returned for g in all_of_them))


SMALLEST = 20  # contacts that each arm of a stratum needs


def post_stratified(strata: Sequence[tuple[Group, Group]]) -> Adjusted | None:
    """The difference of the shares that came back, as if both groups were made of the same kinds of
    contacts: of each stratum (treated, control) its own difference, weighed by its size (Miratrix,
    Sekhon and Yu 2013). Strata too small to have one are taken together. None where less than two
    are left.
    """
    large = [pair for pair in strata if min(pair[0].size, pair[1].size) >= SMALLEST]
    small = [pair for pair in strata if min(pair[0].size, pair[1].size) < SMALLEST]
    if small:
        rest = (together(t for t, _ in small), together(c for _, c in small))
        if min(rest[0].size, rest[1].size) < SMALLEST and large:
            large.sort(key=lambda pair: pair[0].size + pair[1].size)
            rest = (together((rest[0], large[0][0])), together((rest[1], large[0][1])))
            large = large[1:]
        large.append(rest)
    if len(large) < 2 or min(min(t.size, c.size) for t, c in large) < SMALLEST:
        return None
    total = sum(treated.size + control.size for treated, control in large)
    difference = error = 0.0
    for treated, control in large:
        weight = (treated.size + control.size) / total
        difference += weight * (treated.share - control.share)
        error += weight**2 * (treated.returns.error + control.returns.error)
    return Adjusted(difference, intervals.normal(difference, error))


def cuped(treated: Group, control: Group) -> Adjusted | None:
    """The difference of revenue a contact, what they spent in the time before taken out (Deng, Xu,
    Kohavi and Walker 2013). None where that tells nothing: nobody spent anything before.
    """
    if min(treated.size, control.size) < 2:
        return None
    freedoms = [(group, group.size - 1) for group in (treated, control)]
    spread = sum(group.before_variance * freedom for group, freedom in freedoms)
    if spread <= 0:
        return None
    slope = sum(group.revenue_with_before * freedom for group, freedom in freedoms) / spread

    def left(group: Group) -> Sample:
        variance = (
            group.revenue_variance
            - 2 * slope * group.revenue_with_before
            + slope**2 * group.before_variance
        )
        mean = group.revenue_mean - slope * group.before_mean
        return Sample(group.size, mean, max(0.0, variance))

    one, other = left(treated), left(control)
    interval = intervals.welch(one, other)
    return Adjusted(one.mean - other.mean, interval) if interval else None


def more_contacts(treated: Group, control: Group, plan: Plan) -> int | None:
    """How many more contacts the groups must have together until the always-valid interval says
    something, where the difference is what the plan looks for; 0: no more. None: too early to say.
    """
    error = intervals.difference_error(
        treated.size, treated.returned, control.size, control.returned
    )
    if error is None:
        return None
    size = treated.size + control.size
    return max(0, math.ceil(size * intervals.needed_growth(error, plan)) - size)
