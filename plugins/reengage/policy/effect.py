"""How what the messages cause is measured, and how small a difference is to be seen."""

from typing import Annotated, Literal

from pydantic import Field

from reengage.policy.values import Days, Kind, Part


class Effect(Part):
    """What is settled when the control group's salt begins; a change holds from the next salt on.

    horizon_days: how long a contact is watched; None: to the end of the ladder. detect: the
    difference that is to be seen, as a share. power: how often an experiment of the planned size
    sees it. base: the share that comes back by itself; None: what the first of the control group
    show. winsorise: the share of contacts who spent most that count as much as the next; 0: all
    count as what they spent. returns: what counts as coming back; None: the signals. amounts: what
    an order's amount is, where a coupon was used: what was paid, or the full sum before it.
    """

    horizon_days: Days | None = None
    detect: float = Field(default=0.01, gt=0, lt=1, examples=["0.01"])
    power: float = Field(default=0.8, gt=0.5, lt=1, examples=["0.8"])
    base: Annotated[float, Field(gt=0, lt=1, examples=["0.10"])] | None = None
    winsorise: float = Field(default=0.001, ge=0, lt=0.5, examples=["0.001"])
    returns: tuple[Kind, ...] | None = Field(default=None, min_length=1)
    amounts: Literal["paid", "full"] = "paid"
