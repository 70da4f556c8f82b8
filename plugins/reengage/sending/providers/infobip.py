"""Infobip: https://www.infobip.com/docs/api/channels/sms

One request takes a batch. Our message id and bulk id travel with it and are what its log is asked
by. A rejected message comes inside a 200, so each one is judged.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from requests import PreparedRequest
from requests.auth import AuthBase

from reengage.errors import ConfigurationError
from reengage.sending import replies
from reengage.sending.providers.accounts import Account
from reengage.sending.providers.bulk import BulkProvider
from reengage.sending.providers.codes import Cause, plain
from reengage.sending.providers.reading import amount_of, count_of, message_named, named, said, when
from reengage.sending.providers.signatures import is_signed_in
from reengage.sending.providers.words import (
    PASSING,
    SUPPRESS,
    UNREADABLE_BODY,
    Answer,
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

# The operator's system has it, and the handset may yet.
ON_ITS_WAY = "DELIVERED_TO_OPERATOR"
NO_ERROR = ("", "NO_ERROR")
# It says that they said stop ("MO: STOP"), unless its description says something else.
CONTENT_BLOCKED = "EC_CONTENT_BLOCKED"
STOPPED = ("STOP", "OPT-OUT", "OPTED OUT")
# Infobip's clock and ours differ by no more; what is refused for the moment waits for longer.
CLOCKS_APART = timedelta(minutes=1)
# Ids in one question to the log, of which the query takes 2,048 characters.
IDS = 50

# What an account is asked for by some countries' laws, by the prefix of their numbers; each by its
# name in the connection. https://www.infobip.com/docs/api/channels/sms (options.regional)
REGIONAL: dict[str, tuple[str, dict[str, str]]] = {
    "+91": (
        "indiaDlt",
        {
            "principalEntityId": "india_dlt_entity_id",
            "contentTemplateId": "india_dlt_template_id",
            "telemarketerId": "india_dlt_telemarketer_id",
        },
    ),
    "+90": (
        "turkeyIys",
        {"brandCode": "turkey_iys_brand_code", "recipientType": "turkey_iys_recipient_type"},
    ),
    "+82": ("southKorea", {"resellerCode": "korea_reseller_code", "title": "korea_title"}),
}
# Of these the API takes numbers, and of these it needs the second to know the first.
NUMBERS = ("brandCode", "resellerCode")
NEEDED = {"indiaDlt": "principalEntityId", "turkeyIys": "recipientType"}


class _Key(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"App {self._key}"
        return request


class Infobip(BulkProvider):
    """The connection's password is the API key.

    extra: `webhook_secret`, with which Infobip signs in to our webhooks; what India, Turkey and
    Korea ask for (REGIONAL). Raises ConfigurationError where one of those lacks another.
    """

    name: ClassVar[str] = "infobip"
    title: ClassVar[str] = "Infobip"
    max_batch = 1000
    log_hours: ClassVar[float] = 48
    tells_once: ClassVar[bool] = True

    def __init__(self, account: Account, timeout_seconds: float) -> None:
        super().__init__(account, timeout_seconds)
        for prefix in REGIONAL:
            self._regional(prefix, "")

    def _auth(self) -> AuthBase:
        return _Key(self.account.password)

    def _regional(self, to: str, step: str) -> dict[str, Any]:
        """What the number's country asks for, of what the connection says."""
        for prefix, (name, fields) in REGIONAL.items():
            if not to.startswith(prefix):
                continue
            said = {key: self._said(field, step) for key, field in fields.items()}
            given = {key: value for key, value in said.items() if value}
            needed = NEEDED.get(name)
            if given and needed and needed not in given:
                raise ConfigurationError(
                    f"The connection reengage_sms (infobip) has {fields[next(iter(given))]}, and "
                    f"needs {fields[needed]} with it."
                )
            for key in NUMBERS:
                if key in given and not given[key].isdecimal():
                    raise ConfigurationError(
                        f"{fields[key]} of the connection reengage_sms is no whole number."
                    )
            return (
                {name: {k: int(v) if k in NUMBERS else v for k, v in given.items()}}
                if given
                else {}
            )
        return {}

    def _said(self, field: str, step: str) -> str:
        """A field of the connection; what it says of the step, where it says it of each:
        `survey=1107…, contest=1108…`.
        """
        text = str(self.account.extra.get(field) or "").strip()
        parts = [part.partition("=") for part in text.split(",")]
        if not all(equals for _, equals, _ in parts):
            return text
        return next((value.strip() for name, _, value in parts if name.strip() == step), "")

    def _submit(
        self, bulk_id: str, messages: Sequence[Outgoing], sender: str, validity: timedelta
    ) -> Exchange:
        minutes = max(1, min(validity, MAX_VALIDITY) // timedelta(minutes=1))
        validity_period = {"validityPeriod": {"amount": minutes, "timeUnit": "MINUTES"}}
        payload = {
            "messages": [
                {
                    "sender": sender,
                    "destinations": [{"to": m.to.lstrip("+"), "messageId": m.message_id}],
                    "content": {"text": m.text},
                    "options": {**validity_period, "regional": regional}
                    if (regional := self._regional(m.to, m.step))
                    else validity_period,
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
            message_id, name = item["messageId"], said(status.get("name"))[:100]
            # Only REJECTED is a refusal; whatever else is told later was taken now.
            if known == "rejected":
                yield self._refused(message_id, name or "REJECTED")
                continue
            yield Answer(
                message_id=message_id,
                outcome=Outcome.ACCEPTED,
                provider_message_id=message_id,
                raw_code=name,
                segments=count_of((item.get("details") or {}).get("messageCount")),
            )

    def _error_code(self, content: Any) -> str:
        if not isinstance(content, dict):
            return ""
        older = (content.get("requestError") or {}).get("serviceException") or {}
        return str(content.get("errorCode") or older.get("messageId") or "")

    def log(self, bulk_id: str, handed: Sequence[Handed] = ()) -> list[LogEntry]:
        entries = self._entries(self._pages(bulkId=bulk_id), self._entry)
        # The log may keep no bulkId for a bulk of one, and so hold what it does not show by it; and
        # of what was refused in this bulk as a repetition, an earlier one may have been taken.
        found = {entry.message_id for entry in entries if not entry.may_go_again}
        missing = {one.message_id: one for one in handed if one.message_id not in found}
        ids = list(missing)
        for start in range(0, len(ids), IDS):
            told = self._pages(messageId=",".join(ids[start : start + IDS]))
            entries += [
                entry
                for entry in self._entries(told, self._entry)
                if not _is_of_earlier(entry, bulk_id, missing.get(entry.message_id))
            ]
        return entries

    def _pages(self, **parameters: Any) -> Iterator[dict[str, Any]]:
        seen = set[str]()
        while True:
            page = self._read("/sms/3/logs", **parameters, limit=PAGE, useCursor="true")
            results = page.get("results") if isinstance(page, dict) else None
            if not isinstance(results, list):
                raise self._misread("log")
            yield from results
            cursor = (page.get("cursor") or {}).get("nextCursor")
            # One that repeats leads nowhere; what it hides is asked for by its id.
            if not cursor or str(cursor) in seen:
                return
            seen.add(str(cursor))
            parameters["cursor"] = cursor

    def _entry(self, item: dict[str, Any]) -> LogEntry:
        """An entry of the log, or a delivery report, in today's form or the older one (smsCount).
        Raises one of UNREADABLE where it does not say what became of which message; what else it
        says badly is not told.
        """
        status = item["status"]
        group, name = STATUS[status["groupName"]], said(status.get("name"))[:100]
        group = "accepted" if plain(name) == ON_ITS_WAY else group
        error, price = (
            part if isinstance(part, dict) else {}
            for part in (item.get("error"), item.get("price"))
        )
        count = count_of(item.get("messageCount")) or count_of(item.get("smsCount"))
        each = amount_of(price.get("pricePerMessage"))
        is_failed = group not in ("accepted", "delivered")
        failure = said(error.get("name"))[:100] if is_failed else ""
        code = name if plain(failure) in NO_ERROR else failure
        # The error says more than the status, where it is one that is known.
        cause = (self._cause(error) or self._cause(status)) if is_failed else None
        return LogEntry(
            message_id=message_named(item["messageId"]),
            status=group,
            raw_code=code or group,
            suppress=SUPPRESS.get(cause),
            segments=count,
            price=None if each is None else each * (count or 1),
            currency=None if each is None else said(price.get("currency"))[:10] or None,
            occurred_at=when(_time, item.get("doneAt"), item.get("sentAt")),
            bulk_id=said(item.get("bulkId")) or None,
            may_go_again=group == "rejected" and cause in PASSING,
            is_unlisted=is_failed and self.codes.cause(code) is None,
        )

    def _cause(self, said_of_it: dict[str, Any]) -> Cause | None:
        """On which list a status or an error is."""
        name = said(said_of_it.get("name"))
        description = said(said_of_it.get("description")).upper()
        if plain(name) == CONTENT_BLOCKED and description:
            is_stop = any(word in description for word in STOPPED)
            return Cause.STOP if is_stop else Cause.MESSAGE
        return self.codes.cause(name)

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
        if not webhook.is_known and not is_signed_in(webhook, secret):
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


def _is_of_earlier(entry: LogEntry, bulk_id: str, handed: Handed | None) -> bool:
    """Whether a refusal is of an earlier hand-over: what is refused for the moment keeps its id
    when it is handed over again, and what became of that is what counts.
    """
    if entry.status != "rejected":
        return False
    if entry.bulk_id is not None:
        return entry.bulk_id != bulk_id
    at = entry.occurred_at
    return handed is not None and at is not None and at < handed.at - CLOCKS_APART


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


def _time(text: str) -> datetime:
    """2026-03-01T09:30:00.000+0000, as Infobip writes it. Raises ValueError without a zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time
