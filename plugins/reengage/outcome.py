"""What became of each episode, and the figures of each day."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock
from reengage.policy import Policy

log = logging.getLogger(__name__)


def close(
    connection: Connection, policy: Policy, as_of: date, clock: Clock, *, over_on: date
) -> int:
    """Note who came back or opened, close the episodes that are over, write their outcomes, and
    move their contacts. Returns how many contacts are new to the journey.

    over_on: the day through which ladders may have ended. Before as_of is decided that is an
    earlier one: a step that is due on as_of is decided first. Twice: nothing is left to close.
    """
    zone, now, currency = policy.brand.time_zone, clock(), policy.brand.currency
    seen = db.run(connection, "cohort/watermark").one()
    new = follow_loads(connection, policy, after_load_id=seen.last_load_id)
    db.run(
        connection, "cohort/mark_returned",
        after_load_id=seen.last_load_id, clocks=policy.clocks, signals=list(policy.signals),
    )  # fmt: skip
    db.run(connection, "cohort/mark_opened", after=seen.decided_at)
    db.run(
        connection, "outcome/close_returned", as_of=as_of, time_zone=zone, currency=currency
    )  # fmt: skip
    ended = (
        db.run(
            connection,
            "outcome/close_over",
            as_of=over_on,
            after_load_id=seen.last_load_id,
            close_after_days=policy.close_after_days,
            channel=policy.consent.channel,
            at=now,
            time_zone=zone,
            currency=currency,
        )
        .scalars()
        .all()
    )
    if ended:
        follow_loads(connection, policy, contact_ids=ended)
    db.run(
        connection, "outcome/revive",
        after_load_id=seen.last_load_id, after=seen.decided_at, at=now,
    )  # fmt: skip
    return new


NO_LOAD = 2**62  # no load has this number


def follow_loads(
    connection: Connection,
    policy: Policy,
    *,
    after_load_id: int = NO_LOAD,
    contact_ids: Sequence[int] = (),
) -> int:
    """Work out since when contacts are quiet: of the loads after one, and the contacts named.
    Returns how many are new to the journey.
    """
    found = db.run(
        connection, "cohort/follow_loads",
        after_load_id=after_load_id, contact_ids=list(contact_ids), clocks=policy.clocks,
        pace=policy.pace, cooldown_days=policy.cooldown_days,
    )  # fmt: skip
    return int(found.scalar_one())


def write(engine: Engine, policy: Policy, as_of: date, clock: Clock) -> dict[str, int]:
    """Close what is over on as_of and recount the days whose figures can still change.

    Returns the contacts by outcome of the episodes closed on this as_of. Twice: the same figures.
    """
    window = policy.attribution_days + policy.close_after_days
    with engine.begin() as connection, db.exclusive(connection, "journey"):
        db.analyze(connection, "outbox.message", "outbox.hit", "cohort.decision", "cohort.episode")
        # A day that could not be decided (its feed is late) ends nobody's ladder: who came back on
        # it is not known yet.
        decided = db.run(connection, "cohort/latest_until", as_of=as_of).scalar()
        over_on = decided or as_of - timedelta(days=1)
        new = close(connection, policy, as_of, clock, over_on=over_on)
        if new:
            db.run(connection, "cohort/add_contacts", contacts=new)
        db.run(
            connection,
            "outcome/daily_step",
            as_of=as_of,
            from_as_of=as_of - timedelta(days=window),
            attribution_days=policy.attribution_days,
            signals=list(policy.signals),
            currency=policy.brand.currency,
        )
        rows = db.run(connection, "outcome/count_outcomes", as_of=as_of)
        return {row.outcome: row.contacts for row in rows}
