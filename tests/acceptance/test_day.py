"""`reengage day`, as a person runs it: whole, twice, killed, side by side, and refused."""

import fcntl
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
import yaml
from typist import Typist

import homes as made
import patience
from depth import IS_SOAK
from patience import in_time
from reengage.settings import INCLUDE
from reengage_local.postgres import EmbeddedServer

AS_OF = date(2026, 3, 2)  # a Monday; texts go out on Tuesday
PEOPLE = 300
REENGAGE = str(Path(sys.executable).parent / "reengage")

SOURCES = {
    "crm": {
        "entity": "contact",
        "columns": {
            "source_contact_id": "id",
            "phone": "mobile",
            "first_name": "name",
            "country": {"value": "US"},
            "created_at": "created",
            "shop_account_id": "account",
        },
        "identities": {"shop_account_id": "shop"},
    },
    "shop": {
        "entity": "interaction",
        "kind": "purchase",
        "columns": {
            "source_event_id": "order",
            "source_contact_id": "account",
            "occurred_at": "at",
            "amount": "total",
        },
    },
    "consents": {
        "entity": "consent",
        "columns": {
            "source_contact_id": "id",
            "contact_source": {"value": "crm"},
            "channel": {"value": "sms"},
            "purpose": {"value": "marketing"},
            "granted_at": "granted",
            "withdrawn_at": "withdrawn",
        },
    },
}


@dataclass(frozen=True)
class Data:
    """The sources' files, as frames."""

    folder: Path
    crm: pd.DataFrame
    shop: pd.DataFrame
    consents: pd.DataFrame


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("data")
    dice = random.Random(11)
    ids = range(1, PEOPLE + 1)
    crm = pd.DataFrame(
        {
            "id": [f"c{i}" for i in ids],
            "mobile": [None if i % 29 == 0 else f"+1212736{1000 + i}" for i in ids],
            "name": "Ada",
            "created": [AS_OF - timedelta(days=dice.randint(20, 400)) for _ in ids],
            "account": [f"a{i}" for i in ids],
        }
    )
    orders = [
        # At any minute of the day, so that the zones put many of them on different dates.
        (
            f"a{i}",
            pd.Timestamp(AS_OF, tz="UTC")
            + pd.Timedelta(days=1)
            - pd.Timedelta(minutes=dice.randint(1, 130 * 1440)),
        )
        for i in ids
        if i % 10
        for _ in range(dice.randint(1, 2))
    ]
    orders.append(("a1", pd.Timestamp(AS_OF, tz="UTC") + pd.Timedelta(hours=12)))
    orders.append(("a2", pd.Timestamp(AS_OF, tz="UTC") + pd.Timedelta(days=2)))  # not seen yet
    # On the edge of a step: one of these lies on another date in the other zone.
    for i, days in enumerate((30, 31, 60, 61, 90, 91), start=3):
        orders = [order for order in orders if order[0] != f"a{i}"]
        edge = pd.Timestamp(AS_OF, tz="UTC") - pd.Timedelta(days=days)
        orders.append((f"a{i}", edge + pd.Timedelta(hours=2)))
    # A day short of the first step on AS_OF, in both zones: due on the day after it.
    for i in (9, 11, 12, 13):
        orders = [order for order in orders if order[0] != f"a{i}"]
        noon = pd.Timestamp(AS_OF, tz="UTC") - pd.Timedelta(days=29, hours=-12)
        orders.append((f"a{i}", noon))
    shop = pd.DataFrame(orders, columns=["account", "at"])
    shop.insert(0, "order", [f"o{n}" for n in range(len(shop))])
    shop["total"] = 10
    consents = pd.DataFrame(
        {
            "id": [f"c{i}" for i in ids if i % 17],
            "granted": "2024-01-01T00:00:00",
            "withdrawn": ["2025-06-01T00:00:00" if i % 23 == 0 else None for i in ids if i % 17],
        }
    )
    for name, frame in (("crm", crm), ("shop", shop), ("consents", consents)):
        frame.to_csv(folder / f"{name}.csv", index=False)
        source = {
            "source": name,
            "connector": "files",
            "path": f"{folder}/{name}.csv",
            "time_zone": "UTC",
            "required": True,
            **SOURCES[name],
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(source))
    return Data(folder, crm, shop, consents)


