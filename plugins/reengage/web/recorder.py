"""Hits that come at the same time, recorded together: one round trip and one commit for several."""

import asyncio
from collections import deque
from typing import Any

from reengage.web import visits
from reengage.web.connections import Away
from reengage.web.service import Service

# Statements under way at once: one, and what comes meanwhile goes with the next; one more for each
# that takes longer than usual (it waits for a lock), so that it holds up nobody else.
AT_ONCE = 4
USUAL_SECONDS = 0.05
MOST = 100

Hit = dict[str, Any]
Waiting = list[tuple[Hit, asyncio.Future[Any]]]


class Recorder:
    """Records the hits of one event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._waiting: deque[tuple[Hit, asyncio.Future[Any]]] = deque()
        self._running = self._slow = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def record(self, hit: Hit) -> Any | None:
        """Record a hit; its row of outbox/record_hit, or None where there is no such link. It is
        committed when this returns. Raises Away where it may not be: it may be recorded again.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((hit, future))
        self._start()
        return await future

    def _start(self) -> None:
        if self._waiting and self._running == self._slow < AT_ONCE:
            self._running += 1
            task = asyncio.get_running_loop().create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                count = min(MOST, len(self._waiting))
                some = [self._waiting.popleft() for _ in range(count)]
                is_slow: list[bool] = []
                late = loop.call_later(USUAL_SECONDS, self._late, is_slow)
                try:
                    await self._record(some)
                finally:
                    late.cancel()
                    self._slow -= len(is_slow)
        finally:
            self._running -= 1

    def _late(self, is_slow: list[bool]) -> None:
        is_slow.append(True)
        self._slow += 1
        self._start()

    async def _record(self, some: Waiting) -> None:
        try:
            binds = visits.binds(self._service, [hit for hit, _ in some])
            rows = await self._service.pool.all("outbox/record_hit", **binds)
        except Away as away:
            for _, future in some:
                if not future.done():
                    future.set_exception(Away(str(away)))
        except Exception as error:
            if len(some) > 1:  # one that cannot be recorded is no reason for the others
                for one in some:
                    await self._record([one])
            elif not some[0][1].done():
                some[0][1].set_exception(error)
        else:
            found = {str(row.hit_key): row for row in rows}
            for hit, future in some:
                if not future.done():
                    future.set_result(found.get(hit["hit_key"]))
