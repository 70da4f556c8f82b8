"""The landing pages: in the visitor's language and the brand's colours, with headers that let them
load, run and frame nothing.
"""

import base64
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import segno
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError, nodes
from markupsafe import Markup, escape

from reengage.errors import ConfigurationError
from reengage.policy import Brand, CouponOffer, Palette, Policy, Step
from reengage.settings import settings, template_files, templates
from reengage.texts.coupons import Coupon
from reengage.web.catalogues import Catalogues, Voice
from reengage.web.visits import Offered, Visit

MOST_MADE = 1_000
# What stands in a page that is made once for the codes of each who sees it: of Unicode's private
# use, so that no text of a brand holds it.
CODE, COUPON, INCENTIVE = "\ue000link", "\ue000coupon", "\ue000incentive"
LOGO_BYTES = 40_000
LOGO_TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}


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
        self._templates, needed = _compiled(folders)
        self.catalogues = Catalogues([folder / "texts" for folder in folders], policy.brand, needed)
        self._logo = _logo(policy.brand)
        # Rendering a page takes longer than all else about a hit, and most are alike.
        self._made: dict[Any, _Made] = {}
        safe = dict(_SAFE)
        if (policy.brand.link_domain or "").startswith("https:"):
            safe["Strict-Transport-Security"] = "max-age=31536000"
        self._safe = [(name.lower().encode(), value.encode()) for name, value in safe.items()]
        self._light = _colours(policy.brand.colours.light)
        self._dark = _colours(policy.brand.colours.dark)

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
            "qr": _qr(coupon.code),
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
        key = (name, status, alike, _likeness(visit))
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= MOST_MADE:
                self._made.clear()
            made = self._made[key] = self._show(name, _anybody(visit), status, **shown)
        return self._answer(replace(made, content=_filled(made.content, visit)), code=visit.code)

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
        beacon = _beacon(shown.get("code"))
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
        scripts = _digest(COPYING) if f"<script>{COPYING}</script>" in content else "'none'"
        return _Made(status, content, " ".join(map(_digest, styles)), scripts)

    def _answer(
        self, made: _Made, headers: Mapping[str, str] | None = None, code: str | None = None
    ) -> HTMLResponse:
        """A page that may load nothing but its beacon, run nothing but what copies a coupon's code,
        be framed or cached nowhere.
        """
        styles, pictures = made.styles, "data:"
        if code:
            styles, pictures = f"{styles} {_digest(_beacon(code))}", "'self' data:"
        policy = (
            f"default-src 'none'; style-src {styles}; script-src {made.scripts}; "
            f"img-src {pictures}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        answer = HTMLResponse(made.content, made.status, headers)
        answer.raw_headers += [*self._safe, (b"content-security-policy", policy.encode())]
        return answer


_SAFE = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
STYLE = re.compile("<style>(.*?)</style>", re.DOTALL)
# The one script there is: it shows the button before it, which copies the code above. Where it does
# not run the button stays hidden, and a long press on the code takes all of it.
COPYING = (
    "(button => { if (navigator.clipboard) { button.hidden = false; "
    "button.onclick = () => navigator.clipboard"
    ".writeText(button.parentElement.querySelector('.code').textContent)"
    ".then(() => { button.textContent = button.dataset.done; }); } })"
    "(document.currentScript.previousElementSibling);"
)


def _beacon(code: str | None) -> str:
    """The style sheet that asks for a page's beacon, when a hand is on the page and not before: a
    machine that only fetches pages has none. There is no script in it.

    A tap anywhere, a pointer or a key makes the root hovered or its content focused; who scrolls
    moves an animation from its first frame (where a browser knows none that scrolling moves, it
    would run by itself, so there is none). On iOS only what has the cursor of a link takes a tap.
    """
    if code is None:
        return ""
    seen = f'background-image: url("/{code}/seen")'
    return (
        f":root:is(:hover, :active, :focus-within) main {{ {seen}; }}"
        f"@keyframes seen {{ 0%, 0.1% {{ background-image: none; }} 0.2%, 100% {{ {seen}; }} }}"
        "@supports (animation-timeline: scroll(root)) { main { animation: seen 1s linear both;"
        " animation-timeline: scroll(root); } }"
        "@media (hover: none) { header, main, footer {"
        " cursor: pointer; -webkit-tap-highlight-color: transparent; }"
        " a, button, summary, .option { -webkit-tap-highlight-color: initial; } }"
    )


@lru_cache(maxsize=4096)
def _digest(style: str) -> str:
    """A style sheet as a Content-Security-Policy allows it."""
    return f"'sha256-{base64.b64encode(sha256(style.encode()).digest()).decode()}'"


@cache
def _compiled(folders: tuple[Path, ...]) -> tuple[Mapping[str, Template], frozenset[str]]:
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
        needed = [_said(environment, file.read_text(encoding="utf-8")) for file in files.values()]
        compiled = {name: environment.get_template(name) for name in files}
    except TemplateError as error:
        where = f"{getattr(error, 'name', '')}, line {getattr(error, 'lineno', '?')}"
        raise ConfigurationError(
            f"A landing page of {folders[0]} cannot be used: {where}: {error}."
        ) from error
    return compiled, frozenset().union(*needed)


def _said(environment: Environment, template: str) -> set[str]:
    """The keys of the texts that a template says: t("survey.title")."""
    return {
        call.args[0].value
        for call in environment.parse(template).find_all(nodes.Call)
        if isinstance(call.node, nodes.Name)
        and call.node.name == "t"
        and call.args
        and isinstance(call.args[0], nodes.Const)
    }


def _colours(palette: Palette) -> Markup:
    """A palette as CSS: its names with hyphens. The policy has checked that each is a colour."""
    return Markup(" ".join(f"--{name.replace('_', '-')}: {value};" for name, value in palette))


def _logo(brand: Brand) -> str | None:
    """The logo as a data: URI: a page asks for nothing. Raises ConfigurationError."""
    if brand.logo is None:
        return None
    file = settings().policy.parent / brand.logo
    kind = LOGO_TYPES.get(file.suffix.lower())
    if kind is None:
        raise ConfigurationError(
            f"brand.logo {file} is none of {', '.join(sorted(LOGO_TYPES))}: save it as one of them."
        )
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"brand.logo {file} cannot be read: {error}.") from error
    if len(content) > LOGO_BYTES:
        raise ConfigurationError(
            f"brand.logo {file} has {len(content):,} bytes, and every page carries it: "
            f"{LOGO_BYTES:,} is the most. Save it smaller."
        )
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _likeness(visit: Visit) -> tuple[Any, ...]:
    """What a page of nobody's own depends on: visits that are alike in it see the same but for
    their codes.
    """
    coupons = (
        one
        and (
            replace(one, code=""),
            one.expires_at <= visit.at,
            one.starts_at is not None and one.starts_at > visit.at,
        )
        for one in (visit.coupon, visit.incentive)
    )
    return (
        visit.step,
        visit.language,
        visit.country,
        visit.is_expired,
        visit.is_opted_out,
        visit.paused_until,
        *coupons,
    )


