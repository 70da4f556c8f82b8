"""One pace for all senders: in threads, in processes, on machines whose clocks differ."""

import itertools
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

import forks
from depth import examples
from patience import lags
from reengage import db
from reengage.errors import ConfigurationError
from reengage.sending import rate
from reengage.sending.providers import Account, provider_for
from reengage.sending.rate import Booking, SharedPace

ACCOUNT, SENDER = "twilio api AC1", "twilio api AC1 from +12125550100"
RATE, SENDER_RATE = 60.0, 37.0
HELD = 3.0  # seconds


class Noted(SharedPace):
    """Writes down each turn that it was given, by the database's clock."""

    turns_at: list[float]

    def _book(self, turns: int, within_seconds: float) -> Booking:
        booking = super()._book(turns, within_seconds)
        if booking.is_booked:
            first = booking.first_at.timestamp()
            self.turns_at.extend(first + number * self._gap for number in range(turns))
        return booking


def noted(engine: sa.Engine, limits: dict[str, float | None]) -> Noted:
    shared = Noted(engine, limits)
    shared.turns_at = []
    return shared


def moment(engine: sa.Engine) -> float:
    """The time of the database's clock."""
    with engine.connect() as connection:
        now: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return now.timestamp()


def most_in_a_second(moments: list[float]) -> int:
    """The most of them in any second, its end left out. To the microsecond, as they are booked."""
    moments, first, most = sorted(moments), 0, 0
    for number, moment in enumerate(moments):
        while moment - moments[first] >= 1 - 1e-6:
            first += 1
        most = max(most, number - first + 1)
    return most


def begin(address: str, limits: dict[str, float | None], seconds: float, file: Path) -> None:
    """One sender, in a process of its own: four threads that begin as fast as they may."""
    shared = noted(db.engine(address), limits)
    end, lock = time.monotonic() + seconds, threading.Lock()
    with file.open("a", encoding="utf-8") as notes:

        def requests() -> None:
            while shared.wait(1, end):
                with lock:
                    notes.write(f"begun {time.monotonic()}\n")
                    notes.flush()

        with ThreadPoolExecutor(4) as pool:
            for running in [pool.submit(requests) for _ in range(4)]:
                running.result()
        notes.writelines(f"turn {at:.6f}\n" for at in shared.turns_at)


@contextmanager
def processes(
    engine: sa.Engine, folder: Path, seconds: float, *limits: dict[str, float | None]
) -> Iterator[list[Any]]:
    context = forks.context()
    address = engine.url.render_as_string(hide_password=False)
    crowd = [
        context.Process(target=begin, args=(address, limit, seconds, folder / str(number)))
        for number, limit in enumerate(limits)
    ]
    for process in crowd:
        process.start()
    yield crowd
    for process in crowd:
        process.join()


def notes(folder: Path, what: str, number: int | str = "*") -> list[float]:
    return [
        float(line.split()[1])
        for file in folder.glob(str(number))
        for line in file.read_text().splitlines()
        if line.startswith(what)
    ]


def test_a_turn_that_is_taken_while_another_thread_holds_all_back_is_no_mistake(
    warehouse: sa.Engine,
) -> None:
    shared = SharedPace(warehouse, {ACCOUNT: 100.0})

    class Met(deque[float]):
        """Somebody else comes between a look and the taking."""

        def __bool__(self) -> bool:
            shared.hold(0.0)
            return True

    shared._turns = Met([time.monotonic() + 1])
    assert shared.wait(1, time.monotonic() + 60)


