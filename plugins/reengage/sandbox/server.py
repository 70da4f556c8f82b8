"""A provider on loopback that speaks Infobip's wire format and texts nobody.

https://www.infobip.com/docs/api/channels/sms: sending (v3), logs (v3), inbox (v1). Like the real
one it has no idempotency: what is sent twice is accepted twice, and so a double send is seen.
"""

import asyncio
import hmac
import json
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from reengage.clock import Clock
from reengage.errors import ConfigurationError
from reengage.policy import explain
from reengage.sandbox.journal import append, lines, repair, replace
from reengage.sandbox.recipients import draw, receipt

PRICE, CURRENCY = 0.0079, "USD"  # of a segment
MAX_MESSAGES = 1000
MAX_VALIDITY = timedelta(hours=48)
MAX_QUERY = 2048


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
    # Refused inside a 200.
    reject_share: float = Field(default=0, ge=0, le=1)
    # The log answers 503.
    log_error_share: float = Field(default=0, ge=0, le=1)


class _Wire(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=False
    )


class _Destination(_Wire):
    to: str = Field(pattern=r"^\d{5,15}$")
    message_id: str = Field(default_factory=lambda: str(uuid.uuid4()), min_length=1, max_length=200)


class _Content(_Wire):
    text: str = Field(min_length=1)
    transliteration: str | None = None


class _Validity(_Wire):
    amount: int = Field(gt=0)
    time_unit: Literal["SECONDS", "MINUTES", "HOURS", "DAYS"] = "MINUTES"

    @model_validator(mode="after")
    def _short(self) -> "_Validity":
        if timedelta(**{self.time_unit.lower(): self.amount}) > MAX_VALIDITY:
            raise ValueError("must not exceed 48 hours")
        return self


class _MessageOptions(_Wire):
    validity_period: _Validity | None = None
    campaign_reference_id: str | None = None
    regional: dict[str, Any] | None = None


class _Message(_Wire):
    sender: str = Field(min_length=1, max_length=16)
    destinations: list[_Destination] = Field(min_length=1)
    content: _Content
    options: _MessageOptions | None = None
    webhooks: dict[str, Any] | None = None


class _Schedule(_Wire):
    bulk_id: str = Field(default_factory=lambda: str(uuid.uuid4()), min_length=1, max_length=100)


class _Tracking(_Wire):
    shorten_url: bool = True


class _Options(_Wire):
    schedule: _Schedule = Field(default_factory=_Schedule)
    tracking: _Tracking = Field(default_factory=_Tracking)
    include_sms_count_in_response: bool = False


class _Send(_Wire):
    messages: list[_Message] = Field(min_length=1)
    options: _Options = Field(default_factory=_Options)

    @model_validator(mode="after")
    def _few(self) -> "_Send":
        if sum(len(message.destinations) for message in self.messages) > MAX_MESSAGES:
            raise ValueError(f"must not exceed {MAX_MESSAGES} messages")
        return self


class _LogQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    bulk_id: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    use_cursor: bool = False
    cursor: Annotated[int, Field(ge=0)] = 0


class _InboxQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1000)] = 50


class _Refusal(Exception):
    def __init__(
        self, status: int, description: str, action: str, violations: list[dict[str, str]]
    ) -> None:
        self.status = status
        self.body = {
            "errorCode": f"E{status}",
            "description": description,
            "action": action,
            "violations": violations,
            "resources": [{"name": "API reference", "url": "https://www.infobip.com/docs/api"}],
        }


