"""The landing pages: rendered, with headers that let them load, run and frame nothing."""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from babel.dates import format_date
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from reengage.coupons import Coupon
from reengage.errors import ConfigurationError
from reengage.messages import locale_of
from reengage.policy import Policy
from reengage.settings import TEMPLATES
from reengage.web.visits import Offered, Visit

FOLDER = TEMPLATES / "landing"


class Pages:
    """The pages of one policy, compiled at start-up.

    They are include/templates/landing: `<step>.html`, or `_step.html` for a step that has none.
    Raises ConfigurationError where one of them is no Jinja.
    """

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

    def coupon(self, offered: Offered | None, now: datetime) -> Mapping[str, Any] | None:
        """What a page says about a visit's coupon or incentive; None without one."""
        if offered is None:
            return None
        brand = self._policy.brand
        coupon = Coupon(
            offered.code,
            offered.kind,
            offered.value,
            offered.expires_at,
            offered.minimum,
            offered.starts_at,
        )
        day = coupon.last_day(brand.zone)
        return {
            "code": coupon.code,
            "worth": coupon.worth(brand.currency, self._locale),
            "until": format_date(day, "long", locale=self._locale),
            "is_used": offered.redeemed_at is not None,
            "is_over": coupon.expires_at <= now,
        }

    def landing(self, visit: Visit, *, is_confirmed: bool) -> HTMLResponse:
        """The page of the link's step, before or after the press of its button."""
        shown: dict[str, Any] = {
            "code": visit.code,
            "coupon": self.coupon(visit.coupon, visit.at),
            "is_opted_out": visit.is_opted_out,
            "is_confirmed": is_confirmed,
        }
        if visit.is_expired:
            return self.render("_gone.html", 410, **shown)
        # A step's name begins with a letter, the other pages' with a dash below.
        name = f"{visit.landing}.html" if re.fullmatch("[a-z][a-z0-9_]*", visit.landing) else ""
        return self.render(name if name in self._templates else "_step.html", **shown)

    def stopped(self, visit: Visit | None) -> HTMLResponse:
        """The page that says that no more texts come; visit None: the warehouse was away."""
        coupon = self.coupon(visit.coupon, visit.at) if visit else None
        return self.render("_stopped.html", coupon=coupon)

    def missing(self, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
        """There is no such link, or it is not asked for like this."""
        return self.render("_missing.html", status, headers)

    def problem(self, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
        """Something of ours does not work, or too much was asked at once."""
        return self.render("_problem.html", status, headers)

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
