"""What the routes of the public service share: the warehouse, the policy, the clock, the pages; and
what a press does.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reengage.clock import Clock
from reengage.policy import Policy
from reengage.settings import settings, web_key
from reengage.web import visits
from reengage.web.connections import Away, Pool
from reengage.web.forms import Form
from reengage.web.machines import Busy
from reengage.web.metrics import Metrics
from reengage.web.pages import Pages
from reengage.web.spool import OPT_OUT, Spool
from reengage.web.visits import Visit

log = logging.getLogger(__name__)

# A press that waits for a lock of a long load, or for a warehouse that hangs (which cuts no
# connection), is answered, and kept for later, after so long.
PRESS_SECONDS = 5.0
STATEMENT_SECONDS = 10
# How long nobody waits for a warehouse that did not answer in time.
PAUSE_SECONDS = 1.0
# Presses that a warehouse may leave hanging, each in a thread; the next are kept at once.
MOST_HANGING = 12

# What a page that was opened shows.
View = Callable[[Visit], Awaitable[Response]]
# What a press does: in the transaction that records it, once. Called later where the warehouse was
# away (is_late): then nobody reads the page, and nobody can put a form right.
Act = Callable[[sa.Connection, Visit, Form, bool], Response]


def _nothing(_: Form) -> Form:
    return {}


@dataclass(frozen=True)
class Press:
    """A button of a page. needs: what of a form is kept for later, none of it by default; None
    where it says too little, as far as can be told without the warehouse: it is asked for again.
    """

    act: Act
    needs: Callable[[Form], Form | None] = _nothing


def may_pass(error: BaseException) -> bool:
    """Whether an error says that the warehouse does not serve now, and may later: it is away,
    hangs, is read-only after a fail-over, or is not migrated yet.
    """
    if isinstance(error, (DataError, IntegrityError)):
        return False
    return isinstance(error, (Away, DBAPIError, NoConnection, TimeoutError))


@dataclass
class Service:
    """The parts of one service. views: by landing, what shows a page that is more than its
    template; presses: by their name in an address (`POST /{code}/<name>`); webhooks: the providers
    that may call in.
    """

    engine: sa.Engine
    policy: Policy
    clock: Clock
    pages: Pages
    pool: Pool
    views: dict[str, View] = field(default_factory=dict)
    presses: dict[str, Press] = field(default_factory=dict)
    busy: Busy = field(default_factory=Busy)
    metrics: Metrics = field(default_factory=Metrics)
    spool: Spool = field(default_factory=lambda: Spool(settings().home / "web"))
    visitor_key: bytes = field(default_factory=lambda: web_key("visitors"), repr=False)
    webhook_key: bytes = field(default_factory=lambda: web_key("webhooks"), repr=False)
    webhooks: frozenset[str] = frozenset()
    _away_until: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # By step, as outbox/record_hit takes them.
        contests = {step.name: step.contest.name for step in self.policy.steps if step.contest}
        self.contests = json.dumps(contests)
        self._workers = ThreadPoolExecutor(MOST_HANGING, "warehouse")

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction on the warehouse, whose statements wait a bounded time."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
            yield connection

    async def in_time(self, what: str, work: Callable[[], Any], seconds: float) -> Any:
        """Work on the warehouse in a thread of its own, which is left behind after so long. Raises
        an error that may_pass; at once where the last of its kind was left behind a moment ago.
        """
        if time.monotonic() < self._away_until.get(what, 0):
            raise Away("The warehouse was away a moment ago.")
        working = asyncio.get_running_loop().run_in_executor(self._workers, work)
        try:
            async with asyncio.timeout(seconds):
                return await working
        except TimeoutError:
            self._away_until[what] = time.monotonic() + PAUSE_SECONDS
            raise

    def close(self) -> None:
        """Let go of the warehouse, and of what hangs in it."""
        self.pool.close()
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def press(self, request: Request, code: str, name: str, form: Form) -> Response:
        """Record a press and do what it asks for. While the warehouse is away it is kept, answered,
        and done later.

        Raises HTTPException 404 for a press or a link that is none, SpoolFull where it cannot be
        kept.
        """
        if name not in self.presses:
            raise HTTPException(404)
        hit = visits.hit_of(request, code, "press")
        try:
            answer = await self.in_time("press", partial(self.do, hit, name, form), PRESS_SECONDS)
        except Exception as error:
            if not may_pass(error):
                raise
            log.error("The link service has no answer from the warehouse: %s", type(error).__name__)
        else:
            if answer is None:
                raise HTTPException(404)
            return answer
        needed = self.presses[name].needs(form)
        language = visits.languages(request)
        if needed is None:
            return self.pages.problem(503, language=language, code=code, what="incomplete")
        # The same hit: where the thread gets through after all, it is there once, and done once.
        await run_in_threadpool(self.keep, hit, press=name, form=needed)
        return self.pages.kept(is_opt_out=name == OPT_OUT, language=language)

    def do(
        self, hit: Mapping[str, Any], name: str, form: Form, *, is_late: bool = False
    ) -> Response | None:
        """Record a press and do what it asks for, in one transaction; its page. None: no such link,
        or it was done before.
        """
        with self.transaction() as connection:
            visit = visits.record(connection, self, hit)
            if visit is None or not visit.is_new:
                return None
            return self.presses[name].act(connection, visit, form, is_late)

    def keep(self, hit: Mapping[str, Any], **more: Any) -> None:
        """Keep a hit until the warehouse is back. Raises SpoolFull where it cannot be kept."""
        self.spool.append({**hit, **more})
        self.metrics.count("spooled")
