"""The marketers' page as a FastAPI application: reads the warehouse, writes nothing but what a
person has read in a reply, and knows nothing of Airflow. Days are in the brand's time zone, and
times are shown in it.
"""

import csv
import io
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain
from math import ceil
from typing import Annotated, Any, Literal
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends as Dependency
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from reengage import db, spreadsheet
from reengage.clock import Clock, wall_clock
from reengage.errors import ConfigurationError, ReengageError
from reengage.marketer import story
from reengage.marketer.story import day_text
from reengage.policy import Policy, read_policy
from reengage.sending import opt_out
from reengage.sending.providers import codes
from reengage.sending.replies import Meaning
from reengage.settings import templates

log = logging.getLogger(__name__)

CHANNEL = "sms"
PAGE_ROWS = 100
PAGE_DAYS = 30
CSV_BATCH = 1000
SECONDS_A_STATEMENT = 20
NO_POLICY = "The policy cannot be read, and it says who is barely active. Tell an engineer."

# Words that the page alone uses; those of core.word it reads, as the views do.
ACTIONS: dict[str, str] = {"send": "Send", "hold": "Held back", "skip": "Skipped"}
STATUSES: dict[str, str] = {
    "active": "Active",
    "unsubscribed": "Said stop",  # who is only resting is told by core.word
    "erased": "Erased on request",
}
LOADS: dict[str, tuple[str, str]] = {
    "running": ("Not finished", "Still being read, or interrupted; the next load takes it over."),
    "loaded": ("Arrived", "Everything that could be read is in."),
    "stopped": ("Stopped", "Read, but not used: a check found too much wrong with it."),
}
ARMS: dict[str, str] = {"treatment": "May be texted", "control": "Control group"}
GATES: dict[str, str] = {
    "size": "How many",
    "unsubscribes": "Who leaves",
    "budget": "Budget",
    "approval": "Approval",
}
TONES: dict[str, str] = {  # of a kind of event of a contact's story
    "signal": "good",
    "open": "good",
    "answer": "good",
    "entry": "good",
    "message": "ours",
    "suppression": "bad",
    "gate": "bad",
    "outcome": "end",
}
# The lines of the waterfall below the reasons.
ENDS = ("due", "drafted", "sent", "delivered")


@dataclass(frozen=True)
class Word:
    """What a word of an enum means: a few words, and a sentence where there is one."""

    label: str
    sentence: str | None


Words = dict[str, dict[str, Word]]  # by enum (cohort.reason) and value


class _Missing(ReengageError):
    """What was asked for is not there: a day, a contact, a reason."""


class _NoWarehouse(ReengageError):
    """No warehouse is configured, or the embedded server was never started."""


