"""From the sources' files into raw: each file once, each row once, in bounded memory.

A load belongs to a source and an as_of. It reads the files that are new or changed, keeps what
they say in raw (rejects with their reasons), and ends with the rows whose day has come marked as
its own. Core is not touched: that is core.take, after the checks. A load that was killed or
stopped is taken over, rows and all, by the next one of its source.
"""

import json
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock, wall_clock
from reengage.connections import Accesses, of_environment
from reengage.errors import ConfigurationError, PastDayError, SourceError
from reengage.ingest.sources import ENTITIES, Source, read_sources, zone_of
from reengage.ingest.sources.clean import (
    NO_FLAG,
    ROW_RULES,
    SAYS_NOTHING,
    TYPED,
    WITHOUT_ID,
    Bad,
    Cleaner,
    Good,
)
from reengage.ingest.sources.connectors import connect
from reengage.ingest.sources.connectors.base import Connector, Part, Stamp
from reengage.ingest.sources.connectors.live import Live, utc
from reengage.ingest.sources.deletions import Deletions, Missing, remark
from reengage.ingest.sources.records import Broken, Empty, Notes, Refused
from reengage.ingest.sources.unmatched_rules import Past, Seen
from reengage.phones import keys
from reengage.policy import Policy
from reengage.progress import pace, progress

log = logging.getLogger(__name__)

STAGED = (
    "line",
    "reason",
    "named_key",
    "record_key",
    "record_hash",
    "dated_on",
    "is_excluded",
    "has_status",
    "problems",
    "record",
)

# Rows of one file that may be one order: of a key that more rows share, something else is the key.
MOST_LINES = 1_000
_BOUNDS = {"reads_from", "reads_to"}


@dataclass(frozen=True)
class Load:
    """What one load of one source came to.

    Counts are rows. rows_changed: that say another thing than before; rows_taken_back: that were
    facts, and are none any more, as they are excluded now, or (rows_deleted, of them) not there any
    more. problem: why the day cannot go on, or None. notes: what a person should know
    of single files and of rejected rows (reason, how many, where the first one is).
    """

    load_id: int
    source: Source
    rows_read: int
    rows_new: int
    rows_loaded: int
    rows_waiting: int
    rows_rejected: int
    rows_changed: int
    rows_taken_back: int
    rows_deleted: int
    fields_emptied: int
    newest_on: date | None
    problem: str | None
    notes: tuple[str, ...]

    def summary(self) -> str:
        """What happened, in one line for a person."""
        parts = [
            f"{self.rows_read:,} rows read",
            f"{self.rows_loaded:,} taken",
            f"{self.rows_waiting:,} waiting for their day",
            f"{self.rows_rejected:,} rejected",
            f"{self.rows_taken_back:,} taken back",
            f"{self.fields_emptied:,} fields emptied",
        ]
        return f"{self.source.name}: " + ", ".join(p for p in parts if not p.startswith("0 "))


def load_source(
    engine: Engine,
    source: Source,
    policy: Policy,
    as_of: date,
    clock: Clock,
    accesses: Accesses = of_environment,
) -> Load:
    """Read what is new in a source into raw, for the day as_of. accesses: finds the connection that
    a source names.

    Twice: a file that was read whole is not read again, a database is asked for the same interval
    again, and no row is taken twice. Raises
    PastDayError for an as_of before the one that is loaded: what came after cannot be unseen.
    """
    lock = {"what": f"load {source.name}"}
    with engine.connect() as keeper:
        # Held by this session until it ends, however it ends: two loads of a source take turns.
        keeper.execute(sa.text("SELECT pg_advisory_lock(hashtextextended(:what, 0))"), lock)
        keeper.commit()
        try:
            return _Reader(engine, source, policy, as_of, clock, accesses).load()
        finally:
            keeper.execute(sa.text("SELECT pg_advisory_unlock(hashtextextended(:what, 0))"), lock)
            keeper.commit()


