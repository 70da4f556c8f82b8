"""How tests wait: for what they need to see, for as long as a busy machine takes, and never for a
time that should do.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = 900  # nobody waits for so long: what takes longer has failed
LOOK_SECONDS = 0.01


def in_time(
    is_so: Callable[[], Any],
    what: str | Callable[[], object] = "",
    *,
    alive: Callable[[], object] | None = None,
    every: float = LOOK_SECONDS,
) -> Any:
    """What `is_so` returns once that is true. Fails, telling `what`, after SECONDS, and as soon as
    `alive` raises or returns False.
    """
    deadline = time.monotonic() + SECONDS
    while True:
        is_late = time.monotonic() > deadline
        has_ended = alive is not None and alive() is False
        if found := is_so():
            return found
        if is_late or has_ended:
            why = "it has ended" if has_ended else f"not within {SECONDS} s"
            raise AssertionError(f"{why}: {what() if callable(what) else what}")
        time.sleep(every)


def free_port() -> int:
    """A port of loopback that nobody has."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many of them, each another."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@contextmanager
def lags() -> Iterator[list[float]]:
    """By how many seconds threads are late meanwhile, on a machine that does something else."""
    found, over = [0.0], threading.Event()

    def look() -> None:
        while not over.is_set():
            began = time.monotonic()
            time.sleep(0.005)
            found.append(time.monotonic() - began - 0.005)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
