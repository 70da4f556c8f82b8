"""What a link in a text opens.

The nine characters in a link's path are all that its holder needs, and all that a request says
about a person: no cookie, no query, nothing from another site; the one script copies a coupon's
code into the visitor's own clipboard. A GET only records that
the link was fetched, by a person or a machine; what counts for more is a POST, the press of a
button (RFC 8058). A forged POST needs the code, which another site does not know, so the code does
the work of a CSRF token. Run it without an access log: a code in a log is a key left in a door.

A warehouse that is away loses nothing that was answered: hits and presses wait in a file
(web/spool.py); what a page would have shown is asked for again.
"""

import base64
import hmac
import ipaddress
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module

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
from reengage.phones import keys
from reengage.policy import Policy, read_policy
from reengage.sending.providers import Provider
from reengage.settings import given
from reengage.web import machines, visits, webhooks
from reengage.web.background import Background
from reengage.web.connections import Away, Pool
from reengage.web.forms import Form, Posted
from reengage.web.guard import Guard, Limits
from reengage.web.pages import Pages
from reengage.web.recorder import Recorder
from reengage.web.service import Press, Service, may_pass
from reengage.web.spool import OPT_OUT, SpoolFull
from reengage.web.visits import Visit

log = logging.getLogger(__name__)

# Modules beside this one with pages, presses or routes of their own: add_routes(app, service).
PAGES = ("survey", "contest", "coupon", "preferences")

# Whose X-Forwarded-For is believed: addresses or networks, with commas; `*` for everybody's.
PROXIES_VARIABLE = "REENGAGE_TRUSTED_PROXIES"
# Who may read /metrics: Authorization: Bearer <token>. Nobody without one: a proxy on this machine
# may hide that it asks for somebody else.
METRICS_VARIABLE = "REENGAGE_METRICS_TOKEN"
PLAIN = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
AWAY = {"Retry-After": "60"}
# What a beacon answers: the least that is a picture, of one clear point.
POINT = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")


