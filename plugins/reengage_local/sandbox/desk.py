"""What the sandbox's wire formats share: what was accepted, who is asking, what goes wrong."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reengage.clock import Clock
from reengage.errors import ConfigurationError
from reengage.yaml_files.mistakes import explain
from reengage_local.sandbox.deeds import draw
from reengage_local.sandbox.journal import append, lines, repair, replace

PRICE, CURRENCY = 0.0079, "USD"  # of a segment


class RefusedNumber(BaseModel):
    """How a number is refused, in the words of the provider that is played. status: of HTTP; 200:
    within an answer that takes the others. At Infobip any other refuses the request as a whole.
    """

    model_config = ConfigDict(extra="forbid")

    code: str
    status: int = 400
    description: str = "Refused"


class Faults(BaseModel):
    """What goes wrong, on purpose. Shares are of requests (reject_share: of messages).

    Set on app.state.faults, or by another process in the folder's faults.json, which is read at
    each request and goes before.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    # Each answer to a send comes this late; its messages are accepted all the same.
    slow_seconds: float = Field(default=0, ge=0)
    # Accepted and logged, then the connection is reset without an answer.
    drop_answer_share: float = Field(default=0, ge=0, le=1)
    # Answered with error_status: before anything is accepted, or (not 429) `after` it.
    error_share: float = Field(default=0, ge=0, le=1)
    error_status: Literal[429, 500, 503] = 503
    after: bool = False
    # Refused, the others not: half a batch, say.
    reject_share: float = Field(default=0, ge=0, le=1)
    # Refused, by number (E.164; "*": everybody's); nothing is taken for them.
    refuse: dict[str, RefusedNumber] = Field(default_factory=dict)
    # No more messages than this are ever taken; after them there is no credit left.
    credit: int | None = Field(default=None, ge=0)
    # More requests in a second than this are answered with 429.
    rate_per_second: int | None = Field(default=None, ge=1)
    # Webhooks that come twice, and in whatever order.
    repeat_receipt_share: float = Field(default=0, ge=0, le=1)
    shuffle_receipts: bool = False
    # Infobip's log keeps no bulk of a request of one recipient, as its description says.
    no_bulk_of_one: bool = False
    # The log answers 503.
    log_error_share: float = Field(default=0, ge=0, le=1)


class Refusal(Exception):
    """An answer that is no 2xx, in the words of the provider that is played."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body

    def answer(self) -> Response:
        return JSONResponse(self.body, self.status)


class Desk:
    """What the routes of one sandbox work with."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        key: str,
        seed: str,
        log_hours: float,
        given: Callable[[], Faults],
    ) -> None:
        self.clock = clock
        self.key = key
        self.seed = seed
        self.log_hours = log_hours
        self.memory = Memory(folder)
        self._file = folder / "faults.json"
        self._given = given
        self._requests: Counter[str] = Counter()
        self._begun: list[float] = []

    def faults(self) -> Faults:
        """What goes wrong at this request."""
        if not self._file.exists():
            return self._given()
        try:
            return Faults.model_validate_json(self._file.read_text(encoding="utf-8"))
        except ValidationError as error:
            raise ConfigurationError(f"{self._file} {explain(error, None, Faults)}") from error

    def trial(self, key: str) -> "Trial":
        """A request that hands something in; the same again may fare better."""
        nth = str(self._requests[key])
        self._requests[key] += 1
        return Trial(self.faults(), self.seed, key, nth)

    def log_fails(self) -> bool:
        self._requests["log"] += 1
        return draw(self.seed, "log", str(self._requests["log"])) < self.faults().log_error_share

    def is_too_fast(self, limit: int | None) -> bool:
        """Whether more requests than `limit` came within the last second, by the real time."""
        if limit is None:
            return False
        now = asyncio.get_running_loop().time()
        self._begun = [moment for moment in self._begun if moment > now - 1]
        if len(self._begun) >= limit:
            return True
        self._begun.append(now)
        return False

    def is_rejected(self, message_id: str) -> bool:
        return draw(self.seed, "reject", message_id) < self.faults().reject_share

    def refuses(self, number: str) -> RefusedNumber | None:
        """How a number is refused, if it is."""
        refused = self.faults().refuse
        return refused.get(number) or refused.get("*")

    def has_credit(self, messages: int = 1) -> bool:
        credit = self.faults().credit
        return credit is None or self.memory.count() + messages <= credit


class Trial:
    """How a request fares."""

    def __init__(self, faults: Faults, seed: str, key: str, nth: str) -> None:
        self.faults = faults
        self._seed, self._key, self._nth = seed, key, nth
        self.fails = self.happens("error", faults.error_share)
        self.is_late = faults.after and faults.error_status != 429

    def happens(self, what: str, share: float) -> bool:
        return draw(self._seed, what, self._key, self._nth) < share

    async def end(self, request: Request, answer: Response, failure: Response) -> Response:
        """Answer a request whose messages are taken: late, not at all, or with an error."""
        await asyncio.sleep(self.faults.slow_seconds)
        if self.happens("drop", self.faults.drop_answer_share):
            return await _cut(request)
        return failure if self.fails else answer


