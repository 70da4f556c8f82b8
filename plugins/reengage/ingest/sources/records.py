"""What a connector gives: records, or what could not be one, and what is to be said of them all.

Every connector finds out the same: whether the names that the YAML says are there, and what might
be meant where they are not.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import islice
from typing import Any
from uuid import UUID

from reengage import db
from reengage.errors import SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.conditions import folded
from reengage.ingest.sources.flags import may_withdraw

LONGEST = 1 << 20  # characters of a line, and of a value: a longer one is no line of a table
MOST_NAMES = 200  # of keys that the YAML does not name
# What is compared with a name that is missed: so many names, and no longer ones.
MOST_COMPARED = 1000
NAME = re.compile(r"[^\W\d][\w ./()#-]{0,59}")
TOO_LONG: Any = object()
# As dates and times begin: 2026-05-19, 19.05.2026, 19/5/26, seconds or milliseconds since 1970.
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|1\d{9}(?:\d{3})?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that is no record, with why, and what could be read of it."""

    reason: str
    text: str

    @property
    def record(self) -> str:
        """As JSON, without what PostgreSQL cannot hold."""
        text = self.text[:2000].rstrip("\r\n").replace("\x00", "�")
        return json.dumps({"line": text.encode("utf-8", "replace").decode()})


class Guessed(dict[str, str | None]):
    """The record of a line that is no UTF-8, in a file that does not say what else it is."""


class Refused(SourceError):
    """A file that lacks what the source's YAML names, or has it twice: nothing of it is loaded."""


class Empty(SourceError):
    """A file without a line: nothing happened, or it was not written."""


Row = tuple[int, dict[str, str | None] | Broken]


@dataclass
class Notes:
    """What is to be said about a file as a whole, filled in while it is read.

    names: of the columns or keys that it has. absent: those that the YAML names and that no row of
    it has (JSON alone: elsewhere such a file is refused). withdrawing: of a consent's keys that the
    YAML does not name, those that may say that it is withdrawn. told: more, as sentences.
    """

    rows_not_utf8: int = 0
    rows_not_decoded: int = 0
    headers: int = 0
    totals: int = 0
    names: set[str] = field(default_factory=set)
    absent: list[str] = field(default_factory=list)
    withdrawing: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    problem: str | None = None
    is_refused: bool = False
    is_empty: bool = False

    def text(self) -> str | None:
        parts = [self.problem] if self.problem else []
        if self.rows_not_utf8:
            parts.append(
                f"{self.rows_not_utf8:,} rows are not UTF-8: read as Windows-1252 (if letters of "
                "names are wrong, say what they are in the source: encoding: cp1250)"
            )
        if self.rows_not_decoded:
            parts.append(
                f"{self.rows_not_decoded:,} rows are not in the `encoding` that the source says: "
                "what cannot be read of them is shown as �"
            )
        if self.headers:
            parts.append(f"the header comes again {self.headers:,} times within it: left out")
        if self.totals:
            parts.append(f"{self.totals:,} rows are totals of the others: left out")
        return "; ".join([*parts, *self.told]) or None


def name_of(text: str) -> str:
    """A column's name as it is compared: a line break or a hard space in it is a space, an accent
    is one with its letter, and what nobody sees is nothing.
    """
    seen = text if text.isascii() else "".join(filter(_is_seen, text))
    return " ".join(unicodedata.normalize("NFC", seen).split())


def _is_seen(sign: str) -> bool:
    return unicodedata.category(sign) != "Cf"


def alike(name: str, others: Iterable[str]) -> list[str]:
    """Which of the other names may be the same under another spelling: withdrawnAt, state. They may
    be told: what is longer than a name, or may be somebody's data, is none of them.
    """
    plain = _letters(name)
    found = []
    for other in islice(others, MOST_COMPARED):
        if not may_be_told(other):
            continue
        its = _letters(other)
        short, long = sorted((plain, its), key=len)
        is_part = len(short) >= 4 and short in long and len(long) <= len(short) + 20
        if is_part or SequenceMatcher(None, plain, its).ratio() >= 0.7:
            found.append(other)
    return found[:3]


def may_be_told(name: str) -> bool:
    return NAME.fullmatch(name) is not None and db.redact(name) == name


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def resembling(wanted: Iterable[str], others: Iterable[str], what: str = "columns") -> str:
    """Of names that nobody asked for, those that resemble the wanted ones, as a sentence: nothing
    else is told of a file that may be another than was meant.
    """
    names = [*others]
    like = dict.fromkeys(found for name in wanted for found in alike(name, names))
    if like:
        return f"{', '.join(like)} may be meant, of its other {what} ({len(names):,})."
    if not names:
        return f"It has no other {what}."
    return f"None of its other {what} ({len(names):,}) is called like that."


def check_header(what: str, source: Source, header: list[str]) -> None:
    """Raises Refused where a header lacks a name of the YAML's, or has it twice."""
    missing = [name for name in source.all_columns if name_of(name) not in header]
    if missing:
        hint = ""
        if "\x00" in "".join(header):
            hint = " It looks like UTF-16: say `encoding: utf-16-le` in the source."
        known = {*map(name_of, source.all_columns)}
        others = [name for name in header if name and name not in known]
        raise Refused(
            f"{what} has no column {', '.join(missing)}. {resembling(missing, others)}" + hint
        )
    for name in source.all_columns:
        places = [at for at, its in enumerate(header, 1) if its == name_of(name)]
        if len(places) > 1:
            raise Refused(
                f"{what} has {len(places)} columns called {name} (columns "
                f"{' and '.join(map(str, places))}), and which one is meant cannot be told: give "
                "the others another name, or take them out of the export."
            )


