"""What every SMS provider has in common: the words, the HTTP, and what an answer proves.

No provider offers an idempotency key. So the one question after each request is: may it have gone
out? Only a request that never left, or that the provider says it did not process, is tried again;
everything else that is no clear answer is UNKNOWN, and is looked up in the provider's own log.
"""

import hashlib
import ipaddress
import json
import logging
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.exceptions import ProxyError as TunnelError

from reengage.errors import ConfigurationError, ProviderError
from reengage.sending.providers.codes import Cause, Codes, codes_of
from reengage.sending.providers.rate import LocalPace, Pace
from reengage.sending.providers.streak import Streak
from reengage.sending.replies import Meaning

log = logging.getLogger(__name__)

T = TypeVar("T")

# How an entry of a log that is not as its description says fails to be read.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)
LONGEST_ID = 200  # of what the warehouse's indexes hold
MOST_SEGMENTS = 1000

CONNECT_SECONDS = 5.0
POOL = 16
# How long nobody begins after "too fast" or "unavailable", unless the provider says how long; and
# after it could not be reached.
HOLD_SECONDS = 1.0
AWAY_SECONDS = 2.0
MOST_HOLD_SECONDS = 60.0
# What a turn may take to come where there is no rate, and nobody is held back.
TURN_SECONDS = 0.25
# How long a message waits that was refused for what passes.
WAIT = timedelta(minutes=30)
LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain"})


class Outcome(StrEnum):
    """What an answer proves about one message."""

    ACCEPTED = "accepted"  # the provider has it
    REJECTED = "rejected"  # refused for good: nothing was sent, and trying again will not help
    RETRY = "retry"  # definitely not sent: it never left, or came too fast
    UNKNOWN = "unknown"  # it may be out: look it up in the provider's log, never send it again


@dataclass(frozen=True)
class Outgoing:
    """A message to hand over. message_id is ours; to is E.164; step: which text it is."""

    message_id: str
    to: str = field(repr=False)
    text: str = field(repr=False)
    step: str = ""


# Why a provider says that the number is not to be texted again: of each, only what its own list of
# codes says of the number, never what it says of a text, a sender or the account.
Suppress = Literal["hard_bounce", "opted_out", "number_reassigned"]

# A refusal for one of these says nothing of the message: it may be handed over again.
PASSING = (Cause.ACCOUNT, Cause.MOMENT, Cause.DOUBT)
SUPPRESS: dict[Cause | None, Suppress] = {Cause.NUMBER: "hard_bounce", Cause.STOP: "opted_out"}
# What a code proves of the message that is refused with it; of one of the account the run stops.
OUTCOMES: dict[Cause | None, Outcome] = {
    Cause.NUMBER: Outcome.REJECTED,
    Cause.STOP: Outcome.REJECTED,
    Cause.MESSAGE: Outcome.REJECTED,
    Cause.MOMENT: Outcome.RETRY,
    Cause.DOUBT: Outcome.UNKNOWN,
}


@dataclass(frozen=True)
class Answer:
    """What became of one message at the hand-over. price is of the whole message; wait: how long it
    is not to be tried again; is_unlisted: refused with a code that is on none of the lists.
    """

    message_id: str
    outcome: Outcome
    provider_message_id: str | None = None
    raw_code: str = ""
    segments: int | None = None
    price: Decimal | None = None
    currency: str | None = None
    suppress: Suppress | None = None
    wait: timedelta | None = None
    is_unlisted: bool = False


@dataclass(frozen=True)
class Handed:
    """A message that was, or may have been, handed over at `at` (aware): what a provider's log is
    compared with.
    """

    message_id: str
    to: str = field(repr=False)
    text: str = field(repr=False)
    provider_message_id: str | None
    at: datetime


# The code of a message for which no turn came in time: it was not sent.
HELD_BACK = "held_back"
# The code of a 2xx that is no JSON.
UNREADABLE_BODY = "unreadable"

LogStatus = Literal["accepted", "delivered", "undelivered", "expired", "rejected"]


@dataclass(frozen=True)
class LogEntry:
    """One message as the provider's log has it now. suppress: why the number is not to be texted
    again. price is of the whole message; occurred_at is aware, when this status came about (None:
    not told). bulk_id: the hand-over that it is about, where the provider says so. may_go_again:
    refused for what says nothing of the message, as that the account has no credit. is_unlisted:
    failed with a code that is on none of the lists.
    """

    message_id: str
    status: LogStatus
    raw_code: str
    suppress: Suppress | None
    segments: int | None
    price: Decimal | None
    currency: str | None
    occurred_at: datetime | None
    bulk_id: str | None = None
    may_go_again: bool = False
    is_unlisted: bool = False


