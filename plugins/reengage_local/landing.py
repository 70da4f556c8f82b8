"""`make pages`: every landing page, in every language and state."""

import hashlib
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any

from reengage.clock import wall_clock
from reengage.policy import CouponOffer, Policy, Question, Step, read_policy
from reengage.settings import settings
from reengage.texts.coupons import Coupon
from reengage.web import contest, survey
from reengage.web.pages import Pages
from reengage.web.visits import Drawing, Entry, Offered, Visit

CODE = "SAMPLE123"
SAMPLE = CouponOffer(kind="percent", value=15, minimum=40, valid_days=30)
SIZE = "width: 24rem; height: 44rem"  # of a page in the index: a phone


def run_pages() -> None:
    """Write the pages to `$REENGAGE_HOME/pages`, with an index. Raises ConfigurationError."""
    policy, folder = read_policy(), settings().home / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        old.unlink()
    index: dict[str, list[str]] = {}
    for name, language, page in samples(policy, wall_clock()):
        file = folder / f"{name}.{language}.html"
        file.write_text(page, encoding="utf-8")
        index.setdefault(name, []).append(file.name)
    (folder / "index.html").write_text(_index(policy, index), encoding="utf-8")
    count = sum(map(len, index.values()))
    sys.stdout.write(f"{count} pages of {policy.brand.name}: open {folder / 'index.html'}\n")


def samples(policy: Policy, now: datetime) -> Iterator[tuple[str, str, str]]:
    """Every page in every state and language: (name, language, HTML). now: aware."""
    pages = Pages(policy)
    for language in pages.catalogues.languages:
        for name, visit, template, shown in _states(pages, policy, language, now):
            status = 200
            if template is None:
                page = pages.landing(visit, **shown)
            else:
                page = pages.show(template, visit, status, **shown)
            yield name, language, bytes(page.body).decode()
        for name, page in (
            ("missing", pages.missing(404, language=language)),
            ("problem", pages.problem(503, language=language, code=CODE)),
            ("problem-busy", pages.problem(429, language=language)),
            ("problem-large", pages.problem(413, language=language)),
            ("problem-incomplete", pages.problem(503, None, language, CODE, "incomplete")),
            ("kept", pages.kept(is_opt_out=False, language=language)),
        ):
            yield name, language, bytes(page.body).decode()


def _states(
    pages: Pages, policy: Policy, language: str, now: datetime
) -> Iterator[tuple[str, Visit, str | None, dict[str, Any]]]:
    for step in policy.steps:
        visit = _visit(step, language, now)
        yield f"{step.name}-expired", _visit(step, language, now, is_expired=True), None, {}
        if step.questions:
            yield from _survey(pages, step, visit, policy)
        elif step.contest:
            yield from _contest(pages, step, visit, policy)
        elif step.coupon:
            yield from _coupon(step, visit, policy)
        else:
            yield step.name, visit, None, {}
            yield f"{step.name}-done", visit, None, {"is_confirmed": True}
    first = policy.steps[0]
    until = survey_break(policy, now)
    visit = _visit(first, language, now)
    yield "stopped", _visit(first, language, now, is_opted_out=True), "_stopped.html", {}
    paused = _visit(first, language, now, paused_until=until)
    yield "paused", paused, "_paused.html", {}
    yield "resumed", visit, "_resumed.html", {}


def survey_break(policy: Policy, now: datetime) -> Any:
    """The end of a sample break: three months from now."""
    from reengage.web.preferences import break_end

    return break_end(now, 3, policy.brand.zone)


def _survey(
    pages: Pages, step: Step, visit: Visit, policy: Policy
) -> Iterator[tuple[str, Visit, str, dict[str, Any]]]:
    offered = _offered(step.incentive, policy, visit.at) if step.incentive else None
    worth = None
    if offered:
        t = pages.voice(visit)
        kept = pages.coupon(offered, step.incentive, t, visit.at)
        worth = kept["worth"] if kept else None
    said = {question.name: _answer(question) for question in step.questions}
    template = pages.template(visit.landing, "survey.html")
    shown: dict[str, Any] = {
        "questions": step.questions,
        "errors": {},
        "answers": {},
        "is_answered": False,
        "is_done": False,
        "reward": worth,
    }
    yield step.name, visit, template, shown
    _, errors = survey.read(step, {}, pages.voice(visit))
    if errors:
        yield f"{step.name}-errors", visit, template, {**shown, "errors": errors}
    again = {**shown, "answers": said, "is_answered": True, "incentive": offered}
    yield f"{step.name}-again", visit, template, again
    yield f"{step.name}-done", visit, template, {**again, "is_done": True}


