"""Twilio's wire format: https://www.twilio.com/docs/messaging/api/message-resource"""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from reengage_local.sandbox.deeds import receipt
from reengage_local.sandbox.desk import (
    CURRENCY,
    PRICE,
    Desk,
    Refusal,
    basic,
    derived,
    name_of,
    same,
    segments,
)

# Of the published description of the API (v2010, CreateMessage).
FIELDS = frozenset(
    {
        *("To", "From", "Body", "MessagingServiceSid", "StatusCallback", "ValidityPeriod"),
        *("ApplicationSid", "MaxPrice", "ProvideFeedback", "Attempt", "ForceDelivery"),
        *("ContentRetention", "AddressRetention", "SmartEncoded", "PersistentAction"),
        *("TrafficType", "ShortenUrls", "ScheduleType", "SendAt", "SendAsMms", "RiskCheck"),
        *("ContentVariables", "FallbackFrom", "MediaUrl", "ContentSid"),
    }
)
FILTERS = frozenset(
    {"To", "From", "DateSent", "DateSent<", "DateSent>", "PageSize", "Page", "PageToken"}
)
E164 = re.compile(r"\+[1-9]\d{6,14}")
SENDER = re.compile(r"\+?\d{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
PRICED_AFTER = timedelta(minutes=5)


def account_sid(key: str) -> str:
    """The account that belongs to a sandbox's key."""
    return "AC" + derived(key, "twilio").replace("-", "")


def refusal(status: int, code: int, message: str) -> Refusal:
    return Refusal(
        status,
        {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        },
    )


def add_routes(app: FastAPI, desk: Desk) -> None:
    """Let the application be Twilio, too."""
    ours = account_sid(desk.key)
    base = "/2010-04-01/Accounts"

    def check_key(request: Request, account: str) -> None:
        login, password = basic(request)
        if not (same(login, ours) and same(password, desk.key)):
            raise refusal(401, 20003, "Authenticate")
        if account != ours:
            raise refusal(404, 20404, "The requested resource was not found")

    def failure(status: int) -> Response:
        if status == 429:
            return refusal(429, 20429, "Too Many Requests").answer()
        return refusal(status, 20500, "An internal server error has occurred").answer()

    @app.post(base + "/{account}/Messages.json")
    async def send(request: Request, account: str) -> Response:
        check_key(request, account)
        form = _form(await request.body())
        if desk.is_too_fast(desk.faults().rate_per_second):
            return failure(429)
        callback = dict(parse_qsl(urlsplit(form.get("StatusCallback", "")).query))
        message_id = callback.get("message_id") or name_of(form["To"], form["Body"])
        trial = desk.trial(message_id)
        if trial.fails and not trial.is_late:
            return failure(trial.faults.error_status)
        if refused := desk.refuses(form["To"]):
            number = int(refused.code) if refused.code.isdecimal() else 0
            if refused.status == 200:  # taken, and failed at once
                failed = {"status": "failed", "error_code": number}
                return JSONResponse({**_common("SM" + uuid.uuid4().hex, desk), **failed}, 201)
            raise refusal(refused.status, number, refused.description)
        if desk.is_rejected(message_id):
            raise refusal(400, 21612, "The 'To' phone number is not currently reachable via SMS")
        if not desk.has_credit():
            raise refusal(403, 20005, "Account not active")
        message = {
            "message_id": message_id,
            "to": form["To"],
            "text": form["Body"],
            "provider": "twilio",
            "at": desk.clock().isoformat(),
            "bulk_id": "",
            "sender": form.get("From") or form["MessagingServiceSid"],
            "sid": "SM" + uuid.uuid4().hex,
            "callback": form.get("StatusCallback"),
        }
        desk.memory.take([message])
        answer = JSONResponse(resource(message, desk, is_new=True), 201)
        return await trial.end(request, answer, failure(trial.faults.error_status))

    @app.get(base + "/{account}/Messages/{sid}.json")
    async def fetch(request: Request, account: str, sid: str) -> Response:
        check_key(request, account)
        if desk.log_fails():
            return failure(503)
        for message in desk.memory.find(f"twilio sid {sid}"):
            return JSONResponse(resource(message, desk))
        raise refusal(404, 20404, "The requested resource was not found")

    @app.get(base + "/{account}/Messages.json")
    async def list_(request: Request, account: str) -> Response:
        check_key(request, account)
        query = dict(request.query_params)
        if unknown := query.keys() - FILTERS:
            raise refusal(400, 20001, f"Unknown parameter {min(unknown)}")
        size, page = _number(query, "PageSize", 50, 1, 1000), _number(query, "Page", 0, 0, None)
        if desk.log_fails():
            return failure(503)
        found = sorted(_found(query, desk), key=lambda item: item[0], reverse=True)
        start = page * size
        shown = [item for _, item in found[start : start + size]]

        def uri(number: int) -> str:
            kept = {name: value for name, value in query.items() if name in ("To", "From")}
            kept |= {"PageSize": str(size), "Page": str(number)}
            return f"{base}/{account}/Messages.json?{urlencode(kept)}"

        return JSONResponse(
            {
                "messages": shown,
                "page": page,
                "page_size": size,
                "start": start,
                "end": start + max(0, len(shown) - 1),
                "uri": uri(page),
                "first_page_uri": uri(0),
                "next_page_uri": uri(page + 1) if start + size < len(found) else None,
                "previous_page_uri": uri(page - 1) if page else None,
            }
        )

    @app.get(base + "/{account}.json")
    async def read_account(request: Request, account: str) -> Response:
        check_key(request, account)
        return JSONResponse({"sid": ours, "friendly_name": "Sandbox", "status": "active"})


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
    except (UnicodeDecodeError, ValueError):
        pairs = []
    form = dict(pairs)
    if unknown := form.keys() - FIELDS:
        raise refusal(400, 20001, f"Unknown parameter {min(unknown)}")
    for is_wrong, code, message in (
        (len(form) < len(pairs), 20001, "A parameter is there twice"),
        (not form.get("To"), 21604, "A 'To' phone number is required"),
        (not E164.fullmatch(form.get("To", "")), 21211, "The 'To' number is not a valid number"),
        (not form.get("Body"), 21602, "Message body is required"),
        (len(form.get("Body", "")) > 1600, 21617, "The message body exceeds 1600 characters"),
        (not (form.get("From") or form.get("MessagingServiceSid")), 21603, "'From' is required"),
        (not SENDER.fullmatch(form.get("From", "+100")), 21212, "Invalid From number"),
        (
            not SERVICE.fullmatch(form.get("MessagingServiceSid", "MG" + "0" * 32)),
            21701,
            "The Messaging Service does not exist",
        ),
        (form.get("SmartEncoded", "true") not in ("true", "false"), 20001, "SmartEncoded"),
        (not _is_url(form.get("StatusCallback", "https://x")), 21609, "Invalid StatusCallback"),
        (
            not (form.get("ValidityPeriod", "1").isdecimal())
            or not 1 <= int(form.get("ValidityPeriod", "1")) <= 36_000,
            20001,
            "ValidityPeriod must be between 1 and 36000",
        ),
    ):
        if is_wrong:
            raise refusal(400, code, message)
    return form


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "_" not in parts.netloc


def _number(query: dict[str, str], name: str, default: int, low: int, high: int | None) -> int:
    given = query.get(name, str(default))
    if not given.isdecimal() or int(given) < low or (high is not None and int(given) > high):
        raise refusal(400, 20001, f"Invalid {name}")
    return int(given)


def _found(query: dict[str, str], desk: Desk) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """(when, resource) of what the filters leave; sent and received alike."""
    to, sender, now = query.get("To"), query.get("From"), desk.clock()
    for message in desk.memory.find(f"twilio to {to}" if to else "twilio"):
        if sender in (None, message["sender"]):
            at = datetime.fromisoformat(message["at"])
            if _is_within(at, query):
                yield at, resource(message, desk)
    for reply in desk.memory.replies():
        at = datetime.fromisoformat(reply["received_at"])
        number = _answered(reply, desk)
        asked = to in (None, number) and sender in (None, reply["from"])
        if asked and at <= now and _is_within(at, query):
            yield at, incoming(reply, number, desk)


def _is_within(at: datetime, query: dict[str, str]) -> bool:
    """Whether a day in GMT passes the filters by date."""
    day = at.astimezone(UTC).date().isoformat()
    return (
        query.get("DateSent", day)[:10] == day
        and query.get("DateSent>", day)[:10] <= day <= query.get("DateSent<", day)[:10]
    )


def _answered(reply: dict[str, Any], desk: Desk) -> str:
    """The number that a reply answers."""
    number = ""
    for message in desk.memory.find(f"twilio to {reply['from']}"):
        number = message["sender"]
    return number


STATUS: dict[str, tuple[str, int | None]] = {
    "DELIVERED": ("delivered", None),
    "UNDELIVERABLE": ("undelivered", 30005),
    "EXPIRED": ("failed", 30036),
}


def resource(message: dict[str, Any], desk: Desk, *, is_new: bool = False) -> dict[str, Any]:
    """The Message resource as it is by now; is_new: as the answer to its POST shows it."""
    now, sent_at = desk.clock(), datetime.fromisoformat(message["at"]).astimezone(UTC)
    fate = receipt(desk.seed, message["message_id"])
    done_at = sent_at + fate.after
    is_done = not is_new and done_at <= now
    status, error = STATUS[fate.group] if is_done else ("queued" if is_new else "sent", None)
    count = segments(message["text"])
    is_priced = is_done and done_at + PRICED_AFTER <= now and status != "failed"
    service = message["sender"] if message["sender"].startswith("MG") else None
    return {
        **_common(message["sid"], desk),
        "body": message["text"],
        "date_created": format_datetime(sent_at),
        "date_sent": None if is_new else format_datetime(sent_at),
        "date_updated": format_datetime(done_at if is_done else sent_at),
        "direction": "outbound-api",
        "error_code": error,
        "error_message": None if error is None else f"Error {error}",
        "from": None if service else message["sender"],
        "messaging_service_sid": service,
        "num_segments": str(count),
        "price": f"-{count * PRICE:.5f}" if is_priced else None,
        "price_unit": CURRENCY,
        "status": status,
        "to": message["to"],
    }


def incoming(reply: dict[str, Any], number: str, desk: Desk) -> dict[str, Any]:
    """The Message resource of a reply to `number`."""
    at = format_datetime(datetime.fromisoformat(reply["received_at"]).astimezone(UTC))
    return {
        **_common(reply_sid(reply), desk),
        "body": reply["text"],
        "date_created": at,
        "date_sent": at,
        "date_updated": at,
        "direction": "inbound",
        "error_code": None,
        "error_message": None,
        "from": reply["from"],
        "messaging_service_sid": None,
        "num_segments": "1",
        "price": None,
        "price_unit": CURRENCY,
        "status": "received",
        "to": number,
    }


def reply_sid(reply: dict[str, Any]) -> str:
    return "SM" + uuid.uuid5(uuid.NAMESPACE_URL, reply["reply_id"]).hex


def _common(sid: str, desk: Desk) -> dict[str, Any]:
    account = account_sid(desk.key)
    uri = f"/2010-04-01/Accounts/{account}/Messages/{sid}"
    return {
        "sid": sid,
        "account_sid": account,
        "api_version": "2010-04-01",
        "num_media": "0",
        "uri": f"{uri}.json",
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }
