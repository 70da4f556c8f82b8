"""What a source would come to, before anything of it is loaded: for whoever writes its YAML."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from reengage import db
from reengage.ingest.sources import Constant, Multiplied
from reengage.ingest.sources.clean import TYPED, Bad, Cleaner, Good
from reengage.ingest.sources.connectors.base import Connector, Part
from reengage.ingest.sources.records import Broken, Notes
from reengage.phones.hashes import PhoneKey
from reengage.policy import Policy

# In these nobody's number or address can be, once they are read.
PLAIN = {
    *("occurred_at", "granted_at", "withdrawn_at", "created_at", "amount", "price", "time_zone")
}
# Numbers of orders look like those of phones. With one of these signs it may be one, or an address.
NUMBERS = {"source_event_id", "source_product_id", "product_id", "coupon_code"}
SIGNS = {"+", "@"}
PRIVATE = {"phone", "email", "first_name", "last_name"}  # shown are the last two signs of each
SHOWN = 40  # characters of an example


@dataclass
class Column:
    """One of ours: how many rows say something in it, and what is read of it. example: as it is
    said, and as it is read. worst: how many values cannot be read, and in which row the first is,
    by the reason.
    """

    ours: str
    theirs: str
    filled: int = 0
    example: tuple[str, str] | None = None
    worst: dict[str, tuple[int, int]] = field(default_factory=dict)


class Trial:
    """The first rows of a source's oldest and newest parts, read as a load would read them.

    rows: how many; good, excluded: of them. rejected: the others, by reason: how many, and where
    the first is. dated: the first and the last day of what is good. named: whom good rows name, as
    (source, id). told: what is to be said of the parts as a whole.
    """

    def __init__(self, connector: Connector, policy: Policy, now: datetime, most: int) -> None:
        self.connector = connector
        self.source = connector.source
        self.clean = Cleaner(self.source, policy, PhoneKey("of no warehouse"))
        self.zone: ZoneInfo = policy.brand.zone
        self.rows = self.good = self.excluded = 0
        self.rejected: dict[str, tuple[int, str]] = {}
        self.dated: tuple[date, date] | None = None
        self.named: set[tuple[str, str]] = set()
        self.told: list[str] = []
        self.columns = [
            Column(ours, _said_of(theirs)) for ours, theirs in self.source.columns.items()
        ]
        self.parts = connector.parts(None, now)
        for part in dict.fromkeys([*self.parts[:1], *self.parts[-1:]]):
            notes = Notes()
            for line, row in islice(connector.read(part, notes), most):
                self._take(part, line, row)
            if text := notes.text():
                self.told.append(f"{part.name}: {text}")

    def _take(self, part: Part, line: int, record: dict[str, str | None] | Broken) -> None:
        place = f"{part.name}, {self.connector.place(line)}"
        row = record if isinstance(record, Broken) else self.clean(record)
        self.rows += 1
        read = self._read(row) if isinstance(row, Good) else {}
        if row is None:
            self.excluded += 1
            return
        if isinstance(row, Broken | Bad):
            self._reject(row.reason, place)
        elif row.lacks:
            self._reject(row.lacks, place)
        elif row.is_excluded:
            self.excluded += 1
        else:
            self._keep(row, read)
        if isinstance(record, dict):
            self._look(record, read, row.problems if isinstance(row, Good) else {}, line)

    def _reject(self, reason: str, place: str) -> None:
        count, first = self.rejected.get(reason, (0, place))
        self.rejected[reason] = (count + 1, first)

    def _keep(self, row: Good, read: dict[str, Any]) -> None:
        self.good += 1
        if row.dated_on:
            first, last = self.dated or (row.dated_on, row.dated_on)
            self.dated = (min(first, row.dated_on), max(last, row.dated_on))
        if read.get("contact_source") and read.get("source_contact_id"):
            self.named.add((read["contact_source"], read["source_contact_id"]))

    def _read(self, row: Good) -> dict[str, Any]:
        """What is read of a row, by the names of the YAML."""
        typed = dict(zip(TYPED[self.source.entity], row.typed, strict=True))
        return typed | {"source_event_id": row.record_key, "created_at": typed.get("created_on")}

    def _look(
        self,
        record: dict[str, str | None],
        read: dict[str, Any],
        problems: dict[str, str],
        line: int,
    ) -> None:
        for column, theirs in zip(self.columns, self.source.columns.values(), strict=True):
            factors = theirs.factors if isinstance(theirs, Multiplied) else [column.theirs]
            values = [(record[name] or "").strip() for name in factors if name in record]
            if not values or not all(values):
                continue
            column.filled += 1
            if why := problems.get(column.ours):
                count, first = column.worst.get(why, (0, line))
                column.worst[why] = (count + 1, first)
            elif column.example is None and (value := read.get(column.ours)) is not None:
                said = _shown(column.ours, " x ".join(values))
                column.example = (said, self._shown(column.ours, value))

    def _shown(self, ours: str, value: Any) -> str:
        if isinstance(value, datetime):
            return f"{value.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"
        return _shown(ours, str(value))

    def unknown(self, connection: sa.Connection) -> int | None:
        """How many of those who are named no card in core describes; None: there is no card yet."""
        if not connection.execute(sa.text("SELECT EXISTS (SELECT FROM core.contact)")).scalar_one():
            return None
        found: int = db.run(
            connection,
            "core/count_named",
            sources=[source for source, _ in self.named],
            ids=[identity for _, identity in self.named],
        ).scalar_one()
        return len(self.named) - found


def report(trial: Trial, unknown: int | None, longest_step: int) -> Iterator[str]:
    """A trial in lines, for a terminal. No phone, email or name is in them."""
    source = trial.source
    yield f"{source.name}: {trial.connector.where}"
    parts = f" of {len(trial.parts):,} parts, the oldest and the newest" if trial.parts[2:] else ""
    yield f"  {trial.rows:,} rows read{parts}"
    yield from (f"  {told}" for told in trial.told)
    width = max(len(column.ours) for column in trial.columns)
    theirs = max(len(column.theirs) for column in trial.columns)
    for column in trial.columns:
        share = f"{column.filled / trial.rows:.0%}" if trial.rows else "–"
        filled = "" if column.theirs.startswith("=") else f"in {share} of rows"
        said, read = column.example or ("", "")
        shown = read if said == read else f"{said} → {read}"
        line = f"  {column.ours:{width}}  {column.theirs:{theirs}}  {filled:15}  {shown}"
        yield line.rstrip()
        for why, (count, first) in column.worst.items():
            where = trial.connector.place(first)
            yield f"  {'':{width}}  {count:,} left empty: {why}; the first is {where}"
    yield f"  good: {trial.good:,}; no facts, by `exclude` or `kind`: {trial.excluded:,}"
    for reason, (count, place) in sorted(trial.rejected.items(), key=lambda said: -said[1][0]):
        yield f"  rejected: {count:,}: {reason}; the first is {place}"
    if trial.dated and source.entity == "interaction":
        earliest, latest = trial.dated
        yield f"  dated from {earliest} to {latest}. The last step asks for {longest_step} quiet"
        yield "  days: what is read has to begin as long before the first day that is decided"
    if trial.named:
        yield "  " + (
            f"they name {len(trial.named):,} people; there is no card yet to know them by"
            if unknown is None
            else f"they name {len(trial.named):,} people, of whom no card describes {unknown:,}"
        )


def _said_of(theirs: str | Constant | Multiplied) -> str:
    if isinstance(theirs, Constant):
        return f"= {theirs.value}"
    return " x ".join(theirs.factors) if isinstance(theirs, Multiplied) else theirs


def _shown(ours: str, value: str) -> str:
    value = " ".join(value.split())
    is_open = ours in PLAIN or (ours in NUMBERS and not SIGNS & {*value})
    if ours in PRIVATE or (not is_open and db.redact(value) != value):
        return f"••••{value[-2:] if len(value) > 2 else ''}"
    return value if len(value) <= SHOWN else f"{value[: SHOWN - 1]}…"
