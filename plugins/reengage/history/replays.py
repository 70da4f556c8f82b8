"""Replays of past days: what the ladder would have found, and who came back by themselves."""

import logging
from datetime import date

from sqlalchemy.engine import Engine

from reengage import db
from reengage.errors import ConfigurationError
from reengage.policy import Policy

log = logging.getLogger(__name__)

DEFAULT_SCENARIO = "default"
WITHIN_DAYS = (7, 14, 30, 60, 90)


def loaded_through(engine: Engine) -> date | None:
    """The last day whose data is in core; None where nothing is."""
    with engine.connect() as connection:
        return db.run(connection, "history/loaded_span").one().through


def replay(engine: Engine, policy: Policy, first: date, last: date) -> int:
    """Replay the policy's ladder over the days first to last, both included, in one pass.

    Returns the number of days written to history.cohort_day; for a span of days (not for a single
    one) the return curve is made anew as well. Nothing is sent, and no contact changes. Twice: the
    same figures. Raises ConfigurationError where the days are not loaded.
    """
    if first > last:
        raise ConfigurationError(f"The replay's first day {first} is after its last day {last}.")
    with engine.begin() as connection, db.exclusive(connection, "history"):
        span = db.run(connection, "history/loaded_span").one()
        if span.through is None or last > span.through:
            raise ConfigurationError(
                f"The data goes through {span.through or 'no day at all'}, so {last} cannot be "
                f"replayed yet. Load it first: make day AS_OF={last}."
            )
        same = {"scenario": DEFAULT_SCENARIO, "from_day": first, "to_day": last}
        ladder, signals = policy.plain_ladder, list(policy.signals)
        db.run(connection, "history/replay", **same, **ladder, signals=signals)
        if last > first:
            db.run(
                connection,
                "history/return_curve",
                **same,
                through=span.through,
                step_days=ladder["step_days"],
                within_days=list(WITHIN_DAYS),
                signals=signals,
            )
    days = (last - first).days + 1
    log.info("replayed %s days, %s to %s", f"{days:,}", first, last)
    return days
