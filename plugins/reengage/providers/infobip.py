"""Infobip: https://www.infobip.com/docs/api/channels/sms

One request takes a batch. Our message id and bulk id travel with it and are what its log is asked
by. A rejected message comes inside a 200, so each one is judged.
"""

import base64
import hmac
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from requests import PreparedRequest
from requests.auth import AuthBase

from reengage.errors import ProviderError
from reengage.providers.base import (
    AccountRefused,
    Answer,
    BulkProvider,
    Exchange,
    Handed,
    LogEntry,
    LogStatus,
    Outcome,
    Outgoing,
    Reply,
    Told,
    Webhook,
    WebhookRefused,
)

PAGE = 1000
MAX_VALIDITY = timedelta(hours=48)

# https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes
STATUS: dict[str, LogStatus] = {
    "ACCEPTED": "accepted",
    "PENDING": "accepted",
    "DELIVERED": "delivered",
    "UNDELIVERABLE": "undelivered",
    "EXPIRED": "expired",
    "REJECTED": "rejected",
}

# Of the same page: a message is refused because of the account, and so every other would be.
NO_CREDIT = ("REJECTED_NOT_ENOUGH_CREDITS", "REJECTED_PREPAID_PACKAGE_EXPIRED")
NO_SENDER = ("REJECTED_SOURCE", "REJECTED_SENDER")
NO_ROUTE = ("REJECTED_ROUTE_NOT_AVAILABLE", "REJECTED_DESTINATION_NOT_REGISTERED")


