"""Twilio: https://www.twilio.com/docs/messaging/api/message-resource

One recipient a request, and no reference of ours. So our message id travels in the query of the
StatusCallback, and the log is searched by number and text, which holds a link of its own. A price
comes some time after the delivery.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from requests.auth import AuthBase, HTTPBasicAuth

from reengage.errors import ConfigurationError
from reengage.sending import replies
from reengage.sending.providers.accounts import Account
from reengage.sending.providers.reading import (
    UNREADABLE,
    amount_of,
    count_of,
    message_named,
    named,
    said,
    when,
)
from reengage.sending.providers.signatures import RETRIES, is_signed
from reengage.sending.providers.single import Endless, SingleProvider
from reengage.sending.providers.words import (
    PASSING,
    SUPPRESS,
    Answer,
    Exchange,
    Handed,
    LogEntry,
    LogStatus,
    Outcome,
    Outgoing,
    Reply,
    Told,
    Verdict,
    Webhook,
    WebhookRefused,
)

T = TypeVar("T")

# Of the callback's query: which of our messages it is about.
MESSAGE_ID = "message_id"

PAGE = 1000

# At a time: the newest come first, and a page of which all is known is the last that is read.
REPLIES = 100

MAX_BODY = 1600

MAX_VALIDITY = timedelta(seconds=36_000)

READERS = 8

# The log is compared with what was handed over by two clocks, and by the day.
SKEW = timedelta(days=1)

# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
STATUS: dict[str, LogStatus] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "accepted",
    "delivered": "delivered",
    "read": "delivered",
    "partially_delivered": "undelivered",
    "undelivered": "undelivered",
    "failed": "rejected",
    "canceled": "rejected",
}

VALIDITY_OVER = "30036"

# https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out: what Twilio itself took a reply
# for, whatever its words; it has blocked the number, or lets it be texted again. HELP says neither.
FLAGS: dict[str, replies.Meaning] = {"STOP": "stop", "START": "start"}

# https://www.twilio.com/docs/events/event-types/messaging/compliance-toolkit, by Event Streams.
REASSIGNED = "com.twilio.messaging.reassigned-number.detected"

# Of a message that came in; a status callback has another.
INBOUND = (None, "", "received", "receiving")


class Twilio(SingleProvider):
    """The connection's login is the Account SID, its password the Auth Token.

    extra: `messaging_service_sid`, instead of the policy's sender; `status_callback`, where our
    webhook is reached.
    """

    name: ClassVar[str] = "twilio"
    title: ClassVar[str] = "Twilio"
    max_batch = 500
    # https://support.twilio.com: kept for 13 months; a month is more than any run waits.
    log_hours: ClassVar[float] = 24 * 30
    knows_our_ids: ClassVar[bool] = False
    prices_late: ClassVar[bool] = True
    rate_per_second: ClassVar[float | None] = 100

    def __init__(self, account: Account, timeout_seconds: float) -> None:
        if not account.login or not account.password:
            raise ConfigurationError(
                "The connection reengage_sms (twilio) needs the Account SID as its login and the "
                "Auth Token as its password."
            )
        super().__init__(account, timeout_seconds)
        self._path = f"/2010-04-01/Accounts/{account.login}"

    def _auth(self) -> AuthBase:
        return HTTPBasicAuth(self.account.login, self.account.password)

    def _writes_as(self, sender: str) -> str:
        return self.account.extra.get("messaging_service_sid") or sender

    def _unfit(self, message: Outgoing) -> str | None:
        return "text_too_long" if len(message.text) > MAX_BODY else None

    def _submit(
        self, bulk_id: str, message: Outgoing, sender: str, validity: timedelta
    ) -> Exchange:
        form = {
            "To": message.to,
            "Body": message.text,
            "ValidityPeriod": max(1, int(min(validity, MAX_VALIDITY).total_seconds())),
            # It would change the text, by which the log is searched.
            "SmartEncoded": "false",
        }
        writer = self._writes_as(sender)
        form["From" if writer == sender else "MessagingServiceSid"] = writer
        if callback := self.account.extra.get("status_callback"):
            form["StatusCallback"] = with_message_id(callback, message.message_id)
        return self._exchange("POST", f"{self._path}/Messages.json", data=form)

    def _answer(self, message: Outgoing, exchange: Exchange) -> Answer:
        content = exchange.content
        if exchange.outcome is not Outcome.ACCEPTED:
            return self._not_taken(message.message_id, exchange)
        status = STATUS.get(str(content.get("status"))) if isinstance(content, dict) else None
        if status is None or not content.get("sid"):
            return Answer(message.message_id, Outcome.UNKNOWN, raw_code="no_answer")
        code = str(content.get("error_code") or content["status"])
        told: dict[str, Any] = {
            "provider_message_id": content["sid"],
            "segments": count_of(content.get("num_segments")),
            "price": _price(content),
            "currency": _currency(content),
        }
        if status == "rejected":
            self._judge(code)  # raises for what is of the account
            return self._refused(message.message_id, code, **told)
        return Answer(message.message_id, Outcome.ACCEPTED, raw_code=code, **told)

    def _error_code(self, content: Any) -> str:
        return str(content.get("code") or "") if isinstance(content, dict) else ""

    # --- the log ----------------------------------------------------------------------------------

    def log(self, bulk_id: str, handed: Sequence[Handed] = ()) -> list[LogEntry]:
        # By threads: a request for each message, since nothing in Twilio's log names a batch.
        with ThreadPoolExecutor(READERS, thread_name_prefix=self.name) as pool:
            found = list(pool.map(self._look_up, handed))
        entries = [entry for entries, _ in found for entry in entries]
        if not all(is_whole for _, is_whole in found):
            raise self._misread("log", entries)
        return entries

    def _look_up(self, handed: Handed) -> tuple[list[LogEntry], bool]:
        """What the log holds of a message, and whether all of that could be read."""
        found: list[LogEntry] = []
        try:
            if sid := handed.provider_message_id:
                item = self._read(f"{self._path}/Messages/{sid}.json")
                return [self._entry(item, handed.message_id)], True
            # Not by DateSent: what Twilio has taken and not sent yet has none: it would read as
            # absent. By the number alone it is one page: nobody is texted a thousand times.
            for item in self._listed(PAGE, To=handed.to):
                if _is_of(item, handed):
                    found.append(self._entry(item, handed.message_id))
        except (Endless, *UNREADABLE):
            # What was found is there, however the list goes on.
            return found, bool(found)
        return found, True

    def _listed(self, size: int, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page. Raises Endless at a page that was there before."""
        path: str | None = f"{self._path}/Messages.json?" + urlencode(
            {**parameters, "PageSize": size}
        )
        seen = set[str]()
        while path:
            if path in seen:
                raise Endless
            seen.add(path)
            # The number is in the query, and stays out of our log.
            parts = urlsplit(path)
            query: dict[str, Any] = dict(parse_qsl(parts.query))
            page = self._read(parts.path, **query)
            items = page.get("messages") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise self._misread("log")
            yield from items
            path = page.get("next_page_uri")

    def _entry(self, item: dict[str, Any], message_id: str) -> LogEntry:
        code = said(item.get("error_code"))[:100]
        status = _status(item["status"], code)
        return LogEntry(
            message_id=message_id,
            status=status,
            raw_code=code or item["status"],
            segments=count_of(item.get("num_segments")),
            price=_price(item),
            currency=_currency(item),
            occurred_at=when(
                parsedate_to_datetime,
                item.get("date_updated"),
                item.get("date_sent"),
                item.get("date_created"),
            ),
            **self._means(status, code),
        )

    def _means(self, status: LogStatus, code: str) -> dict[str, Any]:
        """What a failure's code says, by its list."""
        is_failed = status not in ("accepted", "delivered")
        cause = self.codes.cause(code) if is_failed else None
        return {
            "suppress": SUPPRESS.get(cause),
            "may_go_again": status == "rejected" and cause in PASSING,
            "is_unlisted": is_failed and bool(code) and cause is None,
        }

    # --- what comes back --------------------------------------------------------------------------

    def reply_pages(self, number: str) -> Iterator[Told]:
        number = self.account.extra.get("reply_number") or number
        if not number.startswith("+"):
            return
        page: list[Any] = []
        with suppress(Endless):
            for item in self._listed(REPLIES, To=number):
                page.append(item)
                if len(page) == REPLIES:
                    yield _told(page)
                    page = []
        if page:
            yield _told(page)

    def hear(self, webhook: Webhook, now: datetime) -> Told:
        """A status callback, an incoming message, or an event of Event Streams, as Twilio posts
        them. A form tells no time: what it tells occurred `now`.
        """
        if not webhook.is_known and not is_signed(webhook, self.account.password):
            raise WebhookRefused(
                "A webhook is not signed with the Auth Token of the connection reengage_sms. Check "
                "the token, and that the address is the one that Twilio was given."
            )
        if webhook.body.lstrip()[:1] in (b"{", b"["):
            return self._events(webhook.body, now)
        form = dict(parse_qsl(webhook.body.decode(errors="replace"), keep_blank_values=True))
        form = {name: said(value) for name, value in form.items()}
        sid = form.get("MessageSid") or form.get("SmsSid") or form.get("SmsMessageSid")
        status = (form.get("MessageStatus") or form.get("SmsStatus") or "").strip().lower() or None
        # A report on a text of ours has no body: what has one is a reply, whatever its status.
        is_reply = status in INBOUND and (sid or "Body" in form)
        is_reply = is_reply or ("Body" in form and status not in STATUS)
        if form.get("From") and is_reply:
            return Told(replies=[_heard(form, named(sid, form))])
        if sid and status in STATUS:
            code = form.get("ErrorCode") or ""
            queried = dict(parse_qsl(urlsplit(webhook.url).query)).get(MESSAGE_ID)
            known = _status(status, code)
            try:
                message_id = message_named(queried or sid)
            except ValueError:
                return Told(unread=[webhook.body])
            return Told(
                receipts=[
                    LogEntry(
                        message_id=message_id,
                        status=known,
                        raw_code=code[:100] or status,
                        segments=None,
                        price=None,
                        currency=None,
                        occurred_at=now,
                        **self._means(known, code),
                    )
                ]
            )
        return Told(unread=[webhook.body])

    def _events(self, body: bytes, now: datetime) -> Told:
        """What a JSON body tells: events, one or several; or what was kept of a page of replies."""
        try:
            items = json.loads(body)
        except (ValueError, RecursionError):
            return Told(unread=[body])
        if isinstance(items, dict) and isinstance(items.get("messages"), list):
            return _told(items["messages"])
        verdicts, unread = [], []
        for item in items if isinstance(items, list) else [items]:
            try:
                if item["type"] != REASSIGNED:
                    raise ValueError("another event")
                data = item["data"]
                if data.get("is_reassigned") is False:
                    continue
                at = when(datetime.fromisoformat, data.get("timestamp"), item.get("time")) or now
                number = data["to_number"]
                if not isinstance(number, str):
                    raise ValueError("no number")
                verdicts.append(Verdict(said(number), "number_reassigned", min(at, now)))
            except UNREADABLE:
                unread.append(json.dumps(item).encode())
        return Told(verdicts=verdicts, unread=unread)

    def test(self) -> str:
        self._read(f"{self._path}.json")
        return self._works()


