"""Scenarios beside each other."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from world import START, Load, World, small_policy

from reengage.errors import ConfigurationError, ReengageError
from reengage.history import compare, replays

AGREED = datetime(1997, 6, 1, tzinfo=UTC)
LAST = START + timedelta(days=20)


@pytest.fixture
def world(warehouse: sa.Engine) -> World:
    """1 to 3 are quiet from the first day on, 4 comes back after 4 days, 5 has not agreed."""
    world = World(warehouse, small_policy(gap_days=0), is_new=True)

    def fill(load: Load) -> None:
        for contact_id in range(1, 6):
            lifecycle = "best" if contact_id == 4 else "new"
            load.contact(contact_id, contact_id, START, lifecycle_class=lifecycle)
            load.interaction(contact_id, START)
            if contact_id < 5:
                load.consent(contact_id, AGREED)
        for back_on in range(4, 21, 2):
            load.interaction(4, START + timedelta(days=back_on))

    world.load(LAST, fill)
    return world


def replay(world: World, scenario: str, days: str | None = None, last: date = LAST) -> None:
    policy = replays.with_days(world.policy, days) if days else world.policy
    replays.replay(
        world.engine, policy, START, last, scenario=scenario, begin=START, with_audience=True
    )


def values(said: list[str], label: str) -> list[str]:
    (line,) = (line for line in said if line.split("  ")[1:2] == [label])
    return line.split()[len(label.split()) :]


def test_two_scenarios_are_laid_beside_each_other(world: World, tmp_path: Path) -> None:
    replay(world, "default")
    replay(world, "late", "5/8/11")
    said = compare.lines(world.engine, world.policy, ["default", "late"], None, None)
    assert said[0] == f"{START} to {LAST}, 21 days. Nothing was sent."
    # Three contacts get three texts each; the fourth a survey, where it comes after three days.
    assert values(said, "texts") == ["10", "9"]
    assert values(said, "segments") == ["10", "9"]
    assert values(said, "cost (USD)") == ["0.08", "0.07"]
    assert values(said, "No consent") == ["3", "3"]
    assert values(said, "Chosen to be texted") == ["10", "9"]
    assert values(said, "1998-01 survey") == ["4", "(5)", "3", "(4)"]
    assert values(said, "all") == ["3", "1", "0"]
    assert values(said, "class best") == ["0", "1", "0"]
    assert values(said, "class new") == ["3", "0", "0"]
    assert all(f"  - {what}" in said for what in replays.LEFT_OUT)

    file = tmp_path / "alone.csv"
    assert compare.write_alone(world.engine, "default", "late", None, None, file) == 1
    (row,) = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    assert row == {
        "contact_id": "4",
        "written_to_by": "default",
        "texts": "1",
        "first_on": str(START + timedelta(days=3)),
        "steps": "survey",
        "lifecycle_class": "best",
        "language": "",
        "country": "US",
        "crm_id": "4",
    }
    with pytest.raises(ReengageError, match="cannot be written"):
        compare.write_alone(world.engine, "default", "late", None, None, tmp_path / "no" / "x")


def test_what_cannot_be_compared_is_said(world: World) -> None:
    replay(world, "default")
    with pytest.raises(ConfigurationError, match=r"no scenario late \(there are: default\)"):
        compare.lines(world.engine, world.policy, ["default", "late"], None, None)
    with pytest.raises(ConfigurationError, match="Name two scenarios"):
        compare.lines(world.engine, world.policy, ["default", "default"], None, None)
    early = START + timedelta(days=9)
    replay(world, "late", "5/8/11", early)
    world.sql("DELETE FROM history.audience WHERE scenario = 'late'")
    world.sql("DELETE FROM history.cohort_day WHERE scenario = 'late' AND as_of = :on", on=START)
    world.sql("UPDATE history.cohort_day SET due = NULL WHERE as_of = :on", on=early)
    said = compare.lines(world.engine, world.policy, ["default", "late"], START, LAST)
    assert any("late has not all of these days: 9 of" in line for line in said)
    assert any("default has days of before texts were counted" in line for line in said)
    assert any("replay late with AUDIENCE=yes" in line for line in said)
    with pytest.raises(ConfigurationError, match="not kept of late"):
        compare.write_alone(world.engine, "default", "late", None, None, Path("x.csv"))
    world.sql("UPDATE history.cohort_day SET as_of = as_of + 100 WHERE scenario = 'late'")
    with pytest.raises(ConfigurationError, match="no day in common"):
        compare.lines(world.engine, world.policy, ["default", "late"], None, None)


def test_a_scenario_of_two_policies_is_told(world: World) -> None:
    replay(world, "default")
    replay(world, "late", "5/8/11")
    replay(world, "late", "4/8/11", START + timedelta(days=3))
    said = compare.lines(world.engine, world.policy, ["default", "late"], None, None)
    assert "! late was replayed under 2 policies, on different days." in said
