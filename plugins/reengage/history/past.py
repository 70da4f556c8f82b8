"""Days of the past, lived again by the journey's own statements, in tables that stand in for its.

Everything that a day of the journey reads of people and writes is a temporary table of the session,
into which what came to pass comes day by day; its views are made anew over them. So no rule of the
journey is written twice, and nothing of the warehouse changes.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy.engine import Connection, Engine

from reengage import db, objects
from reengage.journey import cohort, episode
from reengage.policy import Policy

TABLES = (
    "core.contact",
    "core.contact_activity",
    "core.consent",
    "core.interaction",
    "core.suppression",
    "cohort.day",
    "cohort.dormancy",
    "cohort.episode",
    "cohort.decision",
    "outbox.message",
    "outbox.hit",
    "outbox.verdict",
    "outbox.reply",
    "outcome.contact_outcome",
    "core.restraint",
    "core.stop_tie",
)
# Those that what came before the first day fills at once, and those that grow and change since.
_FILLED = ("core.contact", "core.contact_activity", "core.consent", "core.suppression")
_GROWN = (*_FILLED, "cohort.dormancy", "cohort.episode", "cohort.decision", "outbox.message")
_TIDY_DAYS = 28
SETTINGS = (
    "SET temp_buffers = '128MB'",
    "SET work_mem = '64MB'",
    # Every day drops tables that are not there yet.
    "SET client_min_messages = warning",
)
_VIEW = re.compile(r"CREATE OR REPLACE VIEW\b")
_QUALIFIED = re.compile(r"\w+\.\w+")


@dataclass(frozen=True)
class Past:
    """A session with its stand-ins (db.stand_in)."""

    connection: Connection
    stand_ins: db.StandIns
    is_known: bool


@contextmanager
def past(
    engine: Engine, policy: Policy, begin: date, last: date, *, is_known: bool = False
) -> Iterator[Past]:
    """A session in which the days begin to last can be lived. It ends with all that it made.

    is_known: a day knows what had been loaded by then; else all that is dated on it or before.
    """
    connection = engine.connect()
    try:
        # Anew: the room for temporary tables is settled before the first of a session.
        connection.invalidate()
        connection.rollback()
        for setting in SETTINGS:
            connection.exec_driver_sql(setting)
        db.run(
            connection,
            "history/begin_past",
            begin_day=begin,
            to_day=last,
            time_zone=policy.brand.time_zone,
            is_known=is_known,
        )
        db.run(connection, "history/interaction_so_far")
        stand_ins = {name: _temporary(name) for name in TABLES}
        for made in objects.in_order():
            named = set(_QUALIFIED.findall(" ".join(db.split(made.text))))
            is_new = made.name not in stand_ins
            if is_new and _VIEW.search(made.text) and stand_ins.keys() & named:
                stand_ins[made.name] = _temporary(made.name)
                text = db.renamed(made.text, tuple(stand_ins.items()))
                db.run_script(connection, _VIEW.sub("CREATE TEMPORARY VIEW", text))
        connection.commit()
        yield Past(connection, tuple(stand_ins.items()), is_known)
    finally:
        connection.invalidate()
        connection.close()


def _temporary(name: str) -> str:
    return name.replace(".", "__")


def live(session: Past, policy: Policy, first: date, last: date) -> Iterator[date]:
    """Live the days first to last, each in its transaction, as a journey would that begins with the
    first: who is quiet then is due then, however long they have been. Each day when it is done.

    Whom a day would have written to counts as texted; nobody clicks, answers or says stop for it.
    """
    connection = session.connection
    after = None
    for day in range((last - first).days + 1):
        as_of = first + timedelta(days=day)
        # Temporary tables of a day are locked to the end of their transaction: one a day.
        with connection.begin():
            corrected = db.run(
                connection,
                "history/arrive",
                as_of=as_of,
                after_day=after,
                load_id=as_of.toordinal(),
                is_known=session.is_known,
            ).scalar_one()
            with db.stand_in(connection, session.stand_ins):
                _follow(connection, policy, as_of, is_corrected=bool(corrected))
                if after is None:
                    db.analyze(connection, *map(_temporary, _FILLED))
                _decide(connection, policy, as_of)
        if day % _TIDY_DAYS == _TIDY_DAYS - 1:
            _tidy(connection)
        yield as_of
        after = as_of


def _tidy(connection: Connection) -> None:
    """What autovacuum does for other tables: it leaves temporary ones alone."""
    driver: Any = connection.connection.driver_connection
    connection.rollback()
    driver.autocommit = True
    try:
        for name in _GROWN:
            driver.execute(f"VACUUM ANALYZE {_temporary(name)}")
    finally:
        driver.autocommit = False


def _follow(connection: Connection, policy: Policy, as_of: date, *, is_corrected: bool) -> None:
    """Keep up when contacts were last active. is_corrected: some are put together anew."""
    given = {"load_id": as_of.toordinal(), "signals": list(policy.signals)}
    db.run(connection, "core/add_activity", **given)
    if is_corrected:
        db.run(connection, "core/redo_activity", **given)


def _decide(connection: Connection, policy: Policy, as_of: date) -> None:
    at, load_id = policy.last_instant(as_of), as_of.toordinal()
    new = episode.catch_up(connection, policy, as_of, lambda: at)
    db.run(connection, "history/note_quiet", as_of=as_of, load_id=load_id)
    cohort.judge(connection, policy, as_of)
    db.run(connection, "history/would_send", as_of=as_of, at=at, channel=policy.consent.channel)
    episode.advance(connection, policy, as_of)
    db.run(
        connection,
        "cohort/record_day",
        as_of=as_of,
        policy_version=policy.version,
        at=at,
        last_load_id=load_id,
        contacts=new,
        new_contacts=0,
        control_salt=policy.control.salt,
        control_share=policy.control.share,
        variants=policy.variants,
    )
    cohort.let_go(connection, as_of, at)
