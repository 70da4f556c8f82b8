"""`make replay`: past days under a policy, through the history DAG; nothing is sent."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from reengage import db
from reengage.history import replays
from reengage.policy import Policy, read_policy
from reengage_local.day import DayRunner, day_runner
from reengage_local.stack import Screen


def run_replay(
    first: date,
    last: date,
    *,
    file: Path | None = None,
    steps: str | None = None,
    name: str | None = None,
    begin: date | None = None,
    is_known: bool = False,
    with_audience: bool = False,
) -> None:
    """Replay the days first to last under the policy of `file` (None: this installation's), with
    other days of its `steps` if they are given, as the scenario `name` (None: after these two), and
    show what they held. Where nothing was ever decided in this home, what is not loaded yet is
    loaded first. Raises ReengageError.
    """
    policy = read_policy(file)
    if steps:
        policy = replays.with_days(policy, steps)
    scenario = replays.scenario_of(file, steps, name, is_known=is_known)
    conf = {"from": first.isoformat(), "to": last.isoformat(), "name": scenario}
    conf |= {"policy": str(file.resolve())} if file else {}
    conf |= {"days": steps} if steps else {}
    conf |= {"begin": begin.isoformat()} if begin else {}
    conf |= {"known": "yes"} if is_known else {}
    conf |= {"audience": "yes"} if with_audience else {}
    with day_runner("replay", last) as (runner, screen):
        _load(runner, screen, last)
        runner.dag("reengage_history", **conf)
        for line in _report(runner.engine, policy, scenario, first, last):
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


def _report(
    engine: sa.Engine, policy: Policy, scenario: str, first: date, last: date
) -> Iterator[str]:
    span = {"from_day": first, "to_day": last}
    with engine.connect() as connection:
        steps = db.run(connection, "history/steps", scenario=scenario, **span).all()
        reasons = db.run(connection, "history/reasons", scenarios=[scenario], **span).all()
        curve = db.run(connection, "history/curve", scenario=scenario).all()
    days = (last - first + timedelta(1)).days
    yield f"{scenario}: {days:,} days, {first} to {last}, replayed; nothing was sent."
    yield ""
    yield (
        f"  {'step':<10}{'reached it':>12}{'on an average day':>19}{'due':>10}{'texts':>10}"
        f"{'segments':>10}{f'cost ({policy.brand.currency})':>14}"
    )
    places = [step.name for step in policy.steps]
    for row in sorted(steps, key=lambda row: places.index(row.step)):
        yield (
            f"  {row.step:<10}{row.entered:>12,}{row.dormant:>19,.0f}{row.due:>10,}"
            f"{row.would_send:>10,}{row.segments:>10,}{row.cost:>14,.2f}"
        )
    yield ""
    yield "  Of those who were due, day by day:"
    for row in reasons:
        yield f"    {row.label:<38}{row.contacts:>10,}"
    if curve:
        yield ""
        yield "  Who came back without any message, of those who were quiet for"
        spans = sorted({r.within_days for r in curve})
        yield "    days" + "".join(f"{f'in {n} days':>12}" for n in spans)
        for quiet in sorted({r.inactive_days for r in curve}):
            of_quiet = {r.within_days: r for r in curve if r.inactive_days == quiet}
            shares = (
                f"{of_quiet[n].returned / of_quiet[n].at_risk:>12.1%}"
                if of_quiet[n].at_risk
                else f"{'-':>12}"
                for n in spans
            )
            yield f"    {quiet:>4}" + "".join(shares)
    yield ""
    yield "  Left out:"
    yield from (f"  - {what}" for what in replays.LEFT_OUT)
    yield ""
    yield f"Beside another: make compare A={replays.DEFAULT_SCENARIO} B=… (make psql: history.*)."
