"""The policy says what is wrong in words: the file, the key, and what is allowed."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from reengage.errors import ConfigurationError
from reengage.policy import read_policy
from reengage.settings import INCLUDE

SHIPPED = Path(__file__).parents[2] / "include/journey.yaml"


def test_the_shipped_policy_is_the_ladder_that_is_promised() -> None:
    policy = read_policy(SHIPPED)
    assert policy.plain_ladder == {
        "step_names": ["survey", "contest", "coupon"],
        "step_days": [30, 60, 90],
    }
    assert "email_open" not in policy.signals
    # The clocks go forward in New York on 5 April 1998: the day before ends at 05:00 UTC, that one
    # at 04:00.
    assert policy.end_of(date(1998, 4, 4)) == datetime(1998, 4, 5, 5, tzinfo=UTC)
    assert policy.end_of(date(1998, 4, 5)) == datetime(1998, 4, 6, 4, tzinfo=UTC)


def test_another_text_is_another_version(tmp_path: Path) -> None:
    other = tmp_path / "journey.yaml"
    other.write_bytes(SHIPPED.read_bytes())
    assert read_policy(other).version == read_policy(SHIPPED).version
    other.write_text(SHIPPED.read_text().replace("gap_days: 7", "gap_days: 8"))
    assert read_policy(other).version != read_policy(SHIPPED).version


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("brand.time_zone", "New York", "write one like America/New_York"),
        ("control.share", 1.5, "less than 1"),
        ("signals", ["purchase", "smile"], "'purchase', 'visit', 'loyalty'"),
        ("close_after_days", 0, "greater than or equal to 1"),
        ("gap_days", "soon", "integer"),
        ("steps.1.after_days", 30, "must grow from step to step"),
        ("steps.1.name", "survey", "two steps have one name"),
        ("hours.to", "08:00", "must be before `to`"),
        ("hours.to", 1200, 'write the hour in quotes, like "20:00"'),
        ("gapdays", 7, "gapdays: no such key; allowed are mode, brand, signals, steps"),
        ("consent.channel", "fax", "'sms'"),
        ("approval", "sometimes", "'always', 'anomaly' or 'never'"),
        ("prices", {"US": 0.01}, "a price named `default` is needed"),
        ("thresholds.frequency", "hourly", "is none of daily, monthly, weekly"),
        ("sending.max_segments", "two", "write a number, or several by place: {default: 1, KR: 3}"),
        ("sending.max_segments", None, "write a number, or several by place"),
        ("steps.2.coupon.value", float("inf"), "finite number"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, place: str, value: Any, says: str
) -> None:
    content = yaml.safe_load(SHIPPED.read_text())
    *path, key = [int(part) if part.isdigit() else part for part in place.split(".")]
    part = content
    for name in path:
        part = part[name]
    part[key] = value
    file = tmp_path / "journey.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError) as caught:
        read_policy(file)
    text = str(caught.value)
    assert str(file) in text
    assert place.split(".")[0] in text
    assert says in text


@pytest.mark.parametrize("content", [None, b"- a list", b"brand: [", b"\xff\xfe\x00"])
def test_a_file_that_is_no_policy_is_said_to_be_none(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "journey.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=str(file)):
        read_policy(file)


def test_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    lines = SHIPPED.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "template: contest.txt" in line)
    lines[number - 1] = lines[number - 1].replace("template", "tempate")
    file = tmp_path / "journey.yaml"
    file.write_text("\n".join(lines))
    with pytest.raises(ConfigurationError, match=rf"line {number}: steps\.1\.tempate: no such key"):
        read_policy(file)


def test_a_day_that_there_is_not_is_named_with_its_line(tmp_path: Path) -> None:
    text = SHIPPED.read_text().replace("closes_on: 2027-12-31", "closes_on: 2027-02-29")
    number = next(n for n, line in enumerate(text.splitlines(), 1) if "2027-02-29" in line)
    file = tmp_path / "journey.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"line {number}: steps\.1\.contest\.closes_on: "):
        read_policy(file)


def test_an_approval_that_comes_too_late_to_send_is_refused(tmp_path: Path) -> None:
    text = SHIPPED.read_text().replace("approval: never", "approval: always")
    file = tmp_path / "journey.yaml"
    file.write_text(text.replace("window_hours: 48", "window_hours: 12"))
    with pytest.raises(ConfigurationError, match=r"must be below hours\.window_hours \(12\)"):
        read_policy(file)


def test_a_ladder_too_short_for_anybody_to_be_left_to_rest_is_told() -> None:
    policy = read_policy(INCLUDE / "journey.yaml")
    told = {
        texts: "\n".join(policy.model_copy(update={"unsubscribe_after_texts": texts}).remarks)
        for texts in (3, 4)
    }
    assert "unsubscribe_after_texts" not in told[3], "as many as there are steps"
    assert "unsubscribe_after_texts (4) is more than the ladder has steps (3)" in told[4]
