"""What the providers' codes mean: include/codes, one file a provider, by lists.

A refusal does what its list says, and nothing else: only the first two say something of the number.
A code on no list says nothing of it either.
"""

import re
from enum import StrEnum
from functools import cache
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from reengage.errors import ConfigurationError
from reengage.settings import INCLUDE
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

FOLDER = INCLUDE / "codes"
QUOTED = re.compile(r"\b[Cc]ode: ([^\s.]+)\.$")
# What we ourselves say of a message that is given up.
OURS = {
    "too_late": "its time was over",
    "text_too_long": "it is too long for the provider",
    "not_sent": "it was tried several times, and never arrived at the provider",
}


class Cause(StrEnum):
    """Of what a refusal is."""

    NUMBER = "number"  # the handset or the number is bad: it is suppressed
    STOP = "stop"  # the person has opted out
    ACCOUNT = "account"  # everybody would be refused: the run stops, and nobody is suppressed
    MESSAGE = "message"  # this text, or its sender there: it is given up
    MOMENT = "moment"  # refused just now: tried again later
    DOUBT = "doubt"  # it may be out all the same: looked up in the log


def plain(code: str) -> str:
    """A code as it is looked up: Infobip writes its names in more than one way."""
    return code.strip().upper()


Code = Annotated[str, BeforeValidator(lambda code: plain(str(code)))]
List = dict[Code, Annotated[str, Field(min_length=1)]]


class Codes(BaseModel):
    """A provider's lists: what each code says, in words that go on from "because"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: List
    stop: List
    account: List
    message: List
    moment: List
    doubt: List

    @model_validator(mode="after")
    def _once(self) -> "Codes":
        seen = set[str]()
        for cause in Cause:
            if both := seen & self.of(cause).keys():
                raise ValueError(f"{', '.join(sorted(both))}: on two lists")
            seen |= self.of(cause).keys()
        return self

    def of(self, cause: Cause) -> dict[str, str]:
        """The list of a cause."""
        codes: dict[str, str] = getattr(self, cause.value)
        return codes

    def cause(self, code: str) -> Cause | None:
        """On which list a code is; None: on none."""
        return next((cause for cause in Cause if plain(code) in self.of(cause)), None)

    def words(self, code: str) -> str | None:
        """What a code says, for people; None where it is on no list."""
        cause = self.cause(code)
        return self.of(cause)[plain(code)] if cause else None


@cache
def codes_of(provider: str) -> Codes:
    """A provider's lists. Raises ConfigurationError where they cannot be read."""
    file = FOLDER / f"{provider}.yaml"
    text, content = read_yaml(file, "list of codes")
    try:
        return Codes.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{file} {explain(error, text, Codes)}") from error


def words(code: str) -> str | None:
    """What a code says, whichever provider's it is: two have none in common that differs. Of a code
    of MailUp's reports (UNDELIV_AT_001), what its kind says. None: it is on no list.
    """
    for file in sorted(FOLDER.glob("*.yaml")):
        if found := codes_of(file.stem).words(code.partition("_AT_")[0]):
            return found
    return OURS.get(code)


def in_words(text: str) -> str:
    """A text that may end by quoting a code ("Code: 21635."), with what the code says."""
    quoted = QUOTED.search(text)
    said = words(quoted[1]) if quoted else None
    return f"{text[:-1]}: {said}." if said else text
