"""Infobip: https://www.infobip.com/docs/api/channels/sms

One request takes a batch. Our message id and bulk id travel with it and are what its log is asked
by. A rejected message comes inside a 200, so each one is judged.
"""

import base64
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from requests import PreparedRequest
from requests.auth import AuthBase

from reengage import replies
from reengage.providers.base import (
    UNREADABLE_BODY,
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
    Suppress,
    Told,
    Webhook,
    WebhookRefused,
    amount_of,
    count_of,
    message_named,
    named,
    said,
    when,
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
# Of the same page: what is said of the number. `permanent` is not: it says that this message, sent
# again unchanged, fails again, as a text that a filter stops does.
OF_NUMBER: dict[str, Suppress] = {
    "EC_UNKNOWN_SUBSCRIBER": "hard_bounce",
    "EC_UNIDENTIFIED_SUBSCRIBER": "hard_bounce",
    "REJECTED_DESTINATION": "hard_bounce",
    "REJECTED_DND": "opted_out",
    "REJECTED_DESTINATION_BLOCKLISTED": "opted_out",
    "EC_SC_BLOCKED_BY_END_USER": "opted_out",
}
# Content that is blocked says a stop where its description does: "MO: STOP".
CONTENT_BLOCKED = "EC_CONTENT_BLOCKED"


class _Key(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"App {self._key}"
        return request


class Infobip(BulkProvider):
    """The connection's password is the API key."""

    name: ClassVar[str] = "infobip"
    title: ClassVar[str] = "Infobip"
    max_batch = 1000
    log_hours: ClassVar[float] = 48
    tells_once: ClassVar[bool] = True

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
            # Only REJECTED is a refusal; whatever else is told later was taken now.
            is_refused = known == "rejected"
            yield Answer(
                message_id=item["messageId"],
                outcome=Outcome.REJECTED if is_refused else Outcome.ACCEPTED,
                provider_message_id=item["messageId"],
                raw_code=status.get("name", ""),
                segments=count_of((item.get("details") or {}).get("messageCount")),
                suppress=_suppress(status) if is_refused else None,
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
        return self._entries(self._pages(bulkId=bulk_id), self._entry)

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
        """An entry of the log, or a delivery report. Raises one of UNREADABLE where it does not say
        what became of which message; what else it says badly is not told.
        """
        status = item["status"]
        group, name = STATUS[status["groupName"]], said(status.get("name"))[:100]
        error, price = (
            part if isinstance(part, dict) else {}
            for part in (item.get("error"), item.get("price"))
        )
        count, each = count_of(item.get("messageCount")), amount_of(price.get("pricePerMessage"))
        is_failed = group not in ("accepted", "delivered")
        return LogEntry(
            message_id=message_named(item["messageId"]),
            status=group,
            raw_code=(said(error.get("name"))[:100] if is_failed else "") or name,
            suppress=(_suppress(error) or _suppress(status)) if is_failed else None,
            segments=count,
            price=None if each is None else each * (count or 1),
            currency=None if each is None else said(price.get("currency"))[:10] or None,
            occurred_at=when(_time, item.get("doneAt"), item.get("sentAt")),
            bulk_id=said(item.get("bulkId")) or None,
            is_of_account=is_failed and self._refusal(name) is not None,
        )

    def reply_pages(self, number: str) -> Iterator[Told]:
        while True:
            told = self._inbox()
            if told.replies or told.receipts or told.unread:
                yield told
            # One that is not understood may be told for ever.
            if not told.replies:
                return

    def _inbox(self) -> Told:
        """The next page of texts that came back: each is told only once, so that nothing of it is
        let go, whatever its form.
        """
        exchange = self._exchange("GET", "/sms/1/inbox/reports", params={"limit": PAGE})
        if exchange.outcome is not Outcome.ACCEPTED and exchange.code != UNREADABLE_BODY:
            raise self._unavailable(exchange.code)
        return self._told(exchange.body)

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
        return self._told(webhook.body)

    def _told(self, body: bytes) -> Told:
        """What `{"results": […]}` tells, item by item: none takes another with it."""
        try:
            items = json.loads(_utf8(body), parse_float=Decimal, parse_int=_whole)["results"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return Told(unread=[body])
        receipts, heard, unread = [], [], []
        for item in items if isinstance(items, list) else [] if items is None else [items]:
            try:
                if _is_reply(item):
                    heard.append(_reply(item))
                else:
                    receipts.append(self._entry(item))
            except Exception:  # of whatever kind: what is told once is never dropped
                unread.append(json.dumps({"results": [item]}, default=float).encode())
        return Told(receipts, heard, unread=unread)

    def test(self) -> str:
        self._read("/sms/3/logs", limit=1)
        return self._works()


def _utf8(body: bytes) -> bytes | str:
    """A body that json reads: one letter that is no UTF-8 takes no reply with it."""
    try:
        body.decode()
    except UnicodeDecodeError:
        if body[:4].count(0) < 1:
            return body.decode(errors="replace")
    return body


def _is_reply(item: dict[str, Any]) -> bool:
    """Whether somebody's text, and no report on ours: that says a status."""
    status = item.get("status")
    return bool(item.get("from")) and not (isinstance(status, dict) and "groupName" in status)


def _reply(item: dict[str, Any]) -> Reply:
    sender, keyword = item["from"], said(item.get("keyword"))
    if isinstance(sender, Decimal) and abs(sender) < 10**16 and sender == int(sender):
        sender = int(sender)  # 1.2125551012E10
    if isinstance(sender, bool) or not isinstance(sender, (str, int)) or not said(sender).strip():
        raise ValueError("no sender")
    text = said(item.get("text")) or said(item.get("cleanText")) or keyword
    sender = said(sender).strip()
    return Reply(
        reply_id=named(item.get("messageId"), item),
        sender=f"+{sender}" if sender.isdecimal() and sender[0] != "0" else sender,
        text=text,
        received_at=when(_time, item.get("receivedAt")),
        # The account's own words for a stop, which Infobip has found at the text's beginning.
        flag="stop" if replies.meaning(keyword) == "stop" else None,
    )


def _whole(digits: str) -> int | str:
    """A whole number; one of more digits than anything is, which Python would refuse, as text."""
    return int(digits) if len(digits) < 100 else digits


def _suppress(said_of_it: dict[str, Any]) -> Suppress | None:
    """Why the number is not to be texted again, by a status or an error of Infobip's list."""
    name = said_of_it.get("name")
    if name == CONTENT_BLOCKED and "MO: STOP" in said(said_of_it.get("description")).upper():
        return "opted_out"
    return OF_NUMBER.get(name) if isinstance(name, str) else None


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
