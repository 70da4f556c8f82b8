"""Places that are asked again for what is new in them: databases, interfaces, functions of yours.

What is asked for is an interval: from a little before what the loads of earlier days have come to
(its overlap, as rows are written late and carry the time at which they were begun), to everything
that there is by now. Rows that come again are known by their ids, and change nothing. How far a
load has come is the newest that it saw, and never later than when it asked: a row that is dated in
the future carries nothing ahead.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from reengage.errors import SourceError
from reengage.ingest.sources.connectors.base import Connector, Part, Stamp
from reengage.ingest.sources.records import (
    Broken,
    Empty,
    Keys,
    Notes,
    Row,
    said_twice,
    typed_text,
    whole,
)


class Live(Connector):
    """Whose rows are asked for by a time, by a key, or all of them.

    is_complete: whether all that a part gives is all that there is, where it has no bounds.
    """

    is_live = True
    is_complete: ClassVar[bool] = False

    def parts(self, before: str | None, now: datetime) -> list[Part]:
        source = self.source
        if source.by_key:
            begin = None if before is None else str(int(before) - source.overlap_keys)
            return [self._part(begin, None)]
        if not source.by_time:
            return [self._part(None, None)]
        begin_at = self._first() if before is None else instant(before) - self.overlap
        found = []
        if begin_at and source.window_days:
            step = timedelta(days=source.window_days)
            while begin_at + step < now:
                found.append(self._part(utc(begin_at), utc(begin_at + step)))
                begin_at += step
        return [*found, self._part(utc(begin_at) if begin_at else None, None)]

    def stamp(self, part: Part, now: datetime) -> Stamp:
        return Stamp(0, now)

    def read(self, part: Part, notes: Notes) -> Iterator[Row]:
        self.newest = None
        rows = 0
        for row in self._read(part, notes):
            rows += 1
            yield row
        if not rows and part.begin is None and part.end is None:
            raise Empty(f"{self.where} has no row.")

    @abstractmethod
    def _read(self, part: Part, notes: Notes) -> Iterator[Row]:
        """As `read`; sets `newest`."""

    def ids(self, begin: str | None, notes: Notes) -> Iterator[Row]:
        """As `read`, of all that was written or changed since begin (None: of all there is): rows
        of which the source's `key_columns` are enough.
        """
        return self._read(self._part(begin, None), notes)

    def place(self, line: int) -> str:
        return f"row {line:,}"

    @property
    def overlap(self) -> timedelta:
        """How long before its end an interval may still be written to."""
        return timedelta(hours=self.source.overlap_hours)

    def settled_at(self, part: Part) -> datetime:
        """From when on nothing of a part that has an end comes late any more."""
        return instant(str(part.end)) + self.overlap

    def later(self, *cursors: str | None) -> str | None:
        """The furthest of several."""
        there = [cursor for cursor in cursors if cursor is not None]
        return max(there, key=int if self.source.by_key else str, default=None)

    def reached(self, part: Part, asked_at: datetime) -> str | None:
        """How far the part that was just read goes: no later than when it was asked for."""
        if part.end is not None or self.source.by_key or self.newest is None:
            return part.end or self.newest
        return min(self.newest, utc(asked_at))

    def _first(self) -> datetime | None:
        if self.source.start is None:
            return None
        return datetime.combine(self.source.start, time.min, self.zone).astimezone(UTC)

    def _part(self, begin: str | None, end: str | None) -> Part:
        name = self.where
        if end is not None:
            name += f", {str(begin)[:10]} to {end[:10]}"
        has_bounds = begin is not None or end is not None
        return Part(self.where, name, begin, end, self.is_complete and not has_bounds)

    def _moment(self, value: Any) -> datetime:
        """The time that a value of the by_time column says. Raises SourceError."""
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value.strip())
            except ValueError:
                value = None
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time.min)
        if not isinstance(value, datetime):
            raise SourceError(
                f"{self.where}: {self.source.by_time} holds what is no time like "
                "2026-05-19T10:30:00Z, so what is new cannot be told by it. Name another column in "
                "by_time, or make a time of it."
            )
        return (value if value.tzinfo else value.replace(tzinfo=self.zone)).astimezone(UTC)

    def _see(self, value: Any) -> None:
        """Take note of how far a record goes."""
        if value is None or value == "":
            return
        if self.source.by_time:
            self.newest = self.later(self.newest, utc(self._moment(value)))
        elif isinstance(value, int | Decimal) and value == int(value):
            self.newest = self.later(self.newest, str(int(value)))
        else:
            raise SourceError(
                f"{self.where}: {self.source.by_key} holds what is no whole number, so what is new "
                "cannot be told by it. Name another column in by_key, or use by_time."
            )


class Documents:
    """Records that are objects with keys, as rows: of JSON, and of functions. A name of the YAML
    with a point (`customer.id`) is looked for within them where no key is called so.
    """

    def __init__(self, live: Live, notes: Notes) -> None:
        self.live = live
        self.notes = notes
        self.columns = live.source.all_columns
        self.keys = Keys(live.source, live.where)
        self._nested = [name for name in self.columns if "." in name]

    def row(self, record: Mapping[str, Any]) -> Any:
        """A record as a row, or why it is none."""
        if twice := said_twice(record, self.columns):
            return Broken(twice, "")
        said = dict(record)
        for name in self._nested:
            if name not in said and (found := within(said, name)) is not _MISSING:
                said[name] = found
        self.keys.look(said)
        decimal = self.live.source.decimal
        return whole({name: typed_text(said.get(name), decimal) for name in self.columns})

    def end(self) -> None:
        """Raises Refused where a name that is needed is none of the records', and SourceError where
        none says when it was changed last.
        """
        self.keys.tell(self.notes)
        by_time = self.live.source.by_time
        if by_time and self.keys.records and self.live.newest is None:
            raise SourceError(f"{self.live.where}: no record has {by_time}, which by_time names.")


_MISSING: Any = object()


def within(said: Any, path: str) -> Any:
    """What stands in a record under a path with points; a mark of its own where nothing does."""
    for name in path.split("."):
        if not isinstance(said, Mapping) or name not in said:
            return _MISSING
        said = said[name]
    return said


def is_missing(found: Any) -> bool:
    return found is _MISSING


def instant(text: str) -> datetime:
    """A time that `utc` has written."""
    return datetime.fromisoformat(text)


def utc(at: datetime) -> str:
    """A time as it is kept: in UTC, and so that the order of the texts is that of the times."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