def test_four_processes_together_keep_to_the_rates_of_the_account_and_of_the_number(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    slow = {ACCOUNT: RATE, SENDER: SENDER_RATE}
    other: dict[str, float | None] = {ACCOUNT: RATE}
    with lags() as late, processes(warehouse, tmp_path, 2, slow, slow, other, other) as crowd:
        time.sleep(1)
        os.kill(crowd[2].pid, signal.SIGKILL)  # its turns are lost, and hold nobody up
    turns = notes(tmp_path, "turn")
    assert most_in_a_second(turns) <= RATE
    of_number = notes(tmp_path, "turn", 0) + notes(tmp_path, "turn", 1)
    assert 1 < most_in_a_second(of_number) <= SENDER_RATE
    # A request begins at its turn or a little later, and is so near to the ones behind it.
    begun = notes(tmp_path, "begun")
    assert most_in_a_second(begun) <= RATE * (1 + 3 * rate.LATE_SECONDS + 2 * max(late))
    assert len(begun) > RATE * 2 * (0.6 - sum(late)), "most of what is allowed is used"


@settings(max_examples=examples(25))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["both", "account"]), st.integers(1, 9), st.sampled_from([0.0, 9.0])
        ),
        min_size=2,
        max_size=25,
    )
)
def test_no_turn_is_booked_faster_than_any_of_its_rates(
    warehouse: sa.Engine, bookings: list[tuple[str, int, float]]
) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text("TRUNCATE outbox.pace"))
    both = noted(warehouse, {ACCOUNT: 31.0, SENDER: 7.0})
    account = noted(warehouse, {ACCOUNT: 31.0})
    for who, turns, within in bookings:
        (both if who == "both" else account)._book(turns, within)
    # Between two turns of a pace its gap has passed, to the microsecond of a timestamp.
    for turns_at, per_second in ((both.turns_at + account.turns_at, 31), (both.turns_at, 7)):
        ordered = sorted(turns_at)
        gaps = [later - one for one, later in itertools.pairwise(ordered)]
        assert min(gaps, default=1) >= 1 / per_second - 2e-6


