"""Handing over at most once, whatever is killed or breaks; and what comes back."""

import os
import random
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

import forks
from depth import IS_SOAK, examples
from patience import in_time
from reengage import db
from reengage.clock import Clock, SimulatedClock, wall_clock
from reengage.errors import ProviderError
from reengage.journey import release
from reengage.phones import hashes
from reengage.policy import Policy, read_policy
from reengage.sending import in_doubt, incoming, outbox
from reengage.sending.answers import Claimed
from reengage.sending.outbox import Sender
from reengage.sending.providers import (
    Account,
    Provider,
    ProviderUnavailable,
    Reply,
    Told,
    Webhook,
    base,
    provider_for,
    requesting,
    single,
)
from reengage.sending.providers.accounts import account as account_of
from reengage.sending.providers.codes import Cause, codes_of
from reengage.sending.providers.words import Answer, LogEntry, Outcome, Outgoing
from reengage.sending.receipts import apply_receipts, keep_receipts
from reengage.sending.sent import Sent
from reengage.settings import INCLUDE, secret
from reengage.texts import drafts, messages
from reengage_local.sandbox import Faults, RefusedNumber, connection, create_sandbox
from reengage_local.sandbox.deeds import receipt
from reengage_local.sandbox.journal import append, lines
from reengage_local.sandbox.webhooks import calls
from reengage_local.serving import serve

NOW = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)  # a Tuesday, 10:00 in New York
AS_OF = date(2026, 3, 2)
QUIET = date(2026, 1, 31)
KEY = "sandbox-key"
PATIENCE = 15.0  # seconds, of a busy machine: nobody waits for so long


def policy_with(**sending: Any) -> Policy:
    policy = read_policy(INCLUDE / "journey.yaml")
    quick = {"settle_seconds": 0.3, "timeout_seconds": 1.0, "batch_size": 20, **sending}
    return policy.model_copy(update={"sending": policy.sending.model_copy(update=quick)})


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@dataclass
class Sandbox:
    folder: Path
    app: FastAPI
    url: str
    kind: str = "infobip"

    def provider(self, key: str = KEY, timeout_seconds: float = PATIENCE) -> Provider:
        return provider_for(account(self.url, key, self.kind), timeout_seconds)

    def accepted(self) -> Counter[str]:
        """How often each message was taken. MailUp is not told our ids."""
        file = self.folder / "accepted.jsonl"
        return Counter(
            str(key_of(int(record["to"][-4:])))
            if record["provider"] == "mailup"
            else record["message_id"]
            for _, _, record in lines(file)
        )


def account(url: str, key: str = KEY, kind: str = "infobip") -> Account:
    given = connection(kind, url, key)
    given["extra"]["rate_per_second"] = 10_000
    return account_of(**given)


@pytest.fixture
def sandbox(tmp_path: Path, clock: SimulatedClock) -> Iterator[Sandbox]:
    app = create_sandbox(tmp_path / "sandbox", clock, KEY, "seed")
    with serve(app) as server:
        yield Sandbox(tmp_path / "sandbox", app, server.url)


@dataclass
class Time:
    """A wall clock that nobody has to wait for: sleeping moves it."""

    now: datetime = field(default_factory=wall_clock)
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Time:
    wall = Time()
    for part in (outbox, in_doubt):
        monkeypatch.setattr(part, "time", SimpleNamespace(sleep=wall.sleep))
    monkeypatch.setattr(requesting, "HOLD_SECONDS", 0.0)
    monkeypatch.setattr(base, "AWAY_SECONDS", 0.0)
    return wall


@pytest.fixture
def one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch at a time, where a test says what happens between two."""
    monkeypatch.setattr(outbox, "LANES", 1)


class Scripted:
    """The sandbox's provider, with a part of it played by the test."""

    name, max_batch, log_hours, spread_seconds = "infobip", 1000, 48.0, 0.0
    knows_our_ids, prices_late, arrival = True, False, timedelta(0)
    tells_once = True

    def limits(self, sender: str) -> dict[str, float | None]:
        return {"scripted": None}

    def __init__(self, inner: Provider | None = None, **played: Callable[..., Any]) -> None:
        self._inner = inner
        self.calls: Counter[str] = Counter()
        self._played = played

    def __getattr__(self, name: str) -> Any:
        if name not in ("send", "log", "replies"):
            raise AttributeError(name)
        play = self._played.get(name) or getattr(self._inner, name, lambda *_: [])

        def called(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            return play(*args, **kwargs)

        return called

    def reply_pages(self, number: str) -> Iterator[Told]:
        while page := self.replies():
            yield Told(replies=page)


def phone(contact_id: int) -> str:
    return f"+1212555{contact_id:04}"  # New York


def hashed(contact_id: int) -> str:
    return hashes.phone_hash(phone(contact_id), secret("phones"))


def key_of(contact_id: int, step: str = "survey") -> uuid.UUID:
    return messages.message_id(contact_id, QUIET, step, "sms")


def insert(engine: sa.Engine, table: str, *rows: dict[str, Any]) -> None:
    columns = rows[0].keys()
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES (:{', :'.join(columns)})"
    with engine.begin() as connection:
        connection.execute(sa.text(statement), list(rows))


def execute(engine: sa.Engine, statement: str, **binds: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement), binds)


def fetch(engine: sa.Engine, query: str, **binds: Any) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query), binds)]


def people(engine: sa.Engine, *contact_ids: int) -> None:
    """Quiet contacts who agreed to be written to, each with a phone."""
    insert(
        engine,
        "core.contact",
        *(
            {
                "contact_id": i,
                "phone_e164": phone(i),
                "phone_hash": hashed(i),
                "first_source": "crm",
                "first_source_contact_id": str(i),
                "first_seen_on": QUIET,
            }
            for i in contact_ids
        ),
    )
    insert(
        engine,
        "core.contact_activity",
        *(
            {"contact_id": i, "last_signal_on": QUIET, "visible_on": QUIET, "updated_load_id": 1}
            for i in contact_ids
        ),
    )
    insert(
        engine,
        "cohort.episode",
        *({"contact_id": i, "dormant_since": QUIET, "opened_on": AS_OF} for i in contact_ids),
    )
    insert(
        engine,
        "core.consent",
        *(
            {
                "contact_id": i,
                "source": "crm",
                "record_key": str(i),
                "channel": "sms",
                "purpose": "marketing",
                "granted_at": datetime(2025, 1, 1, tzinfo=UTC),
                "effective_at": datetime(2025, 1, 1, tzinfo=UTC),
                "load_id": 1,
            }
            for i in contact_ids
        ),
    )


def queue(engine: sa.Engine, *contact_ids: int, **values: Any) -> None:
    """A message for each, to be sent from now on."""
    insert(
        engine,
        "outbox.message",
        *(
            {
                "contact_id": i,
                "message_id": key_of(i),
                "dormant_since": QUIET,
                "step": "survey",
                "channel": "sms",
                "as_of": AS_OF,
                "phone_hash": hashed(i),
                "body": f"Hello {i}",
                "encoding": "GSM-7",
                "segments": 1,
                "not_before": NOW - timedelta(hours=1),
                "not_after": NOW + timedelta(hours=24),
                "status": "queued",
                "status_at": NOW,
                **values,
            }
            for i in contact_ids
        ),
    )


def claimed(engine: sa.Engine, wall_time: datetime, *contact_ids: int, **values: Any) -> None:
    """Messages that a sender, now dead, had claimed."""
    queue(
        engine,
        *contact_ids,
        **{
            "status": "sending",
            "attempts": 1,
            "claimed_by": 77,
            "claimed_at": wall_time,
            "provider": "infobip",
            "bulk_id": "bulk",
            **values,
        },
    )


def states(engine: sa.Engine) -> dict[int, tuple[str, str | None]]:
    query = """SELECT contact_id, status::text, error_code FROM outbox.message
               WHERE step <> 'first' ORDER BY contact_id"""
    return {row[0]: (row[1], row[2]) for row in fetch(engine, query)}


def sender(
    engine: sa.Engine, provider: Any, clock: Clock, wall: Clock = wall_clock, **sending: Any
) -> Sender:
    return Sender(engine, provider, policy_with(**sending), clock, wall=wall)


