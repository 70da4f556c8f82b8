"""Messages that may or may not be out, after a kill or an answer that never came: the provider's
own log settles it.
"""

import logging
import time
import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from reengage import db
from reengage.clock import Clock
from reengage.errors import ProviderError
from reengage.policy import Policy
from reengage.sending.providers.base import Provider
from reengage.sending.receipts import is_uuid, read_log
from reengage.sending.sent import Sent

log = logging.getLogger(__name__)

# An absence counts as proof only well within the time for which the provider keeps its log.
LOG_MARGIN = timedelta(hours=1)


class InDoubt:
    """Settles what claims of sessions that have ended, or of `claim` itself, left in doubt.

    wall: the real time, by which a provider's log settles, even where `clock` is simulated.
    """

    def __init__(
        self,
        engine: Engine,
        provider: Provider,
        policy: Policy,
        clock: Clock,
        wall: Clock,
        claim: int,
    ) -> None:
        self.engine = engine
        self.provider = provider
        self.policy = policy
        self.clock = clock
        self.wall = wall
        self.claim = claim

    def settle(self, result: Sent) -> int:
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
            entries = read_log(self.engine, self.provider, bulk.bulk_id)
        except ProviderError as error:
            log.warning("%s messages stay in doubt: %s", f"{bulk.messages:,}", error)
            return False
        found = {e.message_id for e in entries if e.status != "rejected" and is_uuid(e.message_id)}
        # What the account lacked says nothing of the message: it was not sent, and is queued again.
        refused = {
            e.message_id: e.raw_code
            for e in entries
            if is_uuid(e.message_id) and not e.may_go_again and e.message_id not in found
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
