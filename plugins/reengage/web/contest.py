"""A contest: an entry a person and number, and a draw that anybody can check (docs/contest.md).

The first time that a contest is seen a secret seed is made, and its SHA-256, the commitment, is
shown from then on. After the close the seed is made known: the tickets with the lowest SHA-256 of
seed and ticket win, so nobody can have chosen the winners once the entries were in.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException

from reengage import db
from reengage.errors import ReengageError
from reengage.policy import Contest, Policy, Step
from reengage.texts import coupons
from reengage.web import visits
from reengage.web.forms import Form
from reengage.web.service import Press, Service
from reengage.web.visits import Drawing, Entry, Offered, Visit

# Digits and capitals that are not mistaken for one another; without vowels no ticket is a word.
_TICKET = "23456789BCDFGHJKMNPQRSTVWXYZ"
DRAW_SECONDS = 5.0


class DrawRefused(ReengageError):
    """A draw that cannot be made: no such contest, or its entries are still open."""


@dataclass(frozen=True)
class Draw:
    """A draw that was made. winners: (contact_id, ticket, place), the first place first; tickets:
    all of the draw, in its order; is_new: made by this call. drawn_at: aware.
    """

    contest: str
    seed: str
    commitment: str
    drawn_at: datetime
    winners: list[tuple[int, str, int]]
    tickets: list[str]
    digest: str
    is_new: bool


def add_routes(app: FastAPI, service: Service) -> None:
    """The press `enter` enters the contest of the link's step (422 where a box is to be ticked);
    `GET /draws/{name}` and `/draws/{name}/tickets.txt` let anybody check a draw.
    """
    pages, policy = service.pages, service.policy

    def show(visit: Visit, contest: Contest, **shown: Any) -> Response:
        state = state_of(contest, visit, policy)
        status = 422 if state == "open" and shown.get("errors") else 200
        # Who has not entered sees what everybody sees.
        alike = None if visit.entry or shown else (state, visit.drawing)
        shown = {"errors": {}, "ticked": (), **shown}
        return pages.show(
            pages.template(visit.landing, "contest.html"),
            visit,
            status,
            alike=alike,
            contest=contest,
            state=state,
            draw=visit.drawing,
            entered=visit.entry,
            ticks=ticks(contest, visit),
            **shown,
        )

    def contest_of(visit: Visit) -> tuple[Step, Contest] | None:
        step = pages.step(visit)
        return (step, step.contest) if step and step.contest else None

    async def view(visit: Visit) -> Response:
        found = contest_of(visit)
        if found is None:
            return pages.landing(visit)
        _, contest = found
        if visit.drawing is None:  # the first who sees it
            visit = await service.in_time("draw", partial(first_seen, visit, contest), DRAW_SECONDS)
        return show(visit, contest)

    def first_seen(visit: Visit, contest: Contest) -> Visit:
        with service.transaction() as connection:
            return replace(visit, drawing=drawing(connection, contest, visit.at))

    for step in policy.steps:
        if step.contest:
            service.views[step.landing] = view

    def enter(connection: Connection, visit: Visit, form: Form, is_late: bool) -> Response:
        found = contest_of(visit)
        if found is None or visit.is_expired:
            return pages.landing(visit)
        step, contest = found
        # Two contacts with one number enter one after the other: the number has one entry.
        number = db.run(connection, "web/number", phone_hash=visit.phone_hash).scalar_one()
        number = number or visit.contact_id
        with db.exclusive(connection, f"contest/{contest.name}/{number}"):
            visit = replace(
                visit,
                drawing=drawing(connection, contest, visit.at),
                entry=said(connection, visit, contest),
            )
            if state_of(contest, visit, policy) != "open":
                return show(visit, contest)
            wanted = ticks(contest, visit)
            ticked = [name for name in wanted if form.get(name) == ["yes"]]
            if missing := set(wanted) - set(ticked):
                wrong = pages.voice(visit)("contest.tick")
                return show(visit, contest, errors=dict.fromkeys(missing, wrong), ticked=ticked)
            db.run(
                connection,
                "web/enter_contest",
                contest=contest.name,
                contact_id=visit.contact_id,
                phone_hash=visit.phone_hash,
                message_id=visit.message_id,
                ticket=new_ticket(),
                confirmed=json.dumps(confirmed(contest, ticked)),
                at=visit.at,
            )
            visit = replace(visit, entry=said(connection, visit, contest))
        incentive: Offered | coupons.Coupon | None = visit.incentive
        if visit.entry and not incentive:  # nothing for an entry that was not taken
            incentive = coupons.issue_for(
                connection, policy, step, visit.message_id, visit.contact_id, visit.at
            )
        return show(visit, contest, incentive=incentive)

    def needs(form: Form) -> Form | None:
        # Whose card says where they live is not asked for it, but who is asked must say it.
        contests = [step.contest for step in policy.steps if step.contest]
        asked = {"age" for one in contests if one.minimum_age}
        asked |= {"country" for one in contests if one.countries}
        ticked = {name: ["yes"] for name in asked if form.get(name) == ["yes"]}
        return ticked if ticked.keys() == asked else None

    service.presses["enter"] = Press(enter, needs)

    async def draw_page(request: Request) -> Response:
        name = _name(request)
        found, drawn = await service.in_time("draw", partial(_drawn, service, name), DRAW_SECONDS)
        if found is None:
            raise HTTPException(404)
        zone = policy.brand.zone
        return pages.render(
            "_draw.html",
            language=visits.languages(request),
            contest=name,
            draw=found,
            winners=[row.ticket for row in drawn[: found.winners]],
            drawn_on=found.drawn_at.astimezone(zone).date() if found.drawn_at else None,
        )

    async def tickets(request: Request) -> Response:
        look = partial(_drawn, service, _name(request))
        _, drawn = await service.in_time("draw", look, DRAW_SECONDS)
        if not drawn:
            raise HTTPException(404)
        return PlainTextResponse("".join(f"{row.ticket}\n" for row in drawn))

    app.add_route("/draws/{name}", draw_page)
    app.add_route("/draws/{name}/tickets.txt", tickets)


def new_ticket() -> str:
    """A ticket, XXXX-XXXX-XXXX: 12 random characters of 28."""
    code = "".join(secrets.choice(_TICKET) for _ in range(12))
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def said(connection: Connection, visit: Visit, contest: Contest) -> Entry | None:
    """The entry that a person, or their number, has to a contest by now."""
    row = db.run(
        connection,
        "web/said",
        contact_id=visit.contact_id,
        message_id=visit.message_id,
        phone_hash=visit.phone_hash,
        contest=contest.name,
        channel=visits.CHANNEL,
    ).one()
    return visits.entry_of(row)


def drawing(connection: Connection, contest: Contest, at: datetime) -> Drawing:
    """The draw of a contest as it stands by now."""
    known = db.run(connection, "web/contest", contest=contest.name).one_or_none()
    draw = known or see(connection, contest.name, at)
    return Drawing(draw.commitment, draw.drawn_at, draw.winners)


def see(connection: Connection, contest: str, at: datetime) -> Any:
    """A contest as it stands; its seed and its commitment are made where it has none. Twice: the
    first stay.
    """
    seed = secrets.token_hex(32)
    db.run(
        connection,
        "web/see_contest",
        contest=contest,
        seed=seed,
        commitment=hashlib.sha256(seed.encode()).hexdigest(),
        at=at,
    )
    return db.run(connection, "web/contest", contest=contest).one()


def ticks(contest: Contest, visit: Visit) -> list[str]:
    """What an entrant must confirm: their age; their country, where the card does not say it."""
    age = ["age"] if contest.minimum_age else []
    return age + (["country"] if contest.countries and not visit.country else [])


def confirmed(contest: Contest, ticked: list[str]) -> dict[str, Any]:
    """What an entrant has confirmed, and until when they were told that entries are taken, as it is
    kept.
    """
    said_of: Mapping[str, Any] = {"age": contest.minimum_age, "country": list(contest.countries)}
    return {name: said_of[name] for name in ticked} | {"closes_on": str(contest.closes_on)}


def state_of(contest: Contest, visit: Visit, policy: Policy) -> str:
    """What the page shows: won, lost or drawn; closed, early, entered, elsewhere, or open."""
    today = visit.at.astimezone(policy.brand.zone).date()
    draw, entry = visit.drawing, visit.entry
    if draw and draw.drawn_at:
        if entry is None or entry.place is None:
            return "drawn"
        return "won" if entry.place <= (draw.winners or 0) else "lost"
    if today > contest.closes_on:
        return "closed"
    if entry:
        return "entered"
    if contest.opens_on and today < contest.opens_on:
        return "early"
    if contest.countries and visit.country and visit.country not in contest.countries:
        return "elsewhere"
    return "open"


def _name(request: Request) -> str:
    """The name of a contest in an address. Raises HTTPException 404 for what can be none."""
    asked: str = request.path_params["name"]
    if not re.fullmatch("[a-z][a-z0-9_]{0,99}", asked):
        raise HTTPException(404)
    return asked


def _drawn(service: Service, name: str) -> tuple[Any, list[sa.Row[Any]]]:
    """A contest as it stands, None where there is none, and the tickets of its draw."""
    with service.transaction() as connection:
        found = db.run(connection, "web/contest", contest=name).one_or_none()
        return found, _tickets(connection, name) if found and found.drawn_at else []


def _tickets(connection: Connection, contest: str) -> list[sa.Row[Any]]:
    return list(db.run(connection, "web/drawn_tickets", contest=contest))


def make_draw(engine: sa.Engine, policy: Policy, name: str, at: datetime) -> Draw:
    """Draw a contest of the policy, once: a draw that was made is given again as it was.

    at: aware; when. Raises DrawRefused where there is no such contest, or its entries are open.
    """
    contests = {step.contest.name: step.contest for step in policy.steps if step.contest}
    if name not in contests:
        known = ", ".join(sorted(contests)) or "none"
        raise DrawRefused(f"The policy has no contest named {name!r}; it has {known}.")
    contest = contests[name]
    with engine.begin() as connection, db.exclusive(connection, f"contest/{name}"):
        before = see(connection, name, at)
        if not before.drawn_at:
            told = db.run(connection, "web/promised", contest=name).scalar_one()
            closes_on = max(contest.closes_on, told or contest.closes_on)
            _refuse_early(name, closes_on, at.astimezone(policy.brand.zone).date())
            db.run(
                connection,
                "web/draw",
                contest=name,
                closes_on=closes_on,
                winners=contest.winners,
                at=at,
            )
        made = db.run(connection, "web/contest", contest=name).one()
        rows = _tickets(connection, name)
    return Draw(
        contest=name,
        seed=made.seed,
        commitment=made.commitment,
        drawn_at=made.drawn_at,
        winners=[(row.contact_id, row.ticket, row.place) for row in rows[: made.winners]],
        tickets=[row.ticket for row in rows],
        digest=made.entries_digest,
        is_new=not before.drawn_at,
    )


def _refuse_early(name: str, closes_on: date, today: date) -> None:
    if today <= closes_on:
        raise DrawRefused(
            f"Contest {name} takes entries until {closes_on}, in the brand's time, as its entrants "
            "were told: draw it after that day."
        )