@dataclass(frozen=True)
class Reply:
    """A text that somebody sent back. sender: as the provider writes it, a number or a name;
    received_at: aware, None where it is not told. beside: what came with it that may say what it
    means, such as a button's label; flag: what the provider itself took it for.
    """

    reply_id: str
    sender: str = field(repr=False)
    text: str = field(repr=False)
    received_at: datetime | None
    beside: tuple[str, ...] = field(default=(), repr=False)
    flag: Meaning | None = None


@dataclass(frozen=True)
class Verdict:
    """What a provider says of a number as such, whoever has it. number is E.164; at is aware."""

    number: str = field(repr=False)
    suppress: Suppress
    at: datetime


@dataclass(frozen=True)
class Webhook:
    """A request that a provider made to us. url: in full, as the provider called it, since it is
    signed; headers: by their names in lower case; body: as it came; is_known: it was known to be
    the provider's when it came, and its headers are not asked again.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    is_known: bool = False


@dataclass(frozen=True)
class Told:
    """What a webhook, or a page that was polled, told. unread: parts of it that could not be
    read, each in a form that `hear` takes once it can.
    """

    receipts: Sequence[LogEntry] = ()
    replies: Sequence[Reply] = ()
    verdicts: Sequence[Verdict] = ()
    unread: Sequence[bytes] = field(default=(), repr=False)


@dataclass(frozen=True)
class Account:
    """How a provider is reached. base_url has a scheme and no slash at its end."""

    provider: str
    base_url: str
    login: str
    password: str = field(repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the local provider: its host is loopback, and the connection's extra
        says `sandbox: true`. Both, so that no slip of one setting makes a real account one.
        """
        return self.extra.get("sandbox") in (True, "true", "True") and _is_loopback(self.base_url)


class ProviderUnavailable(ProviderError):
    """The provider cannot be asked just now. Nothing was learned; ask again later."""


class Misread(ProviderUnavailable):
    """Something of what the provider told came in a form that is not understood. entries: what
    could be read of a log; what is not among them may be there all the same.
    """

    def __init__(self, message: str, entries: Sequence[LogEntry] = ()) -> None:
        super().__init__(message)
        self.entries = list(entries)


class AccountRefused(ProviderError):
    """The account, not a message, was refused: its key, its credit, its sender. It would be so for
    everybody, so the run stops.

    answers: one for each message of the batch, where some were sent before; what was not sent is
    RETRY. Empty: nothing at all was sent.
    """

    def __init__(self, message: str, answers: Sequence[Answer] = ()) -> None:
        super().__init__(message)
        self.answers = list(answers)


class BulkRefused(ProviderError):
    """A request of several messages was refused as a whole: nothing of it was sent, and one of them
    may be at fault. Hand them over in parts.
    """


class WebhookRefused(ProviderError):
    """A webhook is not signed by the provider. Nothing was taken."""


@dataclass(frozen=True)
class Exchange:
    """A request and what came of it: ACCEPTED means that `content`, JSON, says so. hold_seconds:
    how long it is better that nobody begins another. body: of a 2xx, as it came.
    """

    outcome: Outcome
    code: str
    content: Any = None
    hold_seconds: float = 0
    body: bytes = field(default=b"", repr=False)


