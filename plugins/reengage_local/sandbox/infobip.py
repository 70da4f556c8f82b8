"""Infobip's wire format: https://www.infobip.com/docs/api/channels/sms. Sending (v3), logs (v3) and
the inbox (v1), which tells each reply only once.
"""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from reengage_local.sandbox.deeds import receipt
from reengage_local.sandbox.desk import CURRENCY, PRICE, Desk, Refusal, same, segments

M = TypeVar("M", bound=BaseModel)

MAX_MESSAGES = 1000
MAX_VALIDITY = timedelta(hours=48)
MAX_QUERY = 2048


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
    time_unit: Literal["SECONDS", "MINUTES", "HOURS"] = "MINUTES"

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
    message_id: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    use_cursor: bool = False
    cursor: Annotated[int, Field(ge=0)] = 0


class _InboxQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1000)] = 50


def refusal(
    status: int, description: str, action: str, violations: list[dict[str, str]] | None = None
) -> Refusal:
    return Refusal(
        status,
        {
            "errorCode": f"E{status}",
            "description": description,
            "action": action,
            "violations": violations or [],
            "resources": [{"name": "API reference", "url": "https://www.infobip.com/docs/api"}],
        },
    )


def add_routes(app: FastAPI, desk: Desk) -> None:
    """Let the application be Infobip, too."""

    def check_key(request: Request) -> None:
        if not same(request.headers.get("authorization", ""), f"App {desk.key}"):
            raise refusal(
                401,
                "The request lacks valid authentication credentials for the requested resource.",
                "Check the resources and adjust authentication credentials.",
            )

    @app.post("/sms/3/messages")
    async def send(request: Request) -> Response:
        check_key(request)
        body = _parsed(_Send, await request.body())
        bulk_id = body.options.schedule.bulk_id
        if desk.is_too_fast(desk.faults().rate_per_second):
            return _failure(429)
        trial = desk.trial(bulk_id)
        if trial.fails and not trial.is_late:
            return _failure(trial.faults.error_status)
        refused = {
            destination.to: found
            for message in body.messages
            for destination in message.destinations
            if (found := desk.refuses(f"+{destination.to}"))
        }
        for found in refused.values():
            if found.status != 200:
                whole = refusal(found.status, found.description, "Adjust the request.")
                raise Refusal(whole.status, {**whole.body, "errorCode": found.code})
        now = desk.clock().isoformat()
        taken: list[dict[str, Any]] = []
        told = []
        for message in body.messages:
            count = segments(message.content.text)
            for destination in message.destinations:
                status = PENDING
                if destination.to in refused:
                    told_of = refused[destination.to]
                    status = _status(5, "REJECTED", 0, told_of.code, told_of.description)
                elif desk.is_rejected(destination.message_id):
                    status = REJECTED
                elif not desk.has_credit(len(taken) + 1):
                    status = NO_CREDIT
                if status is PENDING:
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
                answer: dict[str, Any] = {
                    "messageId": destination.message_id,
                    "status": status,
                    "destination": destination.to,
                }
                if body.options.include_sms_count_in_response:
                    answer["details"] = {"messageCount": count}
                told.append(answer)
        if len(told) == 1 and desk.faults().no_bulk_of_one:
            taken = [{**message, "bulk_id": ""} for message in taken]
        desk.memory.take(taken)
        return await trial.end(
            request,
            JSONResponse({"bulkId": bulk_id, "messages": told}),
            _failure(trial.faults.error_status),
        )

    @app.get("/sms/3/logs")
    async def logs(request: Request) -> Response:
        check_key(request)
        if len(request.url.query) > MAX_QUERY:
            raise refusal(400, "The query is too long.", f"At most {MAX_QUERY} characters.")
        query = _parsed(_LogQuery, dict(request.query_params))
        if desk.log_fails():
            return _failure(503)
        now = desk.clock()
        oldest = now - timedelta(hours=desk.log_hours)
        bulk_id = query.bulk_id or next(reversed(desk.memory.bulks("infobip")), "")
        wanted = set(query.message_id.split(",")) if query.message_id else None
        asked = (
            desk.memory.with_ids("infobip", wanted)
            if wanted
            else desk.memory.find(f"infobip bulk {bulk_id}")
        )
        found = [
            entry(message, desk.seed, now)
            for message in asked
            if datetime.fromisoformat(message["at"]) >= oldest
        ]
        end = query.cursor + query.limit
        content: dict[str, Any] = {"results": found[query.cursor : end]}
        if query.use_cursor:
            content["cursor"] = {"limit": query.limit}
            if end < len(found):
                content["cursor"]["nextCursor"] = str(end)
        return JSONResponse(content)

    @app.get("/sms/1/inbox/reports")
    async def inbox(request: Request) -> Response:
        check_key(request)
        query = _parsed(_InboxQuery, dict(request.query_params))
        results = [incoming(reply) for reply in desk.memory.untold(desk.clock(), query.limit)]
        return JSONResponse(
            {"results": results, "messageCount": len(results), "pendingMessageCount": 0}
        )


def _parsed(model: type[M], given: bytes | dict[str, str]) -> M:
    try:
        if isinstance(given, bytes):
            return model.model_validate_json(given)
        return model.model_validate(given)
    except ValidationError as error:
        raise refusal(
            400,
            "The request cannot be processed due to invalid or missing values.",
            "Check the violations and the API reference, and adjust the request.",
            [
                {
                    "property": _property(e["loc"]),
                    "violation": e["msg"].removeprefix("Value error, "),
                }
                for e in error.errors(include_input=False, include_url=False)
            ],
        ) from None


def _status(group: int, name: str, id_: int, code: str, description: str) -> dict[str, Any]:
    return {
        "groupId": group,
        "groupName": name,
        "id": id_,
        "name": code,
        "description": description,
    }


PENDING = _status(1, "PENDING", 26, "PENDING_ACCEPTED", "Message accepted, waiting for delivery")
NO_CREDIT = _status(
    5, "REJECTED", 12, "REJECTED_NOT_ENOUGH_CREDITS", "Not enough credits to send the message"
)
REJECTED = _status(5, "REJECTED", 52, "REJECTED_DESTINATION", "Destination is not valid")
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


def entry(message: dict[str, Any], seed: str, now: datetime) -> dict[str, Any]:
    """What the log, and a delivery report, tell of a message by `now`."""
    sent_at = datetime.fromisoformat(message["at"])
    fate = receipt(seed, message["message_id"])
    is_done = sent_at + fate.after <= now
    entry = {
        **({"bulkId": message["bulk_id"]} if message["bulk_id"] else {}),
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


def incoming(reply: dict[str, Any]) -> dict[str, Any]:
    """What the inbox, and a webhook, tell of a reply."""
    return {
        "messageId": reply["reply_id"],
        "from": reply["from"].lstrip("+"),
        "to": "sandbox",
        "text": reply["text"],
        "cleanText": reply["text"],
        "keyword": "",
        "receivedAt": _infobip_time(datetime.fromisoformat(reply["received_at"])),
        "smsCount": 1,
        "price": {"pricePerMessage": 0, "currency": CURRENCY},
    }


def _failure(status: int) -> Response:
    description = "Too many requests" if status == 429 else "Something went wrong"
    return refusal(status, description, "Try again later.").answer()


def _infobip_time(time: datetime) -> str:
    time = time.astimezone(UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}+0000"


def _property(path: tuple[int | str, ...]) -> str:
    return re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, path)))
