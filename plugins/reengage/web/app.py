"""What a link in a text opens.

The nine characters in a link's path are all that its holder needs, and all that a request says
about a person: no cookie, no query, no script, nothing from another site. A GET only records that
the link was fetched, by a person or a machine; what counts for more is a POST, the press of a
button (RFC 8058). A forged POST needs the code, which another site does not know, so the code does
the work of a CSRF token. Run it without an access log: a code in a log is a key left in a door.
"""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from babel.dates import format_date
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from sqlalchemy.exc import SQLAlchemyError
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from reengage import db
from reengage.clock import Clock
from reengage.coupons import Coupon
from reengage.errors import ConfigurationError
from reengage.messages import locale_of
from reengage.policy import Policy
from reengage.settings import TEMPLATES

log = logging.getLogger(__name__)

FOLDER = TEMPLATES / "landing"
CHANNEL = "sms"


class _Code(StringConvertor):
    """A link's code as a part of a path: anything else is no link, and costs no query."""

    regex = "[A-Za-z0-9]{9}"


register_url_convertor("link_code", _Code())


@dataclass(frozen=True, slots=True)
class _Link:
    """A link, as its page needs it."""

    contact_id: int
    step: str
    phone_hash: str | None
    is_expired: bool
    is_opted_out: bool
    coupon: Mapping[str, Any] | None


def create_app(engine: sa.Engine, policy: Policy, clock: Clock) -> FastAPI:
    """The link service.

    `GET /{code}` shows the landing page of the link's step and records a hit of kind `view`;
    `POST /{code}/confirm` and `POST /{code}/opt-out` record a `press`; `GET /healthz` answers 200
    while the warehouse does, else 503. Hits and opt-outs are dated by the clock. A link that is
    past its time answers 410, still records, and can still opt out.

    The pages are include/templates/landing: `<step>.html`, or `_step.html` for a step that has
    none. Raises ConfigurationError where one of them is no Jinja.
    """
    pages = _Pages(policy)
    app = FastAPI(
        title=f"{policy.brand.name} links",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )

    def record(
        connection: sa.Connection, request: Request, code: str, kind: Literal["view", "press"]
    ) -> _Link:
        now = clock()
        row = db.run(
            connection,
            "outbox/record_hit",
            code=code,
            at=now,
            kind=kind,
            method=request.method,
            user_agent=_header(request, "user-agent"),
            purpose=_header(request, "purpose", "sec-purpose", "x-purpose", "x-moz"),
            channel=CHANNEL,
        ).first()
        if row is None:
            raise HTTPException(404)
        return _Link(
            contact_id=row.contact_id,
            step=row.target.removeprefix("landing:"),
            phone_hash=row.phone_hash,
            is_expired=row.expires_at <= now,
            is_opted_out=row.is_opted_out,
            coupon=pages.coupon(row, now),
        )

    @app.api_route("/{code:link_code}", methods=["GET", "HEAD"])
    def view(request: Request, code: str) -> Response:
        with engine.begin() as connection:
            link = record(connection, request, code, "view")
        return pages.landing(link, code, is_confirmed=False)

    @app.post("/{code:link_code}/confirm")
    def confirm(request: Request, code: str) -> Response:
        with engine.begin() as connection:
            link = record(connection, request, code, "press")
        return pages.landing(link, code, is_confirmed=True)

    @app.post("/{code:link_code}/opt-out")
    def opt_out(request: Request, code: str) -> Response:
        with engine.begin() as connection:
            link = record(connection, request, code, "press")
            db.run(
                connection,
                "core/opt_out",
                contact_id=link.contact_id,
                phone_hash=link.phone_hash,
                channel=CHANNEL,
                source="landing",
                at=clock(),
            )
        return pages.render("_stopped.html", coupon=link.coupon)

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    def healthz() -> Response:
        with engine.connect() as connection:
            connection.execute(sa.select(sa.literal(1)))
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    @app.exception_handler(HTTPException)
    def not_served(request: Request, error: HTTPException) -> Response:
        return pages.render("_missing.html", error.status_code, error.headers)

    @app.exception_handler(SQLAlchemyError)
    def no_answer(request: Request, error: SQLAlchemyError) -> Response:
        # Not the error itself: its text holds the statement's parameters.
        log.error("The link service has no answer from the warehouse: %s", type(error).__name__)
        return pages.render("_problem.html", 503, {"Retry-After": "60"})

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> Response:
        return pages.render("_problem.html", 500)

    return app


class _Pages:
    """The pages of one policy, compiled at start-up."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._locale = locale_of(policy.brand.language, policy.brand.country)
        environment = Environment(
            loader=FileSystemLoader(FOLDER),
            undefined=StrictUndefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        try:
            self._templates = {
                file.name: environment.get_template(file.name) for file in FOLDER.glob("*.html")
            }
        except TemplateError as error:
            where = f"{getattr(error, 'name', '')}, line {getattr(error, 'lineno', '?')}"
            raise ConfigurationError(
                f"A landing page of {FOLDER} cannot be used: {where}: {error}."
            ) from error

    def coupon(self, row: sa.Row[Any], now: datetime) -> Mapping[str, Any] | None:
        """What a page says about the hit's coupon; None where the message had none."""
        if row.coupon_code is None:
            return None
        brand = self._policy.brand
        coupon = Coupon(row.coupon_code, row.coupon_kind, row.coupon_value, row.coupon_expires_at)
        day = coupon.last_day(brand.zone)
        return {
            "code": coupon.code,
            "worth": coupon.worth(brand.currency, self._locale),
            "until": format_date(day, "long", locale=self._locale),
            "is_used": row.coupon_redeemed_at is not None,
            "is_over": coupon.expires_at <= now,
        }

    def landing(self, link: _Link, code: str, *, is_confirmed: bool) -> Response:
        """The page of the link's step, before or after the press of its button."""
        shown: dict[str, Any] = {
            "code": code,
            "coupon": link.coupon,
            "is_opted_out": link.is_opted_out,
            "is_confirmed": is_confirmed,
        }
        if link.is_expired:
            return self.render("_gone.html", 410, **shown)
        # A step's name begins with a letter, the other pages' with a dash below.
        name = f"{link.step}.html" if re.fullmatch("[a-z][a-z0-9_]*", link.step) else ""
        return self.render(name if name in self._templates else "_step.html", **shown)

    def render(
        self,
        name: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **shown: Any,
    ) -> HTMLResponse:
        """A page that may load nothing, run nothing, be framed or cached nowhere."""
        brand = self._policy.brand
        nonce = secrets.token_urlsafe(12)
        content = self._templates[name].render(
            {"code": None, "is_opted_out": False, "nonce": nonce, "brand": brand, **shown}
        )
        safe = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; "
                "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            ),
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "X-Robots-Tag": "noindex, nofollow",
        }
        if (brand.link_domain or "").startswith("https:"):
            safe["Strict-Transport-Security"] = "max-age=31536000"
        return HTMLResponse(content, status, {**(headers or {}), **safe})


def _header(request: Request, *names: str) -> str:
    """The named headers as text that a database takes: printable, at most 400 characters."""
    text = ", ".join(value for name in names for value in request.headers.getlist(name))
    return "".join(char for char in text if char.isprintable())[:400]