class Provider(ABC):
    """An SMS provider. A subclass builds the requests and reads the answers; this class sends,
    times and classifies. Safe to use from several threads.

    Subclass BulkProvider, or SingleProvider where a request takes one recipient.
    """

    name: ClassVar[str]
    # As people know it.
    title: ClassVar[str]
    # The most messages of one send().
    max_batch: int
    # How long the provider's log keeps a message: an absence in it proves nothing after that.
    log_hours: ClassVar[float]
    # Whether the log is asked by our own ids; else log() compares it with what was handed over.
    knows_our_ids: ClassVar[bool] = True
    # Whether it tells what people reply; else a STOP by reply is not heard.
    tells_replies: ClassVar[bool] = True
    # Whether a reply is told once alone: a page of which all is known is not the last one then.
    tells_once: ClassVar[bool] = False
    # Whether a price is told only some time after the delivery, and is asked for until it is.
    prices_late: ClassVar[bool] = False
    # How long a text may be on its way to the phone where no end can be named; else the provider
    # gives up in time.
    arrival: ClassVar[timedelta] = timedelta(0)
    # Messages a second of an account, unless the connection's extra says otherwise; None: no limit.
    rate_per_second: ClassVar[float | None] = None
    # Each request is written down at this level of the log.
    request_level: ClassVar[int] = logging.INFO
    # From a send()'s beginning to its last request. An absence from the log proves nothing before.
    spread_seconds: float = 0

    def __init__(self, account: Account, timeout_seconds: float) -> None:
        self.account = account
        self.codes: Codes = codes_of(self.name)
        self.streak = Streak()
        # Of this process alone, until a pace is given that others keep, too.
        rates = [rate for rate in self.limits("").values() if rate]
        self.pace: Pace = LocalPace(min(rates, default=None))
        # Connecting is quick or hopeless; the rest of the patience is for the answer.
        self._timeout = (min(CONNECT_SECONDS, timeout_seconds), timeout_seconds)
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_maxsize=POOL, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        # Set as auth, not as a header: a line in ~/.netrc would replace the header.
        self._session.auth = self._auth()
        # A proxy of the environment is for the outside world.
        self._session.trust_env = not _is_loopback(account.base_url)

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the local provider, which texts nobody."""
        return self.account.is_sandbox

    def limits(self, sender: str) -> dict[str, float | None]:
        """What its pace is kept for, as keys, with the messages a second that the connection's
        extra allows each (None: no limit): the account (`rate_per_second`), and the number or name
        that it writes from (`sender_rate_per_second`). Raises ConfigurationError.
        """
        host = urlsplit(self.account.base_url).netloc
        key = f"{self.name} {host} {self.account.login}".rstrip()
        limits = {key: self._rate("rate_per_second", self.rate_per_second)}
        if rate := self._rate("sender_rate_per_second", None):
            limits[f"{key} from {self._writes_as(sender)}"] = rate
        return limits

    def _rate(self, name: str, default: float | None) -> float | None:
        given = self.account.extra.get(name) or default
        try:
            if given is None or float(given) > 0:
                return None if given is None else float(given)
        except (TypeError, ValueError):
            pass
        raise ConfigurationError(
            f"{name} of the connection reengage_sms is {given!r}: write a number above 0, "
            "or leave it empty."
        )

    def _writes_as(self, sender: str) -> str:
        """Whose number a message comes from, where the policy says `sender`."""
        return sender

    def close(self) -> None:
        """Let go of the connections. Another call opens new ones."""
        self._session.close()

    def send(
        self,
        bulk_id: str,
        messages: Sequence[Outgoing],
        sender: str,
        valid_until: datetime,
        now: datetime,
    ) -> list[Answer]:
        """Hand messages over; one Answer for each, in their order.

        bulk_id: ours, stored before this call, so that log() can find what became of it.
        valid_until, now: aware; the provider gives up on a message after valid_until (to the
        minute). What befalls a message is in its Answer. Nothing more begins once the `streak` is
        over. Raises AccountRefused where the account cannot be used; its answers, if it has any,
        say what was sent before; and BulkRefused.
        """
        if len(messages) > self.max_batch:
            raise ValueError(
                f"{len(messages)} messages at once, {self.name} takes {self.max_batch}"
            )
        if not messages:
            return []
        if valid_until <= now:  # it would ring in the hours it was to avoid
            return [Answer(m.message_id, Outcome.REJECTED, raw_code="too_late") for m in messages]
        return self._hand_over(bulk_id, messages, sender, valid_until - now)

    @abstractmethod
    def log(self, bulk_id: str, handed: Sequence[Handed] = ()) -> list[LogEntry]:
        """What the provider's own log holds of a bulk: each message handed over, with its latest
        status (a message that was handed over twice is there twice). Proof of absence only within
        `log_hours` of the hand-over, and for what is in `handed`. Raises ProviderUnavailable where
        the log cannot be read, and Misread, with the others, where an entry cannot.

        handed: the bulk's messages. Their numbers and texts are asked for unless the provider knows
        our ids.
        """

    @abstractmethod
    def reply_pages(self, number: str) -> Iterator[Told]:
        """The texts that came back to our number (E.164; a name takes none), page by page. Where
        `tells_once`, store a page before asking for the next; else the newest come first, so stop
        at a page of which all is known. Raises ProviderUnavailable. What a page holds never raises:
        one reply that cannot be read takes no other with it.
        """

    def hear(self, webhook: Webhook, now: datetime) -> Told:
        """What a webhook of this provider tells; now: aware, when it came. Asks nobody.

        Raises WebhookRefused where it is not signed as the connection says. What it holds never
        raises: what cannot be read is `unread`.
        """
        raise WebhookRefused(f"{self.title} sends no webhooks; its receipts are polled.")

    @abstractmethod
    def test(self) -> str:
        """Ask the provider something harmless. A sentence for a person; raises ProviderError."""

    @abstractmethod
    def _auth(self) -> AuthBase:
        """How requests are signed."""

    @abstractmethod
    def _hand_over(
        self, bulk_id: str, messages: Sequence[Outgoing], sender: str, validity: timedelta
    ) -> list[Answer]:
        """Hand a batch over that may still ring for `validity`; one Answer for each message."""

    def _judge(self, code: str) -> Outcome | None:
        """What the provider's own code proves, whatever the HTTP status; None: nothing, as it is on
        no list. Raises AccountRefused.
        """
        cause = self.codes.cause(code)
        if cause is Cause.ACCOUNT:
            raise self._refuses_account(code)
        return OUTCOMES.get(cause)

    def _refuses_account(self, code: str) -> AccountRefused:
        return AccountRefused(
            f"{self.title} refuses this account ({code}): {self.codes.words(code)}. What was not "
            "sent stays queued, and a rerun sends it."
        )

    def _refused(
        self,
        message_id: str,
        code: str,
        otherwise: Outcome = Outcome.REJECTED,
        *,
        is_held: bool = False,
        **told: Any,
    ) -> Answer:
        """The answer about a message that was not taken, by the list that the code is on.

        otherwise: what it proves where it is on none; is_held: everybody is held back for it, so
        that the message need not wait longer; told: more of the Answer.
        """
        cause = self.codes.cause(code)
        outcome = OUTCOMES.get(cause, otherwise)
        return Answer(
            message_id,
            outcome,
            raw_code=code,
            suppress=SUPPRESS.get(cause),
            wait=WAIT if cause is Cause.MOMENT and not is_held else None,
            is_unlisted=cause is None and outcome is Outcome.REJECTED,
            **told,
        )

    def _noted(self, answer: Answer, to: str) -> Answer:
        """The answer, once it is counted in the streak."""
        if answer.outcome is Outcome.ACCEPTED:
            self.streak.taken()
        elif answer.is_unlisted or answer.wait:
            self.streak.refused(answer.raw_code, to)
        return answer

    def _error_code(self, content: Any) -> str:
        """The provider's code in the body of a refused request."""
        return ""

    def _read(
        self,
        path: str,
        base_url: str | None = None,
        auth: AuthBase | None = None,
        **parameters: Any,
    ) -> Any:
        """GET JSON; raises ProviderUnavailable on anything but a 2xx that can be read. base_url,
        auth: where they are not the account's.
        """
        exchange = self._exchange("GET", path, base_url, params=parameters, auth=auth)
        if exchange.outcome is not Outcome.ACCEPTED:
            raise self._unavailable(exchange.code)
        return exchange.content

    def _unavailable(self, code: str) -> ProviderUnavailable:
        return ProviderUnavailable(
            f"{self.name} could not be asked ({code}). Nothing is lost; the next run asks again. "
            "If it lasts, see the provider's status page."
        )

    def _exchange(
        self, method: str, path: str, base_url: str | None = None, **request: Any
    ) -> Exchange:
        """One request, classified. base_url: where not the account's. Raises AccountRefused where
        the account, not a message, is refused: then the request was surely not processed.
        """
        begun = time.monotonic()
        exchange = self._attempt(method, (base_url or self.account.base_url) + path, request)
        seconds = time.monotonic() - begun
        log.log(
            self.request_level,
            "%s %s %s: %s in %.3f s",
            self.name,
            method,
            path,
            exchange.code,
            seconds,
        )
        return exchange

    def _attempt(self, method: str, url: str, request: dict[str, Any]) -> Exchange:
        try:
            answer = self._session.request(
                method, url, timeout=self._timeout, allow_redirects=False, **request
            )
        except requests.ConnectTimeout:
            return Exchange(Outcome.RETRY, "connect_timeout", hold_seconds=AWAY_SECONDS)
        except requests.Timeout:
            return Exchange(Outcome.UNKNOWN, "read_timeout")
        except requests.RequestException as error:
            cause = _cause(error)
            if isinstance(cause, NewConnectionError):  # DNS too
                return Exchange(Outcome.RETRY, "no_connection", hold_seconds=AWAY_SECONDS)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise AccountRefused(
                    f"{self.name}: the certificate of {_host(url)} is not trusted. Check the "
                    "connection's host, and REQUESTS_CA_BUNDLE behind a proxy of your own."
                ) from cause
            return Exchange(Outcome.UNKNOWN, "connection_lost")
        status = answer.status_code
        try:
            content = json.loads(answer.content, parse_float=Decimal)
        except (ValueError, RecursionError):
            content = None
        if 200 <= status < 300:
            outcome = Outcome.UNKNOWN if content is None else Outcome.ACCEPTED
            code = str(status) if content is not None else UNREADABLE_BODY
            return Exchange(outcome, code, content, body=answer.content)
        code = self._error_code(content)
        hold = _hold_seconds(answer)
        if judged := self._judge(code):
            return Exchange(judged, code, content, hold)
        code = code or f"http_{status}"
        if status == 429:
            return Exchange(Outcome.RETRY, code, hold_seconds=hold)
        if status in (400, 422):
            return Exchange(Outcome.REJECTED, code, content)
        if status in (401, 403):
            raise AccountRefused(
                f"{self.name} refuses the key of the connection ({status} {code}). Put a valid "
                "key with the right to send and read SMS into the connection reengage_sms; "
                "nothing was sent, and a rerun sends it."
            )
        if status in (301, 307, 308, 402, 404, 405, 413, 415):
            raise AccountRefused(
                f"{self.name} did not take the request ({status} {code} from {_host(url)}). "
                "Check the host of the connection reengage_sms and the account's credit; "
                "nothing was sent, and a rerun sends it."
            )
        return Exchange(Outcome.UNKNOWN, code, hold_seconds=hold)

    def _not_taken(self, message_id: str, exchange: Exchange) -> Answer:
        return self._refused(
            message_id, exchange.code, exchange.outcome, is_held=exchange.hold_seconds > 0
        )

    def _works(self) -> str:
        kind = "The local sandbox" if self.is_sandbox else self.title
        return f"{kind} answers at {_host(self.account.base_url)}, and takes the key."

    def _misread(self, what: str, entries: Sequence[LogEntry] = ()) -> Misread:
        return Misread(
            f"{self.name}'s {what} came, in whole or in part, in a form that is not understood, so "
            "that part was not taken from it. Compare "
            f"providers/{self.name}.py with {self.title}'s current API.",
            entries,
        )

    def _entries(self, items: Iterable[T], read: Callable[[T], LogEntry | None]) -> list[LogEntry]:
        """What `read` makes of a log's items (None: of nobody here). Raises Misread, with the
        others, where it fails for one: left out, it would read as a message that was never sent.
        """
        entries, is_whole = [], True
        for item in items:
            try:
                if entry := read(item):
                    entries.append(entry)
            except UNREADABLE:
                is_whole = False
        if not is_whole:
            raise self._misread("log", entries)
        return entries


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


