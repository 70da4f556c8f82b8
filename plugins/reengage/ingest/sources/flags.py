"""What columns of consents say in words: yes or no, of which channel, and for what. The words are
in include/flags.yaml.
"""

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


class _Channels(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: Words
    may_be_texts: Words
    others: Words


class _Purposes(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    marketing: Words
    others: Words


class _File(_Answers):
    consent: _Answers
    stock: _Answers
    withdrawal: Words
    all: Words
    channel: _Channels
    purpose: _Purposes


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


@lru_cache(10_000)
def is_of_texts(channel: str) -> bool | None:
    """Whether a channel is texts, or another; None where it is not known."""
    if is_all(channel) or _bare(channel) in _bare_words(_file().channel.texts):
        return True
    return False if any(w in _bare(channel) for w in _bare_words(_file().channel.others)) else None


@lru_cache(10_000)
def names_texts(channel: str) -> bool:
    """Whether texts may be among several channels: "email and text", SMS/E-Mail, mobile phone."""
    known = _file().channel
    texts = _bare_words(known.texts) | _bare_words(known.may_be_texts)
    return "sms" in _bare(channel) or any(_bare(w) in texts for w in _in_words(channel).split())


def is_all(said: str) -> bool:
    """Whether it is a word for every channel, or every purpose."""
    return _bare(said) in _bare_words(_file().all)


@lru_cache(10_000)
def is_of_marketing(purpose: str) -> bool | None:
    """Whether a purpose is marketing, or another; None where it is not known."""
    said = _in_words(purpose)
    for words, found in ((_file().purpose.marketing, True), (_file().purpose.others, False)):
        if any(_in_words(word) in said for word in chain.from_iterable(words)):
            return found
    return None


@lru_cache(8)
def _bare_words(words: Words) -> frozenset[str]:
    return frozenset(map(_bare, chain.from_iterable(words)))


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
