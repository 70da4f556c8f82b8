"""How the ladder's days bend: to the frequency, the lifecycle, a rhythm of one's own."""

from typing import Annotated

from pydantic import Field, model_validator

from reengage.policy.values import Days, Kind, Name, Part, check_single


class Behaviour(Part):
    """A clock of its own: these signals stop it, and it reaches the steps after these days."""

    name: Name
    signals: tuple[Kind, ...] = Field(min_length=1)
    days: tuple[Days, ...] = Field(min_length=1)


class Rhythm(Part):
    """The first step at a quantile of the contact's own gaps between purchases, in bounds.

    purchases: days with a purchase that a contact needs, or the ladder's own days hold.
    """

    quantile: float = Field(gt=0, le=1, examples=[0.9])
    purchases: int = Field(ge=3, le=1000, examples=[4])
    at_least_days: Days
    at_most_days: Days

    @model_validator(mode="after")
    def _ordered(self) -> "Rhythm":
        if self.at_least_days > self.at_most_days:
            raise ValueError("at_least_days must not be above at_most_days")
        return self


class Thresholds(Part):
    """How the ladder's days bend to the sending frequency, the lifecycle and the behaviour."""

    frequency: str = "daily"
    frequencies: dict[str, Annotated[float, Field(gt=0, le=50)]] = Field(default={"daily": 1})
    lifecycle: dict[str, Annotated[float, Field(gt=0, le=50)]] = Field(default={})
    rhythm: Rhythm | None = None
    behaviours: tuple[Behaviour, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> "Thresholds":
        if self.frequency not in self.frequencies:
            raise ValueError(f"frequency {self.frequency} is none of {', '.join(self.frequencies)}")
        check_single([behaviour.name for behaviour in self.behaviours], "behaviours")
        return self

    @property
    def scale(self) -> float:
        """What every day of the ladder is multiplied by, for the chosen frequency."""
        return self.frequencies[self.frequency]
