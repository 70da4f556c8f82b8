"""What a text must say by the recipient's country (include/countries.yaml): how it begins, and how
it says how to end it.

Nothing here reads a clock, a database or the network.
"""

import re
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple

import phonenumbers
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reengage.errors import ConfigurationError
from reengage.policy import Brand, Country
from reengage.settings import INCLUDE
from reengage.texts.segments import plain
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

Language = Annotated[str, Field(pattern="^[a-z]{2}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """What a text to a country must say. opt_out None: what its language says."""

    country: Country
    language: Language | None
    replies: bool
    label: str | None
    names_sender: bool
    opt_out: str | None
    opt_out_word: str | None
    opt_out_last: bool
    checked: date
    source: str = Field(min_length=1)


class Words(_Part):
    """How a language begins a text, and says how to end it: by a reply, or by the link."""

    opening: str = Field(pattern=r"\{brand\}")
    reply: str = Field(min_length=1)
    link: str = Field(min_length=1)


class _File(_Part):
    rules: tuple[Rule, ...]
    languages: dict[Language, Words]

    @model_validator(mode="after")
    def _consistent(self) -> "_File":
        seen = [rule.country for rule in self.rules]
        if twice := {country for country in seen if seen.count(country) > 1}:
            raise ValueError(f"two rules of {', '.join(sorted(twice))}")
        if "en" not in self.languages:
            raise ValueError("`languages` needs en, for the languages that it does not name")
        return self


class Breach(NamedTuple):
    """What a text lacks, as the end of a sentence. is_at_end: it lacks it at its end."""

    reason: str
    is_at_end: bool


class Form(NamedTuple):
    """What a text to one country, in one language, begins with, and how it says how to end it.

    rule: what the country requires; None: nothing that is known.
    """

    country: str
    brand: str
    opening: str
    opt_out: str
    rule: Rule | None

    def breach(self, body: str) -> Breach | None:
        """What a text lacks that everybody, or its country, must be told; None: nothing."""
        rule = self.rule
        if rule and rule.label and not body.startswith(self.opening):
            return Breach(
                f'a text to {self.country} must begin with "{self.opening}": begin it with '
                "{{ opening }}",
                is_at_end=False,
            )
        if rule and rule.names_sender and self.brand not in body:
            return Breach(
                f"a text to {self.country} must name the sender: begin it with {{{{ opening }}}}",
                is_at_end=False,
            )
        if self.opt_out not in body:
            return Breach(
                f'the text does not say how to end it ("{self.opt_out}"): end it with '
                "{{ opt_out }}",
                is_at_end=True,
            )
        if rule and rule.opt_out_last and not body.endswith(self.opt_out):
            return Breach(
                f'a text to {self.country} must end with "{self.opt_out}": end it with '
                "{{ opt_out }}",
                is_at_end=True,
            )
        return None


class Countries:
    """The rules of include/countries.yaml, and the words of the languages."""

    def __init__(self, file: _File) -> None:
        self.rules = {rule.country: rule for rule in file.rules}
        self.words = file.languages

    def language_of(self, country: str | None) -> str | None:
        """The language of those in a country whose own is not known; None: it is not told."""
        rule = self.rules.get(country or "")
        return rule.language if rule else None

    def form(self, brand: Brand, country: str, language: str) -> Form:
        """How a text of that brand, in that language, to that country begins and ends.

        Raises ConfigurationError where the words of a rule do not hold its own opt_out_word.
        """
        rule = self.rules.get(country)
        words = self.words.get(language, self.words["en"])
        opening = words.opening.replace("{brand}", brand.name)
        way = words.reply if self.takes_replies(brand, country) else words.link
        if rule:
            opening = (rule.label or "") + opening
            way = rule.opt_out or way
            if rule.opt_out_word and rule.opt_out_word.casefold() not in way.casefold():
                raise ConfigurationError(
                    f"{FILE}: a text to {country} in {language} would end by {way!r}, which "
                    f"must hold {rule.opt_out_word!r}: write it there."
                )
        return Form(country, plain(brand.name), plain(opening), plain(way), rule)

    def takes_replies(self, brand: Brand, country: str) -> bool:
        """Whether people in a country can answer the brand's texts as they answer any other: the
        sender is a number (to a name nobody can), of that country (to another's it costs).
        """
        rule = self.rules.get(country)
        digits = _digits(brand.sender)
        if not digits or (rule and not rule.replies):
            return False
        if not digits.startswith("+"):
            # A short code, which is its country's own.
            return country == brand.country
        code = phonenumbers.country_code_for_region(country)
        return bool(code) and digits.startswith(f"+{code}")


def _digits(sender: str) -> str:
    """A sender that is a number, without its spaces and signs; '' for a name."""
    digits = re.sub(r"[\s().-]", "", sender)
    return digits if re.fullmatch(r"\+?\d{3,15}", digits) else ""


def is_number(sender: str) -> bool:
    """Whether a sender is a number, which a text may ask people to reply to."""
    return bool(_digits(sender))


FILE = INCLUDE / "countries.yaml"


def read_countries(path: Path) -> Countries:
    """The rules of a file. Raises ConfigurationError: the file, the line, what is wrong."""
    text, content = read_yaml(path, "rules")
    if not isinstance(content, dict):
        raise ConfigurationError(f"The rules {path} need the keys `rules` and `languages`.")
    try:
        return Countries(_File.model_validate(content))
    except ValidationError as error:
        raise ConfigurationError(f"The rules {path} {explain(error, text, _File)}") from error


@lru_cache(maxsize=1)
def countries() -> Countries:
    """The rules of this installation, read once. Raises ConfigurationError as above."""
    return read_countries(FILE)
