"""What the effect costs in the evening, beside bare SQL for it, and what its page costs.

Half of the contacts were drawn in four months, one day's share on each; the evening draws the next
day's, counts those whose windows end, and compares all. It and the bare SQL run in turns, in
transactions that are rolled back; the run fails where they do not count the same. The page is
asked of its own application, without a network.
"""

import time
import warnings
from datetime import timedelta
from statistics import median
from typing import Any

from sqlalchemy.engine import Connection

from reengage import db
from reengage.errors import ReengageError
from reengage.marketer.page import create_page
from reengage.outcome import effect
from reengage.policy import Policy, read_policy
from reengage.settings import INCLUDE
from reengage_local.bench import Bench, Figures
from reengage_local.bench.measure import Stopwatch, undone
from reengage_local.bench.world import FIRST_DAY, World

DAYS = 130  # on each of which contacts were drawn: the first of them are watched to the end
DRAWN_SHARE = 0.5  # of the contacts, in all
TURNS = 3
VIEWS = 20

Counts = dict[tuple[str, str], tuple[int, int]]


class DifferentEffects(ReengageError):
    """Two ways of counting an evening that are compared do not count the same."""


def run(bench: Bench) -> Figures:
    """The benchmark; its figures. Raises DifferentEffects."""
    policy = read_policy(INCLUDE / "journey.yaml")
    with bench.warehouse() as engine:
        world = World(engine, policy, bench.contacts)
        bench.say(f"effect: making {bench.contacts:,} contacts, what they did, and {DAYS} days.")
        world.fill()
        with engine.begin() as connection:
            db.run(
                connection,
                "bench/fill_draws",
                draws=round(DRAWN_SHARE * bench.contacts),
                days=DAYS,
                last_day=FIRST_DAY,
                salt=policy.control.salt,
                share=policy.control.share,
                step=policy.steps[0].name,
                after_days=policy.steps[0].after_days,
            )
        world.vacuum("VACUUM (ANALYZE)")
        with engine.begin() as connection:
            effect.write(connection, policy, FIRST_DAY - timedelta(days=1), world.clock())
        world.vacuum("VACUUM (ANALYZE) outcome.eligible")
        watches: dict[str, list[Stopwatch]] = {"path": [], "bare": []}
        for turn in range(TURNS):
            found: dict[str, Counts] = {}
            # Whoever comes second finds the pages in memory.
            for way in ("path", "bare")[:: -1 if turn % 2 else 1]:
                watch = Stopwatch()
                bench.checkpoint()
                with undone(engine) as connection, watch.running():
                    counts = _path if way == "path" else _bare
                    found[way] = counts(connection, policy, world)
                watches[way].append(watch)
            if found["path"] != found["bare"]:
                raise DifferentEffects(
                    f"An evening of {FIRST_DAY} counts {found['path']}, and the bare SQL "
                    f"{found['bare']}: they do not count the same."
                )
        with engine.begin() as connection:
            effect.write(connection, policy, FIRST_DAY, world.clock())
        page = _page_seconds(engine)
    seconds = {way: median(watch.total for watch in of) for way, of in watches.items()}
    figures = {
        "effect_evening_ratio_to_bare": seconds["path"] / seconds["bare"],
        "effect_page_ms": 1000 * page,
    }
    if bench.is_verbose:
        for name, of in sorted(watches["path"][-1].statements.items()):
            bench.say(f"  {name:<46}{of:>8.3f} s")
    bench.say(
        f"  {round(DRAWN_SHARE * bench.contacts):,} drawn: an evening {seconds['path']:,.2f} s, "
        f"bare SQL {seconds['bare']:,.2f} s; the page {1000 * page:,.0f} ms."
    )
    for name, value in figures.items():
        bench.say(f"  {name:<46}{value:>8.3f}")
    return figures


def _path(connection: Connection, policy: Policy, world: World) -> Counts:
    effect.write(connection, policy, FIRST_DAY, world.clock())
    name = f"salt:{policy.control.salt}"
    rows = db.run(connection, "marketer/effects", experiment=name).all()
    return {
        (row.estimand, arm): (size, returned)
        for row in rows
        if row.dimension == "all"
        for arm, size, returned in (
            ("treatment", row.treated, row.treated_returned),
            ("control", row.control, row.control_returned),
        )
    }


def _bare(connection: Connection, policy: Policy, world: World) -> Counts:
    rows = db.run(
        connection,
        "bench/effect",
        as_of=FIRST_DAY,
        salt=policy.control.salt,
        share=policy.control.share,
        attribution_days=policy.attribution_days,
        horizon_days=policy.horizon_days,
        again_days=effect.AGAIN_DAYS,
        signals=list(policy.signals),
        currency=policy.brand.currency,
    ).all()
    return {(row.estimand, row.arm): (row.size, row.returned) for row in rows}


def _page_seconds(engine: Any) -> float:
    """The median of some views, in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient
    client, seconds = TestClient(create_page(lambda: engine)), []
    for _ in range(VIEWS):
        began = time.perf_counter()
        client.get("/effects").raise_for_status()
        seconds.append(time.perf_counter() - began)
    return median(seconds)
