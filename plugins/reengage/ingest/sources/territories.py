"""Countries as people, shops and their software write them: a code, or a name in any language.

Babel knows the names of every language (Unicode CLDR); include/territories.yaml adds others.
"""

import pickle
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import phonenumbers
from babel.core import get_global
from babel.localedata import locale_identifiers, resolve_locale_filename
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reengage.errors import ConfigurationError
from reengage.ingest.sources.numerals import BadValue
from reengage.policy import Country
from reengage.settings import INCLUDE
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

FILE = INCLUDE / "territories.yaml"
LONGEST_NAME = 100

Meant = dict[str, frozenset[str]]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    names: dict[Country, tuple[Annotated[str, Field(min_length=1)], ...]]


@lru_cache(4096)
def country(said: str) -> str:
    """The ISO 3166-1 code of a country. Raises BadValue for what is none, or may be several."""
    code = said.upper()
    if code in phonenumbers.SUPPORTED_REGIONS:
        return code
    name = _folded(said[:LONGEST_NAME]) if len(said) <= LONGEST_NAME else ""
    meant = _codes().get(code) or _known().get(name) or _every_language().get(name) or frozenset()
    if len(meant) > 1:
        codes = " or ".join(sorted(meant)[:4]) + (" or another" if len(meant) > 4 else "")
        raise BadValue(f"may be {codes}: write the code of the one that is meant")
    if not meant:
        raise BadValue("is no country that is known: write its code, like US, or its name")
    return next(iter(meant))


@lru_cache(1)
def _codes() -> Meant:
    """The codes of three letters; and UK, which is reserved for those who write it."""
    aliases = get_global("territory_aliases")
    return {
        said: frozenset(codes) & phonenumbers.SUPPORTED_REGIONS
        for said, codes in aliases.items()
        if said == "UK" or (len(said) == 3 and said.isalpha())
    }


@lru_cache(1)
def _known(file: Path = FILE) -> Meant:
    """English names, and those of the file. What English calls so is meant, whatever it means in
    another language.
    """
    text, content = read_yaml(file, "list of territories")
    try:
        more = _File.model_validate(content).names
    except ValidationError as error:
        raise ConfigurationError(f"{file} {explain(error, text, _File)}") from error
    found = defaultdict(set)
    for name, code in _names("en"):
        found[_folded(name)].add(code)
    for code, names in more.items():
        for name in names:
            found[_folded(name)].add(code)
    return {name: frozenset(codes) for name, codes in found.items()}


@lru_cache(1)
def _every_language() -> Meant:
    found = defaultdict(set)
    # A language's own names; those of its countries (es_MX) are hardly ever others.
    for locale in (
        name for name in locale_identifiers() if not re.search("_([A-Z]{2}|[0-9]{3})", name)
    ):
        for name, code in _names(locale):
            found[_folded(name)].add(code)
    return {name: frozenset(codes) for name, codes in found.items()}


def _names(locale: str) -> Iterator[tuple[str, str]]:
    """What a locale itself calls countries, with their codes. Babel would keep all that it ever
    read of a locale in memory, of a thousand of them 100 MB.
    """
    with Path(resolve_locale_filename(locale)).open("rb") as file:
        data = pickle.load(file)
    for code, name in data.get("territories", {}).items():
        if code in phonenumbers.SUPPORTED_REGIONS and isinstance(name, str):
            yield name, code


def _folded(name: str) -> str:
    """A name as it is compared: without case, accents, blanks and signs."""
    return "".join(
        char
        for char in unicodedata.normalize("NFKD", name).casefold()
        if unicodedata.combining(char) < 200 and unicodedata.category(char)[0] in "LMN"
    )
