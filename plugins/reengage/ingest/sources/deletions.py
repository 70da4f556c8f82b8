"""What a source has no more: rows that were read before, and are deleted where they came from.

What is missing is put aside in raw, as what another version has replaced, and core takes it back:
an order is none any more, a consent is withdrawn, a card says nothing. Nothing is taken for deleted
where that is not sure: a file that is cut, or an export of the last months alone, looks like a
mass of deletions, and whoever's orders vanish looks quiet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from reengage import db
from reengage.ingest.sources import Source
from reengage.ingest.sources.clean import TYPED, Cleaner
from reengage.ingest.sources.connectors.live import Live, utc
from reengage.ingest.sources.records import Notes
from reengage.policy import Policy

# So few rows may always be gone: of a small source each is a large share.
ALWAYS_MAY_GO = 5


@dataclass(frozen=True)
class Missing:
    """What came of looking for what is missing. problem: why nothing is taken for deleted, which
    stops the day; note: why not, which stops nothing. Sentences for a person, or None.
    """

    problem: str | None = None
    note: str | None = None


def remark(source: Source) -> str | None:
    """What a person should know of a source that does not say how its deletions show; None: it
    says so.
    """
    if source.deletes is not None or source.sweep is not None:
        return None
    stays = {
        "contact": "a card that is deleted there stays, and its customer is texted on",
        "interaction": "an order that is deleted there keeps its customer from looking quiet",
        "consent": "WARNING: whose consent is deleted there is texted on",
        "product": "a product that is deleted there is recommended on",
    }[source.entity]
    whole = "what is read is" if source.connector != "files" else "the newest file is"
    shows = f"`deletes: snapshot` where {whole} all that there is"
    if source.by_time or source.by_key:
        days = "30" if source.by_time and source.entity == "interaction" else "all"
        shows = f"`sweep: {days}` so that the ids there are looked through"
    return (
        f"{stays}. Say {shows}, `deletes: marked` where the row stays and `exclude` names its "
        "mark, or `deletes: unseen` where this is known"
    )


@dataclass(frozen=True)
class Deletions:
    """Puts aside, for a load, what its source has no more, in the transaction of whoever asks.

    Twice: what is put aside is not missing any more.
    """

    source: Source
    policy: Policy
    cleaner: Cleaner
    load_id: int
    as_of: date

    def of_snapshot(self, connection: Connection, name: str) -> Missing:
        """What is not in what is staged, which is all that there is. name: of that, for people."""
        has_days = self.source.entity == "interaction"
        found = self._find(connection, is_sweep=False, has_days=has_days)
        # Under another mapping rows may have other keys: they are no fewer for that.
        rows_new = found.rows_there - found.rows_known + found.rows_missing
        shrunk = found.rows_missing - min(found.rows_unlike, max(0, rows_new))
        remedy = "Deliver it whole; say `deletes: unseen` in the source where it is only a part"
        return self._put_aside(connection, found, shrunk, name, remedy)

    def of_sweep(self, connection: Connection, live: Live, now: datetime) -> Missing:
        """What the place does not name any more, asked at `now`, once all that is new of it is in
        raw. What is missing among the ids of the last days is looked for among all of them before
        it is taken for deleted, as its time may have gone back. Raises SourceError.
        """
        entity, days = self.source.entity, self.source.sweep
        since = None if days == "all" or days is None else now - timedelta(days=days)
        db.run(connection, "raw/stage", f"raw.{entity}", TYPED[entity])
        for begin in [since, None] if since else [None]:
            ids = self._ids(live, utc(begin) if begin else None)
            db.copy(connection, "staged", ("line", "reason", "named_key"), ids)
            db.analyze(connection, "staged")
            found = self._find(connection, is_sweep=True, since=since)
            if not found.rows_missing:
                break
        connection.exec_driver_sql("DROP TABLE staged")
        name = f"{live.where}: {'all ids' if since is None else f'the ids of {days} days'}"
        remedy = "Look whether they are complete there; leave `sweep` out where they cannot be"
        return self._put_aside(connection, found, found.rows_missing, name, remedy)

    def _ids(self, live: Live, begin: str | None) -> Iterator[tuple[int, str | None, str | None]]:
        """Each as a row of the staging table of which no more is known."""
        for line, record in live.ids(begin, Notes()):
            if not isinstance(record, dict):
                yield line, record.reason, None
                continue
            keys = self.cleaner.keys(record)
            for key in keys:
                yield line, None, key
            if not keys:
                yield line, "has no id that can be read", None

    def _find(
        self,
        connection: Connection,
        *,
        is_sweep: bool,
        has_days: bool = False,
        since: datetime | None = None,
    ) -> Any:
        """What is missing from what is staged, as raw/find_missing says."""
        return db.run(
            connection,
            "raw/find_missing",
            f"raw.{self.source.entity}",
            source=self.source.source,
            as_of=self.as_of,
            meaning=self.cleaner.meaning,
            but_of_load=self.load_id if is_sweep else None,
            has_days=has_days,
            hears_refusals=self.source.entity == "consent",
            swept_on=since and since.astimezone(self.policy.brand.zone).date(),
            swept_from=since and utc(since),
        ).one()

    def _put_aside(
        self, connection: Connection, found: Any, shrunk: int, name: str, remedy: str
    ) -> Missing:
        """Put aside what was found missing, unless it is hardly deleted. shrunk: how many of those
        rows count as gone; remedy: what to do where they are not.
        """
        if not found.rows_missing or not found.rows_there:
            return Missing()
        entity, most = self.source.entity, self.policy.gates.max_deleted_share
        # Products come back with the next list, and nobody is texted for them.
        if entity != "product" and shrunk > max(ALWAYS_MAY_GO, most * found.rows_known):
            return Missing(
                problem=f"{name} has {shrunk:,} of {found.rows_known:,} rows that were there "
                f"before no more ({shrunk / found.rows_known:.1%}, more than "
                f"gates.max_deleted_share, {most:.1%}): it may be cut, or not be all that there "
                f"is, so nothing is taken for deleted. {remedy}; or, where they are deleted, raise "
                "gates.max_deleted_share for this day. Then run the day again."
            )
        if found.rows_unnamed and entity == "interaction":
            return Missing(
                note=f"{name}: {found.rows_missing:,} rows that were there before are missing, "
                f"and {found.rows_unnamed:,} rows cannot be read, not even their id: they may be "
                "those, so nothing is taken for deleted"
            )
        db.run(
            connection,
            "raw/put_aside_missing",
            f"raw.{entity}",
            load_id=self.load_id,
            source=self.source.source,
        )
        return Missing()
