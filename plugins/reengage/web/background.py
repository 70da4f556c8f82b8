"""What the service does beside answering: brings back what was spooled, maps webhooks, and judges
again what only time could tell.
"""

import fcntl
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import groupby
from typing import IO, Any

from sqlalchemy.exc import DBAPIError

from reengage import db
from reengage.errors import ReengageError
from reengage.sending import incoming
from reengage.sending.providers import Provider
from reengage.settings import private_folder
from reengage.web import machines, visits
from reengage.web.service import Service, may_pass

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
JUDGE_SECONDS = 60.0
# A burst is over, and a text's acceptance known, within so long.
JUDGED_AGAIN = timedelta(minutes=10)
# What PostgreSQL says where something else is in the way: a time-out, a lock, a deadlock. Whatever
# waits for one contact's row holds up nobody else's; for a table's, all wait.
BUSY = ("57014", "55P03", "40P01", "40001")
MOST_STUCK = 3


class Background:
    """A thread of the service. Of several workers of one home one has it; when that one ends, or
    is killed, another takes over.
    """

    def __init__(self, service: Service, providers: Mapping[str, Provider]) -> None:
        self._service = service
        self._providers = providers
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._lead: IO[str] | None = None
        self._judged = time.monotonic()

    def start(self) -> None:
        """Begin."""
        self._end.clear()
        self._thread = threading.Thread(target=self._run, name="reengage-web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, after the pass that is under way."""
        self._end.set()
        if self._thread:
            self._thread.join(5)

    def _run(self) -> None:
        try:
            while not self._end.wait(EVERY_SECONDS):
                try:
                    if self._leads():
                        self.tick()
                except OSError as error:
                    log.error("The link service's background cannot begin: %s", error.strerror)
        finally:
            if self._lead:
                self._lead.close()
                self._lead = None

    def _leads(self) -> bool:
        if self._lead is None:
            lead = (private_folder("web") / "lead.lock").open("a")
            try:
                fcntl.flock(lead, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lead.close()
                return False
            self._lead = lead
        return True

    def _map_webhooks(self) -> None:
        service = self._service
        for provider in self._providers.values():
            incoming.map_webhooks(service.engine, provider, service.policy, service.clock)

    def tick(self) -> None:
        """One pass. What fails is tried again in the next."""
        try:
            self._map_webhooks()
            # A stop by reply does not wait for a long spool.
            if brought := replay(self._service, self._map_webhooks):
                log.info("%s spooled hits were brought to the warehouse", f"{brought:,}")
            if time.monotonic() - self._judged >= JUDGE_SECONDS:
                self._judged = time.monotonic()
                now = self._service.clock()
                machines.judge(self._service.engine, now - JUDGED_AGAIN, now)
        except Exception as error:
            if may_pass(error):
                log.info("The warehouse is away (%s); trying again", type(error).__name__)
            else:
                said = str(error) if isinstance(error, ReengageError) else type(error).__name__
                log.error("The link service's background failed: %s", said)


def replay(service: Service, meanwhile: Callable[[], None] = lambda: None) -> int:
    """Bring what was spooled to the warehouse, and do what was pressed; how many hits. Twice:
    nothing is left. meanwhile: what is done every second of it.
    """
    stuck, done_at = 0, time.monotonic()

    def bring(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        nonlocal stuck, done_at
        if time.monotonic() - done_at >= EVERY_SECONDS:
            meanwhile()
            done_at = time.monotonic()
        with service.transaction() as connection:
            known = set(
                db.run(
                    connection, "web/known_links", codes=[record["code"] for record in records]
                ).scalars()
            )
        # Whatever was made up by somebody: there is nothing to record, or to do.
        records = [record for record in records if record["code"] in known]
        waits = []
        # In their order, as a press confirms what was fetched before it.
        for is_press, some in groupby(records, key=lambda record: "press" in record):
            together = list(some)
            for part in [[one] for one in together] if is_press else [together]:
                try:
                    _bring(service, part)
                except DBAPIError as error:
                    stuck += 1
                    if getattr(error.orig, "sqlstate", None) not in BUSY or stuck > MOST_STUCK:
                        raise
                    waits += part
        return waits

    brought = service.spool.replay(bring)
    service.metrics.count("replayed", brought)
    return brought


def _bring(service: Service, records: list[dict[str, Any]]) -> None:
    """Bring a press, or some fetches. What the warehouse would take at no time is put aside."""
    try:
        if press := records[0].get("press"):
            service.do(records[0], press, records[0]["form"], is_late=True)
        else:
            with service.transaction() as connection:
                db.run(connection, "outbox/record_hit", **visits.binds(service, records))
    except Exception as error:
        if may_pass(error):
            raise
        if len(records) > 1:
            for record in records:
                _bring(service, [record])
        else:
            service.spool.refuse(records[0], type(error).__name__)