class Cell(BaseModel):
    """A cell of the day's table: a day, and of step, action and reason those that narrow it."""

    day: date
    step: str | None = Field(None, pattern="^[a-z][a-z0-9_]*$")
    action: str | None = None
    reason: str | None = None
    after: int | None = Field(None, ge=0, lt=2**63)

    def check(self, words: Words) -> None:
        """Raises _Missing for an action or reason that does not exist."""
        known = words["cohort.reason"]
        if self.action not in {None, *ACTIONS} or self.reason not in {None, *known}:
            raise _Missing("There is no such action or reason. Start from Days.")

    @property
    def chosen(self) -> tuple[str | None, ...]:
        return self.step, self.action, self.reason

    @property
    def binds(self) -> dict[str, Any]:
        return {"day": self.day, "step": self.step, "action": self.action, "reason": self.reason}


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
    pages = _templates()

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
            "reach_days": _reach_days(current),
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
            first_day=_first_day(),
            **{"section": "", **brand(), **content},
        )
        policy_header = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
        )
        return HTMLResponse(
            html, status, headers={**_PRIVATE, "Content-Security-Policy": policy_header}
        )

    def as_csv(filename: str, statement: str, **binds: Any) -> StreamingResponse:
        lines = _csv(engine_factory, statement, binds, brand()["zone"])
        # The first lines are read here: a warehouse that is down is a page, not half a file.
        first = next(lines)
        return StreamingResponse(
            chain([first], lines),
            media_type="text/csv; charset=utf-8",
            headers={**_PRIVATE, "Content-Disposition": f'attachment; filename="{filename}.csv"'},
        )

    @app.get("/", response_class=HTMLResponse)
    def day(request: Request, day: date | None = None) -> Response:
        with _reading(engine_factory) as connection:
            decided = {row.as_of: row for row in db.run(connection, "marketer/days")}
            days = list(decided)
            if not days:
                return show(request, "empty.html", section="day")
            if day is None:
                day = days[0]
            if day not in decided:
                raise _Missing(
                    f"Nothing was decided for {day_text(day)}. The first day with decisions is "
                    f"{day_text(days[-1])}, the latest {day_text(days[0])}."
                )
            words = _words(connection)
            lines = db.run(connection, "marketer/waterfall", day=day).all()
            messages = db.run(connection, "marketer/message_statuses", day=day).all()
            failures = db.run(connection, "marketer/failures", day=day).all()
            gates = db.run(connection, "marketer/gates", day=day).all()
            waiting = db.run(connection, "marketer/count_replies").scalar_one()
            # Who is barely active is known of today alone.
            wanted = barely(day) if day == days[0] else None
            barely_active = wanted and _count_barely_active(connection, wanted)
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
            table=_Waterfall(lines, brand()["ladder"]),
            messages=_Statuses(messages),
            failures=[(row, codes.words(row.code)) for row in failures],
            state=decided[day],
            gates=gates,
            barely_active=barely_active,
            barely_days=wanted and wanted["barely_days"],
        )

    @app.get("/contacts", response_class=HTMLResponse)
    def contacts(request: Request, cell: Annotated[Cell, Query()]) -> Response:
        with _reading(engine_factory) as connection:
            words = _words(connection)
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
        with _reading(engine_factory) as connection:
            cell.check(_words(connection))
        name = "-".join(["contacts", str(cell.day), *filter(None, cell.chosen)])
        return as_csv(name, "marketer/contacts", **cell.binds, after=None, row_limit=None)

    @app.get("/barely_active", response_class=HTMLResponse)
    def barely_active(
        request: Request,
        after_on: date | None = None,
        after: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    ) -> Response:
        with _reading(engine_factory) as connection:
            wanted = barely(_latest_day(connection))
            if wanted is None:
                raise _Missing(NO_POLICY)
            total = _count_barely_active(connection, wanted)
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
        with _reading(engine_factory) as connection:
            wanted = barely(_latest_day(connection))
        if wanted is None:
            raise _Missing(NO_POLICY)
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
            raise _Missing("No contact has this number.")
        zone = brand()["zone"]
        with _reading(engine_factory) as connection:

            def rows(name: str) -> Sequence[sa.Row[Any]]:
                return db.run(connection, f"marketer/{name}", contact_id=contact_id).all()

            found = rows("contact")
            if not found:
                raise _Missing(f"There is no contact {contact_id}.")
            standing = rows("contact_suppressions")
            reasons = {row.reason for row in standing}
            return show(
                request,
                "contact.html",
                section="day",
                words=_words(connection),
                contact=found[0],
                standing=standing,
                is_resting="inactivity" in reasons and not reasons & {"opted_out", "complaint"},
                consents=rows("contact_consents"),
                episodes=rows("contact_episodes"),
                stands=_standing(connection, policy, contact_id),
                events=story.read(connection, contact_id, str(zone)),
                bodies=_bodies(rows("contact_messages")),
            )

    @app.get("/outcomes", response_class=HTMLResponse)
    def outcomes(request: Request, before: date | None = None) -> Response:
        window = {"attribution_days": brand()["attribution_days"]}
        with _reading(engine_factory) as connection:
            totals = db.run(connection, "marketer/step_totals", **window).all()
            daily = db.run(
                connection, "marketer/daily_steps", before=before, day_limit=PAGE_DAYS + 1, **window
            ).all()
            ended = db.run(connection, "marketer/outcome_counts").all()
            words = _words(connection)
            invented = db.run(connection, "marketer/has_invented").scalar_one()
            hits = db.run(connection, "marketer/hit_counts").all()
            others = db.run(connection, "marketer/other_revenue").all()
        shown = sorted({row.as_of for row in daily}, reverse=True)[:PAGE_DAYS]
        more = any(row.as_of not in shown for row in daily)
        place = _placing(brand()["ladder"])
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

    @app.get("/loads", response_class=HTMLResponse)
    def loads(request: Request) -> Response:
        with _reading(engine_factory) as connection:
            return show(
                request,
                "loads.html",
                section="loads",
                sources=db.run(connection, "marketer/sources").all(),
                loads=db.run(connection, "marketer/loads", row_limit=50).all(),
                rejects=db.run(connection, "marketer/rejects").all(),
            )

    @app.get("/replies", response_class=HTMLResponse)
    def replies(request: Request, may_answer: Annotated[bool, Depends(may_write)]) -> Response:
        with _reading(engine_factory) as connection:
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

    @app.post("/replies/{reply_id}/{meant}", dependencies=[Depends(_own_page)])
    def review(
        reply_id: int,
        meant: Literal["stop", "go-on", "start"],
        may_answer: Annotated[bool, Depends(may_write)],
    ) -> Response:
        if not may_answer:
            raise HTTPException(403)
        if not 0 <= reply_id < 2**63:
            raise _Missing("There is no such reply.")
        meaning: Meaning = "unclear" if meant == "go-on" else meant
        opt_out.review(_engine(engine_factory), reply_id, meaning, CHANNEL, clock())
        # One that somebody else has read meanwhile is no longer in the list, which says enough.
        return RedirectResponse("../../replies", 303, _PRIVATE)

    # --- what goes wrong, as pages ---------------------------------------------------------------

    def problem(request: Request, status: int, heading: str, *lines: str) -> HTMLResponse:
        return show(request, "problem.html", status, heading=heading, lines=lines)

    @app.exception_handler(_Missing)
    def missing(request: Request, error: _Missing) -> Response:
        return problem(request, 404, "Not there", str(error))

    @app.exception_handler(RequestValidationError)
    def misread(request: Request, error: RequestValidationError) -> Response:
        return problem(
            request,
            400,
            "This address cannot be read",
            "A part of it is missing or is not what it should be, such as a date that does not "
            "exist. Start again from Days.",
        )

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401:
            page = problem(
                request,
                401,
                "Please log in",
                "You are not logged in to Airflow, or your session has ended. Reload the whole "
                "browser page to log in.",
            )
        elif error.status_code == 403:
            page = problem(
                request,
                403,
                "Not open to you",
                "Your Airflow account may not do this. Ask an Airflow administrator for access to "
                "the DAG reengage_journey: to read it, to see this page; to edit it, to say what a "
                "reply means.",
            )
        elif error.status_code == 404:
            page = problem(request, 404, "Not there", "There is no such page. Start from Days.")
        else:
            page = problem(request, error.status_code, "That did not work", str(error.detail))
        page.headers.update(error.headers or {})
        return page

    @app.exception_handler(_NoWarehouse)
    def unset(request: Request, error: _NoWarehouse) -> Response:
        log.warning("The marketers' page has no warehouse: %s", error)
        return problem(
            request,
            503,
            "There is no data yet",
            "The journey has not been set up on this machine, or its database was never started. "
            "An engineer can start it with a first day:",
            _first_day(),
        )

    @app.exception_handler(sa.exc.SQLAlchemyError)
    def down(request: Request, error: sa.exc.SQLAlchemyError) -> Response:
        state = getattr(getattr(error, "orig", None), "sqlstate", None)
        log.warning("The marketers' page cannot read: %s %s", type(error).__name__, state)
        if state in _NOT_MIGRATED:
            return problem(
                request,
                503,
                "There is no data yet",
                "The database answers, but its tables are missing or older than this page. An "
                "engineer can make them, with a first day:",
                _first_day(),
            )
        if state == _CANCELLED:
            return problem(
                request,
                503,
                "This took too long",
                f"The database did not answer within {SECONDS_A_STATEMENT} seconds. Try again in a "
                "few minutes; should it stay so, tell an engineer.",
            )
        return problem(
            request,
            503,
            "The database does not answer",
            "Nothing is lost and no text is sent by this page. Try again in a few minutes; should "
            "it stay so, tell an engineer that the connection reengage_warehouse does not work.",
        )

    return app


