"""What the messages have caused: the control group beside all who may be texted, kept up each
evening, and experiments that were loaded from files.

Who is compared, and by what, is said in include/sql/outcome: add_eligible.sql, count_eligible.sql;
how a difference is taken for no more than it is, in intervals.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection, Row

from reengage import db
from reengage.outcome import comparison, intervals
from reengage.outcome.comparison import Adjusted, Comparison, Group
from reengage.outcome.intervals import Interval, Plan
from reengage.policy import Policy

AGAIN_DAYS = 7  # for so many days after a window's end, what comes late still counts
PACE_DAYS = 28  # how many are drawn in them tells how soon there will be more
BASE_UNITS = 200  # of the control group, to tell which share comes back by itself


def write(connection: Connection, policy: Policy, through: date, now: datetime) -> None:
    """Write down whom chance has put into which group since the last evening, count those whose
    window has ended, and compare. In the caller's transaction; twice: the same.

    through: the day through which the sources are complete, and everybody is decided.
    """
    control = policy.control
    db.run(
        connection,
        "cohort/know_control",
        policy_version=policy.version,
        control_salt=control.salt,
        control_share=control.share,
    )
    plan = policy.effect
    db.run(
        connection,
        "outcome/begin_experiments",
        currency=policy.brand.currency,
        horizon_days=policy.horizon_days,
        attribution_days=policy.attribution_days,
        returns=policy.returns,
        detect=plan.detect,
        power=plan.power,
        winsorise=plan.winsorise,
        base=plan.base,
        amounts=plan.amounts,
    )
    new = db.run(connection, "outcome/add_eligible", as_of=through, contact_ids=None).rowcount
    db.analyze_grown(connection, outcome__eligible=new)
    running = db.run(connection, "outcome/salts_to_count").scalars().all()
    db.run(connection, "outcome/count_eligible", through=through, again_days=AGAIN_DAYS)
    for name in running:
        compare(connection, name, through, now)


def compare(connection: Connection, name: str, through: date, now: datetime) -> None:
    """Compare the groups of an experiment, by all who are counted. Twice: the same."""
    # A row more of a few: without it the planner takes a two-hundredth of the contacts for all.
    db.analyze(connection, "outcome.experiment")
    db.give_room(connection)
    experiment = db.run(connection, "outcome/experiment", experiment=name).one()
    plan = Plan(experiment.detect, experiment.power)
    is_own = experiment.salt is not None
    sides = _sides(connection, experiment, None)
    db.run(connection, "outcome/forget_effects", experiment=name)
    _insert(connection, name, _rows(sides, plan if is_own else None))
    ladder = sides.get(("ladder", "all", ""), {})
    known = {is_control: side.group for (_, is_control), side in ladder.items()}
    since = through - timedelta(days=PACE_DAYS)
    drawn = db.run(connection, "outcome/draws", experiment=name, since=since).all()
    state: dict[str, Any] = {"base": None, "planned_units": None, "planned_through": None}
    if drawn:
        state |= _planned(connection, experiment, plan, known, drawn)
    db.run(
        connection,
        "outcome/note_experiment",
        experiment=name,
        counted_on=through,
        counted_at=now,
        **state,
        **_drawn(connection, experiment, plan, known, drawn, through),
    )


@dataclass(frozen=True)
class Side:
    """One group of one comparison, as the table has it beside what is compared."""

    group: Group
    from_as_of: date
    to_as_of: date
    revenue: float
    cost: float
    discount: float
    cap: float | None


# By (estimand, dimension, value): by (arm, is_control).
Sides = dict[tuple[str, str, str], dict[tuple[str, bool], Side]]


def _sides(connection: Connection, experiment: Row[Any], through: date | None) -> Sides:
    found: Sides = defaultdict(dict)
    of = {"experiment": experiment.experiment, "through": through}
    caps = [
        {"estimand": row.estimand, "most": float(row.most)}
        for row in db.run(connection, "outcome/caps", **of)
        if row.most is not None
    ]
    for row in db.run(
        connection, "outcome/compare_units", has_any=experiment.has_any, caps=json.dumps(caps), **of
    ):
        group = Group(
            row.size,
            row.returned,
            row.revenue_mean,
            row.revenue_variance,
            row.before_mean,
            row.before_variance,
            row.revenue_with_before,
            row.cost_mean,
            row.cost_variance,
            row.cost_with_returned,
            row.net_mean,
            row.net_variance,
            row.outlay_mean,
            row.outlay_variance,
            row.outlay_with_returned,
        )
        side = Side(
            group, row.from_as_of, row.to_as_of, row.revenue, row.cost, row.discount, row.cap
        )
        found[row.estimand, row.dimension, row.value][row.arm, row.is_control] = side
    return found


def _rows(
    sides: Sides, plan: Plan | None, dimension: str | None = None
) -> Iterator[dict[str, Any]]:
    """Each comparison as a row of outcome.effect. dimension: of all alone, under this name."""
    for (estimand, kind, value), groups in sides.items():
        if kind == "stratum" or (dimension and kind != "all"):
            continue
        control = next((side for (_, is_control), side in groups.items() if is_control), None)
        for (arm, is_control), treated in groups.items():
            if is_control or control is None:
                continue
            found = comparison.compare(
                treated.group, control.group, plan if kind == "all" else None
            )
            if found is None:
                continue
            shares = revenue = None
            if kind == "all":
                shares = comparison.post_stratified(_strata(sides, estimand, arm))
                revenue = comparison.cuped(treated.group, control.group)
            yield {
                "estimand": estimand,
                "arm": arm,
                "step": value if kind == "step" else "",
                "dimension": dimension or kind,
                "value": value,
                "from_as_of": min(treated.from_as_of, control.from_as_of).isoformat(),
                "to_as_of": max(treated.to_as_of, control.to_as_of).isoformat(),
                **_figures(found, shares, revenue),
                "treated_revenue": treated.revenue,
                "control_revenue": control.revenue,
                "treated_cost": treated.cost,
                "control_cost": control.cost,
                "treated_discount": treated.discount,
                "control_discount": control.discount,
                "revenue_cap": treated.cap if treated.cap is not None else control.cap,
            }


def _strata(sides: Sides, estimand: str, arm: str) -> list[tuple[Group, Group]]:
    nobody = Group(0, 0)
    found = []
    for (of, kind, _), groups in sides.items():
        if (of, kind) == (estimand, "stratum"):
            treated = groups.get((arm, False))
            control = next((s for (_, is_control), s in groups.items() if is_control), None)
            found.append(
                (treated.group if treated else nobody, control.group if control else nobody)
            )
    return found


def _figures(
    found: Comparison, shares: Adjusted | None, revenue: Adjusted | None
) -> dict[str, Any]:
    return {
        "treated": found.treated.size,
        "control": found.control.size,
        "treated_returned": found.treated.returned,
        "control_returned": found.control.returned,
        "difference": found.difference,
        **_ends("ci", found.fixed),
        **_ends("wald", found.wald),
        **_ends("always", found.always),
        "adjusted_difference": shares.difference if shares else None,
        **_ends("adjusted", shares.interval if shares else None),
        "incremental_returns": found.incremental_returns,
        "revenue_difference": found.revenue_difference,
        **_ends("revenue", found.revenue),
        "revenue_adjusted_difference": revenue.difference if revenue else None,
        **_ends("revenue_adjusted", revenue.interval if revenue else None),
        "incremental_revenue": found.incremental_revenue,
        "cost_per_incremental_return": found.cost_per_return,
        **_ends("cost", found.cost_per_return_interval),
        "net_revenue_difference": found.net_revenue_difference,
        **_ends("net_revenue", found.net_revenue),
        "outlay_per_incremental_return": found.outlay_per_return,
        **_ends("outlay", found.outlay_per_return_interval),
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    return {
        f"{name}_low": interval.low if interval else None,
        f"{name}_high": interval.high if interval else None,
    }


def _insert(connection: Connection, name: str, rows: Iterator[dict[str, Any]]) -> None:
    told = [{"experiment": name, **row} for row in rows]
    db.run(connection, "outcome/insert_effects", rows=json.dumps(told))


def _planned(
    connection: Connection,
    experiment: Row[Any],
    plan: Plan,
    known: dict[bool, Group],
    drawn: Sequence[Row[Any]],
) -> dict[str, Any]:
    """The planned size, once it can be told which share comes back by itself; and once so many are
    counted, the comparison of exactly these, which is made once.
    """
    base, units, through = experiment.base, experiment.planned_units, experiment.planned_through
    control = known.get(True)
    if base is None and control is not None and _tells_base(control):
        base = control.share
    if units is None and base is not None:
        size = sum(row.treated + row.control for row in drawn)
        share = sum(row.control_share * (row.treated + row.control) for row in drawn) / size
        units = intervals.planned_size(base, share, plan)
    if units is not None and through is None:
        through = db.run(
            connection,
            "outcome/planned_through",
            experiment=experiment.experiment,
            planned_units=units,
        ).scalar()
        if through is not None:
            sides = _sides(connection, experiment, through)
            rows = _rows(sides, None, dimension="planned")
            _insert(
                connection,
                experiment.experiment,
                (row for row in rows if row["estimand"] == "ladder"),
            )
    return {"base": base, "planned_units": units, "planned_through": through}


def _tells_base(control: Group) -> bool:
    both = control.returned, control.size - control.returned
    return control.size >= BASE_UNITS and min(both) >= intervals.FEWEST


def _drawn(
    connection: Connection,
    experiment: Row[Any],
    plan: Plan,
    known: dict[bool, Group],
    drawn: Sequence[Row[Any]],
    through: date,
) -> dict[str, Any]:
    """Whether the split is the policy's, and how much more it takes."""
    treated, control = (sum(getattr(row, arm) for row in drawn) for arm in ("treated", "control"))
    expected = sum(row.control_share * (row.treated + row.control) for row in drawn)
    waiting = sum(row.open_units for row in drawn)
    more = weeks = None
    if known.keys() == {True, False}:
        more = comparison.more_contacts(known[False], known[True], plan)
    if more is not None:
        days = min(PACE_DAYS, (through - experiment.began_on).days + 1)
        weeks = _weeks(
            more, waiting, sum(row.lately for row in drawn) / days, experiment.horizon_days
        )
    so_far = experiment.ratio_always_p
    always_p = intervals.ratio_always_p(
        (row.control_share, row.treated, row.control) for row in drawn
    )
    return {
        "drawn_treated": treated,
        "drawn_control": control,
        "expected_control": expected,
        "ratio_p": intervals.ratio_p(treated, control, expected),
        "ratio_always_p": min(always_p, 1.0 if so_far is None else so_far),
        "mixed_phones": db.run(
            connection, "outcome/count_mixed", experiment=experiment.experiment
        ).scalar_one(),
        "open_units": waiting,
        "more_units": more,
        "more_weeks": weeks,
    }


def _weeks(more: int, waiting: int, a_day: float, horizon_days: int) -> float | None:
    """About how long it takes until `more` contacts are drawn and their windows are over. None: as
    things are, never.
    """
    if more <= waiting:
        return horizon_days * more / waiting / 7 if waiting else 0.0
    return ((more - waiting) / a_day + horizon_days) / 7 if a_day else None
