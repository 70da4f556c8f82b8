"""Episodes of dormancy: since when contacts are quiet, where they stand on the ladder, how it ends.

Nothing else writes cohort.episode, but for merges of contacts and what maintenance mends. All of it
runs in the caller's transaction, which holds the journey's lock.
"""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from reengage import db
from reengage.clock import Clock
from reengage.policy import Policy

log = logging.getLogger(__name__)

NO_LOAD = 2**62  # no load has this number
EVER = datetime.min.replace(tzinfo=UTC)
EVERYBODY = {"after_contact_id": -(2**63), "through_contact_id": 2**63 - 1}
# Hits of a day before the last one was decided: some were being written meanwhile.
LOOK_BACK = timedelta(days=1)


def catch_up(connection: Connection, policy: Policy, as_of: date, clock: Clock) -> int:
    """Bring the episodes to the state of the loads so far: who is quiet since when, who came back,
    whose ladder ended before as_of, whose hold may be over. Twice: nothing is left to do.
    Returns how many contacts are new to the journey.
    """
    since = db.run(connection, "cohort/watermark").one()
    new = close(connection, policy, as_of, clock, over_on=as_of - timedelta(days=1))
    db.run(connection, "episode/released", after_load_id=since.last_load_id, after=since.decided_at)
    db.run(connection, "episode/bring_forward", as_of=as_of, rungs=len(policy.steps))
    return new


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
    followed = db.run(
        connection,
        "episode/follow_loads",
        after_load_id=after_load_id,
        contact_ids=list(contact_ids),
        clocks=policy.clocks,
        pace=policy.pace,
        cooldown_days=policy.cooldown_days,
    )
    new = int(followed.scalar_one())
    db.analyze_grown(connection, cohort__dormancy=new)
    return new


def follow_policy(connection: Connection, policy: Policy, as_of: date) -> bool:
    """Make a new ladder hold for everybody from this day on, open episodes included; whether it was
    new. That is the one time that all contacts are looked at.
    """
    text = json.dumps(
        [policy.ladder, policy.clocks, policy.pace, policy.cooldown_days, policy.entry]
    )
    known = db.run(connection, "core/derived_from", name="ladder").scalar()
    if known == text:
        return False
    if known is not None:
        log.info("The policy's ladder changed: open episodes follow the new one from %s", as_of)
    follow_loads(connection, policy, after_load_id=-1)
    db.run(connection, "episode/released", after_load_id=-1, after=EVER)
    db.run(connection, "episode/place_open", as_of=as_of, ladder=policy.ladder)
    db.run(connection, "episode/place", **policy.climb)
    db.run(connection, "episode/move")
    db.run(connection, "core/note_derived", name="ladder", value=text)
    return True


def open_due(connection: Connection, policy: Policy, as_of: date) -> None:
    """Open an episode for every contact who has reached the first step. Twice: nobody is left."""
    reached = db.run(connection, "episode/open", as_of=as_of).one()
    if reached.reopened:
        db.run(connection, "episode/place_reopened", as_of=as_of)
        db.run(connection, "episode/place", **policy.climb)
        db.run(connection, "episode/move")
    db.analyze_grown(connection, cohort__episode=reached.opened, cohort__dormancy=reached.opened)


def advance(
    connection: Connection, policy: Policy, as_of: date, contact_ids: list[int] | None = None
) -> None:
    """Move the episodes that were decided on a day on; those of contact_ids alone, if given.
    Twice: the same place.
    """
    db.run(connection, "episode/place_decided", as_of=as_of, contact_ids=contact_ids)
    db.run(connection, "episode/place", **policy.climb)
    db.run(connection, "episode/advance", as_of=as_of)


def close(
    connection: Connection, policy: Policy, as_of: date, clock: Clock, *, over_on: date
) -> int:
    """Note who came back or clicked, close the episodes that are over, write their outcomes, and
    move their contacts. Returns how many contacts are new to the journey.

    over_on: the day through which ladders may have ended. Before as_of is decided that is an
    earlier one: a step that is due on as_of is decided first. Twice: nothing is left to close.
    """
    seen, now = db.run(connection, "cohort/watermark").one(), clock()
    new = follow_loads(connection, policy, after_load_id=seen.last_load_id)
    db.run(
        connection,
        "episode/mark_returned",
        after_load_id=seen.last_load_id,
        clocks=policy.clocks,
        signals=list(policy.signals),
    )
    since = seen.decided_at and seen.decided_at - LOOK_BACK
    db.run(connection, "episode/touch_by_hits", since=since, until=None, **EVERYBODY)
    db.run(connection, "episode/mark_opened")
    ended = db.run(
        connection,
        "episode/close",
        as_of=as_of,
        over_on=over_on,
        after_load_id=seen.last_load_id,
        close_after_days=policy.close_after_days,
        unsubscribe_after_texts=policy.unsubscribe_after_texts,
        channel=policy.consent.channel,
        at=now,
        time_zone=policy.brand.time_zone,
        currency=policy.brand.currency,
    )
    if contact_ids := list(ended.scalars()):
        follow_loads(connection, policy, contact_ids=contact_ids)
    db.run(connection, "episode/touch_by_loads", after_load_id=seen.last_load_id)
    _lift_inactivity(connection, policy, now)
    return new


def judge_again(
    connection: Connection,
    policy: Policy,
    now: datetime,
    since: datetime | None,
    until: datetime | None,
    after_contact_id: int = EVERYBODY["after_contact_id"],
    through_contact_id: int = EVERYBODY["through_contact_id"],
) -> dict[str, int]:
    """Make episodes, outcomes and contacts follow today's verdicts on hits, of contacts whose links
    were followed in [since, until) (aware; None: ever). Twice: no change.

    Returns what has changed, by the names of outcome.Followed.
    """
    db.run(
        connection,
        "episode/touch_by_hits",
        since=since,
        until=until,
        after_contact_id=after_contact_id,
        through_contact_id=through_contact_id,
    )
    changed: dict[str, Any] = {
        **db.run(connection, "episode/mark_opened").one()._mapping,
        **db.run(connection, "episode/judge_again").one()._mapping,
        "revived": _lift_inactivity(connection, policy, now),
        "given_up": db.run(
            connection, "episode/give_up", channel=policy.consent.channel, at=now
        ).scalar_one(),
    }
    if contact_ids := changed.pop("contact_ids"):
        new = follow_loads(connection, policy, contact_ids=contact_ids)
        if new:
            db.run(connection, "cohort/add_contacts", contacts=new)
    return changed


def _lift_inactivity(connection: Connection, policy: Policy, now: datetime) -> int:
    """Bring back those of the touched contacts who show a sign of life; how many."""
    lifted = db.run(
        connection,
        "episode/lift_inactivity",
        at=now,
        signals=list(policy.signals),
        time_zone=policy.brand.time_zone,
    )
    return int(lifted.scalar_one())