def create_sandbox(
    folder: Path, clock: Clock, api_key: str, seed: str, log_hours: float = 48
) -> FastAPI:
    """The provider, with its state in `folder`.

    accepted.jsonl there has one line for each message taken, on the disk before the answer goes
    out: message_id, to (E.164), text, provider, at (ISO, by `clock`), bulk_id, sender. What
    becomes of a message follows from `seed` and its id. Like Infobip's, the log forgets after
    log_hours of `clock`, and the inbox tells each reply only once. app.state.faults is a Faults.
    """
    folder.mkdir(parents=True, exist_ok=True)
    app = FastAPI(title="SMS sandbox", openapi_url=None)
    app.state.faults = Faults()
    memory = _Memory(folder)
    requests_of: Counter[str] = Counter()

    def faults() -> Faults:
        file = folder / "faults.json"
        if not file.exists():
            given: Faults = app.state.faults
            return given
        try:
            return Faults.model_validate_json(file.read_text(encoding="utf-8"))
        except ValidationError as error:
            raise ConfigurationError(f"{file} {explain(error)}") from error

    def check_key(request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"App {api_key}".encode()):
            raise _Refusal(
                401,
                "The request lacks valid authentication credentials for the requested resource.",
                "Check the resources and adjust authentication credentials.",
                [],
            )

    @app.exception_handler(_Refusal)
    async def refuse(_: Request, refusal: _Refusal) -> Response:
        return JSONResponse(refusal.body, refusal.status)

    @app.exception_handler(ValidationError)
    async def invalid(_: Request, error: ValidationError) -> Response:
        violations = [
            {"property": _property(e["loc"]), "violation": e["msg"].removeprefix("Value error, ")}
            for e in error.errors(include_input=False, include_url=False)
        ]
        refusal = _Refusal(
            400,
            "The request cannot be processed due to invalid or missing values.",
            "Check the violations and the API reference, and adjust the request.",
            violations,
        )
        return JSONResponse(refusal.body, refusal.status)

    @app.post("/sms/3/messages")
    async def send(request: Request) -> Response:
        check_key(request)
        body = _Send.model_validate_json(await request.body())
        bulk_id = body.options.schedule.bulk_id
        fault, nth = faults(), str(requests_of[bulk_id])
        requests_of[bulk_id] += 1  # the same batch again may fare better

        def happens(what: str, share: float) -> bool:
            return draw(seed, what, bulk_id, nth) < share

        fails = happens("error", fault.error_share)
        late = fault.after and fault.error_status != 429
        if fails and not late:
            return _failure(fault.error_status)
        now = clock().isoformat()
        taken, told = [], []
        for message in body.messages:
            count = segments(message.content.text)
            for destination in message.destinations:
                is_taken = draw(seed, "reject", destination.message_id) >= fault.reject_share
                if is_taken:
                    taken.append(
                        {
                            "message_id": destination.message_id,
                            "to": f"+{destination.to}",
                            "text": message.content.text,
                            "provider": "infobip",
                            "at": now,
                            "bulk_id": bulk_id,
                            "sender": message.sender,
                        }
                    )
                answer = {
                    "messageId": destination.message_id,
                    "status": PENDING if is_taken else REJECTED,
                    "destination": destination.to,
                }
                if body.options.include_sms_count_in_response:
                    answer["details"] = {"messageCount": count}
                told.append(answer)
        memory.take(taken)
        await asyncio.sleep(fault.slow_seconds)
        if happens("drop", fault.drop_answer_share):
            return await _cut(request)
        if fails:
            return _failure(fault.error_status)
        return JSONResponse({"bulkId": bulk_id, "messages": told})

    @app.get("/sms/3/logs")
    async def logs(request: Request) -> Response:
        check_key(request)
        if len(request.url.query) > MAX_QUERY:
            raise _Refusal(400, "The query is too long.", f"At most {MAX_QUERY} characters.", [])
        query = _LogQuery.model_validate(dict(request.query_params))
        requests_of["log"] += 1
        if draw(seed, "log", str(requests_of["log"])) < faults().log_error_share:
            return _failure(503)
        now = clock()
        oldest = now - timedelta(hours=log_hours)
        found = [
            _entry(message, seed, now)
            for message in memory.messages(query.bulk_id)
            if datetime.fromisoformat(message["at"]) >= oldest
        ]
        end = query.cursor + query.limit
        content: dict[str, Any] = {"results": found[query.cursor : end]}
        if query.use_cursor:
            following = str(end) if end < len(found) else None
            content["cursor"] = {"limit": query.limit, "nextCursor": following}
        return JSONResponse(content)

    @app.get("/sms/1/inbox/reports")
    async def inbox(request: Request) -> Response:
        check_key(request)
        query = _InboxQuery.model_validate(dict(request.query_params))
        results = memory.replies(clock(), query.limit)
        return JSONResponse(
            {"results": results, "messageCount": len(results), "pendingMessageCount": 0}
        )

    return app


