"""What comes back: replies and receipts that the provider is asked for, or calls in."""

import hashlib
import hmac
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.clock import Clock, wall_clock
from reengage.phones import keys, numbers
from reengage.policy import Policy
from reengage.sending import replies
from reengage.sending.opt_out import apply_replies
from reengage.sending.providers.base import Provider
from reengage.sending.providers.words import Reply, Told, Webhook
from reengage.sending.receipts import apply_receipts, insert_receipts, take_receipts
from reengage.settings import web_key

log = logging.getLogger(__name__)

WEBHOOKS_AT_ONCE = 500
POLLED = "poll"  # the address of what nobody has called in
# No reply is told that late: a time before it is none.
OLDEST_REPLY = timedelta(days=60)


def poll(engine: Engine, provider: Provider, policy: Policy, clock: Clock) -> Counter[str]:
    """Ask the provider what people replied and what became of accepted messages; apply it.

    Returns counts of what is new: by status, and of `stop`, `start` and `unclear` replies, and of
    what is `unread`. Twice: what is known is not counted or applied again. Raises ProviderError
    where the provider cannot be asked about one of the two; the other is taken all the same.
    """
    found = Counter[str]()
    try:
        found += take_replies(engine, provider, policy, clock)
    finally:
        take_receipts(engine, provider, policy.consent.channel, clock(), found)
    return found


def take_replies(
    engine: Engine, provider: Provider, policy: Policy, clock: Clock = wall_clock
) -> Counter[str]:
    """Ask the provider what people replied, map what it has called in, and let the stops take
    effect: before each sending, so that a stop of this morning is heard this morning.

    Returns counts of what is new: `stop`, `start` and `unclear` replies, what is `unread`, and the
    statuses of receipts that were called in. Twice: what is known is neither counted nor applied
    again. Raises ProviderError where the provider cannot be asked.
    """
    found = Counter[str]()
    try:
        found += map_webhooks(engine, provider, policy, clock, is_retrying=True)
        seen = set[str]()
        # A reply may be told only once, so a page is kept before the next one is asked for.
        for told in provider.reply_pages(policy.brand.sender):
            ids = {reply.reply_id for reply in told.replies}
            new = _keep_page(engine, provider, policy, told, clock(), found)
            if not new and not (provider.tells_once and ids - seen):
                break
            seen |= ids
    finally:
        # Also those that were kept by a run that was killed.
        apply_replies(engine, policy, clock)
    return found


def map_webhooks(
    engine: Engine, provider: Provider, policy: Policy, clock: Clock, *, is_retrying: bool = False
) -> Counter[str]:
    """Map what the provider has called in (outbox.webhook) and let it take effect; counts of what
    is new, as poll gives them. The body of what is mapped is forgotten: it holds numbers.

    is_retrying: also what could not be mapped before. Any number may map at once, and be killed
    anywhere: a webhook is mapped with its transaction, and what it tells is known by its own id.
    """
    found = Counter[str]()
    for has_failed in (False, True) if is_retrying else (False,):
        after: int | None = 0
        while after is not None:
            after = _map_batch(engine, provider, policy, clock, has_failed, after, found)
    if found["stop"] or found["start"]:  # which are looked for among all that were ever kept
        apply_replies(engine, policy, clock)
    if found:
        with engine.begin() as connection:
            apply_receipts(connection, policy.consent.channel, clock())
    return found


def webhook_digest(key: bytes, url: str, body: bytes) -> str:
    """By what a webhook is known that comes again; keyed, as it holds numbers."""
    return hmac.new(key, url.encode() + b"\0" + body, hashlib.sha256).hexdigest()


