"""`make simulate`: is what the page says of an effect true as often as it says?

Worlds whose truth is known (nothing is caused, or just what the plan looks for) go through the real
tables and statements, each one from its draws to outcome.effect, and are looked at every day. Told
is how often the intervals are wrong, and how often the effect is seen.
"""

import math
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
from sqlalchemy.engine import Connection

from reengage import db
from reengage.errors import ConfigurationError, ReengageError
from reengage.outcome import effect, intervals
from reengage.outcome.intervals import Plan
from reengage.progress import progress
from reengage_local.bench import Bench
from reengage_local.stack import alone

SHARE = 0.25  # of the control group
BASES = {"en": 0.25, "it": 0.15}  # the share that comes back by itself, by language: half and half
BASE = sum(BASES.values()) / len(BASES)
PLAN = Plan(detect=0.05, power=0.8)
DAYS = 40  # over which contacts are drawn
FIRST = date(2026, 1, 1)
SALT = "simulated"
NAME = f"salt:{SALT}"
# How far a share may be from what it should be: 0.7 points of 10,000 worlds.
REACH = 3.2
LEAST, MOST = 50, 100_000


class NotHonest(ReengageError):
    """What is said of effects is wrong more often than it says."""


@dataclass
class Tally:
    """Of so many worlds in which `effect` is caused, how many …"""

    effect: float
    worlds: int = 0
    seen: int = 0  # the planned interval, looked at once, leaves out zero
    held: int = 0  # it holds the truth
    adjusted_held: int = 0  # the post-stratified one does
    missed_ever: int = 0  # the always-valid one, looked at daily, leaves out the truth on some day
    naive_seen_ever: int = 0  # the fixed one, looked at daily, does: only where nothing is caused
    uneven: int = 0  # the split was told as not the policy's

    def add(self, connection: Connection, dice: np.random.Generator) -> None:
        """Make one world and look at it."""
        size = intervals.planned_size(BASE, SHARE, PLAN)
        through = FIRST + timedelta(days=DAYS + 1)
        db.run(connection, "bench/empty_experiment")
        _begin(connection)
        db.run(
            connection,
            "bench/draw_world",
            contacts=_drawn(dice, size, self.effect),
            salt=SALT,
            share=SHARE,
            first_day=FIRST,
            days=DAYS,
            through=through,
        )
        effect.compare(connection, NAME, through, datetime(2026, 3, 1, tzinfo=UTC))
        rows = {
            row.dimension: row
            for row in db.run(connection, "marketer/effects", experiment=NAME)
            if row.estimand == "ladder" and row.value == ""
        }
        planned, whole = rows["planned"], rows["all"]
        experiment = db.run(connection, "marketer/experiments").one()
        self.worlds += 1
        self.seen += planned.ci_low > 0 or planned.ci_high < 0
        self.held += planned.ci_low <= self.effect <= planned.ci_high
        self.adjusted_held += whole.adjusted_low <= self.effect <= whole.adjusted_high
        self.uneven += experiment.ratio_p < intervals.UNEVEN
        has_missed = has_seen = False
        for look in db.run(connection, "bench/looks", experiment=NAME):
            counts = (
                int(look.treated),
                int(look.treated_returned),
                int(look.control),
                int(look.control_returned),
            )
            always = intervals.always_valid(*counts, PLAN)
            if always is None:
                continue
            has_missed = has_missed or not always.low <= self.effect <= always.high
            # Told of worlds in which nothing is caused: the others need no look.
            if not (has_seen or self.effect):
                has_seen = intervals.newcombe(*counts).excludes_zero
        self.missed_ever += has_missed
        self.naive_seen_ever += has_seen


def _begin(connection: Connection) -> None:
    db.run(
        connection,
        "outcome/begin_experiments",
        currency="USD",
        horizon_days=1,
        attribution_days=1,
        returns="{}",
        detect=PLAN.detect,
        power=PLAN.power,
        winsorise=0,
        base=BASE,
        amounts="paid",
    )


def _drawn(dice: np.random.Generator, size: int, caused: float) -> str:
    """A digit a contact, in the order of their draws, as bench/draw_world reads it."""
    is_control = dice.random(size) < SHARE
    is_italian = dice.random(size) < 0.5
    base = np.where(is_italian, BASES["it"], BASES["en"]) + np.where(is_control, 0, caused)
    is_back = dice.random(size) < base
    digits = is_control + 2 * is_italian + 4 * is_back
    return "".join(map(str, digits.tolist()))