def account_from_uri_or_json(value: str) -> Account:
    """The account in what AIRFLOW_CONN_REENGAGE_SMS may hold: Airflow's JSON or URI form.

    Raises ConfigurationError, without the value: it holds a key.
    """
    try:
        if value.lstrip().startswith("{"):
            parts = json.loads(value)
            extra = parts.get("extra") or {}
            parts["extra"] = json.loads(extra) if isinstance(extra, str) else extra
        else:
            parts = _uri_parts(value)
        return account(**parts)
    except (ValueError, AttributeError, TypeError) as error:
        # Not chained: the parser's message would quote the value.
        raise ConfigurationError(
            "AIRFLOW_CONN_REENGAGE_SMS is neither Airflow's JSON form nor its URI form "
            f"({type(error).__name__}). Write "
            '{"conn_type": "infobip", "host": "….api.infobip.com", "password": "<API key>"}.'
        ) from None


def account(
    conn_type: str | None = None,
    host: str | None = None,
    login: str | None = None,
    password: str | None = None,
    schema: str | None = None,
    port: int | str | None = None,
    extra: Mapping[str, Any] | None = None,
    **_others: Any,
) -> Account:
    """The account in a connection's fields, as Airflow names them.

    https, unless the host (`http://…`) or the schema field says http, or it is the sandbox on
    loopback. Raises ConfigurationError without a type or a host.
    """
    if not conn_type or not host:
        raise ConfigurationError(
            "The connection reengage_sms needs a type (infobip, twilio or mailup) and a host "
            "(<account>.api.infobip.com, api.twilio.com, sendsms.mailup.com)."
        )
    extra = dict(extra or {})
    scheme, _, rest = host.rstrip("/").rpartition("://")
    base = f"{rest}:{port}" if port else rest
    local = extra.get("sandbox") in (True, "true", "True") and _is_loopback(f"http://{base}")
    scheme = scheme or (schema if schema in ("http", "https") else "http" if local else "https")
    return Account(
        provider=conn_type.replace("-", "_"),
        base_url=f"{scheme}://{base}",
        login=login or "",
        password=password or "",
        extra=extra,
    )


