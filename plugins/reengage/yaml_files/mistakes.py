"""What is wrong with a YAML file that a person wrote, in words they can act on: where it is, what
stands there, and what to write instead.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from reengage.yaml_files.meant import as_part, calendar_day, clock_time, meant_number
from reengage.yaml_files.places import field_at, find, homes_of, keys_of, model_in, type_at

WORD = "literal["  # how pydantic names what may be one of several words
MOST_SHOWN = 60  # characters of what somebody wrote


def explain(error: ValidationError, text: str | None, model: type[BaseModel]) -> str:
    """A pydantic error as sentences a person can act on. text: the YAML it is about, for the lines
    (None: it is no YAML); model: what it should have been, for the keys that may stand there.
    """
    root = yaml.compose(text, yaml.SafeLoader) if text else None
    found = [
        _Mistake(e, root, text or "", model)
        for e in _of_what_was_meant(error.errors())
        if e["type"] != "default_factory_not_called"  # follows from another
    ]
    meant = {(one.parent, one.near) for one in found if one.near}
    # A key that is misspelt is not missing as well.
    told = [one for one in found if not (one.kind == "missing" and (one.parent, one.key) in meant)]
    told.sort(key=lambda one: one.line or 0)
    return "is not usable:\n" + "\n".join(dict.fromkeys(f"  {one.said()}" for one in told))


def _of_what_was_meant(errors: list[Any]) -> list[Any]:
    """Without those of what was not written, where there may be a word or keys: pydantic tells
    what is wrong with either.
    """
    has_keys = {
        e["loc"][:-1]: isinstance(e["input"], dict)
        for e in errors
        if e["loc"] and str(e["loc"][-1]).startswith(WORD)
    }
    return [
        e
        for e in errors
        if all(
            e["loc"][: len(place)] != place
            or len(e["loc"]) == len(place)
            or str(e["loc"][len(place)]).startswith(WORD) is not keys
            for place, keys in has_keys.items()
        )
    ]


@dataclass
class _Mistake:
    """One of pydantic's errors, with its place in the YAML."""

    error: Any
    root: yaml.Node | None
    text: str
    model: type[BaseModel]

    def __post_init__(self) -> None:
        self.kind: str = self.error["type"]
        self.limits: dict[str, Any] = self.error.get("ctx", {})
        # Of a value that may be a word or keys pydantic names which of them it has tried.
        loc = [p for p in self.error["loc"] if p != "[key]" and not str(p).startswith(WORD)]
        self.is_key = "[key]" in self.error["loc"]
        self.key = str(loc[-1]) if loc else ""
        self.parent = tuple(loc[:-1])
        message = self.error["msg"].removeprefix("Value error, ")
        if not loc and (about := re.match(r"([a-z_]+(?:\.[a-z_]+)*)\b", message)):
            # What is wrong with the whole begins with the key that it is about.
            loc = about[1].split(".")
        self.line, self.node, self.place = find(self.root, loc)
        if not self.error["loc"]:
            self.place = ""
        self.field = field_at(self.model, loc)
        owner = model_in(type_at(self.model, loc[:-1]))
        self.allowed = keys_of(owner)
        self.near = ""
        if self.kind == "missing" and len(loc) == 1:
            self.line = 0
        if self.kind == "extra_forbidden":
            self.homes = [home for home in homes_of(self.model, self.key) if home != self.parent]
            likeness = 0.9 if self.homes else 0.65
            self.near = next(iter(get_close_matches(self.key, self.allowed, 1, likeness)), "")

    def said(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        place = f"{self.place}: " if self.place else ""
        said = f" (it says {self.written})" if self.written and self.kind != "missing" else ""
        return f"{where}{place}{self._what()}{said}"

    @property
    def written(self) -> str:
        """What stands there, as it was written; '' for what is more than a value."""
        if self.is_key or self.kind == "extra_forbidden" or not self.error["loc"]:
            return ""
        value = self.error["input"]
        if self.node is not None:
            shown = self.text[self.node.start_mark.index : self.node.end_mark.index].strip()
            is_long = "\n" in shown or isinstance(self.node, yaml.MappingNode)
            return "" if is_long else _clipped(shown or "nothing")
        if self.root is not None or isinstance(value, dict | list | tuple | BaseModel):
            return ""
        return _clipped("nothing" if value is None else str(value))

    @property
    def _value(self) -> str:
        """What stands there, without quotes."""
        if self.node is not None:
            is_one = isinstance(self.node, yaml.ScalarNode)
            return str(self.node.value).strip() if is_one else ""
        value = self.error["input"]
        return str(value).strip() if isinstance(value, str | int | float) else ""

    @property
    def _example(self) -> str:
        if self.field is None:
            return ""
        options = get_args(self.field.annotation)
        is_choice = get_origin(self.field.annotation) is Literal
        examples = self.field.examples or (options if is_choice else ())
        return str(examples[0]) if examples else ""

    def _what(self) -> str:
        kind, value = self.kind, self.error["input"]
        wants = _wanted(kind)
        like = f", like {self._example}" if self._example and "like" not in wants else ""
        if kind == "extra_forbidden":
            return self._unknown()
        if kind == "missing":
            return "is missing" + (f": write `{self.key}: {self._example}`" if like else "")
        if kind == "value_error":
            return str(self.error["msg"]).removeprefix("Value error, ")
        if kind == "yes_no":
            return f"YAML takes this for true or false: {self._no_yes(like)}"
        if self.is_key:
            return "this key is none that can stand here"
        if value is None and wants:
            has_default = self.field is not None and not self.field.is_required()
            return f"is empty: write {wants}{like}" + (
                ", or take the line away" if has_default else ""
            )
        if isinstance(value, list | tuple) and wants and not kind.startswith(("tuple", "list")):
            return f"write {wants}{like}, not a list"
        if isinstance(value, dict) and wants and not kind.startswith(("dict", "model")):
            return f"write {wants}{like}, and no keys below it"
        return self._bounds() or self._remedy(wants, like) or _plain(self.error["msg"])

    def _unknown(self) -> str:
        said = "no such key"
        if self.near:
            said += f"; you may mean {self.near}"
        elif self.homes:
            said += f" here; {self.key} stands below {' or '.join(self.homes[:3])}"
        return said + (f"; allowed are {', '.join(self.allowed)}" if self.allowed else "")

    def _bounds(self) -> str:
        """A number out of its bounds, a text or list that is too short or too long."""
        limits = self.limits
        least = limits.get("ge", limits.get("gt"))
        most = limits.get("le", limits.get("lt"))
        if most is not None:
            if most == 1 and 1 < float(self.error["input"]) <= 100:
                return f"write the share as a part of 1: {as_part(self.error['input'])}"
            return f"must be {'at most' if 'le' in limits else 'less than'} {most:g}"
        if least is not None:
            return f"must be {'at least' if 'ge' in limits else 'more than'} {least:g}"
        if (short := limits.get("min_length")) is not None:
            return f"write {'at least one' if short == 1 else f'{short} or more'}"
        if (long := limits.get("max_length")) is not None:
            return f"is too long: at most {long}"
        return ""

    def _no_yes(self, like: str) -> str:
        """What to write instead of a yes, no, on or off that no field takes."""
        annotation = self.field.annotation if self.field else None
        if annotation is str:
            return f'write it in quotes: "{self._value}"'
        if get_origin(annotation) is Literal:
            return f"write one of {', '.join(get_args(annotation))}"
        return f"write a value{like}"

    def _remedy(self, wants: str, like: str) -> str:
        """What to write instead of something of another kind."""
        kind, value = self.kind, self._value
        if kind == "literal_error":
            options = re.findall(r"'([^']*)'", self.limits["expected"])
            near = next(iter(get_close_matches(value.lower(), options, 1)), "")
            meant = f"; you may mean {near}" if near else ""
            return f"write {'one of ' if options[1:] else ''}{', '.join(options)}{meant}"
        if kind.startswith(("int", "float", "finite", "decimal")):
            is_whole = kind.startswith("int")
            plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", value) if is_whole else value
            number = meant_number(plain, is_share=self._is_share)
            if number and is_whole and not number.lstrip("-").isdigit():
                number = f"{round(float(number))}"
            return f"write {wants}: {number}" if number else f"write {wants}{like}"
        if kind.startswith("time"):
            hour = clock_time(value)
            return f'write the hour in quotes: "{hour}"' if hour else f"write {wants}{like}"
        if kind.startswith("date"):
            return self._day(wants)
        if kind == "string_pattern_mismatch":
            return f"is not written as it has to be{like}"
        if kind.startswith("string"):
            return f'write it in quotes: "{value}"' if value else f"write {wants}{like}"
        if kind.startswith(("tuple", "list", "set")):
            return f"write a list: [{value}]" if value else "write a list: a - before each of it"
        if kind.startswith(("dict", "model", "mapping")):
            names = keys_of(model_in(self.field.annotation)) if self.field else []
            return "write its keys below it" + (f": {', '.join(names)}" if names else "")
        if kind.startswith("bool"):
            return "write true or false"
        return ""

    @property
    def _is_share(self) -> bool:
        """Whether the field's numbers are parts of 1."""
        tops = [
            getattr(m, "le", getattr(m, "lt", None)) for m in getattr(self.field, "metadata", ())
        ]
        return 1 in tops

    def _day(self, wants: str) -> str:
        value = self._value
        if day := calendar_day(value):
            time = " 00:00" if self.kind.startswith("datetime") else ""
            return f"write the day as year-month-day: {day}{time}"
        if re.match(r"\d{4}-\d{2}-\d{2}", value):
            if self.kind == "date_from_datetime_inexact":
                return f"write the day alone: {value[:10]}"
            return "there is no such day"
        return f"write {wants}"


def _wanted(kind: str) -> str:
    """What a field of an error of this kind takes."""
    for start, wants in (
        ("int", "a whole number"),
        (("float", "finite", "decimal"), "a number"),
        ("bool", "true or false"),
        ("string", "a text"),
        ("time", "an hour in quotes"),
        ("datetime", "a day and a time, like 2026-11-27 00:00"),
        ("date", "a day, like 2027-12-31"),
        (("tuple", "list", "set"), "a list"),
        (("dict", "model", "mapping"), "its keys below it"),
        ("literal", "one value"),
    ):
        if kind.startswith(start):
            return wants
    return ""


def _plain(message: str) -> str:
    """One of pydantic's sentences that is said by no other here."""
    return re.sub(r"^(Input|Value|String) should", "it should", message)


def _clipped(shown: str) -> str:
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}…"
