"""Messages on their way: handed to the provider at most once, and followed until it is known what
became of them.

The hand-over is a claim in the database, committed before the provider is called, with our own ids
as the provider's references. Whatever is killed, whenever: a claimed message is never sent again
unless the provider's own log proves that it was not sent.
"""

import hashlib
import hmac
import logging
import secrets
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reengage import db, errors, hours
from reengage.clock import Clock, wall_clock
from reengage.errors import ProviderError
from reengage.journey import cohort
from reengage.phones import keys, numbers
from reengage.policy import Policy
from reengage.progress import progress
from reengage.sending import replies
from reengage.sending.opt_out import apply_replies
from reengage.sending.providers.base import Provider
from reengage.sending.providers.streak import LONGEST, Streak
from reengage.sending.providers.words import (
    HELD_BACK,
    AccountRefused,
    Answer,
    BulkRefused,
    Handed,
    LogEntry,
    Misread,
    Outcome,
    Outgoing,
    Reply,
    Told,
    Webhook,
)
from reengage.sending.rate import SharedPace
from reengage.settings import web_key

log = logging.getLogger(__name__)

# Batches of one sender that are under way at once.
LANES = 4
BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
POLL_HOURS = 48
# So many codes that are on no list are named in one line.
CODES_TOLD = 10
WEBHOOKS_AT_ONCE = 500
POLLED = "poll"  # the address of what nobody has called in
# No reply is told that late: a time before it is none.
OLDEST_REPLY = timedelta(days=60)
# An absence counts as proof only well within the time for which the provider keeps its log.
LOG_MARGIN = timedelta(hours=1)


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
            said.append(f"{self.unlisted.total():,} of the rejected {_with_codes(self.unlisted)}")
        return ", ".join(said) or "nothing to send"


def _with_codes(unlisted: Counter[str]) -> str:
    codes = ", ".join(f"{code}: {count:,}" for code, count in unlisted.most_common(CODES_TOLD))
    return f"with codes that are on no list, so that nobody is suppressed for them ({codes})"


class AllRefused(ProviderError):
    """Many different numbers in a row were refused with one code that is on no list: whether it is
    of the messages or of everybody, the next run finds out.
    """


