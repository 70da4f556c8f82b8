"""What a reply says about being written to: stop, start, or for a person to read.

The words are include/words.yaml. Nothing here reads a clock, a database or the network.
"""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reengage.errors import ConfigurationError
from reengage.settings import INCLUDE
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.reading import read_yaml

FILE = INCLUDE / "words.yaml"

# Characters of a reply that are looked at. A longer one is never a START.
LONGEST = 5_000

Meaning = Literal["stop", "start", "unclear"]
Spoken = Annotated[str, Field(min_length=1)]


class _Words(BaseModel):
    """The words of a language. stop: as the whole text or its first words; alone, start: as the
    whole text; polite: may stand before them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stop: Annotated[tuple[Spoken, ...], Field(min_length=1)]
    alone: tuple[Spoken, ...] = ()
    start: tuple[Spoken, ...] = ()
    polite: tuple[Spoken, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: dict[Annotated[str, Field(pattern="^[a-z]{2}$")], _Words]

    @model_validator(mode="after")
    def _consistent(self) -> "_File":
        spoken = self.languages.values()
        stops = {_plain(word) for words in spoken for word in (*words.stop, *words.alone)}
        starts = {_plain(word) for words in spoken for word in words.start}
        if both := stops & starts:
            raise ValueError(f"{', '.join(sorted(both))}: a stop and a start")
        if "" in stops | starts:
            raise ValueError("a word needs a letter")
        return self


class Words:
    """The words of a file. Raises ConfigurationError where it cannot be read."""

    def __init__(self, file: Path = FILE) -> None:
        text, content = read_yaml(file, "list of words")
        try:
            languages = _File.model_validate(content).languages
        except ValidationError as error:
            raise ConfigurationError(f"{file} {explain(error, text, _File)}") from error
        spoken = languages.values()
        self.languages = tuple(languages)
        self._stop = {_plain(word) for words in spoken for word in words.stop}
        self._alone = {_plain(word) for words in spoken for word in words.alone} | self._stop
        self._start = {_plain(word) for words in spoken for word in words.start}
        self._polite = {_plain(word) for words in spoken for word in words.polite}
        # Scripts that leave no space between words.
        self._run_on = tuple(word for word in self._stop if _RUN_ON.fullmatch(word[0]))
        self._longest = max(len(word.split()) for word in self._stop | self._polite)

    def meaning(self, text: str) -> Meaning:
        """What a text says by its own words: of one that nobody types, by its beginning."""
        said = text[:LONGEST]
        if len(text) <= LONGEST and self._rest(_plain(said)) in self._start:
            return "start"
        readings = {_plain(said), _plain(_folded(said))}
        return "stop" if any(map(self._is_stop, readings)) else "unclear"

    def _is_stop(self, plain: str) -> bool:
        said = self._rest(plain)
        words = said.split()
        if not words:
            return False
        # s t o p, as one word; stoppp, as stop.
        letters = "".join(words[: next((i for i, w in enumerate(words) if len(w) > 1), len(words))])
        single = [letters] if len(letters) > 1 else []
        short = _REPEATED.sub(r"\1", said)
        begins = {" ".join(words[:n]) for n in range(1, self._longest + 1)}
        return (
            bool(self._stop & {*begins, *single, *short.split()[:1]})
            or bool(self._alone & {said, short, "".join(words)})
            or said.startswith(self._run_on)
        )

    def _rest(self, plain: str) -> str:
        """The text without the polite words before it; they alone are the text."""
        words, at = plain.split(), 0
        while True:
            begins = [
                n
                for n in range(self._longest, 0, -1)
                if " ".join(words[at : at + n]) in self._polite
            ]
            if not begins or len(words) - at <= begins[0]:
                return " ".join(words[at:])
            at += begins[0]


@lru_cache(maxsize=1)
def words() -> Words:
    """The words in include/words.yaml."""
    return Words()


def meaning(*said: str) -> Meaning:
    """What a reply says about being written to, of its text and what else came with it (the label
    of a button, say): "stop" where any of it is one; "start" where all of it is; else "unclear": a
    person reads it, and nothing is sent until then.

    Plainly something else would be an answer that a text asked for, too: none of ours does. A step
    whose text asks for one by reply would name it.
    """
    meant = {words().meaning(text) for text in said if text.strip()}
    return "stop" if "stop" in meant else "start" if meant == {"start"} else "unclear"


_RUN_ON = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_REPEATED = re.compile(r"(.)\1{2,}")


def _plain(text: str) -> str:
    """A text's words: case, width, accents, punctuation and what cannot be seen taken out."""
    text = unicodedata.normalize("NFKC", text).replace("🛑", " stop ").casefold()
    text = "".join(
        char
        for char in unicodedata.normalize("NFD", text)
        if unicodedata.category(char) not in ("Mn", "Me", "Cf")
        # A vowel of these is a mark, and is no ornament.
        or _VOWEL.fullmatch(char)
    )
    text = unicodedata.normalize("NFC", re.sub(r"['’`´]", "", text))
    return " ".join(re.sub(r"[^\w\u0900-\u097f\u0e00-\u0e7f]+|_", " ", text).split())


