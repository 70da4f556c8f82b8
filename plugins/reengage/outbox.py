"""Messages on their way: drafted with the day's decisions, released by its gates, handed to the
provider at most once, and followed until it is known what became of them.

The hand-over is a claim in the database, committed before the provider is called, with our own ids
as the provider's references. Whatever is killed, whenever: a claimed message is never sent again
unless the provider's own log proves that it was not sent.
"""

import logging
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reengage import db, messages
from reengage.clock import Clock, wall_clock
from reengage.errors import ProviderError
from reengage.policy import Policy
from reengage.progress import progress
from reengage.providers.base import Answer, LogEntry, Outcome, Outgoing, Provider
from reengage.settings import secret

log = logging.getLogger(__name__)

RENDER_BATCH = 5_000
BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
POLL_HOURS = 48


# --- drafting: inside the transaction of the day ----------------------------------------------------


@dataclass
class Drafted:
    """What drafting came to: texts made, and contacts whose text could not be made, with why."""

    texts: int = 0
    failed: dict[int, str] = field(default_factory=dict)


def draft(
    connection: Connection, policy: Policy, as_of: date, now: datetime, link_base: str
) -> Drafted:
    """Render a text for every decision to send of as_of and write it as a draft, with its link and
    coupon, in the caller's transaction. now: aware; the first moment at which one could be sent.
    """
    templates = messages.Templates(policy)
    result = Drafted()
    db.run(connection, "outbox/stage_drafts")
    rows = db.run(connection, "outbox/to_draft", as_of=as_of).all()
    for start in range(0, len(rows), RENDER_BATCH):
        batch = rows[start : start + RENDER_BATCH]
        texts = _texts(batch, policy, templates, now, link_base, result)
        db.copy(connection, "drafted", DRAFTED, texts)
    db.run(
        connection, "outbox/insert_drafts",
        as_of=as_of, channel=policy.consent.channel, at=now,
        link_expires_at=now + timedelta(days=policy.links.valid_days),
    )  # fmt: skip
    db.analyze(connection, "outbox.message")
    return result


DRAFTED = (
    "contact_id", "message_id", "dormant_since", "step", "phone_hash", "body", "encoding",
    "segments", "not_before", "not_after", "link_code", "coupon_code", "coupon_kind",
    "coupon_value", "coupon_expires_at",
)  # fmt: skip


def _texts(
    rows: Sequence[sa.Row[Any]],
    policy: Policy,
    templates: messages.Templates,
    now: datetime,
    link_base: str,
    result: Drafted,
) -> Iterator[tuple[Any, ...]]:
    for row in progress(rows, "texts", "messages", total=len(rows)):
        step = policy.step(row.step)
        code = messages.new_code()
        coupon = messages.Coupon.issue(step.coupon, policy, now) if step.coupon else None
        try:
            text = templates.render(step, row._mapping, f"{link_base}/{code}", coupon, now)
            zones = messages.zones_of(
                row.phone_e164, row.time_zone, row.country, policy.brand.time_zone
            )
            window = messages.allowed_window(now, zones, policy.hours)
        except messages.TextError as error:
            result.failed[row.contact_id] = str(error)
            continue
        result.texts += 1
        offer = (coupon.code, coupon.kind, coupon.value, coupon.expires_at) if coupon else None
        yield (
            row.contact_id,
            messages.message_id(
                row.contact_id, row.dormant_since, row.step, policy.consent.channel
            ),
            row.dormant_since,
            row.step,
            row.phone_hash,
            *text,
            *window,
            code,
            *(offer or (None,) * 4),
        )


def release(engine: Engine, as_of: date, step: str, now: datetime) -> int:
    """Let a step's drafts of a day go; how many. Twice: 0."""
    with engine.begin() as connection:
        return db.run(connection, "outbox/release", as_of=as_of, step=step, at=now).rowcount


def statuses(engine: Engine, as_of: date) -> dict[tuple[str, str], int]:
    """Messages of a day, by (step, status)."""
    with engine.connect() as connection:
        rows = db.run(connection, "outbox/count_statuses", as_of=as_of)
        return {(r.step, r.status): r.messages for r in rows}


