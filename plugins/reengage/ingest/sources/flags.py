"""What a column of yes and no says: the words are in include/flags.yaml."""

import re
import unicodedata
from functools import lru_cache
from itertools import chain
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reengage.errors import ConfigurationError
from reengage.ingest.sources.numerals import BadValue
from reengage.settings import INCLUDE
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

FILE = INCLUDE / "flags.yaml"
LONGEST = 60  # characters of what may be a flag
NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
# A number is a flag only where it is plainly one of two.
NUMBERS = {1.0: True, 0.0: False}

Word = Annotated[str, Field(min_length=1)]
Words = tuple[tuple[Word, ...], ...]


class _Answers(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    yes: Words
    no: Words


class _File(_Answers):
    consent: _Answers
    stock: _Answers
    withdrawal: Words


@lru_cache(10_000)
def is_yes(said: str, of: Literal["consent", "stock"] | None = None) -> bool:
    """Whether a flag says yes; of: what it is a flag of, whose words count as well.

    Raises BadValue where it is neither yes nor no.
    """
    if of == "consent" and len(said) <= LONGEST and NUMBER.fullmatch(said):
        found = NUMBERS.get(float(said))
    else:
        found = _words(of).get(_bare(said)) if len(said) <= LONGEST else None
    if found is None:
        raise BadValue("is neither yes nor no")
    return found


def is_no(said: str) -> bool:
    """Whether it is a plain no, of whatever."""
    try:
        return not is_yes(said)
    except BadValue:
        return False


def may_withdraw(name: str) -> bool:
    """Whether a column is called as one is that says who has withdrawn."""
    said = _in_words(name[:LONGEST])
    return any(_in_words(part) in said for part in chain.from_iterable(_file().withdrawal))


def _in_words(name: str) -> str:
    """optOutDate and opt_out_date as " opt out date"."""
    apart = re.sub(r"(?<=[^\W_A-Z])(?=[A-Z])|[\W_]+", " ", unicodedata.normalize("NFC", name))
    return f" {' '.join(apart.casefold().split())}"


def _bare(said: str) -> str:
    """Without case, accents, blanks and signs; signs alone are what they are."""
    text = unicodedata.normalize("NFKD", said.casefold())
    word = "".join(c for c in text if c.isalnum())
    return word or "".join(text.split())


@lru_cache(1)
def _file() -> _File:
    text, content = read_yaml(FILE, "list of flags")
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{FILE} {explain(error, text, _File)}") from error


@lru_cache(8)
def _words(of: str | None) -> dict[str, bool]:
    said = _file()
    answers = [said, getattr(said, of)] if of else [said]
    found: dict[str, bool] = {}
    for one in answers:
        for words, is_a_yes in ((one.yes, True), (one.no, False)):
            for word in chain.from_iterable(words):
                if found.setdefault(_bare(word), is_a_yes) != is_a_yes:
                    raise ConfigurationError(f"{FILE}: {word} stands under yes and under no")
    return found
