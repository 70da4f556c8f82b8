"""What became of messages, as the provider's log and receipts say."""

import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.progress import progress
from reengage.sending.providers.base import Provider
from reengage.sending.providers.words import Handed, LogEntry, Misread
from reengage.sending.sent import with_codes

log = logging.getLogger(__name__)

POLL_HOURS = 48


def read_log(engine: Engine, provider: Provider, bulk_id: str) -> list[LogEntry]:
    """What the provider's log holds of a bulk; it is told what may have been handed over, to look
    for that. By another's ids, only what has its number still is looked for.
    """
    with engine.connect() as connection:
        rows = db.run(connection, "outbox/handed", bulk_id=bulk_id).all()
    handed = [
        Handed(str(r.message_id), r.phone_e164 or "", r.body or "", r.provider_message_id, r.at)
        for r in rows
        if provider.knows_our_ids or (r.phone_e164 and r.body)
    ]
    return provider.log(bulk_id, handed)


def is_uuid(text: str) -> bool:
    """Whether an id may be one of ours."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def take_receipts(
    engine: Engine, provider: Provider, channel: str, now: datetime, found: Counter[str]
) -> None:
    since = now - timedelta(hours=POLL_HOURS)
    with engine.connect() as connection:
        bulks = set(
            db.run(connection, "outbox/to_poll", provider=provider.name, since=since).scalars()
        )
        if provider.prices_late:
            unpriced = db.run(connection, "outbox/unpriced", provider=provider.name, since=since)
            bulks.update(unpriced.scalars())
    misread: Misread | None = None
    try:
        for bulk_id in progress(sorted(bulks), "receipts", "bulks", total=len(bulks)):
            try:
                entries = read_log(engine, provider, bulk_id)
            except Misread as error:
                # One entry takes no other with it, nor another bulk's.
                entries, misread = error.entries, error
            done = [entry for entry in entries if entry.status != "accepted"]
            found.update(keep_receipts(engine, provider.name, done, now))
            if provider.prices_late:
                _record_prices(engine, entries)
    finally:
        with engine.begin() as connection:
            apply_receipts(connection, channel, now)
    if misread:
        raise misread


def apply_receipts(connection: Connection, channel: str, at: datetime) -> None:
    """Map the receipts that are new onto their messages, in the caller's transaction. Whoever has
    opted out with the provider is opted out here, as by a reply. Twice: nothing is new.
    """
    with db.exclusive(connection, "receipts"):
        for stop in db.run(connection, "outbox/apply_receipts", at=at, channel=channel).all():
            db.run(
                connection,
                "core/opt_out_phone",
                phone_hash=stop.phone_hash,
                channel=channel,
                source="receipt",
                at=stop.since,
            )


def keep_receipts(
    engine: Engine, provider: str, entries: Sequence[LogEntry], now: datetime
) -> Counter[str]:
    """Keep receipts; those that are new, by status, and how many have an `unlisted` code."""
    with engine.begin() as connection:
        return insert_receipts(connection, provider, entries, now)


def insert_receipts(
    connection: Connection, provider: str, entries: Sequence[LogEntry], now: datetime
) -> Counter[str]:
    new = db.run(
        connection,
        "outbox/insert_receipts",
        provider=provider,
        at=now,
        message_ids=[e.message_id for e in entries],
        statuses=[e.status for e in entries],
        codes=[e.raw_code for e in entries],
        suppresses=[e.suppress for e in entries],
        segments=[e.segments for e in entries],
        prices=[e.price for e in entries],
        currencies=[e.currency for e in entries],
        occurred=[e.occurred_at or now for e in entries],
        bulk_ids=[e.bulk_id for e in entries],
    ).all()
    codes = {e.raw_code for e in entries if e.is_unlisted}
    unlisted = Counter(row.raw_code for row in new if row.raw_code in codes)
    found = Counter(str(row.status) for row in new)
    if unlisted:
        log.warning(
            "%s tells of %s failures %s", provider, f"{unlisted.total():,}", with_codes(unlisted)
        )
        found["unlisted"] = unlisted.total()
    return found


def _record_prices(engine: Engine, entries: Sequence[LogEntry]) -> None:
    """Write down what messages cost of which it was not known."""
    priced = [e for e in entries if e.price is not None and is_uuid(e.message_id)]
    with engine.begin() as connection, db.shared(connection, "receipts"):
        db.run(
            connection,
            "outbox/record_prices",
            message_ids=[uuid.UUID(e.message_id) for e in priced],
            prices=[e.price for e in priced],
            currencies=[e.currency for e in priced],
            segments=[e.segments for e in priced],
        )
