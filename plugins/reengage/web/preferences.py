"""What a contact wishes of us: a break from the texts, and its end.

Leaving for good is a press of its own (web/app.py). Which channel to write by is not asked: there
is one.
"""

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Response
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException

from reengage import db
from reengage.web import visits
from reengage.web.forms import Form
from reengage.web.service import Press, Service
from reengage.web.visits import Visit

MONTHS = ("1", "3", "6")


def add_routes(_: FastAPI, service: Service) -> None:
    """The press `pause` (months: 1, 3 or 6) begins a break, or changes its end; `resume` ends it.
    Both hold from the next batch on; neither touches an opt-out.
    """

    def pause(connection: Connection, visit: Visit, form: Form, is_late: bool) -> Response:
        if months_of(form) is None:
            raise HTTPException(400)
        if visit.is_opted_out:
            return service.pages.answer("_resumed.html", visit)
        until = break_end(visit.at, int(form["months"][0]), service.policy.brand.zone)
        db.run(
            connection,
            "core/pause",
            contact_id=visit.contact_id,
            phone_hash=visit.phone_hash,
            channel=visits.CHANNEL,
            source="landing",
            at=visit.at,
            until_on=until,
        )
        return service.pages.answer("_paused.html", replace(visit, paused_until=until))

    def resume(connection: Connection, visit: Visit, form: Form, is_late: bool) -> Response:
        db.run(
            connection,
            "core/resume",
            contact_id=visit.contact_id,
            phone_hash=visit.phone_hash,
            channel=visits.CHANNEL,
            at=visit.at,
        )
        return service.pages.answer("_resumed.html", replace(visit, paused_until=None))

    service.presses |= {"pause": Press(pause, months_of), "resume": Press(resume)}


def months_of(form: Form) -> Form | None:
    """How long a break shall be, as a form says it; None where it does not."""
    months = form.get("months", [])
    return {"months": months} if len(months) == 1 and months[0] in MONTHS else None


def break_end(at: datetime, months: int, zone: ZoneInfo) -> date:
    """The first brand day after a break of so many months from now: the same day of that month, or
    the first of the next where it has none.
    """
    today = at.astimezone(zone).date()
    year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
    try:
        return date(year, month + 1, today.day)
    except ValueError:
        return date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