_VOWEL = re.compile(r"[\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e4e]")

# Letters that look like Latin ones, by what they look like: of Cyrillic, Greek, Armenian, Cherokee
# and Lisu, small capitals, and digits and signs that stand for letters. Unicode's UTS 39 has all
# (https://www.unicode.org/reports/tr39/#Confusable_Detection); these are of keyboards and
# generators of such texts.
_ALIKE = {
    "a": "аαɑᴀᎪꓮ@4",
    "b": "вЬβʙᏴꓐ8",
    "c": "сϲᴄᏟꓚ¢(",
    "d": "ԁᴅᎠꓓ",
    "e": "еёεєᴇᎬꓰ3€",
    "f": "ғꓝƒ",
    "g": "ɡԍɢᏀꓖ9",
    "h": "һнʜᎻꓧ",
    "i": "іιıɪᎥꓲ1!|",
    "j": "јʝᴊᎫꓙ",
    "k": "кκᴋᏦꓗ",
    "l": "ӏʟᏞꓡ",
    "m": "мᴍᎷꓟ",
    "n": "пηɴոꓠ",
    "o": "оοσօᴏᎤꓳ0",
    "p": "рρᴘᏢꓑ",
    "q": "ԛգ",
    "r": "гʀᏒꓣ",
    "s": "ѕʂꜱᏚꓢ5$",
    "t": "тτᴛᎢꓔ7",
    "u": "υսᴜꓴ",
    "v": "νѵᴠᏙꓦ",
    "w": "ѡωᴡᎳꓪ",
    "x": "хχꓫ",
    "y": "уүγʏꓬ",
    "z": "ᴢᏃꓜ2",
}
_LATIN = {
    char: latin
    for latin, alike in _ALIKE.items()
    for one in alike
    for char in (one, one.casefold(), one.upper())
    if len(char) == 1
}
# Letters in circles and squares that have no plain form, and flags of which each half is a letter.
for _first in (0x1F150, 0x1F170, 0x1F1E6):
    _LATIN |= {chr(_first + n): chr(ord("a") + n) for n in range(26)}


def _folded(text: str) -> str:
    """The text as it looks: letters of other scripts, and signs for letters, as Latin ones."""
    text = unicodedata.normalize("NFKC", text)
    # A sign at a word's end is a sign.
    return "".join(
        _LATIN.get(char, char) if _is_letter(char) or _stands_within(text, n) else char
        for n, char in enumerate(text)
    )


def _is_letter(char: str) -> bool:
    return char.isalpha() or ord(char) >= 0x1F150


def _stands_within(text: str, n: int) -> bool:
    """Whether a digit or a sign has a letter beside it: St0p, $top."""
    beside = text[max(0, n - 2) : n] + text[n + 1 : n + 3]
    return any(map(_is_letter, beside)) and text[n:].strip("!|()") != ""