class Keys:
    """Which keys the records of a source have, where each may have others: of JSON, and what is
    like it. `what` is what they are of: a file's name, an address.
    """

    def __init__(self, source: Source, what: str) -> None:
        self.source = source
        self.what = what
        self.columns = source.all_columns
        self.unseen, self.known = {*self.columns}, {*self.columns}
        self.records = 0
        # Keys of a consent that the YAML does not name: rows with a date; with a word of exclude.
        self._dated: Counter[str] = Counter()
        self._refusing: set[str] = set()
        self._words = {folded(word) for rule in source.exclude.values() for word in map(str, rule)}

    def look(self, said: dict[str, Any]) -> None:
        """At one record."""
        known = self.known
        self.records += 1
        self.unseen -= said.keys()
        if not said.keys() <= known and len(known) < MOST_NAMES:
            known |= {name for name in said.keys() - known if said[name] not in (None, "", [], {})}
        if self.source.entity == "consent":
            others = {name: said[name] for name in known & said.keys() - {*self.columns}}
            self._dated.update(name for name, value in others.items() if _DATE.match(str(value)))
            self._refusing |= {
                name for name, value in others.items() if folded(str(value)) in self._words
            }

    def tell(self, notes: Notes) -> None:
        """What is to be said of them, at the end. Raises Refused."""
        notes.names |= self.known - self.unseen
        notes.absent = [name for name in self.columns if name in self.unseen]
        # What stands in every row is when it was written.
        refusing = self._refusing | {
            name for name, rows in self._dated.items() if rows < self.records
        }
        if self.source.entity == "consent":
            refusing |= {name for name in self.known - {*self.columns} if may_withdraw(name)}
        notes.withdrawing = sorted(name for name in refusing if may_be_told(name))
        if self.records:
            self._check(notes)

    def _check(self, notes: Notes) -> None:
        """Keys that no row has. Where a row says only what it has to say, that may be as it should
        be; what nothing can be read without, or what takes somebody out and stands there under
        another name as it seems, is refused.
        """
        others = sorted(self.known - {*self.columns})
        for name in notes.absent:
            like = alike(name, others)
            seems = f" Is it {' or '.join(like)}?" if like else ""
            said = f"no row has the key {name} ({', '.join(self.source.uses_of(name))})"
            if name in self.source.needed_columns or (
                like and name in self.source.guarding_columns
            ):
                rest = "" if like else f" {resembling([name], others, 'keys')}"
                raise Refused(
                    f"{self.what} is not taken: {said}.{seems}{rest} Mend the source's YAML or the "
                    f"{'file' if self.source.connector == 'files' else 'source'}."
                )
            if like:
                notes.told.append(f"{said}.{seems}")


def text_of(value: Any) -> str | None:
    """A typed value as its text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:  # not a number: how some tools write "nothing"
            return None
        # Above, a float stands for several whole numbers: repr shows that it was one.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False, default=str)


def whole(row: dict[str, Any]) -> dict[str, str | None] | Broken:
    """A row whose values are texts, unless one of them is too long to be a value."""
    long = [
        name
        for name, value in row.items()
        if value is TOO_LONG or (value is not None and len(value) > LONGEST)
    ]
    if not long:
        return row
    rest = {name: value for name, value in row.items() if name not in long}
    return Broken(
        f"{', '.join(long)} is longer than {LONGEST:,} characters", json.dumps(rest)[:2000]
    )


def typed_text(value: Any, decimal: str | None = None) -> str | None:
    """A typed value as its text, so that nothing else can be read in it: a number with the sign
    that the source says for decimals, and never with just three of them, as 1.234 may be meant as
    a thousand. Bytes that are no text are told apart by their hex.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return _number(Decimal(repr(value)) if isinstance(value, float) else value, decimal)
    if isinstance(value, int | UUID | timedelta):
        return str(value)
    if isinstance(value, datetime | date | clock_time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    return json.dumps(value, ensure_ascii=False, default=str)


def _number(value: Decimal, decimal: str | None) -> str | None:
    if not value.is_finite():  # how some tools write "nothing"
        return None
    whole_part, point, rest = format(value, "f").partition(".")
    rest = rest.rstrip("0")
    if not rest:
        return "0" if whole_part == "-0" else whole_part
    return f"{whole_part}{decimal or point}{rest}{'0' * (len(rest) == 3)}"


def _bytes(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()


class Twice(dict[str, Any]):
    """A JSON object that says some of its keys twice."""

    twice: frozenset[str]


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What a JSON object is read as; a Twice where it says a key twice."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    odd = Twice(found)
    odd.twice = frozenset(
        name for name, times in Counter(name for name, _ in pairs).items() if times > 1
    )
    return odd


def said_twice(said: Mapping[str, Any], columns: Iterable[str]) -> str:
    """Why an object is no record, as it says one of these twice; else nothing."""
    twice = said.twice & {*columns} if isinstance(said, Twice) else ()
    return f"says {', '.join(sorted(twice))} twice" if twice else ""
