"""What is done once a week: the audit of the kept-up columns, and tidying.

The daily path keeps core.contact_activity, cohort.dormancy, the episodes and who was drawn into
which group (outcome.eligible) up from what a day brings. The audit makes them anew from everything
that was ever recorded, and the two must agree.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock
from reengage.errors import ConfigurationError, ReengageError
from reengage.journey.episode import NO_LOAD
from reengage.policy import Policy
from reengage.progress import progress

log = logging.getLogger(__name__)

CHUNK = 20_000  # contacts compared by one statement
EXAMPLES = 10  # contacts named for each column
LEAST_ID, MOST_ID = -(2**63), 2**63 - 1

INTERACTION, ACTIVITY = "core.interaction", "core.contact_activity"
DORMANCY, EPISODE = "cohort.dormancy", "cohort.episode"
ELIGIBLE = "outcome.eligible"

# Replaced rows of raw are kept so long: what a source used to say is asked for within weeks.
KEEP_DAYS = 90

# What the daily path reads and writes.
TABLES = (
    "raw.contact",
    "raw.interaction",
    "raw.consent",
    "raw.product",
    "raw.file",
    "core.contact",
    "core.contact_identity",
    "core.card_id",
    "core.interaction",
    "core.contact_activity",
    "core.consent",
    "core.product",
    "core.suppression",
    "cohort.dormancy",
    "cohort.episode",
    "cohort.decision",
    "outbox.message",
    "outbox.link",
    "outbox.hit",
    "outcome.contact_outcome",
    "outcome.eligible",
)


class AuditFailed(ReengageError):
    """The daily path and a full recompute do not agree."""


@dataclass
class Audit:
    """What an audit came to.

    contacts: compared; differing: of them, with any difference; waiting: of all contacts, those
    that the next day follows, whose dormancy was not compared. differences: (table, column) →
    contacts. examples: the first ids of each. is_repaired: what differed was made anew.
    """

    share: float
    contacts: int = 0
    waiting: int = 0
    differing: int = 0
    is_repaired: bool = False
    has_ladder: bool = True
    differences: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    examples: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> list[str]:
        """What it came to, for a person."""
        drawn = "" if self.share >= 1 else f", a sample of {self.share:.1%}"
        told = [f"{self.contacts:,} contacts compared with a full recompute{drawn}."]
        if not self.has_ladder:
            told.append("No day is decided yet: only core.contact_activity was compared.")
        elif self.waiting:
            told.append(
                f"{self.waiting:,} contacts wait for the next day: their dormancy was not compared."
            )
        if not self.differing:
            return [*told, "The daily path agrees."]
        told.append(f"{self.differing:,} differ:")
        for (relation, column), contacts in sorted(self.differences.items()):
            ids = self.examples[relation, column]
            named = ", ".join(map(str, ids)) + (", …" if contacts > len(ids) else "")
            told.append(f"  {relation} {column}: {contacts:,} (contact {named})")
        if self.is_repaired:
            told.append("They were made anew, and the next day follows them.")
        return told

    def _note(self, relation: str, contact_id: int, columns: list[str]) -> None:
        for column in columns:
            self.differences[relation, column] += 1
            ids = self.examples[relation, column]
            if len(ids) < EXAMPLES and contact_id not in ids:
                ids.append(contact_id)


@dataclass
class _Wrong:
    """The contacts of a chunk that differ, by id; of them, those in whose dormancy the date of the
    first step does.
    """

    ids: set[int] = field(default_factory=set)
    reaching: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Rules:
    """How the kept-up columns were made: by the policy of then, which may be another one now."""

    signals: list[str]
    last_load_id: int
    decided_at: Any
    has_ladder: bool
    ladder: str
    clocks: str
    pace: str
    cooldown_days: int


def audit(
    engine: Engine,
    policy: Policy,
    clock: Clock,
    *,
    share: float = 1.0,
    is_repairing: bool = False,
    chunk_size: int = CHUNK,
) -> Audit:
    """Compare what the daily path has kept up with a full recompute, and keep what is found in
    maintenance.audit and maintenance.difference.

    share: of the contacts, above 0 to 1, drawn anew each day by a hash of their id. is_repairing:
    make what differs anew. It reads one snapshot, chunk by chunk, and locks nothing; a repair holds
    the locks of loads and of the journey for a chunk at a time. Killed, it leaves nothing, but for
    chunks that were repaired. Raises AuditFailed where anything differs and is not repaired, and
    ConfigurationError for a share that is none.
    """
    if not 0 < share <= 1:
        raise ConfigurationError(f"share is of all contacts, like 0.1 or 1; {share:g} is not.")
    began_at = clock()
    found = Audit(share)
    wrong: list[_Wrong] = []
    with engine.connect().execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    ) as connection:
        rules = _rules(connection, policy)
        found.has_ladder = rules.has_ladder
        counts = db.run(
            connection, "maintenance/count_scope", last_load_id=rules.last_load_id
        ).one()
        found.waiting = counts.waiting
        draw = {"share": share, "seed": began_at.toordinal()}
        contacts = _chunks(connection, rules, draw, chunk_size, found, wrong)
        for _ in progress(contacts, "audit", "contacts", counts.contacts):
            pass
    failure = None
    if wrong and is_repairing:
        try:
            for chunk in progress(wrong, "repair", "chunks", len(wrong)):
                _repair(engine, policy, chunk)
            found.is_repaired = True
        except AuditFailed as error:
            failure = error
    with engine.begin() as connection:
        audit_id = db.run(
            connection,
            "maintenance/record_audit",
            began_at=began_at,
            at=clock(),
            share=share,
            contacts=found.contacts,
            waiting=found.waiting,
            differing=found.differing,
            is_repaired=found.is_repaired,
            differences=json.dumps(
                [
                    {
                        "relation": relation,
                        "column_name": column,
                        "contacts": contacts,
                        "contact_ids": found.examples[relation, column],
                    }
                    for (relation, column), contacts in found.differences.items()
                ]
            ),
        ).scalar_one()
    if failure:
        raise failure
    if found.differing and not found.is_repaired:
        told = "\n".join(found.lines())
        raise AuditFailed(
            f"{told}\nThat is an error of the program, or of a change by hand: the contacts' rows "
            f"show which (maintenance.difference, audit {audit_id}). To make them anew: "
            'make audit REPAIR=1, or reengage_maintenance with {"repair": true}.'
        )
    return found


def _rules(connection: Connection, policy: Policy) -> _Rules:
    row = db.run(connection, "maintenance/scope").one()
    # As cohort notes it when a ladder is new.
    ladder, clocks, pace, cooldown_days = (
        json.loads(row.ladder)[:4]
        if row.ladder
        else (policy.ladder, policy.clocks, policy.pace, policy.cooldown_days)
    )
    return _Rules(
        signals=row.signals.split(",") if row.signals else list(policy.signals),
        last_load_id=row.last_load_id,
        decided_at=row.decided_at,
        has_ladder=row.ladder is not None,
        ladder=ladder,
        clocks=clocks,
        pace=pace,
        cooldown_days=cooldown_days,
    )


def _chunks(
    connection: Connection,
    rules: _Rules,
    draw: dict[str, Any],
    chunk_size: int,
    found: Audit,
    wrong: list[_Wrong],
) -> Iterator[int]:
    """Compare chunk after chunk; gives one item a contact, for the progress."""
    after, is_last = LEAST_ID, False
    while not is_last:
        chunk = db.run(
            connection,
            "maintenance/next_chunk",
            after_contact_id=after,
            chunk_size=chunk_size,
            **draw,
        ).one()
        is_last = chunk.contacts < chunk_size
        # The last one takes in rows of contacts that are not there.
        through = MOST_ID if is_last else chunk.through_contact_id
        here = _Wrong()
        for relation, row in _differences(connection, rules, after, through, draw):
            here.ids.add(row.contact_id)
            if "reaches_on" in row.column_names:
                here.reaching.add(row.contact_id)
            found._note(relation, row.contact_id, row.column_names)
        if here.ids:
            wrong.append(here)
        found.contacts += chunk.drawn
        found.differing += len(here.ids)
        yield from range(chunk.contacts)
        after = through


def _differences(
    connection: Connection, rules: _Rules, after: int, through: int, draw: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The table and the row of every difference of the contacts (after, through]."""
    span = {"after_contact_id": after, "through_contact_id": through, **draw}
    rows = db.run(connection, "maintenance/audit_events", **span)
    yield from ((INTERACTION, row) for row in rows)
    rows = db.run(connection, "maintenance/audit_activity", **span, signals=rules.signals)
    yield from ((ACTIVITY, row) for row in rows)
    rows = db.run(connection, "maintenance/audit_eligible", **span)
    yield from ((ELIGIBLE, row) for row in rows)
    if not rules.has_ladder:
        return
    rows = db.run(
        connection,
        "maintenance/audit_dormancy",
        **span,
        last_load_id=rules.last_load_id,
        clocks=rules.clocks,
        pace=rules.pace,
        cooldown_days=rules.cooldown_days,
    )
    yield from ((DORMANCY, row) for row in rows)
    rows = db.run(
        connection,
        "maintenance/audit_episodes",
        **span,
        last_load_id=rules.last_load_id,
        decided_at=rules.decided_at,
        ladder=rules.ladder,
        clocks=rules.clocks,
        signals=rules.signals,
    )
    yield from ((EPISODE, row) for row in rows)


