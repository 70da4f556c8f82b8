"""Messages that were refused with a code on no list: is it of them, or of everybody?"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from reengage.errors import ProviderError
from reengage.sending.answers import Answers, Claimed
from reengage.sending.providers.words import Answer, Outcome
from reengage.sending.sent import Sent


class AllRefused(ProviderError):
    """Many different numbers in a row were refused with one code that is on no list: whether it is
    of the messages or of everybody, the next run finds out.
    """


class Suspects:
    """Whom the provider refused with a code on no list, and who are not written down yet: of each
    the bulk, the message and the answer. Still claimed, so that a kill leaves them to the
    provider's log.
    """

    def __init__(self, provider: str, answers: Answers) -> None:
        self.provider = provider
        self.answers = answers
        self._all: list[tuple[str, Claimed, Answer]] = []
        self._changing = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, bulk_id: str, claimed: Iterable[Claimed], answers: Iterable[Answer]) -> None:
        """Hold those of a bulk whose answer has a code on no list."""
        by_id = {one.message_id: one for one in claimed}
        with self._changing:
            self._all += [(bulk_id, by_id[a.message_id], a) for a in answers if a.is_unlisted]

    def clear(self, code: str | None = None) -> Sent:
        """Write down as rejected whom nothing speaks for any more: those that were refused with
        another code than the streak's, or before a message was taken. None: all of them.
        """
        with self._changing:
            cleared = [one for one in self._all if not code or one[2].raw_code != code]
            self._all = [one for one in self._all if one not in cleared]
        self._write_down(cleared)
        return Sent(
            rejected=len(cleared), unlisted=Counter(answer.raw_code for _, _, answer in cleared)
        )

    def all_refused(self, code: str, now: datetime) -> AllRefused:
        """Queue again whoever was refused with the code in a row, behind the others; the error that
        ends the run.
        """
        self.clear(code)
        with self._changing:
            again, self._all = self._all, []
        self._write_down(
            [(bulk, one, replace(answer, outcome=Outcome.RETRY)) for bulk, one, answer in again],
            refused_at=now,
        )
        return AllRefused(
            f"{self.provider} refuses one number after another with {code}, a code that is on "
            "no list: the account, the sender or the text may be at fault. They are queued again, "
            "and nobody is suppressed. Look the code up, and mend what it says; the next run "
            "begins with one message from elsewhere in the queue."
        )

    def _write_down(
        self, those: list[tuple[str, Claimed, Answer]], refused_at: datetime | None = None
    ) -> None:
        bulks = defaultdict[str, list[tuple[Claimed, Answer]]](list)
        for bulk_id, one, answer in those:
            bulks[bulk_id].append((one, answer))
        for bulk_id, pairs in bulks.items():
            rows, answers = ([pair[0] for pair in pairs], [pair[1] for pair in pairs])
            self.answers.record(bulk_id, rows, answers, refused_at)
