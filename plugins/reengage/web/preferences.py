"""What a contact wishes of us: a break from the texts, and its end.

Leaving for good is a press of its own (web/app.py). Which channel to write by is not asked: there
is one.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from reengage import db
from reengage.web import visits
from reengage.web.forms import Posted
from reengage.web.service import Service
from reengage.web.survey import said

MONTHS = ("1", "3", "6")


def add_routes(app: FastAPI, service: Service) -> None:
    """`POST /{code}/pause` (months: 1, 3 or 6) begins a break, or changes its end;
    `POST /{code}/resume` ends it. Both hold from the next batch on; neither touches an opt-out.
    """

    @app.post("/{code:link_code}/pause")
    def pause(request: Request, code: str, form: Posted) -> Response:
        months = form.get("months", [])
        if len(months) != 1 or months[0] not in MONTHS:
            raise HTTPException(400)
        with service.transaction() as connection:
            visit = visits.record(connection, request, code, "press")
            until = break_end(visit.at, int(months[0]), service.policy.brand.zone)
            if not visit.is_opted_out:
                db.run(
                    connection, "core/pause",
                    contact_id=visit.contact_id, phone_hash=visit.phone_hash,
                    channel=visits.CHANNEL, source="landing", at=visit.at, until_on=until,
                )  # fmt: skip
        if visit.is_opted_out:
            return service.pages.answer("_resumed.html", visit)
        return service.pages.answer("_paused.html", visit, paused_until=until)

    @app.post("/{code:link_code}/resume")
    def resume(request: Request, code: str) -> Response:
        with service.transaction() as connection:
            visit = visits.record(connection, request, code, "press")
            db.run(
                connection, "core/resume",
                contact_id=visit.contact_id, phone_hash=visit.phone_hash,
                channel=visits.CHANNEL, at=visit.at,
            )  # fmt: skip
            left = said(connection, visit).paused_until
        return service.pages.answer("_resumed.html", visit, paused_until=left)


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
