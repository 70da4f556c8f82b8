"""Replayed scenarios beside each other, for a terminal."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection, Engine, Row

from reengage import db, spreadsheet
from reengage.errors import ConfigurationError, ReengageError
from reengage.history.replays import DEFAULT_SCENARIO, LEFT_OUT
from reengage.policy import Policy

WIDE = 26
MOST_VALUES = 8  # of a class or language, the most frequent


def lines(
    engine: Engine, policy: Policy, names: Sequence[str], first: date | None, last: date | None
) -> list[str]:
    """What a comparison says of the scenarios: the first against each other one, over the days that
    all of them have, or first to last. policy: its steps and currency are the installation's.

    Raises ConfigurationError for a scenario that was not replayed, or not over these days.
    """
    if len(dict.fromkeys(names)) < 2:
        raise ConfigurationError("Name two scenarios or more: make compare A=default B=slow,quick.")
    with engine.connect() as connection:
        first, last = _days(connection, names, first, last)
        return list(_lines(connection, policy, list(dict.fromkeys(names)), first, last))


ALONE = (
    "contact_id",
    "written_to_by",
    "texts",
    "first_on",
    "steps",
    "lifecycle_class",
    "language",
    "country",
)


def write_alone(
    engine: Engine, one: str, other: str, first: date | None, last: date | None, file: Path
) -> int:
    """Write to whom only one of two scenarios would have written, as a CSV: a row a contact, with
    their ids in the sources. Returns how many. Raises ConfigurationError as `lines` does, or where
    their audiences are not kept, and ReengageError where the file cannot be written.
    """
    with engine.connect() as connection:
        first, last = _days(connection, (one, other), first, last)
        if missing := _unkept(connection, one, other):
            raise ConfigurationError(
                f"Who was written to is not kept of {' and '.join(missing)}: replay it with "
                "AUDIENCE=yes."
            )
        sources = db.run(connection, "story/id_sources").scalars().all()
        span = {"from_day": first, "to_day": last}
        rows = db.run(connection, "history/alone", scenario=one, other=other, **span).all()
    try:
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow([*ALONE, *spreadsheet.id_names(sources)])
            for row in rows:
                cells = map(_cell, row[:-1])
                writer.writerow([*cells, *spreadsheet.id_cells(row.source_ids, sources)])
    except OSError as error:
        raise ReengageError(f"The contacts cannot be written: {error}.") from error
    return len(rows)


def _cell(value: Any) -> Any:
    return spreadsheet.text(value) if isinstance(value, str) else value


def _unkept(connection: Connection, *names: str) -> list[str]:
    """Of which scenarios it is not kept who was due."""
    known = {row.scenario: row.has_audience for row in db.run(connection, "history/scenarios")}
    return [name for name in names if not known[name]]


def _days(
    connection: Connection, names: Sequence[str], first: date | None, last: date | None
) -> tuple[date, date]:
    known = {row.scenario: row for row in db.run(connection, "history/scenarios")}
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none yet"
            how = "" if name == DEFAULT_SCENARIO else f" POLICY=… NAME={name}"
            raise ConfigurationError(
                f"There is no scenario {name} (there are: {there}). Replay it first: "
                f"make replay FROM=… TO=…{how}."
            )
    first = first or max(known[name].first_day for name in names)
    last = last or min(known[name].last_day for name in names)
    if first > last:
        raise ConfigurationError(
            "These scenarios have no day in common: "
            + "; ".join(
                f"{name} goes from {known[name].first_day} to {known[name].last_day}"
                for name in names
            )
            + ". Replay them over the same days."
        )
    return first, last


def _lines(
    connection: Connection, policy: Policy, names: list[str], first: date, last: date
) -> Iterator[str]:
    span = {"from_day": first, "to_day": last}
    months = db.run(connection, "history/months", scenarios=names, **span).all()
    reasons = db.run(connection, "history/reasons", scenarios=names, **span).all()
    wide = max(18, *(len(name) + 2 for name in names))

    def line(label: str, values: Sequence[str], indent: int = 2) -> str:
        return f"{' ' * indent}{label:<{WIDE - indent}}" + "".join(f"{v:>{wide}}" for v in values)

    yield f"{first} to {last}, {(last - first).days + 1:,} days. Nothing was sent."
    yield from _warnings(connection, names, first, last)
    yield ""
    yield line("", names)
    for label, column in (("texts", "would_send"), ("segments", "segments")):
        yield line(label, [f"{_sum(months, name, column):,.0f}" for name in names])
    cost = [_sum(months, name, "cost") for name in names]
    yield line(f"cost ({policy.brand.currency})", [f"{money:,.2f}" for money in cost])
    yield ""
    yield "By step"
    for step in _steps(months, policy):
        of_step = [row for row in months if row.step == step]
        yield f"  {step}"
        for label, column in (("reached it", "entered"), ("due", "due"), ("texts", "would_send")):
            yield line(label, [f"{_sum(of_step, name, column):,.0f}" for name in names], 4)
    yield ""
    yield "By month: texts (contacts who reached a step)"
    for month in sorted({row.month for row in months}):
        of_month = [row for row in months if row.month == month]
        for step in _steps(of_month, policy):
            rows = [row for row in of_month if row.step == step]
            yield line(
                f"{month:%Y-%m} {step}",
                [
                    f"{_sum(rows, name, 'would_send'):,.0f} ({_sum(rows, name, 'entered'):,.0f})"
                    for name in names
                ],
            )
    yield ""
    yield "Of those who were due, day by day:"
    told: dict[str, dict[str, int]] = defaultdict(dict)
    for row in reasons:
        told[row.label][row.scenario] = row.contacts
    for label, counts in told.items():
        yield line(label, [f"{counts.get(name, 0):,}" for name in names])
    for other in names[1:]:
        yield from _overlap(connection, names[0], other, span)
    yield ""
    yield "Left out:"
    yield from (f"  - {what}" for what in LEFT_OUT)


def _sum(rows: Sequence[Row[Any]], scenario: str, column: str) -> Any:
    return sum(getattr(row, column) or 0 for row in rows if row.scenario == scenario)


def _steps(rows: Sequence[Row[Any]], policy: Policy) -> list[str]:
    """In the order of the policy; those that another one has, after them."""
    names = [step.name for step in policy.steps]
    found = {row.step for row in rows}
    return [name for name in names if name in found] + sorted(found - set(names))


def _warnings(
    connection: Connection, names: Sequence[str], first: date, last: date
) -> Iterator[str]:
    for row in db.run(connection, "history/scenarios"):
        if row.scenario not in names:
            continue
        if row.policies > 1:
            yield f"! {row.scenario} was replayed under {row.policies} policies, on different days."
        if not row.is_counted:
            yield f"! {row.scenario} has days of before texts were counted: replay it again."
        if row.first_day > first or row.last_day < last or _has_holes(row):
            yield (
                f"! {row.scenario} has not all of these days: {row.days:,} of {row.first_day} to "
                f"{row.last_day}."
            )


def _has_holes(row: Row[Any]) -> bool:
    return bool(row.last_day - row.first_day != timedelta(days=row.days - 1))


def _overlap(connection: Connection, one: str, other: str, span: dict[str, date]) -> Iterator[str]:
    yield ""
    if missing := _unkept(connection, one, other):
        yield (
            f"Who is in one of {one} and {other} alone is known where audiences are kept: replay "
            f"{' and '.join(missing)} with AUDIENCE=yes."
        )
        return
    rows = db.run(connection, "history/overlap", scenario=one, other=other, **span).all()
    wide = max(12, len(one) + 7, len(other) + 7)
    heads = ("both", f"{one} only", f"{other} only")
    yield f"{'Contacts written to':<{WIDE}}" + "".join(f"{head:>{wide}}" for head in heads)
    shown: dict[str, int] = defaultdict(int)
    for row in rows:
        shown[row.dimension] += 1
        if shown[row.dimension] > MOST_VALUES:
            continue
        label = "all" if row.dimension == "all" else f"{row.dimension} {row.value or '(none)'}"
        counts = (row.in_both, row.in_one, row.in_other)
        yield f"  {label:<{WIDE - 2}}" + "".join(f"{count:>{wide},}" for count in counts)
    for dimension, count in shown.items():
        if count > MOST_VALUES:
            yield f"  and {count - MOST_VALUES} more of {dimension}"