class _Key(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"App {self._key}"
        return request


log = logging.getLogger(__name__)


class Infobip(BulkProvider):
    """The connection's password is the API key."""

    name: ClassVar[str] = "infobip"
    title: ClassVar[str] = "Infobip"
    max_batch = 1000
    log_hours: ClassVar[float] = 48

    def _auth(self) -> AuthBase:
        return _Key(self.account.password)

    def _submit(
        self, bulk_id: str, messages: Sequence[Outgoing], sender: str, validity: timedelta
    ) -> Exchange:
        minutes = max(1, min(validity, MAX_VALIDITY) // timedelta(minutes=1))
        options = {"validityPeriod": {"amount": minutes, "timeUnit": "MINUTES"}}
        payload = {
            "messages": [
                {
                    "sender": sender,
                    "destinations": [{"to": m.to.lstrip("+"), "messageId": m.message_id}],
                    "content": {"text": m.text},
                    "options": options,
                }
                for m in messages
            ],
            "options": {
                "schedule": {"bulkId": bulk_id},
                # True if left out: it would replace our links by ones of its own.
                "tracking": {"shortenUrl": False},
                "includeSmsCountInResponse": True,
            },
        }
        return self._exchange("POST", "/sms/3/messages", json=payload)

    def _answers(self, content: Any) -> Iterable[Answer]:
        for item in content["messages"]:
            status = item.get("status") or {}
            known = STATUS.get(str(status.get("groupName")))
            if known is None or "messageId" not in item:
                continue
            yield Answer(
                message_id=item["messageId"],
                # Only REJECTED is a refusal; whatever else is told later was taken now.
                outcome=Outcome.REJECTED if known == "rejected" else Outcome.ACCEPTED,
                provider_message_id=item["messageId"],
                raw_code=status.get("name", ""),
                segments=(item.get("details") or {}).get("messageCount"),
            )

    def _refusal(self, code: str) -> AccountRefused | None:
        if code in NO_CREDIT:
            return self._no_credit(code)
        if code in NO_SENDER:
            return AccountRefused(
                f"Infobip does not let this account write as brand.sender ({code}). Register the "
                "sender, or choose another in the policy; what was not sent stays queued."
            )
        if code in NO_ROUTE:
            return AccountRefused(
                f"Infobip has not set this account up to write to customers ({code}). Ask for it "
                "in Infobip's portal; what was not sent stays queued."
            )
        return None

    def _error_code(self, content: Any) -> str:
        if not isinstance(content, dict):
            return ""
        older = (content.get("requestError") or {}).get("serviceException") or {}
        return str(content.get("errorCode") or older.get("messageId") or "")

    def log(self, bulk_id: str, handed: Sequence[Handed] = ()) -> list[LogEntry]:
        return [self._entry(item) for item in self._pages(bulkId=bulk_id)]

    def _pages(self, **parameters: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self._read("/sms/3/logs", **parameters, limit=PAGE, useCursor="true")
            results = page.get("results") if isinstance(page, dict) else None
            if not isinstance(results, list):
                raise self._misread("log")
            yield from results
            cursor = (page.get("cursor") or {}).get("nextCursor")
            if not cursor:
                return
            parameters["cursor"] = cursor

    def _entry(self, item: dict[str, Any]) -> LogEntry:
        try:
            status, error = item["status"], item.get("error") or {}
            price, count = item.get("price") or {}, item.get("messageCount")
            each = price.get("pricePerMessage")
            failed = status["groupName"] not in ("ACCEPTED", "PENDING", "DELIVERED")
            return LogEntry(
                message_id=item["messageId"],
                status=STATUS[status["groupName"]],
                raw_code=(error.get("name") if failed else None) or status["name"],
                suppress="hard_bounce" if failed and error.get("permanent") is True else None,
                segments=count,
                price=None if each is None else Decimal(each) * (count or 1),
                currency=price.get("currency"),
                occurred_at=_time(item.get("doneAt") or item["sentAt"]),
                bulk_id=item.get("bulkId"),
                is_of_account=failed and self._refusal(status["name"]) is not None,
            )
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            # An entry that is skipped would read as a message that was never sent.
            raise self._misread("log") from error

    def reply_pages(self, number: str) -> Iterator[list[Reply]]:
        while page := self.replies():
            yield page

    def replies(self) -> list[Reply]:
        """The next page of texts that came back; each is told only once."""
        content = self._read("/sms/1/inbox/reports", limit=PAGE)
        found = []
        try:
            items = list(content["results"])
        except (KeyError, TypeError) as error:
            raise self._misread("inbox") from error
        for item in items:
            # Each is told once: one that cannot be read must not take the others with it.
            try:
                found.append(_reply(item))
            except (KeyError, TypeError, ValueError, AttributeError):
                log.warning("a reply in infobip's inbox cannot be read, and is left out")
        return found

    def hear(self, webhook: Webhook, now: datetime) -> Told:
        """Delivery reports, or replies, as Infobip posts them: it signs in by HTTP Basic, with the
        connection's `webhook_secret` as its password.
        """
        secret = str(self.account.extra.get("webhook_secret") or "")
        if not webhook.is_known and (
            not secret or not hmac.compare_digest(_password(webhook).encode(), secret.encode())
        ):
            raise WebhookRefused(
                "A webhook did not sign in with the webhook secret of the connection reengage_sms. "
                "Set one there, and the same in Infobip's portal."
            )
        try:
            items = list(json.loads(webhook.body, parse_float=Decimal)["results"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise WebhookRefused(
                "A webhook of Infobip's is neither receipts nor replies."
            ) from error
        receipts, replies, unread = [], [], 0
        for item in items:
            try:
                if "status" in item:
                    receipts.append(self._entry(item))
                else:
                    replies.append(_reply(item))
            except (KeyError, TypeError, ValueError, AttributeError, ProviderError):
                unread += 1
        return Told(receipts, replies, unread)

    def test(self) -> str:
        self._read("/sms/3/logs", limit=1)
        return self._works()


def _reply(item: dict[str, Any]) -> Reply:
    return Reply(
        reply_id=item["messageId"],
        sender="+" + item["from"].lstrip("+"),
        text=item["text"],
        received_at=_time(item["receivedAt"]),
    )


def _password(webhook: Webhook) -> str:
    """The password of HTTP Basic; empty without."""
    scheme, _, coded = webhook.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(coded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _time(text: str) -> datetime:
    """2026-03-01T09:30:00.000+0000, as Infobip writes it. Raises ValueError without a zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time