def _repair(engine: Engine, policy: Policy, wrong: _Wrong) -> None:
    """Make the contacts' rows anew by the daily path's own statements, and mark them as touched, so
    that the next day follows. Raises AuditFailed where they still differ.
    """
    with (
        engine.begin() as connection,
        # A load and a day wait meanwhile, and what either has done since the snapshot is seen.
        db.exclusive(connection, "journey"),
        db.exclusive(connection, "core"),
    ):
        rules, ids = _rules(connection, policy), sorted(wrong.ids)
        mark = rules.last_load_id + 1
        db.run(connection, "core/begin_corrected", contact_ids=ids)
        db.run(
            connection, "maintenance/mend_rows", load_id=mark, reaching_ids=sorted(wrong.reaching)
        )
        db.run(connection, "core/redo_activity", load_id=mark, signals=rules.signals)
        if rules.has_ladder:
            new = db.run(
                connection,
                "episode/follow_loads",
                after_load_id=NO_LOAD,
                contact_ids=ids,
                clocks=rules.clocks,
                pace=rules.pace,
                cooldown_days=rules.cooldown_days,
            ).scalar_one()
            db.run(connection, "cohort/add_contacts", contacts=new)
        left = _left(connection, rules, ids)
        anew = [row.anew for relation, row in left if relation == EPISODE]
        if anew:
            db.run(connection, "maintenance/mend_episodes", anew=json.dumps(anew))
            left = _left(connection, rules, ids)
        undrawn = sorted({row.contact_id for relation, row in left if relation == ELIGIBLE})
        if undrawn:
            through = db.run(
                connection, "maintenance/forget_eligible", contact_ids=undrawn
            ).scalar_one()
            db.run(connection, "outcome/add_eligible", as_of=through, contact_ids=undrawn)
            left = _left(connection, rules, ids)
        if left:
            relation, row = left[0]
            raise AuditFailed(
                f"Contact {row.contact_id} was made anew and still differs in {relation} "
                f"({', '.join(row.column_names)}): the daily path itself is wrong. Nothing of its "
                "chunk was changed."
            )


