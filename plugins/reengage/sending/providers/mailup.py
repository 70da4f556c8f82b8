"""MailUp: https://help.mailup.com/display/mailupapi/Transactional+SMS+using+APIs

One recipient a request, and no reference of ours. So each bulk is a campaign of its own, named by
its id, and the console's report of the campaign is searched by number: a number is in a bulk only
once. There are no webhooks. Prices are credits.
"""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Lock
from typing import Any, ClassVar

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from reengage.errors import ConfigurationError, ProviderError
from reengage.sending.providers.accounts import Account
from reengage.sending.providers.reading import said, when
from reengage.sending.providers.single import Endless, SingleProvider
from reengage.sending.providers.words import (
    AccountRefused,
    Answer,
    Exchange,
    Handed,
    LogEntry,
    LogStatus,
    Outcome,
    Outgoing,
    Told,
)
from reengage.texts.segments import segments

log = logging.getLogger(__name__)

CONSOLE = "https://services.mailup.com"
REST = "/API/v1.1/Rest/ConsoleService.svc/Console"
PAGE = 500
# Longer texts are cut off without a word: 459 characters, or as many segments of UCS-2.
MAX_SEGMENTS = 3
CREDITS = "credits"

# Of the codes of the page above: sent and charged, though without an id. A success.
SENT_UNCOUNTED = "301"

# https://help.mailup.com/display/mailupapi/Text+messages+-+SMS: of a report's line.
STATUS: dict[int, LogStatus] = {0: "delivered", 1: "accepted", 2: "undelivered"}
EXPIRED = "EXPIRED"

NEEDED = ("account_id", "list_id", "list_guid", "list_secret", "client_id", "client_secret")


