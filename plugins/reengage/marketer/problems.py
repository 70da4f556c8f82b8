"""What goes wrong on the marketers' page, as pages that say what to do."""

import logging
from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from reengage.clock import wall_clock
from reengage.marketer.asking import SECONDS_A_STATEMENT, NoWarehouse
from reengage.marketer.shown import Missing

log = logging.getLogger(__name__)

# Undefined table, schema, column, type.
NOT_MIGRATED = ("42P01", "3F000", "42703", "42704")
CANCELLED = "57014"


def first_day() -> str:
    """What an engineer types for a first day, of data that is complete: yesterday's."""
    return f"make day AS_OF={wall_clock().date() - timedelta(days=1)}"


def add_problems(app: FastAPI, show: Callable[..., HTMLResponse]) -> None:
    """Answer what goes wrong with a page. show: makes one of a template."""

    def problem(request: Request, status: int, heading: str, *lines: str) -> HTMLResponse:
        return show(request, "problem.html", status, heading=heading, lines=lines)

    @app.exception_handler(Missing)
    def missing(request: Request, error: Missing) -> Response:
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

    @app.exception_handler(NoWarehouse)
    def unset(request: Request, error: NoWarehouse) -> Response:
        log.warning("The marketers' page has no warehouse: %s", error)
        return problem(
            request,
            503,
            "There is no data yet",
            "The journey has not been set up on this machine, or its database was never started. "
            "An engineer can start it with a first day:",
            first_day(),
        )

    @app.exception_handler(sa.exc.SQLAlchemyError)
    def down(request: Request, error: sa.exc.SQLAlchemyError) -> Response:
        state = getattr(getattr(error, "orig", None), "sqlstate", None)
        log.warning("The marketers' page cannot read: %s %s", type(error).__name__, state)
        if state in NOT_MIGRATED:
            return problem(
                request,
                503,
                "There is no data yet",
                "The database answers, but its tables are missing or older than this page. An "
                "engineer can make them, with a first day:",
                first_day(),
            )
        if state == CANCELLED:
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