def test_of_bookings_at_once_no_two_get_the_same_turn(warehouse: sa.Engine) -> None:
    senders = [
        noted(warehouse, {ACCOUNT: 500.0} | ({SENDER: 250.0} if number % 2 else {}))
        for number in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(30):
            list(pool.map(lambda sender: sender._book(1, 9.0), senders))
    turns = sorted(at for sender in senders for at in sender.turns_at)
    assert len(turns) == 240
    gaps = [later - one for one, later in itertools.pairwise(turns)]
    assert min(gaps) >= 1 / 500 - 2e-6


def test_what_one_sender_is_told_holds_back_every_other(warehouse: sa.Engine) -> None:
    one, other = noted(warehouse, {ACCOUNT: 100.0}), noted(warehouse, {ACCOUNT: 100.0})
    assert one.wait(1, time.monotonic() + 60) and other.wait(1, time.monotonic() + 60)
    time.sleep(rate.CHUNK_SECONDS + rate.LATE_SECONDS)  # until what it had booked is over
    begun, asked_at = time.monotonic(), moment(warehouse)
    one.hold(HELD)
    held_at = moment(warehouse) + HELD
    assert not other.wait(1, begun + HELD / 2)
    assert not one.wait(1, begun + HELD / 2)
    booked = len(other.turns_at)
    assert other.wait(1, time.monotonic() + 60)
    assert time.monotonic() - begun >= HELD
    looked_at = moment(warehouse)
    assert asked_at + HELD <= other.turns_at[booked] <= max(held_at, looked_at), "and no longer"


def test_a_hold_is_never_shortened(warehouse: sa.Engine) -> None:
    shared = SharedPace(warehouse, {ACCOUNT: None})
    assert shared.wait(500, time.monotonic() + 60)
    shared.hold(30)
    shared.hold(0.01)
    assert not shared.wait(1, time.monotonic() + 5)


def test_a_slow_number_keeps_no_other_from_the_account(warehouse: sa.Engine) -> None:
    slow = SharedPace(warehouse, {ACCOUNT: 100.0, SENDER: 0.02})
    assert slow.wait(1, time.monotonic() + 60)
    begun = time.monotonic()
    assert not slow.wait(1, begun + 0.2)  # its next turn is fifty seconds away
    assert SharedPace(warehouse, {ACCOUNT: 100.0}).wait(1, begun + 60)
    assert time.monotonic() - begun < 45


def test_a_batch_takes_a_turn_for_each_of_its_messages(warehouse: sa.Engine) -> None:
    shared, begun = noted(warehouse, {ACCOUNT: 10.0}), time.monotonic()
    assert shared.wait(50, begun + 60)
    shared.wait(1, begun)  # books nothing, as its turn comes later
    assert len(shared.turns_at) == 50
    with warehouse.connect() as connection:
        next_at = connection.execute(sa.text("SELECT next_at FROM outbox.pace")).scalar_one()
    assert next_at.timestamp() - shared.turns_at[0] == pytest.approx(5.0)


def test_a_turn_that_is_late_is_lost(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = noted(warehouse, {ACCOUNT: 100.0})
    assert shared.wait(1, time.monotonic() + 60)
    assert len(shared.turns_at) == 25, "a quarter of a second's worth at once"
    time.sleep(0.4)
    assert shared.wait(1, time.monotonic() + 60)
    assert len(shared.turns_at) == 50


def test_without_the_database_nothing_begins(server: Any, template: str) -> None:
    address = server.dsn("no_such_database").replace("postgresql", "postgresql+psycopg", 1)
    shared = SharedPace(db.engine(address), {ACCOUNT: 100.0})
    assert not shared.wait(1, time.monotonic() + 0.2)
    shared.hold(1)


def test_a_turn_goes_by_the_databases_clock_and_not_by_the_machines(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    SharedPace(warehouse, {ACCOUNT: 4.0}).wait(1, time.monotonic() + 60)
    wrong = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: wrong)
    begun = time.monotonic()
    assert SharedPace(warehouse, {ACCOUNT: 4.0}).wait(1, begun + 60)
    assert time.monotonic() - begun < 60, "and not after the hour"
    with warehouse.connect() as connection:
        next_at = connection.execute(sa.text("SELECT next_at FROM outbox.pace")).scalar_one()
    assert isinstance(next_at, datetime) and abs(wrong - 3600 - next_at.timestamp()) < 600


# --- what a connection says -----------------------------------------------------------------------


def limits(kind: str, **extra: Any) -> dict[str, float | None]:
    needed = dict.fromkeys(
        ("account_id", "list_id", "list_guid", "list_secret", "client_id", "client_secret"), "x"
    )
    account = Account(kind, "https://sms.example", "login", "secret-key", needed | extra)
    return provider_for(account, 1.0).limits("+12125550100")


def test_the_keys_name_the_account_and_the_number_and_no_secret() -> None:
    assert limits("infobip") == {"infobip sms.example login": None}
    assert limits("twilio") == {"twilio sms.example login": 100}
    assert limits("mailup", rate_per_second="20") == {"mailup sms.example login": 20}
    assert limits("twilio", sender_rate_per_second=3) == {
        "twilio sms.example login": 100,
        "twilio sms.example login from +12125550100": 3,
    }
    service = limits("twilio", sender_rate_per_second=3, messaging_service_sid="MG1")
    assert list(service)[1] == "twilio sms.example login from MG1"


@pytest.mark.parametrize("rate", ["fast", "-1", -3, "0"])
def test_a_rate_of_the_number_that_is_none_is_a_mistake_of_the_connection(rate: Any) -> None:
    with pytest.raises(ConfigurationError, match="sender_rate_per_second"):
        limits("infobip", sender_rate_per_second=rate)


def test_a_bulk_with_a_rate_is_no_more_than_a_second_of_it() -> None:
    def most(**extra: Any) -> int:
        return provider_for(Account("infobip", "https://x", "", "k", extra), 1.0).max_batch

    assert (most(), most(rate_per_second=80), most(sender_rate_per_second=0.5)) == (1000, 80, 1)
