"""MailUp's wire formats: sending with the secret of a list, and the console with its reports.

https://help.mailup.com/display/mailupapi/Transactional+SMS+using+APIs
https://help.mailup.com/display/mailupapi/Text+messages+-+SMS
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reengage_local.sandbox.deeds import receipt
from reengage_local.sandbox.desk import (
    GSM,
    GSM_TWO,
    Desk,
    Refusal,
    basic,
    derived,
    name_of,
    same,
    segments,
)

ACCOUNT, LIST = 59848, 7
LOGIN = f"m{ACCOUNT}"
PER_SECOND = 30
MAX_TEXT = 459
E164 = re.compile(r"(\+|00)[1-9]\d{6,14}")
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SENDER = re.compile(r"\d{3,15}|[A-Za-z0-9]{1,11}")
SUBJECT = re.compile(r"\"Subject=='([^']*)'\"")
REST = "/API/v1.1/Rest/ConsoleService.svc/Console"
PARAMETERS = {"filterby", "orderby", "pageNumber", "pageSize"}
TOKEN_SECONDS = 900


def secrets_of(key: str) -> dict[str, Any]:
    """What a connection's extra holds, for a sandbox with this key."""
    return {
        "account_id": ACCOUNT,
        "list_id": LIST,
        "list_guid": derived(key, "list"),
        "list_secret": derived(key, "secret"),
        "client_id": derived(key, "client"),
        "client_secret": derived(key, "client secret"),
    }


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Field(_Wire):
    N: str
    V: str


class _Send(_Wire):
    Content: str = Field(min_length=1)
    ListGuid: str = Field(min_length=1)
    ListSecret: str = Field(min_length=1)
    Recipient: str = Field(min_length=1)
    CampaignCode: str = Field(min_length=1, max_length=100)
    DynamicFields: list[_Field]
    isUnicode: int = Field(ge=0, le=1)
    Sender: str | None = None


def refusal(status: int, code: int, description: str) -> Refusal:
    body = {"Data": None, "Code": str(code), "Description": description, "State": "FAILED"}
    return Refusal(status, body)


def done(data: dict[str, Any]) -> dict[str, Any]:
    return {"Data": data, "Code": "0", "Description": "", "State": "DONE"}


def add_routes(app: FastAPI, desk: Desk) -> None:
    """Let the application be MailUp, too."""
    ours = secrets_of(desk.key)
    token = derived(desk.key, "token")

    def failure(status: int) -> Response:
        return refusal(status, status if status == 429 else 300, "Operation failed").answer()

    @app.post("/api/v2.0/sms/{account}/{list_}")
    async def send(request: Request, account: str, list_: str) -> Response:
        body = _body(await request.body())
        _check(body, account, list_, ours)
        # MailUp's own limit holds, whatever else goes wrong.
        if desk.is_too_fast(desk.faults().rate_per_second or PER_SECOND):
            return failure(429)
        to = "+" + body.Recipient.lstrip("+0")
        text = body.Content
        for field in body.DynamicFields:
            text = text.replace(f"[{field.N}]", field.V)
        text = as_sent(text, bool(body.isUnicode))
        message_id = name_of(to, text)
        trial = desk.trial(message_id)
        if trial.fails and not trial.is_late:
            return failure(trial.faults.error_status)
        if refused := desk.refuses(to):
            told = refusal(refused.status, 0, refused.description)
            raise Refusal(told.status, {**told.body, "Code": refused.code})
        if desk.is_rejected(message_id):
            raise refusal(403, 204, "Cannot send SMS to USA recipient")
        if not desk.has_credit():
            raise refusal(403, 205, "Sending denied: NO CREDITS")
        delivery_id = desk.memory.count() + 1
        message = {
            "message_id": message_id,
            "to": to,
            "text": text,
            "provider": "mailup",
            "at": desk.clock().isoformat(),
            "bulk_id": body.CampaignCode,
            "sender": body.Sender or "",
            "delivery_id": delivery_id,
        }
        desk.memory.take([message])
        answer = done({"DeliveryId": delivery_id, "Cost": float(segments(text))})
        return await trial.end(request, JSONResponse(answer), failure(trial.faults.error_status))

    @app.get("/api/v2.0/lists/{list_}/listsecret")
    async def list_secret(request: Request, list_: str) -> Response:
        login, password = basic(request)
        if not (same(login, LOGIN) and same(password, desk.key)):
            raise refusal(401, 401, "Unauthorized")
        if list_ != str(LIST):
            raise refusal(403, 201, "listID is not valid for the current account or list")
        return JSONResponse(done({"ListSecret": ours["list_secret"]}))

    @app.post("/Authorization/OAuth/Token")
    async def sign_in(request: Request) -> Response:
        client = basic(request)
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        expected = {"grant_type": "password", "username": LOGIN, "password": desk.key}
        if client != (ours["client_id"], ours["client_secret"]) or form != expected:
            raise Refusal(401, {"error": "invalid_grant", "error_description": "Access denied"})
        return JSONResponse(
            {"access_token": token, "expires_in": TOKEN_SECONDS, "refresh_token": token}
        )

    def check_token(request: Request) -> None:
        if not same(request.headers.get("authorization", ""), f"Bearer {token}"):
            raise Refusal(401, {"ErrorCode": "401", "ErrorDescription": "Access denied"})
        if unknown := request.query_params.keys() - PARAMETERS:
            raise Refusal(400, {"ErrorCode": "400", "ErrorDescription": f"What is {min(unknown)}?"})
        if desk.log_fails():
            raise Refusal(503, {"ErrorCode": "503", "ErrorDescription": "Try again later"})

    @app.get(REST + "/Sms/List/{list_}/Messages")
    async def campaigns(request: Request, list_: str) -> Response:
        check_token(request)
        if list_ != str(LIST):
            raise Refusal(404, {"ErrorCode": "404", "ErrorDescription": "No such list"})
        wanted = None
        if given := request.query_params.get("filterby"):
            found = SUBJECT.fullmatch(given)
            if not found:
                raise Refusal(400, {"ErrorCode": "400", "ErrorDescription": "filterby"})
            wanted = found[1]
        items = [
            {"Subject": subject, "idList": LIST, "idMessage": number}
            for subject, number in desk.memory.bulks("mailup").items()
            if wanted in (None, subject)
        ]
        return JSONResponse(_page(items, request))

    @app.get(REST + "/Sms/{number}/Sendings/ReportDetails")
    async def report(request: Request, number: int) -> Response:
        check_token(request)
        now = desk.clock()
        oldest = now - timedelta(hours=desk.log_hours)
        names = {given: name for name, given in desk.memory.bulks("mailup").items()}
        items = [
            entry(message, desk.seed, now)
            for message in desk.memory.find(f"mailup bulk {names.get(number)}")
            if datetime.fromisoformat(message["at"]) >= oldest
        ]
        return JSONResponse(_page(items, request))


