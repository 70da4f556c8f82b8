"""The keys of the numbers' hashes: another one is refused, and one follows another."""

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.errors import InsufficientPrivilege
from retailer import Retailer, opened
from world import as_service

from depth import examples
from reengage import db, settings
from reengage.errors import ConfigurationError
from reengage.ingest import core
from reengage.ingest.sources import read_sources
from reengage.ingest.sources.load import load_source
from reengage.marketer import story
from reengage.phones import hashes, keys, numbers
from reengage.sending import incoming
from reengage.sending.providers.words import Reply, Told, Verdict

PLAIN_DAY = Path(__file__).parents[2] / "cases" / "plain-day"
FIRST = date(2026, 5, 20)
NEXT = FIRST + timedelta(days=1)
NUMBERS = [f"+1212555{n:04}" for n in range(100, 140)]


def give(monkeypatch: pytest.MonkeyPatch, today: str, former: str = "") -> None:
    monkeypatch.setenv("REENGAGE_SECRET_PHONES", today)
    monkeypatch.setenv("REENGAGE_SECRET_PHONES_OLD", former)


@pytest.fixture
def fresh(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A warehouse that knows no key yet; the key that is given is A."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("DELETE FROM core.phone_key")
    give(monkeypatch, "A")
    return warehouse


def known(engine: sa.Engine) -> list[tuple[str, str]]:
    with engine.begin() as connection:
        return [(key.secret, key.prefix) for key in keys.known(connection)]


def sql(engine: sa.Engine, text: str, **binds: Any) -> list[Any]:
    with engine.begin() as connection:
        result = connection.execute(sa.text(text), binds)
        return [tuple(row) for row in result] if result.returns_rows else []


def shop(engine: sa.Engine, folder: Path) -> Retailer:
    return Retailer(engine, opened(PLAIN_DAY, folder))


def deliver(
    folder: Path, phones: dict[str, str], *, agreed: str = "2025-01-02", bought: str = "2026-04-15"
) -> None:
    """The files of a shop whose cards have these numbers."""
    files = {
        "cards": ["id,first,mobile,country,created"]
        + [f"{card},,{phone},US,2025-01-01" for card, phone in phones.items()],
        "consents": ["id,granted", *(f"{card},{agreed}T10:00:00Z" for card in phones)],
        "orders": ["order,customer,at,total", *(f"{c},{c},{bought},20.00" for c in phones)],
    }
    for name, lines in files.items():
        (folder / f"data/{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def say(retailer: Retailer, text: str, number: str, minutes: int = 0) -> None:
    at = retailer.clock() + timedelta(minutes=minutes)
    retailer.clock.move_to(at)
    retailer.phones.inbox.append(Reply(f"r{at}{number}{text}", number, text, at))
    incoming.take_replies(retailer.engine, retailer.phones, retailer.policy, retailer.clock)


# --- which key is given ---------------------------------------------------------------------------


def test_the_first_key_is_noted_by_its_fingerprint_and_another_is_refused(
    fresh: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert known(fresh) == [("A", "")]
    (noted,) = sql(fresh, "SELECT key_id, fingerprint, salt FROM core.phone_key")
    assert noted[0] == 1 and len(noted[1]) == 128 and "A" not in (noted[1], noted[2])
    assert known(fresh) == [("A", "")]
    give(monkeypatch, "B")
    with pytest.raises(keys.WrongKey, match=r"REENGAGE_SECRET_PHONES holds another key.*former"):
        known(fresh)
    # Whatever hashes says it, and nothing of it is done.
    retailer = shop(fresh, tmp_path)
    deliver(tmp_path, {"K1": NUMBERS[0]})
    stopped = retailer.day(FIRST).stopped
    assert stopped and "make rotate-key" in stopped and NUMBERS[0] not in stopped
    with pytest.raises(keys.WrongKey):
        say(retailer, "STOP", NUMBERS[0])
    with fresh.connect() as connection, pytest.raises(keys.WrongKey):
        story.find(connection, retailer.policy, NUMBERS[0])
    assert sql(fresh, "SELECT 1 FROM raw.contact UNION ALL SELECT 1 FROM outbox.reply") == []
    give(monkeypatch, "B", "A")  # not in use before it is taken into use
    assert known(fresh) == [("A", "")]


@pytest.mark.parametrize("made_by", ["A", "B", "mixed"])
def test_hashes_of_before_say_whether_the_key_is_theirs(
    new_warehouse: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made_by: str
) -> None:
    """What the state before this wrote: contacts with hashes, and no key noted."""
    with new_warehouse("0028") as engine:
        for n, number in enumerate(NUMBERS[:6], 1):
            key = {"A": "A", "B": "B", "mixed": "A" if n < 4 else "B"}[made_by]
            sql(
                engine,
                "INSERT INTO core.contact (contact_id, phone_e164, phone_hash, created_on,"
                " first_source, first_source_contact_id, first_seen_on) VALUES (:n, :number, :hash,"
                " '2025-01-01', 'crm', CAST(:n AS text), '2025-01-02')",
                n=n,
                number=number,
                hash=hashes.phone_hash(number, key),
            )
            sql(
                engine,
                "INSERT INTO core.card_id (source, source_contact_id, id_source, id, is_verified,"
                " load_id) VALUES ('crm', CAST(:n AS text), '@phone', :hash, false, 1)",
                n=n,
                hash=hashes.phone_hash(number, key),
            )
        sql(engine, "INSERT INTO core.derived_from (name, value) VALUES ('numbers', 'x')")
        db.migrate(engine)
        cards = "SELECT count(*) FROM core.card_id AS card INNER JOIN core.contact AS contact ON"
        same = " card.id = encode(sha256(convert_to(contact.phone_e164, 'UTF8')), 'hex')"
        assert sql(engine, cards + same) == [(6,)]
        assert sql(engine, "SELECT 1 FROM core.derived_from WHERE name = 'numbers'") == []
        give(monkeypatch, "A")
        if made_by == "A":
            assert known(engine) == [("A", "")]
            return
        with pytest.raises(keys.WrongKey, match=r"another key.*\(3 of 6|another key.*\(6 of 6"):
            known(engine)
        assert sql(engine, "SELECT 1 FROM core.phone_key") == []
        give(monkeypatch, "A", "B")
        assert known(engine) == ([("A", ""), ("B", "")] if made_by == "mixed" else [("B", "")])
        keys.rotate(engine, shop(engine, tmp_path).policy)
        assert known(engine)[0][0] == "A"
        linked = (
            "SELECT count(*) FROM core.contact WHERE cardinality(core.phone_hashes(phone_hash)) > 1"
        )
        assert sql(engine, linked) == [(6,)]


def test_a_key_that_is_lost_for_good_is_done_without(
    fresh: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    retailer = shop(fresh, tmp_path)
    deliver(tmp_path, {"K1": NUMBERS[0], "K2": NUMBERS[1]})
    retailer.day(FIRST)
    say(retailer, "STOP", NUMBERS[0], 1)
    say(retailer, "STOP", NUMBERS[9], 1)  # nobody has it
    give(monkeypatch, "B")
    with pytest.raises(keys.WrongKey, match="LOST=yes"):
        keys.rotate(fresh, retailer.policy)
    told = keys.rotate(fresh, retailer.policy, is_lost=True).lines()
    assert told[1].endswith(
        "is lost: 1 stops, of numbers that nobody has any more are not found any more."
    )
    assert known(fresh) == [("B", "2:")]
    # The contact has both: its number, and the hash of the lost key.
    deliver(tmp_path, {"K3": NUMBERS[0], "K4": NUMBERS[9]})
    decided = retailer.day(NEXT).decided
    assert decided["K3"] == "hold suppressed"
    give(monkeypatch, "B", "A")  # found again
    keys.rotate(fresh, retailer.policy)
    assert known(fresh) == [("B", "2:"), ("A", "")]


# --- one follows another --------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("seed", range(examples(2)))
def test_every_stop_gap_duplicate_and_reply_holds_through_rotations(
    fresh: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    """Rotated once and again, killed anywhere, with loads and replies between: who may not be
    texted is not, by whichever key what stands in the way was hashed.
    """
    chance = random.Random(seed)
    retailer = shop(fresh, tmp_path)
    retailer.policy = retailer.policy.model_copy(update={"gap_days": 9})
    phones = {f"K{n}": number for n, number in enumerate(NUMBERS[:12])}
    deliver(tmp_path, phones)
    assert set(retailer.day(FIRST).texted) == set(phones)
    gone = NUMBERS[20:24]  # nobody has them
    stopped = [*chance.sample(NUMBERS[:12], 4), *gone[:2]]
    for number in stopped:
        say(retailer, "STOP", number, 1)
    say(retailer, "what is this?", NUMBERS[12], 1)  # a reply that nobody has read
    monkeypatch.setattr(keys, "NUMBERS_AT_ONCE", 3)
    wrong = Verdict(gone[2], "hard_bounce", retailer.clock())
    with fresh.begin() as connection:
        incoming.insert_told(
            connection, "infobip", retailer.policy, Told(verdicts=[wrong]), wrong.at, Counter()
        )

    ran = db.run
    left = [0]

    def run(connection: Any, name: str, *given: Any, **binds: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return ran(connection, name, *given, **binds)

    def rotated() -> None:
        for calls in sorted(chance.sample(range(1, 40), 5)):
            left[0] = calls
            monkeypatch.setattr(db, "run", run)
            try:
                keys.rotate(fresh, retailer.policy)
            except Killed:
                pass
            finally:
                monkeypatch.setattr(db, "run", ran)
        keys.rotate(fresh, retailer.policy)

    give(monkeypatch, "B", "A")
    rotated()
    assert [key for key, _ in known(fresh)] == ["B", "A"]
    say(retailer, "STOP", gone[3], 1)  # under B
    stopped.append(gone[3])
    # The same people on new cards, under the new key; and whoever has the others' numbers now.
    others = {f"N{n}": number for n, number in enumerate([*NUMBERS[:13], *gone, NUMBERS[30]])}
    deliver(tmp_path, phones | others)
    decided = retailer.day(NEXT).decided
    for card, number in others.items():
        reason = decided[card]
        if number in stopped or number == wrong.number:
            assert reason == "hold suppressed", (card, number)
        elif number == NUMBERS[12]:
            assert reason == "hold unread_reply"
        elif number == NUMBERS[30]:
            assert reason == "send due"
        else:
            assert reason in ("hold duplicate_phone", "skip repeat", "hold gap"), (card, reason)
    # A reply finds whoever was texted, and a START takes back what a STOP did under another key.
    again = next(number for number in NUMBERS[:12] if number in stopped)
    say(retailer, "START", again, 1)
    theirs = "SELECT DISTINCT status::text FROM core.contact WHERE phone_e164 = :number"
    assert sql(fresh, theirs, number=again) == [("active",)]
    say(retailer, "STOP", NUMBERS[30], 1)
    assert sql(fresh, theirs, number=NUMBERS[30]) == [("unsubscribed",)]
    with fresh.connect() as connection:
        found = story.find(connection, retailer.policy, again)
    assert len(found) == 2
    # Now that somebody has all of the numbers, the first key may go.
    give(monkeypatch, "B", "A")
    rotation = keys.rotate(fresh, retailer.policy)
    assert rotation.removable == [1], rotation.lines()
    assert "nothing rests on it. Take it out of REENGAGE_SECRET_PHONES_OLD" in rotation.lines()[1]
    give(monkeypatch, "B")
    assert known(fresh) == [("B", "2:")]
    give(monkeypatch, "C", "B")
    rotated()
    last = {f"L{n}": number for n, number in enumerate([*NUMBERS[:12], *gone, NUMBERS[30]])}
    deliver(tmp_path, last)
    stopped = [number for number in [*stopped, NUMBERS[30]] if number != again]
    decided = retailer.day(NEXT + timedelta(days=1)).decided
    for card, number in last.items():
        assert decided[card] != "send due"
        if number in stopped or number == wrong.number:
            assert decided[card] == "hold suppressed", (card, number)


def holds(engine: sa.Engine, number: str) -> bool:
    """Whether a stop of a number is found by any of its hashes."""
    with engine.begin() as connection:
        hashes = list(numbers.hashes(number, keys.known(connection)))
    found = (
        "SELECT count(*) FROM core.suppression WHERE lifted_at IS NULL AND phone_hash IN"
        " (SELECT unnest(core.phone_hashes(one)) FROM unnest(CAST(:hashes AS text[])) AS one)"
    )
    return sql(engine, found, hashes=hashes) != [(0,)]


def rotated(engine: sa.Engine) -> list[Any]:
    """What a rotation has come to, without times."""
    return [
        sql(engine, f"SELECT {columns} FROM core.{table} ORDER BY 1, 2")
        for table, columns in (
            ("phone_alias", "phone_hash, alias_hash"),
            ("digest_alias", "digest, alias_digest"),
            (
                "phone_key",
                "key_id, prefix, swept_to, swept_at IS NULL, lost_at IS NULL, retired_at IS NULL",
            ),
        )
    ]


def as_before(engine: sa.Engine) -> None:
    """Take a rotation back."""
    sql(engine, "TRUNCATE core.phone_alias, core.digest_alias")
    sql(engine, "DELETE FROM core.phone_key WHERE key_id > 1")
    sql(engine, "UPDATE core.phone_key SET retired_at = NULL, lost_at = NULL")


@contextmanager
def killed_at(engine: sa.Engine, step: int) -> Iterator[list[str]]:
    """Whoever works with the warehouse is killed at the step: right before a statement, or before
    its transaction is committed. Gives what has been done, by step.
    """
    done: list[str] = []

    def noted(what: str) -> None:
        done.append(what)
        if len(done) == step:
            raise Killed

    def begins(_: Any, __: Any, statement: str, *___: Any) -> None:
        noted(statement)

    def ends(_: Any) -> None:
        noted("commit")

    events = {"before_cursor_execute": begins, "commit": ends}
    for name, heard in events.items():
        sa.event.listen(engine, name, heard)
    try:
        yield done
    finally:
        for name, heard in events.items():
            sa.event.remove(engine, name, heard)


@pytest.mark.parametrize("is_lost", [False, True], ids=["given", "lost"])
def test_killed_at_any_step_a_rotation_comes_to_the_same_end(
    fresh: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_lost: bool
) -> None:
    monkeypatch.setattr(keys, "NUMBERS_AT_ONCE", 2)
    monkeypatch.setattr(keys, "SCRYPT", {"n": 2, "r": 1, "p": 1})  # it is not about guessing
    retailer = shop(fresh, tmp_path)
    deliver(tmp_path, {f"K{n}": number for n, number in enumerate(NUMBERS[:3])})
    assert len(retailer.day(FIRST).texted) == 3
    stopped = NUMBERS[:2] if is_lost else [*NUMBERS[:2], NUMBERS[9]]
    for number in stopped:
        say(retailer, "STOP", number, 1)

    def rotate() -> None:
        keys.rotate(fresh, retailer.policy, is_lost=is_lost)

    give(monkeypatch, "B", "" if is_lost else "A")
    rotate()
    undisturbed = rotated(fresh)
    assert len(undisturbed[0]) >= 6, "aliases"
    step, is_over = 0, False
    while not is_over:
        step += 1
        as_before(fresh)
        with killed_at(fresh, step) as done:
            try:
                rotate()
                is_over = True
            except Killed:
                pass
        rotate()
        assert rotated(fresh) == undisturbed, done[-1:]
    assert [number for number in stopped if not holds(fresh, number)] == []
    assert step > 30, step


def test_a_home_that_is_killed_at_any_step_of_a_new_key_loses_none(
    home: Path, fresh: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the files: the key that hashes were made with is always in one of them."""
    monkeypatch.delenv("REENGAGE_SECRET_PHONES")
    monkeypatch.delenv("REENGAGE_SECRET_PHONES_OLD")
    first = settings.secret("phones")
    assert known(fresh) == [(first, "")]
    for name in ("replace", "unlink"):
        for call in (1, 2):
            left = [call]
            usual = getattr(Path, name)

            def die(
                path: Path, *given: Any, usual: Any = usual, left: Any = left, **more: Any
            ) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    raise Killed
                return usual(path, *given, **more)

            monkeypatch.setattr(Path, name, die)
            try:
                settings.make_phone_key()
            except Killed:
                pass
            finally:
                monkeypatch.setattr(Path, name, usual)
            assert known(fresh) == [(first, "")]


@pytest.mark.parametrize("is_in_core", [False, True], ids=["into raw", "into core"])
def test_every_stop_holds_for_whom_two_loads_bring_while_a_key_follows(
    fresh: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_in_core: bool
) -> None:
    """Both have hashed their rows, and go on when the former key is gone; or are on their way into
    core, and the rotation waits for them.
    """
    retailer = shop(fresh, tmp_path)
    (tmp_path / "sources/other.yaml").write_text(
        "{source: other, entity: contact, connector: files, path: ../data/other.csv,"
        " columns: {source_contact_id: id, phone: mobile, country: country}}",
        encoding="utf-8",
    )
    (tmp_path / "data/other.csv").write_text("id,mobile,country\nO0,,US\n", encoding="utf-8")
    deliver(tmp_path, {"K1": NUMBERS[0]})
    assert retailer.day(FIRST).stopped is None
    say(retailer, "STOP", NUMBERS[0], 1)
    deliver(tmp_path, {"K1": NUMBERS[0], "K2": NUMBERS[1], "K3": NUMBERS[2]})
    others = [f"O{n},{number},US" for n, number in enumerate(NUMBERS[:5])]
    (tmp_path / "data/other.csv").write_text("\n".join(["id,mobile,country", *others, ""]))
    waits, goes_on, ran = threading.Semaphore(0), threading.Event(), db.run
    statement = "core/update_contacts" if is_in_core else "raw/finish_file"

    def run(connection: Any, name: str, /, *given: Any, **binds: Any) -> Any:
        if name == statement:
            waits.release()
            assert goes_on.wait(60)
        return ran(connection, name, *given, **binds)

    policy, clock = retailer.policy, retailer.clock
    sources = [
        source for source in read_sources(tmp_path / "sources") if source.entity == "contact"
    ]

    def load(source: Any) -> Any:
        return load_source(fresh, source, policy, NEXT, clock)

    def take(one: Any) -> None:
        core.take(fresh, one.source, one.load_id, NEXT, policy, clock)

    loads = [] if not is_in_core else [load(source) for source in sources]
    monkeypatch.setattr(db, "run", run)
    with ThreadPoolExecutor() as pool:
        if is_in_core:
            running = [pool.submit(take, one) for one in loads]
        else:
            running = [pool.submit(load, source) for source in sources]
        for _ in range(1 if is_in_core else 2):  # one load at a time is on its way into core
            assert waits.acquire(timeout=60)
        give(monkeypatch, "B", "A")
        rotating = pool.submit(keys.rotate, fresh, policy)
        if not is_in_core:
            assert rotating.result(60).removable == [1]
            give(monkeypatch, "B")
            say(retailer, "STOP", NUMBERS[1], 1)  # of a number that only the load's rows have
        goes_on.set()
        done = [one.result(60) for one in running]
        rotating.result(60)
    monkeypatch.setattr(db, "run", ran)
    for one in [] if is_in_core else done:
        take(one)
    give(monkeypatch, "B", "A" if is_in_core else "")
    say(retailer, "STOP", NUMBERS[2], 2)
    last = keys.rotate(fresh, policy)
    assert last.removable == [1]
    give(monkeypatch, "B")
    stopped = [NUMBERS[0], NUMBERS[2], *([] if is_in_core else [NUMBERS[1]])]
    assert [number for number in NUMBERS[:5] if holds(fresh, number)] == sorted(stopped)
    standing = (
        "SELECT first_source_contact_id FROM core.contact AS contact WHERE EXISTS (SELECT 1 FROM"
        " core.suppression AS stop WHERE stop.lifted_at IS NULL AND (stop.contact_id ="
        " contact.contact_id OR stop.phone_hash = ANY(core.phone_hashes(contact.phone_hash))))"
        " ORDER BY 1"
    )
    held = ["K1", "K3", "O0", "O2"] if is_in_core else ["K1", "K2", "K3", "O0", "O1", "O2"]
    assert [card for (card,) in sql(fresh, standing)] == held


def test_a_key_stays_while_something_rests_on_it(
    fresh: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    retailer = shop(fresh, tmp_path)
    deliver(tmp_path, {"K1": NUMBERS[0]})
    retailer.day(FIRST)
    say(retailer, "STOP", NUMBERS[9], 1)
    give(monkeypatch, "B", "A")
    rotation = keys.rotate(fresh, retailer.policy)
    assert rotation.removable == [] and rotation.in_use == 2
    assert "keep it in REENGAGE_SECRET_PHONES_OLD. On it rest 1 stops" in rotation.lines()[1]
    give(monkeypatch, "B")
    with pytest.raises(keys.WrongKey, match=r"also hashed with key 1 .*rotate-key says when"):
        known(fresh)
    give(monkeypatch, "B", "A")
    say(retailer, "START", NUMBERS[9], 2)
    assert keys.rotate(fresh, retailer.policy).removable == [1]
    give(monkeypatch, "A")
    with pytest.raises(keys.WrongKey):
        known(fresh)


def test_a_card_of_before_and_one_of_after_are_one_person(
    fresh: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A verified number joins cards of two sources, whichever key was in use when they came."""
    retailer = shop(fresh, tmp_path)
    card = (tmp_path / "sources/cards.yaml").read_text(encoding="utf-8")
    (tmp_path / "sources/cards.yaml").write_text(
        card.rstrip() + "\nverified: [phone]\n", encoding="utf-8"
    )
    (tmp_path / "sources/other.yaml").write_text(
        "{source: other, entity: contact, connector: files, path: ../data/other.csv,"
        " columns: {source_contact_id: id, phone: mobile}, verified: [phone]}",
        encoding="utf-8",
    )
    (tmp_path / "data/other.csv").write_text("id,mobile\nO1,\n", encoding="utf-8")
    deliver(tmp_path, {"K1": NUMBERS[0]})
    assert retailer.day(FIRST).stopped is None
    give(monkeypatch, "B", "A")
    keys.rotate(fresh, retailer.policy)
    (tmp_path / "data/other.csv").write_text(f"id,mobile\nO1,{NUMBERS[0]}\n", encoding="utf-8")
    assert retailer.day(NEXT).stopped is None
    held = "SELECT count(DISTINCT contact_id), count(*) FROM core.contact_identity"
    assert sql(fresh, held) == [(1, 2)]


# --- in a home ------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = os.umask(0o022)
    monkeypatch.setenv("REENGAGE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REENGAGE_SECRET_PHONES", raising=False)
    yield tmp_path / "home"
    os.umask(before)


def test_a_home_is_its_users_alone_and_one_of_before_becomes_so(home: Path) -> None:
    settings.secret("x")
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "secrets/x").stat().st_mode & 0o777 == 0o600
    home.chmod(0o755)
    (home / "logs/airflow").mkdir(parents=True, mode=0o755)
    (home / "logs/airflow/task.log").write_text("said", encoding="utf-8")
    settings.keep_private()
    modes = {path.stat().st_mode & 0o777 for path in (home, *(home / "logs").rglob("*"))}
    assert modes == {0o700, 0o600}
    (home / "logs/later.log").write_text("said", encoding="utf-8")
    assert (home / "logs/later.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_secret_that_others_may_read_is_refused(home: Path, mode: int) -> None:
    settings.secret("phones")
    file = home / "secrets/phones"
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"Type: chmod 600 {file}"):
        settings.secret("phones")
    file.chmod(0o600)
    assert settings.secret("phones")
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is empty"):
        settings.secret("phones")


def test_a_home_makes_its_own_next_key(
    home: Path, fresh: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REENGAGE_SECRET_PHONES")
    monkeypatch.delenv("REENGAGE_SECRET_PHONES_OLD")
    policy = shop(fresh, tmp_path).policy
    first = settings.secret("phones")
    assert known(fresh) == [(first, "")]
    for former in (1, 2):
        assert not keys.is_under_way(fresh)
        settings.make_phone_key()
        assert keys.is_under_way(fresh)
        keys.rotate(fresh, policy)
        assert len(settings.phone_keys()) == former + 1 + (former > 1)
    assert known(fresh)[0] == (settings.secret("phones"), "3:")
    monkeypatch.setenv("REENGAGE_SECRET_PHONES", "C")
    with pytest.raises(ConfigurationError, match="comes from REENGAGE_SECRET_PHONES"):
        settings.make_phone_key()


# --- the link service's login ---------------------------------------------------------------------


MAY_NOT = [
    "UPDATE outbox.message SET body = 'buy now'",
    "UPDATE outbox.message SET phone_hash = 'x'",
    "UPDATE outbox.message SET not_before = not_after",
    "UPDATE outbox.message SET not_after = not_before",
    "UPDATE outbox.message SET provider = 'x'",
    "INSERT INTO outbox.message SELECT * FROM outbox.message",
    "DELETE FROM outbox.message",
    "SELECT body FROM outbox.message",
    "UPDATE core.suppression SET lifted_at = since",
    "UPDATE core.suppression SET source = 'reply'",
    "DELETE FROM core.suppression",
    "INSERT INTO core.suppression (contact_id, channel, reason, source, since, lifted_at)"
    " VALUES (0, 'sms', 'opted_out', 'x', '2026-01-01', '2027-01-01')",
    "UPDATE core.contact SET status = 'active'",
    "SELECT phone_e164 FROM core.contact",
    "SELECT email FROM core.contact",
    "SELECT amount FROM core.interaction",
    "SELECT 1 FROM cohort.decision",
    "SELECT 1 FROM raw.contact",
    "SELECT 1 FROM core.consent",
    "SELECT seed FROM outbox.contest",
    "SELECT text FROM outbox.reply",
    "UPDATE outbox.contest_entry SET place = 1",
    "DELETE FROM outbox.reply",
    "UPDATE core.phone_key SET lost_at = noted_at",
    "INSERT INTO core.phone_alias VALUES ('a', 'b')",
]


def test_the_link_services_login_may_not(warehouse: sa.Engine) -> None:
    done = []
    for statement in MAY_NOT:
        try:
            sql(as_service(warehouse), statement)
            done.append(statement)
        except sa.exc.ProgrammingError as error:
            assert isinstance(error.orig, InsufficientPrivilege), statement
    assert done == []


def test_the_link_services_login_takes_back_no_stop_that_no_start_does(
    warehouse: sa.Engine,
) -> None:
    stop = (
        "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)"
        " VALUES (0, 'h', 'sms', 'opted_out', :source, '2026-01-01Z')"
    )
    sql(warehouse, stop, source="reply")
    sql(warehouse, stop.replace("0, 'h'", "1, 'h'"), source="landing")
    service = as_service(warehouse)
    lift = "SELECT core.opt_in_phone('h', 'sms', '2026-01-02Z', FALSE)"
    standing = "SELECT source FROM core.suppression WHERE lifted_at IS NULL ORDER BY 1"
    sql(service, lift)
    sql(service, "SELECT core.resume(1, 'h', 'sms', '2026-01-02Z')")
    assert sql(warehouse, standing) == [("landing",), ("reply",)]
    sql(
        service,
        "INSERT INTO outbox.reply (provider, provider_reply_id, phone_hash, text, meaning,"
        " received_at, reviewed_at) VALUES ('p', '1', 'h', 'START', 'start', '2026-01-02Z',"
        " '2026-01-02Z')",
    )
    sql(service, lift)
    assert sql(warehouse, standing) == [("landing",)]
    # Whoever may make objects finds nothing of theirs in the functions' way.
    paths = "SELECT DISTINCT proconfig FROM pg_proc WHERE prosecdef"
    assert sql(warehouse, paths) == [(["search_path=pg_catalog, pg_temp"],)]


def test_the_key_of_a_hash_is_what_stands_before_its_colon_as_before(new_warehouse: Any) -> None:
    """Told without a call for each hash since; what it says is the same."""
    hashes = ["5b" * 32, f"2:{'5b' * 32}", f"12:{'5b' * 32}", None]
    told = "SELECT core.key_prefix(said) FROM unnest(CAST(:hashes AS text[])) AS said"
    with new_warehouse("0034") as engine:
        before = sql(engine, told, hashes=hashes)
        db.migrate(engine)
        assert before == sql(engine, told, hashes=hashes) == [("",), ("2:",), ("12:",), (None,)]
