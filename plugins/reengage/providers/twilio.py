"""Twilio: https://www.twilio.com/docs/messaging/api/message-resource

One recipient a request, and no reference of ours. So our message id travels in the query of the
StatusCallback, and the log is searched by number and text, which holds a link of its own. A price
comes some time after the delivery.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from requests.auth import AuthBase, HTTPBasicAuth

from reengage import replies
from reengage.errors import ConfigurationError
from reengage.providers.base import (
    UNREADABLE,
    Account,
    AccountRefused,
    Answer,
    Exchange,
    Handed,
    LogEntry,
    LogStatus,
    Outcome,
    Outgoing,
    Reply,
    Suppress,
    Told,
    Verdict,
    Webhook,
    WebhookRefused,
    amount_of,
    count_of,
    message_named,
    named,
    said,
    when,
)
from reengage.providers.single import SingleProvider

T = TypeVar("T")

# Of the callback's query: which of our messages it is about.
MESSAGE_ID = "message_id"
PAGE = 1000
# At a time: the newest come first, and a page of which all is known is the last that is read.
REPLIES = 100
MAX_BODY = 1600
# More than any form of Twilio's: a text of the most characters, and some forty short fields.
FORM_BYTES = 64 * 1024
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

# https://www.twilio.com/docs/api/errors: what is said of one message, not of the account.
TOO_FAST = "20429"
OPTED_OUT = "21610"
REFUSED: dict[str, Suppress | None] = {
    "21211": "hard_bounce",  # no valid number
    "21214": None,  # cannot be reached just now
    "21217": "hard_bounce",  # no valid number
    "21408": None,  # a country that the account does not write to
    OPTED_OUT: "opted_out",
    "21612": None,  # not reachable from this sender
    "21614": "hard_bounce",  # no mobile number
    "21617": None,  # too long
}
# Of the account, which Twilio suspends when it has no credit left, too.
INACTIVE = ("20005", "30002")
# Of a receipt: an unknown handset, a landline, and what a messaging service refuses only later.
BOUNCED: dict[str, Suppress | None] = {
    **REFUSED,
    "30005": "hard_bounce",
    "30006": "hard_bounce",
    "63014": "opted_out",  # they have blocked us, or opted out, in a channel of its own
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
        code, content = exchange.code, exchange.content
        if exchange.outcome is not Outcome.ACCEPTED:
            why = REFUSED.get(code) if exchange.outcome is Outcome.REJECTED else None
            return Answer(message.message_id, exchange.outcome, raw_code=code, suppress=why)
        status = STATUS.get(str(content.get("status"))) if isinstance(content, dict) else None
        if status is None or not content.get("sid"):
            return Answer(message.message_id, Outcome.UNKNOWN, raw_code="no_answer")
        failed = status == "rejected"
        code = str(content.get("error_code") or content["status"])
        return Answer(
            message.message_id,
            Outcome.REJECTED if failed else Outcome.ACCEPTED,
            provider_message_id=content["sid"],
            raw_code=code,
            segments=count_of(content.get("num_segments")),
            price=_price(content),
            currency=_currency(content),
            suppress=REFUSED.get(code) if failed else None,
        )

    def _error_code(self, content: Any) -> str:
        return str(content.get("code") or "") if isinstance(content, dict) else ""

    def _judge(self, code: str) -> Outcome | None:
        if code == TOO_FAST:
            return Outcome.RETRY
        if code in INACTIVE:
            raise AccountRefused(
                f"Twilio says that the account is not active ({code}), as it is without credit. "
                "Top it up, or see its console; what was not sent stays queued."
            )
        return Outcome.REJECTED if code in REFUSED else None

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
        if sid := handed.provider_message_id:
            items = [self._read(f"{self._path}/Messages/{sid}.json")]
        else:
            # Not by DateSent: what Twilio has taken and not sent yet has none: it would read as
            # absent. By the number alone it is one page: nobody is texted a thousand times.
            try:
                items = [i for i in self._listed(PAGE, To=handed.to) if _is_of(i, handed)]
            except UNREADABLE:
                return [], False
        try:
            return [_entry(item, handed.message_id) for item in items], True
        except UNREADABLE:
            return [], False

    def _listed(self, size: int, **parameters: Any) -> Iterator[dict[str, Any]]:
        path: str | None = f"{self._path}/Messages.json?" + urlencode(
            {**parameters, "PageSize": size}
        )
        while path:
            # The number is in the query, and stays out of our log.
            parts = urlsplit(path)
            query: dict[str, Any] = dict(parse_qsl(parts.query))
            page = self._read(parts.path, **query)
            items = page.get("messages") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise self._misread("log")
            yield from items
            path = page.get("next_page_uri")

    # --- what comes back --------------------------------------------------------------------------

    def reply_pages(self, number: str) -> Iterator[Told]:
        number = self.account.extra.get("reply_number") or number
        if not number.startswith("+"):
            return
        page: list[Any] = []
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
        status = form.get("MessageStatus") or form.get("SmsStatus")
        if form.get("From") and status in INBOUND and (sid or "Body" in form):
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
                        suppress=_suppress(known, code),
                        segments=None,
                        price=None,
                        currency=None,
                        occurred_at=now,
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
    """The callback's address, naming our message in its query."""
    parts = urlsplit(callback)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), (MESSAGE_ID, message_id)])
    return urlunsplit(parts._replace(query=query))


