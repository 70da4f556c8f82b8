"""Ids: one spelling of each, however it came, and what is there already written in it."""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from reengage import db
from reengage.ingest.sources.ids import normal_id

SAME = {
    "17850": [
        "17850.0",
        "17850.00",
        " 17850",
        "17850\u00a0",
        "17\u200b850",
        "\ufeff17850.0",
        "１７８５０",
        "١٧٨٥٠.0",
        "1.7850e4",
        "1.785000E+04",
        '="17850"',
        '="17850.0"',
        '"17850"',
        "'17850",
        "'17850'",
        '="\'17850"',
        "17850.",
        "17850,0",
        "17850,00",
    ],
    "0017850": ["0017850.0", '="0017850"', "'0017850"],
    "+111": ["'+111", '="+111"'],
    "A102": ["'A102", '="A102"'],
    "a3.case@example.com": [
        "A3.Case@Example.com",
        "a3.case＠example.com\u200e",
        "'A3.Case@Example.com",
    ],
    "A b": ["A\u00a0b"],
    "José": ["Jose\u0301"],
}
OTHERS = [
    "A1",
    "a1",
    "17850.5",
    "17850,000",
    "+17850",
    "17850,5",
    "=17850",
    "'t Hooft",
    "d'Arc",
    "1e5",
    "12E4",
    "1,785",
    "-5.0",
    "v1.0",
    "A.0",
    "5.0.0",
    "me@home",
    "Ann@",
    "00",
    "9007199254740992.0",
]
LOST = ["1.785e4", "1.23457E+11", "1E+05", "12345678901234567.0", "1.2345678901234568e+16"]


@pytest.mark.parametrize(("id_", "spelt"), [(i, spelt) for i in SAME for spelt in SAME[i]])
def test_an_id_is_read_alike_however_it_is_spelt(id_: str, spelt: str) -> None:
    assert normal_id(spelt) == normal_id(id_) == id_


def test_what_may_be_another_id_is_left_or_refused() -> None:
    assert [normal_id(other) for other in OTHERS] == [*OTHERS[:-1], "9007199254740992"]
    for lost in LOST:
        with pytest.raises(ValueError, match="write the id as text"):
            normal_id(lost)


@given(st.text(max_size=12) | st.from_regex(r"[0-9]{1,20}(\.[0-9]{0,3})?([eE]\+?[0-9]{1,2})?"))
@example("\u0130@x.yz")
@example("1\u200d\u200c ")
@example('\'="1,0"')
@example('"""1"""')
def test_twice_is_once(text: str) -> None:
    try:
        once = normal_id(text)
    except ValueError:
        return
    assert normal_id(once) == once


# --- what is there already ------------------------------------------------------------------------


@pytest.fixture
def old(new_warehouse: Any) -> Iterator[sa.Engine]:
    """A warehouse from before ids had one spelling."""
    with new_warehouse("0012") as engine:
        yield engine


OLD = Path(__file__).parent / "old_ids.sql"


