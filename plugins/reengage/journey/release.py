"""The way out of a decided day: its drafts are queued once its gates have let it go."""

from datetime import date, datetime, timedelta

from sqlalchemy.engine import Engine

from reengage import db
from reengage.errors import SendRefused
from reengage.policy import Policy


def check_age(policy: Policy, as_of: date, now: datetime) -> None:
    """Refuse a day that is too old to be texted about; now: aware. Raises SendRefused."""
    age = now.astimezone(policy.brand.zone).date() - as_of
    if age > timedelta(days=policy.sending.max_age_days):
        raise SendRefused(
            f"Nothing more of {as_of} is sent: it was {age.days} days ago, and "
            f"sending.max_age_days of the policy is {policy.sending.max_age_days}. Run "
            "reengage_journey for the latest day: it takes the drafts back and looks at their "
            "contacts again."
        )


def release(engine: Engine, policy: Policy, as_of: date, step: str, now: datetime) -> int:
    """Queue a step's drafts of a day that its gates have let go; how many. Twice: 0.

    now: aware. Raises SendRefused where drafts stay behind, until the next day takes them back: the
    day was not let go, or is too old by now.
    """
    if statuses(engine, as_of).get((step, "draft")):
        check_age(policy, as_of, now)
    with engine.begin() as connection:
        released = db.run(connection, "outbox/release", as_of=as_of, step=step, at=now).rowcount
    if not released and (held := statuses(engine, as_of).get((step, "draft"))):
        raise SendRefused(
            f"The {held:,} drafts of {step} of {as_of} stay drafts: the day was not let go. Run "
            "`gates` of reengage_journey, or approve the day."
        )
    return released


def statuses(engine: Engine, as_of: date) -> dict[tuple[str, str], int]:
    """Messages of a day, by (step, status)."""
    with engine.connect() as connection:
        rows = db.run(connection, "outbox/count_statuses", as_of=as_of)
        return {(r.step, r.status): r.messages for r in rows}