# --- killed, and many at once --------------------------------------------------------------------


def work(address: str, url: str, kind: str, share: int, shares: int) -> None:
    """One sender, in a process of its own, until nothing is due."""
    outbox.BACK_OFF_SECONDS = (0.02,) * 5
    engine = db.engine(address)
    provider = provider_for(account(url, kind=kind), PATIENCE)
    policy = policy_with(max_attempts=100)
    Sender(engine, provider, policy, SimulatedClock(NOW), share, shares).run()


@pytest.mark.parametrize(
    ("kind", "messages", "refused"),
    [("infobip", 1500, "REJECTED_DESTINATION"), ("twilio", 600, "21612"), ("mailup", 600, "204")],
)
@pytest.mark.parametrize("_", range(examples(1)))
@pytest.mark.kills
def test_senders_killed_at_any_moment_send_each_message_once(
    warehouse: sa.Engine,
    sandbox: Sandbox,
    clock: SimulatedClock,
    monkeypatch: pytest.MonkeyPatch,
    _: int,
    kind: str,
    messages: int,
    refused: str,
) -> None:
    monkeypatch.setattr(outbox, "BACK_OFF_SECONDS", (0.02,) * 5)
    monkeypatch.setattr(requesting, "HOLD_SECONDS", 0.02)
    sandbox.kind = kind
    everybody = range(1, messages + 1)
    people(warehouse, *everybody)
    queue(warehouse, *everybody)
    # Infobip refuses whole requests for these, so that they go by halves.
    bad = {phone(i): RefusedNumber(code="E400") for i in everybody if i % 100 == 3}
    bad = bad if kind == "infobip" else {}
    given = {"rate_per_second": 10_000, "refuse": bad, "no_bulk_of_one": True}
    context = forks.context()
    address = warehouse.url.render_as_string(hide_password=False)
    dice = random.Random(7)
    faults = [
        Faults(slow_seconds=0.05),
        Faults(drop_answer_share=0.4, slow_seconds=0.02, reject_share=0.2),
        Faults(error_share=0.5, error_status=503, after=True, reject_share=0.2),
        Faults(error_share=0.5, error_status=429, slow_seconds=0.02, reject_share=0.2),
        Faults(error_share=0.3, error_status=500, drop_answer_share=0.3, reject_share=0.2),
        Faults(log_error_share=0.5, drop_answer_share=0.3, slow_seconds=0.02, reject_share=0.2),
    ]
    if not IS_SOAK:  # each that died is waited for until the log can prove what it did
        faults = faults[kind == "twilio" :: 2]
    killed = in_doubt = 0
    sending = "SELECT count(*) FROM outbox.message WHERE status = 'sending'"
    for fault in faults:
        sandbox.app.state.faults = fault.model_copy(update=given)
        # Three at once; two of them after the very same contacts.
        crowd = [
            context.Process(target=work, args=(address, sandbox.url, kind, *share))
            for share in ((0, 1), (0, 2), (1, 2))
        ]
        for process in crowd:
            process.start()
        before = sum(sandbox.accepted().values())

        def is_at_work(before: int = before, crowd: list[Any] = crowd) -> bool:
            return sum(sandbox.accepted().values()) > before or not any(
                process.is_alive() for process in crowd
            )

        in_time(is_at_work, "somebody is texted, or nobody is left to text")
        for process in dice.sample(crowd, len(crowd)):
            process.join(dice.uniform(0, 0.25))
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
            process.join()
        in_doubt += fetch(warehouse, sending)[0][0]
    assert killed >= len(faults)
    assert in_doubt > 0, "no kill hit a hand-over: the test shows nothing"

    sandbox.app.state.faults = Faults(reject_share=0.2, **given)
    for _ in range(3):
        last = sender(warehouse, sandbox.provider(), clock, max_attempts=100).run()
    taken, told = sandbox.accepted(), states(warehouse)
    assert max(taken.values()) == 1
    assert last == Sent(), "nothing is left, and nothing is in doubt"
    assert {str(key_of(i)) for i, (status, _) in told.items() if status == "accepted"} == set(taken)
    lost = {told[i] for i in everybody if str(key_of(i)) not in taken and phone(i) not in bad}
    assert lost == {("rejected", refused)}
    assert {told[i] for i in everybody if phone(i) in bad} == (
        {("rejected", "E400")} if bad else set()
    )


def rows_read(connection: sa.Connection, name: str, **binds: Any) -> int:
    """How many rows of tables a statement of ours has read, with what functions read for it."""
    read = sa.text(
        "SELECT CAST(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS bigint) "
        "FROM pg_stat_xact_user_tables"
    )
    before = connection.execute(read).scalar_one()
    db.run(connection, name, **binds)
    return int(connection.execute(read).scalar_one() - before)


def test_a_batch_and_a_stop_cost_the_same_however_many_wait(warehouse: sa.Engine) -> None:
    """Also where the planner last looked when all were drafts, so that it knows of none queued."""
    waiting = range(1, 3_001)
    people(warehouse, *waiting)
    queue(warehouse, *waiting, status="draft")
    execute(warehouse, "ANALYZE")
    execute(warehouse, "UPDATE outbox.message SET status = 'queued'")
    policy = policy_with()
    claim = {
        "now": NOW,
        "wall": NOW,
        "today": NOW.date(),
        "max_age_days": 3,
        "provider": "infobip",
        "bulk_id": "bulk",
        "claimed_by": 1,
        "batch_size": 20,
        "contact_id": None,
        "is_refused": False,
        "purpose": policy.consent.purpose,
        "clocks": policy.clocks,
        "sender": 0,
        "senders": 1,
    }
    stop = {"phone_hash": hashed(2_000), "channel": "sms", "source": "reply", "at": NOW}
    with warehouse.begin() as connection:
        assert rows_read(connection, "outbox/claim", **claim) < 20 * 50
        assert rows_read(connection, "core/opt_out_phone", **stop) < 50
    assert Counter(states(warehouse).values()) == Counter(
        {("sending", None): 20, ("queued", None): 2_979, ("cancelled", "opted_out"): 1}
    )


@pytest.mark.usefixtures("one_lane")
def test_two_senders_of_the_same_contacts_share_the_work(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, *range(1, 61))
    queue(warehouse, *range(1, 61))
    one = sender(warehouse, sandbox.provider(), clock)
    other = sender(warehouse, sandbox.provider(), clock)
    totals: list[Sent] = []
    inner = sandbox.provider()

    def send(*args: Any, **kwargs: Any) -> list[Answer]:
        if not totals:  # in the middle of one's first batch
            totals.append(Sent())
            totals[0] = other.run()
        return inner.send(*args, **kwargs)

    one.provider = Scripted(inner, send=send)  # type: ignore[assignment]
    mine = one.run()
    assert (totals[0].accepted, mine.accepted) == (40, 20)
    assert totals[0].in_doubt == 20, "a live sender's claims are left alone"
    assert set(sandbox.accepted().values()) == {1}


