"""A contact's story, the waterfall, and the command that tells them."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from world import START, Load, World, small_policy

from reengage import cli
from reengage.errors import ReengageError
from reengage.journey import cohort
from reengage.marketer import story
from reengage.phones.hashes import phone_hash
from reengage.settings import secret

D = START + timedelta(days=20)  # the day that decides the survey of who bought on Q
Q = D - timedelta(days=3)
LONG_AGO = datetime(1997, 6, 1, tzinfo=UTC)
ZONE = "America/New_York"


def told(world: World, contact_id: int = 1, as_of: date | None = None) -> str:
    with world.engine.connect() as connection:
        return "\n".join(story.tell(connection, world.policy, str(contact_id), as_of))


def stands(world: World, contact_id: int = 1, as_of: date | None = None) -> str:
    with world.engine.connect() as connection:
        return story.standing(connection, world.policy, contact_id, as_of)


def in_order(text: str, *parts: str) -> None:
    """The parts occur in the text, one after the other."""
    place = 0
    for part in parts:
        found = text.find(part, place)
        assert found >= 0, f"{part!r} is not in, or is before what it should follow:\n{text}"
        place = found + len(part)


def world_of(warehouse: sa.Engine, **changes: Any) -> World:
    """Contact 1 with a phone, a consent and a purchase on Q; contact 2 without a consent."""
    world = World(warehouse, small_policy(**changes))

    def fill(load: Load) -> None:
        load.contact(1, 1, date(1997, 5, 4))
        load.consent(1, LONG_AGO)
        load.interaction(1, Q - timedelta(days=9))
        load.interaction(1, Q)
        load.contact(2, 2)
        load.interaction(2, Q)

    world.load(D, fill)
    return world


@pytest.fixture
def world(warehouse: sa.Engine) -> World:
    return world_of(warehouse)


# --- the story ---------------------------------------------------------------------------------


def test_a_whole_story_is_told_in_the_order_of_time(world: World) -> None:
    world.decide(D)
    key = (1, Q, "survey")
    sent = world.at(D, 10.1)
    world.fate(key, "accepted", sent)
    world.sql(
        "UPDATE outbox.message SET status = 'delivered', provider = 'infobip', status_at = :at"
        " WHERE contact_id = 1",
        at=sent + timedelta(minutes=1),
    )
    world.sql(
        "INSERT INTO outbox.receipt (provider, message_id, status, raw_code,"
        " occurred_at, received_at) SELECT 'infobip', message_id::text, 'delivered', '5',"
        " :at, :at FROM outbox.message",
        at=sent + timedelta(minutes=2),
    )
    world.hit(key, sent + timedelta(hours=1), "machine")
    world.hit(key, sent + timedelta(hours=2))
    world.sql(
        "INSERT INTO outbox.reply (provider, provider_reply_id, phone_hash, text, meaning,"
        " received_at) SELECT 'infobip', 'r1', phone_hash, 'Stop now!', 'stop', :at"
        " FROM core.contact WHERE contact_id = 1",
        at=sent + timedelta(hours=3),
    )
    world.stop(1, sent + timedelta(hours=3, minutes=1))
    world.load(D + timedelta(days=2), lambda load: load.interaction(1, D + timedelta(days=2)))
    world.write(D + timedelta(days=2))
    world.start_again(1, sent + timedelta(days=9))
    text = told(world)
    in_order(
        text,
        "Contact 1 (crm 1), by the clock of America/New_York",
        "4 May 1997            Registered",
        "31 May 1997, 20:00    Agreed to marketing by SMS",
        "18 Jan 1998, 12:00    Bought something",
        "7.00 USD, from shop",
        "First named in the data of crm",
        "22 Jan 1998, 10:00    Quiet since 18 Jan 1998: the journey begins",
        "22 Jan 1998, 10:00    Due for the survey on 21 Jan 1998: chosen to be texted",
        "3 days quiet. Nothing stood in the way",
        "22 Jan 1998, 10:06    Text of the survey: handed to infobip",
        "22 Jan 1998, 10:07    Text of the survey: delivered",
        "infobip reported on the survey: delivered",
        "22 Jan 1998, 11:06    The link of the survey was fetched by a machine",
        "22 Jan 1998, 12:06    Clicked the link of the survey",
        "22 Jan 1998, 13:06    Asked by text not to be texted again",
        "22 Jan 1998, 13:07    On the do-not-contact list: said stop",
        "23 Jan 1998, 12:00    Bought something",
        "The quiet spell ended: said stop",
        "31 Jan 1998, 10:06    Off the do-not-contact list again",
        "closed as “said stop” on 23 Jan 1998, after being quiet since 18 Jan 1998.",
    )
    # Of what came before the quiet spell, only the last.
    assert text.count("Bought something") == 2
    assert "Stop now!" not in text


def test_a_fetch_is_theirs_whose_hand_was_on_the_page_right_after(world: World) -> None:
    world.decide(D)
    key = (1, Q, "survey")
    world.fate(key, "accepted", world.at(D, 10))
    for hour in (12, 15):
        world.hit(key, world.at(D, hour), "unsure")
    world.hit(key, world.at(D, 15.01))
    world.sql(
        "UPDATE outbox.hit SET kind = 'beacon' WHERE hit_id = (SELECT max(hit_id) FROM outbox.hit)"
    )
    world.hit(key, world.at(D, 15.02), "unsure")
    world.sql(
        "UPDATE outbox.hit SET user_agent = 'Another'"
        " WHERE hit_id = (SELECT max(hit_id) FROM outbox.hit)"
    )
    found = [line.strip() for line in told(world).splitlines() if "the survey" in line]
    assert [line[13:] for line in found if line.startswith("22 Jan 1998, 1")][-4:] == [
        "12:00    The link of the survey was fetched, nobody knows by whom",
        "15:00    Clicked the link of the survey",
        "15:00    Touched the page of the survey",
        "15:01    The link of the survey was fetched, nobody knows by whom",
    ]


def test_nothing_personal_is_in_the_view(world: World) -> None:
    world.sql(
        "UPDATE core.contact SET last_name = 'Lovelace', email = 'ada@shop.example',"
        " phone_e164 = '+12125550199'"
    )
    world.decide(D)
    world.fate((1, Q, "survey"), "accepted", world.at(D, 10))
    hidden = world.sql(
        "SELECT body, phone_hash, l.code FROM outbox.message m JOIN outbox.link l"
        " USING (message_id)"
    )[0]
    rows = world.sql("SELECT v::text FROM cohort.contact_story AS v WHERE contact_id = 1")
    text = "\n".join(row[0] for row in rows)
    assert "Text of the survey" in text
    for personal in ("Lovelace", "Ada", "ada@", "+1212", *hidden):
        assert personal not in text


def test_as_of_ends_the_story_and_says_where_they_stood(world: World) -> None:
    world.decide(D)
    world.fate((1, Q, "survey"), "delivered", world.at(D, 10))
    world.load(D + timedelta(days=2), lambda load: load.interaction(1, D + timedelta(days=2)))
    world.write(D + timedelta(days=2))
    before = told(world, as_of=D - timedelta(days=1))
    assert "Due for" not in before
    assert "On 20 Jan 1998: not quiet. The last sign of life was on 18 Jan 1998." in before
    then = told(world, as_of=D)
    # What was sent for the day belongs to it, though it went out the next morning.
    in_order(
        then, "chosen to be texted", "Text of the survey: handed to the provider", "On 21 Jan 1998:"
    )
    assert "quiet since 18 Jan 1998; written to on 22 Jan 1998 (survey, delivered)." in then
    assert "ended" not in then
    assert "Next" not in then
    world.decide(D + timedelta(days=2))
    assert "written to on 22 Jan 1998 (survey)." in told(world, as_of=D)


def test_a_clock_and_a_pace_of_their_own_are_told(world: World) -> None:
    world.decide(D)
    world.sql("UPDATE cohort.episode SET behaviour = 'visits', pace = 0.5")
    assert "clock “visits”. At their own pace: the policy's days times 0.5." in told(world)


def test_a_merge_is_told(world: World) -> None:
    world.decide(D)
    world.sql("UPDATE core.contact_identity SET contact_id = 1 WHERE contact_id = 2")
    world.sql("UPDATE core.contact SET merged_into = 1 WHERE contact_id = 2")
    assert "the same person, this was contact 2" in " ".join(told(world).split())
    assert stands(world, 2).endswith("make why CONTACT=1.")


def test_answers_and_entries_are_told_in_words(world: World) -> None:
    world.decide(D)
    answered, entered = world.at(D, 12), world.at(D, 13)
    world.sql(
        "INSERT INTO outbox.survey SELECT contact_id, message_id, step,"
        " :answers, 'p1', :at, :at, :words FROM outbox.message",
        at=answered,
        answers=json.dumps(
            {"reason": "prices", "wish": "My SECRET", "old": "nothing_needed", "note": "So, well"}
        ),
        words=json.dumps(
            {
                "reason": {
                    "place": 1,
                    "question": "What has kept you away?",
                    "answer": "The prices",
                },
                "wish": {"place": 2, "question": "What should we do better?"},
            }
        ),
    )
    world.sql(
        "INSERT INTO outbox.contest (contest, seed, commitment, seen_at)"
        " VALUES ('welcome_back', 'HUSH', 'h', :at)",
        at=answered,
    )
    world.sql(
        "INSERT INTO outbox.contest_entry SELECT contact_id, 'welcome_back', 'h1', message_id,"
        """ 'TICK-ET', '{"age": 18, "closes_on": "1998-03-31"}', :at FROM outbox.message""",
        at=entered,
    )
    text = " ".join(told(world).split())
    in_order(
        text,
        "22 Jan 1998, 12:00 Answered the questions of the survey",
        "What has kept you away? “The prices” What should we do better? In their own words.",
        "old “nothing_needed”",  # from before the words were kept
        "22 Jan 1998, 13:00 Entered the contest “welcome back”",
        "Confirmed to be 18 or older. Entries are taken until 31 Mar 1998.",
    )
    for hidden in ("SECRET", "So, well", "TICK", "HUSH"):
        assert hidden not in text
    world.sql("UPDATE outbox.contest SET drawn_at = :at, winners = 1, entries = 7", at=entered)
    for place, what in ((None, ""), (1, "they won"), (2, "they did not win")):
        world.sql("UPDATE outbox.contest_entry SET place = :place", place=place)
        assert ("was drawn" in told(world)) == bool(what) and what in told(world)
    world.sql("UPDATE outbox.survey SET changed_at = :at", at=entered)
    in_order(told(world), "Answered the questions", "Changed their answers", "kept you away")


def test_a_coupon_is_told_without_its_code(world: World) -> None:
    world.decide(D)
    world.sql(
        "INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value, expires_at,"
        " redeemed_at, order_ref) SELECT 'SAVE-ME', message_id, 1, 'percent', 15.0, :at, :at, 'o7'"
        " FROM outbox.message",
        at=world.at(D, 30),
    )
    text = told(world)
    in_order(
        text,
        "A coupon was made for the text of the survey",
        "15 percent off.",
        "Used the coupon",
        "o7",
    )
    assert "SAVE-ME" not in text


def test_a_stop_of_the_number_by_somebody_else_is_told_once(world: World) -> None:
    for owner in (0, 2):
        world.sql(
            "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)"
            " SELECT :owner, phone_hash, 'sms', 'opted_out', 'reply', :at FROM core.contact"
            " WHERE contact_id = 1",
            owner=owner,
            at=world.at(D, 0),
        )
    assert "Their number is on the do-not-contact list: said stop" in told(world)
    world.stop(1, world.at(D, 0))
    text = told(world)
    assert text.count("do-not-contact list: said stop") == 1
    assert "Their number" not in text


def test_a_stopped_day_is_told_to_whom_it_held_back_alone(world: World) -> None:
    with world.engine.begin() as connection:
        clock = world.clock
        clock.move_to(world.at(D, 10))
        cohort.decide_in(connection, world.policy, D, clock, "http://127.0.0.1:1/r")
        cohort.stop(connection, world.policy, D, "size", clock())
    world.sql(
        "INSERT INTO cohort.gate (as_of, gate, is_open, said, judged_at)"
        " VALUES (:day, 'size', FALSE, '1 is 4 times the usual 0.25.', :at),"
        " (:day, 'budget', TRUE, 'Within it.', :at)",
        day=D,
        at=world.at(D, 10.2),
    )
    text = told(world)
    in_order(
        text,
        "Due for the survey on 21 Jan 1998: far more than usual",
        "Text of the survey: called off",
        "The texts of 21 Jan 1998 were stopped: far more than usual",
        "1 is 4 times the usual 0.25.",
        "held back from the survey on 21 Jan 1998.",
        "Next step: survey on 22 Jan 1998",
    )
    assert "Within it." not in text
    other = told(world, 2)
    assert "Due for the survey on 21 Jan 1998: no consent" in other
    assert "stopped" not in other


# --- where they stand --------------------------------------------------------------------------


def test_no_day_was_decided(world: World) -> None:
    assert stands(world) == "No day has been decided yet."


def test_quiet_and_written_to(world: World) -> None:
    world.decide(D)
    assert stands(world) == (
        "After 21 Jan 1998: quiet since 18 Jan 1998; chosen for the survey on 21 Jan 1998; the "
        "text has not gone out (waiting). Next step: contest on 24 Jan 1998, unless they come "
        "back."
    )
    world.fate((1, Q, "survey"), "delivered", world.at(D, 10))
    assert "written to on 22 Jan 1998 (survey, delivered). Next step: contest" in stands(world)


def test_quiet_and_held_back(world: World) -> None:
    world.decide(D)
    assert stands(world, 2) == (
        "After 21 Jan 1998: quiet since 18 Jan 1998; held back from the survey on 21 Jan 1998. "
        "They never agreed to marketing by text, or it was taken back: by them, or by somebody who "
        "has the same number or card. Next step: contest on "
        "24 Jan 1998, unless they come back."
    )


def test_quiet_and_opened(world: World) -> None:
    world.decide(D)
    key = (1, Q, "survey")
    world.fate(key, "delivered", world.at(D, 10))
    world.hit(key, world.at(D, 12))
    world.write(D)
    assert "They clicked it, so nothing more is sent" in stands(world)
    assert "closed on 24 Jan 1998" in stands(world)


def test_no_step_is_left(world: World) -> None:
    for days in (0, 3, 6):
        world.decide(D + timedelta(days=days))
    # The last hold was on D + 6, and three days are waited.
    assert "No step is left" in stands(world, 2)
    assert "closed on 30 Jan 1998" in stands(world, 2)
    with world.engine.connect() as connection:
        last = connection.execute(sa.text("SELECT max(as_of) FROM cohort.decision")).scalar_one()
    assert last == D + timedelta(days=6)
    world.load(D + timedelta(days=9))
    world.decide(D + timedelta(days=9))
    world.write(D + timedelta(days=9))
    assert "closed as “too few texts arrived” on 30 Jan 1998" in stands(world, 2)


def test_not_quiet_and_barely_active(warehouse: sa.Engine) -> None:
    world = world_of(warehouse, ladder=(8, 12, 16), barely_active_after_days=3)
    world.decide(D)
    assert stands(world) == (
        "After 21 Jan 1998: not quiet, but barely active. The last sign of life was on "
        "18 Jan 1998. Without another, the survey is due on 26 Jan 1998."
    )
    world.policy = world.policy.model_copy(update={"barely_active_after_days": 4})
    assert "not quiet. The last" in stands(world)


def test_came_back(world: World) -> None:
    world.decide(D)
    on = D + timedelta(days=1)
    world.load(on, lambda load: load.interaction(1, on))
    world.decide(on)
    assert stands(world) == (
        "After 22 Jan 1998: closed as “came back” on 22 Jan 1998, after being quiet since "
        "18 Jan 1998. The last sign of life was on 22 Jan 1998. Without another, the survey is due "
        "on 25 Jan 1998."
    )


def test_on_the_list_and_forgotten(world: World) -> None:
    world.decide(D)
    world.stop(1, world.at(D, 11))
    assert "They are on the do-not-contact list (said stop), so no text" in stands(world)
    world.sql("UPDATE core.contact SET status = 'erased' WHERE contact_id = 1")
    assert stands(world).startswith("They asked to be forgotten")


# --- who ---------------------------------------------------------------------------------------


def test_a_contact_is_found_by_number_or_by_a_sources_id(world: World) -> None:
    world.sql("INSERT INTO core.contact_identity VALUES (1, 'shop', 'a:b', 1, 1)")
    with world.engine.connect() as connection:
        for name in ("1", " 1 ", "crm:1", "shop:a:b"):
            assert story.find(connection, world.policy, name) == [1]


NUMBER = "+12127360199"


@pytest.fixture
def phones(world: World) -> World:
    """Contact 1 and 2 have one number, and 1 an email; 3 had it and is 1; 4 has a French one."""
    key = secret("phones")
    world.sql(
        "UPDATE core.contact SET phone_hash = :hash, email = 'ada@shop.example'"
        " WHERE contact_id = 1",
        hash=phone_hash(NUMBER, key),
    )
    world.load(D, lambda load: [load.contact(number, number) for number in (3, 4)])
    for contact_id, number, merged in (
        (2, NUMBER, None),
        (3, NUMBER, 1),
        (4, "+33612345678", None),
    ):
        world.sql(
            "UPDATE core.contact SET phone_hash = :hash, merged_into = :merged"
            " WHERE contact_id = :id",
            hash=phone_hash(number, key),
            merged=merged,
            id=contact_id,
        )
    return world


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        (NUMBER, [1, 2]),
        ("(212) 736-0199", [1, 2]),
        ("2127360199", [1, 2]),
        ("1 212.736.0199", [1, 2]),
        ("0012127360199", [1, 2]),
        ("06 12 34 56 78", [4]),  # as it is written where they live
        ("+33 6 12 34 56 78", [4]),
        (" Ada@Shop.example ", [1]),
    ],
)
def test_a_contact_is_found_by_phone_or_email(phones: World, name: str, ids: list[int]) -> None:
    with phones.engine.connect() as connection:
        assert story.find(connection, phones.policy, name) == ids


def test_of_several_the_contacts_are_listed_and_no_number_is_told(
    phones: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert cli.main(["why", "--contact", NUMBER]) == 0
    said = capsys.readouterr().out
    assert "make why CONTACT=1 (crm 1)" in said and "make why CONTACT=2 (crm 2)" in said
    for unknown in ("+1 212 736 0100", "2127360100", "nobody@shop.example"):
        assert cli.main(["why", "--contact", unknown]) == 1
        told = capsys.readouterr()
        assert re.search("No contact has this (phone number|email address)", told.err)
        assert "736" not in told.err + told.out and "nobody@" not in told.err + told.out
    assert "736" not in said + caplog.text


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("99", "There is no contact 99."),
        ("9" * 30, "is none of them"),
        ("crm:99", "there is no such id in crm"),
        ("shop:99", "there is no source 'shop', only crm"),
        ("", "Say whom by our number"),
        ("Ada", "'Ada' is none of them"),
        ("ada@shop.example", "No contact has this email address."),
        ("+1 999", "'+1 999' is none of them"),
        ("crm:ada@shop.example", "Nobody is known as 'crm:<email>'"),
    ],
)
def test_an_unknown_contact_is_a_plain_error(world: World, name: str, says: str) -> None:
    with (
        world.engine.connect() as connection,
        pytest.raises(story.UnknownContact, match=re.escape(says)),
    ):
        story.tell(connection, world.policy, name)


def test_the_command_tells_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.decide(D)
    assert cli.main(["why", "--contact", "crm:1", "--as-of", str(D)]) == 0
    out, _ = capsys.readouterr()
    # A rehearsal says so before anything else, and whom the sources know them as.
    first = "Rehearsal: nobody is texted.\nContact 1 (crm 1), by the clock of America/New_York\n"
    assert out.startswith(first)
    assert "Due for the survey on 21 Jan 1998" in out
    assert cli.main(["why", "--contact", "crm:nobody"]) == 1
    assert "Nobody is known as 'crm:nobody'" in capsys.readouterr().err
    assert cli.main(["why", "--contact", "1", "--as-of", "soon"]) == 1
    assert issubclass(story.UnknownContact, ReengageError)


# --- words and plans ---------------------------------------------------------------------------


def test_every_value_of_an_enum_has_its_words(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        enums = connection.execute(sa.text("SELECT DISTINCT about FROM core.word")).scalars().all()
        assert "cohort.reason" in enums
        # An ending is a word of pages alone: of an outcome, why. So are these, of texts.
        for enum in set(enums) - {"outcome.ending", "core.suppression_source", "cohort.gate"}:
            known = connection.execute(
                sa.text("SELECT word FROM core.word WHERE about = :about"), {"about": enum}
            ).scalars()
            values = connection.execute(
                sa.text("SELECT enumlabel FROM pg_enum WHERE enumtypid = CAST(:about AS regtype)"),
                {"about": enum},
            ).scalars()
            assert set(known) == set(values), enum
        without = connection.execute(
            sa.text("SELECT word FROM core.word WHERE about = 'cohort.reason' AND sentence IS NULL")
        )
        assert without.scalars().all() == []


MANY = """
INSERT INTO raw.load (source, entity, as_of, status, started_at)
SELECT 'crm', 'contact', '1990-01-01'::date + n, 'loaded', '2026-01-01Z'
FROM generate_series(1, 3000) AS n;
INSERT INTO core.contact (
    contact_id, phone_e164, phone_hash, created_on, first_source, first_source_contact_id,
    first_seen_on
)
SELECT n, '+' || n, 'h' || n, '2025-01-05', 'crm', n::text, '2025-01-06'
FROM generate_series(1, 20000) AS n;
INSERT INTO core.contact_identity
SELECT n, 'crm', n::text, n, 1 + n % 3000 FROM generate_series(1, 20000) AS n;
INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, granted_at, effective_at, load_id
)
SELECT n, 'crm', n::text, 'sms', 'marketing', '2025-02-01Z', '2025-02-01Z', 1
FROM generate_series(1, 20000) AS n;
INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
SELECT n, 'h' || n, 'sms', 'opted_out', 'reply', '2025-03-01Z' FROM generate_series(1, 20000) AS n;
SELECT core.add_month('2025-03-01');
INSERT INTO core.interaction (
    contact_id, source, source_event_id, kind, occurred_at, occurred_on, loaded_at, load_id
)
SELECT n % 20000, 'shop', n::text, 'purchase', '2025-03-01Z', '2025-03-01', '2025-03-01Z', 1
FROM generate_series(1, 60000) AS n;
INSERT INTO outbox.survey
SELECT n, gen_random_uuid(), 'survey', '{}', 'p1', '2026-01-01Z', '2026-01-01Z'
FROM generate_series(1, 20000) AS n;
INSERT INTO outbox.contest_entry
SELECT n, 'welcome_back', 'h' || n, gen_random_uuid(), n::text, '{}', '2026-01-01Z'
FROM generate_series(1, 20000) AS n;
INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id)
SELECT '2020-01-01'::date + n, 'p1', '2026-01-01Z', 1 FROM generate_series(0, 1999) AS n;
INSERT INTO cohort.gate (as_of, gate, is_open, said, judged_at)
SELECT '2020-01-01'::date + n, 'size', TRUE, 'fine', '2026-01-01Z'
FROM generate_series(0, 1999) AS n;
INSERT INTO cohort.episode (contact_id, dormant_since, opened_on)
SELECT n, '2019-12-01', '2020-01-01' FROM generate_series(1, 20000) AS n;
INSERT INTO cohort.decision (
    as_of, contact_id, dormant_since, inactive_days, step, prior_sends, prior_opens, action, reason,
    policy_version
)
SELECT '2020-01-01'::date + n % 2000, n, '2019-12-01', 31, 'survey', 0, 0, 'send', 'due', 'p1'
FROM generate_series(1, 60000) AS n;
INSERT INTO outbox.message (
    contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, provider, encoding,
    segments, not_before, not_after, status, status_at, accepted_at
)
SELECT contact_id, gen_random_uuid(), dormant_since, step, 'sms', as_of, 'h' || contact_id,
    'infobip', 'GSM-7', 1, '2026-01-01Z', '2026-01-01Z', 'delivered', '2026-01-01Z', '2026-01-01Z'