class _Code(StringConvertor):
    """A link's code as a part of a path: anything else is no link, and costs no query."""

    # `$`, which ends a route, would let a line feed follow.
    regex = r"[A-Za-z0-9]{9}(?!\n)"


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
    records a hit of kind `view`; `GET /{code}/seen`, which a page asks for when a hand is on it,
    records a `beacon`; `POST /{code}/<press>` records a `press` and does what it says: confirm,
    opt-out, and those of the modules in PAGES. Hits are dated by the clock. A link that is past its
    time answers 410, still records, and can still opt out. While the warehouse is away views are
    answered with 503 and presses with a page that says that they are kept; both are brought to it
    later.

    `POST /webhooks/{provider}`: see web/webhooks.py. `GET /healthz` answers while the process does,
    `/readyz` while the warehouse does, else 503; `/metrics`, to whoever has the token of
    REENGAGE_METRICS_TOKEN, in Prometheus' text form.

    providers: whose webhooks are taken, by name; None: those of the environment. limits: None:
    those of the environment. Raises ConfigurationError where a page, a connection or a setting
    cannot be used.
    """
    service = Service(engine, policy, clock, Pages(policy), Pool(engine))
    pages = service.pages
    recorder = Recorder(service)
    if providers is None:
        providers = webhooks.providers_of_environment(policy)
    service.webhooks = frozenset(providers)
    background = Background(service, providers)
    machines.is_crawler("")  # the list is read and compiled now, not for the first visitor

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        background.start()
        yield
        await run_in_threadpool(background.stop)
        service.close()

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
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=networks(trusted))

    async def view(request: Request) -> Response:
        hit = visits.hit_of(request, request.path_params["code"], "view")
        try:
            row = await recorder.record(hit)
        except Away:
            await run_in_threadpool(service.keep, hit)
            return pages.problem(503, AWAY, visits.languages(request), hit["code"])
        if row is None:
            raise HTTPException(404)
        visit = visits.visit_of(row, hit)
        if visit.url and not visit.is_expired:
            # To exactly what the policy said when the text was made: nothing of the request.
            return RedirectResponse(visit.url, 302, {**PLAIN, "Referrer-Policy": "no-referrer"})
        if own := service.views.get(visit.landing):
            return await own(visit)
        return pages.landing(visit)

    async def seen(request: Request) -> Response:
        hit = visits.hit_of(request, request.path_params["code"], "beacon")
        if await recorder.record(hit) is None:
            raise HTTPException(404)
        return Response(POINT, media_type="image/gif", headers=PLAIN)

    async def press(request: Request, code: str, name: str, form: Posted) -> Response:
        return await service.press(request, code, name, form)

    async def back(request: Request) -> Response:
        # A tab that is opened again asks for what its button did: its page is where that is.
        if request.path_params["name"] not in service.presses:
            raise HTTPException(404)
        return RedirectResponse(f"/{request.path_params['code']}", 303, PLAIN)

    app.add_route("/{code:link_code}", view, methods=["GET", "HEAD"])
    app.add_route("/{code:link_code}/seen", seen, methods=["GET", "HEAD"])
    app.post("/{code:link_code}/{name}")(press)
    app.add_route("/{code:link_code}/{name}", back, methods=["GET", "HEAD"])

    def confirm(_: sa.Connection, visit: Visit, form: Form, is_late: bool) -> Response:
        return pages.landing(visit, is_confirmed=True)

    def opt_out(connection: sa.Connection, visit: Visit, form: Form, is_late: bool) -> Response:
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

    service.presses |= {"confirm": Press(confirm), OPT_OUT: Press(opt_out)}
    for name in PAGES:
        import_module(f"reengage.web.{name}").add_routes(app, service)

    webhooks.add_routes(app, service, providers)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=PLAIN)

    async def readyz(_: Request) -> Response:
        try:
            await service.pool.one("web/ready")
        except Away:
            return JSONResponse({"status": "no warehouse"}, 503, PLAIN)
        return JSONResponse({"status": "ok"}, headers=PLAIN)

    async def metrics(request: Request) -> Response:
        if not _may_measure(request):
            raise HTTPException(404)
        figures = service.metrics.text(spool_bytes=service.spool.waiting_bytes)
        return PlainTextResponse(figures, headers=PLAIN)

    app.add_route("/healthz", healthz, methods=["GET", "HEAD"])
    app.add_route("/readyz", readyz, methods=["GET", "HEAD"])
    app.add_route("/metrics", metrics, methods=["GET"])

    @app.exception_handler(HTTPException)
    def not_served(request: Request, error: HTTPException) -> Response:
        return pages.missing(error.status_code, error.headers, visits.languages(request))

    @app.exception_handler(Away)
    @app.exception_handler(SQLAlchemyError)
    @app.exception_handler(TimeoutError)
    @app.exception_handler(SpoolFull)
    def no_answer(request: Request, error: Exception) -> Response:
        if not (may_pass(error) or isinstance(error, SpoolFull)):
            raise error
        # Not the error itself: its text holds the statement's parameters.
        log.error("The link service has no answer from the warehouse: %s", type(error).__name__)
        return pages.problem(503, AWAY, visits.languages(request))

    return app


def default_app() -> FastAPI:
    """The link service of this installation, on the real clock: what `reengage web` serves.

    Raises WrongKey where it would look numbers up under another key; while the warehouse is away
    that is not known, and webhooks wait.
    """
    engine = db.engine()
    try:
        keys.check(engine)
    except SQLAlchemyError as error:
        log.warning("The warehouse does not answer yet: %s", type(error).__name__)
    return create_app(engine, read_policy(), wall_clock)


def _may_measure(request: Request) -> bool:
    """Whether who asks has the token."""
    token = given(METRICS_VARIABLE)
    said = request.headers.get("authorization", "").encode()
    return bool(token) and hmac.compare_digest(said, f"Bearer {token}".encode())


def networks(text: str) -> list[str]:
    """The proxies of REENGAGE_TRUSTED_PROXIES, as addresses and networks of both kinds, or `*`.

    Raises ConfigurationError for what is none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found = list(parts)
    for part in parts:
        try:
            if part != "*" and (network := ipaddress.ip_network(part)).version == 4:
                # As a peer is named on a socket that listens to both kinds of address.
                found.append(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
        except ValueError:
            raise ConfigurationError(
                f"{PROXIES_VARIABLE} holds addresses or networks, like 10.0.0.7 or 10.0.0.0/24, "
                f"with commas between them; {part!r} is none."
            ) from None
    return found
