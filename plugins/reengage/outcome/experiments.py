"""Experiments from files: who was drawn into which group elsewhere, and what became of them, to be
compared by the same statements as our own.
"""

import csv
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

from reengage import db
from reengage.errors import ConfigurationError, SourceError
from reengage.outcome import effect
from reengage.policy import Policy

NEEDED = ("unit", "arm", "eligible_on", "returned")
MAY_BE_THERE = ("step", "class", "language", "revenue", "cost")
COLUMNS = NEEDED + MAY_BE_THERE
TOLD = 10  # mistakes of a file

_YES, _NO = {"1", "true", "t", "yes", "y"}, {"0", "false", "f", "no", "n"}


def load(
    engine: Engine, policy: Policy, name: str, file: Path, control: str, now: datetime
) -> list[str]:
    """Load an experiment in place of what was loaded under its name before, compare its groups, and
    say how they differ, in lines for a person.

    file: CSV in UTF-8 with a header; a line a unit. unit, arm, eligible_on (2026-11-20) and
    returned (1 or 0) are needed; step, class, language, revenue and cost (numbers with a point) may
    be there. control: the arm that all others are held against. Raises SourceError, naming lines,
    where the file cannot be used: nothing of it is loaded then.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ConfigurationError(
            f"{name!r} is no name of an experiment: write small letters, digits and _, beginning "
            "with a letter, like NAME=spring_mails."
        )
    arms: set[str] = set()
    newest = date.min
    with engine.begin() as connection, db.exclusive(connection, "experiment"):
        db.run(connection, "outcome/stage_units")

        def noted() -> Iterator[tuple[Any, ...]]:
            nonlocal newest
            for row in _rows(file):
                arms.add(row[1])
                newest = max(newest, row[2])
                yield row

        columns = ("unit", "arm", "eligible_on", "step", "lifecycle_class", "language")
        db.copy(connection, "staged_unit", (*columns, "returned", "revenue", "cost"), noted())
        _check_arms(file, arms, control)
        db.run(
            connection,
            "outcome/load_experiment",
            experiment=name,
            control_arm=control,
            currency=policy.brand.currency,
            detect=policy.effect.detect,
            power=policy.effect.power,
        )
        effect.compare(connection, name, newest, now)
        told = db.run(connection, "outcome/told_effects", experiment=name)
        return [_line(row, control) for row in told]


def _check_arms(file: Path, arms: set[str], control: str) -> None:
    if not arms:
        raise SourceError(f"{file}: there is no row in it.")
    known = ", ".join(sorted(arms)[:TOLD])
    if control not in arms:
        raise SourceError(
            f"{file}: no row has the arm {control!r}, which the others are held against; there "
            f"are: {known}. Say which it is: CONTROL=…"
        )
    if len(arms) == 1:
        raise SourceError(f"{file}: all rows have the arm {control!r}: nothing can be compared.")


def _rows(file: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of the file, read: as the staging table has them. Raises SourceError at its end for
    what cannot be read, or at once where there is too much of it.
    """
    wrong: list[str] = []
    seen: set[str] = set()
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            first = text.readline()
            text.seek(0)
            reader = csv.DictReader(text, delimiter=_delimiter(first), restval="")
            _check_header(file, reader.fieldnames or [])
            for row in reader:
                try:
                    read = _read(row)
                    if read[0] in seen:
                        raise ValueError("its unit is there twice: each may be drawn once")
                    seen.add(read[0])
                except ValueError as error:
                    wrong.append(f"line {reader.line_num}: {error}")
                    if len(wrong) == TOLD:
                        break
                else:
                    yield read
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no CSV in UTF-8"
        raise SourceError(f"{file} cannot be read: {why}.") from error
    if wrong:
        raise SourceError(f"{file}: nothing was loaded.\n" + "\n".join(wrong))


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _check_header(file: Path, names: Any) -> None:
    if missing := [name for name in NEEDED if name not in names]:
        raise SourceError(
            f"{file}: its first line lacks {', '.join(missing)}. It names the columns: "
            f"{', '.join(NEEDED)}; and, where you have them, {', '.join(MAY_BE_THERE)}."
        )
    if unknown := [name for name in names if name not in COLUMNS]:
        raise SourceError(
            f"{file}: there are columns that nothing is made of: {', '.join(map(repr, unknown))}. "
            f"The columns are {', '.join(COLUMNS)}: rename them, or leave them out."
        )


def _read(row: dict[str | None, Any]) -> tuple[Any, ...]:
    """Raises ValueError, in words. No id of a unit is told: it may be an address or a number."""
    if None in row:
        raise ValueError("it has more cells than the first line")
    said = {name: (row.get(name) or "").strip() for name in COLUMNS}
    for name in ("unit", "arm"):
        if not said[name]:
            raise ValueError(f"it has no {name}")
    return (
        said["unit"],
        said["arm"],
        _as("eligible_on", said, date.fromisoformat, "a day, like 2026-11-20"),
        said["step"],
        said["class"] or None,
        said["language"] or None,
        _as("returned", said, _is_yes, "1 or 0"),
        _as("revenue", said, _amount, "a number, like 1234.50"),
        _as("cost", said, _amount, "a number, like 1234.50"),
    )


def _as(name: str, said: dict[str, str], read: Callable[[str], Any], hint: str) -> Any:
    try:
        return read(said[name])
    except (ValueError, InvalidOperation):
        raise ValueError(f"{name} is {db.redact(said[name][:30])!r}: write {hint}") from None


def _is_yes(text: str) -> bool:
    word = text.lower()
    if word not in _YES | _NO:
        raise ValueError(text)
    return word in _YES


def _amount(text: str) -> Decimal:
    amount = Decimal(text or "0")
    if not amount.is_finite():
        raise ValueError(text)
    return amount


def _line(row: Any, control: str) -> str:
    told = (
        f"{row.arm or 'all of them together'}: {row.treated_returned:,} of {row.treated:,} came "
        f"back, and {row.control_returned:,} of {row.control:,} of {control}: "
        f"{100 * row.difference:+.2f} points (95 %: {100 * row.ci_low:+.2f} to "
        f"{100 * row.ci_high:+.2f}, Newcombe; {100 * row.wald_low:+.2f} to "
        f"{100 * row.wald_high:+.2f}, Wald)"
    )
    if row.revenue_difference and row.revenue_low is not None:
        told += (
            f"; {row.revenue_difference:+,.2f} a unit in revenue ({row.revenue_low:+,.2f} to "
            f"{row.revenue_high:+,.2f}, Welch)"
        )
    return told
