"""What every SMS provider has in common: the hand-over, and what an answer proves.

No provider offers an idempotency key. So the one question after each request is: may it have gone
out? Only a request that never left, or that the provider says it did not process, is tried again;
everything else that is no clear answer is UNKNOWN, and is looked up in the provider's own log.
"""

import json
import logging
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from reengage.errors import ConfigurationError
from reengage.sending.providers.accounts import Account, host_of, is_loopback
from reengage.sending.providers.codes import Cause, Codes, codes_of
from reengage.sending.providers.rate import LocalPace, Pace
from reengage.sending.providers.reading import UNREADABLE
from reengage.sending.providers.requesting import (
    AWAY_SECONDS,
    CONNECT_SECONDS,
    POOL,
    hold_seconds_of,
    root_cause,
)
from reengage.sending.providers.streak import Streak
from reengage.sending.providers.words import (
    OUTCOMES,
    SUPPRESS,
    UNREADABLE_BODY,
    AccountRefused,
    Answer,
    Exchange,
    Handed,
    LogEntry,
    Misread,
    Outcome,
    Outgoing,
    ProviderUnavailable,
    Told,
    Webhook,
    WebhookRefused,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

# What a turn may take to come where there is no rate, and nobody is held back.
TURN_SECONDS = 0.25

# How long a message waits that was refused for what passes.
WAIT = timedelta(minutes=30)


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
        self._session.trust_env = not is_loopback(account.base_url)

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
            cause = root_cause(error)
            if isinstance(cause, NewConnectionError):  # DNS too
                return Exchange(Outcome.RETRY, "no_connection", hold_seconds=AWAY_SECONDS)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise AccountRefused(
                    f"{self.name}: the certificate of {host_of(url)} is not trusted. Check the "
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
        hold = hold_seconds_of(answer)
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
                f"{self.name} did not take the request ({status} {code} from {host_of(url)}). "
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
        return f"{kind} answers at {host_of(self.account.base_url)}, and takes the key."

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
