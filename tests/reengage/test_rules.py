"""Rules that several statements share: each is an object of the database, and what it comes to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

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
