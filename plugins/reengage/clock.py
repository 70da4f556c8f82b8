"""What time it is, as a value that is handed in: the wall's, or a simulation's."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

# A clock tells the time as an aware datetime.
Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """The real time, in UTC."""
    return datetime.now(UTC)


class SimulatedClock:
    """A clock that stands still until it is moved, and only moves forward."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def move_to(self, now: datetime) -> None:
        """Move forward; an earlier time leaves the clock where it is."""
        self._now = max(self._now, now)


class RunningClock:
    """A simulated clock that goes on by itself from `now`, and stands still at `until`."""

    def __init__(
        self, now: datetime, until: datetime, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._now, self._until, self._seconds = now, max(now, until), seconds
        self._began = seconds()

    def __call__(self) -> datetime:
        passed = timedelta(seconds=self._seconds() - self._began)
        return min(self._now + passed, self._until)


def day_text(day: date) -> str:
    """A day as people write it: 7 Feb 2026."""
    return f"{day.day} {day:%b %Y}"
