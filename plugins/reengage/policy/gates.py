"""What a day is asked before it may go out: its size, who leaves, the budget."""

from pydantic import Field

from reengage.policy.values import Days, Part, Share


class SizeGate(Part):
    """A cohort may be max_growth times the median of the days that went out in the last over_days,
    once there are history_days of them; under at_least contacts nothing is asked. at_most holds
    from the first day on.
    """

    max_growth: float = Field(default=3, gt=1)
    over_days: Days = 28
    history_days: int = Field(default=7, ge=1)
    at_least: int = Field(default=500, ge=0)
    at_most: int | None = Field(default=None, ge=1)


class UnsubscribeGate(Part):
    """max_opt_out_share: of the texts accepted in the last over_days, from at_least texts on.
    max_given_up_share: of all contacts, given up without a click within close_after_days.
    """

    max_opt_out_share: Share = 0.1
    over_days: Days = 7
    at_least: int = Field(default=200, ge=1)
    max_given_up_share: Share = 0.5


class Spend(Part):
    segments: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)


class Budget(Part):
    """What may be spent on texts: in segments, and in the brand's currency."""

    day: Spend = Spend()
    month: Spend = Spend()


class Gates(Part):
    max_rejected_share: Share
    max_unknown_share: Share = 0.2
    max_deleted_share: Share = 0.05
    size: SizeGate = SizeGate()
    unsubscribes: UnsubscribeGate = UnsubscribeGate()
    budget: Budget = Budget()
