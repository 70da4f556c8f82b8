"""What the providers have in common that take one recipient a request.

A batch goes out over a few threads on pooled connections, at the account's rate, and each answer is
judged by itself. Nothing begins later than `spread_seconds` after the batch did: whoever finds this
process dead knows when its last request must have been made.
"""

import logging
import threading
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import ClassVar

from reengage.errors import ProviderError
from reengage.sending.providers.accounts import Account
from reengage.sending.providers.base import Provider
from reengage.sending.providers.requesting import POOL
from reengage.sending.providers.words import (
    HELD_BACK,
    AccountRefused,
    Answer,
    Exchange,
    Outcome,
    Outgoing,
)

log = logging.getLogger(__name__)

# Nothing was reached: the next message would fare no better, and wait as long to learn it.
AWAY = ("no_connection", "connect_timeout")


class Endless(Exception):
    """A list whose next page is one that was there before."""


class SingleProvider(Provider):
    """A provider that takes one recipient a request."""

    request_level: ClassVar[int] = logging.DEBUG

    def __init__(self, account: Account, timeout_seconds: float) -> None:
        super().__init__(account, timeout_seconds)
        self.spread_seconds = timeout_seconds

    def _hand_over(
        self, bulk_id: str, messages: Sequence[Outgoing], sender: str, validity: timedelta
    ) -> list[Answer]:
        begun, over = time.monotonic(), threading.Event()
        if self.streak.is_over:
            over.set()
        until = begun + self.spread_seconds
        refusals: list[ProviderError] = []

        def one(message: Outgoing) -> Answer:
            if why := self._unfit(message):
                return Answer(message.message_id, Outcome.REJECTED, raw_code=why)
            if over.is_set() or not self.pace.wait(1, until) or over.is_set():
                return Answer(message.message_id, Outcome.RETRY, raw_code=HELD_BACK)
            try:
                exchange = self._submit(bulk_id, message, sender, validity)
                answer = self._answer(message, exchange)
            except ProviderError as error:
                refusals.append(error)
                over.set()
                return Answer(message.message_id, Outcome.RETRY, raw_code="account")
            if exchange.hold_seconds:
                self.pace.hold(exchange.hold_seconds)
            self._noted(answer, message.to)
            if answer.raw_code in AWAY or self.streak.is_over:
                over.set()
            return answer

        with ThreadPoolExecutor(POOL, thread_name_prefix=self.name) as pool:
            try:
                answers = list(pool.map(one, messages))
            finally:
                over.set()  # also where this thread is interrupted: begin no more
        counts = Counter(answer.outcome.value for answer in answers)
        log.info(
            "%s took a batch: %s in %.1f s",
            self.name,
            ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())),
            time.monotonic() - begun,
        )
        if refusals:
            raise AccountRefused(str(refusals[0]), answers) from refusals[0]
        return answers

    def _unfit(self, message: Outgoing) -> str | None:
        """Why a message cannot be sent as it is, as its code; None where it can."""
        return None

    @abstractmethod
    def _submit(
        self, bulk_id: str, message: Outgoing, sender: str, validity: timedelta
    ) -> Exchange:
        """Make the one request that hands a message over."""

    @abstractmethod
    def _answer(self, message: Outgoing, exchange: Exchange) -> Answer:
        """Read what came of it."""
