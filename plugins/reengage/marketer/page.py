"""The marketers' page as a FastAPI application: reads the warehouse, writes nothing, and knows
nothing of Airflow. Days are in the brand's time zone, and times are shown in it.
"""

import csv
import io
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from reengage import db
from reengage.errors import ConfigurationError, ReengageError
from reengage.policy import Policy, read_policy
from reengage.settings import TEMPLATES

log = logging.getLogger(__name__)

PAGE_ROWS = 100
PAGE_DAYS = 30
CSV_BATCH = 1000
TIMELINE = {"interactions": 20, "decisions": 200, "messages": 50, "hits": 50, "receipts": 100}
SECONDS_A_STATEMENT = 20

# What the words of the database mean, for somebody who never saw it: (label, sentence).
REASONS: dict[str, tuple[str, str]] = {
    "opened": (
        "Opened an earlier text",
        "They opened a text of this quiet spell, so they get no further ones.",
    ),
    "no_consent": (
        "No consent",
        "They never agreed to marketing by text, or took it back.",
    ),
    "consent_expired": (
        "Consent too old",
        "They agreed to marketing by text, but too long ago to rely on it.",
    ),
    "suppressed": (
        "Do not contact",
        "They or their number are on the do-not-contact list: they said stop or complained, the "
        "number does not exist, or earlier texts went unanswered to the end.",
    ),
    "no_phone": (
        "No usable number",
        "There is no phone number on file that a text can be sent to.",
    ),
    "repeat": (
        "Had this step recently",
        "They got this same step too short a while ago, so it is left out this time.",
    ),
    "duplicate_phone": (
        "Shared number",
        "Another customer with the same number is the one we write to.",
    ),
    "gap": (
        "Texted days ago",
        "Another text went to them too few days ago. They are looked at again tomorrow.",
    ),
    "daily_cap": (
        "Daily limit reached",
        "The day's limit of texts was reached. They are looked at again tomorrow.",
    ),
    "warm_up": (
        "Starting slowly",
        "Sending is being built up step by step, and the day's share was used. They are looked "
        "at again tomorrow.",
    ),
    "budget": (
        "Budget spent",
        "The budget for texts was spent. They are looked at again tomorrow.",
    ),
    "approval": (
        "Not approved",
        "Nobody approved the day's texts. They are looked at again tomorrow.",
    ),
    "control": (
        "Control group",
        "Left alone on purpose, drawn by lot: comparing with them shows what the texts change.",
    ),
    "template": (
        "Text could not be made",
        "The text came out too long or incomplete for them. They are looked at again tomorrow.",
    ),
    "due": (
        "Chosen to be texted",
        "Nothing stood in the way, so a text was prepared.",
    ),
}
ACTIONS: dict[str, str] = {"send": "Send", "hold": "Held back", "skip": "Skipped"}
MESSAGES: dict[str, tuple[str, str]] = {
    "draft": ("Prepared", "Written; the day's final checks are still ahead."),
    "queued": ("Waiting", "Cleared to go; waiting for the hours in which phones may ring."),
    "sending": ("Being sent", "On its way to the text message provider at this moment."),
    "accepted": ("On its way", "The provider has it; the phone has not confirmed it yet."),
    "delivered": ("Delivered", "The provider says the phone received it."),
    "undelivered": ("Not delivered", "The provider says the phone will never receive it."),
    "expired": ("Timed out", "The phone could not be reached in time."),
    "rejected": ("Refused", "The provider refused it; nothing was sent."),
    "unknown": ("In doubt", "It may have gone out. To be safe, it is never sent again."),
    "cancelled": (
        "Called off",
        "Called off before it went out: they came back or said stop, a check failed, or it "
        "became too late.",
    ),
}
SENT = ("accepted", "delivered", "undelivered", "expired")
OUTCOMES: dict[str, tuple[str, str]] = {
    "opted_out": ("Said stop", "They asked not to be texted again."),
    "returned": ("Came back", "They bought, visited or gave another sign of life."),
    "active": ("Opened a text", "They followed a text's link, but have not come back yet."),
    "control": ("Control, stayed quiet", "Left alone for comparison, and did not come back."),
    "unsubscribed": ("Never opened", "Texts arrived, none was opened: we stopped writing."),
    "unreachable": ("Not reached", "No text arrived. Nothing changes for them."),
}
KINDS: dict[str, str] = {
    "purchase": "Bought something",
    "visit": "Visited",
    "loyalty": "Used the loyalty card",
    "email_open": "Email shown as opened",
    "email_click": "Clicked in an email",
    "reply": "Replied",
    "login": "Logged in",
}
SUPPRESSIONS: dict[str, str] = {
    "opted_out": "said stop",
    "hard_bounce": "the number does not exist",
    "complaint": "complained",
    "inactivity": "never opened any of our texts",
    "erased": "asked to be forgotten",
}
STATUSES: dict[str, str] = {
    "active": "Active",
    "unsubscribed": "Unsubscribed",
    "erased": "Erased on request",
}
LOADS: dict[str, tuple[str, str]] = {
    "running": ("Not finished", "Still being read, or interrupted; the next load takes it over."),
    "loaded": ("Arrived", "Everything that could be read is in."),
    "stopped": ("Stopped", "Read, but not used: a check found too much wrong with it."),
}
ARMS: dict[str, str] = {"treatment": "May be texted", "control": "Control group"}

