"""What a link in a text opens.

The nine characters in a link's path are all that its holder needs, and all that a request says
about a person: no cookie, no query, no script, nothing from another site. A GET only records that
the link was fetched, by a person or a machine; what counts for more is a POST, the press of a
button (RFC 8058). A forged POST needs the code, which another site does not know, so the code does
the work of a CSRF token. Run it without an access log: a code in a log is a key left in a door.

A warehouse that is away loses nothing that was answered: hits and opt-outs wait in a file
(web/spool.py); what a page would have shown is asked for again.
"""

import hmac
import ipaddress
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import anyio
import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from reengage import db
from reengage.clock import Clock, wall_clock
from reengage.errors import ConfigurationError
from reengage.policy import Policy, read_policy
from reengage.providers import Provider
from reengage.web import hits, hooks, visits
from reengage.web.background import Background
from reengage.web.guard import Guard, Limits
from reengage.web.pages import Pages
from reengage.web.pool import Away, Pool
from reengage.web.recorder import Recorder
from reengage.web.service import STATEMENT_SECONDS, Service
from reengage.web.spool import SpoolFull
from reengage.web.visits import Visit

log = logging.getLogger(__name__)

# Modules beside this one with routes of their own, under a link: add_routes(app, service).
PAGES = ("survey", "contest", "coupon", "preferences")

# Whose X-Forwarded-For is believed: addresses or networks, with commas; `*` for everybody's.
PROXIES_VARIABLE = "REENGAGE_TRUSTED_PROXIES"
# Who may read /metrics from elsewhere: Authorization: Bearer <token>.
METRICS_VARIABLE = "REENGAGE_METRICS_TOKEN"
FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
PLAIN = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
AWAY = {"Retry-After": "60"}
# A press that asks to be left alone is answered, and kept, after so long at the latest.
OPT_OUT_SECONDS = STATEMENT_SECONDS + 2.0


class _Code(StringConvertor):
    """A link's code as a part of a path: anything else is no link, and costs no query."""

    regex = "[A-Za-z0-9]{9}"


register_url_convertor("link_code", _Code())


