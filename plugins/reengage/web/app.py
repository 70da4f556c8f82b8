"""What a link in a text opens.

The nine characters in a link's path are all that its holder needs, and all that a request says
about a person: no cookie, no query, no script, nothing from another site. A GET only records that
the link was fetched, by a person or a machine; what counts for more is a POST, the press of a
button (RFC 8058). A forged POST needs the code, which another site does not know, so the code does
the work of a CSRF token. Run it without an access log: a code in a log is a key left in a door.

A warehouse that is away loses nothing that was answered: hits and opt-outs wait in a file
(web/spool.py), and what a page would have asked the warehouse is asked for again.
"""

import logging
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from reengage import db
from reengage.clock import Clock
from reengage.policy import Policy
from reengage.web import visits
from reengage.web.pages import Pages
from reengage.web.pool import Away, Pool
from reengage.web.service import Service

log = logging.getLogger(__name__)

# Modules beside this one with routes of their own, under a link: add_routes(app, service).
PAGES = ("survey", "contest", "preferences")


class _Code(StringConvertor):
    """A link's code as a part of a path: anything else is no link, and costs no query."""

    regex = "[A-Za-z0-9]{9}"


register_url_convertor("link_code", _Code())


def create_app(engine: sa.Engine, policy: Policy, clock: Clock) -> FastAPI:
    """The link service."""
    service = Service(engine, policy, clock, Pages(policy))
    pages, pool = service.pages, Pool(engine)
    app = FastAPI(
        title=f"{policy.brand.name} links",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.service = service

    async def view(request: Request) -> Response:
        code: str = request.path_params["code"]
        at = clock()
        row: Any = await pool.one("outbox/record_hit", **visits.binds(request, code, "view", at))
        if row is None:
            raise HTTPException(404)
        visit = visits.visit_of(row, code, at)
        if visit.url and not visit.is_expired:
            return RedirectResponse(visit.url, 302)
        if own := service.views.get(visit.landing):
            return await run_in_threadpool(own, visit)
        return pages.landing(visit, is_confirmed=False)

    app.add_route("/{code:link_code}", view, methods=["GET", "HEAD"])

    @app.post("/{code:link_code}/confirm")
    def confirm(request: Request, code: str) -> Response:
        return pages.landing(service.visit(request, code, "press"), is_confirmed=True)

    @app.post("/{code:link_code}/opt-out")
    def opt_out(request: Request, code: str) -> Response:
        with service.transaction() as connection:
            visit = visits.record(connection, request, code, "press")
            db.run(
                connection,
                "core/opt_out",
                contact_id=visit.contact_id,
                phone_hash=visit.phone_hash,
                channel=visits.CHANNEL,
                source="landing",
                at=visit.at,
            )
        return pages.stopped(visit)

    @app.get("/healthz")
    def healthz() -> Response:
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    for name in PAGES:
        try:
            module = import_module(f"reengage.web.{name}")
        except ModuleNotFoundError:
            continue
        module.add_routes(app, service)

    @app.exception_handler(HTTPException)
    def not_served(request: Request, error: HTTPException) -> Response:
        return pages.missing(error.status_code, error.headers)

    @app.exception_handler(Away)
    @app.exception_handler(SQLAlchemyError)
    def no_answer(request: Request, error: Exception) -> Response:
        # Not the error itself: its text holds the statement's parameters.
        log.error("The link service has no answer from the warehouse: %s", type(error).__name__)
        return pages.problem(503, {"Retry-After": "60"})

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> Response:
        return pages.problem(500)

    return app
