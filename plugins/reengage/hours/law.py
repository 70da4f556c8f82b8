"""The law on hours, as data: when a phone may ring in a country or a state (include/hours.yaml)."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from reengage.errors import ConfigurationError
from reengage.hours.zones import zone_names, zones_of_country
from reengage.policy import Hours, PlaceHours
from reengage.settings import INCLUDE
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

PlaceKey = Annotated[str, Field(pattern="^[A-Z]{2}(-[A-Z0-9]{1,3})?$", examples=["US-FL"])]

StateKey = Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9]{1,3}$", examples=["US-FL"])]


class Rule(PlaceHours):
    """The hours of a place from a day on. saturday_from, weekend_to: where they are others."""

    place: PlaceKey
    since: date | None
    saturday_from: time | None = None
    weekend_to: time | None = None
    source: str = Field(min_length=1)

    @field_validator("place", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError('YAML reads this country as a yes or no: write it in quotes, "NO"')
        return value

    @field_validator("from_", "to", "sunday_from", "saturday_from", "weekend_to", mode="before")
    @classmethod
    def _quoted(cls, value: Any) -> Any:
        # YAML 1.1 reads 20:00 as 1,200, which would pass for twenty minutes past midnight.
        if value is not None and not isinstance(value, str):
            raise ValueError('write the time in quotes, like "08:00"')
        return value

    @model_validator(mode="after")
    def _weekend_ordered(self) -> "Rule":
        end = min(self.to, self.weekend_to or self.to)
        if any(begin and begin >= end for begin in (self.saturday_from, self.sunday_from)):
            raise ValueError("`saturday_from` and `sunday_from` must be before `weekend_to`")
        return self


class State(BaseModel):
    """What tells a state: the area codes of its numbers, and the zones that lie in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    area_codes: tuple[Annotated[int, Field(ge=200, le=999)], ...] = ()
    zones: tuple[str, ...] = ()

    @field_validator("zones")
    @classmethod
    def _known(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(zones) - zone_names():
            raise ValueError(f"{', '.join(unknown)} is no time zone; write America/New_York")
        return zones


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    rules: tuple[Rule, ...]
    states: dict[StateKey, State]

    @model_validator(mode="after")
    def _consistent(self) -> "_File":
        seen = set()
        for rule in self.rules:
            if (rule.place, rule.since) in seen:
                raise ValueError(f"two rules of {rule.place} begin on one day: {rule.since}")
            seen.add((rule.place, rule.since))
            if problem := unknown_place(rule.place, self.states):
                raise ValueError(problem)
        return self


class Rules:
    """The rules of include/hours.yaml, and what tells the state that one is for."""

    def __init__(self, file: _File) -> None:
        self.by_place: dict[str, list[Rule]] = defaultdict(list)
        for rule in sorted(file.rules, key=lambda rule: rule.since or date.min):
            self.by_place[rule.place].append(rule)
        self.states = file.states
        area_codes, zones = defaultdict(list), defaultdict(list)
        for key, state in file.states.items():
            for code in state.area_codes:
                area_codes[str(code)].append(key)
            for zone in state.zones:
                zones[zone].append(key)
        self.by_area_code = {code: tuple(keys) for code, keys in area_codes.items()}
        self.by_zone = {zone: tuple(keys) for zone, keys in zones.items()}

    def on(self, place: str, day: date) -> Rule | None:
        """The rule of a country or state that holds on a day: the newest that has begun."""
        begun = (r for r in self.by_place.get(place, ()) if r.since is None or r.since <= day)
        return max(begun, key=lambda rule: rule.since or date.min, default=None)


def unknown_place(place: str, states: Mapping[str, State]) -> str | None:
    """Why no recipient can be in a place, so that a rule for it would never hold; None: one can."""
    if "-" in place:
        if place in states:
            return None
        return f"neither numbers nor zones tell {place}: add it to `states` in include/hours.yaml"
    zones = zones_of_country(place)
    if not zones or place == "ZZ":
        return f"{place} is no country; write one like IT"
    # Puerto Rico has a country's code of its own, and the federal rules of the United States.
    parts = {key for key, state in states.items() if set(zones) & set(state.zones)}
    if parts and not any(key.startswith(f"{place}-") for key in parts):
        return f"{place} stands here as {', '.join(sorted(parts))}"
    return None


def read_rules(path: Path) -> Rules:
    """The rules of a file. Raises ConfigurationError: the file, the line, what is wrong."""
    text, content = read_yaml(path, "rules")
    if not isinstance(content, dict) or set(content) != {"rules", "states"}:
        raise ConfigurationError(f"The rules {path} need the keys `rules` and `states`, no others.")
    try:
        return Rules(_File.model_validate(content))
    except ValidationError as error:
        raise ConfigurationError(f"The rules {path} {explain(error, text, _File)}") from error


@lru_cache(maxsize=1)
def rules() -> Rules:
    """The rules of this installation, read once. Raises ConfigurationError as read_rules does."""
    return read_rules(INCLUDE / "hours.yaml")


def check(hours: Hours) -> None:
    """Read the rules, and see that each of the policy's own `places` is one that can be told.

    Raises ConfigurationError.
    """
    for place in hours.places:
        if problem := unknown_place(place, rules().states):
            raise ConfigurationError(f"The policy's hours.places.{place} never holds: {problem}.")