def as_sent(text: str, is_unicode: bool) -> str:
    """What MailUp makes of a text: without isUnicode it has no other letters; too long a one is cut
    without a word.
    """
    if not is_unicode:
        text = "".join(char if char in GSM or char in GSM_TWO else "?" for char in text)
    while segments(text) > 3 or len(text) > MAX_TEXT:
        text = text[:-1]
    return text


def _body(given: bytes) -> _Send:
    try:
        return _Send.model_validate_json(given)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
        raise refusal(400, 101, f"Missing or empty parameters: {places}") from None


def _check(body: _Send, account: str, list_: str, ours: dict[str, Any]) -> None:
    for is_wrong, status, code, description in (
        (list_ != str(LIST) or account != str(ACCOUNT), 403, 201, "listID is not valid"),
        (not GUID.fullmatch(body.ListGuid), 403, 202, "ListGUID is not in a correct format"),
        (not GUID.fullmatch(body.ListSecret), 403, 203, "ListSecret is not in a correct format"),
        (not same(body.ListGuid, ours["list_guid"]), 400, 102, "ListGUID is not valid"),
        (not same(body.ListSecret, ours["list_secret"]), 400, 103, "ListSecret is not valid"),
        (not E164.fullmatch(body.Recipient), 400, 106, "Recipient is invalid"),
        (
            body.Sender is not None and not SENDER.fullmatch(body.Sender),
            403,
            207,
            "Provided SMS sender is not certified",
        ),
    ):
        if is_wrong:
            raise refusal(status, code, description)


def entry(message: dict[str, Any], seed: str, now: datetime) -> dict[str, Any]:
    """A line of the report by `now`."""
    sent_at = datetime.fromisoformat(message["at"]).astimezone(UTC)
    fate = receipt(seed, message["message_id"])
    status, code = 1, ""
    if sent_at + fate.after <= now:
        status, code = {
            "DELIVERED": (0, ""),
            "UNDELIVERABLE": (2, "UNDELIV_AT_001"),
            "EXPIRED": (2, "EXPIRED_AT_002"),
        }[fate.group]
    return {
        "ErrorCode": code,
        "Receiver": message["to"].lstrip("+"),
        "SentDate": f"{sent_at:%Y-%m-%d %H:%M:%S}Z",
        "Status": status,
    }


def _page(items: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    given = request.query_params
    try:
        number, size = int(given.get("pageNumber", "0")), int(given.get("pageSize", "20"))
    except ValueError:
        raise Refusal(400, {"ErrorCode": "400", "ErrorDescription": "page"}) from None
    shown = items[number * size : (number + 1) * size]
    return {
        "IsPaginated": len(items) > size,
        "Items": shown,
        "PageNumber": number,
        "PageSize": size,
        "Skipped": number * size,
        "TotalElementsCount": len(items),
    }