def load_named(
    engine: Engine,
    name: str,
    policy: Policy,
    as_of: date,
    clock: Clock,
    accesses: Accesses = of_environment,
) -> Load:
    """load_source for the source of that name, "shop (interaction)"; logs what it came to."""
    began = time.monotonic()
    load = load_source(engine, _named(name), policy, as_of, clock, accesses)
    log.info("%s, in %s", load.summary(), pace(load.rows_read, time.monotonic() - began))
    for note in load.notes:
        log.warning("%s", note)
    return load


def recall(engine: Engine, load_ids: list[int], policy: Policy) -> list[Load]:
    """The loads of those ids as they ended, contacts first. Sources are read from their YAML."""
    with engine.connect() as connection:
        rows = db.run(connection, "raw/recall_loads", load_ids=load_ids).all()
    loads = [
        Load(
            row.load_id,
            _named(f"{row.source} ({row.entity})"),
            row.rows_read,
            row.rows_new,
            row.rows_loaded,
            row.rows_waiting,
            row.rows_rejected,
            row.rows_changed,
            row.rows_taken_back,
            row.rows_deleted,
            row.fields_emptied,
            row.newest_on,
            row.problem,
            tuple((row.message or "").splitlines()),
        )
        for row in rows
    ]
    return sorted(loads, key=lambda load: ENTITIES.index(load.source.entity))


def _named(name: str) -> Source:
    for source in read_sources():
        if source.name == name:
            return source
    raise ConfigurationError(
        f"{name} is loaded, but no source says so any more: put its YAML back, or run the day anew."
    )


