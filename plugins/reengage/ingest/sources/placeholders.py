"""What stands where there is no id and no e-mail address: it is nobody's, and joins nobody."""

import re
import unicodedata
from functools import lru_cache
from itertools import chain
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reengage.errors import ConfigurationError
from reengage.settings import INCLUDE
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

FILE = INCLUDE / "placeholders.yaml"
LONGEST = 60  # characters of what may be a placeholder

Word = Annotated[str, Field(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: tuple[tuple[Word, ...], ...]
    emails: tuple[tuple[Word, ...], ...]
    both: tuple[Word, ...]


class _Words(NamedTuple):
    ids: frozenset[str]
    emails: frozenset[str]
    both: frozenset[str]


@lru_cache(65_536)
def is_no_id(value: str) -> bool:
    """Whether an id, as `ids.normal_id` gives it, is nobody's: a word for none, nothing but signs,
    or a placeholder of an address. Zeros are an id: tables are numbered from 0, too.
    """
    if value.isascii() and value.isdigit():
        return False
    if len(value) > LONGEST:
        return not any(char.isalnum() for char in value)
    if all(unicodedata.category(char)[0] in "PZ" for char in value):
        return True
    return _bare(value) in _words().ids or ("@" in value and is_no_email(value))


def joins_nobody(value: str) -> bool:
    """Whether an id is nobody's where it says who is one person: zeros are none there, too."""
    return is_no_id(value) or not _bare(value).strip("0")


@lru_cache(4096)
def is_no_email(value: str) -> bool:
    """Whether an e-mail address is one that is typed where there is none."""
    name, _, domain = value.partition("@")
    words, local = _words(), _bare(name.partition("+")[0])
    return local in words.emails or (local in words.both and local == domain.split(".")[0].lower())


def _bare(said: str) -> str:
    """Without case, blanks and signs, but for the minus before a number."""
    text = unicodedata.normalize("NFKC", said).casefold()
    word = re.sub(r"[\W_]", "", text)
    return f"-{word}" if word.isdigit() and text.strip().startswith("-") else word


@lru_cache(1)
def _words() -> _Words:
    text, content = read_yaml(FILE, "list of placeholders")
    try:
        said = _File.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{FILE} {explain(error, text, _File)}") from error
    return _Words(
        frozenset(map(_bare, chain.from_iterable(said.ids))),
        frozenset(map(_bare, chain.from_iterable(said.emails))),
        frozenset(map(_bare, said.both)),
    )
