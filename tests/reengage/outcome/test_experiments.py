"""Experiments that were made elsewhere come out as published, and what cannot be read is told."""

import csv
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from test_intervals import thornton

from reengage.errors import ConfigurationError, SourceError
from reengage.outcome import experiments
from reengage.policy import read_policy

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def load(engine: sa.Engine, file: Path, control: str = "control", name: str = "trial") -> list[str]:
    return experiments.load(engine, read_policy(), name, file, control, NOW)


def written(folder: Path, *lines: str) -> Path:
    file = folder / "rows.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def effects(
    engine: sa.Engine, where: str = "dimension = 'all'"
) -> dict[str, sa.Row[tuple[object]]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM outcome.effect WHERE {where}"))
        return {row.arm: row for row in rows}


def test_thorntons_experiment_comes_out_as_published(warehouse: sa.Engine, tmp_path: Path) -> None:
    treated, treated_back, control, control_back = thornton()
    file = tmp_path / "thornton.csv"
    with file.open("w", newline="", encoding="utf-8") as text:
        lines = csv.writer(text)
        lines.writerow(["unit", "arm", "eligible_on", "returned"])
        for place in range(treated):
            lines.writerow([f"t{place}", "some money", "2004-11-01", int(place < treated_back)])
        for place in range(control):
            lines.writerow([f"c{place}", "none", "2004-11-01", int(place < control_back)])
    (said,) = load(warehouse, file, "none")
    assert "1,745 of 2,211 came back, and 211 of 623 of none: +45.06 points" in said
    assert "+40.97 to +49.14, Wald" in said
    row = effects(warehouse)["some money"]
    assert (f"{row.wald_low:.4f}", f"{row.wald_high:.4f}") == ("0.4097", "0.4914")
    assert row.always_low is None
    # Again: in place of it.
    assert load(warehouse, file, "none") == [said]
    assert len(effects(warehouse)) == 1


def test_any_number_of_arms_is_held_against_one_and_together(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    dice = random.Random(1)
    rows = []
    for place in range(3000):
        arm = dice.choice(["mens", "womens", "none"])
        back = dice.random() < {"mens": 0.2, "womens": 0.15, "none": 0.1}[arm]
        step = dice.choice(["1", "2"])
        spent = dice.choice([20, 30.5]) if back else 0
        rows.append((f"u{place}", arm, "2008-03-20", step, int(back), spent, 0.1))
    file = written(
        tmp_path,
        "unit;arm;eligible_on;step;returned;revenue;cost",
        *(";".join(map(str, row)) for row in rows),
    )
    assert len(load(warehouse, file, "none")) == 3
    found = effects(warehouse)
    assert found.keys() == {"", "mens", "womens"}
    for arm, row in found.items():
        own = [r for r in rows if r[1] == arm or (arm == "" and r[1] != "none")]
        none = [r for r in rows if r[1] == "none"]
        assert (row.treated, row.treated_returned) == (len(own), sum(r[4] for r in own))
        assert (row.control, row.control_returned) == (len(none), sum(r[4] for r in none))
        difference = sum(r[5] for r in own) / len(own) - sum(r[5] for r in none) / len(none)
        assert row.revenue_difference == pytest.approx(difference)
        assert row.revenue_cap is None
        assert row.adjusted_difference is not None
    by_step = effects(warehouse, "dimension = 'step' AND value = '1'")
    assert by_step["mens"].treated == sum(r[1] == "mens" and r[3] == "1" for r in rows)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["unit,arm,returned", "1,a,1"], "its first line lacks eligible_on"),
        (["unit,arm,eligible_on,returned,money", "1,a,2026-01-01,1,2"], "made of: 'money'"),
        (["unit,arm,eligible_on,returned"], "there is no row in it"),
        (["unit,arm,eligible_on,returned", "1,a,01/02/2026,1"], "line 2: eligible_on is '01/02/2"),
        (["unit,arm,eligible_on,returned", "1,a,2026-01-01,maybe"], "write 1 or 0"),
        (["unit,arm,eligible_on,returned", "1,,2026-01-01,1"], "line 2: it has no arm"),
        (["unit,arm,eligible_on,returned", "1,a,2026-01-01,1,9"], "more cells than the first line"),
        (
            ["unit,arm,eligible_on,returned,revenue", '1,a,2026-01-01,1,"1,5"'],
            "revenue is '1,5': write a number, like 1234.50",
        ),
        (
            ["unit,arm,eligible_on,returned", "1,a,2026-01-01,1", "1,control,2026-01-01,1"],
            "line 3: its unit is there twice",
        ),
        (["unit,arm,eligible_on,returned", "1,a,2026-01-01,1"], "no row has the arm 'control'"),
        (["unit,arm,eligible_on,returned", "1,control,2026-01-01,1"], "nothing can be compared"),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_loaded(
    warehouse: sa.Engine, tmp_path: Path, lines: list[str], said: str
) -> None:
    with pytest.raises(SourceError, match=r"rows\.csv") as error:
        load(warehouse, written(tmp_path, *lines))
    assert said in str(error.value)
    with warehouse.connect() as connection:
        count = "SELECT count(*) FROM outcome.experiment"
        assert connection.exec_driver_sql(count).scalar_one() == 0


def test_mistakes_tell_nobodys_number_and_not_all_of_them(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    lines = [f"+1212555{place},a,2026-01-01,+12125550100" for place in range(1000, 1100)]
    with pytest.raises(SourceError) as error:
        load(warehouse, written(tmp_path, "unit,arm,eligible_on,returned", *lines))
    assert "1212555" not in str(error.value)
    assert str(error.value).count("line ") == experiments.TOLD


@pytest.mark.parametrize("name", ["", "Spring mails", "salt:spring"])
def test_a_name_is_a_plain_word(warehouse: sa.Engine, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="NAME=spring_mails"):
        load(warehouse, tmp_path / "nothing.csv", name=name)


def test_a_file_that_is_not_there_is_told(warehouse: sa.Engine, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        load(warehouse, tmp_path / "nothing.csv")
    (tmp_path / "odd.csv").write_bytes(b"unit,arm\xff\xfe")
    with pytest.raises(SourceError, match="no CSV in UTF-8"):
        load(warehouse, tmp_path / "odd.csv")
