"""What the page calls the words of the warehouse: those of core.word, and a few of its own."""

from dataclasses import dataclass

import sqlalchemy as sa

from reengage import db

# Words that the page alone uses; those of core.word it reads, as the views do.
ACTIONS: dict[str, str] = {"send": "Send", "hold": "Held back", "skip": "Skipped"}

STATUSES: dict[str, str] = {
    "active": "Active",
    "unsubscribed": "Said stop",  # who is only resting is told by core.word
    "erased": "Erased on request",
}

LOADS: dict[str, tuple[str, str]] = {
    "running": ("Not finished", "Still being read, or interrupted; the next load takes it over."),
    "loaded": ("Arrived", "Everything that could be read is in."),
    "stopped": ("Stopped", "Read, but not used: a check found too much wrong with it."),
}

ARMS: dict[str, str] = {"treatment": "May be texted", "control": "Control group"}

GATES: dict[str, str] = {
    "size": "How many",
    "unsubscribes": "Who leaves",
    "budget": "Budget",
    "approval": "Approval",
}

TONES: dict[str, str] = {  # of a kind of event of a contact's story
    "signal": "good",
    "open": "good",
    "answer": "good",
    "entry": "good",
    "message": "ours",
    "suppression": "bad",
    "gate": "bad",
    "outcome": "end",
}

# The lines of the waterfall below the reasons.
ENDS = ("due", "drafted", "sent", "delivered")


@dataclass(frozen=True)
class Word:
    """What a word of an enum means: a few words, and a sentence where there is one."""

    label: str
    sentence: str | None


Words = dict[str, dict[str, Word]]  # by enum (cohort.reason) and value


def read_words(connection: sa.Connection) -> Words:
    """What the words of the enums mean."""
    found: Words = {}
    for row in db.run(connection, "marketer/words"):
        found.setdefault(row.about, {})[row.word] = Word(row.label, row.sentence)
    return found
