"""Replays of past days: whom a policy would have written to, and who came back by themselves."""

import logging
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy.engine import Engine

from reengage import db
from reengage.errors import ConfigurationError
from reengage.history import past, texts
from reengage.policy import Policy
from reengage.progress import progress

log = logging.getLogger(__name__)

DEFAULT_SCENARIO = "default"
MOST_NAME = 60
MOST_DAYS = 3650
WITHIN_DAYS = (7, 14, 30, 60, 90)

# What a replay does not follow, for people.
LEFT_OUT = (
    "what a text would have changed: nobody clicks, answers, comes back, says stop or is given up "
    "for it, and everybody goes on as they did; a stop that was said stands from its day on",
    "gates, approval, the budget, stocks of codes, and replies that wait to be read",
    "what a card, its phone and its merges said on the day: they are as they are known now",
    "rows that their source has corrected or deleted since: they are as they are now, from the "
    "start",
    "in texts, what somebody last bought or looked at",
)


@dataclass(frozen=True)
class Replayed:
    """days: written to history; begun_on: when the scenario's journey began."""

    days: int
    begun_on: date


def loaded_through(engine: Engine) -> date | None:
    """The last day whose data is in core; None where nothing is."""
    with engine.connect() as connection:
        return db.run(connection, "history/loaded_span").one().through


def scenario_of(
    file: Path | None, days: str | None, name: str | None, *, is_known: bool = False
) -> str:
    """How a scenario is called: by the name given, else by its policy's file, its days (see
    `with_days`) and whether it goes by what was known; without these it is the installation's own.
    Raises ConfigurationError for a name that none can have.
    """
    parts = (file and file.stem, days and days.replace("/", "-"), "known" if is_known else "")
    told = [part for part in parts if part]
    scenario = name or "-".join(told) or DEFAULT_SCENARIO
    if told and scenario == DEFAULT_SCENARIO:
        raise ConfigurationError(
            f"{DEFAULT_SCENARIO} is what this installation's own policy is replayed as, by what "
            "is dated on each day: give the scenario another name (NAME=…)."
        )
    if "," in scenario or len(scenario) > MOST_NAME:
        raise ConfigurationError(
            f"The name of a scenario has no comma, and {MOST_NAME} characters at most (NAME=…)."
        )
    return scenario


def with_days(policy: Policy, days: str) -> Policy:
    """The policy with other days for its steps, lowest first: "45/75/120". Raises
    ConfigurationError where they are not those of its steps, growing.
    """
    names = [step.name for step in policy.steps]
    if policy.thresholds.behaviours:
        raise ConfigurationError(
            "The policy's days are those of its clocks (thresholds.behaviours): write them into a "
            "copy of it, and replay that (POLICY=…)."
        )
    wanted = days.split("/")
    if not all(day.isdecimal() and 0 < int(day) <= MOST_DAYS for day in wanted):
        raise ConfigurationError(f"Write the days like 45/75/120, not {days!r} (DAYS=…).")
    after = [int(day) for day in wanted]
    if len(after) != len(names) or after != sorted(set(after)):
        raise ConfigurationError(
            f"DAYS={days}: the policy has {len(names)} steps ({', '.join(names)}), and each takes "
            "more days than the one before."
        )
    steps = [
        step.model_copy(update={"after_days": of_step})
        for step, of_step in zip(policy.steps, after, strict=True)
    ]
    return policy.model_copy(update={"steps": tuple(steps), "version": f"{policy.version}:{days}"})


def begins_on(policy: Policy, first: date) -> date:
    """When the journey of a scenario begins whose first day is `first`, unless somebody says: so
    long before that whoever was quiet then has the whole ladder behind them, and no step of it is
    repeated too soon.
    """
    thresholds = policy.thresholds
    slowest = max(1, *thresholds.lifecycle.values()) if thresholds.lifecycle else 1
    ladders = []
    for clock in policy.behaviours:
        pace = slowest
        if thresholds.rhythm:
            own = thresholds.rhythm.at_most_days / (clock.days[0] * thresholds.scale)
            pace = max(slowest, own)
        ladders.append(clock.days[-1] * thresholds.scale * pace)
    return first - timedelta(days=round(max(ladders)) + policy.repeat_after_days)


def replay(
    engine: Engine,
    policy: Policy,
    first: date,
    last: date,
    *,
    scenario: str = DEFAULT_SCENARIO,
    begin: date | None = None,
    is_known: bool = False,
    with_audience: bool = False,
) -> Replayed:
    """Replay a policy over the days first to last, both included, as a scenario.

    Writes history.cohort_day and history.cohort_reason of these days, with_audience who was due in
    history.audience, and for a span of days (not for a single one) the return curve. begin: when
    its journey begins (begins_on); days before the data are left out. is_known: a day knows what
    had been loaded by then, and not what came late. Nothing is sent, and nothing
    but history changes. Twice: the same figures. Raises ConfigurationError where the days are not
    loaded.
    """
    if first > last:
        raise ConfigurationError(f"The replay's first day {first} is after its last day {last}.")
    if begin is not None and begin > first:
        raise ConfigurationError(
            f"The journey of a scenario begins on its first day or before, and {begin} is after "
            f"{first}."
        )
    with engine.connect() as connection:
        span = db.run(connection, "history/loaded_span").one()
    if span.through is None or last > span.through:
        raise ConfigurationError(
            f"The data goes through {span.through or 'no day at all'}, so {last} cannot be "
            f"replayed yet. Load it first: make day AS_OF={last}."
        )
    begin = begin or min(first, max(begins_on(policy, first), span.first_day or first))
    same = {"scenario": scenario, "from_day": first, "to_day": last}
    with past.past(engine, policy, begin, last, is_known=is_known) as session:
        days = past.live(session, policy, begin, last)
        for _ in progress(days, "replay", "days", total=(last - begin).days + 1):
            pass
        connection = session.connection
        with connection.begin(), db.exclusive(connection, "history"):
            said = texts.cost(connection, policy, first, last)
            db.copy(
                connection,
                "past_cost",
                ("as_of", "step", "segments", "cost"),
                ((*of_day, *sums) for of_day, sums in said.days.items()),
            )
            db.run(
                connection,
                "history/keep_days",
                **same,
                ladder=policy.ladder,
                policy_version=policy.version,
                with_audience=with_audience,
            )
            if last > first:
                db.run(
                    connection,
                    "history/return_curve",
                    **same,
                    through=span.through,
                    step_days=policy.plain_ladder["step_days"],
                    within_days=list(WITHIN_DAYS),
                    signals=list(policy.signals),
                )
    replayed = Replayed((last - first).days + 1, begin)
    if said.unwritable:
        log.warning(
            "%s texts could not be made, and are counted without segments. For example: %s",
            f"{said.unwritable:,}",
            said.example,
        )
    log.info("%s: replayed %s days, %s to %s", scenario, f"{replayed.days:,}", first, last)
    return replayed
