"""The words that all providers share: what is handed over, and what is answered and told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from reengage.errors import ProviderError
from reengage.sending.providers.codes import Cause
from reengage.sending.replies import Meaning


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
