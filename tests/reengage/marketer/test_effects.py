"""The page of the effect: what it says in words, and that its numbers are the tables'."""

import csv
import io
import json
import re
import warnings
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from test_marketer import client_of, seen

from reengage import db
from reengage.marketer.written import environment_of_pages, points
from reengage.outcome import effect, experiments
from reengage.policy import read_policy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

BEGAN, THROUGH = date(2026, 1, 5), date(2026, 9, 1)
CURRENCY = read_policy().brand.currency
WEEK = timedelta(days=7)


PAIR = [
    {
        "draw": "survey/a/b",
        "step": "survey",
        "variant": variant,
        "control_arm": "a",
        "control_share": 0.5,
        "horizon_days": 90,
    }
    for variant in "ab"
]


def begin(warehouse: sa.Engine, detect: float = 0.02, variants: Any = None) -> None:
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id,"
                " control_salt, control_share, variants)"
                " VALUES (:as_of, 'p', :as_of, 0, 'spring', 0.1, CAST(:variants AS jsonb))"
            ),
            {"as_of": BEGAN, "variants": json.dumps(variants) if variants else None},
        )
        db.run(
            connection,
            "outcome/begin_experiments",
            currency=CURRENCY,
            horizon_days=90,
            attribution_days=30,
            returns='{"": ["purchase"]}',
            detect=detect,
            power=0.8,
            winsorise=0.001,
            base=0.1,
            amounts="paid",
        )


def draw(
    warehouse: sa.Engine, people: int, back: dict[str, float], *, control: float = 0.1
) -> None:
    """Contacts drawn one after another, so many a week; of each arm a share came back. All is in
    the order of their numbers: no chance in it.
    """
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                """
                INSERT INTO outcome.eligible (
                    contact_id, salt, dormant_since, arm, eligible_on, step, behaviour,
                    control_share, language, purchases_before, spent_before, returned_on,
                    step_revenue, ladder_revenue, step_cost, ladder_cost, counted_on
                )
                SELECT
                    n, 'spring', drawn.eligible_on - 30, drawn.arm::cohort.arm, drawn.eligible_on,
                    CASE WHEN n % 7 = 0 THEN 'contest' ELSE 'survey' END, 'any', 0.1,
                    CASE WHEN n % 3 = 0 THEN 'it' ELSE 'en' END, n % 4, 10 * (n % 5),
                    CASE WHEN drawn.is_back THEN drawn.eligible_on + 1 + (n % 60)::integer END,
                    CASE WHEN drawn.is_back AND n % 60 < 30 THEN 20 + n % 9 ELSE 0 END,
                    CASE WHEN drawn.is_back THEN 20 + n % 9 ELSE 0 END,
                    CASE WHEN drawn.arm = 'treatment' THEN 0.05 ELSE 0 END,
                    CASE WHEN drawn.arm = 'treatment' THEN 0.1 ELSE 0 END,
                    CAST(:through AS date)
                FROM generate_series(1, CAST(:people AS bigint)) AS n
                CROSS JOIN LATERAL (
                    SELECT
                        CASE WHEN (n * 617) % 1000 < 1000 * CAST(:control AS numeric) THEN 'control'
                            ELSE 'treatment' END AS arm,
                        CAST(:began AS date) + (n % 230)::integer AS eligible_on
                ) AS arms
                CROSS JOIN LATERAL (
                    SELECT
                        arms.arm,
                        arms.eligible_on,
                        (n * 7919) % 10007 < 10007 * CASE WHEN arms.arm = 'control'
                            THEN CAST(:control_back AS numeric)
                            ELSE CAST(:treated_back AS numeric) END AS is_back
                ) AS drawn
                """
            ),
            {
                "people": people,
                "through": THROUGH,
                "began": BEGAN,
                "control": control,
                "control_back": back["control"],
                "treated_back": back["treatment"],
            },
        )
        connection.exec_driver_sql(
            "INSERT INTO core.contact (contact_id, first_source, first_source_contact_id,"
            " first_seen_on) SELECT contact_id, 'crm', contact_id::text, '2026-01-01'"
            " FROM outcome.eligible ON CONFLICT DO NOTHING"
        )
        effect.compare(connection, "salt:spring", THROUGH, datetime(2026, 9, 2, tzinfo=UTC))


