"""The policy says what is wrong in words: the file, the key, and what is allowed."""

import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from reengage.errors import ConfigurationError
from reengage.policy import Behaviour, read_policy, remarks
from reengage.settings import INCLUDE

SHIPPED = Path(__file__).parents[3] / "include/journey.yaml"


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


def test_nothing_lies_between_the_last_instant_of_a_day_and_its_end() -> None:
    policy = read_policy(SHIPPED)
    # In São Paulo the hour before midnight came twice, as daylight saving time ended.
    brand = policy.brand.model_copy(update={"time_zone": "America/Sao_Paulo"})
    policy = policy.model_copy(update={"brand": brand})
    day = date(1998, 2, 28)
    assert policy.end_of(day) == datetime(1998, 3, 1, 3, tzinfo=UTC)
    assert policy.last_instant(day) == datetime(1998, 3, 1, 2, 59, 59, 999_999, tzinfo=UTC)


def test_another_text_is_another_version(tmp_path: Path) -> None:
    other = tmp_path / "journey.yaml"
    other.write_bytes(SHIPPED.read_bytes())
    assert read_policy(other).version == read_policy(SHIPPED).version
    other.write_text(SHIPPED.read_text().replace("gap_days: 7", "gap_days: 8"))
    assert read_policy(other).version != read_policy(SHIPPED).version