_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# Undefined table, schema, column, type.
_NOT_MIGRATED = ("42P01", "3F000", "42703", "42704")
_CANCELLED = "57014"


def _first_day() -> str:
    """What an engineer types for a first day, of data that is complete: yesterday's."""
    return f"make day AS_OF={wall_clock().date() - timedelta(days=1)}"


class _Waterfall:
    """A day from "due" down to "delivered", by step, beside the day before."""

    def __init__(self, lines: Sequence[sa.Row[Any]], ladder: list[str]) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        for line in lines:
            row = self.rows.setdefault(
                line.stage,
                {
                    "stage": line.stage,
                    "action": None,
                    "cells": {},
                    "all": 0,
                    "left": 0,
                    "before": None,
                },
            )
            row["cells"][line.step] = line.contacts
            row["action"] = line.action or row["action"]
            row["all"] += line.contacts
            row["left"] += line.left_over
            if line.previous_contacts is not None:
                row["before"] = (row["before"] or 0) + line.previous_contacts
        first = self.rows.get("dormant", {"cells": {}, "all": 0})
        self.steps = sorted(first["cells"], key=_placing(ladder))
        self.due_by_step = first["cells"]
        self.due = first["all"]
        reasons = [row for stage, row in self.rows.items() if stage not in ("dormant", *ENDS)]
        # A reason of the day before stays, so that it is seen to be gone.
        self.held_rows = [row for row in reasons if row["all"] or row["before"]]
        self.absent = [row["stage"] for row in reasons if not (row["all"] or row["before"])]
        self.chosen = self._all("due")
        self.sent = self._all("sent")
        self.control = self._all("control")
        self.skipped = sum(row["all"] for row in reasons if row["action"] == "skip")
        self.held = self.due - self.chosen - self.skipped - self.control

    def _all(self, stage: str) -> int:
        return int(self.rows[stage]["all"]) if stage in self.rows else 0