class _Claimed(NamedTuple):
    """A message that this sender holds, its number, and where that may be."""

    contact_id: int
    message_id: str
    phone: str
    body: str
    not_after: datetime
    places: tuple[hours.Place, ...]
    step: str = ""


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
        provider.pace = SharedPace(engine, provider.limits(policy.brand.sender))
        # The claim of this session: an advisory lock, which the database lets go of when the
        # session ends, however it ends. No clock has to be trusted to tell the dead from the slow.
        self.claim = secrets.randbits(62)
        self._keeping = threading.Lock()
        self._found_unread = False
        self._has_refused = False
        # Refused with a code on no list, and not written down yet: of each the bulk, the message
        # and the answer. Still claimed, so that a kill leaves them to the provider's log.
        self._suspects: list[tuple[str, _Claimed, Answer]] = []
        self._suspecting = threading.Lock()

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
                if self._begin(keeper, result):
                    self._send(keeper, result)
                    if self._settle(result):
                        # Proved unsent, and queued again: one more round, then leave it to the
                        # next run.
                        self._send(keeper, result)
            finally:
                if not keeper.invalidated:
                    keeper.execute(
                        sa.text("SELECT pg_advisory_unlock(:claim)"), {"claim": self.claim}
                    )
        if self._found_unread:
            cohort.hold_unread(self.engine, self.policy)
        with self.engine.connect() as connection:
            result.in_doubt = db.run(connection, "outbox/pending").one().in_doubt
        return result

    def _begin(self, keeper: Connection, result: Sent) -> bool:
        """Where the last run ended since everybody in a row was refused: begin with one message
        from elsewhere in the queue. Whether the run goes on: with that one taken, what was refused
        is of those messages. Raises AllRefused where it is refused, too.
        """
        self.provider.streak = Streak()
        binds = {"now": self.clock(), **self.share}
        with self.engine.connect() as connection:
            codes = set(db.run(connection, "outbox/refused", **binds).scalars())
        self._has_refused = bool(codes)
        for _ in range(LONGEST if codes else 0):
            with self.engine.connect() as connection:
                elsewhere = db.run(connection, "outbox/elsewhere", **binds).scalar()
            claimed = self._claim(1, elsewhere, is_refused=elsewhere is None)
            if not claimed:
                break
            batch, answers = self._hand_over_claimed(keeper, *claimed)
            if any(a.is_unlisted and a.raw_code in codes for a in answers):
                raise self._all_refused(answers[0].raw_code)
            batch.add(self._clear())
            result.add(batch)
            if batch.accepted:
                self.provider.streak = Streak(excused=codes)
                break
            if any(a.outcome is Outcome.RETRY and not a.wait for a in answers):
                log.warning("%s takes nothing just now; the next run goes on", self.provider.name)
                return False
        return True

    def _send(self, keeper: Connection, result: Sent) -> None:
        """Send what is due, and after it what was refused in a row with many others."""
        for is_refused in (False, True) if self._has_refused else (False,):
            if not self.provider.streak.is_over:
                self._send_all(keeper, result, is_refused)

    def _send_all(self, keeper: Connection, result: Sent, is_refused: bool) -> None:
        """Send in lanes: while one waits for the provider, another claims or records. Each claims
        right before it sends, so a stop has as long as with one.
        """
        lanes, over, told = max(1, LANES), threading.Event(), SimpleQueue[Sent | None]()

        def lane() -> None:
            try:
                for batch in self._batches(keeper, over, is_refused):
                    told.put(batch)
            except BaseException:
                over.set()  # the others end what they have begun
                raise
            finally:
                told.put(None)

        with ThreadPoolExecutor(lanes, thread_name_prefix="sender") as pool:
            try:
                running = [pool.submit(lane) for _ in range(lanes)]
                for batch in progress(_until_all_ended(told, lanes), "sending", "batches"):
                    result.add(batch)
            finally:
                over.set()
        streak = self.provider.streak
        if streak.is_over and self._suspects:
            raise self._all_refused(streak.code)
        result.add(self._clear())
        for ended in running:
            ended.result()

    def _batches(
        self, keeper: Connection, over: threading.Event, is_refused: bool
    ) -> Iterator[Sent]:
        """Claim, call, record; until nothing is due, or the provider takes nothing."""
        failures = 0
        while not over.is_set() and (claimed := self._claim(is_refused=is_refused)):
            batch, answers = self._hand_over_claimed(keeper, *claimed)
            batch.add(self._clear(self.provider.streak.code))
            yield batch
            if self.provider.streak.is_over:
                log.warning(
                    "%s refuses everybody just now (%s); the next run goes on",
                    self.provider.name,
                    self.provider.streak.code,
                )
                over.set()
                return
            if not answers or any(a.outcome is not Outcome.RETRY or a.wait for a in answers):
                failures = 0
                continue
            if failures >= len(BACK_OFF_SECONDS):
                log.warning("%s takes nothing just now; the next run goes on", self.provider.name)
                over.set()
                return
            time.sleep(BACK_OFF_SECONDS[failures])
            failures += 1

    def _hand_over_claimed(
        self, keeper: Connection, bulk_id: str, rows: list[_Claimed], batch: Sent
    ) -> tuple[Sent, list[Answer]]:
        """Hand over what was claimed and may ring now. A bulk that is refused as a whole goes by
        halves, until one message is alone: each a bulk of its own, written down right before.
        """
        answers: list[Answer] = []
        rows = self._defer(bulk_id, rows, batch)
        parts = [(bulk_id, rows, False)] if rows else []
        try:
            while parts:
                bulk_id, rows, is_part = parts.pop()
                if is_part:
                    bulk_id, rows = self._part(bulk_id, rows)
                if not rows:
                    continue
                with self._keeping:
                    # Raises where our session was cut: whoever sees its lock free may be settling
                    # this very batch.
                    keeper.execute(sa.text("SELECT 1"))
                try:
                    answers += self._hand_over(bulk_id, rows)
                except BulkRefused as refusal:
                    log.info("%s One of them may be at fault: each half goes by itself", refusal)
                    middle = len(rows) // 2
                    parts += [(bulk_id, rows[middle:], True), (bulk_id, rows[:middle], True)]
        finally:
            # Surely not sent: what is handed over is no part that is left any more.
            for bulk_id, rows, _ in parts:
                unsent = [Answer(one.message_id, Outcome.RETRY, None, HELD_BACK) for one in rows]
                self._record(bulk_id, rows, unsent)
        _count(batch, answers)
        return batch, answers

    def _part(self, bulk_id: str, rows: list[_Claimed]) -> tuple[str, list[_Claimed]]:
        """A part of a bulk as one of its own, without what is not ours any more."""
        part_id = uuid.uuid4().hex
        with self.engine.begin() as connection:
            ours = db.run(
                connection,
                "outbox/part",
                bulk_id=bulk_id,
                part_id=part_id,
                wall=self.wall(),
                contact_ids=[one.contact_id for one in rows],
                message_ids=[one.message_id for one in rows],
            )
            held = {str(message_id) for message_id in ours.scalars()}
        return part_id, [one for one in rows if one.message_id in held]

    def _clear(self, code: str | None = None) -> Sent:
        """Write down as rejected whom nothing speaks for any more: those that were refused with
        another code than the streak's, or before a message was taken. None: all of them.
        """
        with self._suspecting:
            cleared = [one for one in self._suspects if not code or one[2].raw_code != code]
            self._suspects = [one for one in self._suspects if one not in cleared]
        self._write_down(cleared)
        return Sent(
            rejected=len(cleared), unlisted=Counter(answer.raw_code for _, _, answer in cleared)
        )

    def _all_refused(self, code: str) -> AllRefused:
        """Queue again whoever was refused with the code in a row, behind the others; the error that
        ends the run.
        """
        self._clear(code)
        with self._suspecting:
            again, self._suspects = self._suspects, []
        self._write_down(
            [(bulk, one, replace(answer, outcome=Outcome.RETRY)) for bulk, one, answer in again],
            refused_at=self.clock(),
        )
        return AllRefused(
            f"{self.provider.name} refuses one number after another with {code}, a code that is on "
            "no list: the account, the sender or the text may be at fault. They are queued again, "
            "and nobody is suppressed. Look the code up, and mend what it says; the next run "
            "begins with one message from elsewhere in the queue."
        )

    def _write_down(
        self, those: list[tuple[str, _Claimed, Answer]], refused_at: datetime | None = None
    ) -> None:
        bulks = defaultdict[str, list[tuple[_Claimed, Answer]]](list)
        for bulk_id, one, answer in those:
            bulks[bulk_id].append((one, answer))
        for bulk_id, pairs in bulks.items():
            rows, answers = ([pair[0] for pair in pairs], [pair[1] for pair in pairs])
            self._record(bulk_id, rows, answers, refused_at)

    def _claim(
        self, most: int | None = None, contact_id: int | None = None, *, is_refused: bool
    ) -> tuple[str, list[_Claimed], Sent] | None:
        """A bulk of its own: of whom nothing stands in the way, and what became of the others.

        most: how many, if not a batch; contact_id: whose alone; is_refused: of those that were
        refused in a row with many others, or of the rest.
        """
        bulk_id, now = uuid.uuid4().hex, self.clock()
        # One at a time: a claim that waited for another's rows would come back without any, which
        # reads as "nothing is due", and two that wait for each other would fail.
        with self.engine.begin() as connection, db.exclusive(connection, "claim"):
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
                batch_size=most or self.batch_size,
                contact_id=contact_id,
                is_refused=is_refused,
                purpose=self.policy.consent.purpose,
                clocks=self.policy.clocks,
                **self.share,
            ).all()
        if not rows:
            return None
        self._found_unread |= any(row.obstacle == "unread_reply" for row in rows)
        default = self.policy.brand.time_zone
        clear = [
            _Claimed(
                row.contact_id,
                str(row.message_id),
                row.phone_e164,
                row.body,
                row.not_after,
                hours.places_of(row.phone_e164, row.time_zone, row.country, default),
                row.step,
            )
            for row in rows
            if row.obstacle is None
        ]
        return bulk_id, clear, Sent(cancelled=len(rows) - len(clear))

    def _defer(self, bulk_id: str, claimed: list[_Claimed], batch: Sent) -> list[_Claimed]:
        """Give back whom the clock has carried into their quiet hours, or would before the text is
        there.
        """
        now = self.clock()
        arrives = now + self.provider.arrival
        awake = {
            places: all(hours.allowed_at(at, places, self.policy.hours) for at in (now, arrives))
            for places in {one.places for one in claimed}
        }
        quiet = [one for one in claimed if not awake[one.places]]
        if not quiet:
            return claimed
        with self.engine.begin() as connection:
            db.run(
                connection,
                "outbox/defer",
                bulk_id=bulk_id,
                contact_ids=[one.contact_id for one in quiet],
                message_ids=[one.message_id for one in quiet],
                not_befores=[self._opens(arrives, one) for one in quiet],
                now=now,
            )
        batch.deferred += len(quiet)
        held = {one.message_id for one in quiet}
        return [one for one in claimed if one.message_id not in held]

    def _opens(self, now: datetime, one: _Claimed) -> datetime:
        """When a message may ring next; where the rules have changed and it never may, when it
        ends, at which the next claim cancels it.
        """
        try:
            return hours.allowed_window(now, one.places, self.policy.hours)[0]
        except errors.TextError:
            return one.not_after

    def _hand_over(self, bulk_id: str, claimed: list[_Claimed]) -> list[Answer]:
        """Call the provider, with no transaction open, and write down what it said."""
        outgoing = [Outgoing(one.message_id, one.phone, one.body, one.step) for one in claimed]
        try:
            answers = self.provider.send(
                bulk_id,
                outgoing,
                self.policy.brand.sender,
                valid_until=self._valid_until(claimed),
                now=self.clock(),
            )
        except BulkRefused:
            raise
        except ProviderError as error:
            # The account was refused: what was not sent is queued again, and the run stops.
            answers = error.answers if isinstance(error, AccountRefused) else []
            self._record(
                bulk_id,
                claimed,
                answers
                or [Answer(o.message_id, Outcome.RETRY, raw_code="account") for o in outgoing],
            )
            raise
        by_id = {one.message_id: one for one in claimed}
        with self._suspecting:
            self._suspects += [(bulk_id, by_id[a.message_id], a) for a in answers if a.is_unlisted]
        self._record(bulk_id, claimed, [a for a in answers if not a.is_unlisted])
        return answers

    def _valid_until(self, claimed: list[_Claimed]) -> datetime:
        """Until when a batch may still ring: its deadline, and nobody's night."""
        places = tuple({place for one in claimed for place in one.places})
        evening = hours.allowed_until(self.clock(), places, self.policy.hours)
        return min(claimed[0].not_after, evening)

    def _record(
        self,
        bulk_id: str,
        claimed: list[_Claimed],
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
            _insert_receipts(connection, self.provider.name, refused, now)
            apply_receipts(connection, self.policy.consent.channel, now)

    # --- what is in doubt -------------------------------------------------------------------------

    def _settle(self, result: Sent) -> int:
        """Settle every bulk in doubt whose claimer is gone, waiting once, for a bounded time,
        until the provider's log can prove an absence. How many messages are queued again.
        """
        with self.engine.connect() as connection:
            bulks = db.run(connection, "outbox/in_doubt", provider=self.provider.name).all()
        bulks = [bulk for bulk in bulks if self._is_abandoned(bulk.claimed_by)]
        before = result.requeued
        if open_ := [bulk for bulk in bulks if self._reconcile(bulk, result)]:
            wait = (max(map(self._settled_at, open_)) - self.wall()).total_seconds()
            # Not longer than a claim of this moment would take, whatever another machine's clock
            # has written.
            wait = min(wait, self._settle_seconds)
            if wait > 0:
                log.info(
                    "%s messages may be out: waiting %.0f s until the provider's log can prove it",
                    f"{sum(bulk.messages for bulk in open_):,}",
                    wait,
                )
                time.sleep(wait)
            for bulk in open_:
                self._reconcile(bulk, result)
        return result.requeued - before

    @property
    def _settle_seconds(self) -> float:
        """From a claim until the log can prove an absence: its last request, that one's answer, and
        what the log takes to hold it.
        """
        sending = self.policy.sending
        return self.provider.spread_seconds + sending.timeout_seconds + sending.settle_seconds

    def _settled_at(self, bulk: sa.Row[Any]) -> datetime:
        settled_at: datetime = bulk.claimed_at + timedelta(seconds=self._settle_seconds)
        return settled_at

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

    def _reconcile(self, bulk: sa.Row[Any], result: Sent) -> bool:
        """Ask the provider's log about a bulk; True where asking again after settled_at will tell
        more.
        """
        asked_at = self.wall()
        try:
            entries = _read_log(self.engine, self.provider, bulk.bulk_id)
        except ProviderError as error:
            log.warning("%s messages stay in doubt: %s", f"{bulk.messages:,}", error)
            return False
        found = {e.message_id for e in entries if e.status != "rejected" and _is_uuid(e.message_id)}
        # What the account lacked says nothing of the message: it was not sent, and is queued again.
        refused = {
            e.message_id: e.raw_code
            for e in entries
            if _is_uuid(e.message_id) and not e.may_go_again and e.message_id not in found
        }
        is_settled = asked_at >= self._settled_at(bulk)
        # By both clocks: in a simulation the provider's log lives by the simulated one.
        kept = timedelta(hours=self.provider.log_hours) - LOG_MARGIN
        is_provable = (
            asked_at < bulk.first_claimed_at + kept and self.clock() < bulk.status_at + kept
        )
        with self.engine.begin() as connection, db.shared(connection, "receipts"):
            changed = (
                db.run(
                    connection,
                    "outbox/reconcile",
                    bulk_id=bulk.bulk_id,
                    found_ids=[uuid.UUID(f) for f in found],
                    refused_ids=[uuid.UUID(r) for r in refused],
                    refused_codes=list(refused.values()),
                    is_settled=is_settled,
                    is_provable=is_provable,
                    max_attempts=self.policy.sending.max_attempts,
                    now=self.clock(),
                )
                .scalars()
                .all()
            )
        became = Counter(changed)
        result.accepted += became["accepted"]
        result.rejected += became["rejected"]
        result.requeued += became["queued"]
        if became["unknown"]:
            log.warning(
                "%s messages of bulk %s stay unknown: the provider's log does not reach back to "
                "them. They are never sent again",
                f"{became['unknown']:,}",
                bulk.bulk_id,
            )
        return not is_settled and len(changed) < bulk.messages


def _count(batch: Sent, answers: Sequence[Answer]) -> None:
    """Count what answers say; of codes on no list, once they are written down."""
    for answer in answers:
        batch.accepted += answer.outcome is Outcome.ACCEPTED
        batch.rejected += answer.outcome is Outcome.REJECTED and not answer.is_unlisted
        batch.deferred += answer.wait is not None


def _until_all_ended(told: "SimpleQueue[Sent | None]", lanes: int) -> Iterator[Sent]:
    """What the lanes tell, until each has said its last word."""
    while lanes:
        batch = told.get()
        if batch is None:
            lanes -= 1
        else:
            yield batch


def _read_log(engine: Engine, provider: Provider, bulk_id: str) -> list[LogEntry]:
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


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


# --- what comes back ------------------------------------------------------------------------------


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
        _take_receipts(engine, provider, policy.consent.channel, clock(), found)
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
                    _insert_told(connection, provider.name, policy, told, row.received_at, new)
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
        new = _insert_told(connection, provider.name, policy, told, now, found)
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


def _insert_told(
    connection: Connection,
    provider: str,
    policy: Policy,
    told: Told,
    now: datetime,
    found: Counter[str],
) -> int:
    """Keep what was told at `now`; how many replies are new."""
    new = _insert_replies(connection, provider, policy, told.replies, now, found)
    found.update(_insert_receipts(connection, provider, told.receipts, now))
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


def _insert_replies(
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


def _take_receipts(
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
                entries = _read_log(engine, provider, bulk_id)
            except Misread as error:
                # One entry takes no other with it, nor another bulk's.
                entries, misread = error.entries, error
            done = [entry for entry in entries if entry.status != "accepted"]
            found.update(_keep_receipts(engine, provider.name, done, now))
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


def _keep_receipts(
    engine: Engine, provider: str, entries: Sequence[LogEntry], now: datetime
) -> Counter[str]:
    """Keep receipts; those that are new, by status, and how many have an `unlisted` code."""
    with engine.begin() as connection:
        return _insert_receipts(connection, provider, entries, now)


def _insert_receipts(
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
            "%s tells of %s failures %s", provider, f"{unlisted.total():,}", _with_codes(unlisted)
        )
        found["unlisted"] = unlisted.total()
    return found


def _record_prices(engine: Engine, entries: Sequence[LogEntry]) -> None:
    """Write down what messages cost of which it was not known."""
    priced = [e for e in entries if e.price is not None and _is_uuid(e.message_id)]
    with engine.begin() as connection, db.shared(connection, "receipts"):
        db.run(
            connection,
            "outbox/record_prices",
            message_ids=[uuid.UUID(e.message_id) for e in priced],
            prices=[e.price for e in priced],
            currencies=[e.currency for e in priced],
            segments=[e.segments for e in priced],
        )
