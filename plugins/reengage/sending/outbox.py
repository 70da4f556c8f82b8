"""Messages on their way: handed to the provider at most once.

The hand-over is a claim in the database, committed before the provider is called, with our own ids
as the provider's references. Whatever is killed, whenever: a claimed message is never sent again
unless the provider's own log proves that it was not sent (in_doubt).
"""

import logging
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reengage import db, errors, hours
from reengage.clock import Clock, wall_clock
from reengage.errors import ProviderError
from reengage.journey import cohort
from reengage.policy import Policy
from reengage.progress import progress
from reengage.sending.answers import Answers, Claimed
from reengage.sending.in_doubt import InDoubt
from reengage.sending.providers.base import Provider
from reengage.sending.providers.streak import LONGEST, Streak
from reengage.sending.providers.words import (
    HELD_BACK,
    AccountRefused,
    Answer,
    BulkRefused,
    Outcome,
    Outgoing,
)
from reengage.sending.rate import SharedPace
from reengage.sending.sent import Sent
from reengage.sending.suspects import Suspects

log = logging.getLogger(__name__)

# Batches of one sender that are under way at once.
LANES = 4
BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class Bulk:
    """What is claimed at once: of whom nothing stands in the way, what became of the others, and
    whether others may be left in the queue.
    """

    bulk_id: str
    rows: list[Claimed]
    sent: Sent
    leaves_more: bool


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
        self.answers = Answers(engine, provider.name, policy.consent.channel, clock)
        self.suspects = Suspects(provider.name, self.answers)
        self.in_doubt = InDoubt(engine, provider, policy, clock, wall, self.claim)

    def run(self) -> Sent:
        """Reconcile what an earlier run left in doubt, send what is due, and reconcile again.

        Raises ProviderError where the account cannot be used: nothing is lost, a rerun goes on.
        """
        result = Sent()
        with self.engine.connect() as keeper:
            keeper = keeper.execution_options(isolation_level="AUTOCOMMIT")
            keeper.execute(sa.text("SELECT pg_advisory_lock(:claim)"), {"claim": self.claim})
            try:
                self.in_doubt.settle(result)
                if self._begin(keeper, result):
                    self._send(keeper, result)
                    if self.in_doubt.settle(result):
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
            batch, answers = self._hand_over_claimed(keeper, claimed)
            if any(a.is_unlisted and a.raw_code in codes for a in answers):
                raise self.suspects.all_refused(answers[0].raw_code, self.clock())
            batch.add(self.suspects.clear())
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
        right before it sends, so a stop has as long as with one. A lane begins the next where it
        leaves something in the queue: a run with little to send has one.
        """
        over, told = threading.Event(), SimpleQueue[Sent | int]()
        begun: list[Future[None]] = []
        beginning = threading.Lock()

        def begin() -> None:
            with beginning:
                if len(begun) < max(1, LANES) and not over.is_set():
                    told.put(1)  # before it can end
                    begun.append(pool.submit(lane))

        def lane() -> None:
            try:
                for batch in self._batches(keeper, over, is_refused, begin):
                    told.put(batch)
            except BaseException:
                over.set()  # the others end what they have begun
                raise
            finally:
                told.put(-1)

        with ThreadPoolExecutor(max(1, LANES), thread_name_prefix="sender") as pool:
            try:
                begin()
                for batch in progress(_until_all_ended(told), "sending", "batches"):
                    result.add(batch)
            finally:
                over.set()
        streak = self.provider.streak
        if streak.is_over and self.suspects:
            raise self.suspects.all_refused(streak.code, self.clock())
        result.add(self.suspects.clear())
        for ended in begun:
            ended.result()

    def _batches(
        self,
        keeper: Connection,
        over: threading.Event,
        is_refused: bool,
        begin_another: Callable[[], None],
    ) -> Iterator[Sent]:
        """Claim, call, record; until nothing is due, or the provider takes nothing."""
        failures = 0
        while not over.is_set() and (claimed := self._claim(is_refused=is_refused)):
            if claimed.leaves_more:
                begin_another()
            batch, answers = self._hand_over_claimed(keeper, claimed)
            batch.add(self.suspects.clear(self.provider.streak.code))
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

    def _hand_over_claimed(self, keeper: Connection, claimed: Bulk) -> tuple[Sent, list[Answer]]:
        """Hand over what was claimed and may ring now. A bulk that is refused as a whole goes by
        halves, until one message is alone: each a bulk of its own, written down right before.
        """
        answers: list[Answer] = []
        batch = claimed.sent
        rows = self._defer(claimed.bulk_id, claimed.rows, batch)
        parts = [(claimed.bulk_id, rows, False)] if rows else []
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
                self.answers.record(bulk_id, rows, unsent)
        batch.count(answers)
        return batch, answers

    def _part(self, bulk_id: str, rows: list[Claimed]) -> tuple[str, list[Claimed]]:
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

    def _claim(
        self, most: int | None = None, contact_id: int | None = None, *, is_refused: bool
    ) -> Bulk | None:
        """A bulk of its own; None where nothing is due.

        most: how many, if not a batch; contact_id: whose alone; is_refused: of those that were
        refused in a row with many others, or of the rest.
        """
        bulk_id, now, size = uuid.uuid4().hex, self.clock(), most or self.batch_size
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
                batch_size=size,
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
            Claimed(
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
        due = rows[0].due
        leaves_more = due == size or due > len(rows)
        return Bulk(bulk_id, clear, Sent(cancelled=len(rows) - len(clear)), leaves_more)

    def _defer(self, bulk_id: str, claimed: list[Claimed], batch: Sent) -> list[Claimed]:
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

    def _opens(self, now: datetime, one: Claimed) -> datetime:
        """When a message may ring next; where the rules have changed and it never may, when it
        ends, at which the next claim cancels it.
        """
        try:
            return hours.allowed_window(now, one.places, self.policy.hours)[0]
        except errors.TextError:
            return one.not_after

    def _hand_over(self, bulk_id: str, claimed: list[Claimed]) -> list[Answer]:
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
            self.answers.record(
                bulk_id,
                claimed,
                answers
                or [Answer(o.message_id, Outcome.RETRY, raw_code="account") for o in outgoing],
            )
            raise
        self.suspects.add(bulk_id, claimed, answers)
        self.answers.record(bulk_id, claimed, [a for a in answers if not a.is_unlisted])
        return answers

    def _valid_until(self, claimed: list[Claimed]) -> datetime:
        """Until when a batch may still ring: its deadline, and nobody's night."""
        places = tuple({place for one in claimed for place in one.places})
        evening = hours.allowed_until(self.clock(), places, self.policy.hours)
        return min(claimed[0].not_after, evening)


def _until_all_ended(told: "SimpleQueue[Sent | int]") -> Iterator[Sent]:
    """What the lanes tell, until as many have ended (-1) as have begun (1)."""
    running = 0
    while True:
        word = told.get()
        if isinstance(word, Sent):
            yield word
        else:
            running += word
            if not running:
                return
