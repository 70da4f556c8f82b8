"""What the provider answered to a hand-over, written down."""

from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reengage import db, hours
from reengage.clock import Clock
from reengage.sending.providers.words import Answer, LogEntry
from reengage.sending.receipts import apply_receipts, insert_receipts


class Claimed(NamedTuple):
    """A message that this sender holds, its number, and where that may be."""

    contact_id: int
    message_id: str
    phone: str
    body: str
    not_after: datetime
    places: tuple[hours.Place, ...]
    step: str = ""


class Answers:
    """Writes down what a provider said of messages that were claimed."""

    def __init__(self, engine: Engine, provider: str, channel: str, clock: Clock) -> None:
        self.engine = engine
        self.provider = provider
        self.channel = channel
        self.clock = clock

    def record(
        self,
        bulk_id: str,
        claimed: list[Claimed],
        answers: list[Answer],
        refused_at: datetime | None = None,
    ) -> None:
        """Write the answers down; those that say the same, and most of a batch do, at once.
        refused_at: of those that were refused in a row with many others.
        """
        contacts = {one.message_id: one.contact_id for one in claimed}
        alike: defaultdict[Any, list[Answer]] = defaultdict(list)
        for a in answers:
            alike[a.outcome, a.raw_code, a.segments, a.price, a.currency, a.wait].append(a)
        # Receipts of the same messages are applied in another order: two that wait for each other
        # would fail.
        suppresses = any(a.suppress for a in answers)
        held = db.exclusive if suppresses else db.shared
        with self.engine.begin() as connection, held(connection, "receipts"):
            if not suppresses:
                # Not waited for the disk: an answer that a crash of the server takes is read again
                # in the provider's log.
                connection.execute(sa.text("SET LOCAL synchronous_commit TO off"))
            now = self.clock()
            for (outcome, code, segments, price, currency, wait), those in alike.items():
                db.run(
                    connection,
                    "outbox/record_answers",
                    bulk_id=bulk_id,
                    now=now,
                    outcome=outcome.value,
                    code=code,
                    not_before=now + wait if wait else None,
                    refused_at=refused_at,
                    segments=segments,
                    price=price,
                    currency=currency,
                    contact_ids=[contacts[a.message_id] for a in those],
                    message_ids=[a.message_id for a in those],
                    provider_message_ids=[a.provider_message_id for a in those],
                )
            self._suppress(connection, answers)

    def _suppress(self, connection: Connection, answers: list[Answer]) -> None:
        """Write to nobody again of whom the provider said at once that the number is bad for good,
        or has opted out with it.
        """
        now = self.clock()
        refused = [
            LogEntry(a.message_id, "rejected", a.raw_code, a.suppress, None, None, None, now)
            for a in answers
            if a.suppress
        ]
        if refused:
            insert_receipts(connection, self.provider, refused, now)
            apply_receipts(connection, self.channel, now)
