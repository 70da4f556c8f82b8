"""What a source's `exclude` says of a column: words, beginnings of words, and comparisons."""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from reengage.ingest.sources import numerals
from reengage.spreadsheet import unquoted
from reengage.yaml_files.plain_yaml import Unquoted, as_read

# What exports write where there is nothing.
NOTHING = {"", "\\N", "NULL", "null", "NaN", "nan", "NaT", "None", "N/A", "#N/A", "<NA>", "(null)"}
LONGEST_WORD = 200  # characters of what may be a word of a rule: a longer value is none
BOUNDS = ("below", "at_most", "above", "at_least")
_WHOLE = re.compile(r"^(-?\d+)\.0+$", re.ASCII)
_LIKE_A_COMPARISON = re.compile(
    r"\s*(?:[<>]=?|[≤≥]|below|above|under|over)\s*-?\d[\d.,]*\s*", re.IGNORECASE
)


def folded(value: str | None) -> str:
    """A value as `exclude` and `map` compare it: without case and blanks, nor the `.0` of a
    program that took a whole number for a float.
    """
    return _WHOLE.sub(r"\1", _spelled(value))


def _spelled(value: str | None) -> str:
    """A value without case and blanks, and with every digit that is written."""
    said = "".join(unquoted((value or "").strip()).split())
    if len(said) <= LONGEST_WORD:  # of a longer one it takes the square of its length
        said = "".join(unicodedata.normalize("NFKC", said).split())
    return said.casefold()


class Comparison(BaseModel):
    """Numbers below one, above another, or both at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    below: Decimal | None = None
    at_most: Decimal | None = None
    above: Decimal | None = None
    at_least: Decimal | None = None

    def __str__(self) -> str:
        """As in "was never below 1"."""
        said = ((name, getattr(self, name)) for name in BOUNDS)
        return " and ".join(f"{n.replace('_', ' ')} {x}" for n, x in said if x is not None)

    def holds(self, number: Decimal) -> bool:
        """Whether a number is within every bound."""
        return (
            (self.below is None or number < self.below)
            and (self.at_most is None or number <= self.at_most)
            and (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
        )


def _condition(value: Any) -> Any:
    """One condition of a YAML, in words that say what is wrong with it."""
    if isinstance(value, Comparison):
        return value
    if isinstance(value, dict):
        return _comparison(value)
    if isinstance(value, Unquoted):
        raise ValueError(as_read(value))
    if not isinstance(value, str):
        raise ValueError(
            "write a word, the beginning of one ([C*]), or a comparison ({below: 1}); several of "
            "them as a list"
        )
    if "*" in value[:-1]:
        raise ValueError("a * stands only at the end: C* is whatever begins with C, * any value")
    if _LIKE_A_COMPARISON.fullmatch(value):
        raise ValueError("is no word: write a comparison as {below: 1}, or {above: 1}")
    return value


def _comparison(said: dict[Any, Any]) -> Comparison:
    bounds: dict[str, Decimal] = {}
    for name, number in said.items():
        if name not in BOUNDS:
            near = get_close_matches(str(name), BOUNDS, 1)
            meant = f"you may mean {near[0]}; " if near else ""
            raise ValueError(f"{name} is no comparison: {meant}there are {', '.join(BOUNDS)}")
        try:
            bounds[name] = Decimal(str(number))
        except InvalidOperation:
            raise ValueError(f"{name}: write a number, like 1 or 0.5") from None
        if not bounds[name].is_finite() or isinstance(number, bool):
            raise ValueError(f"{name}: write a number, like 1 or 0.5")
    if not bounds:
        raise ValueError("says nothing: write a comparison, like {below: 1}")
    found = Comparison(**bounds)
    least = [bounds[name] for name in ("above", "at_least") if name in bounds]
    most = [bounds[name] for name in ("below", "at_most") if name in bounds]
    if least and most:
        low, high = max(least), min(most)
        if low > high or (low == high and not found.holds(low)):
            raise ValueError(
                f"nothing is {found}: where one of them is enough, write a list, "
                f"[{{below: {high}}}, {{above: {low}}}]"
            )
    return found


Conditions = Annotated[
    tuple[str | Comparison, ...],
    BeforeValidator(
        lambda said: tuple(map(_condition, said if isinstance(said, list | tuple) else [said]))
    ),
]


def begins_anew(condition: str | Comparison) -> bool:
    """Whether it is a beginning that once lost its `.0`, so that it took out more."""
    if not isinstance(condition, str) or not condition.endswith("*"):
        return False
    return folded(condition[:-1]) != _spelled(condition[:-1])


class Rule:
    """The conditions of one column, any of which takes a row out. decimal: as of `numerals`.

    words: the values that are meant as they stand. patterns: the other conditions, as they are
    written, by what tells whether a value fulfils one.
    """

    def __init__(
        self, conditions: tuple[str | Comparison, ...], decimal: numerals.Decimals | None
    ) -> None:
        texts = [one for one in conditions if isinstance(one, str)]
        self.words = frozenset(folded(one) for one in texts if not one.endswith("*"))
        # A beginning is not whole: what 1.0 begins is not all that 1 does.
        self._begins = {one: _spelled(one[:-1]) for one in texts if one.endswith("*")}
        self._comparisons = {str(one): one for one in conditions if isinstance(one, Comparison)}
        self.patterns = frozenset([*self._begins, *self._comparisons])
        self._decimal = decimal

    def __call__(self, value: str | None) -> bool:
        """Whether any condition is fulfilled. Raises BadValue where a number cannot be told, and
        nothing else is.
        """
        if folded(value) in self.words:
            return True
        return bool(self.patterns) and bool(self.fulfilled(value, self.patterns))

    def fulfilled(self, value: str | None, patterns: frozenset[str]) -> frozenset[str]:
        """Those of the patterns that a value fulfils. Raises BadValue."""
        said = (value or "").strip()
        if said in NOTHING or not patterns:
            return frozenset()
        word = _spelled(said)
        found = {one for one in patterns if one in self._begins and self._fits(one, word)}
        compared = [one for one in patterns if one in self._comparisons]
        if compared and not found:
            number = Decimal(numerals.amount(said, self._decimal))
            found |= {one for one in compared if self._comparisons[one].holds(number)}
        return frozenset(found)

    def _fits(self, pattern: str, word: str) -> bool:
        return word.startswith(self._begins[pattern])
