"""How fast requests may begin: what a provider asks before each of them."""

import threading
import time
from typing import Protocol


class Pace(Protocol):
    """Lets requests begin, evenly spread, no faster than the provider allows."""

    def wait(self, turns: int, until: float) -> bool:
        """Wait for the next `turns` turns, one for each message of a request, and begin with the
        first. False, soon, where that comes after `until` (monotonic): then nothing may begin.
        """

    def hold(self, seconds: float) -> None:
        """Let nothing begin for a while: it was too fast, or the provider is away."""


class LocalPace:
    """The pace of one process alone; `rate` is in messages a second, None: no limit. For several
    threads. Where there is a warehouse, reengage.sending.rate keeps one for all processes.
    """

    def __init__(self, rate: float | None) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, turns: int, until: float) -> bool:
        """See Pace."""
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            if turn > until:
                return False
            self._next = turn + self._gap * turns
        time.sleep(turn - now)
        return True

    def hold(self, seconds: float) -> None:
        """See Pace."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
