"""A home that plays the past: its days were decided on a simulated clock, long after their time.

The demo is one, and so is an evaluation over one's own old files. A run on today's clock would load
everything since at once and end the story, so it is refused; the home goes on by simulated days, on
a clock of its own. Its age says nothing: real days, and days that were simulated about when they
were (yesterday's, by `make day`), may lie as long as they like and go on.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from reengage import db
from reengage.clock import Clock, SimulatedClock, wall_clock
from reengage.errors import ReengageError
from reengage.policy import Policy

# Days that are decided later than this after their time are the past; what is less is caught up.
BEHIND = timedelta(days=31)
# The story goes on, however large its steps; what leaps further ends it.
LONGEST_STEP = timedelta(days=366)


class PlaysThePast(ReengageError):
    """The home plays the past, and what was asked for would end its story."""


@dataclass(frozen=True)
class Past:
    """now: the home's own time, aware, in the brand's zone; as_of: its latest decided day."""

    now: datetime
    as_of: date

    @property
    def next_day(self) -> date:
        return self.as_of + timedelta(days=1)

    @property
    def today(self) -> str:
        """The home's day as people write it: 29 Oct 1997."""
        return f"{self.now.day} {self.now:%b %Y}"

    def refuse(self, what: str) -> PlaysThePast:
        """Why not, and what to do instead. what: `a run on today's clock`."""
        return PlaysThePast(
            f"This home plays the past: it is {self.today} in it, and {what} would end its story. "
            f"To go on: make day AS_OF={self.next_day} (end `make up` before). For real days use "
            "another home: REENGAGE_HOME=/some/where make up."
        )


def note(engine: sa.Engine, now: datetime, wall: Clock = wall_clock) -> None:
    """Remember how far a simulated clock has come, and when that was. Twice: the same."""
    with engine.begin() as connection:
        db.run(connection, "cohort/note_clock", simulated_now=now, noted_at=wall())


def of(engine: sa.Engine, policy: Policy) -> Past | None:
    """The past that the home of this warehouse plays; None where it lives in the present."""
    with engine.connect() as connection:
        row = db.run(connection, "cohort/clock").one_or_none()
    if row is None or row.noted_at - row.simulated_now <= BEHIND:
        return None
    return Past(row.simulated_now.astimezone(policy.brand.zone), row.as_of)


def clock(engine: sa.Engine, policy: Policy) -> Clock:
    """What time it is in the home: the wall's, or that of the past it plays, which stands still."""
    played = of(engine, policy)
    return SimulatedClock(played.now) if played else wall_clock


def refuse_today(engine: sa.Engine, policy: Policy) -> None:
    """Raises PlaysThePast where a run on today's clock would end the past that the home plays."""
    if played := of(engine, policy):
        raise played.refuse("a run on today's clock")


def check_step(engine: sa.Engine, policy: Policy, as_of: date) -> None:
    """Raises PlaysThePast for a day that a home which plays the past must not leap to."""
    played = of(engine, policy)
    if played and as_of - played.as_of > LONGEST_STEP:
        raise played.refuse(f"the day {as_of}")
