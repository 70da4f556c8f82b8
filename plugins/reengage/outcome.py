"""What became of each episode, and the figures of each day."""

import logging
from datetime import date, timedelta

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock
from reengage.policy import Policy

log = logging.getLogger(__name__)


def close(
    connection: Connection, policy: Policy, as_of: date, clock: Clock, *, is_decided: bool
) -> None:
    """Note who came back, close the episodes that are over, write their outcomes, and move their
    contacts.

    Before as_of is decided only the ladders that ended on earlier days are closed: a step that is
    due on as_of is decided first. Twice: nothing is left to close.
    """
    zone, now = policy.brand.time_zone, clock()
    seen = db.run(connection, "cohort/watermark").one()
    db.run(
        connection, "cohort/mark_returned",
        after_load_id=seen.last_load_id, signals=list(policy.signals),
    )  # fmt: skip
    db.run(connection, "outcome/close_returned", as_of=as_of, time_zone=zone)
    db.run(
        connection,
        "outcome/close_over",
        as_of=as_of if is_decided else as_of - timedelta(days=1),
        after_load_id=seen.last_load_id,
        close_after_days=policy.close_after_days,
        cooldown_days=policy.cooldown_days,
        channel=policy.consent.channel,
        at=now,
        time_zone=zone,
    )
    db.run(
        connection, "outcome/revive",
        after_load_id=seen.last_load_id, after=seen.decided_at, at=now,
    )  # fmt: skip


def write(engine: Engine, policy: Policy, as_of: date, clock: Clock) -> dict[str, int]:
    """Close what is over on as_of and recount the days whose figures can still change.

    Returns the contacts by outcome of the episodes closed on this as_of. Twice: the same figures.
    """
    window = policy.attribution_days + policy.close_after_days
    with engine.begin() as connection, db.exclusive(connection, "journey"):
        db.analyze(connection, "outbox.message", "outbox.hit", "cohort.decision", "cohort.episode")
        close(connection, policy, as_of, clock, is_decided=True)
        db.run(
            connection,
            "outcome/daily_step",
            as_of=as_of,
            from_as_of=as_of - timedelta(days=window),
            attribution_days=policy.attribution_days,
            signals=list(policy.signals),
        )
        rows = db.run(connection, "outcome/count_outcomes", as_of=as_of)
        return {row.outcome: row.contacts for row in rows}