def create_app(
    engine: sa.Engine,
    policy: Policy,
    clock: Clock,
    providers: Mapping[str, Provider] | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """The link service.

    `GET /{code}` shows the landing page of the link's step, or leads to the brand's own, and
    records a hit of kind `view`; `POST /{code}/confirm` and `POST /{code}/opt-out` record a
    `press`. Hits and opt-outs are dated by the clock. A link that is past its time answers 410,
    still records, and can still opt out. While the warehouse is away hits are answered with 503 and
    opt-outs with their page, and both are brought to it later.

    `POST /webhooks/{provider}`: see web/hooks.py. `GET /healthz` answers while the process does,
    `/readyz` while the warehouse does, else 503; `/metrics`, to this machine alone or with the
    token of REENGAGE_METRICS_TOKEN, in Prometheus' text form.

    providers: whose webhooks are taken, by name; None: those of the environment. limits: None:
    those of the environment. Raises ConfigurationError where a page, a connection or a setting
    cannot be used.
    """
    service = Service(engine, policy, clock, Pages(policy))
    pages, pool = service.pages, Pool(engine)
    recorder = Recorder(pool)
    if providers is None:
        providers = hooks.providers_of_environment(policy)
    background = Background(service, providers)
    hits.is_crawler("")  # the list is read and compiled now, not for the first visitor

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        background.start()
        yield
        await run_in_threadpool(background.stop)
        pool.close()

    app = FastAPI(
        title=f"{policy.brand.name} links",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(Guard, service=service, limits=limits or Limits.of_environment())
    if trusted := os.environ.get(PROXIES_VARIABLE):
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=_networks(trusted))
    # Once a process: what is rewritten above hides who is really asking.
    app.add_middleware(_Peer)

    async def view(request: Request) -> Response:
        code: str = request.path_params["code"]
        hit = visits.hit_of(request, code, "view")
        try:
            row = await recorder.record(hit)
        except Away:
            await run_in_threadpool(service.keep, request, code, "view")
            return pages.problem(503, AWAY)
        if row is None:
            raise HTTPException(404)
        visit = visits.visit_of(row, hit)
        if visit.url and not visit.is_expired:
            # To exactly what the policy said when the text was made: nothing of the request.
            return RedirectResponse(visit.url, 302, {**PLAIN, "Referrer-Policy": "no-referrer"})
        if own := service.views.get(visit.landing):
            return await run_in_threadpool(own, visit)
        return pages.landing(visit, is_confirmed=False)

    app.add_route("/{code:link_code}", view, methods=["GET", "HEAD"])

    @app.post("/{code:link_code}/confirm")
    def confirm(request: Request, code: str) -> Response:
        return pages.landing(service.visit(request, code, "press"), is_confirmed=True)

    @app.post("/{code:link_code}/opt-out")
    async def opt_out(request: Request, code: str) -> Response:
        try:
            # A warehouse that hangs cuts no connection: its thread is left behind.
            with anyio.fail_after(OPT_OUT_SECONDS):
                visit = await anyio.to_thread.run_sync(
                    _opt_out, service, request, code, abandon_on_cancel=True
                )
            return await run_in_threadpool(pages.stopped, visit)
        except (SQLAlchemyError, TimeoutError) as error:
            log.error("The link service has no answer from the warehouse: %s", type(error).__name__)
            # The same hit: where the thread gets through after all, it is there once.
            await run_in_threadpool(service.keep, request, code, "press", is_opting_out=True)
            return pages.stopped(None)

    for name in PAGES:
        if find_spec(f"reengage.web.{name}"):
            import_module(f"reengage.web.{name}").add_routes(app, service)

    hooks.add_routes(app, service, pool, providers)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=PLAIN)

    async def readyz(_: Request) -> Response:
        try:
            await pool.one("web/ready")
        except Away:
            return JSONResponse({"status": "no warehouse"}, 503, PLAIN)
        return JSONResponse({"status": "ok"}, headers=PLAIN)

    async def metrics(request: Request) -> Response:
        if not _may_measure(request):
            raise HTTPException(404)
        return PlainTextResponse(service.metrics.text(), headers=PLAIN)

    app.add_route("/healthz", healthz, methods=["GET", "HEAD"])
    app.add_route("/readyz", readyz, methods=["GET", "HEAD"])
    app.add_route("/metrics", metrics, methods=["GET"])

    @app.exception_handler(HTTPException)
    def not_served(request: Request, error: HTTPException) -> Response:
        return pages.missing(error.status_code, error.headers)

    @app.exception_handler(Away)
    @app.exception_handler(SQLAlchemyError)
    @app.exception_handler(SpoolFull)
    def no_answer(request: Request, error: Exception) -> Response:
        # Not the error itself: its text holds the statement's parameters.
        log.error("The link service has no answer from the warehouse: %s", type(error).__name__)
        return pages.problem(503, AWAY)

    return app


def default_app() -> FastAPI:
    """The link service of this installation, on the real clock: what `reengage web` serves."""
    return create_app(db.engine(), read_policy(), wall_clock)


def _opt_out(service: Service, request: Request, code: str) -> Visit:
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
    return visit


class _Peer:
    """Notes who has really connected, before a proxy's headers are believed."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["reengage.peer"] = scope.get("client")
        await self._app(scope, receive, send)


def _may_measure(request: Request) -> bool:
    """Whether who asks is this machine, and not a proxy on it, or has the token."""
    token = os.environ.get(METRICS_VARIABLE)
    given = request.headers.get("authorization", "").encode()
    if token and hmac.compare_digest(given, f"Bearer {token}".encode()):
        return True
    peer = request.scope["reengage.peer"]
    try:
        is_local = ipaddress.ip_address(peer[0] if peer else "").is_loopback
    except ValueError:
        return False
    return is_local and not any(name in request.headers for name in FORWARDED)


def _networks(text: str) -> list[str]:
    """The proxies of REENGAGE_TRUSTED_PROXIES, checked."""
    found = [part.strip() for part in text.split(",") if part.strip()]
    for part in found:
        try:
            if part != "*":
                ipaddress.ip_network(part)
        except ValueError:
            raise ConfigurationError(
                f"{PROXIES_VARIABLE} holds addresses or networks, like 10.0.0.7 or 10.0.0.0/24, "
                f"with commas between them; {part!r} is none."
            ) from None
    return found
