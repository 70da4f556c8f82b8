"""What every request passes before a route sees it: sizes, rates, patience, and a plain answer to
whatever goes wrong.

Nothing that a request holds is logged: not its path, which is a key, nor its address.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from math import ceil
from os import environ
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from reengage.errors import ConfigurationError
from reengage.web.forms import FORM_BYTES
from reengage.web.service import Service
from reengage.web.visits import address, languages

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

PER_MINUTE_VARIABLE = "REENGAGE_WEB_PER_MINUTE"
WEBHOOKS = "/webhooks/"


@dataclass(frozen=True)
class Limits:
    """What one address may ask for, and what a request may hold. An address of a mobile network is
    shared by hundreds of people, who get their texts at the same hour.

    per_minute: requests, and as many at once as half of that; missing_per_minute: pages that are
    not there, beyond which another miss is answered with 429 (who has a real link is always
    answered: they may share the guesser's address; of 62^9 codes a guess finds none), and webhooks
    that are not signed; seconds: for a request to arrive.
    """

    per_minute: float = 600
    missing_per_minute: float = 30
    header_bytes: int = 16 * 1024
    body_bytes: int = FORM_BYTES
    webhook_bytes: int = 1024 * 1024
    seconds: float = 10

    @classmethod
    def of_environment(cls) -> "Limits":
        """The limits above, with per_minute of REENGAGE_WEB_PER_MINUTE."""
        given = environ.get(PER_MINUTE_VARIABLE) or cls.per_minute
        try:
            return cls(per_minute=max(1.0, float(given)))
        except ValueError:
            raise ConfigurationError(
                f"{PER_MINUTE_VARIABLE} is a number of requests, like 600; {given!r} is none."
            ) from None


class Buckets:
    """A token bucket for each address: `rate` a second, `burst` at once. In this process."""

    def __init__(self, rate: float, burst: float, most: int = 100_000) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._full: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str, take: float = 1) -> float:
        """Take tokens and return 0, or take none and return the seconds until there are enough.
        take 0: whether there is one.
        """
        now = time.monotonic()
        tokens, then = self._full.get(who, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        if tokens < max(take, 1):
            return (max(take, 1) - tokens) / self._rate
        self._full[who] = (tokens - take, now)
        self._full.move_to_end(who)
        if len(self._full) > self._most:
            self._full.popitem(last=False)
        return 0


class _Refused(Exception):
    """A request whose body is too large or too slow."""

    def __init__(self, status: int) -> None:
        self.status = status


class Guard:
    """The middleware."""

    def __init__(self, app: App, service: Service, limits: Limits) -> None:
        self._app = app
        self._service = service
        self._limits = limits
        self._asked = Buckets(limits.per_minute / 60, max(1, limits.per_minute / 2))
        self._missed = Buckets(limits.missing_per_minute / 60, limits.missing_per_minute)
        self._forged = Buckets(limits.missing_per_minute / 60, limits.missing_per_minute)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, is_slowed = time.perf_counter(), 0, False
        who = scope["reengage.address"] = address(scope)

        async def answer(message: Message) -> None:
            nonlocal status, is_slowed
            if message["type"] == "http.response.start":
                status = message["status"]
                if who and status in (404, 405) and (wait := self._missed.wait(who)):
                    status, is_slowed = 429, True
                    await self._slow(wait, scope)(scope, receive, send)
            if not is_slowed:
                await send(message)

        try:
            refusal = self._refusal(scope, who)
            if refusal is None:
                await self._app(scope, self._bounded(scope, receive), answer)
            else:
                await refusal(scope, receive, answer)
        except ClientDisconnect:
            pass
        except _Refused as refused:
            if not status:
                # The rest of the body is not read: the connection ends with the answer.
                page = self._service.pages.problem(
                    refused.status, {"Connection": "close"}, languages(scope)
                )
                await page(scope, receive, answer)
        except Exception as error:
            # Neither its text nor its trace: both may hold what was asked.
            frame = error.__traceback__
            while frame and frame.tb_next:
                frame = frame.tb_next
            where = f"{frame.tb_frame.f_code.co_qualname}:{frame.tb_lineno}" if frame else ""
            log.error("The link service failed: %s in %s", type(error).__name__, where)
            if not status:
                page = self._service.pages.problem(500, None, languages(scope))
                await page(scope, receive, answer)
        if who and status == 403:
            self._forged.wait(who)
        self._service.metrics.count("requests", what=_what(scope), status=str(status))
        self._service.metrics.took(time.perf_counter() - begun)

    def _refusal(self, scope: MutableMapping[str, Any], who: str) -> Response | None:
        limits, pages = self._limits, self._service.pages
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limits.header_bytes:
            return pages.problem(431, {"Connection": "close"})
        if who:
            # A provider calls in by the thousand from a few addresses, and signs what it calls.
            is_called = self._is_webhook(scope)
            wait = self._forged.wait(who, 0) if is_called else self._asked.wait(who)
            if wait:
                return self._slow(wait, scope)
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self._most(scope):
                return pages.problem(413, {"Connection": "close"})
        return None

    def _slow(self, wait: float, scope: MutableMapping[str, Any]) -> Response:
        self._service.metrics.count("limited")
        headers = {"Retry-After": str(ceil(wait))}
        return self._service.pages.problem(429, headers, languages(scope))

    def _most(self, scope: MutableMapping[str, Any]) -> int:
        limits = self._limits
        return limits.webhook_bytes if self._is_webhook(scope) else limits.body_bytes

    def _is_webhook(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether a provider of ours may call there."""
        path: str = scope["path"]
        return path.startswith(WEBHOOKS) and path[len(WEBHOOKS) :] in self._service.webhooks

    def _bounded(self, scope: MutableMapping[str, Any], receive: Receive) -> Receive:
        """The body, as far as it is not too large, and does not take too long to come."""
        left, is_done = self._most(scope), scope["method"] in ("GET", "HEAD")
        until: float | None = None

        async def bounded() -> Message:
            nonlocal left, is_done, until
            if is_done:
                return await receive()
            loop = asyncio.get_running_loop()
            until = until or loop.time() + self._limits.seconds
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise _Refused(408) from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise _Refused(413)
            is_done = not message.get("more_body", False)
            return message

        return bounded


def _what(scope: MutableMapping[str, Any]) -> str:
    """The kind of a request, as a word of ours."""
    path: str = scope["path"]
    if path.startswith(WEBHOOKS):
        return "webhook"
    if path in ("/healthz", "/readyz", "/metrics"):
        return path[1:]
    return "page" if scope["method"] in ("GET", "HEAD") else "press"
