"""The pace that all senders of a warehouse keep together, on however many machines.

A pace is a row of outbox.pace: when the next request of an account, or of a number, may begin.
Turns are booked a few at a time, so that the database is asked a few times a second and a sender
that is killed wastes little.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from reengage import db

log = logging.getLogger(__name__)

# What is booked in one go is used up within this time.
CHUNK_SECONDS = 0.25
# What comes later than this is not booked yet.
AHEAD_SECONDS = 0.5
# A turn that nobody has taken by then is lost: several late ones at once would be a burst.
LATE_SECONDS = 0.05


@dataclass(frozen=True)
class Booking:
    """Turns as the database gave them. first_at: by its clock; wait_seconds: until then."""

    first_at: datetime
    wait_seconds: float
    is_booked: bool


class SharedPace:
    """The pace of one provider's account and sender, in the warehouse. For several threads.

    limits: messages a second by key (None: no limit), as Provider.limits gives them; each holds for
    everybody who names the key. What is in one request begins at once, whatever its turns.
    """

    def __init__(self, engine: Engine, limits: Mapping[str, float | None]) -> None:
        self._engine = engine
        self._keys = list(limits)
        self._gaps = [_gap_seconds(rate) for rate in limits.values()]
        self._gap = max(self._gaps)
        self._chunk = max(1, int(CHUNK_SECONDS / self._gap)) if self._gap else 1
        self._turns: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self, turns: int, until: float) -> bool:
        """See Pace. A turn that cannot be booked, since the database is away, is none."""
        try:
            with self._lock:
                turn = self._next(turns, until)
        except SQLAlchemyError as error:
            # Its text alone: it says where, not with what.
            log.warning("no turn could be booked: %s", type(error).__name__)
            return False
        if turn is None:
            return False
        time.sleep(max(0.0, turn - time.monotonic()))
        return True

    def hold(self, seconds: float) -> None:
        """See Pace: nobody's next turn comes before that."""
        # Another one: whoever is taking from the old one meets no empty one.
        self._turns = deque()
        try:
            self._run("outbox/pace_hold", seconds=seconds)
        except SQLAlchemyError as error:
            log.warning("the others could not be held back: %s", type(error).__name__)

    def _next(self, turns: int, until: float) -> float | None:
        """When the next turns come, by the monotonic clock; None: not by `until`."""
        while turns == 1 and (ahead := self._turns):
            turn = ahead.popleft()
            if turn >= time.monotonic() - LATE_SECONDS:
                return turn if turn <= until else None
        while True:
            within = min(max(until - time.monotonic(), 0.0), AHEAD_SECONDS)
            chunk = self._chunk if turns == 1 else turns
            booking = self._book(chunk, within)
            # Asked after the answer came: a turn begins late by the way back, and never early.
            now = time.monotonic()
            if booking.is_booked:
                first = now + booking.wait_seconds
                if turns == 1:
                    self._turns.extend(first + number * self._gap for number in range(1, chunk))
                return first if first <= until else None
            if now + booking.wait_seconds > until:
                return None
            time.sleep(booking.wait_seconds - within)

    def _book(self, turns: int, within_seconds: float) -> Booking:
        binds = {"gap_seconds": self._gaps, "turns": turns, "within_seconds": within_seconds}
        rows = self._run("outbox/pace_book", **binds)
        if not rows:  # the first of all senders, or the server has crashed
            self._run("outbox/pace_open")
            rows = self._run("outbox/pace_book", **binds)
        return Booking(**rows[0]._mapping)

    def _run(self, name: str, **binds: object) -> Sequence[sa.Row[Any]]:
        # Each statement is a transaction of its own: no row stays locked.
        with self._engine.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            result = db.run(connection, name, keys=self._keys, **binds)
            return result.all() if result.returns_rows else ()


def _gap_seconds(rate: float | None) -> float:
    """From one turn to the next, in whole microseconds, as the database counts: rounded up, or a
    second would hold one turn too many.
    """
    return math.ceil(1_000_000 / rate) / 1_000_000 if rate else 0.0
