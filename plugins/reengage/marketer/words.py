"""What the page calls the words of the warehouse, kept in core.word, and how it colours them."""

from dataclasses import dataclass

import sqlalchemy as sa

from reengage import db

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
