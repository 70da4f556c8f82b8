"""The one interface behind which every source lies: parts of it, and the records of a part.

What comes after is the same for all: what a record means (clean.py), rejects with their reasons,
that no good row is lost, that none is taken twice, progress (load.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from reengage.connections import Accesses, of_environment
from reengage.ingest.sources import Source
from reengage.ingest.sources.records import Notes, Row


@dataclass(frozen=True)
class Part:
    """What of a source is read at once: it comes into raw wholly, or not at all.

    address: by which raw.file knows it again; it holds no secret. name: what people call it.
    begin, end: of a live source the interval that is asked for, the end not included, as a time in
    UTC or a key; None: without a bound. is_whole: whether what it does not say is not there.
    """

    address: str
    name: str
    begin: str | None = None
    end: str | None = None
    is_whole: bool = True


class Stamp(NamedTuple):
    """By what it is told that a part is as it was when it was read: its size in bytes, and when it
    was written. Of a live source: nothing, and when it was asked.
    """

    size_bytes: int
    modified_at: datetime


class Connector(ABC):
    """One source, wherever it lies. Nothing is opened before `parts` is asked.

    where: that place, for a message; without a secret. newest: how far the part that was read last
    goes, as Part.end says it; None: nothing in it says. void: the numbers, first and last, of its
    records whose place later ones of it have taken. zone: of times that name none. is_live: whether
    the place is asked again for what is new there (live.py), rather than kept as it was.
    """

    is_live: ClassVar[bool] = False
    where: str
    newest: str | None = None

    def __init__(self, source: Source, zone: ZoneInfo, accesses: Accesses = of_environment) -> None:
        self.source = source
        self.zone = zone
        self.accesses = accesses
        self.void: list[tuple[int, int]] = []

    @abstractmethod
    def parts(self, before: str | None, now: datetime) -> list[Part]:
        """What there is to read now, the oldest first, so that the newest has the last word.

        before: how far the loads of earlier days have come in a live source; None: not at all.
        """

    @abstractmethod
    def stamp(self, part: Part, now: datetime) -> Stamp:
        """Of a part as it is now. Raises SourceError where it is gone."""

    @abstractmethod
    def read(self, part: Part, notes: Notes) -> Iterator[Row]:
        """The records of a part, {column: text or None} by the names of the source's YAML, each
        with its number from 1. What is no record comes out as Broken, and the reading goes on.

        Raises SourceError for what concerns the whole part. What came before it loads; of what is
        Refused nothing does. A part that ends early is `notes.problem`. Memory does not grow with
        the part.
        """

    def about_rows(self, part: Part) -> int | None:
        """About how many records a part has, for the time left; None: not known."""
        return None

    def left_out(self) -> list[str]:
        """Names of what lies there, is not read, and may yet be data."""
        return []

    def place(self, line: int) -> str:
        """What a record's number says, for a message."""
        return f"line {line:,}"