def page_of(warehouse: sa.Engine, people: int, control: float, treatment: float) -> Any:
    begin(warehouse)
    draw(warehouse, people, {"control": control, "treatment": treatment})
    return seen(client_of(warehouse), "/effects")


def rows(warehouse: sa.Engine, where: str) -> list[Any]:
    with warehouse.connect() as connection:
        return list(connection.execute(sa.text(f"SELECT * FROM outcome.effect WHERE {where}")))


def test_before_anything_is_over_the_page_says_what_will_be_there(warehouse: sa.Engine) -> None:
    shown = seen(client_of(warehouse), "/effects").text
    assert "Nothing can be compared yet" in shown
    begin(warehouse)
    with warehouse.begin() as connection:
        effect.compare(connection, "salt:spring", THROUGH, datetime(2026, 9, 2, tzinfo=UTC))
    assert "Nobody’s time is over yet" in seen(client_of(warehouse), "/effects").text


def test_an_effect_is_told_in_customers_and_its_numbers_are_the_tables(
    warehouse: sa.Engine,
) -> None:
    shown = page_of(warehouse, 60_000, 0.10, 0.14).text
    ladder = rows(warehouse, "dimension = 'all' AND estimand = 'ladder'")[0]
    assert ladder.always_low > 0
    low, high = (
        f"{100 * end:.1f}".removesuffix(".0") for end in (ladder.always_low, ladder.always_high)
    )
    assert (
        f"Of 100 customers who may be texted, between {low} and {high} came back because of the"
        " texts." in shown
    )
    assert f"{ladder.treated:,} {ladder.treated_returned:,}" in shown
    assert f"{ladder.control:,} {ladder.control_returned:,}" in shown
    assert f"+{100 * ladder.difference:.1f} +{100 * ladder.always_low:.1f} to" in shown
    assert f"{ladder.incremental_returns:,.0f}" in shown
    assert f"{ladder.cost_per_incremental_return:.2f} {ladder.cost_low:.2f} to" in shown
    assert "Why this is less than what came back after a text." in shown
    assert "By step" in shown
    assert "By language" in shown
    assert "as chance has it" in shown
    planned = rows(warehouse, "dimension = 'planned'")[0]
    assert f"{100 * planned.ci_low:.1f} to +{100 * planned.ci_high:.1f} (Newcombe)" in shown


@pytest.mark.parametrize(
    ("people", "control", "treatment", "said"),
    [
        (
            20_000,
            0.10,
            0.10,
            "It cannot be told yet whether anybody comes back because of the texts.",
        ),
        (60_000, 0.14, 0.10, "stayed away because of the texts."),
        (60, 0.1, 0.1, "It is too early to say"),
        (20_001, 0.10, 0.10, "more customers are needed until a difference of +2.0 points"),
    ],
)
def test_what_is_not_known_is_not_said(
    warehouse: sa.Engine, people: int, control: float, treatment: float, said: str
) -> None:
    assert said in page_of(warehouse, people, control, treatment).text


def test_whose_time_is_not_over_stands_apart(warehouse: sa.Engine) -> None:
    begin(warehouse)
    draw(warehouse, 20_000, {"control": 0.1, "treatment": 0.1})
    with warehouse.connect() as connection:
        open_units = connection.exec_driver_sql(
            "SELECT count(*) FROM outcome.eligible WHERE eligible_on + 90 > DATE '2026-09-01'"
        ).scalar_one()
    assert open_units > 1000
    shown = seen(client_of(warehouse), "/effects").text
    assert f"{open_units:,} more customers are still watched" in shown
    ladder = rows(warehouse, "dimension = 'all' AND estimand = 'ladder'")[0]
    assert ladder.treated + ladder.control == 20_000 - open_units


def test_an_uneven_split_is_the_first_thing_said(warehouse: sa.Engine) -> None:
    begin(warehouse)
    draw(warehouse, 20_000, {"control": 0.1, "treatment": 0.1}, control=0.12)
    shown = seen(client_of(warehouse), "/effects").text
    assert "The split is not as it should be." in shown
    assert shown.index("The split is not") < shown.index("The figures")


