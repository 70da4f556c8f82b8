"""A provider that takes a batch in one request."""

import logging
import time
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from reengage.sending.providers.accounts import Account
from reengage.sending.providers.base import TURN_SECONDS, Provider
from reengage.sending.providers.codes import Cause
from reengage.sending.providers.words import (
    HELD_BACK,
    Answer,
    BulkRefused,
    Exchange,
    Outcome,
    Outgoing,
)

log = logging.getLogger(__name__)


class BulkProvider(Provider):
    """A provider that takes a batch in one request. Where there is a rate, a batch is no more than
    a second of it.
    """

    def __init__(self, account: Account, timeout_seconds: float) -> None:
        super().__init__(account, timeout_seconds)
        rates = [rate for rate in self.limits("").values() if rate]
        if rates:
            self.max_batch = max(1, min(self.max_batch, int(min(rates))))
            self.spread_seconds = timeout_seconds

    def _hand_over(
        self, bulk_id: str, messages: Sequence[Outgoing], sender: str, validity: timedelta
    ) -> list[Answer]:
        patience = max(self.spread_seconds, TURN_SECONDS)
        if self.streak.is_over or not self.pace.wait(len(messages), time.monotonic() + patience):
            return [Answer(m.message_id, Outcome.RETRY, None, HELD_BACK) for m in messages]
        exchange = self._submit(bulk_id, messages, sender, validity)
        if exchange.hold_seconds:
            self.pace.hold(exchange.hold_seconds)
        if exchange.outcome is Outcome.REJECTED and len(messages) > 1:
            raise BulkRefused(
                f"{self.title} refused {len(messages):,} messages as a whole ({exchange.code})."
            )
        if exchange.outcome is not Outcome.ACCEPTED:
            return [self._noted(self._not_taken(m.message_id, exchange), m.to) for m in messages]
        try:
            told = {answer.message_id: answer for answer in self._answers(exchange.content)}
        except (KeyError, TypeError, ValueError, AttributeError):
            log.warning("%s took bulk %s and answered in an unknown form", self.name, bulk_id)
            told = {}
        answers = [
            told.get(m.message_id) or Answer(m.message_id, Outcome.UNKNOWN, None, "no_answer")
            for m in messages
        ]
        of_account = {
            a.raw_code
            for a in answers
            if a.outcome is Outcome.REJECTED and self.codes.cause(a.raw_code) is Cause.ACCOUNT
        }
        if of_account:
            refusal = self._refuses_account(min(of_account))
            refusal.answers = [
                replace(a, outcome=Outcome.RETRY) if a.raw_code in of_account else a
                for a in answers
            ]
            raise refusal
        return [self._noted(a, m.to) for a, m in zip(answers, messages, strict=True)]

    @abstractmethod
    def _submit(
        self, bulk_id: str, messages: Sequence[Outgoing], sender: str, validity: timedelta
    ) -> Exchange:
        """Make the one request that hands messages over."""

    @abstractmethod
    def _answers(self, content: Any) -> Iterable[Answer]:
        """Read a 2xx's answer. A message that is left out, or not understood, is UNKNOWN."""