def _left(connection: Connection, rules: _Rules, ids: list[int]) -> list[tuple[str, Any]]:
    """What still differs of these contacts, whether or not the next day follows them."""
    everybody = _Rules(**vars(rules) | {"last_load_id": NO_LOAD})
    all_of_them, wanted = {"share": 1.0, "seed": 0}, set(ids)
    return [
        (relation, row)
        for relation, row in _differences(connection, everybody, ids[0] - 1, ids[-1], all_of_them)
        if row.contact_id in wanted
    ]


def tidy(engine: Engine, clock: Clock, *, keep_days: int = KEEP_DAYS) -> int:
    """Empty what is of no use, and refresh what the planner knows. Returns the rows emptied.

    keep_days: before the newest day loaded. Rows of raw that were replaced earlier lose the
    source's record and what names a person, and still tell what was known when; bodies of webhooks
    that could not be mapped go. Rejects, and everything beyond, stay. A table that is at work is
    left for the next week. clock: by which it is noted. Twice: nothing is left to empty.
    """
    with engine.connect() as connection:
        loads = db.run(connection, "maintenance/old_loads", keep_days=keep_days).all()
    emptied = 0
    for load in progress(loads, "tidy", "loads", len(loads)):
        with engine.begin() as connection:
            emptied += db.run(
                connection, "maintenance/empty_replaced", f"raw.{load.entity}", load_id=load.load_id
            ).rowcount
            if load.entity == "contact":
                db.run(connection, "maintenance/empty_cards", load_id=load.load_id)
            db.run(connection, "maintenance/note_tidied", load_id=load.load_id, at=clock())
    with engine.begin() as connection:
        db.run(connection, "maintenance/forget_webhooks", keep_days=keep_days)
    log.info("%s rows of raw that were replaced long ago are emptied", f"{emptied:,}")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in progress(TABLES, "vacuum", "tables", len(TABLES)):
            _vacuum(connection, table)
    return emptied


def _vacuum(connection: Connection, table: str) -> None:
    from psycopg import sql

    # Waits for nobody, and gives no space back to the disk: that would lock readers out.
    driver: Any = connection.connection.driver_connection
    driver.execute(
        sql.SQL("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE FALSE) {}").format(
            sql.Identifier(*table.split("."))
        )
    )