# What a spreadsheet would take for a formula when a cell begins with it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Event:
    """Something that happened to a contact. at: aware. day_only: only its date is known."""

    at: datetime
    title: str
    detail: str = ""
    body: str | None = None
    tone: str = ""
    day_only: bool = False


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

    def check(self) -> None:
        """Raises _Missing for an action or reason that does not exist."""
        if self.action not in {None, *ACTIONS} or self.reason not in {None, *REASONS}:
            raise _Missing("There is no such action or reason. Start from Days.")

    @property
    def chosen(self) -> tuple[str | None, ...]:
        return self.step, self.action, self.reason

    @property
    def binds(self) -> dict[str, Any]:
        return {"day": self.day, "step": self.step, "action": self.action, "reason": self.reason}

    def holds(self, count: sa.Row[Any]) -> bool:
        """Whether a count of the day's table is within this cell."""
        pairs = zip(self.chosen, (count.step, count.action, count.reason), strict=True)
        return all(wanted in (None, is_) for wanted, is_ in pairs)


def create_page(
    engine_factory: Callable[[], sa.Engine],
    guard: Sequence[Depends] = (),
    title: str = "Re-engagement",
    policy: Callable[[], Policy] = read_policy,
) -> FastAPI:
    """The page as an application to mount under any prefix; its links are relative.

    engine_factory: the warehouse, asked for at each request, so that a server that is down when
    the application is made may come up later. guard: dependencies that every route has; they
    refuse by raising HTTPException. policy: read at each request for the brand's time zone,
    currency and ladder; without a readable policy times are in UTC.

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
    templates = _templates()

    def brand() -> dict[str, Any]:
        try:
            current = policy()
        except ConfigurationError:
            return {"zone": ZoneInfo("UTC"), "currency": "", "ladder": []}
        return {
            "zone": current.brand.zone,
            "currency": current.brand.currency,
            "ladder": [step.name for step in current.steps],
        }

    def show(request: Request, template: str, status: int = 200, **content: Any) -> HTMLResponse:
        root = "../" * request.scope["path"].removeprefix(
            request.scope.get("root_path", "")
        ).lstrip("/").count("/")
        nonce = secrets.token_urlsafe(16)
        html = templates.get_template(template).render(
            title=title,
            root=root,
            nonce=nonce,
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
            headers={
                **_PRIVATE,
                "Content-Disposition": f'attachment; filename="{filename}.csv"',
            },
        )

    @app.get("/", response_class=HTMLResponse)
    def day(request: Request, day: date | None = None) -> Response:
        with _reading(engine_factory) as connection:
            days = [row.as_of for row in db.run(connection, "marketer/days")]
            if not days:
                return show(request, "empty.html", section="day")
            if day is None:
                day = days[0]
            if day not in days:
                raise _Missing(
                    f"Nothing was decided for {_day(day)}. The first day with decisions is "
                    f"{_day(days[-1])}, the latest {_day(days[0])}."
                )
            counts = db.run(connection, "marketer/waterfall", day=day).all()
            messages = db.run(connection, "marketer/message_statuses", day=day).all()
        place = days.index(day)
        return show(
            request,
            "day.html",
            section="day",
            days=days,
            day=day,
            earlier=days[place + 1] if place + 1 < len(days) else None,
            later=days[place - 1] if place else None,
            table=_Waterfall(counts, brand()["ladder"]),
            messages=_Statuses(messages),
        )

    @app.get("/contacts", response_class=HTMLResponse)
    def contacts(request: Request, cell: Annotated[Cell, Query()]) -> Response:
        cell.check()
        with _reading(engine_factory) as connection:
            counts = db.run(connection, "marketer/waterfall", day=cell.day).all()
            rows = db.run(
                connection, "marketer/contacts", **cell.binds, after=cell.after,
                row_limit=PAGE_ROWS + 1,
            ).all()  # fmt: skip
        return show(
            request,
            "contacts.html",
            section="day",
            cell=cell,
            rows=rows[:PAGE_ROWS],
            total=sum(count.contacts for count in counts if cell.holds(count)),
            after=rows[PAGE_ROWS - 1].contact_id if len(rows) > PAGE_ROWS else None,
        )

    @app.get("/contacts.csv")
    def contacts_csv(cell: Annotated[Cell, Query()]) -> Response:
        cell.check()
        name = "-".join(["contacts", str(cell.day), *filter(None, cell.chosen)])
        return as_csv(name, "marketer/contacts", **cell.binds, after=None, row_limit=None)

    @app.get("/contact/{contact_id}", response_class=HTMLResponse)
    def contact(request: Request, contact_id: int) -> Response:
        if not 0 <= contact_id < 2**63:
            raise _Missing("No contact has this number.")
        with _reading(engine_factory) as connection:

            def rows(name: str, **limit: int) -> Sequence[sa.Row[Any]]:
                binds: dict[str, Any] = {"contact_id": contact_id, **limit}
                return db.run(connection, f"marketer/{name}", **binds).all()

            found = rows("contact")
            if not found:
                raise _Missing(f"There is no contact {contact_id}.")
            story = {
                name: rows(f"contact_{name}", row_limit=limit) for name, limit in TIMELINE.items()
            }
            for name in ("suppressions", "consents", "episodes"):
                story[name] = rows(f"contact_{name}")
        zone = brand()["zone"]
        return show(
            request,
            "contact.html",
            section="day",
            contact=found[0],
            standing=[row for row in story["suppressions"] if row.lifted_at is None],
            consents=story["consents"],
            episodes=story["episodes"],
            events=_timeline(story, zone),
        )

    @app.get("/outcomes", response_class=HTMLResponse)
    def outcomes(request: Request, before: date | None = None) -> Response:
        with _reading(engine_factory) as connection:
            totals = db.run(connection, "marketer/step_totals").all()
            daily = db.run(
                connection, "marketer/daily_steps", before=before, day_limit=PAGE_DAYS + 1
            ).all()
            ended = db.run(connection, "marketer/outcome_counts").all()
            invented = db.run(connection, "marketer/has_invented").scalar_one()
        shown = sorted({row.as_of for row in daily}, reverse=True)[:PAGE_DAYS]
        more = any(row.as_of not in shown for row in daily)
        place = _placing(brand()["ladder"])
        return show(
            request,
            "outcomes.html",
            section="outcomes",
            totals=sorted(totals, key=lambda row: place(row.step)),
            daily=sorted(
                (row for row in daily if row.as_of in shown),
                key=lambda row: (-row.as_of.toordinal(), place(row.step)),
            ),
            earlier=shown[-1] if more else None,
            is_latest=before is None,
            ended=ended,
            invented=invented,
        )

    @app.get("/daily_steps.csv")
    def daily_steps_csv() -> Response:
        return as_csv("daily_steps", "marketer/daily_steps_csv")

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

    # --- what goes wrong, as pages ---------------------------------------------------------------

    def problem(request: Request, status: int, heading: str, *lines: str) -> HTMLResponse:
        return show(request, "problem.html", status, heading=heading, lines=lines)

    @app.exception_handler(_Missing)
    def missing(request: Request, error: _Missing) -> Response:
        return problem(request, 404, "Not there", str(error))

    @app.exception_handler(RequestValidationError)
    def misread(request: Request, error: RequestValidationError) -> Response:
        return problem(
            request, 400, "This address cannot be read",
            "A part of it is missing or is not what it should be, such as a date that does not "
            "exist. Start again from Days.",
        )  # fmt: skip

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401:
            page = problem(
                request, 401, "Please log in",
                "You are not logged in to Airflow, or your session has ended. Reload the whole "
                "browser page to log in.",
            )  # fmt: skip
        elif error.status_code == 403:
            page = problem(
                request, 403, "Not open to you",
                "Your Airflow account may not see the re-engagement journey. Ask an Airflow "
                "administrator for read access to the DAG reengage_journey.",
            )  # fmt: skip
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
            request, 503, "There is no data yet",
            "The journey has not been set up on this machine, or its database was never started. "
            "An engineer can start it with a first day:", "make day AS_OF=1997-09-30",
        )  # fmt: skip

    @app.exception_handler(sa.exc.SQLAlchemyError)
    def down(request: Request, error: sa.exc.SQLAlchemyError) -> Response:
        state = getattr(getattr(error, "orig", None), "sqlstate", None)
        log.warning("The marketers' page cannot read: %s %s", type(error).__name__, state)
        if state in _NOT_MIGRATED:
            return problem(
                request, 503, "There is no data yet",
                "The database answers, but its tables are missing or older than this page. An "
                "engineer can make them, with a first day:", "make day AS_OF=1997-09-30",
            )  # fmt: skip
        if state == _CANCELLED:
            return problem(
                request, 503, "This took too long",
                f"The database did not answer within {SECONDS_A_STATEMENT} seconds. Try again in a "
                "few minutes; should it stay so, tell an engineer.",
            )  # fmt: skip
        return problem(
            request, 503, "The database does not answer",
            "Nothing is lost and no text is sent by this page. Try again in a few minutes; should "
            "it stay so, tell an engineer that the connection reengage_warehouse does not work.",
        )  # fmt: skip

    return app


_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# Undefined table, schema, column, type.
_NOT_MIGRATED = ("42P01", "3F000", "42703", "42704")
_CANCELLED = "57014"


class _Waterfall:
    """A day's decisions from "due" down to "chosen", by reason and step."""

    def __init__(self, counts: Sequence[sa.Row[Any]], ladder: list[str]) -> None:
        self.steps = sorted({count.step for count in counts}, key=_placing(ladder))
        self.due = sum(count.contacts for count in counts)
        self.due_by_step = {
            step: sum(count.contacts for count in counts if count.step == step)
            for step in self.steps
        }
        self.rows: list[dict[str, Any]] = []
        left = self.due
        # dict.fromkeys keeps the order of the statement: the order in which reasons are checked.
        for reason, action in dict.fromkeys((count.reason, count.action) for count in counts):
            cells = {
                count.step: count.contacts
                for count in counts
                if (count.reason, count.action) == (reason, action)
            }
            all_steps = sum(cells.values())
            left -= 0 if action == "send" else all_steps
            self.rows.append(
                {"reason": reason, "action": action, "cells": cells, "all": all_steps, "left": left}
            )
        self.chosen = self._sum(lambda row: row["action"] == "send")
        self.skipped = self._sum(lambda row: row["action"] == "skip")
        self.control = self._sum(lambda row: row["reason"] == "control")
        self.held = self.due - self.chosen - self.skipped - self.control
        self.absent = [name for name in REASONS if name not in {r["reason"] for r in self.rows}]

    def _sum(self, wanted: Callable[[dict[str, Any]], bool]) -> int:
        return sum(row["all"] for row in self.rows if wanted(row))


