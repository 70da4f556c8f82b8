"""What takes a row out, and amounts that are products."""

from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from depth import examples
from reengage.ingest.sources import numerals
from reengage.ingest.sources.conditions import Conditions, Rule
from reengage.ingest.sources.numerals import BadValue
from reengage.ingest.sources.times import Times, how_to_read

READ = TypeAdapter(Conditions)


@pytest.mark.parametrize(
    ("said", "taken", "left"),
    [
        (["cancelled", "C*"], ["Cancelled", " c 12", "C", "c536379"], ["536379", "", None, "xC"]),
        ("C*", ["C1"], ["1C"]),
        (["*"], ["0", "x", " y"], ["", " ", None, "NULL", "NaT"]),
        ({"below": 1}, ["0", "-3", "0.99", "-1e3"], ["1", "2", "", None, "NULL"]),
        ({"at_most": "1"}, ["1", "1.0"], ["1.01"]),
        ({"above": 5}, ["5.01"], ["5"]),
        ({"at_least": 5, "below": 7}, ["5", "6.9"], ["4.9", "7"]),
        ([{"below": 1}, {"above": 1000}], ["0", "1001"], ["1", "1000"]),
        (["x", {"below": 1}], ["X", "-1"], ["1"]),
        (["1.0*"], ["1.0", "1.05", "1.0-beta"], ["1", "10", "19", "1.1"]),
        (["-1.00*"], ["-1.00", "-1.001"], ["-1", "-10", "-1.0"]),
        (["1,0*"], ["1,0", "1,05"], ["10", "1.05"]),
        (["1.*"], ["1.5", "1.0"], ["1", "15"]),
        (["  c 1.0*"], ["C1.0", "c 1.07"], ["C1", "C10"]),
        (["10*"], ["10", "100", "10.0"], ["1.0", "1"]),
    ],
)
def test_a_row_goes_where_any_condition_is_fulfilled(
    said: object, taken: list[str], left: list[str | None]
) -> None:
    rule = Rule(READ.validate_python(said), None)
    assert [value for value in taken if not rule(value)] == []
    assert [value for value in left if rule(value)] == []


def test_numbers_are_read_as_the_source_writes_them_and_none_is_guessed() -> None:
    assert Rule(READ.validate_python({"above": "1000"}), ",")("1.000,5")
    assert not Rule(READ.validate_python({"above": "1000"}), ",")("999,9")
    with pytest.raises(BadValue):
        Rule(READ.validate_python({"above": "1000"}), None)("1,500")
    with pytest.raises(BadValue):
        Rule(READ.validate_python({"below": 1}), None)("many")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"bellow": 1}, "you may mean below"),
        ({"below": "one"}, "write a number"),
        ({}, "says nothing"),
        ({"below": 1, "above": 5}, "nothing is below 1 and above 5"),
        ("a*b", "stands only at the end"),
        ({"below": 5, "at_least": 5}, "nothing is below 5"),
        ("<1", "is no word"),
        (">= 3", "is no word"),
        ([["a"]], "write a word"),
        (None, "write a word"),
        ({"below": True}, "write a number"),
        ({"below": "nan"}, "write a number"),
    ],
)
def test_a_condition_that_cannot_be_meant_says_what_to_write(said: object, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        READ.validate_python(said)


plain = st.decimals(-10_000, 10_000, places=4, allow_nan=False).map(lambda d: f"{d:f}")


@settings(max_examples=examples(200))
@given(st.lists(plain, min_size=2, max_size=4))
def test_a_product_is_exact(factors: list[str]) -> None:
    expected = Fraction(1)
    for factor in factors:
        expected *= Fraction(factor)
    try:
        assert Fraction(Decimal(numerals.product(factors))) == expected
    except BadValue:
        assert abs(expected) >= 10**15 or 0 < abs(expected) < Fraction(1, 10**19)


@pytest.mark.parametrize(
    ("value", "formats"),
    [
        ("12/1/2010 8:26", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]),
        ("1/13/2010 8:26", ["%m/%d/%Y %H:%M"]),
        ("31.12.2024", ["%d.%m.%Y"]),
        ("31.12.2024 10:15:30", ["%d.%m.%Y %H:%M:%S"]),
        ("Mar 3, 2024, 10:00 AM", ["%b %d, %Y, %I:%M %p"]),
        ("01-JAN-24", ["%d-%b-%y"]),
        ("3/4/24 8:26PM", ["%d/%m/%y %I:%M%p", "%m/%d/%y %I:%M%p"]),
        ("2024/03/01 10:00:00.123 +0100", ["%Y/%m/%d %H:%M:%S.%f %z"]),
        ("Fri, 01 Mar 2024 10:00:00 GMT", ["%a, %d %b %Y %H:%M:%S %Z"]),
    ],
)
def test_a_time_that_cannot_be_read_says_how_it_could_be(value: str, formats: list[str]) -> None:
    told = how_to_read(value)
    assert told.startswith(f', like {value}: say `time_format: "{formats[0]}"`')
    assert [format for format in formats if f'"{format}"' not in told] == []
    for format in formats:
        assert Times(format, ZoneInfo("UTC"), ZoneInfo("UTC"))(value).at.year in (2010, 2024)


@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        "ann@example.org",
        "+39 335 1234567",
        "335-12-3456",
        "4111 1111 1111 1111",
        "45352.5",
        "1 gennaio 2024",
        "sk_live_2024-03-01",
        "393351234567",
        "Ann 12.3",
        "x" * 199,
    ],
)
def test_what_may_be_anything_else_is_not_shown(value: str) -> None:
    assert value not in how_to_read(value)


def test_a_day_that_there_is_not_is_shown() -> None:
    assert how_to_read("31.02.2024").startswith(", like 31.02.2024: say how it is written")