# --- sending -----------------------------------------------------------------------------------------


@dataclass
class Sent:
    """What a run of the sender came to, in messages. in_doubt: not yet provable either way."""

    accepted: int = 0
    rejected: int = 0
    cancelled: int = 0
    deferred: int = 0
    in_doubt: int = 0

    def summary(self) -> str:
        """One line for a person."""
        return ", ".join(f"{value:,} {name}" for name, value in vars(self).items() if value) or (
            "nothing to send"
        )


class Sender:
    """Hands queued messages to a provider. Any number of senders may run at once.

    sender, senders: this one's number and how many there are; each keeps to its own contacts.
    wall: the real time, by which a provider's log settles, even where `clock` is simulated.
    """

    def __init__(
        self,
        engine: Engine,
        provider: Provider,
        policy: Policy,
        clock: Clock,
        sender: int = 0,
        senders: int = 1,
        wall: Clock = wall_clock,
    ) -> None:
        self.engine = engine
        self.provider = provider
        self.policy = policy
        self.clock = clock
        self.wall = wall
        self.share = {"sender": sender, "senders": senders}
        self.batch_size = min(policy.sending.batch_size, provider.max_batch)
        # The claim of this session: an advisory lock, which the database lets go of when the
        # session ends, however it ends. No clock has to be trusted to tell the dead from the slow.
        self.claim = secrets.randbits(62)

    def run(self) -> Sent:
        """Reconcile what an earlier run left in doubt, send what is due, and reconcile again.

        Raises ProviderError where the account cannot be used: nothing is lost, a rerun goes on.
        """
        result = Sent()
        with self.engine.connect() as keeper:
            keeper = keeper.execution_options(isolation_level="AUTOCOMMIT")
            keeper.execute(sa.text("SELECT pg_advisory_lock(:claim)"), {"claim": self.claim})
            try:
                self._settle(result)
                self._send(result)
                self._settle(result)
                # What the log proved unsent is queued again: one more round, then leave it to the
                # next run.
                self._send(result)
            finally:
                keeper.execute(sa.text("SELECT pg_advisory_unlock(:claim)"), {"claim": self.claim})
        with self.engine.connect() as connection:
            result.in_doubt = db.run(connection, "outbox/pending").one().in_doubt
        return result

    def _send(self, result: Sent) -> None:
        failures = 0
        batches = self._batches(result)
        for answers in progress(batches, "sending", "batches"):
            outcomes = Counter(answer.outcome for answer in answers)
            result.accepted += outcomes[Outcome.ACCEPTED]
            result.rejected += outcomes[Outcome.REJECTED]
            if outcomes[Outcome.RETRY] < len(answers):
                failures = 0
                continue
            if failures >= len(BACK_OFF_SECONDS):
                log.warning("%s takes nothing just now; the next run goes on", self.provider.name)
                return
            time.sleep(BACK_OFF_SECONDS[failures])
            failures += 1

    def _batches(self, result: Sent) -> Iterator[list[Answer]]:
        """Claim, call, record; until nothing is due."""
        while claimed := self._claim(result):
            bulk_id, rows = claimed
            rows = self._defer(bulk_id, rows, result)
            if rows:
                yield self._hand_over(bulk_id, rows)

    def _claim(self, result: Sent) -> tuple[str, list[sa.Row[Any]]] | None:
        bulk_id, now = uuid.uuid4().hex, self.clock()
        with self.engine.begin() as connection:
            rows = db.run(
                connection,
                "outbox/claim",
                now=now,
                wall=self.wall(),
                today=now.astimezone(self.policy.brand.zone).date(),
                max_age_days=self.policy.sending.max_age_days,
                provider=self.provider.name,
                bulk_id=bulk_id,
                claimed_by=self.claim,
                batch_size=self.batch_size,
                purpose=self.policy.consent.purpose,
                **self.share,
            ).all()
        result.cancelled += sum(row.obstacle is not None for row in rows)
        return (bulk_id, [row for row in rows if row.obstacle is None]) if rows else None

    def _defer(self, bulk_id: str, rows: list[sa.Row[Any]], result: Sent) -> list[sa.Row[Any]]:
        """Give back whom the clock has carried into their quiet hours."""
        now, hours = self.clock(), self.policy.hours
        zones = {
            row.message_id: messages.zones_of(
                row.phone_e164, row.time_zone, row.country, self.policy.brand.time_zone
            )
            for row in rows
        }
        quiet = [r for r in rows if not messages.allowed_at(now, zones[r.message_id], hours)]
        if not quiet:
            return rows
        with self.engine.begin() as connection:
            db.run(
                connection,
                "outbox/defer",
                bulk_id=bulk_id,
                contact_ids=[row.contact_id for row in quiet],
                message_ids=[row.message_id for row in quiet],
                not_befores=[
                    messages.allowed_window(now, zones[row.message_id], hours)[0] for row in quiet
                ],
                now=now,
            )
        result.deferred += len(quiet)
        held = {row.message_id for row in quiet}
        return [row for row in rows if row.message_id not in held]

    def _hand_over(self, bulk_id: str, rows: list[sa.Row[Any]]) -> list[Answer]:
        """Call the provider, with no transaction open, and write down what it said."""
        contacts = {str(row.message_id): row.contact_id for row in rows}
        outgoing = [Outgoing(str(row.message_id), row.phone_e164, row.body) for row in rows]
        try:
            answers = self.provider.send(
                bulk_id, outgoing, self.policy.brand.sender,
                valid_until=min(row.not_after for row in rows), now=self.clock(),
            )  # fmt: skip
        except ProviderError:
            # The account was refused, so nothing was sent: back into the queue, and stop.
            refused = [Answer(o.message_id, Outcome.RETRY, raw_code="account") for o in outgoing]
            self._record(bulk_id, contacts, refused, max_attempts=2**31 - 1)
            raise
        self._record(bulk_id, contacts, answers, self.policy.sending.max_attempts)
        return answers

    def _record(
        self, bulk_id: str, contacts: dict[str, int], answers: list[Answer], max_attempts: int
    ) -> None:
        with self.engine.begin() as connection:
            db.run(
                connection,
                "outbox/record_answers",
                bulk_id=bulk_id,
                now=self.clock(),
                max_attempts=max_attempts,
                contact_ids=[contacts[a.message_id] for a in answers],
                message_ids=[uuid.UUID(a.message_id) for a in answers],
                outcomes=[a.outcome.value for a in answers],
                provider_message_ids=[a.provider_message_id for a in answers],
                codes=[a.raw_code for a in answers],
                segments=[a.segments for a in answers],
                prices=[a.price for a in answers],
                currencies=[a.currency for a in answers],
            )

    # --- what is in doubt --------------------------------------------------------------------------

    def _settle(self, result: Sent) -> None:
        """Settle every bulk in doubt whose claimer is gone, waiting for the provider's log to
        settle where it has to be.
        """
        sending = self.policy.sending
        with self.engine.connect() as connection:
            bulks = db.run(connection, "outbox/in_doubt", provider=self.provider.name).all()
        for bulk in bulks:
            if not self._is_abandoned(bulk.claimed_by):
                continue
            settled_at = bulk.claimed_at + timedelta(
                seconds=sending.timeout_seconds + sending.settle_seconds
            )
            if self._reconcile(bulk, settled_at, result):
                wait = (settled_at - self.wall()).total_seconds()
                if wait > 0:
                    log.info(
                        "%s messages of an interrupted run may be out: waiting %.0f s until the "
                        "provider's log can prove it", f"{bulk.messages:,}", wait,
                    )  # fmt: skip
                    time.sleep(wait)
                self._reconcile(bulk, settled_at, result)

    def _is_abandoned(self, claim: int | None) -> bool:
        """Whether nobody holds the claim: its session has ended (or it is this very one)."""
        if claim is None or claim == self.claim:
            return True
        with self.engine.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            bind = {"claim": claim}
            free = connection.execute(sa.text("SELECT pg_try_advisory_lock(:claim)"), bind).scalar()
            if free:
                connection.execute(sa.text("SELECT pg_advisory_unlock(:claim)"), bind)
        return bool(free)

    def _reconcile(self, bulk: sa.Row[Any], settled_at: datetime, result: Sent) -> bool:
        """Ask the provider's log about a bulk; True while messages of it are still in doubt."""
        asked_at = self.wall()
        try:
            found = {entry.message_id for entry in self.provider.log(bulk.bulk_id)}
        except ProviderError as error:
            log.warning("%s messages stay in doubt: %s", f"{bulk.messages:,}", error)
            return False
        kept = timedelta(hours=self.provider.log_hours)
        with self.engine.begin() as connection:
            changed = db.run(
                connection,
                "outbox/reconcile",
                bulk_id=bulk.bulk_id,
                found_ids=[uuid.UUID(f) for f in found if _is_uuid(f)],
                is_settled=asked_at >= settled_at,
                is_provable=asked_at < bulk.claimed_at + kept,
                max_attempts=self.policy.sending.max_attempts,
                now=self.clock(),
            ).rowcount
        result.accepted += min(changed, len(found))
        return changed < bulk.messages


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