class _Statuses:
    """A day's messages by status and step."""

    def __init__(self, counts: Sequence[sa.Row[Any]]) -> None:
        self.rows: dict[str, dict[str, int]] = {}
        for count in counts:
            self.rows.setdefault(count.status, {})[count.step] = count.messages
        self.by_status = {status: sum(cells.values()) for status, cells in self.rows.items()}
        self.sent = sum(n for status, n in self.by_status.items() if status in SENT)
        self.all = sum(self.by_status.values())


def _placing(ladder: list[str]) -> Callable[[str], tuple[int, str]]:
    """A sort key: steps as the policy orders them; those it no longer knows come last."""
    return lambda step: (ladder.index(step) if step in ladder else len(ladder), step)


@contextmanager
def _reading(engine_factory: Callable[[], sa.Engine]) -> Iterator[sa.Connection]:
    """A connection that cannot write and sees one state of the data from first to last."""
    try:
        engine = engine_factory()
    except ReengageError as error:
        raise _NoWarehouse(str(error)) from error
    with engine.connect() as connection:
        connection = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        db.run(connection, "marketer/time_limit", seconds=SECONDS_A_STATEMENT)
        yield connection


def _csv(
    engine_factory: Callable[[], sa.Engine], statement: str, binds: dict[str, Any], zone: ZoneInfo
) -> Iterator[str]:
    """The result of a statement as CSV (RFC 4180), a thousand rows at a time: memory stays flat.

    It begins with a byte order mark, without which Excel takes UTF-8 for something else.
    """
    with _reading(engine_factory) as connection:
        connection = connection.execution_options(stream_results=True, max_row_buffer=CSV_BATCH)
        with closing(db.run(connection, statement, **binds)) as result:
            yield "\ufeff" + _csv_lines([list(result.keys())])
            for rows in result.partitions(CSV_BATCH):
                yield _csv_lines([[_csv_value(value, zone) for value in row] for row in rows])


