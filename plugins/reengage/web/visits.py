"""A visit: what one request says, the hit it leaves, and the link it came by, in one round trip."""

import hmac
import ipaddress
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, Protocol

from sqlalchemy.engine import Connection
from starlette.requests import Request

from reengage import db
from reengage.clock import Clock
from reengage.web import machines

CHANNEL = "sms"
LANDING = "landing:"
Kind = Literal["view", "beacon", "press"]


@dataclass(frozen=True, slots=True)
class Offered:
    """A coupon, as outbox.coupon has it. value: percent, or the brand's currency; minimum: what an
    order must come to; times are aware.
    """

    code: str
    kind: Literal["percent", "value"]
    value: Decimal
    minimum: Decimal | None
    starts_at: datetime | None
    expires_at: datetime
    redeemed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry to a contest. place: in the draw, from 1; None: not drawn."""

    ticket: str
    place: int | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A contest's draw as it stands. drawn_at: aware; None, as winners: it was not made yet."""

    commitment: str
    drawn_at: datetime | None
    winners: int | None


@dataclass(frozen=True, slots=True)
class Visit:
    """A link that somebody has opened, with all that its page shows.

    contact_id: whom the text was sent to; person_id: who that is since, if the contact was merged.
    landing: the page's name, '' where the target is none; url: where the link leads instead of a
    page of ours. answers: by question, None before the survey was answered. paused_until: the first
    brand day after a break. drawing: of the contest of the step, None before it was seen. is_new:
    the request was not recorded before. at: aware, by the service's clock.
    """

    code: str
    contact_id: int
    person_id: int
    message_id: uuid.UUID
    step: str
    landing: str
    url: str | None
    language: str | None
    country: str | None
    phone_hash: str | None
    is_expired: bool
    is_opted_out: bool
    paused_until: date | None
    coupon: Offered | None
    incentive: Offered | None
    answers: Mapping[str, Any] | None
    entry: Entry | None
    drawing: Drawing | None
    has_products: bool
    is_new: bool
    at: datetime


class Recording(Protocol):
    """What of the service a hit is made and recorded with. contests: by step, as JSON."""

    busy: machines.Busy
    contests: str
    visitor_key: bytes

    @property
    def clock(self) -> Clock: ...


class Row(Protocol):
    """What outbox/record_hit gives back, by whichever driver."""

    def __getattr__(self, name: str) -> Any: ...


def hit_of(request: Request, code: str, kind: Kind) -> dict[str, Any]:
    """The hit that a request is, as outbox/record_hit takes it: all that is kept of it. A request
    is one hit, however often it is asked about: its key and time are made once.
    """
    known = request.scope.get("reengage.hit")
    if known is not None and known["code"] == code and known["kind"] == kind:
        return known
    agent = header(request, b"user-agent")
    purpose = header(request, b"purpose", b"sec-purpose", b"x-purpose", b"x-moz")
    service: Recording = request.app.state.service
    address = address_hash(request)
    said = machines.rule_of_request(request.method, agent, purpose)
    if said in (None, "browser"):
        said = service.busy.rule(address, agent, code) or said
    made: dict[str, Any] = {
        "code": code,
        "hit_key": str(uuid.uuid4()),
        "at": service.clock().isoformat(),
        "kind": kind,
        "method": request.method,
        "user_agent": agent,
        "purpose": purpose,
        "address_hash": address,
        "said": said,
    }
    request.scope["reengage.hit"] = made
    return made


def binds(service: Recording, hits_: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The parameters of outbox/record_hit for some hits."""
    return {
        "hits": json.dumps(hits_),
        "contests": service.contests,
        "version": machines.VERSION,
        "channel": CHANNEL,
    }


def record(connection: Connection, service: Recording, hit: Mapping[str, Any]) -> Visit | None:
    """Record a hit, in the caller's transaction, and say what it came by; None: by no link."""
    row = db.run(connection, "outbox/record_hit", **binds(service, [hit])).first()
    return None if row is None else visit_of(row, hit)


def visit_of(row: Row, hit: Mapping[str, Any]) -> Visit:
    """The visit in a hit and its row of outbox/record_hit."""
    at = datetime.fromisoformat(hit["at"])
    # landing:survey, or landing:https://…, as the policy said when the text was made.
    target: str = row.target.removeprefix(LANDING) if row.target.startswith(LANDING) else ""
    return Visit(
        code=hit["code"],
        contact_id=row.contact_id,
        person_id=row.person_id,
        message_id=row.message_id,
        step=row.step or "",
        landing="" if target.startswith("https://") else target,
        url=target if target.startswith("https://") else None,
        language=row.language,
        country=row.country,
        phone_hash=row.phone_hash,
        is_expired=row.expires_at <= at,
        is_opted_out=row.is_opted_out,
        paused_until=row.paused_until,
        coupon=_offered(row, "coupon"),
        incentive=_offered(row, "incentive"),
        answers=row.answers,
        entry=entry_of(row),
        drawing=Drawing(row.draw_commitment, row.draw_drawn_at, row.draw_winners)
        if row.draw_commitment
        else None,
        has_products=row.has_products,
        is_new=row.is_new,
        at=at,
    )


def entry_of(row: Row) -> Entry | None:
    """The entry in a row of outbox.said."""
    return Entry(row.ticket, row.place) if row.ticket else None


def _offered(row: Row, name: str) -> Offered | None:
    if getattr(row, f"{name}_code") is None:
        return None
    return Offered(*(getattr(row, f"{name}_{field}") for field in Offered.__slots__))


def header(asked: Mapping[str, Any], *names: bytes) -> str:
    """The headers of these names (in lower case) of a request or its scope, as text that a database
    takes: printable, at most 400 characters.
    """
    text = ", ".join(v.decode("latin-1") for name, v in asked["headers"] if name in names)
    if text.isprintable():
        return text[:400]
    return "".join(char for char in text if char.isprintable())[:400]


def languages(asked: Mapping[str, Any]) -> str:
    """The languages that a browser asks for: the header Accept-Language, as it stands."""
    return header(asked, b"accept-language")


def address(scope: Mapping[str, Any]) -> str:
    """Who asks, as far as the address tells: an IPv4 address, or an IPv6 network (/56), which is
    what a home is given. '' for an address that is not of the internet: a proxy of our own, of
    which REENGAGE_TRUSTED_PROXIES does not tell, stands for everybody. UNKNOWN for what a proxy of
    ours calls a visitor without naming an address.
    """
    client = scope.get("client")
    return _subscriber(client[0] if client else "")


UNKNOWN = "unknown"


@lru_cache(maxsize=16_384)
def _subscriber(host: str) -> str:
    if not host:
        return ""
    # Some proxies name the port, too: 192.0.2.7:5678, "[2001:db8::7]:5678".
    plain = host.strip('" ')
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        found = ipaddress.ip_address(plain)
    except ValueError:
        return UNKNOWN
    found = getattr(found, "ipv4_mapped", None) or found
    if not found.is_global:
        return ""
    if found.version == 6:
        return str(ipaddress.ip_network((int(found) >> 72 << 72, 56)))
    return str(found)


def address_hash(request: Request) -> str:
    """The keyed hash of the visitor's address; '' where it says nothing."""
    known = request.scope.get("reengage.address")
    if known is None:
        known = address(request.scope)
    if known in ("", UNKNOWN):
        return ""
    service: Recording = request.app.state.service
    return _hash(service.visitor_key, known)


@lru_cache(maxsize=16_384)
def _hash(key: bytes, address: str) -> str:
    return hmac.new(key, address.encode(), sha256).hexdigest()[:32]