# What a marketer may write in place of a line of the shipped policy, and what to write instead.
MISTAKES = [
    ("share: 0.10", "share: 10", "control.share: write the share as a part of 1: 0.10 (it"),
    ("share: 0.10", "share: 10%", "control.share: write a number: 0.10 (it says 10%)"),
    ("share: 0.10", "share: 0,10", "write a number: 0.10 (it says 0,10)"),
    ("share: 0.10", "share: ten", "write a number, like 0.10 (it says ten)"),
    ("share: 0.10", "share: [0.1]", "write a number, like 0.10, not a list (it says [0.1])"),
    ("share: 0.10\n", "share:\n", "control.share: is empty: write a number, like 0.10"),
    ("share: 0.10", "share: 1", "control.share: must be less than 1 (it says 1)"),
    ("max_opt_out_share: 0.10", "max_opt_out_share: 2.5", "as a part of 1: 0.025 (it says 2.5)"),
    ("after_days: 30", "after_days: 30 days", "steps.survey.after_days: write a whole number: 30"),
    ("after_days: 30", "after_days: 30.5", "write a whole number: 30 (it says 30.5)"),
    ("after_days: 30", "after_days: 0", "steps.survey.after_days: must be at least 1 (it says 0)"),
    ("after_days: 30", "after_days: {a: 1}", "a whole number, like 30, and no keys below it"),
    ("after_days: 30", "afterdays: 30", "no such key; you may mean after_days; allowed are name,"),
    ("    after_days: 30\n", "", "steps.survey.after_days: is missing: write `after_days: 30`"),
    ("per_day: null", "per_day: 1,000", "caps.per_day: write a whole number: 1000 (it says 1,000)"),
    ("per_day: null", "per_day: yes", "caps.per_day: YAML takes this for true or false"),
    ("gap_days: 7", "gapdays: 7", "gapdays: no such key; you may mean gap_days; allowed are mode,"),
    ("gap_days: 7", "per_day: 9\ngap_days: 7", "no such key here; per_day stands below caps;"),
    ('to: "20:00"', "to: 20:00", 'hours.to: write the hour in quotes: "20:00" (it says 20:00)'),
    ('to: "20:00"', "to: 20 # h", 'write the hour in quotes: "20:00" (it says 20)'),
    ('to: "20:00"', "to: 20.30", 'write the hour in quotes: "20:30" (it says 20.30)'),
    ('to: "20:00"', 'to: "8 pm"', 'write the hour in quotes, like "20:00" (it says "8 pm")'),
    ('to: "20:00"', 'to: "9:00"', 'like "09:00" (it says "9:00")'),
    ('to: "20:00"', 'to: "24:00"', '"23:59" (it says "24:00")'),
    ('to: "20:00"', "to: late", 'like "20:00" (it says late)'),
    ("closes_on: 2027-12-31", "closes_on: 2027-02-29", "contest.closes_on: there is no such day ("),
    ("closes_on: 2027-12-31", "closes_on: 31.12.2027", "year-month-day: 2027-12-31 (it says 31.12"),
    ("closes_on: 2027-12-31", "closes_on: 12/31/2027", "as year-month-day: 2027-12-31 (it says"),
    ("closes_on: 2027-12-31", "closes_on: 3/4/2027", "a day, like 2027-12-31 (it says 3/4/2027)"),
    ("closes_on: 2027-12-31", "closes_on: 2027-1-5", "as year-month-day: 2027-01-05 (it says"),
    ("closes_on: 2027-12-31", "closes_on: 2027", "write a day, like 2027-12-31 (it says 2027)"),
    ("closes_on: 2027-12-31", "closes_on: 2027-12-31 10:00", "write the day alone: 2027-12-31 ("),
    ("signals: [purchase, visit,", "signals: [purchases, visit,", "; you may mean purchase (it"),
    ("signals: [purchase, visit,", "signals: [smile,", "write one of purchase, visit, loyalty,"),
    (
        "signals: [purchase, visit, loyalty, email_click, reply, login]",
        "signals: purchase",
        "signals: write a list: [purchase] (it says purchase)",
    ),
    (
        "signals: [purchase, visit, loyalty, email_click, reply, login]",
        "",
        "signals: is missing: write `signals: [purchase, visit, loyalty]`",
    ),
    ("- name: contest", "- name: Contest 1", "write a name in small letters, digits and _"),
    ("- name: contest", "- name: # contest", "steps.2.name: is empty: write a text, like"),
    ("mode: sandbox", "mode: Live", "mode: write one of sandbox, live; you may mean live (it says"),
    ("approval: never", "approval: no", "for true or false: write one of always, anomaly, never ("),
    ("time_zone: America/New_York", "time_zone: New York", "you may mean America/New_York"),
    ("time_zone: America/New_York", "time_zone: Atlantis", "write one like America/New_York"),
    (
        "country: US ",
        "country: NO ",
        'brand.country: YAML takes this for true or false: write it in quotes: "NO" (it says NO)',
    ),
    ("country: US ", "country: usa ", "write the country as two capital letters, like US"),
    ('sender: "+12125550100"', "sender: +12125550100", 'write it in quotes: "+12125550100"'),
    ("salt: spring", "salt: 2026", 'control.salt: write it in quotes: "2026" (it says 2026)'),
    ("currency: USD", "currency: [USD]", "brand.currency: write a text, like USD, not a list"),
    ("shop_url: https:", "shop_url: http:", "that begins with https://, like"),
    ("value: 15,", "value: 15 %,", "steps.coupon.coupon.value: write a number: 15 (it says 15 %)"),
    ("value: 15,", "value: .inf,", "steps.coupon.coupon.value: write a number, like 15"),
    ("kind: percent,", "", "steps.coupon.coupon.kind: is missing: write `kind: percent`"),
    ("{kind: percent, value: 15, valid_days: 30}", "15", "write its keys below it: kind, value,"),
    ("max_segments: {", "max_segments: two #", "a number, or several by place: {default: 1,"),
    ("countries: []", "countries: US", "contest.countries: write a list: [US]"),
    ("channel: sms", "channel: fax", "consent.channel: write sms (it says fax)"),
]
# Seen only where each value by itself is one that may stand there.
TOGETHER = [
    (
        "after_days: 30",
        "after_days: 60",
        "contest comes at 60 days, and survey before it at 60: "
        "the days must grow from step to step",
    ),
    ('to: "20:00"', 'to: "08:00"', "hours: `from` and `sunday_from` must be before `to`"),
    ("- name: contest", "- name: survey", "two steps have one name, survey: each needs a name"),
    ("prices: {default: 0.05,", "prices: {", "a price named `default` is needed"),
    ("frequency: daily", "frequency: hourly", "frequency hourly is none of daily, weekly, monthly"),
    ("caps:\n", "caps: null\ncups:\n", "caps: is empty: write its keys below it, or take the line"),
]