def _csv_lines(rows: Sequence[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _csv_value(value: Any, zone: ZoneInfo) -> Any:
    """A value for a spreadsheet: times in the brand's zone, and no text that it would execute."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(sep=" ", timespec="seconds")
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA_STARTS):
        return "'" + value
    return value


def _timeline(story: dict[str, Sequence[sa.Row[Any]]], zone: ZoneInfo) -> list[Event]:
    """What happened to a contact, oldest first."""

    def end_of(day: date) -> datetime:
        return datetime.combine(day, time.max, zone)

    events = []
    for row in story["interactions"]:
        amount = "" if row.amount is None else f"{_money(row.amount)} {row.currency or ''}".strip()
        # A source that knows only the date gives midnight: no hour is better than a false one.
        dated = row.occurred_at.astimezone(zone).time() == time.min
        detail = ", ".join(filter(None, [amount, f"from {row.source}"]))
        if row.source == "sandbox":
            detail += " (invented by the simulation)"
        events.append(Event(row.occurred_at, KINDS[row.kind], detail, tone="good", day_only=dated))
    for row in story["decisions"]:
        label, sentence = REASONS[row.reason]
        title = f"Due for the {row.step} on {_day(row.as_of)}: {label.lower()}"
        detail = f"{row.inactive_days} days quiet. {sentence}"
        at = row.decided_at or end_of(row.as_of)
        events.append(Event(at, title, detail, day_only=row.decided_at is None))
    for row in story["messages"]:
        label, sentence = MESSAGES[row.status]
        body = row.body
        for code in row.link_codes:
            body = body.replace(code, "…") if body else body
        code = f" Code: {row.error_code}." if row.error_code else ""
        title = f"Text of the {row.step}: {label.lower()}"
        at = row.accepted_at or row.status_at
        events.append(Event(at, title, sentence + code, body=body, tone="ours"))
    for row in story["hits"]:
        if row.verdict == "human":
            did = "Pressed a button on" if row.kind == "press" else "Opened"
            title, detail, tone = f"{did} the page of the {row.step}", "A person.", "good"
        else:
            title = f"The link of the {row.step} was fetched by a machine"
            detail, tone = "A preview or a scanner: it does not count as an open.", ""
        events.append(Event(row.at, title, detail, tone=tone))
    for row in story["receipts"]:
        title = f"{row.provider} reported on the {row.step}: {MESSAGES[row.status][0].lower()}"
        events.append(Event(row.occurred_at, title, f"The provider's code: {row.raw_code}."))
    for row in story["suppressions"]:
        why = SUPPRESSIONS[row.reason]
        events.append(
            Event(row.since, f"On the do-not-contact list: {why}", f"By {row.source}.", tone="bad")
        )
        if row.lifted_at:
            events.append(Event(row.lifted_at, f"Off the do-not-contact list again ({why})"))
    for row in story["episodes"]:
        if row.outcome:
            label, sentence = OUTCOMES[row.outcome]
            title = f"The quiet spell ended: {label.lower()}"
            events.append(Event(end_of(row.decided_on), title, sentence, tone="end", day_only=True))
    return sorted(events, key=lambda event: event.at)


# --- how things are written --------------------------------------------------------------------


def _day(value: date | None) -> str:
    return "–" if value is None else f"{value.day} {value:%b %Y}"


def _time(value: datetime | None, zone: ZoneInfo) -> str:
    if value is None:
        return "–"
    local = value.astimezone(zone)
    return f"{_day(local.date())}, {local:%H:%M}"


def _number(value: int | Decimal | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _money(value: Decimal | None) -> str:
    return "–" if value is None else f"{value:,.2f}"


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
        loader=FileSystemLoader(TEMPLATES / "marketer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        day=_day, time=_time, number=_number, money=_money, share=_share, query=_query
    )
    environment.globals.update(
        REASONS=REASONS,
        ACTIONS=ACTIONS,
        MESSAGES=MESSAGES,
        OUTCOMES=OUTCOMES,
        SUPPRESSIONS=SUPPRESSIONS,
        STATUSES=STATUSES,
        LOADS=LOADS,
        ARMS=ARMS,
    )
    return environment
