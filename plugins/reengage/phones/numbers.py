"""One number, however it is written: whose a reply is, and every hash that a stop may rest on.

Nothing here reads a clock, a database or the network.
"""

import hashlib
import hmac
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple

import phonenumbers
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reengage.errors import ConfigurationError
from reengage.phones.hashes import PhoneKey
from reengage.policy import Country
from reengage.settings import INCLUDE
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

FILE = INCLUDE / "numbers.yaml"

# A short code texts nobody back; a number of nobody's is still told apart from others.
E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
# https://www.twilio.com/docs/messaging/channels: whatsapp:+12125550100, rcs:+12125550100.
CHANNEL = re.compile(r"^[a-z_]{2,20}:", re.I)
_PART = re.compile(r"\{([a-z])\}")


class Rule(BaseModel):
    """How one number of a country is written in several ways."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: Country
    forms: Annotated[tuple[str, ...], Field(min_length=2)]
    where: dict[str, str]
    source: str = Field(min_length=1)

    @property
    def groups(self) -> dict[str, str]:
        """The shared parts as groups of a regular expression."""
        return {name: f"(?P<{name}>{part})" for name, part in self.where.items()}

    @model_validator(mode="after")
    def _share_their_parts(self) -> "Rule":
        for form in self.forms:
            if sorted(_PART.findall(form)) != sorted(self.where):
                raise ValueError(f"{form} must hold each part of `where` once")
            if not re.fullmatch(r"\d+", _PART.sub("", form)):
                raise ValueError(f"{form} must be digits and parts like {{n}}, without a +")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[Rule, ...]


class _Form(NamedTuple):
    """One spelling of a rule, and how its other spellings are made of it."""

    pattern: re.Pattern[str]
    others: tuple[str, ...]


class Forms:
    """The spellings of numbers in a file. Raises ConfigurationError where it cannot be read."""

    def __init__(self, file: Path = FILE) -> None:
        text, content = read_yaml(file, "list of numbers")
        try:
            rules = _File.model_validate(content).rules
            self._forms = tuple(
                _Form(
                    re.compile(r"\+" + form.format(**rule.groups)),
                    tuple("+" + other for other in rule.forms if other != form),
                )
                for rule in rules
                for form in rule.forms
            )
        except ValidationError as error:
            raise ConfigurationError(f"{file} {explain(error, text, _File)}") from error
        except re.error as error:
            raise ConfigurationError(f"{file}: {error}, in `where`.") from error
        # In the forms of POSIX and of Python alike: what the warehouse looks numbers up by.
        self.pattern = "|".join(sorted({f"^({form.pattern.pattern})$" for form in self._forms}))
        self.pattern = re.sub(r"\?P<[a-z]>", "", self.pattern).replace(r"\d", "[0-9]")

    def of(self, number: str) -> tuple[str, ...]:
        """Every spelling of a number in E.164, its own first."""
        found = dict.fromkeys([number])
        for form in self._forms:
            if match := form.pattern.fullmatch(number):
                parts = match.groupdict()
                found |= dict.fromkeys(other.format(**parts) for other in form.others)
        return tuple(found)


@lru_cache(maxsize=1)
def forms() -> Forms:
    """The spellings in include/numbers.yaml."""
    return Forms()


def version() -> str:
    """What the spellings of numbers depend on, as a hash: where it changes, they are noted anew,
    and who is one person by them.
    """
    return hashlib.sha256(f"of every card\n{forms().pattern}".encode()).hexdigest()


def pattern(keys: tuple[PhoneKey, ...]) -> str:
    """Which numbers in E.164 have more than one hash, as a regular expression of the warehouse."""
    return forms().pattern if len(keys) == 1 else "."


def hashes(number: str, keys: tuple[PhoneKey, ...]) -> tuple[str, ...]:
    """Every hash of a number in E.164, today's first. keys: the newest first."""
    return tuple(key.hash(form) for key in keys for form in forms().of(number))


def digests(number: str) -> tuple[str, ...]:
    """What cards with a number in E.164 are told by (core.card_id), a digest a spelling: whether
    two share it does not depend on the key of the day on which they came.
    """
    return tuple(hashlib.sha256(form.encode()).hexdigest() for form in forms().of(number))


def number_of(sender: str, country: str) -> str | None:
    """Whose a text is, in E.164: of +12125550100, 12125550100, whatsapp:+1…, or a number as it is
    written within `country`. None for a short code, or a name.
    """
    text = CHANNEL.sub("", sender.strip()).partition("@")[0].strip()
    if re.search(r"[^\W\d]", text):
        return None
    digits = re.sub(r"\D", "", text)
    if not text.startswith("+"):
        digits = digits.removeprefix("00")
    for written, region in ((f"+{digits}", None), (text, country)):
        try:
            number = phonenumbers.parse(written, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Of an older plan, or of none: it may still be the one that we text.
    return f"+{digits}" if E164.fullmatch(f"+{digits}") else None


def sender_hashes(sender: str, country: str, keys: tuple[PhoneKey, ...]) -> tuple[str, ...]:
    """The hashes by which a reply's sender is looked up; of a name or a short code, one that is no
    number's.
    """
    if number := number_of(sender, country):
        return hashes(number, keys)
    text = f"sender {sender.strip().casefold()}".encode()
    return tuple(
        key.prefix + hmac.new(key.secret.encode(), text, hashlib.sha256).hexdigest() for key in keys
    )