def expected(data: Data, zone: str) -> set[tuple[Any, ...]]:
    """Who is decided on the day, for what, and with which reason, computed without the warehouse:
    (CRM id, inactive days, step, action, reason).
    """
    orders = data.shop.assign(day=pd.to_datetime(data.shop["at"]).dt.tz_convert(zone).dt.date)
    last = orders[orders["day"] <= AS_OF].groupby("account")["day"].max()
    given = data.consents.set_index("id")["withdrawn"]
    found = set()
    for person in data.crm.itertuples():
        quiet_since = last.get(person.account, person.created)
        days = (AS_OF - quiet_since).days
        if days < 30:
            continue
        step = "survey" if days < 60 else "contest" if days < 90 else "coupon"
        draw = int(hashlib.md5(f"spring:crm:{person.id}".encode()).hexdigest()[:8], 16)
        if person.id not in given.index or not pd.isna(given[person.id]):
            action, reason = "hold", "no_consent"
        elif pd.isna(person.mobile):
            action, reason = "hold", "no_phone"
        elif draw < 0.10 * 2**32:
            action, reason = "hold", "control"
        else:
            action, reason = "send", "due"
        found.add((person.id, days, step, action, reason))
    return found


@dataclass
class Home:
    """An installation of its own."""

    folder: Path
    environment: dict[str, str]

    @cached_property
    def typist(self) -> Typist:
        """Who types commands in one process: who needs no process of its own saves its start."""
        return Typist(self.environment, self.folder.parent)

    def type(self, as_of: date, *more: str, code: int = 0, **environment: str) -> str:
        """A day typed, with what it said."""
        self.typist.begin("day", "--as-of", as_of.isoformat(), *more, **environment)
        return self.typed(code)

    def typed(self, code: int = 0) -> str:
        """What the day said that the typist has begun."""
        came, said = self.typist.end()
        assert came == code, said
        assert "Traceback" not in said
        return said

    def popen(self, *command: str, **more: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [REENGAGE, *command],
            env={**self.environment, **more},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def day(self, as_of: date = AS_OF, **more: str) -> "subprocess.Popen[str]":
        return self.popen("day", "--as-of", as_of.isoformat(), **more)

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        dsn = EmbeddedServer(self.folder).dsn("warehouse")
        with psycopg.connect(dsn) as connection:
            return connection.execute(query).fetchall()

    def accepted(self) -> Counter[str]:
        """How often each phone was texted."""
        file = self.folder / "sandbox" / "accepted.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return Counter(json.loads(line)["to"] for line in lines)

    def decisions(self) -> set[tuple[Any, ...]]:
        return set(
            self.fetch(
                """SELECT c.first_source_contact_id, d.inactive_days, d.step, d.action::text,
                      d.reason::text
               FROM cohort.decision AS d INNER JOIN core.contact AS c USING (contact_id)
               WHERE d.as_of = '2026-03-02'"""
            )
        )

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that a second run of the day must not change."""
        tables = (
            "cohort.decision",
            "cohort.episode",
            "outbox.message",
            "outbox.link",
            "outbox.coupon",
            "outbox.receipt",
            "outbox.reply",
            "core.suppression",
            "core.contact",
            "outcome.contact_outcome",
            "outcome.daily_step",
        )
        return {name: self.fetch(f"SELECT t::text FROM {name} AS t ORDER BY 1") for name in tables}


def done(process: "subprocess.Popen[str]", code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=patience.SECONDS)
    assert process.returncode == code, f"{out}\n{err}"
    assert "Traceback" not in out + err
    return out, err


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Iterator[dict[str, Home]]:
    folder = tmp_path_factory.mktemp("homes")
    policy = (INCLUDE / "journey.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("settle_seconds: 30", "settle_seconds: 0.5"),
        ("batch_size: 500", "batch_size: 10"),
        ("timeout_seconds: 15", "timeout_seconds: 2"),
        ("entry: in_order", "entry: by_days"),  # every step on the first day
    ):
        assert old in policy
        policy = policy.replace(old, new)
    found = {}
    for name, zone in (
        ("new york", "America/New_York"),
        ("tokyo", "Asia/Tokyo"),
        ("killed", "America/New_York"),
    ):
        file = folder / f"{name}.yaml"
        file.write_text(policy.replace("time_zone: America/New_York", f"time_zone: {zone}"))
        if name != "killed":  # whose first days are killed from nothing on
            made.with_airflow(folder / name)
        found[name] = Home(
            folder / name,
            made.environment(
                folder / name, REENGAGE_POLICY=str(file), REENGAGE_SOURCES=str(data.folder)
            ),
        )
    yield found
    for home in found.values():
        if "typist" in vars(home):
            home.typist.leave()
        EmbeddedServer(home.folder).forget()


@pytest.fixture(scope="module")
def days(homes: dict[str, Home]) -> dict[str, str]:
    """The day, in two homes at once: what each said."""
    both = ("new york", "tokyo")
    for name in both:
        homes[name].typist.begin("day", "--as-of", AS_OF.isoformat())
    return {name: homes[name].typed() for name in both}


@pytest.mark.parametrize("name", ["new york", "tokyo"])
def test_a_day_decides_and_texts_exactly_whom_it_should(
    name: str, homes: dict[str, Home], days: dict[str, str], data: Data
) -> None:
    home = homes[name]
    zone = {"new york": "America/New_York", "tokyo": "Asia/Tokyo"}[name]
    wanted = expected(data, zone)
    assert home.decisions() == wanted
    due = {row[0] for row in wanted if row[3] == "send"}
    phones = data.crm.set_index("id").loc[sorted(due), "mobile"]
    assert home.accepted() == Counter(phones)
    assert len(due) > 100 and {row[4] for row in wanted} >= {"no_consent", "no_phone", "control"}
    assert "Decisions" in days[name] and "Messages" in days[name]


def test_the_zones_differ(data: Data) -> None:
    assert expected(data, "America/New_York") != expected(data, "Asia/Tokyo")


def test_a_day_run_again_changes_nothing_and_is_alone(
    homes: dict[str, Home], days: dict[str, str]
) -> None:
    home = homes["new york"]
    before, texted = home.state(), home.accepted()
    home.typist.begin("day", "--as-of", AS_OF.isoformat())
    in_time(lambda: _is_at_work(home), "the day is at work")
    _, refusal = done(home.day(), code=1)
    assert "`make day` is at work" in refusal and str(home.folder) in refusal
    home.typed()
    assert home.accepted() == texted
    after = home.state()
    assert {name for name in before if before[name] != after[name]} == set()

    out, err = done(home.popen("dsn"))
    assert out == EmbeddedServer(home.folder).dsn("warehouse") + "\n" and err == ""


def _is_at_work(home: Home) -> bool:
    with (home.folder / "working.lock").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.kills
def test_a_day_killed_anywhere_ends_as_if_it_never_had_been(
    homes: dict[str, Home], days: dict[str, str]
) -> None:
    home, calm = homes["killed"], homes["new york"]
    faults = home.folder / "sandbox" / "faults.json"
    faults.parent.mkdir(parents=True)
    faults.write_text(json.dumps({"slow_seconds": 0.15, "drop_answer_share": 0.3}))
    dice = random.Random()
    moments: list[str] = []
    for wait in (dice.uniform(1, 15), *[None] * (3 if IS_SOAK else 1)):
        process = home.day()
        texted, began = len(home.accepted()), time.monotonic()
        if wait is None:  # in the middle of sending
            in_time(
                lambda texted=texted, process=process: (
                    len(home.accepted()) > texted or process.poll() is not None
                ),
                "somebody is texted, or the day is over",
            )
            wait = dice.uniform(0, 0.4)
        try:
            process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        moments.append(f"{time.monotonic() - began:.1f} s: {len(home.accepted())} texted")
    faults.unlink()
    done(home.day())
    print("killed after", moments)
    assert home.decisions() == calm.decisions()
    assert home.accepted() == calm.accepted()
    # Which of the people answer depends on the contacts' numbers; what was handed over does not.
    handed = """
        SELECT c.first_source_contact_id, m.step, m.segments, m.not_after
        FROM outbox.message AS m INNER JOIN core.contact AS c USING (contact_id)
        WHERE m.status IN ('accepted', 'delivered', 'undelivered', 'expired') ORDER BY 1"""
    assert home.fetch(handed) == calm.fetch(handed)
    steps = "SELECT as_of, step, arm::text, due, sent FROM outcome.daily_step ORDER BY 1, 2, 3"
    assert home.fetch(steps) == calm.fetch(steps)


def test_a_day_waits_for_its_answer_and_takes_it(
    homes: dict[str, Home], days: dict[str, str], tmp_path: Path
) -> None:
    home, texted = homes["tokyo"], homes["tokyo"].accepted()
    tomorrow = AS_OF + timedelta(days=1)
    approve = ("--approve", "yes")
    refused = home.type(tomorrow, *approve, code=1, REENGAGE_HOME=str(tmp_path / "none"))
    assert "approval: never" in refused and not (tmp_path / "none" / "postgres").exists()

    text = Path(home.environment["REENGAGE_POLICY"]).read_text(encoding="utf-8")
    asks = tmp_path / "asks.yaml"
    asks.write_text(text.replace("approval: never", "approval: always"), encoding="utf-8")

    waits = home.type(tomorrow, code=1, REENGAGE_POLICY=str(asks))
    assert "to be written to" in waits and "Gates" in waits
    assert f"make day AS_OF={tomorrow} APPROVE=yes" in waits and "APPROVE=no" in waits
    assert home.accepted() == texted
    query = f"SELECT DISTINCT status::text FROM outbox.message WHERE as_of = '{tomorrow}'"
    assert home.fetch(query) == [("draft",)]

    home.type(tomorrow, "--approve", "no", REENGAGE_POLICY=str(asks))
    assert home.accepted() == texted and home.fetch(query) == [("cancelled",)]


def test_a_real_provider_is_refused_and_nothing_is_sent(
    homes: dict[str, Home], days: dict[str, str], data: Data
) -> None:
    home, texted = homes["tokyo"], homes["tokyo"].accepted()
    real = {"conn_type": "infobip", "host": "example.com", "password": "real-key"}
    later = AS_OF + timedelta(days=2)
    said = home.type(later, code=1, AIRFLOW_CONN_REENGAGE_SMS=json.dumps(real))
    assert "clock is simulated" in said and "real-key" not in said
    assert home.accepted() == texted
    queued = f"SELECT DISTINCT status::text FROM outbox.message WHERE as_of = '{later}'"
    assert home.fetch(queued) in ([("queued",)], [])


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [("shop.yaml", "source: [broken", ["shop.yaml"]), ("shop.yaml", None, ["shop", "nowhere.csv"])],
)
def test_a_broken_source_is_told_in_plain_words(
    homes: dict[str, Home],
    days: dict[str, str],
    data: Data,
    tmp_path: Path,
    file: str,
    text: str | None,
    words: list[str],
) -> None:
    home = homes["tokyo"]
    for source in data.folder.glob("*.yaml"):
        (tmp_path / source.name).write_text(source.read_text())
    if text is None:
        text = (data.folder / file).read_text().replace("shop.csv", "nowhere.csv")
    (tmp_path / file).write_text(text)
    later = AS_OF + timedelta(days=3)
    said = home.type(later, code=1, REENGAGE_SOURCES=str(tmp_path))
    assert all(word in said for word in words), said
    assert not home.fetch(f"SELECT 1 FROM cohort.day WHERE as_of = '{later}'")
