"""The policy: everything a marketer decides, and what is asked of it."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from reengage.policy.brand import Brand
from reengage.policy.effect import Effect
from reengage.policy.gates import Gates
from reengage.policy.sending import Caps, ConsentRule, Control, Hours, Links, Replies, Sending
from reengage.policy.steps import Step
from reengage.policy.thresholds import Behaviour, Thresholds
from reengage.policy.values import Days, Kind, Part, check_growing, check_single


class Policy(Part):
    """Everything a marketer decides. `version` names the `text` it was read from.

    mode: sandbox texts nobody, and is refused beside a real provider; live is refused beside the
    sandbox, which would take customers for texted who were not. unsubscribe_after_texts: who got
    so many in a quiet spell and clicked none is given up; who got fewer keeps their status.
    """

    version: str
    text: str = Field(default="", repr=False)
    mode: Literal["sandbox", "live"] = "sandbox"
    brand: Brand
    signals: tuple[Kind, ...] = Field(min_length=1, examples=["[purchase, visit, loyalty]"])
    steps: tuple[Step, ...] = Field(min_length=1)
    entry: Literal["by_days", "in_order"] = "by_days"
    thresholds: Thresholds = Thresholds()
    barely_active_after_days: Days = 14
    close_after_days: Days
    unsubscribe_after_texts: int = Field(default=1, ge=1)
    cooldown_days: Days
    repeat_after_days: Days
    gap_days: int = Field(ge=0, examples=[7])
    consent: ConsentRule
    control: Control
    caps: Caps = Caps()
    hours: Hours
    sending: Sending
    prices: dict[str, Annotated[float, Field(ge=0)]] = Field(default={"default": 0})
    replies: Replies = Replies()
    links: Links
    attribution_days: Days
    effect: Effect = Effect()
    gates: Gates
    approval: Literal["always", "anomaly", "never"] = "never"
    approval_hours: float = Field(default=12, gt=0, le=24)  # the next day waits for the answer

    @field_validator("steps")
    @classmethod
    def _ascending(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        check_single([step.name for step in steps], "steps")
        check_growing({step.name: step.after_days for step in steps})
        return steps

    @field_validator("prices")
    @classmethod
    def _has_default(cls, prices: dict[str, float]) -> dict[str, float]:
        if "default" not in prices:
            raise ValueError("a price named `default` is needed, for the countries not named")
        return prices

    @model_validator(mode="after")
    def _fits(self) -> "Policy":
        for behaviour in self.thresholds.behaviours:
            if len(behaviour.days) != len(self.steps):
                raise ValueError(
                    f"thresholds.behaviours: {behaviour.name} needs {len(self.steps)} days, one a "
                    f"step, but has {len(behaviour.days)}"
                )
            try:
                check_growing({s.name: d for s, d in zip(self.steps, behaviour.days, strict=True)})
            except ValueError as error:
                raise ValueError(f"thresholds.behaviours: {behaviour.name}: {error}") from error
        for step in self.steps:
            for words in step.words:
                if not {"", self.brand.language} & words.keys():
                    raise ValueError(
                        f"steps: {step.name} says “{next(iter(words.values()))}” in "
                        f"{', '.join(words)}, but not in the brand's language "
                        f"({self.brand.language}), which is shown where another is missing"
                    )
        try:
            check_single([step.contest.name for step in self.steps if step.contest], "contests")
        except ValueError as error:
            raise ValueError(f"steps: {error}") from error
        if self.approval != "never" and self.approval_hours >= self.hours.window_hours:
            raise ValueError(
                f"approval_hours ({self.approval_hours:g}) must be below hours.window_hours "
                f"({self.hours.window_hours}): a text approved later could not be sent any more"
            )
        return self

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    @property
    def texts(self) -> tuple[Step, ...]:
        """The steps, lowest first, once for each text: a step with variants as each of them."""
        return tuple(text for step in self.steps for text in step.texts)

    @property
    def behaviours(self) -> tuple[Behaviour, ...]:
        """The clocks that run for every contact: those of the policy, or one of all signals."""
        days = tuple(step.after_days for step in self.steps)
        return self.thresholds.behaviours or (
            Behaviour(name="any", signals=self.signals, days=days),
        )

    @property
    def ladder(self) -> str:
        """The steps as a bind for SQL: a JSON array of rungs {behaviour, step, position, days},
        days as the policy says them, for the chosen frequency, before a contact's own pace.
        """
        return json.dumps(
            [
                {
                    "behaviour": behaviour.name,
                    "step": step.name,
                    "position": position,
                    "days": days * self.thresholds.scale,
                }
                for behaviour in self.behaviours
                for position, (step, days) in enumerate(
                    zip(self.steps, behaviour.days, strict=True), 1
                )
            ]
        )

    @property
    def climb(self) -> dict[str, Any]:
        """How the ladder is climbed, as binds: ladder, and is_in_order (all from its foot)."""
        return {"ladder": self.ladder, "is_in_order": self.entry == "in_order"}

    @property
    def plain_ladder(self) -> dict[str, list[Any]]:
        """The steps of the first clock as binds: step_names and their step_days, lowest first."""
        scale = self.thresholds.scale
        return {
            "step_names": [step.name for step in self.steps],
            "step_days": [max(1, round(days * scale)) for days in self.behaviours[0].days],
        }

    @property
    def clocks(self) -> str:
        """The behaviours as a bind for SQL: a JSON array of {behaviour, signals, days, place}, days
        those of the first step.
        """
        return json.dumps(
            [
                {
                    "behaviour": behaviour.name,
                    "signals": behaviour.signals,
                    "days": behaviour.days[0] * self.thresholds.scale,
                    "place": place,
                }
                for place, behaviour in enumerate(self.behaviours, 1)
            ]
        )

    @property
    def pace(self) -> str:
        """What bends a contact's ladder, as a bind: {lifecycle: {class: factor}, rhythm}."""
        rhythm = self.thresholds.rhythm
        return json.dumps(
            {
                "lifecycle": self.thresholds.lifecycle,
                "rhythm": rhythm.model_dump() if rhythm else None,
            }
        )

    @property
    def horizon_days(self) -> int:
        """How long a contact is watched from when it was first written to, or held back as control:
        to the end of the ladder, unless the policy says.
        """
        return self._horizon_from(0)

    def _horizon_from(self, place: int) -> int:
        """The same, from a step on; place: of the step, from 0."""
        climbs = [behaviour.days[-1] - behaviour.days[place] for behaviour in self.behaviours]
        ladder = round(max(climbs) * self.thresholds.scale) + self.close_after_days
        return self.effect.horizon_days or ladder

    @property
    def variants(self) -> str | None:
        """How the variants of steps are drawn, as a bind: a JSON array of {draw, step, variant,
        from_share, to_share, control_arm, control_share, horizon_days}; None where no step has any.
        """
        rows: list[dict[str, Any]] = []
        for place, step in enumerate(self.steps):
            so_far = 0.0
            for name, variant in step.template.items() if step.draw else ():
                first, reached = next(iter(step.template)), so_far + (variant.share or 0)
                rows.append(
                    {
                        "draw": step.draw,
                        "step": step.name,
                        "variant": name,
                        "from_share": so_far,
                        "to_share": reached if not so_far else 1,
                        "control_arm": first,
                        "control_share": step.template[first].share,
                        "horizon_days": self._horizon_from(place),
                    }
                )
                so_far = reached
        return json.dumps(rows) if rows else None

    @property
    def returns(self) -> str:
        """What counts as coming back, as a bind: {clock: kinds}; "" of a clock that is none of the
        policy's any more.
        """
        clocks = {behaviour.name: behaviour.signals for behaviour in self.behaviours}
        said = self.effect.returns
        return json.dumps(
            {name: said or kinds for name, kinds in clocks.items()} | {"": said or self.signals}
        )

    @property
    def remarks(self) -> list[str]:
        """What is allowed, and is hardly meant: sentences for whoever checks the policy."""
        said = []
        longest = max(behaviour.days[-1] for behaviour in self.behaviours) * self.thresholds.scale
        ends = round(longest) + self.close_after_days
        if self.links.valid_days <= ends:
            said.append(
                f"links.valid_days ({self.links.valid_days}) ends before the journey does, {ends} "
                "days after somebody went quiet: who opens a link late finds a page that says so, "
                "and nothing to answer"
            )
        if self.unsubscribe_after_texts > len(self.steps):
            said.append(
                f"unsubscribe_after_texts ({self.unsubscribe_after_texts}) is more than the ladder "
                f"has steps ({len(self.steps)}): nobody gets so many texts in a quiet spell, so "
                "nobody is ever left to rest, however few they click"
            )
        return said

    def price(self, country: str | None) -> float:
        """Of one segment to a country, in the brand's currency, as the policy expects it."""
        return self.prices.get(country or self.brand.country, self.prices["default"])

    def end_of(self, day: date) -> datetime:
        """The first instant after a brand day: midnight in the brand's zone. Aware."""
        return datetime.combine(day + timedelta(days=1), time.min, self.brand.zone)

    def last_instant(self, day: date) -> datetime:
        """The last instant of a brand day: what came by then counts for it. In UTC: an hour that a
        clock shows twice is two.
        """
        return self.end_of(day).astimezone(UTC) - timedelta(microseconds=1)