class _Reader:
    def __init__(
        self,
        engine: Engine,
        source: Source,
        policy: Policy,
        as_of: date,
        clock: Clock,
        accesses: Accesses,
    ) -> None:
        self.began = time.monotonic()
        self.engine = engine
        self.source = source
        self.connector: Connector = connect(source, zone_of(source, policy), accesses)
        self.policy = policy
        self.as_of = as_of
        self.clock = clock
        with engine.begin() as connection:
            in_use, *_ = keys.known(connection)
        self.cleaner = Cleaner(source, policy, in_use)
        self.table = f"raw.{source.entity}"
        self.who = {"source": source.source, "entity": source.entity}
        # Since words are compared without case and blanks, and since numbers are without their .0,
        # files of before are read once more.
        said = [word for words in source.value_rules.values() for word in words]
        words = "-folded" if said else ""
        words += "-whole" if any(re.match(r"\d", word) for word in said) else ""
        words += f"-{rules}" if (rules := ROW_RULES.get(source.entity)) else ""
        self.mapping_hash = f"{source.mapping_hash}-{self.cleaner.meaning}{words}"
        self.seen = Seen(source)
        self.notes: list[str] = []
        self.parts = 0  # that there are
        self.is_increment = False  # whether they are only what is new
        self.rows_read = 0  # of the file that is read, before lines of one order become one
        self.broken: list[str] = []  # files that could not be read whole
        self.unheard: list[str] = []  # those of them in which somebody may have withdrawn
        self.is_unlisted = False  # whether what there is to read could not be asked for
        self.shrunk: str | None = None  # why so much that is missing is not taken for deleted

    def load(self) -> Load:
        with self.engine.begin() as connection:
            latest = db.run(connection, "raw/latest_day", **self.who).scalar()
            if latest is not None and self.as_of < latest:
                raise PastDayError(
                    f"{self.source.name} is loaded through {latest}, so {self.as_of} can only be "
                    f"replayed: make replay FROM={self.as_of} TO={self.as_of}. For a run as if "
                    "from the beginning, use an empty REENGAGE_HOME."
                )
            load_id: int = db.run(
                connection, "raw/begin_load", **self.who, as_of=self.as_of, at=self.clock()
            ).scalar_one()
        live = self.connector if isinstance(self.connector, Live) else None
        file_ids = self._read_live(live, load_id) if live else self._read_files(load_id)
        if others := sorted(self.connector.left_out()):
            names = f"{', '.join(others[:3])}{' and others' if len(others) > 3 else ''}"
            text = f"left out of its folder, as the name says no format: {names} ({len(others):,})"
            self._note(text, is_broken=False)
            if self.source.entity == "consent":
                self.unheard.append(text)
        return self._finish(load_id, file_ids)

    def _read_files(self, load_id: int) -> list[int]:
        """Those that are new or changed; the ids of all as they were read last."""
        try:
            found = self.connector.parts(None, self.clock())
        except SourceError as error:  # of a place elsewhere
            self.is_unlisted = True
            self._note(str(error), is_broken=True)
            if self.source.entity == "consent":
                self.unheard.append(str(error))
            return []
        self.parts = len(found)
        for part in found:
            try:
                stamp = self._stamp(part, self.connector.stamp(part, self.clock()))
            except SourceError as error:
                self._note(str(error), is_broken=True)
                continue
            with self.engine.begin() as connection:
                same = db.run(
                    connection,
                    "raw/is_file_read",
                    entity=self.source.entity,
                    **{name: said for name, said in stamp.items() if name not in _BOUNDS},
                ).scalar()
                if not same:
                    self._read(connection, part, stamp, load_id)
        with self.engine.connect() as connection:
            return list(
                db.run(
                    connection,
                    "raw/current_files",
                    **self.who,
                    paths=[part.address for part in found],
                    load_id=load_id,
                ).scalars()
            )

    def _read_live(self, live: Live, load_id: int) -> list[int]:
        """What is new since the loads of earlier days, part after part up to one that cannot be
        read; the ids of the readings.
        """
        with self.engine.connect() as connection:
            before = db.run(
                connection,
                "raw/last_cursor",
                **self.who,
                as_of=self.as_of,
                mapping_hash=self.mapping_hash,
            ).scalar_one_or_none()
        began = self.clock()
        parts = live.parts(before, began)
        self.parts, after, found = len(parts), before, []
        for part in parts:
            stamp = self._stamp(part, live.stamp(part, self.clock()))
            with self.engine.begin() as connection:
                file_id = self._part_read(connection, live, part)
                if file_id is None:
                    file_id = self._read(connection, part, stamp, load_id)
            found.append(file_id)
            if self.broken:
                break
            after = live.later(after, live.reached(part, stamp["modified_at"]))
        self.is_increment = parts[0].begin is not None
        with self.engine.begin() as connection:
            db.run(
                connection,
                "raw/note_cursor",
                load_id=load_id,
                reads_from=parts[0].begin,
                reads_to=after if self.source.by_key else utc(began),
                cursor_before=before,
                cursor_after=after,
            )
        if self.source.sweep is not None and not self.broken:
            self._sweep(live, load_id)
        return found

    def _part_read(self, connection: Connection, live: Live, part: Part) -> int | None:
        """The reading of a part with an end that a load of before has done, if there is one."""
        if part.end is None:
            return None
        file_id: int | None = db.run(
            connection,
            "raw/part_read",
            **self.who,
            path=part.address,
            mapping_hash=self.mapping_hash,
            reads_from=part.begin,
            reads_to=part.end,
            settled_at=live.settled_at(part),
        ).scalar_one_or_none()
        return file_id

    def _stamp(self, part: Part, stamp: Stamp) -> dict[str, Any]:
        return {
            "source": self.source.source,
            "path": part.address,
            "size_bytes": stamp.size_bytes,
            "modified_at": stamp.modified_at,
            "mapping_hash": self.mapping_hash,
            "reads_from": part.begin,
            "reads_to": part.end,
        }

    def _note(self, text: str, is_broken: bool) -> None:
        self.notes.append(f"{self.source.name}: {text}")
        if is_broken:
            self.broken.append(text)

    def _read(self, connection: Connection, part: Part, stamp: dict[str, Any], load_id: int) -> int:
        """One part, in the caller's transaction: wholly in raw, or not at all. Its file_id."""
        entity, ids = self.source.entity, {"load_id": load_id, "source": self.source.source}
        file_id: int = db.run(connection, "raw/begin_file", load_id=load_id, **stamp).scalar_one()
        db.run(connection, "raw/stage", self.table, TYPED[entity])
        notes, seen = Notes(), Seen(self.source)
        db.copy(connection, "staged", (*STAGED, *TYPED[entity]), self._staged(part, notes, seen))
        if self.connector.void:
            first, last = zip(*self.connector.void, strict=True)
            db.run(connection, "raw/leave_out", first_lines=[*first], last_lines=[*last])
        past = Past(connection, self.source)
        missed = None if notes.is_refused else past.missed(notes.absent, notes.withdrawing)
        if missed:
            notes.problem = f"{part.name} is not taken: {missed}"
            notes.is_refused = True
        if notes.is_refused:
            connection.exec_driver_sql("TRUNCATE staged")
            self.rows_read = 0
        else:
            seen.names = notes.names
            notes.told += past.renamed(notes.absent, notes.names)
            seen.keep(connection, load_id)
            self.seen.add(seen)
        db.analyze(connection, "staged")
        rows_read = self.rows_read
        if entity == "interaction" and "source_event_id" not in self.source.columns:
            db.run(connection, "raw/key_rows")
        elif entity == "interaction":
            db.run(connection, "raw/put_off_refunds", **ids, path=part.address, as_of=self.as_of)
            self._merge_lines(connection, part)
        if self.source.deletes == "snapshot" and self.parts == 1:
            self._put_aside(connection, part, stamp, notes, load_id)
        allowed = []  # reasons of rejects that stop no day
        if self.source.without_id:
            self._part_guests(connection, part)
            allowed.append(WITHOUT_ID)
        if entity == "consent" and self._is_unsaid_allowed(connection, part, rows_read):
            allowed.append(SAYS_NOTHING)
        finished = db.run(
            connection,
            "raw/finish_file",
            file_id=file_id,
            problem=notes.text(),
            is_complete=notes.problem is None,
            rows_read=rows_read,
            allowed_reasons=allowed,
            today=max(self.as_of, wall_clock().astimezone(self.policy.brand.zone).date()),
        ).one()
        if finished.rows_ahead:
            self._note(
                f"{part.name}: {finished.rows_ahead:,} rows are dated more than a year ahead, the"
                f" last on {finished.last_on}: each waits for its day. Is `time_format` right?",
                is_broken=False,
            )
        db.run(connection, "raw/supersede", self.table, **ids, path=part.address)
        if notes.problem is None and part.is_whole:
            db.run(
                connection,
                "raw/supersede_mapping",
                self.table,
                **ids,
                path=part.address,
                mapping_hash=self.mapping_hash,
            )
        if entity == "consent":
            unsaid = [SAYS_NOTHING, NO_FLAG]
            db.run(connection, "raw/end_doubts", source=self.source.source, reasons=unsaid)
            db.run(connection, "raw/end_refusals", **ids, as_of=self.as_of)
        inserted = db.run(
            connection,
            "raw/insert",
            self.table,
            TYPED[entity],
            **ids,
            file_id=file_id,
            as_of=self.as_of,
        ).rowcount
        db.run(connection, "raw/insert_reject", **ids, file_id=file_id)
        connection.exec_driver_sql("DROP TABLE staged")
        db.analyze_grown(connection, **{self.table.replace(".", "__"): inserted})
        if text := notes.text():
            text = text if part.name in text else f"{part.name}: {text}"
            self._note(text, is_broken=notes.problem is not None)
            if notes.problem and not notes.is_empty and entity == "consent":
                self.unheard.append(text)
        return file_id

    def _put_aside(
        self, connection: Connection, part: Part, stamp: dict[str, Any], notes: Notes, load_id: int
    ) -> None:
        """Put aside what was read before and is not in a part that says all that there is. Only
        where it was read whole, and did not change meanwhile.
        """
        if notes.problem is None and not self.connector.is_live:
            notes.problem = self._moved(part, stamp)
        if notes.problem is not None:
            return
        found = self._deletions(load_id).of_snapshot(connection, part.name)
        if found.note:
            self._note(found.note, is_broken=False)
        if found.problem:
            notes.problem = self.shrunk = found.problem

    def _sweep(self, live: Live, load_id: int) -> None:
        """Put aside what a place does not name any more, after all that is new of it was read: what
        is written meanwhile is named, and what is deleted meanwhile is missed the next time.
        """
        try:
            with self.engine.begin() as connection:
                found = self._deletions(load_id).of_sweep(connection, live, self.clock())
        except SourceError as error:
            found = Missing(note=f"what is deleted there is not known: {error}")
            self.broken.append(str(error))
            if self.source.entity == "consent":
                self.unheard.append(str(error))
        self.shrunk = found.problem
        if said := found.note or found.problem:
            self._note(said, is_broken=False)

    def _deletions(self, load_id: int) -> Deletions:
        return Deletions(self.source, self.policy, self.cleaner, load_id, self.as_of)

    def _moved(self, part: Part, stamp: dict[str, Any]) -> str | None:
        """Why a part is not what it was when it was begun to be read; None: it is."""
        try:
            # Of what has no time of its own, this is as good as any.
            now = self.connector.stamp(part, stamp["modified_at"])
            is_same = self._stamp(part, now) == stamp
        except SourceError as error:
            return str(error)
        if is_same:
            return None
        return (
            f"{part.name} changed while it was read, so what it has no more is not known: it is "
            "read again. Write it under another name, and rename it when it is whole"
        )

    def _merge_lines(self, connection: Connection, part: Part) -> None:
        """Make one row of an order that stands in several, and tell what may be meant otherwise."""
        found = db.run(
            connection,
            "raw/merge_lines",
            are_added=self.source.lines == "sum",
            most_lines=MOST_LINES,
            currency=self.policy.brand.currency,
        ).one()
        key = self.source.columns["source_event_id"]
        if found.shared:
            self._note(
                f"{part.name}: {found.shared:,} ids in {key} stand on rows of different customers; "
                "of each, the customer of its last row counts. Name the column that is the order's "
                "id in source_event_id.",
                is_broken=False,
            )
        if found.unlike and self.source.lines is None:
            self._note(
                f"{part.name}: {found.unlike:,} orders have rows of different amounts, and the "
                "first one counts. Say `lines: sum` where they are to be added, `lines: first` "
                "where each is the whole order's.",
                is_broken=False,
            )

    def _part_guests(self, connection: Connection, part: Part) -> None:
        are_left_out = self.source.without_id == "leave_out"
        guests = db.run(
            connection, "raw/part_guests", reason=WITHOUT_ID, are_left_out=are_left_out
        ).scalar_one()
        if guests:
            column = self.source.columns["source_contact_id"]
            what = "are left out" if are_left_out else "are kept in raw.reject, and stop no day"
            self._note(f"{part.name}: {guests:,} rows without a {column} {what}", is_broken=False)

    def _is_unsaid_allowed(self, connection: Connection, part: Part, rows_read: int) -> bool:
        """Tell of consents that are none, and no withdrawals either. Most people in an export may
        never have been asked; where nobody has, a column is empty that should say who withdrew.
        """
        unsaid = db.run(
            connection, "raw/part_guests", reason=SAYS_NOTHING, are_left_out=False
        ).scalar_one()
        if unsaid:
            end = "they are kept in raw.reject, and stop no day"
            if unsaid == rows_read:
                end = "that is all of its rows: has a column come empty, or another name?"
            self._note(
                f"{part.name}: {unsaid:,} rows say neither yes nor a day: nothing is "
                f"granted by them, and who had said yes has withdrawn; {end}",
                is_broken=False,
            )
        return bool(unsaid < rows_read)

    def _staged(self, part: Part, notes: Notes, seen: Seen) -> Iterator[tuple[Any, ...]]:
        """The part's rows as the staging table wants them; bad ones have a reason."""
        nothing = (None,) * len(TYPED[self.source.entity])
        self.rows_read = 0
        rows = self.connector.read(part, notes)
        try:
            what = f"{self.source.name}: {part.name}"
            for line, record in progress(rows, what, "rows", self.connector.about_rows(part)):
                row: Good | Bad | Broken | None
                if isinstance(record, dict):
                    seen(record)
                    row = self.cleaner(record)
                else:
                    row = record
                if row is None:
                    continue
                self.rows_read += 1
                if not isinstance(row, Good):
                    key = row.key if isinstance(row, Bad) else None
                    bad = (line, row.reason, key, None, None, None, False, False, None, row.record)
                    yield (*bad, *nothing)
                    row = row.refusal if isinstance(row, Bad) else None
                while row is not None:
                    problems = json.dumps(row.problems) if row.problems else None
                    said = (line, row.lacks, None, row.record_key, row.record_hash, row.dated_on)
                    flags = (row.is_excluded, row.has_status)
                    yield (*said, *flags, problems, row.record, *row.typed)
                    row = row.also
        except SourceError as error:
            # The rows before it are good: they load. The file is read again next time.
            notes.problem = str(error)
            notes.is_refused = isinstance(error, Refused)
            notes.is_empty = isinstance(error, Empty)

    def _finish(self, load_id: int, file_ids: list[int]) -> Load:
        with self.engine.begin() as connection:
            ids = {"load_id": load_id, "source": self.source.source}
            db.run(connection, "raw/take_over", self.table, **ids, entity=self.source.entity)
            if self.source.entity == "interaction":
                db.run(connection, "raw/apply_refunds", **ids, as_of=self.as_of)
            db.run(connection, "raw/take_waiting", self.table, **ids, as_of=self.as_of)
            counts = db.run(
                connection,
                "raw/finish_load",
                self.table,
                **ids,
                entity=self.source.entity,
                file_ids=file_ids,
                is_increment=self.is_increment,
                at=self.clock(),
            ).one()
            has_rows = db.run(
                connection, "raw/ever_read", self.table, source=self.source.source
            ).scalar_one()
            if counts.rows_deleted:
                what = "withdrawn" if self.source.entity == "consent" else "taken back"
                self.notes.append(
                    f"{self.source.name}: {counts.rows_deleted:,} rows that were there before are "
                    f"there no more: deleted, and {what}"
                )
            if told := remark(self.source):
                is_told = db.run(connection, "raw/was_told", **self.who, text=told).scalar_one()
                self.notes += [] if is_told else [f"{self.source.name}: {told}"]
            if counts.rows_rejected:
                reasons = db.run(connection, "raw/reject_reasons", file_ids=file_ids)
                self.notes += [
                    f"{self.source.name}: {Path(r.path).name}: {r.rows_rejected:,} rows rejected, "
                    f"the first in {self.connector.place(r.first_line)}: "
                    f"{r.reason}{self._hint(r.reason)}"
                    for r in reasons
                    if not (self.source.without_id and r.reason == WITHOUT_ID)
                    and r.reason != SAYS_NOTHING
                ]
            if self.source.entity == "consent" and counts.fields_emptied:
                self.notes += [
                    f"{self.source.name}: {Path(r.path).name}: {r.name} of {r.consents:,} rows "
                    f"{r.what}; the first is {self.connector.place(r.first_line)}"
                    for r in db.run(connection, "raw/odd_withdrawals", load_id=load_id)
                ]
            if counts.rows_read:
                is_new = db.run(
                    connection,
                    "raw/is_mapping_new",
                    source=self.source.source,
                    entity=self.source.entity,
                    mapping_hash=self.mapping_hash,
                ).scalar_one()
                past = Past(connection, self.source)
                self.notes += [
                    f"{self.source.name}: {told}"
                    for told in past.unmatched(self.seen, is_new_mapping=is_new)
                ]
            is_nothing = not self.parts and not self.is_unlisted and not has_rows
            if is_nothing and not self.source.required:
                self.notes.append(
                    f"{self.source.name}: there is no file at {self.connector.where}, and "
                    "there never was one: is it written so?"
                )
            problem = self._problem(counts, has_rows) or self._reuse(connection, ids, counts)
            db.run(
                connection,
                "raw/note_load",
                load_id=load_id,
                problem=problem,
                message="\n".join(self.notes) or None,
                seconds=time.monotonic() - self.began,
            )
        return Load(
            load_id, self.source, **counts._mapping, problem=problem, notes=tuple(self.notes)
        )

    def _problem(self, counts: Any, has_rows: bool) -> str | None:
        """Why the day must stop, with what to do; None where it may go on."""
        name, most = self.source.name, self.policy.gates.max_rejected_share
        share = counts.rows_rejected / counts.rows_read if counts.rows_read else 0.0
        if share > most:
            return (
                f"{name}: {counts.rows_rejected:,} of {counts.rows_read:,} rows ({share:.1%}) "
                f"cannot be read, more than {most:.0%}. {self._told()} Mend the file or the "
                "source's YAML and run the day again; the rows are in raw.reject with their "
                "reasons."
            )
        if self.shrunk:
            return f"{name}: {self.shrunk}"
        is_partly = self.is_unlisted or (self.connector.is_live and bool(self.broken))
        if is_partly and (self.source.required or self.unheard):
            what = "whoever withdrew" if self.source.entity == "consent" else "who came back"
            return (
                f"{name} is not read to its end, so {what} could be texted. {self._told()} Run the "
                "day again: what was read stays, and the rest is asked for again."
            )
        if self.unheard and not self._may_warn():
            return (
                f"{name}: a file of consents is not taken, or not wholly, so whoever withdrew in "
                f"it would be texted. {self._told()} Mend the source's YAML or the file, or take "
                "it away (or say `broken_files: warn`), and run the day again."
            )
        if not self.source.required:
            return None
        if not self.parts:
            return (
                f"{name} is required, but there is no file at {self.connector.where}. Put it "
                "there, or say `required: false`, and run the day again."
            )
        if len(self.broken) >= self.parts:
            return (
                f"{name} is required, but none of its {self.parts} file(s) can be read whole. "
                f"{self._told()} Deliver the file again, or mend the source's YAML, and run the "
                "day again; what was loaded before stays."
            )
        if not has_rows:
            return (
                f"{name} is required, but has no usable row in {self._many()}. "
                f"{self._told()} Deliver it again and run the day again."
            )
        if self.broken and self.source.broken_files == "stop":
            return (
                f"{name}: {len(self.broken)} of its files cannot be read whole, so who came back "
                f"may look quiet. {self._told()} Deliver the file again, or take it away (or say "
                "`broken_files: warn`), and run the day again."
            )
        return None

    def _reuse(self, connection: Connection, ids: dict[str, Any], counts: Any) -> str | None:
        """Why the day must stop where orders have taken the ids of others, whose customers would
        look quiet; told in any case.
        """
        key = self.source.columns.get("source_event_id")
        if key is None or self.source.entity != "interaction":
            return None
        orders = db.run(connection, "raw/reused_keys", **ids).scalar_one()
        if not orders:
            return None
        text = (
            f"{orders:,} of {counts.rows_new:,} new rows have an id in {key} that an order of "
            "another customer and another day had, and replace it: is it a number that begins "
            "anew, such as a till's? Name what is an order's own in source_event_id, or leave "
            "that out"
        )
        self._note(f"{text}.", is_broken=False)
        # A single one may be a correction.
        if orders <= max(1, self.policy.gates.max_rejected_share * counts.rows_new):
            return None
        return f"{self.source.name}: {text}, and run the day again."

    def _hint(self, reason: str) -> str:
        """What to write where rows of such a reason are meant to be there."""
        if reason != WITHOUT_ID or self.source.entity == "product":
            return ""
        return " (if these are guests, say `without_id: leave_out` in the source, or `keep`)"

    def _may_warn(self) -> bool:
        """Whether the YAML says itself that such a file stops nobody."""
        said = self.source.model_fields_set
        return "broken_files" in said and self.source.broken_files == "warn"

    def _many(self) -> str:
        return self.connector.where if self.connector.is_live else f"{self.parts} file(s)"

    def _told(self) -> str:
        """The first of the notes, for a message."""
        notes = [note.removeprefix(f"{self.source.name}: ").rstrip(".") for note in self.notes]
        return " ".join(f"{note}." for note in notes[:5])
