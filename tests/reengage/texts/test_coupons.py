"""Coupons: their codes and windows, the pools, and who used them."""

import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from babel import Locale
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sources import Feed
from world import LINKS, START, Load, World, small_policy

from depth import examples
from reengage import cli, db, errors
from reengage.errors import ConfigurationError, SourceError
from reengage.journey import cohort, preview
from reengage.policy import CouponOffer, Policy, Step, read_policy
from reengage.settings import SQL
from reengage.texts import coupons, drafts, messages, uploads
from reengage.texts.coupons import Coupon, is_coupon, issue_for, new_coupon

NOW = datetime(2026, 11, 2, 15, tzinfo=UTC)
DAY = START + timedelta(days=40)
NEXT = DAY + timedelta(days=1)
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy()


def offer(**said: Any) -> CouponOffer:
    return CouponOffer.model_validate({"kind": "percent", "value": 15, **said})


def policy_with(*, incentive: CouponOffer | None = None, second: int = 60, **said: Any) -> Policy:
    """A ladder of two steps with a coupon: after 3 days of quiet, and after `second`."""
    coupon = offer(**said) if said else None
    steps = tuple(
        Step(
            name=name,
            after_days=days,
            landing=name,
            coupon=coupon,
            incentive=incentive,
            template="coupon.txt" if coupon else "survey.txt",
        )
        for name, days in (("coupon", 3), ("gift", second))
    )
    return small_policy(ladder={"coupon": 3}).model_copy(update={"steps": steps})


def pool_policy(**said: Any) -> Policy:
    return policy_with(**{"pool": "spring", "valid_days": 30, **said})


def quiet(world: World, people: Iterable[int], days: int = 3) -> None:
    """Contacts who consented and bought last so many days before DAY."""

    def fill(load: Load) -> None:
        for contact_id in people:
            load.contact(contact_id, contact_id)
            load.consent(contact_id, LONG_AGO)
            load.interaction(contact_id, DAY - timedelta(days=days))

    world.load(DAY, fill)


def add(world: World, *codes: str, pool: str = "spring") -> None:
    world.sql(
        "INSERT INTO outbox.pool_code (code_key, pool, code, added_at)"
        " SELECT outbox.code_key(code), :pool, code, :at"
        " FROM unnest(CAST(:codes AS text[])) AS code",
        pool=pool,
        codes=list(codes),
        at=world.clock(),
    )


def given_out(world: World) -> dict[int, str]:
    """The code of each contact's coupon, which its text says too."""
    rows = world.sql(
        "SELECT contact_id, code, body FROM outbox.coupon JOIN outbox.message"
        " USING (contact_id, message_id) WHERE role = 'coupon'"
    )
    assert all(f" {row.code} " in row.body for row in rows)
    return {row.contact_id: row.code for row in rows}


def reasons(world: World, as_of: date = DAY) -> dict[int, str]:
    rows = world.sql(
        "SELECT contact_id, CAST(reason AS text) AS reason, is_final FROM cohort.decision"
        " WHERE as_of = :as_of",
        as_of=as_of,
    )
    assert not any(row.is_final for row in rows if row.reason in ("stock", "template"))
    return {row.contact_id: row.reason for row in rows}


# --- codes and what they are worth ----------------------------------------------------------------


def test_a_coupon_is_good_through_the_brands_last_day(policy: Policy) -> None:
    late = datetime(2026, 11, 2, 4, 30, tzinfo=UTC)  # still 1 November in New York
    mine = Coupon.issue(offer(valid_days=30), policy, late)
    assert mine.last_day(policy.brand.zone) == date(2026, 12, 1)
    assert mine.expires_at == datetime(2026, 12, 2, 5, tzinfo=UTC)
    assert mine.starts_at is mine.first_day(policy.brand.zone) is mine.minimum is None


def test_a_coupon_of_hours_is_good_for_these(policy: Policy) -> None:
    assert Coupon.issue(offer(valid_hours=6), policy, NOW).expires_at == NOW + timedelta(hours=6)


def test_a_coupon_of_a_sale_begins_and_ends_with_it(policy: Policy) -> None:
    sale = {"from": "2026-11-27 00:00", "to": "2026-11-30 12:00"}
    mine = Coupon.issue(offer(sale=sale, minimum=40), policy, NOW)
    assert mine.starts_at == datetime(2026, 11, 27, 5, tzinfo=UTC)
    assert mine.expires_at == datetime(2026, 11, 30, 17, tzinfo=UTC)
    assert mine.starts_at.tzinfo is mine.expires_at.tzinfo is UTC
    assert mine.first_day(policy.brand.zone) == date(2026, 11, 27)
    assert mine.last_day(policy.brand.zone) == date(2026, 11, 30)
    assert mine.least_order("USD", Locale.parse("en_US")) == "$40"


@pytest.mark.parametrize(
    ("kind", "value", "currency", "locale", "expected"),
    [
        ("percent", 15.0, "USD", "en_US", "15%"),
        ("percent", 12.5, "USD", "en_US", "12.5%"),
        ("percent", 15.0, "EUR", "fr_FR", "15 %"),
        ("value", 10.0, "USD", "en_US", "$10"),
        ("value", 7.5, "USD", "en_US", "$7.50"),
        ("value", 10.0, "EUR", "it_IT", "10 €"),
    ],
)
def test_a_coupons_worth_is_written_as_the_locale_does(
    policy: Policy, kind: str, value: float, currency: str, locale: str, expected: str
) -> None:
    made = Coupon.issue(offer(kind=kind, value=value, valid_days=3), policy, NOW)
    assert made.worth(currency, Locale.parse(locale)) == expected


def test_a_coupon_code_notices_one_wrong_character_and_exchanged_neighbours() -> None:
    alphabet = "23456789BCDFGHJKMNPQRSTVWXYZ"
    for _ in range(20):
        code = new_coupon()
        assert re.fullmatch(rf"[{alphabet}]{{5}}-[{alphabet}]{{5}}", code)
        assert is_coupon(code)
        assert is_coupon(f" {code.lower().replace('-', '')} ")
        for place, right in enumerate(code):
            if right == "-":
                continue
            for wrong in alphabet:
                changed = code[:place] + wrong + code[place + 1 :]
                assert is_coupon(changed) == (wrong == right)
        bare = code.replace("-", "")
        for i in range(9):
            pair = bare[i : i + 2]
            if pair[0] != pair[1] and set(pair) != {"2", "Z"}:
                assert not is_coupon(bare[:i] + pair[::-1] + bare[i + 2 :])
    for junk in ("", "SAVE10", "-", "ÄÖÜ", "2" * 11):
        assert not is_coupon(junk)