def refusal(file: Path, *changes: tuple[str, str]) -> str:
    """What is said of the shipped policy with changes."""
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_policy(file)
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    """The line, from 1, on which a part of a text begins."""
    return text[: text.index(part)].count("\n") + 1


def test_every_mistake_is_named_with_its_line_and_what_to_write(tmp_path: Path) -> None:
    file, shipped = tmp_path / "journey.yaml", SHIPPED.read_text(encoding="utf-8")
    # One a line at a time, so that many are told at once.
    rounds: dict[int, list[tuple[str, str, str]]] = {}
    seen: Counter[int] = Counter()
    for mistake in MISTAKES:
        line = line_of(shipped, mistake[0].strip())
        rounds.setdefault(seen[line], []).append(mistake)
        seen[line] += 1
    for mistakes in rounds.values():
        text = refusal(file, *((old, new) for old, new, _ in mistakes))
        assert str(file) in text
        assert not re.search(r"Input should|valid (integer|string)|'[a-z]+', |\{'|\['|_error", text)
        for _, new, says in mistakes:
            assert says in text
            told = next(said for said in text.splitlines() if says in said)
            if new:
                assert f"line {line_of(file.read_text(encoding='utf-8'), new)}: " in told


@pytest.mark.parametrize(("old", "new", "says"), TOGETHER)
def test_values_that_do_not_fit_together_are_named(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert says in refusal(tmp_path / "journey.yaml", (old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  country: US", "\tcountry: US", "there is a tab: indent with blanks instead"),
        ("email_click, reply, login]", "email_click", "the [ is not closed"),
        ("salt: spring", "salt: 'spring", "a quotation mark begins here, and its end is missing"),
        ("salt: spring", 'salt: "spring', "a quotation mark begins here, and its end is missing"),
        ("salt: spring", "salt: a: b", "put a text that holds one in quotes"),
        ("salt: spring", "salt: @home", "needs quotes"),
        ("salt: spring", "salt: `star`", "needs quotes"),
        ("salt: spring", "salt: %star", "needs quotes"),
        ("salt: spring", "salt spring", "behind a key a colon is missing: `key: value`"),
        ("salt: spring", 'salt: "a\\q"', "has a meaning of its own"),
        ("salt: spring", "salt: \a", "there is a character that cannot be seen; delete it"),
    ],
)
def test_what_is_no_yaml_is_said_in_plain_words_with_its_line(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = refusal(tmp_path / "journey.yaml", (old, new))
    line = line_of(SHIPPED.read_text(encoding="utf-8"), old)
    assert f"line {line}: " in text
    assert says in text
    assert not re.search("while |expected|token|scann", text)


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
    with pytest.raises(
        ConfigurationError, match=rf"line {number}: steps\.contest\.tempate: no such key"
    ):
        read_policy(file)


def test_a_day_that_there_is_not_is_named_with_its_line(tmp_path: Path) -> None:
    text = SHIPPED.read_text().replace("closes_on: 2027-12-31", "closes_on: 2027-02-29")
    number = next(n for n, line in enumerate(text.splitlines(), 1) if "2027-02-29" in line)
    file = tmp_path / "journey.yaml"
    file.write_text(text)
    with pytest.raises(
        ConfigurationError, match=rf"line {number}: steps\.contest\.contest\.closes_on: "
    ):
        read_policy(file)


@pytest.mark.parametrize(
    ("currency", "prize", "promises"),
    [
        ("USD", "One of three $100 gift cards", None),
        ("CAD", "Una di tre carte regalo da 100 $", None),
        ("EUR", "One of three $100 gift cards", "$100"),
        ("USD", "Una di tre carte regalo da 100 €", "100 €"),
        ("USD", "Une carte de 1 000,50 euros", "1 000,50 euros"),
        ("USD", "A card of CA$ 50", "CA$ 50"),
        ("USD", "US$50, or 50 US$", None),
        ("USD", "A card of 250 CHF", "250 CHF"),
        ("KRW", "10만원 상당, 100달러 기프트 카드 (3명)", "100달러"),
        ("IDR", "Kartu hadiah Rp100.000", None),
        ("GBP", "2 tickets, 3 nights and 1 eurostar ride", None),
        ("EUR", "A weekend in Rome for 2, or won 3 tickets", None),
        ("USD", "A card of 100,000 won", "100,000 won"),
    ],
)
def test_a_prize_in_another_currency_than_the_brands_is_told(
    currency: str, prize: str, promises: str | None
) -> None:
    policy = read_policy(SHIPPED)
    step = policy.step("contest")
    assert step.contest
    contest = step.contest.model_copy(update={"prize": {"": prize}})
    policy = policy.model_copy(
        update={
            "brand": policy.brand.model_copy(update={"currency": currency}),
            "steps": (step.model_copy(update={"contest": contest}),),
        }
    )
    told = [remark for remark in remarks.of_policy(policy) if "promises" in remark]
    if promises is None:
        assert told == []
    else:
        (said,) = told
        assert f"steps.contest.contest.prize promises {promises}, and the brand's" in said


def test_the_shipped_policy_leaves_nothing_to_remark() -> None:
    assert remarks.of_policy(read_policy(SHIPPED)) == []


def test_a_percentage_that_is_written_as_a_share_is_told(tmp_path: Path) -> None:
    file = tmp_path / "journey.yaml"
    file.write_text(SHIPPED.read_text(encoding="utf-8").replace("value: 15,", "value: 0.15,"))
    (said,) = remarks.of_policy(read_policy(file))
    assert "0.15 percent, less than one: for 15 percent write 15" in said


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


def test_a_contact_is_watched_to_the_end_of_the_ladder_unless_the_policy_says() -> None:
    shipped = read_policy(SHIPPED)
    ladder = shipped.steps[-1].after_days - shipped.steps[0].after_days
    assert shipped.horizon_days == ladder + shipped.close_after_days == 90
    weekly = shipped.thresholds.model_copy(update={"frequency": "weekly"})
    assert shipped.model_copy(update={"thresholds": weekly}).horizon_days == 150
    slow = Behaviour(name="purchases", signals=("purchase",), days=(100, 200, 300))
    clocks = shipped.thresholds.model_copy(update={"behaviours": (slow,)})
    by_clock = shipped.model_copy(update={"thresholds": clocks})
    assert by_clock.horizon_days == 230
    assert json.loads(by_clock.returns) == {"purchases": ["purchase"], "": list(shipped.signals)}
    own = shipped.effect.model_copy(update={"horizon_days": 45, "returns": ("purchase",)})
    said = shipped.model_copy(update={"effect": own})
    assert said.horizon_days == 45
    assert json.loads(said.returns) == {"any": ["purchase"], "": ["purchase"]}


def test_two_texts_of_a_step_share_its_contacts(tmp_path: Path) -> None:
    def shares(template: str) -> dict[str, float | None]:
        text = SHIPPED.read_text().replace("template: survey.txt", f"template: {template}")
        path = tmp_path / f"{abs(hash(template))}.yaml"
        path.write_text(text)
        survey = read_policy(path).steps[0]
        assert [text.title for text in survey.texts] == [
            f"survey, version {name}" for name in survey.template
        ]
        return {name: variant.share for name, variant in survey.template.items()}

    assert shares("{a: survey.txt, b: survey_short}") == {"a": 0.5, "b": 0.5}
    assert shares("{old: survey, new: {template: short.txt, share: 0.3}}") == {
        "old": 0.7,
        "new": 0.3,
    }
    for wrong, said in (
        ("{a: survey.txt}", "two that are held against each other"),
        ("{a: survey.txt, b: short.txt, c: long.txt}", "two that are held against each other"),
        ("{a: {template: survey.txt, share: 0.5}, b: {template: b.txt, share: 0.6}}", "come to 1"),
        ("{a: survey.txt, b: {template: b.txt, share: 1.5}}", "share as a part of 1"),
        ("{a: survey.txt, b: {text: b.txt}}", "no such key"),
        ("[survey.txt, short.txt]", "or two: {a: …, b: …}"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            shares(wrong)