# --- what comes back -------------------------------------------------------------------------------


def poll(engine: Engine, provider: Provider, policy: Policy, clock: Clock) -> Counter[str]:
    """Ask the provider what became of accepted messages and what people replied; apply it.

    Returns counts by status, and of `stop` and `unclear` replies. Twice: what is known is not
    counted or applied again. Raises ProviderUnavailable where the provider cannot be asked.
    """
    now, found = clock(), Counter[str]()
    with engine.connect() as connection:
        bulks = db.run(
            connection, "outbox/to_poll",
            provider=provider.name, since=now - timedelta(hours=POLL_HOURS),
        ).scalars().all()  # fmt: skip
    for bulk_id in progress(bulks, "receipts", "bulks", total=len(bulks)):
        entries = [entry for entry in provider.log(bulk_id) if entry.status != "accepted"]
        found.update(entry.status for entry in entries)
        _keep_receipts(engine, provider.name, entries, now)
    with engine.begin() as connection, db.exclusive(connection, "receipts"):
        db.run(connection, "outbox/apply_receipts", at=now, channel=policy.consent.channel)
    key = secret("phones")
    for reply in provider.replies():
        meaning = messages.meaning(reply.text)
        try:
            phone_hash = messages.phone_hash(reply.sender, key)
        except ValueError:  # a short code or a name: nobody whom we text
            log.warning("a reply came from something that is no phone number; it is left out")
            continue
        found[meaning or "unclear"] += 1
        with engine.begin() as connection:
            db.run(
                connection,
                "outbox/insert_reply",
                provider=provider.name,
                provider_reply_id=reply.reply_id,
                phone_hash=phone_hash,
                text=db.redact(reply.text),
                meaning=meaning or "unclear",
                received_at=reply.received_at,
            )
            if meaning == "stop":
                db.run(
                    connection, "core/opt_out_phone", phone_hash=phone_hash,
                    channel=policy.consent.channel, source="reply", at=reply.received_at,
                )  # fmt: skip
    return found


def _keep_receipts(
    engine: Engine, provider: str, entries: Sequence[LogEntry], now: datetime
) -> None:
    with engine.begin() as connection:
        db.run(
            connection,
            "outbox/insert_receipts",
            provider=provider,
            at=now,
            message_ids=[e.message_id for e in entries],
            statuses=[e.status for e in entries],
            codes=[e.raw_code for e in entries],
            permanents=[e.is_permanent for e in entries],
            segments=[e.segments for e in entries],
            prices=[e.price for e in entries],
            currencies=[e.currency for e in entries],
            occurred=[e.occurred_at for e in entries],
        )