def test_codes_are_compared_by_letters_and_digits_alone(warehouse: sa.Engine) -> None:
    def key(code: str) -> str:
        with warehouse.connect() as connection:
            return str(connection.scalar(sa.select(sa.func.outbox.code_key(code))))

    same = (
        "SPRING-001",
        "spring001",
        " Spring 001\t",
        "spring\u2011001",
        "SPRING.0_0'1",
        "[s]pring001",
    )
    assert {key(code) for code in same} == {"SPRING001"}
    assert key("SPRÍNG-001") != key("SPRNG-001")
    assert key("ÄÖ") != key("")


# --- uploads --------------------------------------------------------------------------------------


def put(tmp_path: Path, *lines: str, head: str = "") -> Path:
    file = tmp_path / "codes.csv"
    file.write_text(head + "\n".join(lines), encoding="utf-8")
    return file


def test_an_upload_keeps_the_good_codes_and_says_what_is_wrong_with_the_others(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    world = World(warehouse, pool_policy(), is_new=True)
    add(world, "WINTER-1", pool="winter")
    world.sql(
        "INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value, expires_at)"
        " VALUES ('GIVEN-1', gen_random_uuid(), 7, 'percent', 15, '2027-01-01Z')"
    )
    file = put(
        tmp_path,
        "Codice",
        "SPRING-1",
        "",
        '"SPRING-2"',
        "spring1",
        "winter1",
        "given.1",
        "SP3",
        "A,B",
        "SPRÌNG-4",
        "SPRING-5,",
        "has a space",
        head="\ufeff",
    )
    done = uploads.upload(warehouse, "spring", file, NOW)
    assert (done.headers, done.rows, done.new, done.known) == ([1], 10, 3, 0)
    said = done.lines(str(file))
    assert [re.sub(r".*codes.csv, ", "", line) for line in said[:-2]] == [
        "line 5: the same code as in line 2",
        "line 6: the pool winter has this code",
        "line 7: this code was given to a customer already",
        "line 8: no code: 4 to 40 letters (A to Z) and digits, with - _ . between them",
        "line 9: 2 columns, and one is wanted",
        "line 10: no code: 4 to 40 letters (A to Z) and digits, with - _ . between them",
        "line 12: no code: 4 to 40 letters (A to Z) and digits, with - _ . between them",
    ]
    assert said[-2].startswith("Taken for a header, and left out: line 1.")
    assert re.fullmatch(r"10 rows, [\d,]+ a second: 3 new, 0 known already, 7 refused\.", said[-1])
    rows = world.sql("SELECT code FROM outbox.pool_code WHERE pool = 'spring' ORDER BY place")
    assert [row.code for row in rows] == ["SPRING-1", "SPRING-2", "SPRING-5"]
    again = uploads.upload(warehouse, "spring", file, NOW)
    # The repeated line is one that the pool has by now.
    assert (again.new, again.known, len(again.refused)) == (0, 4, 6)
    assert len(again.lines(str(file), most=2)) == 2 + 1 + 1 + 1
    assert world.sql("SELECT count(*) FROM outbox.pool_code")[0][0] == 4


@pytest.mark.parametrize(
    ("lines", "headers", "new"),
    [
        (["WELCOMEBACK", "SPRINGSUN"], [], 2),
        (["SPRING-1", "WELCOMEBACK", "SPRING-2"], [], 3),
        (["Rabattkod", "SPRING-1", "SPRING-2"], [1], 2),
        (["AKTIONSCODE", "SPRING-1"], [1], 1),
        (["rabattkod", "WINTERSUN"], [1], 1),
        (["RABATTKOD", "QWERTZUI", "ASDFGHJK"], [1], 2),
        (["Welcome", "spring"], [], 2),
        (["sep=;\n", "code", "AUT-00001"], [2], 1),
        (["", '"sep=,"', "AUT-00001,", "AUT-00002"], [], 2),
        (["SEP=|", "Kod|", "AUT-00001|"], [2], 1),
        (["", " Coupon Code ", "SPRING-1"], [2], 1),
        (["쿠폰 코드", "SPRING-1"], [1], 1),
        (["co\u0301digo", "SPRING-1"], [1], 1),
        (["Gutschein", "WINTERSUN"], [1], 1),
        (["CODE", "SUNNY"], [1], 1),
        (["coupon_code", "A1B2"], [1], 1),
        (["A1B2"], [], 1),
        (["Codes for spring", "Code", "SPRING-1"], [1, 2], 1),
        (["Spring", "Aktionscode", "SPRING-1", "SPRING-2"], [1, 2], 2),
        # One file was put below another.
        (["code", "SPRING-1", "code", "SPRING-2"], [1, 3], 2),
        (["SPRING-1", "CODE"], [2], 1),
        (["code"], [1], 0),
        ([], [], 0),
    ],
)
def test_a_header_is_told_from_a_code(lines: list[str], headers: list[int], new: int) -> None:
    found = uploads.Upload()
    assert len(list(uploads._codes(iter(lines), found))) == new
    assert (found.headers, found.refused) == (headers, [])


def test_below_a_title_that_is_no_code_a_header_is_still_looked_for() -> None:
    found = uploads.Upload()
    lines = ["Codes für den Frühling", "Aktionscode", "SPRING-1", "SPRING-2"]
    assert list(uploads._codes(iter(lines), found)) == [(3, "SPRING-1"), (4, "SPRING-2")]
    assert found.headers == [1, 2]


def test_the_command_adds_codes_and_prints_the_stock(
    warehouse: sa.Engine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reengage.policy.read_policy", lambda: pool_policy(pool="summer"))
    assert cli.main(["coupons"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "summer",
        "0",
        "0",
        "0",
        "coupon",
        "of",
        "coupon,",
        "coupon",
        "of",
        "gift",
    ]
    assert cli.main(["coupons", "--pool", "spring"]) == 0
    assert "There is no pool spring." in capsys.readouterr().out
    file = put(tmp_path, *(f"SPRING-{n}" for n in range(1234)))
    assert cli.main(["coupons", "--pool", "spring", "--csv", str(file)]) == 0
    out = capsys.readouterr().out
    assert "1,234 new" in out and "SPRING-7" not in out
    assert out.splitlines()[-1].split() == ["spring", "1,234", "0", "0", "-"]
    for options, error in (
        (["--csv", str(file)], "Say which pool"),
        (["--pool", "Spring!", "--csv", str(file)], "small letters"),
        (["--pool", "spring", "--csv", str(tmp_path / "none.csv")], "cannot be read"),
    ):
        assert cli.main(["coupons", *options]) == 1
        assert error in capsys.readouterr().err
    for lines, why in (
        (["code", "no code", "A,B"], "every line of it was refused"),
        (["code", ""], "there is no code in it"),
        (["SPRING-7"], "every line of it was refused"),  # another pool has it
    ):
        file = put(tmp_path, *lines)
        assert cli.main(["coupons", "--pool", "other", "--csv", str(file)]) == 1
        told = capsys.readouterr()
        assert f"Nothing of {file} was added to the pool other: {why}." in told.err
        assert "There is no pool" not in told.out
        assert f"{len(lines) - 1 or 1 if 'refused' in why else 0} refused." in told.out
    with pytest.raises(SourceError):
        uploads.upload(warehouse, "spring", tmp_path, NOW)
    with pytest.raises(ConfigurationError):
        uploads.upload(warehouse, "", file, NOW)


# --- in the day's transaction ---------------------------------------------------------------------


def test_codes_go_to_the_most_recently_active_and_the_others_wait(
    warehouse: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(warehouse, pool_policy(), is_new=True)
    quiet(world, [1, 2], days=5)
    quiet(world, [3, 4], days=3)
    add(world, "SPRING-1", "SPRING-2", "SPRING-3")
    add(world, "WINTER-1", pool="winter")
    with caplog.at_level(logging.WARNING):
        assert world.decide(DAY, let_go=False).sends() == {"coupon": 3}
    assert given_out(world) == {3: "SPRING-1", 4: "SPRING-2", 1: "SPRING-3"}
    assert reasons(world) == {1: "due", 2: "stock", 3: "due", 4: "due"}
    assert (
        "The pool spring is used up: 1 more code is needed. Add some with make coupons POOL=spring"
        in caplog.text
    )
    assert "SPRING-" not in caplog.text
    with warehouse.connect() as connection:
        (_, row) = coupons.lines(connection, world.policy, "spring")
    assert row.split()[:4] == ["spring", "0", "3", "0"]
    world.let_go(DAY)
    add(world, "SPRING-4")
    world.load(NEXT)
    assert world.decide(NEXT).sends() == {"coupon": 1}
    assert given_out(world)[2] == "SPRING-4"


def test_a_message_that_is_drafted_anew_keeps_its_code(warehouse: sa.Engine) -> None:
    world = World(warehouse, pool_policy(), is_new=True)
    quiet(world, [1, 2])
    add(world, *(f"SPRING-{n}" for n in range(1, 9)))
    world.decide(DAY, let_go=False)
    first = given_out(world)
    made = world.sql("SELECT code, made_at FROM outbox.coupon ORDER BY code")
    world.stop_day(DAY, "size")
    # Another pool, and codes of our own, for a day each: then the first again.
    for days, said in ((1, {"pool": "winter"}), (2, {"pool": None}), (3, {"value": 20})):
        world.follow(pool_policy(**said))
        if days == 1:
            add(world, "WINTER-1", "WINTER-2", pool="winter")
        as_of = DAY + timedelta(days=days)
        world.load(as_of)
        world.decide(as_of, let_go=False)
        now = given_out(world)
        assert len(now) == 2
        assert (now == first) == (days == 3)
        world.stop_day(as_of, "size")
    assert world.sql("SELECT DISTINCT value FROM outbox.coupon")[0][0] == 20
    assert world.sql("SELECT count(*) FROM outbox.coupon")[0][0] == 2
    # Its code of the other pool stays the message's.
    taken = world.sql("SELECT pool, contact_id FROM outbox.pool_code WHERE message_id IS NOT NULL")
    assert sorted(map(tuple, taken)) == [("spring", 1), ("spring", 2), ("winter", 1), ("winter", 2)]
    assert [row.code for row in made] == sorted(first.values())


def test_a_redraft_of_the_same_offer_keeps_when_its_code_was_given(warehouse: sa.Engine) -> None:
    world = World(warehouse, pool_policy(), is_new=True)
    quiet(world, [1])
    add(world, "SPRING-1", "SPRING-2")
    world.decide(DAY, let_go=False)
    (before,) = world.sql("SELECT code, made_at, expires_at FROM outbox.coupon")
    world.stop_day(DAY, "size")
    world.load(NEXT)
    world.decide(NEXT, let_go=False)
    (after,) = world.sql("SELECT code, made_at, expires_at FROM outbox.coupon")
    assert (after.code, after.made_at) == (before.code, before.made_at)
    assert after.expires_at == before.expires_at + timedelta(days=1)


def fail_for(monkeypatch: pytest.MonkeyPatch, contact_id: int, error: Exception) -> None:
    render = messages.Templates.render

    def fails(self: Any, step: Any, row: Any, *rest: Any) -> Any:
        if row.contact_id == contact_id:
            raise error
        return render(self, step, row, *rest)

    monkeypatch.setattr(messages.Templates, "render", fails)


def test_a_text_that_cannot_be_made_leaves_its_code_to_the_next(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(warehouse, pool_policy(), is_new=True)
    quiet(world, [1, 2])
    add(world, "SPRING-1")
    fail_for(monkeypatch, 1, errors.TextError("too long"))
    world.decide(DAY)
    assert given_out(world) == {2: "SPRING-1"}
    assert reasons(world) == {1: "template", 2: "due"}


def test_a_code_that_an_incentive_was_faster_to_take_is_not_sent(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(warehouse, pool_policy(incentive=offer(valid_days=3, pool="spring")), is_new=True)
    quiet(world, [1, 2])
    add(world, "SPRING-1", "SPRING-2")
    render = messages.Templates.render
    taken: list[Coupon | None] = []

    def meanwhile(self: Any, *given: Any) -> Any:
        if not taken:
            with warehouse.begin() as web:
                taken.append(give(web, world.policy, 9))
        return render(self, *given)

    monkeypatch.setattr(messages.Templates, "render", meanwhile)
    assert world.decide(DAY).sends() == {"coupon": 1}
    assert taken[0] and taken[0].code == "SPRING-2"
    assert given_out(world) == {1: "SPRING-1"}
    assert reasons(world) == {1: "due", 2: "stock"}


def test_a_kill_and_a_preview_take_no_code(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(warehouse, pool_policy(), is_new=True)
    quiet(world, [1, 2])
    add(world, "SPRING-1", "SPRING-2")
    state = "SELECT * FROM outbox.pool_code ORDER BY code"
    before = world.sql(state)
    world.clock.move_to(world.at(DAY, 9))
    assert preview.preview(warehouse, world.policy, DAY, world.clock, LINKS).sends["coupon"] == 2
    assert world.sql(state) == before
    with monkeypatch.context() as patched:
        patched.setattr(
            "reengage.journey.episode.advance", lambda *_: (_ for _ in ()).throw(OSError)
        )
        with pytest.raises(OSError):
            world.decide(DAY)
    assert world.sql(state) == before
    assert world.sql("SELECT 1 FROM outbox.coupon") == []


# --- windows --------------------------------------------------------------------------------------


def sale(begin: datetime, end: datetime, policy: Policy) -> dict[str, str]:
    zone = policy.brand.zone
    return {
        "from": begin.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
        "to": end.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
    }


def test_no_text_is_made_of_a_sale_that_is_over_when_it_could_be_sent(
    warehouse: sa.Engine, caplog: pytest.LogCaptureFixture, policy: Policy
) -> None:
    world = World(warehouse, pool_policy(), is_new=True)
    quiet(world, [1])
    add(world, "SPRING-1")
    # At 10:00 it may ring at once: the sale ended on the minute.
    ends = world.at(DAY, 10)
    said = sale(ends - timedelta(days=2), ends, policy)
    world.follow(pool_policy(valid_days=None, sale=said))
    with caplog.at_level(logging.WARNING):
        assert world.decide(DAY).sends() == {}
    assert reasons(world) == {1: "template"}
    assert f"The sale of step coupon ends at {said['to']}" in caplog.text
    assert "Give the step another sale" in caplog.text
    (row,) = world.sql("SELECT sentence FROM core.word WHERE word = 'template'")
    assert "its sale would have been over" in row.sentence
    assert world.sql("SELECT 1 FROM outbox.pool_code WHERE message_id IS NOT NULL") == []
    world.follow(policy_with(sale=sale(ends, ends + timedelta(days=9), policy)))
    world.load(NEXT)
    assert world.decide(NEXT).sends() == {"coupon": 1}


def test_a_text_is_not_wanted_any_more_once_its_coupon_is_over(
    warehouse: sa.Engine, policy: Policy
) -> None:
    world = World(warehouse, policy_with(valid_hours=5), is_new=True)
    quiet(world, [1])
    ends = world.at(DAY, 11)
    world.follow(policy_with(sale=sale(world.at(DAY, 0), ends, policy)))
    world.decide(DAY)
    (row,) = world.sql(
        "SELECT not_after, starts_at, expires_at FROM outbox.message"
        " JOIN outbox.coupon USING (message_id)"
    )
    assert (row.not_after, row.starts_at, row.expires_at) == (ends, world.at(DAY, 0), ends)


def test_a_coupons_hours_run_from_when_its_text_may_ring(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(valid_hours=5), is_new=True)
    quiet(world, [1])
    late = world.at(DAY, 23)  # until 9 in the morning nothing rings
    with warehouse.begin() as connection:
        world.clock.move_to(late)
        cohort.decide_in(connection, world.policy, DAY, world.clock, LINKS)
    (row,) = world.sql(
        "SELECT not_before, not_after, expires_at FROM outbox.message"
        " JOIN outbox.coupon USING (message_id)"
    )
    assert row.not_before == world.at(NEXT, 9)
    assert row.not_after == row.expires_at == row.not_before + timedelta(hours=5)


def test_a_coupons_last_hour_is_told_by_the_clock_of_the_phone(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(valid_hours=5), is_new=True)
    quiet(world, [1, 2])
    # Whose zone is not on record: a number of San Francisco, and one of New York.
    world.sql(
        "UPDATE core.contact SET time_zone = NULL,"
        " phone_e164 = CASE contact_id WHEN 1 THEN '+14155550123' ELSE '+12125550123' END"
    )
    assert world.decide(DAY).sends() == {"coupon": 2}
    rows = world.sql(
        "SELECT body, expires_at FROM outbox.message JOIN outbox.coupon USING (message_id)"
        " ORDER BY message.contact_id"
    )
    for row, zone in zip(rows, ("America/Los_Angeles", "America/New_York"), strict=True):
        local = row.expires_at.astimezone(ZoneInfo(zone))
        assert f"{local:%b} {local.day}, {local:%I:%M %p}".replace(" 0", " ") in row.body


# --- incentives -----------------------------------------------------------------------------------


def message(contact_id: int) -> uuid.UUID:
    return messages.message_id(contact_id, DAY, "coupon", "sms")


def give(
    connection: sa.Connection, policy: Policy, contact_id: int, now: datetime = NOW
) -> Coupon | None:
    step = policy.step("coupon")
    return issue_for(connection, policy, step, message(contact_id), contact_id, now)


@pytest.mark.parametrize("pool", [None, "spring"])
def test_an_incentive_is_given_once_whatever_the_policy_says_later(
    warehouse: sa.Engine, pool: str | None
) -> None:
    world = World(warehouse, policy_with(), is_new=True)
    add(world, "SPRING-1", "SPRING-2")
    policy = policy_with(incentive=offer(valid_days=3, pool=pool, minimum=12.5))
    with warehouse.begin() as connection:
        first = give(connection, policy, 1)
    assert first and first.minimum == Decimal("12.5")
    assert is_coupon(first.code) if pool is None else first.code == "SPRING-2"
    other = policy_with(incentive=offer(value=50, valid_days=9, pool=pool))
    with warehouse.begin() as connection:
        for later in (policy, other, policy_with()):
            assert give(connection, later, 1, NOW + timedelta(days=1)) == first
        another = give(connection, other, 2)
    assert another and another.code != first.code
    assert world.sql("SELECT count(*) FROM outbox.coupon WHERE role = 'incentive'")[0][0] == 2
    with warehouse.begin() as connection:
        assert give(connection, policy_with(), 3) is None


def test_there_is_no_incentive_of_an_empty_pool_or_a_sale_that_is_over(
    warehouse: sa.Engine, caplog: pytest.LogCaptureFixture, policy: Policy
) -> None:
    over = sale(NOW - timedelta(days=3), NOW, policy)
    with warehouse.begin() as connection, caplog.at_level(logging.WARNING):
        assert give(connection, policy_with(incentive=offer(sale=over)), 1) is None
        assert caplog.text == ""
        empty = policy_with(incentive=offer(valid_days=3, pool="spring"))
        assert give(connection, empty, 1) is None
        assert "There is no pool spring. Add codes with make coupons POOL=spring" in caplog.text
        caplog.clear()
        connection.execute(
            sa.text(
                "INSERT INTO outbox.pool_code (code_key, pool, code, added_at, contact_id,"
                " message_id, role, taken_at) VALUES"
                " ('SPRING1', 'spring', 'SPRING-1', :at, 9, gen_random_uuid(), 'coupon', :at),"
                " ('WINTER1', 'winter', 'WINTER-1', :at, NULL, NULL, NULL, NULL)"
            ),
            {"at": NOW},
        )
        assert give(connection, empty, 1) is None
        assert "The pool spring is used up: 1 more code is needed." in caplog.text
        typo = policy_with(incentive=offer(valid_days=3, pool="sprnig"))
        assert give(connection, typo, 1) is None
        assert "There is no pool sprnig: the pools are spring, winter. Mend" in caplog.text


def test_two_at_once_get_two_codes_and_one_twice_gets_one(warehouse: sa.Engine) -> None:
    world = World(warehouse, policy_with(), is_new=True)
    add(world, *(f"SPRING-{n}" for n in range(1, 4)))
    policy = policy_with(incentive=offer(valid_days=3, pool="spring"))
    found: list[tuple[int, str | None]] = []
    ready = threading.Barrier(8)

    def ask(contact_id: int) -> None:
        ready.wait(300)
        with warehouse.begin() as connection:
            made = give(connection, policy, contact_id)
        found.append((contact_id, made.code if made else None))

    threads = [threading.Thread(target=ask, args=(n % 4,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(found) == 8
    codes = {(contact_id, code) for contact_id, code in found if code}
    assert len(codes) == len({code for _, code in codes}) == 3
    assert len(dict(codes)) == 3


# --- who used them --------------------------------------------------------------------------------


class Shop:
    """A feed of orders with codes, and a coupon of each contact."""

    HEAD = "id,who,at,total,coupon,state"

    def __init__(self, engine: sa.Engine, folder: Path, **yaml: Any) -> None:
        columns = {
            "source_event_id": "id",
            "source_contact_id": "who",
            "occurred_at": "at",
            "amount": "total",
            "coupon_code": "coupon",
        }
        self.feed = Feed(engine, folder, columns=columns, exclude={"state": ["cancelled"]}, **yaml)
        self.engine = engine
        self.orders: dict[str, list[str]] = {}

    def coupon(self, code: str, contact_id: int = 1, **values: Any) -> None:
        values = {
            "made_at": datetime(2024, 3, 10, 14, tzinfo=UTC),
            "starts_at": None,
            "minimum": None,
            "expires_at": datetime(2024, 3, 21, 4, tzinfo=UTC),
            "day_began_at": datetime(2024, 3, 10, 5, tzinfo=UTC),
            **values,
        }
        names = ", ".join(values)
        binds = ", ".join(f":{name}" for name in values)
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value,"
                    f" {names}) VALUES (:code, gen_random_uuid(), :id, 'percent', 15, {binds})"
                ),
                {"code": code, "id": contact_id, **values},
            )

    def say(
        self, order: str, at: str, code: str, total: str = "50", *, who: str = "a", state: str = ""
    ) -> None:
        self.orders[order] = [order, who, at, total, code, state]

    def take(self) -> None:
        self.feed.write("x.csv", list(self.orders.values()), self.HEAD)
        self.feed.take()

    def redeemed(self) -> dict[str, str]:
        """The order that redeemed each coupon that was; the time fits."""
        rows = self.feed.rows(
            "SELECT coupon.code, coupon.order_ref, coupon.redeemed_at, used.occurred_at"
            " FROM outbox.coupon LEFT JOIN outbox.redemption AS used"
            " ON used.code = coupon.code AND used.is_counted"
            " WHERE redeemed_at IS NOT NULL OR coupon.order_ref IS NOT NULL OR is_counted"
        )
        assert all(at == used_at for _, _, at, used_at in rows)
        return {code: order for code, order, _, _ in rows}


def test_the_first_use_of_a_code_redeems_it_and_the_later_ones_are_seen(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    shop = Shop(warehouse, tmp_path)
    shop.coupon("SPRING-001")
    shop.coupon("SPRING-002", minimum=40, starts_at=datetime(2024, 3, 12, tzinfo=UTC))
    shop.say("before", "2024-03-10T13:59:59Z", "SPRING-001")
    shop.say("second", "2024-03-15T12:00Z", "SPRING001", who="b")
    shop.say("nobodys", "2024-03-15T12:00Z", "SPRING-003")
    shop.say("none", "2024-03-15T12:00Z", "")
    shop.take()
    assert shop.redeemed() == {"SPRING-001": "shop:second"}
    shop.say("first", "2024-03-14T12:00Z", " spring-001 ")  # it comes late
    shop.say("small", "2024-03-11T12:00Z", "spring 002", "39.99")
    shop.say("third", "2024-03-21T04:00Z", "spring 002")
    shop.take()
    assert shop.redeemed() == {"SPRING-001": "shop:first", "SPRING-002": "shop:small"}
    rows = shop.feed.rows(
        "SELECT source_event_id, first_source_contact_id, is_counted, is_late, is_early, is_small,"
        " amount::text FROM outbox.redemption JOIN core.contact USING (contact_id) ORDER BY 1"
    )
    assert rows == [
        ("first", "a", True, False, False, False, "50"),
        ("second", "b", False, False, False, False, "50"),
        ("small", "a", True, False, True, True, "39.99"),
        ("third", "a", False, True, False, False, "50"),
    ]


def test_a_code_is_found_among_others_and_within_words(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    shop = Shop(warehouse, tmp_path)
    said = {
        "TZMPD-4QTHR": "SAVE5, TZMPD-4QTHR",
        "C2RXK-HFN6S": "code:C2RXK-HFN6S|amount:5.00",
        "AAAA-BBBB": '["aaaa bbbb","X1"]',
        "CCCC-1111": "Used coupon CCCC 1111.",
        "DDDD2222": "DDDD2222;",
        "E-F.G_H-1234": "e-f.g_h-1234",
        "SPRING-001": "SPRING-0012",
    }
    for place, (code, text) in enumerate(said.items()):
        shop.coupon(code)
        shop.say(f"o{place}", "2024-03-15T12:00Z", text, who=f"w{place}")
    shop.coupon("FIRST-1")
    shop.coupon("OTHER-2")
    shop.say("both", "2024-03-15T12:00Z", "FIRST-1,OTHER-2")
    shop.take()
    expected = {code: f"shop:o{place}" for place, code in enumerate(said)}
    del expected["SPRING-001"], said["SPRING-001"]
    assert shop.redeemed() == expected | {"FIRST-1": "shop:both", "OTHER-2": "shop:both"}
    shop.say("both", "2024-03-15T12:00Z", "OTHER-2")
    shop.take()
    assert shop.redeemed() == expected | {"OTHER-2": "shop:both"}


@pytest.mark.parametrize("zero", ["signal", "nothing"])
def test_an_order_of_nothing_is_a_purchase_only_where_a_coupon_of_ours_paid_it(
    warehouse: sa.Engine, tmp_path: Path, zero: str
) -> None:
    shop = Shop(warehouse, tmp_path, zero=zero)
    shop.coupon("SPRING-001")
    add(World(warehouse, pool_policy(), is_new=True), "LEAKED-7")
    shop.say("ours", "2024-03-15T12:00Z", "X, SPRING-001", "0")
    shop.say("leaked", "2024-03-15T12:00Z", "LEAKED-7", "0.00", who="b")
    shop.say("theirs", "2024-03-15T12:00Z", "FREEBIE", "0", who="c")
    shop.say("gift", "2024-03-15T12:00Z", "", "0", who="d")
    shop.say("unsaid", "2024-03-15T12:00Z", "", "", who="e")
    shop.take()
    kinds = dict(shop.feed.rows("SELECT source_event_id, kind::text FROM core.interaction"))
    bought = dict.fromkeys(("ours", "leaked", "unsaid"), "purchase")
    seen = {"theirs": "visit", "gift": "visit"} if zero == "signal" else {}
    assert kinds == bought | seen
    assert shop.redeemed() == {"SPRING-001": "shop:ours"}


def test_a_minimum_is_of_its_currency(warehouse: sa.Engine, tmp_path: Path) -> None:
    shop = Shop(warehouse, tmp_path)
    shop.feed.said["columns"] |= {"currency": "state"}
    del shop.feed.said["exclude"]
    for code, currency in (("AAAA-1", "USD"), ("BBBB-2", "USD"), ("CCCC-3", None)):
        shop.coupon(code, minimum=40, currency=currency)
        shop.say(f"{code} yen", "2024-03-14T12:00Z", code, "39", state="JPY")
        shop.say(f"{code} dollars", "2024-03-15T12:00Z", code, "39", state="USD")
    shop.take()
    small = shop.feed.rows("SELECT order_ref FROM outbox.redemption WHERE is_small ORDER BY 1")
    assert [order for (order,) in small] == [
        "shop:AAAA-1 dollars",
        "shop:BBBB-2 dollars",
        "shop:CCCC-3 dollars",
        "shop:CCCC-3 yen",
    ]


def test_an_order_that_went_back_whole_used_no_coupon(warehouse: sa.Engine, tmp_path: Path) -> None:
    shop = Shop(warehouse, tmp_path)
    shop.coupon("SPRING-001")
    shop.say("bought", "2024-03-15T12:00Z", "SPRING-001", "50")
    shop.take()
    assert shop.redeemed() == {"SPRING-001": "shop:bought"}
    shop.say("partly", "2024-03-16T12:00Z", "", "-20")
    shop.take()
    assert shop.redeemed() == {"SPRING-001": "shop:bought"}
    shop.say("whole", "2024-03-17T12:00Z", "", "-50")
    shop.take()
    assert shop.redeemed() == {}
    shop.say("whole", "2024-03-17T12:00Z", "", "-5")
    shop.take()
    assert shop.redeemed() == {"SPRING-001": "shop:bought"}


def test_the_lines_of_an_order_are_one_use_of_their_sum(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    shop = Shop(warehouse, tmp_path)
    shop.coupon("SPRING-001", minimum=40)
    for line, at, total, who in (
        ("9", "2024-03-14T12:00Z", "30.50", "a"),
        ("10", "2024-03-14T12:00Z", "30.50", "a"),
        ("11", "2024-03-14T12:00Z", "5", "b"),
        ("12", "2024-03-14T12:01Z", "", "a"),
        ("13", "2024-03-14T12:01Z", "41", "a"),
    ):
        shop.say(line, at, "SPRING-001" if line != "10" else "spring 001", total, who=who)
    shop.take()
    uses = (
        "SELECT order_ref, amount::text, is_counted, is_small FROM outbox.redemption"
        " ORDER BY occurred_at, length(order_ref), order_ref"
    )
    assert shop.redeemed()["SPRING-001"] in ("shop:9", "shop:11")
    counted = shop.redeemed()["SPRING-001"]
    assert shop.feed.rows(uses) == [
        ("shop:9", "61.00", counted == "shop:9", False),
        ("shop:11", "5", counted == "shop:11", True),
        ("shop:12", "41", False, False),
    ]
    # A line that comes late, before the first or behind it, or is taken back, is of the same use.
    shop.orders.pop("11")
    shop.say("11", "2024-03-14T12:00Z", "SPRING-001", "5", who="b", state="cancelled")
    shop.say("8", "2024-03-14T12:00Z", "SPRING-001", "1")
    shop.say("9", "2024-03-14T12:00Z", "SPRING-001", "30.50", state="cancelled")
    shop.take()
    assert shop.redeemed() == {"SPRING-001": "shop:8"}
    assert shop.feed.rows(uses) == [
        ("shop:8", "31.50", True, True),
        ("shop:12", "41", False, False),
    ]


def upload(engine: sa.Engine, folder: Path, *codes: str) -> None:
    uploads.upload(engine, "spring", put(folder, *codes), NOW)


@pytest.mark.parametrize("is_uploaded_first", [True, False])
def test_a_code_that_an_order_has_used_already_is_given_to_nobody(
    warehouse: sa.Engine, tmp_path: Path, is_uploaded_first: bool
) -> None:
    codes = [f"SPRING-{n}" for n in range(1, 6)]
    policy = policy_with(incentive=offer(valid_days=3, pool="spring"))
    shop = Shop(warehouse, tmp_path)
    if is_uploaded_first:
        upload(warehouse, tmp_path, *codes)
    shop.say("1", "2024-03-14T12:00Z", "spring1", "30")
    shop.say("2", "2024-03-14T12:00Z", "spring1", "12")
    shop.say("3", "2024-03-15T12:00Z", "SPRING-5", who="b")
    shop.say("4", "2024-03-15T12:00Z", "SPRING-2", state="cancelled")
    shop.take()
    if not is_uploaded_first:
        upload(warehouse, tmp_path, *codes)
    uses = (
        "SELECT code, order_ref, amount::text, num_nulls(given_to, message_id, role), is_counted"
        " FROM outbox.redemption ORDER BY 1"
    )
    leaked = [("SPRING-1", "shop:1", "42", 3, False), ("SPRING-5", "shop:3", "50", 3, False)]
    assert shop.feed.rows(uses) == leaked
    with warehouse.begin() as connection:
        made = give(connection, policy, 9)
        assert made and made.code == "SPRING-4"
        assert coupons.lines(connection, policy, "spring")[1].split()[1:4] == ["2", "1", "2"]
        texts = [message(contact_id) for contact_id in (1, 2, 3)]
        stock, found = coupons.Stock(connection, {"spring": texts}), []
        for text in texts:
            found.append(stock.code_for("spring", text))
            if found[-1]:
                stock.give("spring", text)
        assert found == ["SPRING-2", "SPRING-3", None]
    assert shop.feed.rows(uses) == leaked


def use(world: World, code: str) -> None:
    """An order with the code, which a load before brought."""
    world.sql("SELECT core.add_month(:on)", on=START)
    world.sql(
        "INSERT INTO core.interaction (contact_id, source, source_event_id, kind, occurred_at,"
        " occurred_on, coupon_code, loaded_at, load_id) VALUES (99, 'shop', :code, 'purchase', :at,"
        " :on, :code, :at, 0)",
        code=code,
        on=START,
        at=LONG_AGO,
    )


def test_a_code_that_is_used_while_its_text_is_made_or_waits_is_not_sent(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(warehouse, pool_policy(), is_new=True)
    quiet(world, [1, 2])
    add(world, "SPRING-1", "SPRING-2", "SPRING-3")
    render = messages.Templates.render

    def meanwhile(self: Any, step: Any, row: Any, *rest: Any) -> Any:
        if row.contact_id == 2:
            use(world, "spring 2")
        return render(self, step, row, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(messages.Templates, "render", meanwhile)
        world.decide(DAY, let_go=False)
    assert given_out(world) == {1: "SPRING-1"}
    assert reasons(world) == {1: "due", 2: "stock"}
    world.stop_day(DAY, "size")
    use(world, "spring 1")
    world.load(NEXT)
    world.decide(NEXT, let_go=False)
    assert list(given_out(world).values()) == ["SPRING-3"]
    # It was given to somebody, though to no avail: to nobody else, ever.
    assert len(world.sql("SELECT 1 FROM outbox.pool_code WHERE message_id IS NOT NULL")) == 2


def test_an_order_that_is_taken_back_or_corrected_redeems_nothing(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    shop = Shop(warehouse, tmp_path)
    shop.coupon("SPRING-001")
    shop.coupon("SPRING-002")
    shop.say("1", "2024-03-14T12:00Z", "SPRING-001")
    shop.say("2", "2024-03-15T12:00Z", "SPRING-001")
    for change, expected in (
        ({}, {"SPRING-001": "shop:1"}),
        ({"code": "SPRING-002"}, {"SPRING-001": "shop:2", "SPRING-002": "shop:1"}),
        ({"code": ""}, {"SPRING-001": "shop:2"}),
        ({"code": "SPRING-001", "at": "2024-03-16T12:00Z"}, {"SPRING-001": "shop:2"}),
        ({"code": "SPRING-001", "who": "b"}, {"SPRING-001": "shop:1"}),
        ({"code": "SPRING-001", "state": "cancelled"}, {"SPRING-001": "shop:2"}),
        ({"code": "SPRING-001"}, {"SPRING-001": "shop:1"}),
        ({"code": "SPRING-001", "at": "2024-03-01T12:00Z"}, {"SPRING-001": "shop:2"}),
    ):
        shop.say("1", **{"at": "2024-03-14T12:00Z", "code": "SPRING-001", **change})
        shop.take()
        assert shop.redeemed() == expected, change
    shop.say("2", "2024-03-15T12:00Z", "SPRING-001", state="cancelled")
    shop.take()
    assert shop.redeemed() == {}


@pytest.mark.parametrize(("kind", "counts"), [("loyalty", True), ("visit", False)])
def test_a_loyalty_row_redeems_a_code_and_a_visit_does_not(
    warehouse: sa.Engine, tmp_path: Path, kind: str, counts: bool
) -> None:
    shop = Shop(warehouse, tmp_path, name="card", kind=kind)
    shop.coupon("SPRING-001")
    shop.coupon(
        "SPRING-002",
        made_at=datetime(2024, 3, 11, 14, tzinfo=UTC),
        day_began_at=datetime(2024, 3, 11, 4, tzinfo=UTC),
    )
    # Dated without a time, on the brand's day on which the first was made.
    shop.say("7", "2024-03-10", "SPRING-001")
    shop.say("8", "2024-03-10", "SPRING-002")
    shop.take()
    assert shop.redeemed() == ({"SPRING-001": "card:7"} if counts else {})


def test_a_code_is_looked_up_by_its_key(warehouse: sa.Engine) -> None:
    free = (SQL / "outbox/free_codes.sql").read_text(encoding="utf-8").rpartition("--")[2]
    free = free.partition("\n")[2].replace(":pool", "'spring'").replace(":codes", "20")
    with warehouse.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (
            "INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value, expires_at)"
            " SELECT 'C-' || n, gen_random_uuid(), n, 'percent', 15, '2027-01-01Z'"
            " FROM generate_series(1, 5000) AS n",
            "SELECT core.add_month('2026-03-01')",
            "INSERT INTO core.interaction (contact_id, source, source_event_id, kind, occurred_at,"
            " occurred_on, coupon_code, loaded_at, load_id) SELECT n, 'shop', n::text, 'purchase',"
            " '2026-03-01Z', '2026-03-01', 'c ' || n, '2026-03-01Z', 1"
            " FROM generate_series(1, 5000) AS n",
            "ANALYZE",
        ):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(
            "INSERT INTO outbox.pool_code (code_key, pool, code, added_at) SELECT 'C' || n,"
            " 'spring', 'C' || n, '2026-01-01Z' FROM generate_series(1, 20000) AS n;"
            " ANALYZE outbox.pool_code"
        )
        for asked in (
            "SELECT * FROM outbox.redemption WHERE code = 'C-77'",
            "SELECT * FROM cohort.contact_story WHERE contact_id = 77",
            free,
        ):
            text = "\n".join(connection.exec_driver_sql(f"EXPLAIN {asked}").scalars())
            assert re.search(r"interaction_2026_03_code_keys_idx.*\n\s+Index Cond", text), text
            assert not re.search(r"Seq Scan on (coupon|interaction_\w+)\b", text), text


def test_a_story_tells_incentives_and_codes_that_were_passed_on(warehouse: sa.Engine) -> None:
    world = World(warehouse, pool_policy(incentive=offer(valid_days=3, minimum=20)), is_new=True)
    quiet(world, [1, 2])
    add(world, "SPRING-1", "SPRING-2")
    world.decide(DAY)
    (row,) = world.sql("SELECT message_id FROM outbox.message WHERE contact_id = 1")
    with warehouse.begin() as connection:
        step = world.policy.step("coupon")
        made = issue_for(connection, world.policy, step, row.message_id, 1, world.at(DAY, 11))
    assert made

    def fill(load: Load) -> None:
        for who, code in ((1, "SPRING-1"), (2, "spring1"), (1, made.code)):
            load.interaction(who, NEXT)
            load._sql(
                "UPDATE core.interaction SET coupon_code = :code, contact_id = :who"
                " WHERE source_event_id = :event",
                code=code,
                who=who,
                event=f"e{world.events}",
            )
        db.run(load.connection, "core/begin_corrected", contact_ids=[])
        db.run(load.connection, "core/match_refunds")
        load._sql(
            "INSERT INTO told_code (coupon_code) SELECT coupon_code FROM core.interaction"
            " WHERE coupon_code IS NOT NULL"
        )
        db.run(load.connection, "outbox/redeem")

    world.load(NEXT, fill)
    told = [
        (row.what, row.detail)
        for row in world.sql(
            "SELECT what, detail FROM cohort.contact_story WHERE contact_id = 1 AND kind = 'coupon'"
            " ORDER BY at, place, what"
        )
    ]
    assert told == [
        ("A coupon was made for the text of the coupon", "15 percent off."),
        (
            "Given a coupon for finishing the page of the coupon",
            "15 percent off, from an order of 20 on.",
        ),
        ("Used the coupon of the coupon", "Order shop:e3."),
        ("Used the incentive of the coupon", "Order shop:e5."),
        (
            "Noted on the use of the incentive of the coupon",
            "Order shop:e5. For less than its minimum.",
        ),
        ("The coupon of the coupon was used again", "Order shop:e4. By contact 2."),
    ]


# --- never with two -------------------------------------------------------------------------------

EVENTS = st.lists(
    st.sampled_from(["day", "day", "stopped", "killed", "lost text", "upload", "policy", "web"]),
    min_size=5,
    max_size=9,
)


@settings(max_examples=examples(4))
@given(EVENTS, st.randoms(use_true_random=False))
def test_no_code_is_ever_with_two_contacts(
    warehouse: sa.Engine, events: list[str], random: Any
) -> None:
    both = offer(valid_days=3, pool="spring")
    world = World(warehouse, pool_policy(incentive=both, second=6))
    world.sql("DELETE FROM outbox.pool_code")
    quiet(world, range(1, 6))
    owners: dict[str, set[int]] = {}
    messages_of: dict[str, set[tuple[Any, ...]]] = {}
    as_of, made = DAY, 0

    def upload() -> None:
        nonlocal made
        add(
            world,
            *(f"{random.choice('sS')}PRING-{n}" for n in range(made, made + 2)),
            pool=random.choice(["spring", "winter"]),
        )
        made += 2

    def look() -> None:
        """Every code that anybody could see, now or before."""
        for row in world.sql("SELECT code_key, contact_id FROM outbox.coupon"):
            owners.setdefault(row.code_key, set()).add(row.contact_id)
        for row in world.sql(
            "SELECT code_key, contact_id, message_id, role FROM outbox.pool_code"
            " WHERE message_id IS NOT NULL"
        ):
            owners.setdefault(row.code_key, set()).add(row.contact_id)
            messages_of.setdefault(row.code_key, set()).add((row.message_id, row.role))
        rows = world.sql(
            "SELECT body, contact_id, code FROM outbox.message"
            " LEFT JOIN outbox.coupon USING (contact_id, message_id)"
            " WHERE status IN ('draft', 'queued') AND coalesce(role, 'coupon') = 'coupon'"
        )
        assert all(row.code and f" {row.code} " in row.body for row in rows)
        assert [code for code, those in owners.items() if len(those) > 1] == []
        assert [code for code, those in messages_of.items() if len(those) > 1] == []

    upload()
    for event in events:
        if event == "upload":
            upload()
        elif event == "policy":
            pool = random.choice(["spring", "winter", None])
            world.follow(pool_policy(incentive=both, second=6, pool=pool))
        elif event == "web":
            with warehouse.begin() as connection:
                give(connection, world.policy, random.randint(1, 5), world.clock())
        else:
            with pytest.MonkeyPatch.context() as patched:
                run(event, world, as_of, random, patched)
            as_of += timedelta(days=event != "killed")
            world.load(as_of)
        look()


def run(event: str, world: World, as_of: date, random: Any, patched: pytest.MonkeyPatch) -> None:
    """One day, which ends as the event says."""
    if event == "lost text":
        fail_for(patched, random.randint(1, 5), errors.TextError("too long"))
    if event == "killed":
        dies: Callable[..., Any] = lambda *_, **__: (_ for _ in ()).throw(OSError)  # noqa: E731
        where = random.choice([(drafts.db, "analyze_grown"), (messages, "new_code")])
        patched.setattr(*where, dies)
    world.clock.move_to(world.at(as_of, 10))
    try:
        cohort.decide(world.engine, world.policy, as_of, world.clock, LINKS)
    except OSError:
        assert event == "killed"
        return
    if event == "stopped":
        with world.engine.begin() as connection:
            cohort.stop(connection, world.policy, as_of, "size", world.clock())


def test_a_pool_that_the_policy_misspells_is_told_with_those_that_there_are(
    warehouse: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(warehouse, pool_policy(pool="sprnig"), is_new=True)
    quiet(world, [1])
    add(world, "SPRING-1")
    world.clock.move_to(world.at(DAY, 9))
    with caplog.at_level(logging.WARNING):
        preview.preview(warehouse, world.policy, DAY, world.clock, LINKS)
    assert "There is no pool sprnig: the pools are spring." in caplog.text
    assert "used up" not in caplog.text
    world.decide(DAY)
    assert reasons(world) == {1: "stock"}