class Memory:
    """The folder: what was accepted, found again by its keys; which replies were told."""

    def __init__(self, folder: Path) -> None:
        self._accepted = folder / "accepted.jsonl"
        self._replies = folder / "replies.jsonl"
        self._told = folder / "inbox.json"
        self._read = 0
        self._count = 0
        # Byte ranges of the file by key, so that memory grows with bulks and not with messages
        # (but for providers that take one at a time).
        self._ranges: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._bulks: dict[str, dict[str, int]] = defaultdict(dict)
        repair(self._accepted)

    def take(self, messages: list[dict[str, Any]]) -> None:
        if messages:
            append(self._accepted, messages, sync=True)

    def count(self) -> int:
        """How many messages were ever taken."""
        self._follow()
        return self._count

    def find(self, key: str) -> Iterator[dict[str, Any]]:
        """What was taken under a key (a provider, or a bulk, number or id of one), in its order."""
        self._follow()
        for start, stop in self._ranges.get(key, []):
            for _, _, message in lines(self._accepted, start, stop):
                yield message

    def with_ids(self, provider: str, ids: set[str]) -> Iterator[dict[str, Any]]:
        """What a provider took under ids of ours."""
        for _, _, message in lines(self._accepted):
            if message["provider"] == provider and message["message_id"] in ids:
                yield message

    def bulks(self, provider: str) -> dict[str, int]:
        """The bulks of a provider in the order they came, with a number each."""
        self._follow()
        return self._bulks[provider]

    def _follow(self) -> None:
        for at, end, message in lines(self._accepted, self._read):
            self._count += 1
            provider = message["provider"]
            bulks = self._bulks[provider]
            bulks.setdefault(message["bulk_id"], len(bulks) + 1)
            for key in _keys(message):
                ranges = self._ranges[key]
                if ranges and ranges[-1][1] == at:
                    ranges[-1] = (ranges[-1][0], end)
                else:
                    ranges.append((at, end))
            self._read = end

    def replies(self) -> Iterator[dict[str, Any]]:
        """What people sent back."""
        for _, _, reply in lines(self._replies):
            yield reply

    def untold(self, until: datetime, limit: int) -> list[dict[str, Any]]:
        """The next replies that have come `until` then. They are noted as told before they are."""
        told: int = json.loads(self._told.read_text()) if self._told.exists() else 0
        found: list[dict[str, Any]] = []
        for _, end, reply in lines(self._replies, told):
            if datetime.fromisoformat(reply["received_at"]) > until or len(found) == limit:
                break
            told = end
            found.append(reply)
        if found:
            replace(self._told, told)
        return found


def _keys(message: dict[str, Any]) -> Iterable[str]:
    provider = message["provider"]
    yield f"{provider} bulk {message['bulk_id']}"
    if provider == "twilio":
        yield "twilio"
        yield f"twilio to {message['to']}"
        yield f"twilio sid {message['sid']}"


def name_of(to: str, text: str) -> str:
    """What a message is called that comes without an id of ours."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{to} {text}"))


def derived(key: str, what: str) -> str:
    """A UUID that belongs to a sandbox's key: its other secrets and ids."""
    return str(uuid.UUID(bytes=hashlib.blake2b(f"{what} {key}".encode(), digest_size=16).digest()))


def basic(request: Request) -> tuple[str, str]:
    """Login and password of HTTP Basic; both empty without."""
    scheme, _, coded = request.headers.get("authorization", "").partition(" ")
    try:
        login, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (login, password) if scheme == "Basic" else ("", "")


def same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


async def _cut(request: Request) -> Response:
    """End the connection by a reset, as a crash or a firewall does; the response is never sent.

    ASGI has no word for that, so this reaches for uvicorn's transport behind `receive`.
    """
    cycle: Any = request.receive.__self__  # type: ignore[attr-defined]
    cycle.transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_TWO = frozenset("^{}\\[~]|€\f")


def segments(text: str) -> int:
    """How many segments a network charges for, counted apart from our own counter so that the two
    can be compared: GSM 03.38 packs 160, or 153 each of several; UCS-2 70, or 67. A character of
    two units is never split.
    """
    if set(text) <= GSM | GSM_TWO:
        sizes, one, many = [1 + (char in GSM_TWO) for char in text], 160, 153
    else:
        sizes, one, many = [1 + (ord(char) > 0xFFFF) for char in text], 70, 67
    if sum(sizes) <= one:
        return 1
    count, room = 1, many
    for size in sizes:
        if size > room:
            count, room = count + 1, many
        room -= size
    return count