def _map_batch(
    engine: Engine,
    provider: Provider,
    policy: Policy,
    clock: Clock,
    has_failed: bool,
    after: int,
    found: Counter[str],
) -> int | None:
    """Map the next webhooks of what is new, or of what has failed before; the last one's id, None
    where there was none.
    """
    with engine.begin() as connection, db.exclusive(connection, "webhooks"):
        rows = db.run(
            connection,
            "outbox/webhooks_to_map",
            provider=provider.name,
            has_failed=has_failed,
            after_id=after,
            row_limit=WEBHOOKS_AT_ONCE,
        ).all()
        if rows:
            keys.known(connection)  # of another key none could be mapped: they wait
        for row in rows:
            error = None
            try:
                with connection.begin_nested():
                    # Whoever maps it may hold another connection than the service that knew it.
                    webhook = Webhook(row.url, {}, bytes(row.body), is_known=True)
                    told = provider.hear(webhook, row.received_at)
                    new = Counter[str]()
                    insert_told(connection, provider.name, policy, told, row.received_at, new)
                found += new
                error = f"{len(told.unread)} unread" if told.unread else None
            except Exception as failure:
                # Of any kind: one webhook must not keep the stops behind it from being heard. Its
                # name alone: the text may quote the body.
                error = type(failure).__name__
            if error:
                log.error(
                    "webhook %s of %s cannot be mapped, or not all of it (%s): it is kept, and "
                    "tried again by the next run of reengage_replies",
                    row.webhook_id,
                    provider.name,
                    error,
                )
            db.run(
                connection,
                "outbox/webhook_mapped",
                webhook_id=row.webhook_id,
                at=None if error else clock(),
                error=error,
            )
    return rows[-1].webhook_id if rows else None


def _keep_page(
    engine: Engine,
    provider: Provider,
    policy: Policy,
    told: Told,
    now: datetime,
    found: Counter[str],
) -> int:
    """Keep a page of replies, all in one transaction and before anything is done about them; how
    many are new. What cannot be read is kept as it came, beside the webhooks that cannot: it is
    told, and tried again by each run until a newer version can read it.
    """
    key = web_key("webhooks")
    with engine.begin() as connection:
        new = insert_told(connection, provider.name, policy, told, now, found)
        for body in told.unread:
            webhook_id = db.run(
                connection,
                "outbox/insert_webhook",
                provider=provider.name,
                digest=webhook_digest(key, POLLED, body),
                url=POLLED,
                body=body,
                at=now,
            ).scalar()
            if webhook_id is None:
                continue
            db.run(
                connection,
                "outbox/webhook_mapped",
                webhook_id=webhook_id,
                at=None,
                error="1 unread",
            )
            log.error(
                "a reply that %s told cannot be read: it is kept (outbox.webhook %s), and tried "
                "again by the next run of reengage_replies",
                provider.name,
                webhook_id,
            )
            found["unread"] += 1
            new += 1
    return new


def insert_told(
    connection: Connection,
    provider: str,
    policy: Policy,
    told: Told,
    now: datetime,
    found: Counter[str],
) -> int:
    """Keep what was told at `now`; how many replies are new."""
    new = insert_replies(connection, provider, policy, told.replies, now, found)
    found.update(insert_receipts(connection, provider, told.receipts, now))
    known = keys.known(connection) if told.verdicts else ()
    for verdict in told.verdicts:
        number = numbers.number_of(verdict.number, policy.brand.country)
        if number is None:
            log.warning("%s told of something that is no phone number; it is left out", provider)
            continue
        found[verdict.suppress] += db.run(
            connection,
            "core/suppress_number",
            phone_hashes=list(numbers.hashes(number, known)),
            new_hashes=list(numbers.hashes(number, known[:1])),
            channel=policy.consent.channel,
            reason=verdict.suppress,
            source="provider",
            at=verdict.at,
        ).rowcount
    return new


def insert_replies(
    connection: Connection,
    provider: str,
    policy: Policy,
    told: Sequence[Reply],
    now: datetime,
    found: Counter[str],
) -> int:
    known, new = keys.known(connection) if told else (), 0
    for reply in told:
        meaning = replies.meaning(reply.text, *reply.beside)
        if reply.flag == "stop" or (reply.flag and meaning != "stop"):
            meaning = reply.flag
        # A clock that is ahead of ours would put a stop off; one that stands still forgets it.
        at = min(reply.received_at or now, now)
        at = now if at < now - OLDEST_REPLY else at
        kept = db.run(
            connection,
            "outbox/insert_reply",
            provider=provider,
            provider_reply_id=reply.reply_id,
            phone_hashes=list(numbers.sender_hashes(reply.sender, policy.brand.country, known)),
            text=db.redact(reply.text.replace("\0", "").encode(errors="replace").decode()),
            meaning=meaning,
            received_at=at,
            reviewed_at=None if meaning == "unclear" else at,
        ).rowcount
        if kept:
            new += 1
            found[meaning] += 1
    return new