def _uri_parts(uri: str) -> dict[str, Any]:
    """Airflow's URI form, type://login:password@host:port/schema?extra, also with a protocol
    before the host (type://http://host).
    """
    kind, separator, rest = uri.strip().partition("://")
    if not separator:
        raise ValueError("no scheme")
    protocol, separator, inner = rest.partition("://")
    nested = separator and "?" not in protocol and "@" not in protocol
    rest, protocol = (inner, f"{protocol}://") if nested else (rest, "")
    parts = urlsplit(f"//{rest}", scheme=kind)
    extra: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "__extra__" in extra:
        extra = dict(json.loads(extra["__extra__"]))
    # Not .hostname: it may be a quoted http://127.0.0.1:8080, which has no lower case to take.
    host = parts.netloc.rpartition("@")[2]
    if parts.port is not None:
        host = host.rpartition(":")[0]
    return {
        "conn_type": kind,
        "host": protocol + unquote(host),
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "schema": unquote(parts.path.strip("/")),
        "port": parts.port,
        "extra": extra,
    }


# --- what is told, whatever its type --------------------------------------------------------------


def said(value: Any) -> str:
    """A value as text that the warehouse takes: of none empty, of another type its JSON."""
    if not isinstance(value, str):
        is_number = isinstance(value, Decimal)
        value = "" if value is None else value if is_number else _as_json(value)
    return str(value).replace("\0", "").encode(errors="replace").decode()


