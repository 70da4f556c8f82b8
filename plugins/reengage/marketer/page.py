"""The marketers' page as a FastAPI application: reads the warehouse, writes nothing but what a
person has read in a reply, and knows nothing of Airflow. Days are in the brand's time zone, and
times are shown in it.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Query, Request
from fastapi.params import Depends as Dependency
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from reengage import db
from reengage.clock import Clock, day_text, wall_clock
from reengage.errors import ConfigurationError
from reengage.marketer import story
from reengage.marketer.asking import csv_of, engine_of, reading
from reengage.marketer.effects import add_effects
from reengage.marketer.problems import add_problems, first_day
from reengage.marketer.shown import (
    Cell,
    Missing,
    Statuses,
    Waterfall,
    bodies_of,
    count_barely_active,
    latest_day,
    placing,
    reach_days,
    standing_of,
)
from reengage.marketer.words import read_words
from reengage.marketer.written import environment_of_pages
from reengage.policy import Policy, read_policy
from reengage.sending import opt_out
from reengage.sending.providers import codes
from reengage.sending.replies import Meaning

log = logging.getLogger(__name__)

CHANNEL = "sms"

PAGE_ROWS = 100

PAGE_DAYS = 30

NO_POLICY = "The policy cannot be read, and it says who is barely active. Tell an engineer."


def create_page(
    engine_factory: Callable[[], sa.Engine],
    guard: Sequence[Dependency] = (),
    title: str = "Re-engagement",
    policy: Callable[[], Policy] = read_policy,
    may_write: Callable[..., bool] = lambda: True,
    clock: Clock = wall_clock,
) -> FastAPI:
    """The page as an application to mount under any prefix; its links are relative.

    engine_factory: the warehouse, asked for at each request, so that a server that is down when
    the application is made may come up later. guard: dependencies that every route has; they
    refuse by raising HTTPException. policy: read at each request for the brand's time zone,
    currency and ladder; without a readable policy times are in UTC. may_write: a dependency that
    says whether who asks may say what a reply means; who may not sees no button for it, and is
    refused. clock: when a reply was read.

    A warehouse that is down, empty of tables or too slow is answered with a page and status 503.
    """
    app = FastAPI(
        title=title,
        dependencies=list(guard),
        # These routes would escape the guard, and nobody calls the page as an API.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    pages = environment_of_pages()

    def brand() -> dict[str, Any]:
        try:
            current = policy()
        except ConfigurationError:
            return {
                "zone": ZoneInfo("UTC"),
                "currency": "",
                "ladder": [],
                "hold_days": None,
                "attribution_days": None,
                "bar": None,
            }
        return {
            "bar": story.REHEARSAL if current.mode == "sandbox" else None,
            "zone": current.brand.zone,
            "currency": current.brand.currency,
            "ladder": [step.name for step in current.steps],
            "hold_days": current.replies.hold_days,
            "attribution_days": current.attribution_days,
        }

    def barely(as_of: date) -> dict[str, Any] | None:
        """The binds that name the barely active of the latest day; None without a policy."""
        try:
            current = policy()
        except ConfigurationError:
            return None
        return {
            "as_of": as_of,
            "barely_days": current.barely_active_after_days,
            "reach_days": reach_days(current),
        }

    def show(request: Request, template: str, status: int = 200, **content: Any) -> HTMLResponse:
        root = "../" * request.scope["path"].removeprefix(
            request.scope.get("root_path", "")
        ).lstrip("/").count("/")
        nonce = secrets.token_urlsafe(16)
        html = pages.get_template(template).render(
            title=title,
            root=root,
            nonce=nonce,
            first_day=first_day(),
            **{"section": "", **brand(), **content},
        )
        policy_header = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
        )
        return HTMLResponse(
            html, status, headers={**PRIVATE, "Content-Security-Policy": policy_header}
        )

    def as_csv(filename: str, statement: str, **binds: Any) -> StreamingResponse:
        lines = csv_of(engine_factory, statement, binds, brand()["zone"])
        # The first lines are read here: a warehouse that is down is a page, not half a file.
        first = next(lines)
        return StreamingResponse(
            chain([first], lines),
            media_type="text/csv; charset=utf-8",
            headers={**PRIVATE, "Content-Disposition": f'attachment; filename="{filename}.csv"'},
        )

    @app.get("/", response_class=HTMLResponse)
    def day(request: Request, day: date | None = None) -> Response:
        with reading(engine_factory) as connection:
            decided = {row.as_of: row for row in db.run(connection, "marketer/days")}
            days = list(decided)
            if not days:
                return show(request, "empty.html", section="day")
            if day is None:
                day = days[0]
            if day not in decided:
                raise Missing(
                    f"Nothing was decided for {day_text(day)}. The first day with decisions is "
                    f"{day_text(days[-1])}, the latest {day_text(days[0])}."
                )
            words = read_words(connection)
            lines = db.run(connection, "marketer/waterfall", day=day).all()
            messages = db.run(connection, "marketer/message_statuses", day=day).all()
            failures = db.run(connection, "marketer/failures", day=day).all()
            gates = db.run(connection, "marketer/gates", day=day).all()
            waiting = db.run(connection, "marketer/count_replies").scalar_one()
            # Who is barely active is known of today alone.
            wanted = barely(day) if day == days[0] else None
            barely_active = wanted and count_barely_active(connection, wanted)
        place = days.index(day)
        return show(
            request,
            "day.html",
            section="day",
            waiting=waiting,
            words=words,
            days=days,
            day=day,
            earlier=days[place + 1] if place + 1 < len(days) else None,
            later=days[place - 1] if place else None,
            table=Waterfall(lines, brand()["ladder"]),
            messages=Statuses(messages),
            failures=[(row, codes.words(row.code)) for row in failures],
            state=decided[day],
            gates=gates,
            barely_active=barely_active,
            barely_days=wanted and wanted["barely_days"],
        )

    @app.get("/contacts", response_class=HTMLResponse)
    def contacts(request: Request, cell: Annotated[Cell, Query()]) -> Response:
        with reading(engine_factory) as connection:
            words = read_words(connection)
            cell.check(words)
            total = db.run(connection, "marketer/count_contacts", **cell.binds).scalar_one()
            rows = db.run(
                connection,
                "marketer/contacts",
                **cell.binds,
                after=cell.after,
                row_limit=PAGE_ROWS + 1,
            ).all()
        return show(
            request,
            "contacts.html",
            section="day",
            words=words,
            cell=cell,
            rows=rows[:PAGE_ROWS],
            total=total,
            after=rows[PAGE_ROWS - 1].contact_id if len(rows) > PAGE_ROWS else None,
        )

    @app.get("/contacts.csv")
    def contacts_csv(cell: Annotated[Cell, Query()]) -> Response:
        with reading(engine_factory) as connection:
            cell.check(read_words(connection))
        name = "-".join(["contacts", str(cell.day), *filter(None, cell.chosen)])
        return as_csv(name, "marketer/contacts", **cell.binds, after=None, row_limit=None)

    @app.get("/barely_active", response_class=HTMLResponse)
    def barely_active(
        request: Request,
        after_on: date | None = None,
        after: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    ) -> Response:
        with reading(engine_factory) as connection:
            wanted = barely(latest_day(connection))
            if wanted is None:
                raise Missing(NO_POLICY)
            total = count_barely_active(connection, wanted)
            rows = db.run(
                connection,
                "marketer/barely_active",
                **wanted,
                after_on=after_on,
                after=after or 0,
                row_limit=PAGE_ROWS + 1,
            ).all()
        return show(
            request,
            "barely_active.html",
            section="day",
            day=wanted["as_of"],
            barely_days=wanted["barely_days"],
            rows=rows[:PAGE_ROWS],
            total=total,
            is_first=after_on is None,
            last=rows[PAGE_ROWS - 1] if len(rows) > PAGE_ROWS else None,
            has_clocks=any(row.behaviour != "any" for row in rows),
        )

    @app.get("/barely_active.csv")
    def barely_active_csv() -> Response:
        with reading(engine_factory) as connection:
            wanted = barely(latest_day(connection))
        if wanted is None:
            raise Missing(NO_POLICY)
        return as_csv(
            f"barely-active-{wanted['as_of']}",
            "marketer/barely_active",
            **wanted,
            after_on=None,
            after=0,
            row_limit=None,
        )

    @app.get("/contact/{contact_id}", response_class=HTMLResponse)
    def contact(request: Request, contact_id: int) -> Response:
        if not 0 <= contact_id < 2**63:
            raise Missing("No contact has this number.")
        zone = brand()["zone"]
        with reading(engine_factory) as connection:

            def rows(name: str) -> Sequence[sa.Row[Any]]:
                return db.run(connection, f"marketer/{name}", contact_id=contact_id).all()

            found = rows("contact")
            if not found:
                raise Missing(f"There is no contact {contact_id}.")
            standing = rows("contact_suppressions")
            reasons = {row.reason for row in standing}
            return show(
                request,
                "contact.html",
                section="day",
                words=read_words(connection),
                contact=found[0],
                standing=standing,
                is_resting="inactivity" in reasons and not reasons & {"opted_out", "complaint"},
                consents=rows("contact_consents"),
                episodes=rows("contact_episodes"),
                stands=standing_of(connection, policy, contact_id),
                events=story.read(connection, contact_id, str(zone)),
                bodies=bodies_of(rows("contact_messages")),
            )

    @app.get("/outcomes", response_class=HTMLResponse)
    def outcomes(request: Request, before: date | None = None) -> Response:
        window = {"attribution_days": brand()["attribution_days"]}
        with reading(engine_factory) as connection:
            totals = db.run(connection, "marketer/step_totals", **window).all()
            daily = db.run(
                connection, "marketer/daily_steps", before=before, day_limit=PAGE_DAYS + 1, **window
            ).all()
            ended = db.run(connection, "marketer/outcome_counts").all()
            words = read_words(connection)
            invented = db.run(connection, "marketer/has_invented").scalar_one()
            hits = db.run(connection, "marketer/hit_counts").all()
            others = db.run(connection, "marketer/other_revenue").all()
        shown = sorted({row.as_of for row in daily}, reverse=True)[:PAGE_DAYS]
        more = any(row.as_of not in shown for row in daily)
        place = placing(brand()["ladder"])
        return show(
            request,
            "outcomes.html",
            section="outcomes",
            words=words,
            totals=sorted(totals, key=lambda row: (row.is_open, place(row.step))),
            daily=sorted(
                (row for row in daily if row.as_of in shown),
                key=lambda row: (-row.as_of.toordinal(), place(row.step)),
            ),
            earlier=shown[-1] if more else None,
            is_latest=before is None,
            ended=ended,
            invented=invented,
            others=others,
            hits=sorted(hits, key=lambda row: place(row.step)),
        )

    @app.get("/daily_steps.csv")
    def daily_steps_csv() -> Response:
        window = {"attribution_days": brand()["attribution_days"]}
        return as_csv("daily_steps", "marketer/daily_steps_csv", **window)

    @app.get("/contact_outcomes.csv")
    def contact_outcomes_csv() -> Response:
        return as_csv("contact_outcomes", "marketer/contact_outcomes_csv")

    add_effects(app, show, engine_factory, lambda: brand()["ladder"])

    @app.get("/effects.csv")
    def effects_csv() -> Response:
        return as_csv("effects", "marketer/effects", experiment=None)

    @app.get("/loads", response_class=HTMLResponse)
    def loads(request: Request) -> Response:
        with reading(engine_factory) as connection:
            return show(
                request,
                "loads.html",
                section="loads",
                words=read_words(connection),
                sources=db.run(connection, "marketer/sources").all(),
                loads=db.run(connection, "marketer/loads", row_limit=50).all(),
                rejects=db.run(connection, "marketer/rejects").all(),
            )

    @app.get("/replies", response_class=HTMLResponse)
    def replies(request: Request, may_answer: Annotated[bool, Depends(may_write)]) -> Response:
        with reading(engine_factory) as connection:
            unread, counted = (
                db.run(
                    connection, "marketer/replies", is_counted=is_counted, row_limit=PAGE_ROWS
                ).all()
                for is_counted in (False, True)
            )
            return show(
                request,
                "replies.html",
                section="replies",
                unread=unread,
                counted=counted,
                may_answer=may_answer,
                kept=db.run(connection, "marketer/unread_webhooks").one(),
            )

    @app.post("/replies/{reply_id}/{meant}", dependencies=[Depends(own_page)])
    def review(
        reply_id: int,
        meant: Literal["stop", "go-on", "start"],
        may_answer: Annotated[bool, Depends(may_write)],
    ) -> Response:
        if not may_answer:
            raise HTTPException(403)
        if not 0 <= reply_id < 2**63:
            raise Missing("There is no such reply.")
        meaning: Meaning = "unclear" if meant == "go-on" else meant
        opt_out.review(engine_of(engine_factory), reply_id, meaning, CHANNEL, clock())
        # One that somebody else has read meanwhile is no longer in the list, which says enough.
        return RedirectResponse("../../replies", 303, PRIVATE)

    add_problems(app, show)
    return app


PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def own_page(request: Request) -> None:
    """Refuses a form that another site has sent in the name of somebody who is logged in here: a
    browser says whose page a form is on. See https://owasp.org/www-community/attacks/csrf.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_own = site == "same-origin"
    else:
        is_own = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    if not is_own:
        raise HTTPException(403, "This was not asked by this page.")