class _Unsigned(AuthBase):
    """Nothing in the headers: the list's secret is in the body."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        return request


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class MailUp(SingleProvider):
    """The connection's login and password are the account's.

    extra: account_id, list_id, list_guid and list_secret to send; client_id and client_secret of
    an API key, to read the report; credit_price and credit_currency, what a credit costs.
    """

    name: ClassVar[str] = "mailup"
    title: ClassVar[str] = "MailUp"
    max_batch = 300
    log_hours: ClassVar[float] = 48
    knows_our_ids: ClassVar[bool] = False
    tells_replies: ClassVar[bool] = False
    # No validity can be given, and no page says how long a text may be on its way.
    arrival: ClassVar[timedelta] = timedelta(minutes=30)
    # MailUp takes 30 a second; what is sent evenly does not arrive quite so.
    rate_per_second: ClassVar[float | None] = 27

    def __init__(self, account: Account, timeout_seconds: float) -> None:
        extra = account.extra
        missing = [name for name in NEEDED if not extra.get(name)]
        if missing or not account.login or not account.password:
            raise ConfigurationError(
                "The connection reengage_sms (mailup) needs the account's login and password, and "
                f"lacks {', '.join(missing) or 'one of them'}. MailUp shows them under Settings, "
                "Account settings, Developer's corner."
            )
        super().__init__(account, timeout_seconds)
        self._list = str(extra["list_id"])
        self._console_url = str(
            extra.get("console_url") or (account.base_url if account.is_sandbox else CONSOLE)
        ).rstrip("/")
        self._credit_price, self._currency = self._worth(account)
        self._token: tuple[str, float] = ("", 0.0)
        self._lock = Lock()

    def _worth(self, account: Account) -> tuple[Decimal, str]:
        price, currency = account.extra.get("credit_price"), account.extra.get("credit_currency")
        if not price and not currency:
            return Decimal(1), CREDITS
        try:
            return Decimal(str(price)), str(currency or "").strip() or _none()
        except (ArithmeticError, ValueError) as error:
            raise ConfigurationError(
                "The connection reengage_sms (mailup) needs credit_price, a number, and "
                "credit_currency, like EUR: both, or neither."
            ) from error

    def _auth(self) -> AuthBase:
        return _Unsigned()

    def _hand_over(
        self, bulk_id: str, messages: Sequence[Outgoing], sender: str, validity: timedelta
    ) -> list[Answer]:
        # The report names numbers, not messages: who shares one waits for the next bulk.
        first = _first_of_number(messages)
        mine = [message for message in messages if first[message.to] == message.message_id]
        try:
            told = super()._hand_over(bulk_id, mine, sender, validity)
        except AccountRefused as error:
            error.answers = _in_order(messages, error.answers)
            raise
        return _in_order(messages, told)

    def _unfit(self, message: Outgoing) -> str | None:
        return "text_too_long" if segments(message.text).segments > MAX_SEGMENTS else None

    def _submit(
        self, bulk_id: str, message: Outgoing, sender: str, validity: timedelta
    ) -> Exchange:
        extra = self.account.extra
        # MailUp has no word for `validity`.
        return self._exchange(
            "POST",
            f"/api/v2.0/sms/{extra['account_id']}/{self._list}",
            json={
                "Content": message.text,
                "ListGuid": extra["list_guid"],
                "ListSecret": extra["list_secret"],
                "Recipient": message.to,
                "CampaignCode": bulk_id,
                "DynamicFields": [],
                "isUnicode": int(segments(message.text).encoding == "UCS-2"),
                "Sender": sender.lstrip("+"),
            },
        )

    def _answer(self, message: Outgoing, exchange: Exchange) -> Answer:
        content = exchange.content
        if exchange.outcome is not Outcome.ACCEPTED:
            return self._not_taken(message.message_id, exchange)
        code = self._error_code(content)
        if code not in ("0", SENT_UNCOUNTED):  # a refusal under a 200
            self._judge(code)  # raises for what is of the account
            return self._refused(message.message_id, code or "no_answer", Outcome.UNKNOWN)
        data = content.get("Data") or {}
        cost, delivery = data.get("Cost"), data.get("DeliveryId")
        return Answer(
            message.message_id,
            Outcome.ACCEPTED,
            provider_message_id=str(delivery) if delivery else None,
            raw_code=code,
            segments=segments(message.text).segments,
            price=None if cost is None else Decimal(cost) * self._credit_price,
            currency=None if cost is None else self._currency,
        )

    def _error_code(self, content: Any) -> str:
        return str(content.get("Code", "")) if isinstance(content, dict) else ""

    def _judge(self, code: str) -> Outcome | None:
        return Outcome.ACCEPTED if code == SENT_UNCOUNTED else super()._judge(code)

    # --- the console ------------------------------------------------------------------------------

    def log(self, bulk_id: str, handed: Sequence[Handed] = ()) -> list[LogEntry]:
        first = _first_of_number(handed)
        # The first hand-over with a campaign's name makes it. None: nothing of the bulk arrived.
        campaigns = self._items(
            f"/Sms/List/{self._list}/Messages", filterby=f"\"Subject=='{bulk_id}'\""
        )
        items: list[Any] = []
        is_whole = False
        # What is shown is there; what is not may be on a page that was not seen.
        with suppress(Endless):
            for campaign in campaigns:
                try:
                    number = int(campaign["idMessage"])
                    if campaign["Subject"] != bulk_id:
                        raise ValueError("another campaign")
                except (KeyError, TypeError, ValueError) as error:
                    raise self._misread("list of campaigns") from error
                for item in self._items(f"/Sms/{number}/Sendings/ReportDetails"):
                    items.append(item)
            is_whole = True
        entries = self._entries(items, lambda item: self._entry(item, first))
        if not is_whole:
            raise self._misread("console", entries)
        return entries

    def _entry(self, item: dict[str, Any], first: dict[str, str]) -> LogEntry | None:
        """A line of the report; None where its number is none of the bulk's."""
        message_id = first.get("+" + item["Receiver"].lstrip("+0"))
        if message_id is None:
            return None
        status, code = STATUS[item["Status"]], said(item.get("ErrorCode"))[:100]
        kind = code.partition("_")[0]
        if status == "undelivered" and kind == EXPIRED:
            status = "expired"
        is_failed = status not in ("accepted", "delivered")
        return LogEntry(
            message_id=message_id,
            status=status,
            raw_code=code or str(item["Status"]),
            # The page names the kinds of errors, and none that is for good.
            suppress=None,
            segments=None,
            price=None,
            currency=None,
            occurred_at=when(_time, item.get("SentDate")),
            is_unlisted=is_failed and bool(code) and self.codes.cause(kind) is None,
        )

    def _items(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page. Raises Endless where it does not go on to its end."""
        page, shown, seen = 0, 0, set[str]()
        while True:
            content = self._read(
                REST + path,
                base_url=self._console_url,
                auth=self._signed_in(),
                **parameters,
                pageNumber=page,
                pageSize=PAGE,
            )
            items = content.get("Items") if isinstance(content, dict) else None
            if not isinstance(items, list):
                raise self._misread("console")
            text = json.dumps(items, default=str)
            if text in seen:
                raise Endless
            yield from items
            page, shown = page + 1, shown + len(items)
            seen.add(text)
            # A page may be shorter than it was asked to be: the list says how long it is.
            total = content.get("TotalElementsCount")
            if shown >= total if isinstance(total, int) and total else len(items) < PAGE:
                return

    def _signed_in(self) -> AuthBase:
        """https://help.mailup.com/display/mailupapi/Authenticating+with+OAuth+v2"""
        with self._lock:
            token, until = self._token
            if time.monotonic() < until:
                return _Bearer(token)
            extra = self.account.extra
            exchange = self._exchange(
                "POST",
                "/Authorization/OAuth/Token",
                base_url=self._console_url,
                auth=HTTPBasicAuth(str(extra["client_id"]), str(extra["client_secret"])),
                data={
                    "grant_type": "password",
                    "username": self.account.login,
                    "password": self.account.password,
                },
            )
            content = exchange.content
            if exchange.outcome is not Outcome.ACCEPTED or not isinstance(content, dict):
                raise self._unavailable(exchange.code)
            try:
                token, seconds = content["access_token"], float(content["expires_in"])
            except (KeyError, TypeError, ValueError) as error:
                raise self._misread("token") from error
            self._token = (token, time.monotonic() + seconds - 60)
            return _Bearer(token)

    def reply_pages(self, number: str) -> Iterator[Told]:
        # MailUp tells no replies: whoever wants to stop uses the link.
        return iter(())

    def test(self) -> str:
        content = self._read(
            f"/api/v2.0/lists/{self._list}/listsecret",
            auth=HTTPBasicAuth(self.account.login, self.account.password),
        )
        data = content.get("Data") if isinstance(content, dict) else None
        secret = data.get("ListSecret") if isinstance(data, dict) else None
        if not secret or str(secret).lower() != str(self.account.extra["list_secret"]).lower():
            raise ProviderError(
                "MailUp knows the account, but list_secret of the connection reengage_sms is not "
                "the secret of that list. Create one, or copy it anew."
            )
        next(self._items(f"/Sms/List/{self._list}/Messages"), None)
        return self._works()


def _first_of_number(messages: Sequence[Outgoing] | Sequence[Handed]) -> dict[str, str]:
    """Of the messages to one number the only one that a bulk hands over, whoever asks."""
    first: dict[str, str] = {}
    for message in messages:
        first[message.to] = min(message.message_id, first.get(message.to, message.message_id))
    return first


def _in_order(messages: Sequence[Outgoing], answers: Sequence[Answer]) -> list[Answer]:
    told = {answer.message_id: answer for answer in answers}
    return [
        told.get(m.message_id) or Answer(m.message_id, Outcome.RETRY, raw_code="same_number")
        for m in messages
    ]


def _time(text: str) -> datetime:
    """2026-01-29 14:11:10Z, as MailUp writes it, in UTC."""
    return datetime.fromisoformat(text.rstrip("Z").strip()).replace(tzinfo=UTC)


def _none() -> str:
    raise ValueError("no currency")
