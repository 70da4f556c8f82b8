"""Whether a refusal is of one message or of everybody, where the provider's code does not say."""

import threading
from collections.abc import Iterable

# So many different numbers refused with one code, and none taken between them: it is of everybody.
LONGEST = 20


class Streak:
    """The numbers that were refused, or put off, with one code since a message was last taken. For
    several threads.

    excused: codes that are known not to be of everybody.
    """

    def __init__(self, excused: Iterable[str] = ()) -> None:
        self.code = ""
        self._numbers: set[str] = set()
        self._excused = frozenset(excused)
        self._lock = threading.Lock()

    def taken(self) -> None:
        """A message was taken: so it is not of everybody."""
        with self._lock:
            if not self.is_over:
                self.code, self._numbers = "", set()

    def refused(self, code: str, number: str) -> None:
        """A number was refused, or put off, with a code."""
        with self._lock:
            if self.is_over or code in self._excused:
                return
            if code != self.code:
                self.code, self._numbers = code, set()
            self._numbers.add(number)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return len(self._numbers) >= LONGEST
