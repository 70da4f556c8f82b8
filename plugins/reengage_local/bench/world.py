"""A shop for the benchmarks: contacts with a rhythm of their own, most of them long gone.

A third of the contacts is active; each of them has a rhythm, so that on an ordinary day about
24,500 interactions come in per million contacts, and some 4,000 contacts reach a step. The others
were seen last more than half a year ago, and their ladders are over. Everything is drawn by hashes:
the same size makes the same world.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import Engine

from reengage import db
from reengage.clock import SimulatedClock
from reengage.ingest import core
from reengage.ingest.sources import Source
from reengage.journey import cohort
from reengage.policy import Policy
from reengage.progress import progress

FIRST_DAY = date(2025, 12, 31)  # the first that is decided: history ends on it
HISTORY_DAYS = 730
GONE_DAYS = 200  # the long gone were not seen for so many
INTERACTIONS_EACH = 20
ACTIVE_SHARE = 0.35
GONE_SHARE = 0.585  # of all contacts; the rest was never seen at all
DAY_SHARE = 0.0245  # interactions a day, by contact
SLICE_ROWS = 250_000
OLDER = 3  # the history grows by so many times what it was

# The first and the last of some days, and how many interactions of each are of the long gone.
Span = tuple[date, date, int]

SOURCE = Source(
    source="bench",
    entity="interaction",
    kind="purchase",
    connector="files",
    path="generated",
    columns={"source_contact_id": "contact", "source_event_id": "id", "occurred_at": "at"},
)


class World:
    """The shop in a warehouse. Its clock stands at 10:00 UTC after the latest day that came."""

    def __init__(self, engine: Engine, policy: Policy, contacts: int) -> None:
        self.engine = engine
        self.policy = policy
        self.contacts = contacts
        self.clock = SimulatedClock(datetime.combine(FIRST_DAY, time(10), UTC) + timedelta(1))
        self.interactions = 0
        self.day_rows = round(DAY_SHARE * contacts)
        # The rest of the history is of the long gone, before they were.
        self.gone_rows = INTERACTIONS_EACH * contacts - HISTORY_DAYS * self.day_rows
        self.who = {"contacts": contacts, "active_contacts": round(ACTIVE_SHARE * contacts)}
        self.gone_contacts = round(GONE_SHARE * contacts)

    def fill(self) -> None:
        """The contacts, two years of what they did, and the ladders of the long gone."""
        with self.engine.begin() as connection:
            self.load_id = db.run(
                connection,
                "raw/begin_load",
                source="bench",
                entity="contact",
                as_of=FIRST_DAY,
                at=self.clock(),
            ).scalar_one()
            db.run(
                connection,
                "raw/set_load_status",
                load_id=self.load_id,
                status="loaded",
                seconds=None,
            )
            db.run(
                connection,
                "bench/fill_contacts",
                contacts=self.contacts,
                load_id=self.load_id,
                created_on=self._first_day(OLDER + 1),
                load_on=FIRST_DAY,
            )
        gone_on = FIRST_DAY - timedelta(days=GONE_DAYS)
        self._interactions(
            "history",
            [
                (self._first_day(1), gone_on, self.gone_rows // (HISTORY_DAYS - GONE_DAYS)),
                (gone_on + timedelta(days=1), FIRST_DAY, 0),
            ],
        )
        with self.engine.begin() as connection:
            db.run(
                connection,
                "bench/fill_activity",
                load_id=self.load_id,
                signals=list(self.policy.signals),
            )
            db.run(
                connection,
                "bench/fill_episodes",
                gone_on=gone_on,
                step_days=[step.after_days for step in self.policy.steps],
                close_after_days=self.policy.close_after_days,
            )
        self.vacuum("VACUUM (ANALYZE)")

    def grow(self) -> None:
        """Four times the history: as before, but before all that is there. Who is due stays so."""
        last_day = self._first_day(1) - timedelta(days=1)
        span = (self._first_day(OLDER + 1), last_day, self.gone_rows // HISTORY_DAYS)
        self._interactions("older history", [span])
        with self.engine.begin() as connection:
            db.run(
                connection, "bench/grow_activity", times=OLDER + 1, older_days=OLDER * HISTORY_DAYS
            )
        # Whole tables were rewritten, which no day does: their old rows go.
        self.vacuum("VACUUM (FULL) core.contact_activity")
        self.vacuum("VACUUM (ANALYZE)")

    def begin_load(self, first_day: date, last_day: date) -> int:
        """The interactions of some days in raw, as a load that core has not taken yet; its id."""
        self.clock.move_to(datetime.combine(last_day, time(15), UTC) + timedelta(days=1))
        with self.engine.begin() as connection:
            who = {"source": SOURCE.source, "entity": SOURCE.entity}
            load_id: int = db.run(
                connection, "raw/begin_load", **who, as_of=last_day, at=self.clock()
            ).scalar_one()
            db.run(
                connection,
                "bench/fill_day",
                **self.who,
                active_rows=self.day_rows,
                first_day=first_day,
                last_day=last_day,
                load_id=load_id,
            )
            db.run(
                connection,
                "raw/finish_load",
                "raw.interaction",
                **who,
                load_id=load_id,
                file_ids=[],
                is_increment=False,
                at=self.clock(),
            )
        self.vacuum("VACUUM (ANALYZE) raw.interaction")
        return load_id

    def take(self, engine: Engine, load_id: int, as_of: date) -> None:
        """core.take of a load; engine: the world's, or a rehearsal of it."""
        core.take(engine, SOURCE, load_id, as_of, self.policy, self.clock)

    def deliver(self, as_of: date) -> None:
        """The day's gates let it go; its texts arrive, and some are opened."""
        with self.engine.begin() as connection:
            cohort.let_go(connection, as_of, self.clock())
            db.run(connection, "bench/deliver", as_of=as_of, at=self.clock())

    def vacuum(self, command: str) -> None:
        """What autovacuum does at night, now: so that it comes into nobody's time."""
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(command)

    def _first_day(self, times: int) -> date:
        """The first day of `times` the history."""
        return FIRST_DAY - timedelta(days=times * HISTORY_DAYS - 1)

    def _interactions(self, what: str, spans: list[Span]) -> None:
        """What happened in the spans."""
        total = sum(
            ((last - first).days + 1) * (self.day_rows + gone) for first, last, gone in spans
        )
        with self.engine.begin() as connection:
            for first, last, _ in spans:
                db.run(connection, "bench/add_months", first_day=first, last_day=last)
            key = db.run(connection, "bench/interaction_key").one()
            # Kept up row by row it would take three times as long.
            _alter(connection, "DROP CONSTRAINT {name}", key)
            indexes = db.run(connection, "bench/interaction_indexes").all()
            for index in indexes:
                connection.exec_driver_sql(f"DROP INDEX core.{index.name}")
        slices = (thousand for span in spans for thousand in self._slices(*span))
        for _ in progress(slices, what, "thousand interactions", total // 1000):
            pass
        with self.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '512MB'")
            _alter(connection, "ADD CONSTRAINT {name} {definition}", key)
            for index in indexes:
                connection.exec_driver_sql(index.definition)
        self.interactions += total

    def _slices(self, first: date, last: date, gone_rows: int) -> Iterator[int]:
        """Fill day after day, and yield once for each thousand rows."""
        days = max(1, SLICE_ROWS // (self.day_rows + gone_rows))
        while first <= last:
            end = min(first + timedelta(days=days - 1), last)
            with self.engine.begin() as connection:
                filled = db.run(
                    connection,
                    "bench/fill_interactions",
                    **self.who,
                    gone_contacts=self.gone_contacts,
                    active_rows=self.day_rows,
                    gone_rows=gone_rows,
                    first_day=first,
                    last_day=end,
                    load_id=self.load_id,
                    at=self.clock(),
                ).rowcount
            yield from range(filled // 1000)
            first = end + timedelta(days=1)


def _alter(connection: sa.Connection, change: str, key: sa.Row) -> None:
    """Change the constraint `key` of core.interaction; its definition is the catalogue's own."""
    composed = sql.SQL("ALTER TABLE core.interaction " + change).format(
        name=sql.Identifier(key.name), definition=sql.SQL(key.definition)
    )
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(composed)
