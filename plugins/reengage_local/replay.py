"""`make replay`: past days in one pass, through the history DAG; nothing is sent."""

from datetime import date, timedelta

import sqlalchemy as sa

from reengage import db
from reengage.history import replays
from reengage_local.day import DayRunner, day_runner
from reengage_local.stack import Screen


def run_replay(first: date, last: date) -> None:
    """Replay the days first to last and show what they held. Where nothing was ever decided in this
    home, what is not loaded yet is loaded first. Raises ReengageError.
    """
    with day_runner("replay", last) as (runner, screen):
        _load(runner, screen, last)
        runner.dag("reengage_history", **{"from": first.isoformat(), "to": last.isoformat()})
        for line in _report(runner.engine, first, last):
            screen.say(line)


def _load(runner: DayRunner, screen: Screen, last: date) -> None:
    """Load through the last day, if no decision could be spoilt by knowing what came after it."""
    through = replays.loaded_through(runner.engine)
    if through is not None and through >= last:
        return
    with runner.engine.connect() as connection:
        is_decided = bool(db.run(connection, "cohort/days").first())
    if not is_decided:
        screen.say(f"Loading the sources through {last}, which takes a while once.")
        runner.dag("reengage_ingest", as_of=last.isoformat(), now=runner.clock().isoformat())


def _report(engine: sa.Engine, first: date, last: date) -> list[str]:
    same = {"scenario": replays.DEFAULT_SCENARIO, "from_day": first, "to_day": last}
    with engine.connect() as connection:
        steps = db.run(connection, "history/steps", **same).all()
        curve = db.run(connection, "history/curve", scenario=replays.DEFAULT_SCENARIO).all()
    days = (last - first + timedelta(1)).days
    lines = [f"{days:,} days, {first} to {last}, replayed; nothing was sent.", ""]
    lines += ["  step        entered   at the step on an average day"]
    lines += [f"  {r.step:<10}{r.entered:>9,}{r.dormant:>12,.0f}" for r in steps]
    if curve:
        lines += ["", "  Who came back without any message, of those who were quiet for"]
        spans = sorted({r.within_days for r in curve})
        lines += ["    days" + "".join(f"{f'in {n} days':>12}" for n in spans)]
        for quiet in sorted({r.inactive_days for r in curve}):
            row = {r.within_days: r for r in curve if r.inactive_days == quiet}
            shares = (
                f"{row[n].returned / row[n].at_risk:>12.1%}" if row[n].at_risk else f"{'-':>12}"
                for n in spans
            )
            lines += [f"    {quiet:>4}" + "".join(shares)]
    lines += ["", "The tables: history.cohort_day, history.return_curve (make psql)."]
    return lines
