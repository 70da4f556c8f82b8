"""Counts and times of this process, in Prometheus' text form:
https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import os
from bisect import bisect_left
from collections import Counter
from threading import Lock

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

HELP = {
    "requests": "Requests answered, by what was asked for and the status.",
    "spooled": "Hits and presses written to the spool because the warehouse was away.",
    "replayed": "Spooled hits and presses brought to the warehouse.",
    "webhooks": "Webhooks, by provider and what became of them.",
    "limited": "Requests refused because too many came from one address.",
}

GAUGES = {"spool_bytes": "The size of what waits for the warehouse on this disk, of all workers."}


class Metrics:
    """What the service counts. Each worker has its own, told apart by the label `worker`."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._lock = Lock()

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Count something of HELP. Labels are words of ours, never what a request says."""
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += by

    def took(self, seconds: float) -> None:
        """Note how long a request took."""
        with self._lock:
            self._buckets[bisect_left(BOUNDS, seconds)] += 1
            self._seconds += seconds

    def text(self, **now: float) -> str:
        """All of it, for Prometheus. now: what GAUGES say, as it stands."""
        worker = f'worker="{os.getpid()}"'
        with self._lock:
            counts, buckets, seconds = dict(self._counts), list(self._buckets), self._seconds
        lines = []
        for name, said in GAUGES.items():
            lines += [f"# HELP reengage_web_{name} {said}", f"# TYPE reengage_web_{name} gauge"]
            lines.append(f"reengage_web_{name} {now[name]}")
        for name, said in HELP.items():
            lines += [f"# HELP reengage_web_{name}_total {said}"]
            lines += [f"# TYPE reengage_web_{name}_total counter"]
            for (counted, labels), value in sorted(counts.items()):
                if counted == name:
                    told = ",".join([worker, *(f'{key}="{word}"' for key, word in labels)])
                    lines.append(f"reengage_web_{name}_total{{{told}}} {value}")
        lines += ["# HELP reengage_web_request_seconds How long requests took."]
        lines += ["# TYPE reengage_web_request_seconds histogram"]
        total = 0
        for bound, value in zip([*map(str, BOUNDS), "+Inf"], buckets, strict=True):
            total += value
            lines.append(f'reengage_web_request_seconds_bucket{{{worker},le="{bound}"}} {total}')
        lines.append(f"reengage_web_request_seconds_sum{{{worker}}} {seconds:.6f}")
        lines.append(f"reengage_web_request_seconds_count{{{worker}}} {total}")
        return "\n".join(lines) + "\n"