class _Memory:
    """The folder: what was accepted, found again by bulk; which replies were told."""

    def __init__(self, folder: Path) -> None:
        self._accepted = folder / "accepted.jsonl"
        self._replies = folder / "replies.jsonl"
        self._told = folder / "inbox.json"
        self._read = 0
        # Byte ranges of the file, so that memory grows with bulks and not with messages.
        self._ranges: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        repair(self._accepted)

    def take(self, messages: list[dict[str, Any]]) -> None:
        if messages:
            append(self._accepted, messages, sync=True)

    def messages(self, bulk_id: str | None) -> Iterator[dict[str, Any]]:
        """A bulk's messages, in the order they came; without one, those of the latest bulk."""
        for at, end, message in lines(self._accepted, self._read):
            ranges = self._ranges[message["bulk_id"]]
            if ranges and ranges[-1][1] == at:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((at, end))
            self._read = end
        if bulk_id is None:
            bulk_id = next(reversed(self._ranges), "")
        for start, stop in self._ranges.get(bulk_id, []):
            for _, _, message in lines(self._accepted, start, stop):
                yield message

    def replies(self, now: datetime, limit: int) -> list[dict[str, Any]]:
        """The next replies whose time has come. They are noted as told before they are."""
        told: int = json.loads(self._told.read_text()) if self._told.exists() else 0
        results: list[dict[str, Any]] = []
        for _, end, reply in lines(self._replies, told):
            received_at = datetime.fromisoformat(reply["received_at"])
            if received_at > now or len(results) == limit:
                break
            told = end
            results.append(
                {
                    "messageId": reply["reply_id"],
                    "from": reply["from"].lstrip("+"),
                    "to": "sandbox",
                    "text": reply["text"],
                    "cleanText": reply["text"],
                    "keyword": "",
                    "receivedAt": _infobip_time(received_at),
                    "smsCount": 1,
                    "price": {"pricePerMessage": 0, "currency": CURRENCY},
                }
            )
        if results:
            replace(self._told, told)
        return results


def _status(group: int, name: str, id_: int, code: str, description: str) -> dict[str, Any]:
    return {
        "groupId": group,
        "groupName": name,
        "id": id_,
        "name": code,
        "description": description,
    }


PENDING = _status(1, "PENDING", 26, "PENDING_ACCEPTED", "Message accepted, waiting for delivery")
REJECTED = _status(5, "REJECTED", 14, "REJECTED_DESTINATION", "Destination is not allowed")
STATUS = {
    "DELIVERED": _status(3, "DELIVERED", 5, "DELIVERED_TO_HANDSET", "Delivered to handset"),
    "UNDELIVERABLE": _status(
        2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED", "Sent, but not delivered"
    ),
    "EXPIRED": _status(4, "EXPIRED", 15, "EXPIRED_EXPIRED", "Validity period ran out"),
}
NO_ERROR = {**_status(0, "OK", 0, "NO_ERROR", "No error"), "permanent": False}
ERROR = {
    "DELIVERED": NO_ERROR,
    "UNDELIVERABLE": {
        **_status(1, "HANDSET_ERRORS", 1, "EC_UNKNOWN_SUBSCRIBER", "Unknown subscriber"),
        "permanent": True,
    },
    "EXPIRED": {
        **_status(1, "HANDSET_ERRORS", 27, "EC_ABSENT_SUBSCRIBER", "Absent subscriber"),
        "permanent": False,
    },
}


def _entry(message: dict[str, Any], seed: str, now: datetime) -> dict[str, Any]:
    sent_at = datetime.fromisoformat(message["at"])
    fate = receipt(seed, message["message_id"])
    is_done = sent_at + fate.after <= now
    entry = {
        "bulkId": message["bulk_id"],
        "messageId": message["message_id"],
        "sender": message["sender"],
        "destination": message["to"].lstrip("+"),
        "content": {"text": message["text"]},
        "sentAt": _infobip_time(sent_at),
        "messageCount": segments(message["text"]),
        "price": {"pricePerMessage": PRICE, "currency": CURRENCY},
        "status": STATUS[fate.group] if is_done else PENDING,
        "error": ERROR[fate.group] if is_done else NO_ERROR,
    }
    if is_done:
        entry["doneAt"] = _infobip_time(sent_at + fate.after)
    return entry


def _failure(status: int) -> Response:
    description = "Too many requests" if status == 429 else "Something went wrong"
    return JSONResponse(_Refusal(status, description, "Try again later.", []).body, status)


async def _cut(request: Request) -> Response:
    """End the connection by a reset, as a crash or a firewall does; the response is never sent.

    ASGI has no word for that, so this reaches for uvicorn's transport behind `receive`.
    """
    cycle: Any = request.receive.__self__  # type: ignore[attr-defined]
    cycle.transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


def _infobip_time(time: datetime) -> str:
    time = time.astimezone(UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}+0000"


def _property(path: tuple[int | str, ...]) -> str:
    return re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, path)))


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