def _answer(question: Question) -> Any:
    """A sample answer."""
    by_kind = {"scale": 8, "yes_no": True, "text": "…"}
    options = list(question.options)
    if question.kind == "choices":
        return options[:2]
    return options[0] if question.kind == "choice" else by_kind[question.kind]


def _contest(
    pages: Pages, step: Step, visit: Visit, policy: Policy
) -> Iterator[tuple[str, Visit, str, dict[str, Any]]]:
    terms = step.contest
    assert terms is not None
    ticket = "7KFM-2XR9-TB4C"
    draw = Drawing(hashlib.sha256(b"sample").hexdigest(), None, None)
    template = pages.template(visit.landing, "contest.html")
    shown: dict[str, Any] = {
        "contest": terms,
        "draw": draw,
        "entered": None,
        "errors": {},
        "ticked": (),
        "ticks": contest.ticks(terms, visit),
    }
    if shown["ticks"]:
        wrong = dict.fromkeys(shown["ticks"], pages.voice(visit)("contest.tick"))
        yield f"{step.name}-errors", visit, template, {**shown, "state": "open", "errors": wrong}
    for state in ("open", "entered", "closed", "won", "lost", "drawn", "early", "elsewhere"):
        entered = Entry(ticket, None) if state in ("entered", "won", "lost") else None
        if state == "early" and not terms.opens_on:
            continue
        if state == "elsewhere" and not terms.countries:
            continue
        yield f"{step.name}-{state}", visit, template, {**shown, "state": state, "entered": entered}


def _coupon(
    step: Step, visit: Visit, policy: Policy
) -> Iterator[tuple[str, Visit, None, dict[str, Any]]]:
    at = visit.at
    offers: dict[str, Any] = {
        "": {},
        "-used": {"redeemed_at": at},
        "-over": {"expires_at": at - timedelta(days=1)},
        "-early": {"starts_at": at + timedelta(days=3)},
    }
    for name, values in offers.items():
        offered = _offered(step.coupon or SAMPLE, policy, at, **values)
        yield step.name + name, _visit(step, visit.language, at, coupon=offered), None, {}
    offered = _offered(step.coupon or SAMPLE, policy, at)
    large = _visit(step, visit.language, at, coupon=offered)
    yield f"{step.name}-large", large, None, {"is_confirmed": True}
    yield f"{step.name}-missing", visit, None, {}


def _offered(offer: CouponOffer, policy: Policy, now: datetime, **values: Any) -> Offered:
    made = Coupon.issue(offer, policy, now)
    return Offered(
        **{
            "code": "7KFM2-XR9TB",
            "kind": made.kind,
            "value": Decimal(str(made.value)),
            "minimum": made.minimum,
            "starts_at": made.starts_at,
            "expires_at": made.expires_at,
            "redeemed_at": None,
            **values,
        }
    )


def _visit(step: Step, language: str | None, now: datetime, **values: Any) -> Visit:
    return Visit(
        **{
            "code": CODE,
            "contact_id": 0,
            "person_id": 0,
            "message_id": uuid.UUID(int=0),
            "step": step.name,
            "landing": step.landing,
            "url": None,
            "language": language,
            "country": None,
            "phone_hash": None,
            "is_expired": False,
            "is_opted_out": False,
            "paused_until": None,
            "coupon": None,
            "incentive": None,
            "answers": None,
            "entry": None,
            "drawing": None,
            "has_products": False,
            "is_new": True,
            "at": now.astimezone(UTC),
            **values,
        }
    )


def _index(policy: Policy, index: dict[str, list[str]]) -> str:
    rows = "".join(
        f"<h2>{escape(name)}</h2><div>"
        + "".join(
            f'<figure><figcaption><a href="{escape(file)}">{escape(file)}</a></figcaption>'
            f'<iframe src="{escape(file)}" title="{escape(file)}" loading="lazy"></iframe></figure>'
            for file in files
        )
        + "</div>"
        for name, files in index.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>Landing pages of {escape(policy.brand.name)}</title><style>"
        "body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem; }"
        "div { display: flex; gap: 1rem; overflow-x: auto; } figure { margin: 0; }"
        f"iframe {{ {SIZE}; border: 1px solid #999; border-radius: 1rem; }}"
        f"</style><h1>Landing pages of {escape(policy.brand.name)}</h1>"
        f"<p>Policy {escape(policy.version)}. Samples: no link and no code in them is real.</p>"
        f"{rows}</html>\n"
    )
