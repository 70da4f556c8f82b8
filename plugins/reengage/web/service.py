"""What the routes of the public service share: the warehouse, the policy, the clock, the pages."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from reengage.clock import Clock
from reengage.policy import Policy
from reengage.settings import settings
from reengage.web import visits
from reengage.web.hits import Busy
from reengage.web.metrics import Metrics
from reengage.web.pages import Pages
from reengage.web.spool import Spool
from reengage.web.visits import Visit

log = logging.getLogger(__name__)

# A press that waits for a lock of a long load is answered, and its wish kept, after so long.
STATEMENT_SECONDS = 10


@dataclass
class Service:
    """The parts of one service. views: by landing, what shows a page that needs more than its
    visit; it is called in a thread of its own, and may use transaction().
    """

    engine: sa.Engine
    policy: Policy
    clock: Clock
    pages: Pages
    views: dict[str, Callable[[Visit], Response]] = field(default_factory=dict)
    busy: Busy = field(default_factory=Busy)
    metrics: Metrics = field(default_factory=Metrics)
    spool: Spool = field(default_factory=lambda: Spool(settings().home / "web"))
    visitor_key: bytes = field(default_factory=visits.visitor_key, repr=False)

    def keep(self, request: Request, code: str, kind: visits.Kind, **more: bool) -> None:
        """Keep a hit until the warehouse is back. Raises SpoolFull where it cannot be kept."""
        self.spool.append(visits.hit_of(request, code, kind) | more)
        self.metrics.count("spooled")

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction on the warehouse, whose statements wait a bounded time."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
            yield connection

    def visit(self, request: Request, code: str, kind: visits.Kind) -> Visit:
        """Record the request as a hit, in a transaction of its own. Raises HTTPException 404."""
        with self.transaction() as connection:
            return visits.record(connection, request, code, kind)
