"""What a run of the sender came to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from reengage.sending.providers.words import Answer, Outcome

# So many codes that are on no list are named in one line.
CODES_TOLD = 10


@dataclass
class Sent:
    """What a run of the sender came to, in messages. deferred: refused just now, or in their quiet
    hours; requeued: proved unsent, and queued again; in_doubt: not (or never) provable either way.
    unlisted: of those rejected, by code, the ones whose code is on no list.
    """

    accepted: int = 0
    rejected: int = 0
    cancelled: int = 0
    deferred: int = 0
    requeued: int = 0
    in_doubt: int = 0
    unlisted: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Sent") -> None:
        """Count another's messages, too."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def count(self, answers: Sequence[Answer]) -> None:
        """Count what answers say; of codes on no list, once they are written down."""
        for answer in answers:
            self.accepted += answer.outcome is Outcome.ACCEPTED
            self.rejected += answer.outcome is Outcome.REJECTED and not answer.is_unlisted
            self.deferred += answer.wait is not None

    def counts(self) -> dict[str, int]:
        """What it came to, as numbers alone."""
        return {**vars(self), "unlisted": self.unlisted.total()}

    def summary(self) -> str:
        """One line for a person."""
        said = [
            f"{value:,} {name.replace('_', ' ')}"
            for name, value in self.counts().items()
            if value and name != "unlisted"
        ]
        if self.unlisted:
            said.append(f"{self.unlisted.total():,} of the rejected {with_codes(self.unlisted)}")
        return ", ".join(said) or "nothing to send"


def with_codes(unlisted: Counter[str]) -> str:
    """How many failures there are of each code, and what that means."""
    codes = ", ".join(f"{code}: {count:,}" for code, count in unlisted.most_common(CODES_TOLD))
    return f"with codes that are on no list, so that nobody is suppressed for them ({codes})"
