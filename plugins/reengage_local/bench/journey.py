"""What a day of the journey costs, beside the bare SQL for it, beside a full recompute, and after
the history has grown four times.

A day is core.take of its interactions and cohort.decide, from rows in raw to decisions; rendering
and storing the texts is told apart. The daily path and the bare SQL run in turns, in transactions
that are rolled back, so neither pays for a commit; then the day is run for good. The run fails
where they do not decide the same.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median
from typing import Any

from sqlalchemy.engine import Connection

from reengage import db
from reengage.errors import ReengageError
from reengage.journey import cohort
from reengage.policy import Policy, read_policy
from reengage.settings import INCLUDE, settings
from reengage_local.bench import Bench, Figures
from reengage_local.bench.measure import Stopwatch, rehearsal, undone
from reengage_local.bench.world import FIRST_DAY, World

# What was waiting on the first day is decided on it, and some days are made up at once; then the
# days are ordinary ones.
MADE_UP_DAYS = 10
WARM_UP_DAYS = 3
MEASURED_DAYS = 3
LINKS = "https://bench.example/r"
DISK_BYTES_EACH = 26_000  # by contact, with the grown history; measured at one million

Decision = tuple[int, str, str, str]
Decisions = set[Decision]


class DifferentDecisions(ReengageError):
    """Two ways of deciding a day that are compared do not decide the same."""


@dataclass
class Times:
    """Seconds of the measured days, one a day, and by statement over all of them; wal: megabytes
    that the server has logged, one a day, by way.
    """

    path: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)
    texts: list[float] = field(default_factory=list)
    for_good: list[float] = field(default_factory=list)
    decided: list[int] = field(default_factory=list)
    wal: dict[str, list[float]] = field(default_factory=dict)
    statements: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, way: str, watch: Stopwatch) -> None:
        getattr(self, way).append(watch.without_drafting)
        kept = self.statements.setdefault(way, {})
        for name, seconds in watch.statements.items():
            kept[name] = kept.get(name, 0.0) + seconds
        rest = watch.without_drafting - sum(watch.statements.values())
        kept["(Python, locks, savepoints)"] = kept.get("(Python, locks, savepoints)", 0.0) + rest


def run(bench: Bench) -> Figures:
    """The benchmark; its figures. Raises DifferentDecisions."""
    _check_disk(bench.contacts)
    # What the bare SQL beside it knows.
    policy = read_policy(INCLUDE / "journey.yaml").model_copy(update={"entry": "by_days"})
    with bench.warehouse() as engine:
        began = time.monotonic()
        world = World(engine, policy, bench.contacts)
        bench.say(f"journey: making {bench.contacts:,} contacts and what they did.")
        world.fill()
        journey = _Journey(bench, world)
        journey.warm_up()
        bench.say(f"Made in {time.monotonic() - began:,.0f} s. Measuring.")
        now = journey.measure(with_full=True)
        interactions = world.interactions
        if bench.is_verbose:
            bench.say(_statements(now, interactions))
        bench.say("Growing the history, which takes longer than making it did.")
        world.grow()
        journey.ordinary_day()
        grown = journey.measure(with_full=False)
        if bench.is_verbose:
            bench.say(_statements(grown, world.interactions))
    figures = {
        "journey_day_ratio_to_bare": median(now.path) / median(now.bare),
        "journey_day_ratio_to_full": median(now.path) / median(now.full),
        "journey_growth_with_history": median(grown.path) / median(now.path),
        "journey_wal_mb": median(now.wal["path"]),
        "journey_wal_mb_bare": median(now.wal["bare"]),
    }
    bench.say()
    for line in _table(world, interactions, now, grown):
        bench.say(line)
    bench.say()
    for name, value in figures.items():
        bench.say(f"  {name:<46}{value:>8.3f}")
    return figures


class _Journey:
    """Days of a world, one after the other."""

    def __init__(self, bench: Bench, world: World) -> None:
        self.bench = bench
        self.world = world
        self.policy = world.policy
        self.as_of = FIRST_DAY
        self.turns = 0

    def warm_up(self) -> None:
        """Decide what was waiting, and run some days, until the days are ordinary ones."""
        self._decide(self.world.engine)
        self.world.deliver(self.as_of)
        self._run_for_good(self.as_of + timedelta(days=MADE_UP_DAYS))
        for _ in range(WARM_UP_DAYS):
            self.ordinary_day()

    def ordinary_day(self) -> None:
        """The next day, not measured."""
        self._run_for_good(self.as_of + timedelta(days=1))

    def measure(self, *, with_full: bool) -> Times:
        """The next days, each in every way."""
        times = Times()
        for _ in range(MEASURED_DAYS):
            self._measure_day(times, with_full)
        return times

    def _measure_day(self, times: Times, with_full: bool) -> None:
        self.as_of += timedelta(days=1)
        load_id = self.world.begin_load(self.as_of, self.as_of)
        ways: list[tuple[str, Callable[[Connection, int], None]]] = [
            ("path", self._path),
            ("bare", self._bare),
        ]
        # Whoever comes second finds the pages in memory.
        self.turns += 1
        ways = ways[:: -1 if self.turns % 2 else 1] + ([("full", self._full)] if with_full else [])
        found: dict[str, Decisions] = {}
        for way, work in ways:
            self.bench.checkpoint()
            with undone(self.world.engine) as connection:
                watch, before = Stopwatch(), _logged(connection)
                with watch.running():
                    work(connection, load_id)
                times.wal.setdefault(way, []).append((_logged(connection) - before) / 1e6)
                found[way] = self._decisions(connection)
            times.add(way, watch)
            if way == "path":
                times.texts.append(watch.drafting)
        watch = Stopwatch()
        with watch.running():
            self.world.take(self.world.engine, load_id, self.as_of)
            self._decide(self.world.engine)
        times.for_good.append(watch.without_drafting)
        with self.world.engine.connect() as connection:
            decided = self._decisions(connection)
        for way, decisions in found.items():
            _check_same(self.as_of, way, decisions, decided)
        times.decided.append(len(decided))
        seconds = ", ".join(f"{way} {getattr(times, way)[-1]:,.2f} s" for way in found)
        self.bench.say(f"  {self.as_of}: {seconds}; {len(decided):,} contacts decided")
        self._night()

    def _run_for_good(self, through: date) -> None:
        """The days up to `through`, which come in one load, in one day of the journey."""
        load_id = self.world.begin_load(self.as_of + timedelta(days=1), through)
        self.as_of = through
        self.world.take(self.world.engine, load_id, through)
        self._decide(self.world.engine)
        self._night()

    def _night(self) -> None:
        self.world.deliver(self.as_of)
        for table in (
            "core.contact_activity",
            "core.contact",
            "core.suppression",
            "cohort.dormancy",
            "cohort.episode",
            "cohort.decision",
            "outcome.contact_outcome",
            "outbox.message",
        ):
            self.world.vacuum(f"VACUUM {table}")

    def _decisions(self, connection: Connection) -> Decisions:
        return {tuple(row) for row in db.run(connection, "bench/decisions", as_of=self.as_of)}

    # --- the ways ---------------------------------------------------------------------------------

    def _decide(self, engine: Any) -> None:
        cohort.decide(engine, self.policy, self.as_of, self.world.clock, LINKS)

    def _path(self, connection: Connection, load_id: int) -> None:
        engine = rehearsal(connection)
        self.world.take(engine, load_id, self.as_of)
        self._decide(engine)

    def _bare(self, connection: Connection, load_id: int) -> None:
        signals, rules = list(self.policy.signals), _rules(self.policy, self.as_of)
        at = self.world.clock()
        self._add_month(connection)
        db.run(connection, "bench/take_interactions", load_id=load_id, at=at)
        db.run(
            connection,
            "bench/touch_activity",
            load_id=load_id,
            signals=signals,
            after_days=self.policy.steps[0].after_days,
        )
        db.run(connection, "bench/close_returned", load_id=load_id)
        db.run(connection, "bench/open_episodes", as_of=self.as_of)
        db.run(connection, "bench/decide", **rules)
        db.run(connection, "bench/move_episodes", as_of=self.as_of, step_days=rules["step_days"])

    def _add_month(self, connection: Connection) -> None:
        db.run(connection, "bench/add_months", first_day=self.as_of, last_day=self.as_of)

    def _full(self, connection: Connection, load_id: int) -> None:
        self._add_month(connection)
        db.run(connection, "bench/take_interactions", load_id=load_id, at=self.world.clock())
        db.run(
            connection,
            "bench/recompute",
            **_rules(self.policy, self.as_of),
            signals=list(self.policy.signals),
            after_days=self.policy.steps[0].after_days,
        )


def _rules(policy: Policy, as_of: date) -> dict[str, Any]:
    """The policy as binds of the SQL that is written by hand."""
    return {
        "as_of": as_of,
        "end_of_day": policy.end_of(as_of),
        "step_names": [step.name for step in policy.steps],
        "step_days": [step.after_days for step in policy.steps],
        "purpose": policy.consent.purpose,
        "channel": policy.consent.channel,
        "repeat_after_days": policy.repeat_after_days,
        "gap_days": policy.gap_days,
        "control_share": policy.control.share,
        "control_salt": policy.control.salt,
    }


def _check_same(as_of: date, way: str, found: Decisions, decided: Decisions) -> None:
    if found == decided:
        return
    ours, theirs = sorted(decided - found), sorted(found - decided)
    raise DifferentDecisions(
        f"{as_of}: the daily path and the {way} SQL of include/sql/bench do not decide the same, "
        f"so their seconds cannot be compared. Only in the daily path: {len(ours):,}, for example "
        f"{_told(ours)}. Only in the other: {len(theirs):,}, for example {_told(theirs)}. One of "
        "the two is wrong, or include/journey.yaml says something that the SQL does not know."
    )


def _told(decisions: list[Decision]) -> str:
    if not decisions:
        return "nobody"
    contact_id, step, action, reason = decisions[0]
    return f"contact {contact_id}: {step} {action}, {reason}"


def _logged(connection: Connection) -> int:
    found: int = db.run(connection, "bench/wal_position").scalar_one()
    return found


def _check_disk(contacts: int) -> None:
    home = settings().home
    home.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(home).free, contacts * DISK_BYTES_EACH
    if free < needed:
        raise ReengageError(
            f"This size needs about {needed / 1e9:,.0f} GB below {home}, and {free / 1e9:,.0f} are "
            "free. Choose a smaller SIZE, or another home: REENGAGE_HOME=…"
        )


# --- telling it -----------------------------------------------------------------------------------


def _table(world: World, interactions: int, now: Times, grown: Times) -> list[str]:
    def row(what: str, seconds: list[float]) -> str:
        return f"  {what:<46}{median(seconds):>8.3f}{min(seconds):>10.3f} .. {max(seconds):.3f}"

    decided = now.decided + grown.decided
    return [
        f"journey: {world.contacts:,} contacts, {interactions:,} interactions; a day brings "
        f"{world.day_rows:,} and decides {min(decided):,} to {max(decided):,} contacts",
        f"  {'seconds a day':<46}{'median':>8}    of {MEASURED_DAYS} days",
        row("the daily path (core.take, cohort.decide)", now.path),
        row("the bare SQL", now.bare),
        row("a full recompute", now.full),
        f"  after the history has grown to {world.interactions:,}:",
        row("the daily path", grown.path),
        row("the bare SQL", grown.bare),
        "  beside these, before the history grew:",
        row("texts: rendered and stored as drafts", now.texts),
        row("the daily path, run for good (with commits)", now.for_good),
    ]


def _statements(times: Times, interactions: int) -> str:
    lines = []
    for way, seconds in times.statements.items():
        lines += ["", f"  {way}: milliseconds a day, by statement, with {interactions:,}"]
        for name in sorted(seconds, key=lambda n: -seconds[n]):
            lines.append(f"    {name:<44}{seconds[name] / MEASURED_DAYS * 1000:>10,.1f}")
    return "\n".join([*lines, ""])