class _Statuses:
    """A day's messages by status and step."""

    def __init__(self, counts: Sequence[sa.Row[Any]]) -> None:
        self.rows: dict[str, dict[str, int]] = {}
        for count in counts:
            self.rows.setdefault(count.status, {})[count.step] = count.messages
        self.by_status = {status: sum(cells.values()) for status, cells in self.rows.items()}
        self.all = sum(self.by_status.values())


def _words(connection: sa.Connection) -> Words:
    """What the words of the enums mean."""
    found: Words = {}
    for row in db.run(connection, "marketer/words"):
        found.setdefault(row.about, {})[row.word] = Word(row.label, row.sentence)
    return found


def _latest_day(connection: sa.Connection) -> date:
    latest: date | None = db.run(connection, "marketer/days").scalars().first()
    if latest is None:
        raise _Missing("No day has been decided yet.")
    return latest


def _count_barely_active(connection: sa.Connection, wanted: dict[str, Any]) -> int:
    return int(db.run(connection, "marketer/count_barely_active", **wanted).scalar_one())


def _reach_days(policy: Policy) -> int:
    """No contact's first step is more days away from their last sign of life than this."""
    thresholds = policy.thresholds
    days = max(behaviour.days[0] for behaviour in policy.behaviours) * thresholds.scale
    days *= max([1.0, *thresholds.lifecycle.values()])
    if thresholds.rhythm:
        days = max(days, thresholds.rhythm.at_most_days)
    return ceil(days)


def _standing(
    connection: sa.Connection, policy: Callable[[], Policy], contact_id: int
) -> str | None:
    """Where a contact stands, as a sentence; None without a readable policy."""
    try:
        return story.standing(connection, policy(), contact_id)
    except ConfigurationError:
        return None


def _bodies(messages: Sequence[sa.Row[Any]]) -> dict[Any, str]:
    """The texts by message, without the codes of their links."""
    found = {}
    for message in messages:
        body = message.body
        for code in message.link_codes:
            body = body.replace(code, "…")
        found[message.message_id] = body
    return found