def _anybody(visit: Visit) -> Visit:
    """The visit, with signs where its codes are."""
    return replace(
        visit,
        code=CODE,
        coupon=visit.coupon and replace(visit.coupon, code=COUPON),
        incentive=visit.incentive and replace(visit.incentive, code=INCENTIVE),
    )


def _filled(content: str, visit: Visit) -> str:
    """A page with a visit's own codes in place of the signs."""
    content = content.replace(CODE, visit.code)
    for sign, one in ((COUPON, visit.coupon), (INCENTIVE, visit.incentive)):
        if one:
            if (drawn := str(_qr(sign))) in content:
                content = content.replace(drawn, str(_qr(one.code)))
            content = content.replace(sign, str(escape(one.code)))
    return content


QUIET = 4  # modules around a QR code, which scanners need
_DARK = re.compile(b"\x01+")


@lru_cache(maxsize=4096)
def _qr(code: str) -> Markup:
    """A coupon's code as a QR code: inline SVG, black on white, which scanners need; a sign where a
    page is made for anybody.
    """
    if code in (COUPON, INCENTIVE):
        return Markup(f"{code}qr")
    # One mask of the eight, all of which scanners read, and no more correction than asked for:
    # weighing the others takes most of the time.
    rows = segno.make_qr(code, error="m", mask=3, boost_error=False).matrix
    size = len(rows) + 2 * QUIET
    dark = "".join(
        f"M{run.start() + QUIET} {y}.5h{run.end() - run.start()}"
        for y, row in enumerate(rows, QUIET)
        for run in _DARK.finditer(row)
    )
    return Markup(
        f'<svg viewBox="0 0 {size} {size}"><path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/>'
        f'<path stroke="#000" d="{dark}"/></svg>'
    )
