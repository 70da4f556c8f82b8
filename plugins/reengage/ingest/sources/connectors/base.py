"""The one interface behind which every source lies: parts of it, and the records of a part.

What comes after is the same for all: what a record means (clean.py), rejects with their reasons,
that no good row is lost, that none is taken twice, progress (load.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from reengage.ingest.sources import Source
from reengage.ingest.sources.records import Notes, Row


@dataclass(frozen=True)
class Part:
    """What of a source is read at once: it comes into raw wholly, or not at all.

    address: by which raw.file knows it again; it holds no secret. name: what people call it.
    """

    address: str
    name: str


class Stamp(NamedTuple):
    """By what it is told that a part is as it was when it was read: its size in bytes, and when it
    was written.
    """

    size_bytes: int
    modified_at: datetime


class Connector(ABC):
    """One source, wherever it lies. where: that place, for a message; without a secret."""

    where: str
    unit = "line"  # what a row's number counts, for a message

    def __init__(self, source: Source) -> None:
        self.source = source

    @abstractmethod
    def parts(self) -> list[Part]:
        """What there is to read now, the oldest first, so that the newest has the last word."""

    @abstractmethod
    def stamp(self, part: Part) -> Stamp:
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
