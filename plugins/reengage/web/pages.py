"""The landing pages: in the visitor's language and the brand's colours, with headers that let them
load, run and frame nothing.
"""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError, nodes
from markupsafe import Markup
from starlette.responses import HTMLResponse

from reengage.errors import ConfigurationError
from reengage.policy import CouponOffer, Policy, Step
from reengage.settings import template_files, templates
from reengage.texts.coupons import Coupon
from reengage.web.alike import anybody, filled, likeness
from reengage.web.catalogues import Catalogues, Voice
from reengage.web.drawing import as_css, logo_of, qr_code
from reengage.web.guarded import _SAFE, COPYING, STYLE, beacon_style, digest
from reengage.web.visits import Offered, Visit

MOST_MADE = 1_000


@dataclass(frozen=True, slots=True)
class _Made:
    """A page that was rendered. styles, scripts: what its Content-Security-Policy allows."""

    status: int
    content: str
    styles: str
    scripts: str


class Pages:
    """The pages of one policy, compiled at start-up.

    They are include/templates/landing, and first the folder landing of the brand's own templates:
    `<landing>.html`, or `_step.html` for a step that has none; their texts are in the folder
    `texts`. Raises ConfigurationError where one of them is no Jinja,
    where a text is missing, or where the logo cannot be used.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        folders = templates("landing")
        self._templates, needed = compiled(folders)
        self.catalogues = Catalogues([folder / "texts" for folder in folders], policy.brand, needed)
        self._logo = logo_of(policy.brand)
        # Rendering a page takes longer than all else about a hit, and most are alike.
        self._made: dict[Any, _Made] = {}
        safe = dict(_SAFE)
        if (policy.brand.link_domain or "").startswith("https:"):
            safe["Strict-Transport-Security"] = "max-age=31536000"
        self._safe = [(name.lower().encode(), value.encode()) for name, value in safe.items()]
        self._light = as_css(policy.brand.colours.light)
        self._dark = as_css(policy.brand.colours.dark)

    def template(self, landing: str, otherwise: str) -> str:
        """The page of its own that a landing has, else another."""
        name = f"{landing}.html"
        is_one = re.fullmatch("[a-z][a-z0-9_]*", landing) and name in self._templates
        return name if is_one else otherwise

    def step(self, visit: Visit) -> Step | None:
        """The step of a visit; None: the policy has it no more."""
        return next((step for step in self._policy.steps if step.name == visit.step), None)

    def voice(self, visit: Visit) -> Voice:
        """How the pages speak to whoever visits."""
        return self.catalogues.voice(visit.language, visit.country)

    def coupon(
        self, offered: Offered | Coupon | None, offer: CouponOffer | None, t: Voice, now: datetime
    ) -> Mapping[str, Any] | None:
        """What a page says about a coupon or an incentive; None without one. offer: as the policy
        has it, for what the coupon itself does not hold.
        """
        if offered is None:
            return None
        brand = self._policy.brand
        zone, currency = brand.zone, brand.currency
        coupon = Coupon(
            offered.code,
            offered.kind,
            offered.value,
            offered.expires_at,
            offered.minimum,
            offered.starts_at,
        )
        day, start = t.day(coupon.last_day(zone)), coupon.first_day(zone)
        is_early = coupon.starts_at is not None and coupon.starts_at > now
        ends = coupon.expires_at.astimezone(zone)
        # Good through a day where it ends with one; else to the minute.
        said, at = (
            ("through", {"day": day})
            if (ends.hour, ends.minute) == (0, 0)
            else ("until", {"day": day, "time": t.time(coupon.expires_at, zone)})
        )
        if is_early and start:
            said, at = f"from_{said}", {"start": t.day(start), **at}
        is_used = isinstance(offered, Offered) and offered.redeemed_at is not None
        return {
            "code": coupon.code,
            "worth": coupon.worth(currency, t.locale),
            "day": day,
            "start": t.day(start) if start else None,
            "valid": t(f"coupon.{said}", **at),
            "minimum": coupon.least_order(currency, t.locale),
            "where": t.say(offer.where) if offer and offer.where else None,
            "is_used": is_used,
            "is_over": coupon.expires_at <= now,
            "is_early": is_early,
            "is_good": not is_used and coupon.expires_at > now,
            "qr": qr_code(coupon.code),
        }

    def landing(self, visit: Visit, *, is_confirmed: bool = False) -> HTMLResponse:
        """The page of the link's step, before or after the press of its button."""
        name = self.template(visit.landing, "_step.html")
        # An invitation needs a contest: with one, web/contest.py shows the page.
        name = "_step.html" if name == "contest.html" else name
        return self.show(
            name, visit, alike=(is_confirmed,), is_confirmed=is_confirmed, questions=()
        )

    def show(
        self,
        name: str,
        visit: Visit,
        status: int = 200,
        *,
        alike: tuple[Hashable, ...] | None = None,
        **shown: Any,
    ) -> HTMLResponse:
        """A page for a visit, or the page that says that its link has expired (410).

        shown: what the page says beside; incentive: a coupon that the visit did not know of yet.
        alike: what else the page depends on, of a page that says nothing of the visitor's own: it
        is made once for all who see the same.
        """
        if alike is None:
            return self._answer(self._show(name, visit, status, **shown), code=visit.code)
        key = (name, status, alike, likeness(visit))
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= MOST_MADE:
                self._made.clear()
            made = self._made[key] = self._show(name, anybody(visit), status, **shown)
        return self._answer(replace(made, content=filled(made.content, visit)), code=visit.code)

    def _show(self, name: str, visit: Visit, status: int = 200, **shown: Any) -> _Made:
        t, step = self.voice(visit), self.step(visit)
        incentive = shown.pop("incentive", None) or visit.incentive
        shown = {
            "is_confirmed": False,
            "item": None,
            "together": (),
            "code": visit.code,
            "is_opted_out": visit.is_opted_out,
            "paused_until": visit.paused_until,
            **shown,
            "coupon": self.coupon(visit.coupon, step.coupon if step else None, t, visit.at),
            "incentive": self.coupon(incentive, step.incentive if step else None, t, visit.at),
        }
        if visit.is_expired:
            name, status = "_gone.html", 410
        return self._make(name, t, status, **shown)

    def answer(self, name: str, visit: Visit, **shown: Any) -> HTMLResponse:
        """A page that says what became of a press, even of one on a link that has expired."""
        return self.show(name, replace(visit, is_expired=False), **shown)

    def stopped(self, visit: Visit) -> HTMLResponse:
        """The page that says that no more texts come."""
        return self.answer("_stopped.html", replace(visit, is_opted_out=True))

    def kept(self, *, is_opt_out: bool, language: str = "") -> HTMLResponse:
        """The page for a press while the warehouse is away: it is kept, and done later."""
        name = "_stopped.html" if is_opt_out else "_kept.html"
        return self.render(name, language=language, coupon=None, incentive=None)

    def missing(
        self, status: int, headers: Mapping[str, str] | None = None, language: str = ""
    ) -> HTMLResponse:
        """There is no such link, or it is not asked for like this."""
        return self.render("_missing.html", status, headers, language=language)

    def problem(
        self,
        status: int,
        headers: Mapping[str, str] | None = None,
        language: str = "",
        code: str | None = None,
        what: Literal["lead", "incomplete"] = "lead",
    ) -> HTMLResponse:
        """Something of ours does not work, or too much was asked. code: of a link, whose texts can
        be stopped all the same.
        """
        said = {429: "busy", 413: "large", 431: "large", 408: "large"}.get(status, what)
        return self.render(
            "_problem.html", status, headers, language=language, code=code, what=said
        )

    def render(
        self,
        name: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        language: str = "",
        **shown: Any,
    ) -> HTMLResponse:
        """A page for nobody in particular. language: as a browser's header Accept-Language asks;
        the brand's where no page is written in one of those.
        """
        t = self.catalogues.voice(self.catalogues.preferred(language))
        return self._answer(self._make(name, t, status, **shown), headers, shown.get("code"))

    def _make(self, name: str, t: Voice, status: int, **shown: Any) -> _Made:
        beacon = beacon_style(shown.get("code"))
        content = self._templates[name].render(
            {
                "code": None,
                "beacon": Markup(beacon),
                "copying": Markup(COPYING),
                "is_opted_out": False,
                "paused_until": None,
                "brand": self._policy.brand,
                "logo": self._logo,
                "light": self._light,
                "dark": self._dark,
                "t": t,
                **shown,
            }
        )
        styles = [style for style in STYLE.findall(content) if style != beacon]
        # This one and no other, whatever a page holds.
        scripts = digest(COPYING) if f"<script>{COPYING}</script>" in content else "'none'"
        return _Made(status, content, " ".join(map(digest, styles)), scripts)

    def _answer(
        self, made: _Made, headers: Mapping[str, str] | None = None, code: str | None = None
    ) -> HTMLResponse:
        """A page that may load nothing but its beacon, run nothing but what copies a coupon's code,
        be framed or cached nowhere.
        """
        styles, pictures = made.styles, "data:"
        if code:
            styles, pictures = f"{styles} {digest(beacon_style(code))}", "'self' data:"
        policy = (
            f"default-src 'none'; style-src {styles}; script-src {made.scripts}; "
            f"img-src {pictures}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        answer = HTMLResponse(made.content, made.status, headers)
        answer.raw_headers += [*self._safe, (b"content-security-policy", policy.encode())]
        return answer


@cache
def compiled(folders: tuple[Path, ...]) -> tuple[Mapping[str, Template], frozenset[str]]:
    """The templates by name, once a process, and the keys of the texts that they say."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    try:
        files = template_files("landing", "*.html")
        needed = [
            keys_said(environment, file.read_text(encoding="utf-8")) for file in files.values()
        ]
        compiled = {name: environment.get_template(name) for name in files}
    except TemplateError as error:
        where = f"{getattr(error, 'name', '')}, line {getattr(error, 'lineno', '?')}"
        raise ConfigurationError(
            f"A landing page of {folders[0]} cannot be used: {where}: {error}."
        ) from error
    return compiled, frozenset().union(*needed)


def keys_said(environment: Environment, template: str) -> set[str]:
    """The keys of the texts that a template says: t("survey.title")."""
    return {
        call.args[0].value
        for call in environment.parse(template).find_all(nodes.Call)
        if isinstance(call.node, nodes.Name)
        and call.node.name == "t"
        and call.args
        and isinstance(call.args[0], nodes.Const)
    }