def test_a_share_that_was_changed_within_a_salt_is_told(warehouse: sa.Engine) -> None:
    said = "The share of the control group was changed, and its salt was not."
    assert said not in page_of(warehouse, 2000, 0.10, 0.14).text
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id,"
            " control_salt, control_share)"
            " VALUES ('2026-02-01', 'p', '2026-02-02', 0, 'spring', 0.2)"
        )
    assert said in seen(client_of(warehouse), "/effects").text


def test_where_everybody_begins_with_one_step_nothing_is_said_by_step(warehouse: sa.Engine) -> None:
    shown = page_of(warehouse, 2000, 0.10, 0.14).text
    assert "By step" in shown
    assert "entry: by_days" not in shown
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE outcome.eligible SET step = 'survey'")
        effect.compare(connection, "salt:spring", THROUGH, datetime(2026, 9, 2, tzinfo=UTC))
    shown = seen(client_of(warehouse), "/effects").text
    assert "By step" not in shown
    assert "Everybody was first due for survey" in shown
    assert "entry: by_days" in shown


def test_the_csv_is_the_table(warehouse: sa.Engine) -> None:
    page_of(warehouse, 20_000, 0.10, 0.14)
    client: TestClient = client_of(warehouse)
    text = client.get("/effects.csv").text
    assert client.get("/effects.csv").headers["content-disposition"].endswith('"effects.csv"')
    lines = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    table = rows(warehouse, "TRUE")
    assert len(lines) == len(table)
    assert list(lines[0]) == list(table[0]._fields)
    assert {float(line["difference"]) for line in lines} == {row.difference for row in table}


def test_versions_of_a_step_are_told_in_their_own_words(warehouse: sa.Engine) -> None:
    begin(warehouse, variants=PAIR)
    draw(warehouse, 60_000, {"control": 0.1, "treatment": 0.12})
    with warehouse.begin() as connection:
        # Of the same contacts; a third more of those who got version b come back.
        connection.exec_driver_sql(
            "INSERT INTO outcome.eligible SELECT contact_id, salt, dormant_since, arm, eligible_on,"
            " step, behaviour, 0.5, lifecycle_class, language, purchases_before, spent_before,"
            " CASE WHEN mod(contact_id, 4) <> 3 THEN returned_on END,"
            " step_revenue, ladder_revenue, step_cost, ladder_cost, counted_on, count_on,"
            " 'survey/a/b', CASE mod(contact_id, 2) WHEN 0 THEN 'b' ELSE 'a' END"
            " FROM outcome.eligible WHERE arm = 'treatment'"
        )
        name = "salt:spring:survey/a/b"
        effect.compare(connection, name, THROUGH, datetime(2026, 9, 2, tzinfo=UTC))
    client = client_of(warehouse)
    # The page leads with the control group, which is as it was.
    shown = seen(client, "/effects").text
    assert "came back because of the texts" in shown
    assert "Survey: version b against a, “spring”" in shown
    shown = seen(client, f"/effects?experiment={name}").text
    row = rows(warehouse, f"experiment = '{name}' AND dimension = 'all' ORDER BY estimand")[0]
    assert row.always_low > 0
    low, high = (f"{100 * end:.1f}".removesuffix(".0") for end in (row.always_low, row.always_high))
    assert (
        f"Version b of the survey brings back more: of 100 customers, between {low} and {high} come"
        " back after it who would not after version a." in shown
    )
    assert "chance drew each into one of its two versions" in shown
    assert f"{row.treated:,} {row.treated_returned:,}" in shown
    for of_the_control_group in ("Why this is less", "Control group ", "held back"):
        assert of_the_control_group not in shown.replace("Control group “spring”", "")
    assert "Version a" in shown
    assert "as chance has it" in shown


