"""Progress of long work, for a person: a bar on a terminal, a line now and then in the log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from tqdm import tqdm

log = logging.getLogger(__name__)
T = TypeVar("T")
EVERY_SECONDS = 10.0
MANY = 10_000

# Where a bar is drawn, if that is a terminal; None: standard error.
screen: TextIO | None = None


def progress(items: Iterable[T], what: str, unit: str, total: int | None = None) -> Iterator[T]:
    """Pass the items through while telling how many, how fast, and how long to go: by a bar on a
    terminal, and in the log, which may be read while there is one.
    """
    stream = screen or sys.stderr
    if stream.isatty():
        items = tqdm(
            items,
            what,
            total,
            file=stream,
            unit=f" {unit}",
            unit_scale=unit == "rows" or (total or 0) >= MANY,  # 1.20M, not 1200001
            leave=False,
            mininterval=0.5,
        )
    began = last = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        if (moment := time.monotonic()) - last >= EVERY_SECONDS:
            last = moment
            rate = count / (moment - began)
            left = f", about {(total - count) / rate:,.0f} s left" if total else ""
            log.info("%s: %s %s, %s a second%s", what, f"{count:,}", unit, f"{rate:,.0f}", left)


def pace(rows: int, seconds: float) -> str:
    """How long something took, and how fast that was: 8.2 s (4,878 a second)."""
    return f"{seconds:,.1f} s" + (f" ({rows / seconds:,.0f} a second)" if rows and seconds else "")