def test_ids_that_are_there_get_their_spelling_and_what_meets_is_merged(
    old: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with old.begin() as connection:
        connection.connection.driver_connection.execute(OLD.read_text(encoding="utf-8"))
    with caplog.at_level(logging.WARNING, "reengage.migrations"):
        db.migrate(old)
    db.migrate(old)
    (told,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("Ids have")]
    assert "5 were respelt, 3 rows turned out to be known ones, 2 contacts" in told

    def rows(statement: str) -> list[tuple[object, ...]]:
        with old.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    # Who bought under another spelling is the card's contact, with its phone, its arm and its
    # message; two cards of one source are two people, whatever they share.
    assert rows(
        "SELECT contact_id, merged_into, phone_e164, first_source_contact_id FROM core.contact"
        " ORDER BY 1"
    ) == [
        (1, None, "+12125550101", "K1"),
        (2, None, "+12125550102", "17850"),
        (3, None, "+12125550103", "P1"),
        (4, None, "+12125550104", "P2"),
        (5, 1, None, "a3@x.com"),
        (6, 2, "+12125550102", "K2"),
    ]
    assert rows(
        "SELECT source, source_contact_id, contact_id FROM core.contact_identity ORDER BY 1, 2"
    ) == [
        ("crm", "K1", 1),
        ("crm", "K2", 2),
        ("crm", "P1", 3),
        ("crm", "P2", 4),
        ("shop", "17850", 2),
        ("shop", "a3@x.com", 1),
        ("shop", "dup@x.com", 3),
    ]
    assert rows("SELECT contact_id FROM outbox.message") == [(5,)]
    assert rows("SELECT contact_id, arm FROM cohort.episode") == [(5, "control")]
    # An order that was told under two spellings is one: as it was told last.
    assert rows(
        "SELECT contact_id, source_event_id, amount, product_id FROM core.interaction ORDER BY 2"
    ) == [(1, "1001", 6, "12"), (2, "1002", 7, None)]
    assert rows(
        "SELECT last_signal_on, purchases, updated_load_id FROM core.contact_activity"
        " WHERE contact_id IN (1, 2) ORDER BY contact_id"
    ) == [(date(2026, 5, 19), 1, 5), (date(2026, 5, 18), 1, 5)]
    assert rows("SELECT order_ref FROM outbox.coupon") == [("shop:1001",)]
    assert rows("SELECT source_product_id, name FROM core.product") == [("12", "Mug")]
    assert rows(
        "SELECT record_key, source_contact_id, status FROM raw.interaction ORDER BY load_id, 1"
    ) == [
        ("1001", "a3@x.com", "superseded"),
        ("1002", "17850", "loaded"),
        ("1001", "a3@x.com", "loaded"),
    ]
    assert rows("SELECT shop_account_id FROM raw.contact ORDER BY record_key") == [
        ("a3@x.com",),
        ("17850",),
        ("dup@x.com",),
        ("dup@x.com",),
    ]
    # A withdrawal stays one, though the other spelling says that there was none.
    assert rows("SELECT record_key, status FROM raw.consent ORDER BY load_id") == [
        ("shop/a3@x.com/sms/marketing/T", "superseded"),
        ("shop/a3@x.com/sms/marketing/T", "loaded"),
        ("shop/17850/sms/marketing/T", "loaded"),
    ]
    assert rows("SELECT count(DISTINCT record_key), count(withdrawn_at) FROM core.consent") == [
        (3, 1)
    ]
    assert rows("SELECT record_key FROM core.consent WHERE contact_id = 2") == [
        ("shop/17850/sms/marketing/T",)
    ]


LEFT = """
    INSERT INTO raw.interaction (
        load_id, file_id, line, source, record_key, record_hash, dated_on, status, record,
        contact_source, source_contact_id, kind, occurred_at, amount, coupon_code
    )
    VALUES
    (2, 2, 4, 'shop', '1003', '', '2026-05-18', 'loaded', '{}', 'shop', 'Dup@X.com', 'purchase',
     '2026-05-18', 8, NULL),
    (2, 2, 5, 'shop', '1004', '', '2026-05-17', 'superseded', '{}', 'shop', '17850.0', 'purchase',
     '2026-05-17', 9, 'CODE-1'),
    (3, 3, 6, 'shop', '1004', '', '2026-06-01', 'waiting', '{}', 'shop', '17850.0', 'purchase',
     '2026-06-01', -9, 'CODE-1'),
    (2, 2, 7, 'shop', '1005', '', '2026-05-16', 'loaded', '{}', 'shop', '17850.0', 'purchase',
     '2026-05-16', 5, 'CODE-2'),
    (2, 2, 8, 'shop', '1006', '', '2026-05-18', 'loaded', '{}', 'shop', '17850.0', 'purchase',
     '2026-05-18', -5, NULL);
    INSERT INTO core.interaction (
        contact_id, source, source_event_id, kind, occurred_at, occurred_on, amount, coupon_code,
        loaded_at, load_id
    )
    VALUES
    (4, 'shop', '1003', 'purchase', '2026-05-18', '2026-05-18', 8, NULL, '2026-05-19', 2),
    (2, 'shop', '1005', 'purchase', '2026-05-16', '2026-05-16', 5, 'CODE-2', '2026-05-19', 2),
    (2, 'shop', '1006', 'purchase', '2026-05-18', '2026-05-18', -5, NULL, '2026-05-19', 2);
    INSERT INTO raw.consent (
        load_id, file_id, line, source, record_key, record_hash, dated_on, status, record,
        contact_source, source_contact_id, channel, purpose, withdrawn_at
    )
    VALUES (4, 4, 9, 'consents', 'shop/Dup@X.com/sms/marketing/T', '', '2026-05-01', 'loaded', '{}',
        'shop', 'Dup@X.com', 'sms', 'marketing', '2026-05-01');
    INSERT INTO core.consent (
        contact_id, source, record_key, channel, purpose, withdrawn_at, effective_at, load_id
    )
    VALUES
    (4, 'consents', 'shop/Dup@X.com/sms/marketing/T', 'sms', 'marketing', '2026-05-01',
     '2026-05-01', 4),
    (3, 'page', 'said', 'sms', 'marketing', '2026-04-01', '2026-04-01', 1);
    INSERT INTO outbox.coupon (
        code, message_id, contact_id, kind, value, expires_at, redeemed_at, order_ref
    )
    VALUES
    ('CODE-1', '00000000-0000-4000-8000-000000000002', 2, 'percent', 15, '2026-06-01', NULL, NULL),
    ('CODE-2', '00000000-0000-4000-8000-000000000003', 2, 'percent', 15, '2026-06-01',
     '2026-05-16', 'shop:1005');
"""


def test_what_earlier_upgrades_left_is_mended(
    old: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def rows(statement: str) -> list[tuple[object, ...]]:
        with old.begin() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    with old.begin() as connection:
        connection.connection.driver_connection.execute(OLD.read_text(encoding="utf-8"))
        connection.connection.driver_connection.execute(LEFT)
    db.migrate(old, "0028")
    # Loads since: the cards have said whom they share an id with, and who looked again at refunds.
    rows(
        "INSERT INTO core.card_id (source, source_contact_id, id_source, id, load_id)"
        " VALUES ('crm', 'P2', 'shop', 'dup@x.com', 1)"
    )
    events = "SELECT source_event_id, contact_id, kind::text FROM core.interaction ORDER BY 1"
    assert rows(events) == [
        ("1001", 1, "purchase"),
        ("1002", 2, "purchase"),
        ("1003", 4, "purchase"),
        ("1005", 2, "refund"),
        ("1006", 2, "refund"),
    ]
    with caplog.at_level(logging.WARNING, "reengage.migrations"):
        caplog.clear()
        db.migrate(old)
    assert rows(events) == [
        ("1001", 1, "purchase"),
        ("1002", 2, "purchase"),
        ("1003", 3, "purchase"),
        ("1004", 2, "purchase"),
        ("1005", 2, "refund"),
        ("1006", 2, "refund"),
    ]
    # Who shares the id is not quiet, and is held.
    assert rows(
        "SELECT contact_id, last_purchase_on, purchases FROM core.contact_activity"
        " WHERE contact_id IN (2, 3, 4) ORDER BY 1"
    ) == [(2, date(2026, 5, 18), 2), (3, date(2026, 5, 18), 1), (4, date(2026, 5, 18), 0)]
    assert rows(
        "SELECT contact_id, source FROM core.withdrawal"
        " WHERE contact_id IN (3, 4) ORDER BY source, contact_id"
    ) == [(3, "consents"), (3, "page"), (4, "page")]
    assert rows("SELECT code, order_ref FROM outbox.coupon ORDER BY 1") == [
        ("C1", "shop:1001"),
        ("CODE-1", "shop:1004"),
        ("CODE-2", None),
    ]
    assert rows(
        "SELECT raw.refunded_key(record_key), status::text FROM raw.interaction"
        " WHERE record_key LIKE '1004%' ORDER BY load_id"
    ) == [(None, "loaded"), ("1004", "waiting")]
    told = [record.getMessage() for record in caplog.records]
    assert [line.split(" ", 1)[0] for line in told] == ["1"] * 5


def test_refusals_of_before_are_heard(old: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    with old.begin() as connection:
        connection.connection.driver_connection.execute("""
            INSERT INTO raw.load (source, entity, as_of, status, started_at)
            VALUES ('consents', 'consent', '2026-05-21', 'loaded', '2026-05-22');
            INSERT INTO core.contact_identity (
                contact_id, source, source_contact_id, original_contact_id, load_id
            )
            SELECT n, 'crm', 'K' || n, n, 1 FROM generate_series(1, 3) AS n;
            INSERT INTO raw.consent (
                load_id, file_id, line, source, record_key, record_hash, status, record,
                contact_source, source_contact_id, channel, purpose, granted_at
            )
            SELECT 1, 1, n, 'consents', 'crm/K' || n || '/sms/marketing/', '', 'excluded', '{}',
                'crm', 'K' || n, 'sms', 'marketing', date '2026-05-18' + n
            FROM generate_series(1, 3) AS n;
            INSERT INTO core.consent (
                contact_id, source, record_key, channel, purpose, granted_at, withdrawn_at,
                effective_at, load_id
            )
            VALUES
            (1, 'consents', 'a', 'sms', 'marketing', '2025-06-01', NULL, '2025-06-01', 1),
            (2, 'consents', 'b', 'sms', 'marketing', '2026-06-01', NULL, '2026-06-01', 1),
            (3, 'consents', 'c', 'sms', 'marketing', '2025-06-01', '2026-01-01', '2025-06-01', 1);
        """)
    with caplog.at_level(logging.WARNING, "reengage.migrations"):
        db.migrate(old)
    with old.connect() as connection:
        heard = connection.execute(
            sa.text(
                "SELECT contact_id, withdrawn_at, effective_at, granted_at FROM core.consent"
                " WHERE granted_at IS NULL"
            )
        ).all()
    at = datetime(2026, 5, 19, tzinfo=UTC)
    assert [tuple(row) for row in heard] == [(1, at, at, None)]
    assert "1 consents were withdrawn by a status" in caplog.text