FROM cohort.decision;
INSERT INTO outbox.receipt (
    provider, message_id, status, raw_code, occurred_at, received_at
)
SELECT 'infobip', message_id::text, 'delivered', '5', '2026-01-01Z', '2026-01-01Z'
FROM outbox.message;
INSERT INTO outbox.hit (code, contact_id, message_id, at, kind, method, user_agent, purpose)
SELECT 'c', contact_id, message_id, '2026-01-02Z', 'view', 'GET', 'Mozilla', '' FROM outbox.message;
INSERT INTO outbox.verdict (contact_id, hit_id, version, rule)
SELECT contact_id, hit_id, 2, 'no_sign' FROM outbox.hit;
INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value, expires_at)
SELECT message_id::text, message_id, contact_id, 'percent', 15, '2026-01-01Z' FROM outbox.message;
INSERT INTO outbox.reply (
    provider, provider_reply_id, phone_hash, text, meaning, received_at, reviewed_at
)
SELECT 'infobip', n::text, 'h' || n, 'stop', 'stop', '2026-01-01Z', '2026-01-01Z'
FROM generate_series(1, 20000) AS n;
INSERT INTO outcome.contact_outcome (
    contact_id, dormant_since, outcome, decided_on, steps_sent
)
SELECT n, '2019-12-01', 'active', '2020-02-01', 1 FROM generate_series(1, 20000) AS n;
"""


@pytest.fixture
def crowd(warehouse: sa.Engine) -> sa.Engine:
    """So many of everything that a plan which reads a whole table costs more than an index."""
    with warehouse.begin() as connection:
        for statement in MANY.split(";\n"):
            connection.execute(sa.text(statement))
    with warehouse.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return warehouse


def plan(warehouse: sa.Engine, query: str) -> str:
    with warehouse.connect() as connection:
        return "\n".join(connection.execute(sa.text(f"EXPLAIN {query}")).scalars())


def test_one_story_reads_no_whole_table(crowd: sa.Engine) -> None:
    text = plan(crowd, "SELECT * FROM cohort.contact_story WHERE contact_id = 77")
    assert set(re.findall(r"Seq Scan on (\w+)", text)) <= {"word", "contest"}, text


def test_one_days_waterfall_reads_that_day_and_the_one_before_by_index(crowd: sa.Engine) -> None:
    for view in ("waterfall", "waterfall_by_step"):
        text = plan(crowd, f"SELECT * FROM cohort.{view} WHERE as_of = '2024-05-05'")
        assert "decision_by_day" in text
        assert "message_by_day" in text
        assert "Seq Scan" not in text, text


# --- the waterfall -----------------------------------------------------------------------------


def waterfall(world: World, as_of: date) -> dict[str, tuple[int, int, int | None, int | None]]:
    return {
        row.stage: (row.contacts, row.left_over, row.previous_contacts, row.difference)
        for row in world.sql(
            "SELECT * FROM cohort.waterfall WHERE as_of = :day ORDER BY place", day=as_of
        )
    }


def test_the_waterfall_of_a_day(world: World) -> None:
    world.load(
        D, lambda load: (load.contact(3, 3), load.consent(3, LONG_AGO), load.interaction(3, Q))
    )
    world.decide(D)
    for contact, status in ((1, "delivered"), (3, "cancelled")):
        world.fate((contact, Q, "survey"), status, world.at(D, 10))
    found = waterfall(world, D)
    assert list(found)[:3] == ["dormant", "opened", "no_consent"]
    assert list(found)[-5:] == ["template", "due", "drafted", "sent", "delivered"]
    assert found["dormant"] == (3, 3, None, None)
    assert found["opened"] == (0, 3, None, None)
    assert found["no_consent"] == (1, 2, None, None)
    assert found["template"] == (0, 2, None, None)
    assert found["due"] == (2, 2, None, None)
    assert found["drafted"][0] == found["sent"][0] == found["delivered"][0] == 1


def test_the_difference_is_to_the_day_decided_before(world: World) -> None:
    world.decide(D)
    later = D + timedelta(days=3)  # a day was missed
    world.fate((1, Q, "survey"), "delivered", world.at(D, 10))
    world.decide(later)
    found = waterfall(world, later)
    assert found["dormant"] == (2, 2, 2, 0)
    assert found["sent"] == (0, 0, 1, -1)
    by_step = world.sql(
        "SELECT step, contacts, previous_contacts, previous_as_of FROM cohort.waterfall_by_step"
        " WHERE as_of = :day AND stage = 'dormant' ORDER BY step",
        day=later,
    )
    assert [tuple(row) for row in by_step] == [("contest", 2, 0, D), ("survey", 0, 2, D)]


def test_a_day_without_anybody_has_its_lines(world: World) -> None:
    early = D - timedelta(days=1)
    world.sql("UPDATE raw.load SET as_of = :day", day=early)
    world.decide(early)
    assert waterfall(world, early)["dormant"] == (0, 0, None, None)
    world.decide(D)
    assert waterfall(world, D)["dormant"] == (2, 2, 0, 2)


def test_a_stopped_day_has_nobody_due_and_nothing_drafted(world: World) -> None:
    world.clock.move_to(world.at(D, 10))
    cohort.decide(world.engine, world.policy, D, world.clock, "http://127.0.0.1:1/r")
    assert waterfall(world, D)["drafted"][0] == 1
    assert waterfall(world, D)["sent"][0] == 0
    with world.engine.begin() as connection:
        cohort.stop(connection, world.policy, D, "budget", world.clock())
    found = waterfall(world, D)
    assert found["budget"][:2] == (1, 0)
    assert found["due"][0] == found["drafted"][0] == 0


def test_all_days_agree_with_their_decisions(world: World) -> None:
    for days in range(8):
        world.decide(D + timedelta(days=days))
    rows = world.sql(
        "SELECT as_of, stage, contacts FROM cohort.waterfall"
        " WHERE contacts > 0 AND stage NOT IN ('dormant', 'drafted', 'sent', 'delivered')"
    )
    counted = world.sql("SELECT as_of, reason::text, count(*) FROM cohort.decision GROUP BY 1, 2")
    assert sorted(map(tuple, rows)) == sorted(map(tuple, counted))
    assert len(rows) > 3