def signature(token: str, url: str, form: Iterable[tuple[str, str]]) -> str:
    """What Twilio signs a form with: https://www.twilio.com/docs/usage/security. A field that is
    there twice with one value counts once.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(webhook: Webhook, token: str) -> bool:
    """Whether X-Twilio-Signature fits: of a form its fields are signed; of a JSON body its hash,
    which is in the address. The address may have been signed with its port or without.
    """
    given = webhook.headers.get("x-twilio-signature", "").encode()
    hashed = dict(parse_qsl(urlsplit(webhook.url).query)).get("bodySHA256")
    form: list[tuple[str, str]] = []
    if hashed is None:
        # Anybody may post, and half a million fields take half a second to read.
        if not given or len(webhook.body) > FORM_BYTES:
            return False
        form = parse_qsl(webhook.body.decode(errors="replace"), keep_blank_values=True)
    elif hashlib.sha256(webhook.body).hexdigest() != hashed.lower():
        return False
    fitting = [signature(token, url, form).encode() for url in _spellings(webhook.url)]
    return any(hmac.compare_digest(one, given) for one in fitting)


def _spellings(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    host = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return (
        urlunsplit(parts._replace(netloc=host)),
        urlunsplit(parts._replace(netloc=f"{host}:{port}")),
    )


def _is_of(item: dict[str, Any], handed: Handed) -> bool:
    """Whether an entry of the log is this message. Trial accounts put words before the text."""
    if not item["direction"].startswith("outbound"):
        return False
    if parsedate_to_datetime(item["date_created"]) < handed.at - SKEW:
        return False
    if not item["body"]:
        raise ValueError("a text that was taken out of the log")
    return handed.text.strip() in item["body"]


def _entry(item: dict[str, Any], message_id: str) -> LogEntry:
    code = said(item.get("error_code"))[:100]
    status = _status(item["status"], code)
    return LogEntry(
        message_id=message_id,
        status=status,
        raw_code=code or item["status"],
        suppress=_suppress(status, code),
        segments=count_of(item.get("num_segments")),
        price=_price(item),
        currency=_currency(item),
        occurred_at=when(
            parsedate_to_datetime,
            item.get("date_updated"), item.get("date_sent"), item.get("date_created"),
        ),
    )  # fmt: skip


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


def _suppress(status: LogStatus, code: str) -> Suppress | None:
    return BOUNCED.get(code) if status in ("undelivered", "rejected") else None


def _price(item: dict[str, Any]) -> Decimal | None:
    """What we pay, which Twilio writes as a negative amount; None until it is known."""
    return amount_of(item["price"]) if item.get("price") else None


def _currency(item: dict[str, Any]) -> str | None:
    return said(item.get("price_unit")).upper()[:10] or None if item.get("price") else None