@pytest.mark.parametrize(("queued", "lanes"), [(0, 1), (1, 1), (7, outbox.LANES)])
def test_no_more_lanes_are_begun_than_the_queue_has_batches_for(
    queued: int,
    lanes: int,
    warehouse: sa.Engine,
    sandbox: Sandbox,
    clock: SimulatedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each costs a session and a claim. Where there is enough, all of them are at work at once."""
    contact_ids = range(1, queued + 1)
    if queued:
        people(warehouse, *contact_ids)
        queue(warehouse, *contact_ids)
    at_work: set[int] = set()
    claimed_by: set[int] = set()
    claim = Sender._claim

    def noted(self: Sender, *args: Any, **kwargs: Any) -> Any:
        claimed_by.add(threading.get_ident())
        return claim(self, *args, **kwargs)

    def send(*args: Any, **kwargs: Any) -> list[Answer]:
        at_work.add(threading.get_ident())
        in_time(lambda: len(at_work) == lanes, "every lane has a batch")
        return sandbox.provider().send(*args, **kwargs)

    monkeypatch.setattr(Sender, "_claim", noted)
    one = sender(warehouse, Scripted(sandbox.provider(), send=send), clock, batch_size=2)
    assert one.run().accepted == queued
    assert len(claimed_by) == lanes
    assert sandbox.accepted() == Counter(str(key_of(i)) for i in contact_ids)


@pytest.mark.usefixtures("one_lane")
def test_a_sender_whose_session_was_cut_hands_nothing_over_any_more(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, 1, 2)
    queue(warehouse, 1, 2)
    inner = sandbox.provider()

    def send(*args: Any, **kwargs: Any) -> list[Answer]:
        execute(
            warehouse,
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        return inner.send(*args, **kwargs)

    with pytest.raises(sa.exc.OperationalError):
        sender(warehouse, Scripted(inner, send=send), clock, wall, batch_size=1).run()
    assert len(sandbox.accepted()) == 1
    assert states(warehouse) == {1: ("accepted", None), 2: ("sending", None)}
    assert sender(warehouse, inner, clock, wall).run() == Sent(accepted=1, requeued=1)
    assert set(sandbox.accepted().values()) == {1} and len(sandbox.accepted()) == 2


# --- judged once more at the hand-over -----------------------------------------------------------


def test_what_happened_since_the_decision_cancels_with_its_reason(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, *range(1, 21))
    late = {"not_after": NOW}
    old = {"as_of": AS_OF - timedelta(days=4)}
    queue(warehouse, *(i for i in range(1, 21) if i not in (8, 9)))
    queue(warehouse, 8, **late)
    queue(warehouse, 9, **old)
    withdrawn = {"source": "crm", "record_key": "w", "channel": "sms", "load_id": 2}
    insert(
        warehouse,
        "core.consent",
        {"contact_id": 2, "purpose": "marketing", "withdrawn_at": NOW, "effective_at": NOW}
        | withdrawn,
        # Of another purpose, and not before tomorrow: neither counts.
        {"contact_id": 1, "purpose": "service", "withdrawn_at": NOW, "effective_at": NOW}
        | withdrawn,
        {
            "contact_id": 1,
            "purpose": "marketing",
            "withdrawn_at": NOW + timedelta(days=1),
            "effective_at": NOW + timedelta(days=1),
        }
        | withdrawn,
    )
    stop = {"channel": "sms", "source": "test", "since": NOW}
    insert(
        warehouse,
        "core.suppression",
        {"contact_id": 3, "phone_hash": None, "reason": "opted_out", "lifted_at": None} | stop,
        {"contact_id": 0, "phone_hash": hashed(4), "reason": "complaint", "lifted_at": None} | stop,
        {"contact_id": 10, "phone_hash": hashed(10), "reason": "hard_bounce", "lifted_at": None}
        | stop,
        # An older number of the contact, and a stop that was taken back.
        {"contact_id": 11, "phone_hash": hashed(99), "reason": "hard_bounce", "lifted_at": None}
        | stop,
        {"contact_id": 12, "phone_hash": hashed(12), "reason": "opted_out", "lifted_at": NOW}
        | stop,
    )
    execute(
        warehouse,
        "UPDATE core.contact_activity SET last_signal_on = :d WHERE contact_id = 5",
        d=QUIET + timedelta(days=1),
    )
    queue_hit(warehouse, 6)
    execute(
        warehouse,
        "UPDATE core.contact SET phone_e164 = :p, phone_hash = :h WHERE contact_id = 7",
        p=phone(70),
        h=hashed(70),
    )
    reply = {"provider": "infobip", "text": "no more?", "meaning": "unclear", "received_at": NOW}
    insert(
        warehouse,
        "outbox.reply",
        {"provider_reply_id": "a", "phone_hash": hashed(13), "reviewed_at": None} | reply,
        {"provider_reply_id": "b", "phone_hash": hashed(14), "reviewed_at": NOW} | reply,
    )
    execute(warehouse, "UPDATE core.contact SET merged_into = 1 WHERE contact_id = 15")
    execute(warehouse, "UPDATE core.contact SET status = 'unsubscribed' WHERE contact_id = 16")
    execute(
        warehouse,
        "UPDATE core.contact SET phone_e164 = NULL, phone_hash = NULL WHERE contact_id = 17",
    )
    execute(warehouse, "UPDATE cohort.episode SET closed_on = :d WHERE contact_id = 18", d=AS_OF)
    execute(warehouse, "DELETE FROM core.consent WHERE contact_id = 19")
    execute(
        warehouse,
        "UPDATE core.contact SET phone_kind = CASE contact_id WHEN 20 THEN"
        " CAST('fixed_line' AS core.phone_kind) ELSE 'mobile' END WHERE contact_id IN (1, 20)",
    )

    result = sender(warehouse, sandbox.provider(), clock).run()

    told = states(warehouse)
    reasons = {i: code for i, (status, code) in told.items() if status == "cancelled"}
    assert reasons == {
        2: "no_consent",
        3: "suppressed",
        4: "suppressed",
        5: "returned",
        6: "opened",
        7: "phone_changed",
        8: "too_late",
        9: "too_old",
        10: "suppressed",
        13: "unread_reply",
        15: "phone_changed",
        16: "suppressed",
        17: "phone_changed",
        18: "returned",
        19: "no_consent",
        20: "not_mobile",
    }
    sent = {i for i, (status, _) in told.items() if status == "accepted"}
    assert sent == {1, 11, 12, 14}
    assert sandbox.accepted() == Counter(str(key_of(i)) for i in sent)
    assert (result.accepted, result.cancelled) == (4, 16)
    untouched = "SELECT count(*) FROM outbox.message WHERE status = 'cancelled' AND "
    assert fetch(warehouse, untouched + "(provider IS NOT NULL OR attempts > 0)") == [(0,)]


def queue_hit(engine: sa.Engine, contact_id: int) -> None:
    """An earlier step of the episode, opened by a human."""
    first = {"step": "first", "message_id": key_of(contact_id, "first"), "status": "delivered"}
    execute(
        engine,
        "UPDATE outbox.message SET step = 'contest', message_id = :m WHERE contact_id = :i",
        m=key_of(contact_id, "contest"),
        i=contact_id,
    )
    queue(engine, contact_id, **first)
    insert(
        engine,
        "outbox.hit",
        {
            "code": "c",
            "contact_id": contact_id,
            "message_id": key_of(contact_id, "first"),
            "at": NOW,
            "kind": "press",
            "method": "POST",
            "user_agent": "",
            "purpose": "",
        },
    )


def test_quiet_hours_move_a_message_and_do_not_drop_it(
    warehouse: sa.Engine, sandbox: Sandbox
) -> None:
    people(warehouse, 1, 2)
    execute(
        warehouse, "UPDATE core.contact SET time_zone = 'Pacific/Honolulu' WHERE contact_id = 2"
    )
    queue(warehouse, 1, 2)
    clock = SimulatedClock(NOW)  # 05:00 in Honolulu
    result = sender(warehouse, sandbox.provider(), clock).run()
    assert (result.accepted, result.deferred) == (1, 1)
    opening = datetime(2026, 3, 3, 19, 0, tzinfo=UTC)
    columns = "SELECT status::text, not_before, attempts FROM outbox.message WHERE contact_id = 2"
    assert fetch(warehouse, columns) == [("queued", opening, 0)]
    clock.move_to(opening)
    assert sender(warehouse, sandbox.provider(), clock).run() == Sent(accepted=1)
    assert sandbox.accepted() == Counter([str(key_of(1)), str(key_of(2))])


def test_what_waits_for_a_refusal_keeps_its_code_in_quiet_hours_and_when_it_is_taken(
    warehouse: sa.Engine, sandbox: Sandbox
) -> None:
    people(warehouse, 1)
    execute(warehouse, "UPDATE core.contact SET time_zone = 'Pacific/Honolulu'")
    queue(warehouse, 1)
    execute(warehouse, f"UPDATE outbox.message SET refused_at = '{NOW}', error_code = '29999'")
    clock = SimulatedClock(NOW)
    assert sender(warehouse, sandbox.provider(), clock).run() == Sent(deferred=1)
    kept = "SELECT error_code, refused_at IS NOT NULL FROM outbox.message"
    assert fetch(warehouse, kept) == [("29999", True)]
    clock.move_to(datetime(2026, 3, 3, 19, 0, tzinfo=UTC))
    assert sender(warehouse, sandbox.provider(), clock).run() == Sent(accepted=1)
    assert fetch(warehouse, kept) == [(None, False)]


@pytest.mark.parametrize(("kind", "is_sent"), [("infobip", True), ("mailup", False)])
def test_what_may_ring_when_the_night_has_begun_waits_where_no_end_can_be_named(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, kind: str, is_sent: bool
) -> None:
    people(warehouse, 1)
    queue(warehouse, 1)
    sandbox.kind = kind
    clock.move_to(datetime(2026, 3, 4, 0, 45, tzinfo=UTC))  # 19:45 in New York
    result = sender(warehouse, sandbox.provider(), clock).run()
    assert result == (Sent(accepted=1) if is_sent else Sent(deferred=1))
    if not is_sent:
        opening = datetime(2026, 3, 4, 14, 0, tzinfo=UTC)
        assert fetch(warehouse, "SELECT not_before FROM outbox.message") == [(opening,)]
        clock.move_to(opening)
        assert sender(warehouse, sandbox.provider(), clock).run() == Sent(accepted=1)


def test_a_sender_keeps_its_pace_in_the_warehouse(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, 1)
    queue(warehouse, 1)
    sandbox.kind = "twilio"
    sender(warehouse, sandbox.provider(), clock).run()
    ((key, next_at),) = fetch(warehouse, "SELECT key, next_at FROM outbox.pace")
    assert key.startswith("twilio 127.0.0.1:") and KEY not in key
    assert abs(next_at - wall_clock()) < timedelta(minutes=1), "by the wall, not the simulation"


def test_no_message_is_given_less_time_than_it_has(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, *range(1, 9))
    ends = {i: NOW + timedelta(minutes=5 if i % 2 else 600) for i in range(1, 9)}
    for i, end in ends.items():
        queue(warehouse, i, not_after=end)
    given: dict[str, datetime] = {}
    inner = sandbox.provider()

    def send(
        bulk_id: str, batch: list[Outgoing], sender: str, valid_until: datetime, now: datetime
    ) -> list[Answer]:
        given.update(dict.fromkeys((m.message_id for m in batch), valid_until))
        return inner.send(bulk_id, batch, sender, valid_until, now)

    scripted = Scripted(inner, send=send)
    assert sender(warehouse, scripted, clock).run() == Sent(accepted=8)
    assert given == {str(key_of(i)): end for i, end in ends.items()}
    assert scripted.calls["send"] == 2


# --- a provider that refuses, or is away ---------------------------------------------------------


def test_a_refused_key_loses_nothing(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, *range(1, 31))
    queue(warehouse, *range(1, 31))
    for _ in range(7):
        with pytest.raises(ProviderError, match="key") as told:
            sender(warehouse, sandbox.provider(key="wrong"), clock).run()
    assert "wrong" not in str(told.value) and "+1" not in str(told.value)
    assert {status for status, _ in states(warehouse).values()} == {"queued"}
    assert sender(warehouse, sandbox.provider(), clock).run() == Sent(accepted=30)
    assert set(sandbox.accepted().values()) == {1}


@pytest.mark.usefixtures("one_lane")
@pytest.mark.parametrize("fault", ["away", "too fast"])
def test_an_outage_rejects_nobody_however_long_it_lasts(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time, fault: str
) -> None:
    people(warehouse, 1, 2)
    queue(warehouse, 1, 2)
    away = provider_for(account("http://127.0.0.1:9"), 1.0)
    sandbox.app.state.faults = Faults(error_share=1, error_status=429)
    for _ in range(3):
        provider = away if fault == "away" else sandbox.provider()
        assert sender(warehouse, provider, clock, wall).run() == Sent()
    assert wall.slept == list(outbox.BACK_OFF_SECONDS) * 3
    assert fetch(warehouse, "SELECT DISTINCT attempts FROM outbox.message") == [(0,)]
    assert {status for status, _ in states(warehouse).values()} == {"queued"}
    sandbox.app.state.faults = Faults()
    assert sender(warehouse, sandbox.provider(), clock, wall).run() == Sent(accepted=2)


@pytest.mark.parametrize("kind", ["infobip", "twilio", "mailup"])
def test_credit_that_runs_out_stops_at_once_and_burns_no_message(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, kind: str
) -> None:
    people(warehouse, *range(1, 61))
    queue(warehouse, *range(1, 61))
    sandbox.kind = kind
    sandbox.app.state.faults = Faults(credit=30, rate_per_second=10_000)
    for _ in range(3):
        with pytest.raises(ProviderError, match="credit"):
            sender(warehouse, sandbox.provider(), clock).run()
    assert Counter(status for status, _ in states(warehouse).values()) == {
        "accepted": 30,
        "queued": 30,
    }
    assert fetch(warehouse, "SELECT sum(attempts) FROM outbox.message") == [(30,)]
    sandbox.app.state.faults = Faults(rate_per_second=10_000)
    assert sender(warehouse, sandbox.provider(), clock).run() == Sent(accepted=30)
    assert len(sandbox.accepted()) == 60 and set(sandbox.accepted().values()) == {1}


# How each provider is made to refuse a number with a code: the HTTP status of its answer.
REFUSALS = {"infobip": 200, "twilio": 400, "mailup": 403}
LISTED = {
    Cause.NUMBER: "rejected",
    Cause.STOP: "rejected",
    Cause.MESSAGE: "rejected",
    Cause.MOMENT: "queued",
    Cause.DOUBT: "unknown",
}


def refuse(sandbox: Sandbox, codes: dict[str, str], status: int) -> None:
    """Let the sandbox refuse numbers ("*": all), each with its code."""
    refused = {to: RefusedNumber(code=code, status=status) for to, code in codes.items()}
    sandbox.app.state.faults = Faults(refuse=refused, rate_per_second=10_000, no_bulk_of_one=True)


def sent_to(sandbox: Sandbox) -> Counter[int]:
    """How often each contact was really texted."""
    file = sandbox.folder / "accepted.jsonl"
    return Counter(int(record["to"][-4:]) for _, _, record in lines(file))


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_does_what_its_list_says_and_the_others_go_out(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time, kind: str
) -> None:
    """The head of the queue: a number for every code of every list but the account's; and each of a
    code that is on none, in whatever form.
    """
    lists = codes_of(kind)
    listed = [
        (code, cause)
        for cause in LISTED
        for code in lists.of(cause)
        if kind == "infobip" or code.isdecimal()  # the others are of reports alone
    ]
    first, others = range(1, len(listed) + 1), range(len(listed) + 1, len(listed) + 21)
    people(warehouse, *first, *others)
    queue(warehouse, *first, *others)
    sandbox.kind = kind
    given = dict(zip(first, listed, strict=True))
    refuse(sandbox, {phone(i): code for i, (code, _) in given.items()}, REFUSALS[kind])

    result = sender(warehouse, sandbox.provider(), clock, wall, batch_size=500).run()

    told = states(warehouse)
    wrong = {
        given[i]: told[i]
        for i in first
        if told[i] != (LISTED[given[i][1]], given[i][0]) and given[i][1] is not Cause.DOUBT
    }
    assert wrong == {}
    assert {told[i][0] for i in others} == {"accepted"} and sent_to(sandbox) == Counter(others)
    assert result.unlisted == {}
    suppressed = """SELECT contact_id, reason::text FROM core.suppression
                    WHERE lifted_at IS NULL AND contact_id > 0"""
    reasons = {Cause.NUMBER: "hard_bounce", Cause.STOP: "opted_out"}
    assert dict(fetch(warehouse, suppressed)) == {
        i: reasons[cause] for i, (_, cause) in given.items() if cause in reasons
    }
    waiting = f"""SELECT count(*) FROM outbox.message WHERE status = 'queued' AND attempts = 0
                  AND not_before > '{NOW}'"""
    assert fetch(warehouse, waiting)[0][0] >= sum(c is Cause.MOMENT for _, c in listed)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("infobip", 200, "REJECTED_INVENTED"),
        ("infobip", 400, "E400"),
        ("infobip", 422, "E422"),
        ("twilio", 400, "21999"),
        ("mailup", 400, "199"),
    ],
)
def test_a_code_on_no_list_is_of_one_message_suppresses_nobody_and_is_told(
    warehouse: sa.Engine,
    sandbox: Sandbox,
    clock: SimulatedClock,
    wall: Time,
    kind: str,
    status: int,
    code: str,
) -> None:
    people(warehouse, *range(1, 41))
    queue(warehouse, *range(1, 41))
    sandbox.kind = kind
    refused = {1, 2, 3, 17}
    refuse(sandbox, {phone(i): code for i in refused}, status)
    result = sender(warehouse, sandbox.provider(), clock, wall, batch_size=40).run()
    assert result == Sent(accepted=36, rejected=4, unlisted=Counter({code: 4}))
    assert (
        f"4 of the rejected with codes that are on no list, so that nobody is suppressed for "
        f"them ({code}: 4)" in result.summary()
    )
    assert sent_to(sandbox) == Counter(set(range(1, 41)) - refused)
    assert {i for i, state in states(warehouse).items() if state == ("rejected", code)} == refused
    assert fetch(warehouse, "SELECT count(*) FROM core.suppression") == [(0,)]


@pytest.mark.usefixtures("one_lane")
@pytest.mark.parametrize(
    ("kind", "status"), [("infobip", 200), ("infobip", 400), ("twilio", 400), ("mailup", 400)]
)
def test_where_everybody_is_refused_the_run_ends_and_the_next_begins_elsewhere(
    warehouse: sa.Engine,
    sandbox: Sandbox,
    clock: SimulatedClock,
    wall: Time,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    status: int,
) -> None:
    monkeypatch.setattr(single, "POOL", 1)
    people(warehouse, *range(1, 61))
    queue(warehouse, *range(1, 61))
    sandbox.kind = kind
    refuse(sandbox, {"*": "29999"}, status)
    # In a row, of which a request may hold more; then one alone, from the other end.
    in_a_row = 30 if status == 200 else 20
    for refused in (in_a_row, in_a_row + 1, in_a_row + 2):
        with pytest.raises(ProviderError, match=r"one number after another with 29999") as error:
            sender(warehouse, sandbox.provider(), clock, wall, batch_size=30).run()
        assert "+1" not in str(error.value)
        unspent = "SELECT sum(attempts), count(refused_at) FROM outbox.message"
        assert fetch(warehouse, unspent) == [(0, refused)]
    assert Counter(status for status, _ in states(warehouse).values()) == {"queued": 60}
    last = "SELECT contact_id FROM outbox.message WHERE refused_at IS NOT NULL ORDER BY 1 DESC"
    assert fetch(warehouse, last)[:2] == [(60,), (59,)]
    # It was of some of them: the others go out, and those are given up, each with its code.
    refuse(sandbox, {phone(i): "29999" for i in range(1, 26)}, status)
    result = sender(warehouse, sandbox.provider(), clock, wall, batch_size=30).run()
    assert result == Sent(accepted=35, rejected=25, unlisted=Counter({"29999": 25}))
    assert sent_to(sandbox) == Counter(range(26, 61))
    assert fetch(warehouse, "SELECT count(*) FROM core.suppression") == [(0,)]


def test_what_was_queued_before_a_refusal_was_kept_apart_still_goes_out(
    new_warehouse: Callable[..., Any], sandbox: Sandbox, clock: SimulatedClock, wall: Time
) -> None:
    with new_warehouse("0028") as engine:
        people(engine, 1, 2)
        queue(engine, 1)
        claimed(engine, wall(), 2)
        db.migrate(engine)
        result = sender(engine, sandbox.provider(), clock, wall).run()
    assert result == Sent(accepted=2, requeued=1)


def test_what_is_refused_just_now_waits_and_lets_the_others_by(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, *range(1, 41))
    queue(warehouse, *range(1, 41))
    sandbox.kind = "twilio"
    refuse(sandbox, {phone(i): "30450" for i in range(1, 11)}, 400)
    result = sender(warehouse, sandbox.provider(), clock, wall, batch_size=10).run()
    assert result == Sent(accepted=30, deferred=10) and wall.slept == []
    sandbox.app.state.faults = Faults(rate_per_second=10_000)
    clock.move_to(NOW + timedelta(minutes=31))
    assert sender(warehouse, sandbox.provider(), clock, wall).run() == Sent(accepted=10)


class Killed(BaseException):
    """What a kill is to a thread."""


@settings(max_examples=examples(12))
@given(
    bad=st.sets(st.integers(0, 15), min_size=1, max_size=4),
    at=st.integers(1, 9),
    how=st.sampled_from(["before the call", "after the call", "answer lost", "session cut"]),
)
def test_halves_go_out_once_whatever_is_killed_or_lost_between(
    warehouse: sa.Engine, tmp_path_factory: pytest.TempPathFactory, bad: set[int], at: int, how: str
) -> None:
    (begin,) = fetch(warehouse, "SELECT count(*) + 1 FROM outbox.message")[0]
    everybody = range(begin, begin + 16)
    people(warehouse, *everybody)
    queue(warehouse, *everybody)
    clock, wall, folder = SimulatedClock(NOW), Time(), tmp_path_factory.mktemp("sandbox")
    with (
        pytest.MonkeyPatch.context() as patch,
        serve(app := create_sandbox(folder, clock, KEY, "seed")) as server,
    ):
        for part in (outbox, in_doubt):
            patch.setattr(part, "time", SimpleNamespace(sleep=wall.sleep))
        sandbox = Sandbox(folder, app, server.url)
        refuse(sandbox, {phone(begin + i): "E400" for i in bad}, 400)
        inner, calls_made = sandbox.provider(), Counter[str]()
        one = sender(warehouse, inner, clock, wall, batch_size=16)

        def send(*args: Any, **kwargs: Any) -> list[Answer]:
            calls_made["send"] += 1
            if calls_made["send"] != at:
                return inner.send(*args, **kwargs)
            if how == "session cut":
                execute(
                    warehouse,
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND"
                    " database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                )
                return inner.send(*args, **kwargs)
            if how != "before the call":
                answers = inner.send(*args, **kwargs)
            if how == "answer lost":
                return [replace(a, outcome=Outcome.UNKNOWN, is_unlisted=False) for a in answers]
            # What is dead writes nothing down any more.
            patch.setattr(one.answers, "record", lambda *_: None)
            raise Killed

        one.provider = Scripted(inner, send=send, log=inner.log)  # type: ignore[assignment]
        with suppress(Killed, sa.exc.OperationalError):
            one.run()
        for _ in range(2):
            sender(warehouse, sandbox.provider(), clock, wall, batch_size=16).run()
        told = states(warehouse)
        assert sandbox.accepted() == Counter(
            str(key_of(i)) for i in everybody if i - begin not in bad
        )
        for i in everybody:
            assert told[i] == (("rejected", "E400") if i - begin in bad else ("accepted", None))


# --- in doubt ------------------------------------------------------------------------------------


def test_a_lost_answer_is_found_in_the_log(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, *range(1, 41))
    queue(warehouse, *range(1, 41))
    sandbox.app.state.faults = Faults(drop_answer_share=1)
    assert sender(warehouse, sandbox.provider(), clock, wall).run() == Sent(accepted=40)
    assert sandbox.accepted() == Counter(str(key_of(i)) for i in range(1, 41))
    assert wall.slept == [], "what the log has at once needs no waiting"


def test_what_a_settled_log_does_not_have_is_sent_again_and_at_last_given_up(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, 1)
    queue(warehouse, 1)
    sandbox.app.state.faults = Faults(error_share=1)  # 503: nobody can say
    inner = sandbox.provider()
    asked: list[datetime] = []
    sent: list[datetime] = []

    def log(bulk_id: str, handed: Any) -> list[LogEntry]:
        asked.append(wall())
        return inner.log(bulk_id, handed)

    def send(*args: Any, **kwargs: Any) -> list[Answer]:
        if sent:
            settled = sent[-1] + timedelta(seconds=15 + 30)
            assert any(settled <= moment for moment in asked), "resent before it was proved unsent"
        sent.append(wall())
        return inner.send(*args, **kwargs)

    provider = Scripted(inner, log=log, send=send)
    for _ in range(4):
        sender(
            warehouse, provider, clock, wall, settle_seconds=30, timeout_seconds=15, max_attempts=5
        ).run()
    assert len(sent) == 5
    assert states(warehouse) == {1: ("rejected", "not_sent")}
    assert max(wall.slept) <= 45


def test_what_the_account_had_no_credit_for_is_queued_again_also_when_its_sender_is_dead(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, 1)
    claimed(warehouse, wall(), 1, provider="infobip")
    logged = [entry(1, "rejected", "REJECTED_NOT_ENOUGH_CREDITS", may_go_again=True)]
    provider = Scripted(sandbox.provider(), log=lambda *_: logged)
    assert sender(warehouse, provider, clock, wall).run() == Sent(accepted=1, requeued=1)
    assert set(sandbox.accepted().values()) == {1}


def test_a_claim_of_a_dead_sender_is_settled_message_by_message(
    warehouse: sa.Engine, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, 1, 2, 3, 4)
    claimed(warehouse, wall(), 1, 2, 3)
    claimed(warehouse, wall(), 4, status="unknown", error_code="read_timeout")
    logged = [
        entry(1, "delivered"),
        entry(2, "rejected"),
        entry(4, "accepted"),
        entry(9, "expired"),
    ]
    provider = Scripted(log=lambda *_: logged, send=no_send)
    waiting = sender(warehouse, provider, clock, wall, max_attempts=1)
    assert waiting.run() == Sent(accepted=2, rejected=2)
    assert states(warehouse) == {
        1: ("accepted", None),
        2: ("rejected", "CODE"),
        3: ("rejected", "not_sent"),
        4: ("accepted", None),
    }
    assert sum(wall.slept) == pytest.approx(1.3)


def test_claims_of_a_live_sender_are_left_alone(
    warehouse: sa.Engine, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, 1)
    claimed(warehouse, wall() - timedelta(hours=1), 1)
    provider = Scripted(send=answer_all)
    with warehouse.connect() as session:
        session.execute(sa.text("SELECT pg_advisory_lock(77)"))
        assert sender(warehouse, provider, clock, wall).run() == Sent(in_doubt=1)
        assert provider.calls["log"] == 0
        session.execute(sa.text("SELECT pg_advisory_unlock(77)"))
    assert sender(warehouse, provider, clock, wall).run() == Sent(accepted=1, requeued=1)


@pytest.mark.parametrize("by", ["wall", "simulated clock"])
def test_what_the_log_has_forgotten_stays_unknown_for_good(
    warehouse: sa.Engine, clock: SimulatedClock, wall: Time, by: str
) -> None:
    people(warehouse, 1)
    claimed(warehouse, wall(), 1, not_after=NOW + timedelta(days=30), as_of=NOW.date())
    if by == "wall":
        wall.sleep(47.5 * 3600)
    else:
        clock.move_to(NOW + timedelta(hours=48))
        wall.sleep(60)
    provider = Scripted(send=no_send)
    for _ in range(3):
        assert sender(warehouse, provider, clock, wall).run() == Sent(in_doubt=1)
    assert states(warehouse) == {1: ("unknown", "unprovable")}
    assert provider.calls["log"] == 1, "what can never be proved is not asked about again"


def test_a_log_that_cannot_be_read_proves_nothing(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, *range(1, 5))
    claimed(warehouse, wall() - timedelta(hours=1), 1, 2)
    claimed(warehouse, wall(), 3, bulk_id="other")
    sandbox.app.state.faults = Faults(log_error_share=1)
    for _ in range(2):
        assert sender(warehouse, sandbox.provider(), clock, wall).run() == Sent(in_doubt=3)
    reads = Counter[str]()

    def log(bulk_id: str, handed: Any) -> list[LogEntry]:
        reads[bulk_id] += 1
        if bulk_id == "other" or reads[bulk_id] > 1:
            raise ProviderUnavailable("away")
        return []

    # Read once before it had settled, and not after.
    execute(warehouse, "UPDATE outbox.message SET claimed_at = :now", now=wall())
    once = Scripted(log=log, send=no_send)
    assert sender(warehouse, once, clock, wall).run() == Sent(in_doubt=3)
    assert reads["bulk"] >= 2
    assert not sandbox.accepted()


def test_a_claim_dated_by_a_wrong_clock_is_not_waited_for_and_not_resent(
    warehouse: sa.Engine, clock: SimulatedClock, wall: Time
) -> None:
    people(warehouse, 1)
    claimed(warehouse, wall() + timedelta(days=365), 1)
    result = sender(warehouse, Scripted(send=no_send), clock, wall).run()
    assert result == Sent(in_doubt=1)
    assert sum(wall.slept) <= 2 * 1.3 + 0.001


def no_send(*_: Any, **__: Any) -> list[Answer]:
    raise AssertionError("sent what may be out already")


def answer_all(bulk_id: str, batch: list[Outgoing], *_: Any, **__: Any) -> list[Answer]:
    return [Answer(m.message_id, Outcome.ACCEPTED) for m in batch]


def entry(contact_id: int, status: Any, code: str = "CODE", **values: Any) -> LogEntry:
    return LogEntry(
        **{
            "message_id": str(key_of(contact_id)),
            "status": status,
            "raw_code": code,
            "suppress": None,
            "segments": 1,
            "price": Decimal("0.01"),
            "currency": "USD",
            "occurred_at": NOW + timedelta(minutes=1),
            **values,
        }
    )


@pytest.mark.parametrize("kind", ["twilio", "mailup"])
def test_lost_answers_of_providers_that_do_not_know_our_ids_are_found_in_their_logs(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time, kind: str
) -> None:
    people(warehouse, *range(1, 21))
    queue(warehouse, *range(1, 21))
    sandbox.kind = kind
    sandbox.app.state.faults = Faults(drop_answer_share=0.5, rate_per_second=10_000)
    assert sender(warehouse, sandbox.provider(), clock, wall).run() == Sent(accepted=20)
    assert sandbox.accepted() == Counter(str(key_of(i)) for i in range(1, 21))
    assert wall.slept == []


@pytest.mark.parametrize("kind", ["twilio", "mailup"])
def test_an_absence_is_no_proof_before_the_last_request_of_a_batch_must_have_been_made(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, wall: Time, kind: str
) -> None:
    people(warehouse, 1)
    claimed(warehouse, wall(), 1, provider=kind)
    sandbox.kind = kind
    assert sender(warehouse, sandbox.provider(), clock, wall).run() == Sent(accepted=1, requeued=1)
    assert sum(wall.slept) == pytest.approx(1.0 + PATIENCE + 0.3)


# --- what comes back -----------------------------------------------------------------------------


def poll(engine: sa.Engine, clock: Clock, *logs: LogEntry, replies: Any = ()) -> Counter[str]:
    pages = iter([list(replies)] if replies else [])
    provider = Scripted(log=lambda *_: list(logs), replies=lambda: next(pages, []))
    return incoming.poll(engine, provider, policy_with(), clock)  # type: ignore[arg-type]


FAILURES = ("undelivered", "expired", "rejected")


@settings(max_examples=examples(40))
@given(
    st.lists(
        st.lists(st.sampled_from(["accepted", "delivered", *FAILURES]), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_a_success_never_overwrites_a_failure_in_whatever_order_they_come(
    warehouse: sa.Engine, batches: list[list[str]]
) -> None:
    clock = SimulatedClock(NOW)
    (contact_id,) = fetch(warehouse, "SELECT count(*) + 1 FROM outbox.message")[0]
    queue(
        warehouse,
        contact_id,
        status="accepted",
        accepted_at=NOW,
        provider="infobip",
        bulk_id=f"b{contact_id}",
    )
    number = 0
    for batch in batches:
        rows = []
        for status in batch:
            number += 1
            rows.append(
                entry(contact_id, status, f"C{number}", occurred_at=NOW + timedelta(seconds=number))
            )
        keep_receipts(warehouse, "infobip", rows, NOW)
        with warehouse.begin() as connection:
            apply_receipts(connection, "sms", clock())
    status, code = states(warehouse)[contact_id]
    seen = {status for batch in batches for status in batch}
    if seen & set(FAILURES):
        assert status in FAILURES and code
    else:
        assert (status, code) == ("delivered" if "delivered" in seen else "accepted", None)


def test_twilios_price_comes_later_than_its_receipt(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, *range(1, 5))
    queue(warehouse, *range(1, 5))
    sandbox.kind = "twilio"
    sender(warehouse, sandbox.provider(), clock).run()
    known = """SELECT DISTINCT status::text, price, currency, segments FROM outbox.message"""
    told = []
    for minutes in (3, 20, 40):
        clock.move_to(NOW + timedelta(minutes=minutes))
        told.append(incoming.poll(warehouse, sandbox.provider(), policy_with(), clock))
        if minutes == 3:
            assert fetch(warehouse, known) == [("delivered", None, None, 1)]
    assert told == [{"delivered": 4}, {}, {}]
    assert fetch(warehouse, known) == [("delivered", Decimal("0.00790"), "USD", 1)]


def test_mailups_receipts_are_polled_and_its_credits_kept(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, *range(1, 5))
    queue(warehouse, *range(1, 5))
    sandbox.kind = "mailup"
    sender(warehouse, sandbox.provider(), clock).run()
    clock.move_to(NOW + timedelta(minutes=3))
    found = incoming.poll(warehouse, sandbox.provider(), policy_with(), clock)
    assert sum(found.values()) == 4 and found["delivered"] >= 3
    facts = "SELECT DISTINCT price, currency FROM outbox.message"
    assert fetch(warehouse, facts) == [(Decimal("1.0"), "credits")]


def test_replies_to_twilio_are_heard_once(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, 1, 2)
    queue(warehouse, 1)
    sandbox.kind = "twilio"
    sender(warehouse, sandbox.provider(), clock).run()
    said = {"reply_id": "r1", "from": phone(1), "text": "STOP", "received_at": NOW.isoformat()}
    append(sandbox.folder / "replies.jsonl", [said])
    heard = [incoming.take_replies(warehouse, sandbox.provider(), policy_with()) for _ in range(2)]
    assert heard == [{"stop": 1}, {}]
    opted_out = "SELECT contact_id FROM core.suppression ORDER BY contact_id"
    assert fetch(warehouse, opted_out) == [(0,), (1,)]


def test_a_receipt_by_webhook_finds_its_message_and_one_of_nobody_is_kept(
    warehouse: sa.Engine, clock: SimulatedClock
) -> None:
    people(warehouse, 1)
    queue(warehouse, 1, status="unknown", provider="twilio", bulk_id="b")
    sent = entry(1, "accepted", "sent", segments=None, price=None, currency=None)
    told = [replace(sent, status="delivered"), sent, replace(sent, message_id="SM1")]
    keep_receipts(warehouse, "twilio", told, NOW)
    with warehouse.begin() as connection:
        apply_receipts(connection, "sms", clock())
    assert states(warehouse) == {1: ("delivered", None)}
    assert fetch(warehouse, "SELECT count(*) FROM outbox.receipt") == [(3,)]


@pytest.mark.parametrize("kind", ["infobip", "twilio"])
def test_webhooks_come_to_the_same_however_often_and_in_whatever_order_they_come(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock, kind: str
) -> None:
    everybody = range(1, 201)
    people(warehouse, *everybody)
    queue(warehouse, *everybody)
    sandbox.kind = kind
    sender(warehouse, sandbox.provider(), clock).run()
    provider, until = sandbox.provider(), NOW + timedelta(days=1)
    mixed = Faults(repeat_receipt_share=0.5, shuffle_receipts=True)
    came = [
        provider.hear(Webhook(*call), until).receipts
        for call in calls(sandbox.folder, KEY, "seed", until, mixed, "https://l.example/hear")
    ]
    assert len(came) > 270
    for receipts in came:
        keep_receipts(warehouse, kind, receipts, until)
        with warehouse.begin() as connection:
            apply_receipts(connection, "sms", until)
    fates = {
        i: receipt("seed", str(key_of(i))).group.lower().replace("able", "ed") for i in everybody
    }
    assert {i: status for i, (status, _) in states(warehouse).items()} == fates
    bounced = "SELECT count(*) FROM core.suppression WHERE reason = 'hard_bounce'"
    assert fetch(warehouse, bounced) == [(Counter(fates.values())["undelivered"],)]


def test_receipts_are_applied_once(warehouse: sa.Engine, clock: SimulatedClock) -> None:
    people(warehouse, 1, 2)
    ours = {"status": "accepted", "accepted_at": NOW, "provider": "infobip", "bulk_id": "b"}
    queue(warehouse, 1, 2, **ours)
    stranger = entry(1, "delivered", message_id="no-message-of-ours")
    logged = (entry(1, "delivered"), entry(2, "accepted"), stranger)
    assert poll(warehouse, clock, *logged) == {"delivered": 2}
    assert poll(warehouse, clock, *logged) == {}
    facts = "SELECT status::text, delivered_at, price, currency FROM outbox.message ORDER BY 1"
    assert fetch(warehouse, facts) == [
        ("accepted", None, None, None),
        ("delivered", NOW + timedelta(minutes=1), Decimal("0.01"), "USD"),
    ]
    assert fetch(warehouse, "SELECT count(*) FROM outbox.receipt") == [(2,)]


def test_a_receipt_proves_that_a_requeued_message_is_out(
    warehouse: sa.Engine, clock: SimulatedClock
) -> None:
    people(warehouse, 1, 2)
    queue(warehouse, 1, attempts=1, provider="infobip", bulk_id="b")
    queue(warehouse, 2, status="accepted", accepted_at=NOW, provider="infobip", bulk_id="b")
    poll(warehouse, clock, entry(1, "delivered"), entry(2, "delivered"))
    assert sender(warehouse, Scripted(send=no_send), clock).run() == Sent()
    assert {status for status, _ in states(warehouse).values()} == {"delivered"}


@pytest.mark.parametrize("suppress", [None, "hard_bounce"])
def test_answers_and_the_receipts_that_overtake_them_do_not_wait_for_each_other(
    warehouse: sa.Engine, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch, suppress: Any
) -> None:
    people(warehouse, 1, 2)
    queue(warehouse, 1, 2, status="sending", provider="infobip", bulk_id="b", attempts=1)
    one = sender(warehouse, Scripted(), clock)
    # Receipts are applied in the order of their messages' ids; these answers come the other way.
    last, first = sorted((1, 2), key=key_of, reverse=True)
    keep_receipts(warehouse, "infobip", [entry(i, "accepted") for i in (1, 2)], NOW)
    run, others = db.run, list[Future[None]]()
    waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'"""

    def apply() -> None:
        with warehouse.begin() as connection:
            apply_receipts(connection, "sms", NOW)

    def slow(connection: sa.Connection, name: str, *args: Any, **binds: Any) -> Any:
        result = run(connection, name, *args, **binds)
        if name == "outbox/record_answers" and not others:
            others.append(pool.submit(apply))
            in_time(lambda: others[0].done() or fetch(warehouse, waiting)[0][0], "they meet")
        return result

    monkeypatch.setattr(db, "run", slow)
    claims = [Claimed(i, str(key_of(i)), phone(i), "Hello", NOW, ()) for i in (last, first)]
    with ThreadPoolExecutor(1) as pool:
        one.answers.record(
            "b",
            claims,
            [
                Answer(str(key_of(last)), Outcome.ACCEPTED, raw_code="1"),
                Answer(str(key_of(first)), Outcome.REJECTED, raw_code="2", suppress=suppress),
            ],
        )
        others[0].result()
    assert {i: status for i, (status, _) in states(warehouse).items()} == {
        last: "accepted",
        first: "rejected",
    }


def test_a_refusal_for_want_of_credit_takes_no_text_that_is_sent_later(
    warehouse: sa.Engine, clock: SimulatedClock
) -> None:
    people(warehouse, 1, 2, 3, 4)
    queue(warehouse, 1, provider="infobip", bulk_id="first")
    queue(warehouse, 2, status="sending", provider="infobip", bulk_id="first", attempts=1)
    given = {"provider": "infobip", "accepted_at": NOW}
    queue(warehouse, 3, status="accepted", bulk_id="second", **given)
    queue(warehouse, 4, status="accepted", bulk_id="first", **given)
    refused = [
        entry(i, "rejected", "REJECTED_NOT_ENOUGH_CREDITS", bulk_id="first") for i in (1, 2, 3, 4)
    ]
    told = [
        *refused,
        entry(5, "rejected", bulk_id="first"),
        entry(6, "rejected", bulk_id="first", message_id="no-message-of-ours"),
    ]
    for receipts in (told, [entry(3, "delivered", bulk_id="second")]):
        keep_receipts(warehouse, "infobip", receipts, NOW)
        with warehouse.begin() as connection:
            apply_receipts(connection, "sms", NOW)
    assert {i: status for i, (status, _) in states(warehouse).items()} == {
        1: "queued",
        2: "sending",
        3: "delivered",
        4: "rejected",
    }


def test_a_number_that_is_bad_for_good_is_suppressed_each_of_them_once(
    warehouse: sa.Engine, clock: SimulatedClock
) -> None:
    people(warehouse, 1, 2)
    ours = {"status": "accepted", "accepted_at": NOW, "provider": "infobip", "bulk_id": "b"}
    queue(warehouse, 1, 2, **ours)
    queue(
        warehouse,
        1,
        **ours,
        step="contest",
        message_id=key_of(1, "contest"),
        phone_hash=hashed(100),
    )
    logged = (
        entry(1, "undelivered", suppress="hard_bounce"),
        entry(1, "undelivered", suppress="hard_bounce", message_id=str(key_of(1, "contest"))),
        entry(2, "undelivered"),
    )
    for _ in range(2):
        poll(warehouse, clock, *logged)
    suppressed = "SELECT contact_id, phone_hash FROM core.suppression WHERE reason = 'hard_bounce'"
    assert sorted(fetch(warehouse, suppressed)) == sorted([(1, hashed(1)), (1, hashed(100))])


def test_an_opt_out_that_a_receipt_tells_is_one_of_the_number_and_no_bounce(
    warehouse: sa.Engine, clock: SimulatedClock
) -> None:
    people(warehouse, 1, 2, 3)
    execute(
        warehouse,
        "UPDATE core.contact SET phone_e164 = :p, phone_hash = :h WHERE contact_id = 2",
        p=phone(1),
        h=hashed(1),
    )
    queue(warehouse, 1, status="accepted", accepted_at=NOW, provider="twilio", bulk_id="b")
    queue(warehouse, 2, phone_hash=hashed(1))
    queue(warehouse, 3)
    told = [entry(1, "rejected", "21610", suppress="opted_out")]
    for _ in range(2):
        keep_receipts(warehouse, "twilio", told, NOW)
        with warehouse.begin() as connection:
            apply_receipts(connection, "sms", clock())
    suppressed = "SELECT contact_id, phone_hash, reason::text, since FROM core.suppression"
    at = NOW + timedelta(minutes=1)
    assert sorted(fetch(warehouse, suppressed)) == [
        (i, hashed(1), "opted_out", at) for i in (0, 1, 2)
    ]
    stand = "SELECT contact_id, status::text FROM core.contact ORDER BY contact_id"
    assert fetch(warehouse, stand) == [(1, "unsubscribed"), (2, "unsubscribed"), (3, "active")]
    assert states(warehouse) == {
        1: ("rejected", "21610"),
        2: ("cancelled", "opted_out"),
        3: ("queued", None),
    }


def reply(contact_id: int, text: str) -> Reply:
    return Reply(f"r{contact_id}", phone(contact_id), text, NOW)


def test_replies_opt_out_by_phone_or_wait_for_a_person(
    warehouse: sa.Engine, sandbox: Sandbox, clock: SimulatedClock
) -> None:
    people(warehouse, 1, 2, 3, 4)
    execute(
        warehouse,
        "UPDATE core.contact SET phone_e164 = :p, phone_hash = :h WHERE contact_id = 2",
        p=phone(1),
        h=hashed(1),
    )
    queue(warehouse, 1, 3, 4)
    queue(warehouse, 2, phone_hash=hashed(1))
    texts = [
        reply(1, "STOP"),
        reply(3, "call me on +1 212 555 0000, no more texts"),
        reply(4, "Thanks!\0 \ud800"),
        Reply("short", "+INFO", "STOP", NOW),
    ]
    assert poll(warehouse, clock, replies=texts) == {"stop": 2, "unclear": 2}
    assert poll(warehouse, clock, replies=texts) == {}
    kept = dict(fetch(warehouse, "SELECT provider_reply_id, text FROM outbox.reply"))
    assert set(kept) == {"r1", "r3", "r4", "short"} and "555" not in kept["r3"]
    assert sender(warehouse, sandbox.provider(), clock).run().accepted == 0
    assert states(warehouse) == {
        1: ("cancelled", "opted_out"),
        2: ("cancelled", "opted_out"),
        3: ("cancelled", "unread_reply"),
        4: ("cancelled", "unread_reply"),
    }


def test_a_stop_survives_a_kill_and_a_log_that_is_away(
    warehouse: sa.Engine, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(warehouse, 1)
    queue(warehouse, 1, status="accepted", accepted_at=NOW, provider="infobip", bulk_id="b")
    pages = iter([[reply(1, "stop")]])

    def away(*_: Any) -> list[LogEntry]:
        raise ProviderUnavailable("infobip could not be asked")

    provider: Any = Scripted(log=away, replies=lambda: next(pages, []))
    with monkeypatch.context() as patch:
        patch.setattr(incoming, "apply_replies", lambda *_: None)  # killed right after keeping it
        with pytest.raises(ProviderUnavailable):
            incoming.poll(warehouse, provider, policy_with(), clock)
    suppressed = "SELECT count(*) FROM core.suppression WHERE contact_id IN (0, 1)"
    assert fetch(warehouse, suppressed) == [(0,)]
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            incoming.poll(warehouse, provider, policy_with(), clock)
        assert fetch(warehouse, suppressed) == [(2,)]


# --- drafting ------------------------------------------------------------------------------------


def test_a_draft_replaces_what_was_never_handed_over_and_nothing_else(
    warehouse: sa.Engine, clock: SimulatedClock
) -> None:
    people(warehouse, 1, 2, 3)
    queue(warehouse, 1, status="cancelled", error_code="too_late", attempts=2)
    queue(warehouse, 2, status="unknown", body="out, perhaps")
    insert(
        warehouse,
        "cohort.decision",
        *(
            {
                "as_of": AS_OF,
                "contact_id": i,
                "dormant_since": QUIET,
                "inactive_days": 30,
                "step": "survey",
                "prior_sends": 0,
                "prior_opens": 0,
                "action": "send",
                "reason": "due",
                "policy_version": "v",
            }
            for i in (1, 2, 3)
        ),
    )
    with warehouse.begin() as connection:
        done = drafts.draft(connection, policy_with(), AS_OF, clock(), "http://127.0.0.1:1")
    assert (done.texts, done.failed) == (3, {})
    assert states(warehouse) == {1: ("draft", None), 2: ("unknown", None), 3: ("draft", None)}
    linked = "SELECT contact_id FROM outbox.link ORDER BY contact_id"
    assert fetch(warehouse, linked) == [(1,), (3,)]
    insert(
        warehouse,
        "cohort.day",
        {
            "as_of": AS_OF,
            "policy_version": "v",
            "decided_at": NOW,
            "last_load_id": 0,
            "released_at": NOW,
        },
    )
    assert release.release(warehouse, policy_with(), AS_OF, "survey", clock()) == 2
    assert release.release(warehouse, policy_with(), AS_OF, "survey", clock()) == 0
    assert release.statuses(warehouse, AS_OF) == {("survey", "queued"): 2, ("survey", "unknown"): 1}
    assert Sent(accepted=1, in_doubt=2).summary() == "1 accepted, 2 in doubt"