def _placing(ladder: list[str]) -> Callable[[str], tuple[int, str]]:
    """A sort key: steps as the policy orders them; those it no longer knows come last."""
    return lambda step: (ladder.index(step) if step in ladder else len(ladder), step)


def _own_page(request: Request) -> None:
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


def _engine(engine_factory: Callable[[], sa.Engine]) -> sa.Engine:
    try:
        return engine_factory()
    except ReengageError as error:
        raise _NoWarehouse(str(error)) from error


@contextmanager
def _reading(engine_factory: Callable[[], sa.Engine]) -> Iterator[sa.Connection]:
    """A connection that cannot write and sees one state of the data from first to last."""
    with _engine(engine_factory).connect() as connection:
        connection = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        db.run(connection, "marketer/time_limit", seconds=SECONDS_A_STATEMENT)
        yield connection


def _csv(
    engine_factory: Callable[[], sa.Engine], statement: str, binds: dict[str, Any], zone: ZoneInfo
) -> Iterator[str]:
    """The result of a statement as CSV (RFC 4180), a thousand rows at a time: memory stays flat.
    The ids in the sources (source_ids, last) are a column for each source.

    It begins with a byte order mark, without which Excel takes UTF-8 for something else.
    """
    with _reading(engine_factory) as connection:
        sources = db.run(connection, "story/id_sources").scalars().all()
        connection = connection.execution_options(stream_results=True, max_row_buffer=CSV_BATCH)
        with closing(db.run(connection, statement, **binds)) as result:
            names = list(result.keys())
            own = [name for name in names if name != "source_ids"]
            ids = sources if own != names else []
            yield "\ufeff" + _csv_lines([own + spreadsheet.id_names(ids)])
            for rows in result.partitions(CSV_BATCH):
                yield _csv_lines(
                    [_csv_value(value, zone) for value in row[: len(own)]]
                    + (spreadsheet.id_cells(row.source_ids, ids) if ids else [])
                    for row in rows
                )


def _csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _csv_value(value: Any, zone: ZoneInfo) -> Any:
    """A value for a spreadsheet: times in the brand's zone, and no text that it would execute."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(sep=" ", timespec="seconds")
    return spreadsheet.text(value) if isinstance(value, str) else value


# --- how things are written --------------------------------------------------------------------


def _day(value: date | None) -> str:
    return "–" if value is None else day_text(value)


def _after(value: datetime, days: int, zone: ZoneInfo) -> date:
    """The day on which so many days since a time are over."""
    return (value + timedelta(days=days)).astimezone(zone).date()


def _time(value: datetime | None, zone: ZoneInfo) -> str:
    if value is None:
        return "–"
    local = value.astimezone(zone)
    return f"{_day(local.date())}, {local:%H:%M}"


def _number(value: int | Decimal | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _money(value: Decimal | None) -> str:
    return "–" if value is None else f"{value:,.2f}"


def _change(now: int, before: int | None) -> str:
    """The difference to the day before, with its sign; nothing where there is none to compare."""
    if before is None:
        return ""
    return f"{now - before:+,}".replace("-", "−") if now != before else "±0"


def _share(part: int | Decimal, whole: int | Decimal) -> str:
    """A part of a whole in percent; a part that is there never reads as 0.0%."""
    if not whole:
        return "–"
    percent = 100 * float(part) / float(whole)
    return "<0.1%" if 0 < percent < 0.05 else f"{percent:.1f}%"


def _query(values: dict[str, Any]) -> str:
    return urlencode({key: value for key, value in values.items() if value is not None})


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates("marketer")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        day=_day,
        time=_time,
        after=_after,
        number=_number,
        money=_money,
        share=_share,
        query=_query,
        change=_change,
    )
    environment.globals.update(
        ACTIONS=ACTIONS,
        STATUSES=STATUSES,
        LOADS=LOADS,
        ARMS=ARMS,
        GATES=GATES,
        TONES=TONES,
        ENDS=ENDS,
    )
    return environment
