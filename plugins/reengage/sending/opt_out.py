"""What the replies that were kept do: a stop opts a number out, a start takes that back, and what
nobody has read in time counts as a stop.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy.engine import Engine

from reengage import db
from reengage.clock import Clock
from reengage.policy import Policy
from reengage.sending.replies import Meaning

log = logging.getLogger(__name__)


def apply_replies(engine: Engine, policy: Policy, clock: Clock) -> None:
    """Count as a stop what nobody has read within `replies.hold_days`, and let the stops and starts
    take effect. Twice: what has taken effect does not again.
    """
    now = clock()
    received_until = now - timedelta(days=policy.replies.hold_days)
    with engine.begin() as connection:
        counted = db.run(
            connection, "outbox/count_unread", received_until=received_until, at=now
        ).rowcount
    if counted:
        log.warning(
            "%s replies were read by nobody for %s days, and count as a stop: see Replies on the "
            "page",
            f"{counted:,}",
            policy.replies.hold_days,
        )
    take_effect(engine, policy.consent.channel)


def take_effect(engine: Engine, channel: str) -> None:
    """Opt out whose stop was kept, and take back what a later start does."""
    # One at a time: a start that was read before a newer stop came would take that one back.
    with engine.begin() as alone, db.exclusive(alone, "replies"):
        for stop in db.run(alone, "outbox/stops_to_apply", channel=channel).all():
            with engine.begin() as connection:
                db.run(
                    connection,
                    "core/opt_out_phone",
                    phone_hash=stop.phone_hash,
                    channel=channel,
                    source="unread" if stop.is_unread else "reply",
                    at=stop.received_at,
                )
        for start in db.run(alone, "outbox/starts_to_apply", channel=channel).all():
            with engine.begin() as connection:
                db.run(
                    connection,
                    "core/opt_in_phone",
                    phone_hash=start.phone_hash,
                    channel=channel,
                    at=start.received_at,
                    is_unread_only=False,
                )


def review(engine: Engine, reply_id: int, meaning: Meaning, channel: str, at: datetime) -> None:
    """What a person has read in a reply, and in those that came before it from the same number and
    were not read either: "unclear" is no stop, and the number may be texted again. at: aware, now.

    Twice, or by two: what was said first holds.
    """
    with engine.begin() as connection, db.exclusive(connection, "replies"):
        read = db.run(
            connection, "marketer/review_replies", reply_id=reply_id, meaning=meaning, at=at
        ).first()
        if read and meaning != "stop":  # what counted as one, unread, was none
            db.run(
                connection,
                "core/opt_in_phone",
                phone_hash=read.phone_hash,
                channel=channel,
                at=read.received_at,
                is_unread_only=True,
            )
    take_effect(engine, channel)