def with_message_id(callback: str, message_id: str) -> str:
    """The callback's address, naming our message in its query; and, unless it says so itself, how
    Twilio calls it, which Twilio keeps to itself.
    """
    parts = urlsplit(callback)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), (MESSAGE_ID, message_id)])
    return urlunsplit(parts._replace(query=query, fragment=parts.fragment or RETRIES))


def _is_of(item: dict[str, Any], handed: Handed) -> bool:
    """Whether an entry of the log is this message. Trial accounts put words before the text."""
    if not item["direction"].startswith("outbound"):
        return False
    if parsedate_to_datetime(item["date_created"]) < handed.at - SKEW:
        return False
    if not item["body"]:
        raise ValueError("a text that was taken out of the log")
    return handed.text.strip() in item["body"]


def _told(items: Sequence[Any]) -> Told:
    """The replies of a page of the log, item by item: none takes another with it."""
    heard, unread = [], []
    for item in items:
        try:
            heard.append(_reply(item))
        except Exception:  # of whatever kind: it is kept as it came
            unread.append(json.dumps({"messages": [item]}, default=str).encode())
    return Told(replies=heard, unread=unread)


def _reply(item: dict[str, Any]) -> Reply:
    sender = item["from"]
    if not isinstance(sender, str) or not said(sender).strip():
        raise ValueError("no sender")
    at = when(parsedate_to_datetime, item.get("date_sent"), item.get("date_created"))
    return Reply(named(item.get("sid"), item), said(sender), said(item.get("body")), at)


def _heard(form: dict[str, str], reply_id: str) -> Reply:
    """An incoming message: a text, a picture without one, or the press of a button where there are
    any (https://www.twilio.com/docs/messaging/guides/webhook-request).
    """
    pressed = [form[name] for name in ("ButtonText", "ButtonPayload") if form.get(name)]
    text = form.get("Body") or (pressed[0] if pressed else "")
    flag = FLAGS.get(form.get("OptOutType", "").strip().upper())
    return Reply(reply_id, form["From"], text, None, tuple(pressed), flag)


def _status(status: str, code: str) -> LogStatus:
    return "expired" if code == VALIDITY_OVER else STATUS[status]


def _price(item: dict[str, Any]) -> Decimal | None:
    """What we pay, which Twilio writes as a negative amount; None until it is known."""
    return amount_of(item["price"]) if item.get("price") else None


def _currency(item: dict[str, Any]) -> str | None:
    return said(item.get("price_unit")).upper()[:10] or None if item.get("price") else None