def _as_json(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True, ensure_ascii=False)


def named(value: Any, item: Any) -> str:
    """An id as the provider gives it; where it gives none, a hash of the item."""
    name = said(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if name and len(name) <= LONGEST_ID:
        return name
    text = _as_json(item)
    return f"unnamed-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}"


def message_named(value: Any) -> str:
    """The id of a message in a receipt. Raises ValueError where there is none."""
    name = said(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not name or len(name) > LONGEST_ID:
        raise ValueError("no id")
    return name


def when(read: Callable[[Any], datetime], *values: Any) -> datetime | None:
    """The first of the times that can be read, and has a zone."""
    for value in values:
        try:
            at = read(value)
            if at.tzinfo is not None and at.year < 9999:
                return at
        except (TypeError, ValueError, AttributeError, OverflowError):
            continue
    return None


def count_of(value: Any) -> int | None:
    """How many segments; None where that is not told, or not yet ("0")."""
    try:
        count = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 < count <= MOST_SEGMENTS else None


def amount_of(value: Any) -> Decimal | None:
    """What a message costs; None where that is not told."""
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        return None
    return abs(amount) if amount.is_finite() and abs(amount) < 10**6 else None


class _Unasked(logging.Filter):
    """Keeps the queries of our requests out of urllib3's debug lines: they may hold numbers."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Unasked())


def _hold_seconds(answer: requests.Response) -> float:
    """How long a refused request keeps everybody back: as long as Retry-After says, within reason.
    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after (a date there is not followed)
    """
    if answer.status_code not in (429, 502, 503, 504):
        return 0
    try:
        told = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return HOLD_SECONDS
    return min(max(told, HOLD_SECONDS), MOST_HOLD_SECONDS)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host in LOOPBACK_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cause(error: requests.RequestException) -> object:
    """What lies under requests' and urllib3's wrapping of an error."""
    cause: object = error.args[0] if error.args else error
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, TunnelError):
        cause = cause.original_error
    if isinstance(cause, Exception) and cause.args and isinstance(cause.args[0], ssl.SSLError):
        cause = cause.args[0]
    return cause
