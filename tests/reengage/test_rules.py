"""Rules that several statements share: each is an object of the database, and what it comes to."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reengage import db, objects
from reengage.settings import SQL

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE, AFTER = AT - timedelta(microseconds=1), AT + timedelta(microseconds=1)


def value(connection: Connection, expression: str, **binds: Any) -> Any:
    return connection.execute(sa.text(f"SELECT {expression}"), binds).scalar_one()


def run(connection: Connection, statement: str, **binds: Any) -> None:
    connection.execute(sa.text(statement), binds)


@pytest.mark.parametrize(
    ("began", "ended", "stands"),
    [
        (BEFORE, None, True),
        (AT, None, True),
        (AFTER, None, False),
        (BEFORE, AFTER, True),
        (BEFORE, AT, False),
        (BEFORE, BEFORE, False),
    ],
)
def test_what_stands_has_begun_and_not_ended(
    warehouse: sa.Engine, began: datetime, ended: datetime | None, stands: bool
) -> None:
    rule = "core.stands_at(:began, CAST(:ended AS timestamptz), :at)"
    with warehouse.connect() as connection:
        assert value(connection, rule, began=began, ended=ended, at=AT) is stands


@pytest.mark.parametrize(
    ("granted", "stopped", "has"),
    [
        (None, None, False),
        (None, AT, False),
        (AT, None, True),
        (AT, BEFORE, True),
        (AT, AT, False),
        (AT, AFTER, False),
    ],
)
def test_consent_is_a_grant_that_is_later_than_every_stop(
    warehouse: sa.Engine, granted: datetime | None, stopped: datetime | None, has: bool
) -> None:
    rule = "core.has_consent(CAST(:granted AS timestamptz), CAST(:stopped AS timestamptz))"
    with warehouse.connect() as connection:
        assert value(connection, rule, granted=granted, stopped=stopped) is has


def test_of_messages_it_is_known_which_went_out_and_which_still_may(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT CAST(status AS text), outbox.was_handed_over(status),"
                " outbox.may_go_out(status)"
                " FROM unnest(enum_range(CAST(NULL AS outbox.message_status))) AS status"
            )
        )
        found = {status: (was, may) for status, was, may in rows}
    out, waiting, never = (True, True), (False, True), (False, False)
    assert found == {
        "draft": waiting,
        "queued": waiting,
        "sending": out,
        "accepted": out,
        "unknown": out,
        "delivered": out,
        "undelivered": out,
        "expired": out,
        "rejected": never,
        "cancelled": never,
    }


def test_a_record_that_its_source_says_anew_is_what_it_says_last(warehouse: sa.Engine) -> None:
    said = [
        # source, record, granted, withdrawn: of one time each
        ("crm", "a", AT, None),
        ("crm", "a", None, AT),
        ("web", "a", AT, None),
        ("crm", "b", AFTER, None),
    ]
    with warehouse.connect() as connection:
        for source, record, granted, withdrawn in said:
            run(
                connection,
                "INSERT INTO core.consent (contact_id, source, record_key, channel, purpose,"
                " granted_at, withdrawn_at, effective_at, load_id) VALUES (1, :source, :record,"
                " 'sms', 'marketing', :granted, :withdrawn, :at, 1)",
                source=source,
                record=record,
                granted=granted,
                withdrawn=withdrawn,
                at=granted or withdrawn,
            )
        records = connection.execute(
            sa.text(
                "SELECT source, record_key, granted_at, withdrawn_at FROM core.consent_record"
                " WHERE contact_id = 1"
            )
        )
        assert sorted(map(tuple, records), key=str) == sorted(said[1:], key=str)
        ended = "(SELECT ended_at FROM core.withdrawal WHERE contact_id = 1)"
        assert value(connection, ended) == AFTER


def test_a_contact_is_suppressed_in_person_and_by_the_number_it_has_now(
    warehouse: sa.Engine,
) -> None:
    stops = [
        # contact, number, reason
        (1, "now", "opted_out"),
        (1, "before", "hard_bounce"),
        (2, "spelled otherwise", "complaint"),
        (0, "another's", "opted_out"),
        (3, None, "inactivity"),
    ]
    with warehouse.connect() as connection:
        for contact_id, phone_hash in ((1, "now"), (2, "alone"), (3, None)):
            run(
                connection,
                "INSERT INTO core.contact (contact_id, phone_hash, first_source,"
                " first_source_contact_id, first_seen_on) VALUES (:id, :hash, 'crm', :id, :on)",
                id=contact_id,
                hash=phone_hash,
                on=AT.date(),
            )
        run(connection, "INSERT INTO core.phone_alias VALUES ('now', 'spelled otherwise')")
        for contact_id, phone_hash, reason in stops:
            run(
                connection,
                "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source,"
                " since) VALUES (:id, :hash, 'sms', CAST(:reason AS core.suppression_reason),"
                " 'import', :at)",
                id=contact_id,
                hash=phone_hash,
                reason=reason,
                at=AT,
            )
        held = "SELECT DISTINCT contact_id, CAST(reason AS text) FROM core.contact_suppression"
        assert {tuple(row) for row in connection.execute(sa.text(held))} == {
            (1, "opted_out"),
            (1, "complaint"),
            (2, "complaint"),
            (3, "inactivity"),
        }
        run(connection, "UPDATE core.suppression SET lifted_at = :at", at=AFTER)
        assert connection.execute(sa.text(held)).all() == []


def test_an_unclear_reply_is_unread_until_a_person_has_read_it(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        for number, (meaning, read_at) in enumerate(
            [("unclear", None), ("unclear", AT), ("stop", None), ("start", None)]
        ):
            run(
                connection,
                "INSERT INTO outbox.reply (provider, provider_reply_id, phone_hash, text, meaning,"
                " received_at, reviewed_at) VALUES ('infobip', :hash, :hash, 'ok',"
                " CAST(:meaning AS outbox.reply_meaning), :at, :read_at)",
                hash=str(number),
                meaning=meaning,
                at=BEFORE,
                read_at=read_at,
            )
        unread = connection.execute(sa.text("SELECT phone_hash FROM outbox.unread_reply"))
        assert unread.scalars().all() == ["0"]


WAITS = {
    "unread_reply",
    "gap",
    "daily_cap",
    "warm_up",
    "budget",
    "size",
    "unsubscribes",
    "approval",
    "stock",
    "template",
}
FINAL = {
    "opened",
    "no_consent",
    "consent_expired",
    "suppressed",
    "no_phone",
    "not_mobile",
    "repeat",
    "duplicate_phone",
    "control",
    "due",
}


def test_every_reason_passes_by_waiting_or_is_final(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT CAST(reason AS text), cohort.passes_by_waiting(reason)"
                " FROM unnest(enum_range(CAST(NULL AS cohort.reason))) AS reason"
            )
        )
        assert dict(map(tuple, rows)) == dict.fromkeys(WAITS, True) | dict.fromkeys(FINAL, False)


def test_a_person_is_a_contact_and_those_that_were_merged_into_it(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        for contact_id, merged_into in ((1, None), (2, 1), (3, None), (4, 1)):
            run(
                connection,
                "INSERT INTO core.contact (contact_id, merged_into, first_source,"
                " first_source_contact_id, first_seen_on) VALUES (:id, :into, 'crm', :id, :on)",
                id=contact_id,
                into=merged_into,
                on=AT.date(),
            )
        theirs = "SELECT contact_id FROM core.person_contact WHERE person_id = 1 ORDER BY 1"
        assert connection.execute(sa.text(theirs)).scalars().all() == [1, 2, 4]
        who = "SELECT core.person(contact_id, merged_into) FROM core.contact ORDER BY contact_id"
        assert connection.execute(sa.text(who)).scalars().all() == [1, 1, 3, 1]


# What a rule looks like where it is written out, and the object that stands for it. The audit keeps
# a copy of its own, to find what the objects do wrong; so does the bare SQL of the benchmarks.
WRITTEN_OUT = {
    r"IN \('purchase', 'loyalty'\)": "core.is_order",
    r"coalesce\((\w+\.)?merged_into, ": "core.person",
    r"consent_id > \w+\.consent_id": "core.consent_record",
    r"AND (\w+\.)?scope = 'person'": "core.suppressed_person",
    r"'sending', 'accepted', 'delivered', 'undelivered'": "outbox.was_handed_over",
    r"NOT IN \('(rejected', 'cancelled|cancelled', 'rejected)'\)": "outbox.may_go_out",
    r"accepted_at IS NOT NULL": "outbox.went_out",
    r"is_final = FALSE": "cohort.passes_by_waiting",
    r"round\((\w+\.)?days \* ": "cohort.rung_days",
}


def test_a_rule_stands_once() -> None:
    texts = {
        name: " ".join(" ".join(db.split((SQL / f"{name}.sql").read_text("utf-8"))).split())
        for name in db.names()
        if not name.startswith(("maintenance/", "bench/"))
    }
    for made in objects.in_order():
        texts[made.name] = " ".join(" ".join(db.split(made.text)).split())
    twice = {
        name: rule
        for written_out, rule in WRITTEN_OUT.items()
        for name, text in texts.items()
        if re.search(written_out, text) and name != rule
    }
    assert twice == {}