def test_what_coupons_took_off_is_told_beside_the_texts(warehouse: sa.Engine) -> None:
    shown = page_of(warehouse, 20_000, 0.10, 0.14).text
    assert "With what coupons took off" not in shown
    for amounts, said in (
        ("paid", "so the discounts are off it already"),
        ("full", "so the discounts come off it"),
    ):
        with warehouse.begin() as connection:
            connection.execute(
                sa.text("UPDATE outcome.experiment SET amounts = :amounts"), {"amounts": amounts}
            )
            connection.exec_driver_sql(
                "UPDATE outcome.eligible SET ladder_discount = 2.5"
                " WHERE arm = 'treatment' AND ladder_revenue > 0"
            )
            effect.compare(connection, "salt:spring", THROUGH, datetime(2026, 9, 2, tzinfo=UTC))
        shown = seen(client_of(warehouse), "/effects").text
        row = rows(warehouse, "dimension = 'all' AND estimand = 'ladder'")[0]
        assert said in shown
        assert f"{row.treated_discount:,.2f} 0.00" in shown
        assert row.outlay_per_incremental_return > row.cost_per_incremental_return
        assert f"{row.outlay_per_incremental_return:.2f} {row.outlay_low:.2f} to" in shown
        is_less = row.net_revenue_difference < row.revenue_difference
        assert is_less is (amounts == "full")
        assert f"{row.net_revenue_difference:+.2f}" in shown.replace("−", "-")


def test_a_loaded_experiment_is_shown_beside_our_own(warehouse: sa.Engine, tmp_path: Path) -> None:
    page_of(warehouse, 2000, 0.10, 0.14)
    file = tmp_path / "mails.csv"
    lines = [
        f"{place},{('none', 'one', 'two')[place % 3]},2026-01-0{1 + place % 2},"
        f"{int(place % 3 * 5 > place % 50)},en"
        for place in range(3000)
    ]
    file.write_text("unit,arm,eligible_on,returned,language\n" + "\n".join(lines))
    now = datetime(2026, 2, 1, tzinfo=UTC)
    experiments.load(warehouse, read_policy(), "mails", file, "none", now)
    assert "Control group “spring”" in seen(client_of(warehouse), "/effects").text
    shown = seen(client_of(warehouse), "/effects?experiment=mails").text
    rows_of_it = rows(warehouse, "experiment = 'mails' AND dimension = 'all'")
    assert len(rows_of_it) == 3
    for row in rows_of_it:
        assert f"{row.arm or 'All groups together'}, beside none Of 100 customers of the" in shown
        assert f"{100 * row.difference:+.1f} {100 * row.ci_low:+.1f} to" in shown
    assert "As planned" not in shown
    assert "Can it be trusted?" not in shown


def test_an_experiment_that_is_not_there_is_a_page(warehouse: sa.Engine) -> None:
    page_of(warehouse, 2000, 0.10, 0.14)
    shown = seen(client_of(warehouse), "/effects?experiment=x", 404)
    assert "There is no experiment of this name." in shown.text


def test_every_line_of_the_picture_is_within_it(warehouse: sa.Engine) -> None:
    begin(warehouse)
    draw(warehouse, 30_000, {"control": 0.10, "treatment": 0.14})
    html = client_of(warehouse).get("/effects").text
    svg = html[html.index("<svg class") : html.index("</svg>")]
    told = svg[svg.index("<desc id") : svg.index("</desc>")]
    assert 'aria-labelledby="differences-title"' in svg and "<title id=" in svg
    for row in rows(warehouse, "dimension = 'all'"):
        ends = (row.difference, row.always_low, row.always_high)
        assert all(points(end) in told for end in ends)
    width = float(re.search(r'viewBox="0 0 (\d+)', svg)[1])  # type: ignore[index]
    reach = re.findall(r'class="reach" x1="([\d.]+)" x2="([\d.]+)"', svg)
    assert len(reach) == 2
    assert all(0 < float(one) < float(other) < width for one, other in reach)
    zero = float(re.search(r'class="zero" x1="([\d.]+)"', svg)[1])  # type: ignore[index]
    ladder = rows(warehouse, "dimension = 'all' ORDER BY estimand")
    # A line is beyond zero in the picture as in the table.
    assert [float(low) > zero for low, _ in reach] == [row.always_low > 0 for row in ladder]


@pytest.mark.parametrize(
    ("how", "value", "written"),
    [
        ("number", -115, "−115"),
        ("money", Decimal("-1234.5"), "−1,234.50"),
        ("points", -0.0077, "−0.77"),
    ],
)
def test_every_number_has_one_minus(how: str, value: Any, written: str) -> None:
    assert environment_of_pages().filters[how](value) == written