@dataclass
class Simulation:
    nothing: Tally = field(default_factory=lambda: Tally(0.0))
    something: Tally = field(default_factory=lambda: Tally(PLAN.detect))

    def checks(self) -> list[tuple[str, float, float, float | None]]:
        """What is told, how often it was so, how often it should be, and how far it may be off;
        None: at most so often.
        """
        both = self.nothing.worlds + self.something.worlds
        held = (self.nothing.held + self.something.held) / both
        adjusted = (self.nothing.adjusted_held + self.something.adjusted_held) / both
        far = REACH * math.sqrt(0.05 * 0.95)
        one, two = far / math.sqrt(self.nothing.worlds), far / math.sqrt(both)
        power = _power()
        return [
            (
                "False alarms: the planned look sees what is not there",
                self.nothing.seen / self.nothing.worlds,
                0.05,
                one,
            ),
            ("The planned look's interval holds the truth", held, 0.95, two),
            ("So does the one with chance differences taken out", adjusted, 0.95, two),
            (
                "Of daily looks at the always-valid interval, one misses: nothing is there",
                self.nothing.missed_ever / self.nothing.worlds,
                0.05,
                None,
            ),
            (
                "Of daily looks at the always-valid interval, one misses: something is there",
                self.something.missed_ever / self.something.worlds,
                0.05,
                None,
            ),
            (
                f"The planned look sees {100 * PLAN.detect:g} points that are there",
                self.something.seen / self.something.worlds,
                power,
                REACH * math.sqrt(power * (1 - power) / self.something.worlds),
            ),
            (
                "A split is told as uneven that chance has made",
                (self.nothing.uneven + self.something.uneven) / both,
                intervals.UNEVEN,
                REACH * math.sqrt(intervals.UNEVEN / both),
            ),
        ]


def _power() -> float:
    """How often the planned look must see the planned effect, as large as the groups are."""
    size = intervals.planned_size(BASE, SHARE, PLAN)
    treated = BASE + PLAN.detect
    error = treated * (1 - treated) / (size * (1 - SHARE)) + BASE * (1 - BASE) / (size * SHARE)
    return intervals.power_of(PLAN.detect, error)


def run_simulation(worlds: int, seed: int = 1) -> Simulation:
    """So many worlds of either kind; prints what came out. Raises NotHonest where something is
    wrong more often than it says.
    """
    if not LEAST <= worlds <= MOST:
        raise ConfigurationError(
            f"WORLDS is how many worlds of each kind, from {LEAST} to {MOST:,}; {worlds:,} is not."
        )
    found = Simulation()
    dice = np.random.default_rng(seed)
    size = intervals.planned_size(BASE, SHARE, PLAN)
    bench = Bench(contacts=0, is_verbose=False)
    bench.say(
        f"{worlds:,} worlds in which texts cause nothing, and {worlds:,} in which of 100 contacts "
        f"{100 * PLAN.detect:g} come back because of them. {size:,} contacts each, {100 * SHARE:g} "
        f"of 100 held back, of whom {100 * BASE:g} come back by themselves; {DAYS} days, and a "
        "look on each."
    )
    with alone("simulate"), bench.warehouse() as engine:
        with engine.begin() as connection:
            db.run(connection, "bench/begin_day", as_of=FIRST, salt=SALT, share=SHARE)
        for _ in progress(range(worlds), "worlds", "pairs", worlds):
            for tally in (found.nothing, found.something):
                with engine.begin() as connection:
                    tally.add(connection, dice)
    wrong = []
    for what, was, should, far in found.checks():
        is_fine = was <= should if far is None else abs(was - should) <= far
        least = (
            f"at most {100 * should:.1f} %"
            if far is None
            else (f"{100 * should:.1f} % ± {100 * far:.1f}")
        )
        bench.say(f"{'  ' if is_fine else '! '}{what}: {100 * was:.2f} % ({least})")
        if not is_fine:
            wrong.append(what)
    naive = found.nothing.naive_seen_ever / found.nothing.worlds
    bench.say(
        "  Beside it: daily looks at the fixed interval see what is not there in "
        f"{100 * naive:.0f} of 100 worlds. That is why the page does not lead with it."
    )
    if wrong:
        sys.stdout.flush()
        raise NotHonest(f"Not as it should be: {'; '.join(wrong)}.")
    return found
