"""Numbers that went through a spreadsheet: themselves again, or none."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import phonenumbers
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from reengage import db
from reengage.ingest.sources import numerals
from reengage.ingest.sources.numerals import BadValue

# A card of 8 digits that has lost its first is a number of its country's older plan.
RENUMBERED = {"GA"}


def floats(digits: str) -> Iterator[str]:
    """How programs and spreadsheets write a number that they hold as a float, all digits kept."""
    number = int(digits)
    power = f"{number:.{len(str(number)) - 1}E}"
    yield from (f"{number}.0", f"{number},0", f"{number}.00", power, power.replace(".", ",", 1))
    yield f"{number:,}.00"


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 6])
def test_a_float_of_a_number_is_that_number_or_none(kind: int) -> None:
    restored = 0
    for region in phonenumbers.SUPPORTED_REGIONS - RENUMBERED:
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        national = phonenumbers.national_significant_number(number)
        for digits in (national, f"0{national}", e164[1:], f"00{e164[1:]}"):
            for text in floats(digits):
                try:
                    found, its_kind = numerals.phone(text, region)
                except BadValue:
                    continue
                assert found == e164, (region, text)
                assert its_kind == numerals.phone_kind(e164)
                restored += 1
    assert restored > 100


@pytest.mark.parametrize(
    ("written", "e164"),
    [
        ("+39 340 123 456O", None),  # of a letter less, it is somebody's
        ("340123456O", None),
        ("340l234567", None),
        ("3401234567;3409876543", None),
        ("3401234567 / 68", None),
        ("340 1234567-8", None),
        ("tel. 340 1234567", "+393401234567"),
        ("340-123-45-67", "+393401234567"),
        ("340/123/45/67", "+393401234567"),
        ("+39 340 1234567 ext. 5", "+393401234567"),
        ("+39 340 1234567;ext=5", "+393401234567"),
    ],
)
def test_a_number_with_a_letter_or_another_end_is_nobodys(written: str, e164: str | None) -> None:
    try:
        found, _ = numerals.phone(written, "IT")
    except BadValue:
        found = None
    assert found == e164


@given(st.from_regex(r"3[2-9]\d{8}", fullmatch=True), st.integers(0, 8))
def test_digits_that_a_spreadsheet_has_rounded_away_are_never_made_up(
    digits: str, places: int
) -> None:
    text = f"{int('39' + digits):.{places}E}"
    if places < 11:
        with pytest.raises(BadValue, match="its last digits are lost"):
            numerals.phone(text, "IT")


@given(
    st.decimals(-(10**9), 10**9, places=2), st.sampled_from(["1.234,56", "1,234.56", "1 234,56"])
)
def test_an_amount_is_read_as_it_was_written(amount: object, style: str) -> None:
    thousands, decimals = style[1], style[5]
    text = f"{amount:,.2f}".translate({ord(","): thousands, ord("."): decimals})
    assert float(numerals.amount(text)) == float(str(amount))
    mark: numerals.Decimals = "," if decimals == "," else "."
    assert float(numerals.amount(text, mark)) == float(str(amount))


def test_what_may_be_thousands_or_decimals_is_told_not_guessed() -> None:
    with pytest.raises(BadValue, match=r'say `decimal: ","` or `decimal: "\."` in the source'):
        numerals.amount("1,234")
    assert (numerals.amount("1,234", ","), numerals.amount("1,234", ".")) == ("1.234", "1234")


@pytest.fixture
def early(new_warehouse: Any) -> Iterator[sa.Engine]:
    """A warehouse as it was before there were kinds of numbers, refunds, and other currencies."""
    with new_warehouse("0012") as engine:
        yield engine


def test_what_was_there_before_is_judged_when_the_schema_moves_on(early: sa.Engine) -> None:
    cards = {1: "+442079460958", 2: "+447911123456", 3: "+12127360001", 4: None}
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    orders = [
        (1, "a", 50, at),
        (1, "b", -50, at.replace(day=3)),
        (2, "c", 50, at),
        (2, "d", -20, at.replace(day=3)),
        (3, "e", 0, at),
        (4, "f", 10, at),
        (4, "g", -1, at),
    ]
    with early.begin() as connection:
        connection.exec_driver_sql("INSERT INTO core.derived_from VALUES ('signals', 'purchase')")
        connection.exec_driver_sql(
            "INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id)"
            " VALUES ('2026-05-10', 'x', '2026-05-11', 7)"
        )
        for contact_id, phone in cards.items():
            connection.execute(
                sa.text(
                    "INSERT INTO core.contact (contact_id, phone_e164, phone_hash, first_source,"
                    " first_source_contact_id, first_seen_on)"
                    " VALUES (:id, :phone, 'h', 'crm', :id, '2026-05-01')"
                ),
                {"id": contact_id, "phone": phone},
            )
            connection.execute(
                sa.text(
                    "INSERT INTO core.contact_activity (contact_id, visible_on, purchases,"
                    " last_purchase_on, last_signal_on, updated_load_id)"
                    " VALUES (:id, '2026-05-01', 2, '2026-05-03', '2026-05-03', 7)"
                ),
                {"id": contact_id},
            )
        for contact_id, event, amount, when in orders:
            connection.execute(
                sa.text(
                    "INSERT INTO core.interaction (contact_id, source, source_event_id, kind,"
                    " occurred_at, occurred_on, amount, currency, loaded_at, load_id) VALUES"
                    " (:id, 'shop', :event, 'purchase', :at, :on, :amount, 'USD', :at, 7)"
                ),
                {"id": contact_id, "event": event, "amount": amount, "at": when, "on": when.date()},
            )
    db.migrate(early)
    db.migrate(early)
    with early.connect() as connection:
        kinds = connection.exec_driver_sql(
            "SELECT contact_id, phone_kind::text FROM core.contact ORDER BY 1"
        ).all()
        told = connection.exec_driver_sql(
            "SELECT source_event_id, kind::text, coalesce(is_settled, FALSE)"
            " FROM core.interaction ORDER BY 1"
        ).all()
        activity = connection.exec_driver_sql(
            "SELECT contact_id, purchases, last_signal_on::text, updated_load_id"
            " FROM core.contact_activity ORDER BY 1"
        ).all()
    assert [tuple(row) for row in kinds] == [
        (1, "fixed_line"),
        (2, "mobile"),
        (3, "fixed_line_or_mobile"),
        (4, None),
    ]
    assert [tuple(row) for row in told] == [
        ("a", "refund", True),
        ("b", "refund", True),
        ("c", "purchase", False),
        ("d", "refund", False),
        ("e", "visit", False),
        ("f", "purchase", False),
        ("g", "refund", False),
    ]
    assert [tuple(row) for row in activity] == [
        (1, 0, None, 8),
        (2, 1, "2026-05-01", 8),
        (3, 0, None, 8),
        (4, 1, "2026-05-01", 8),
    ]
