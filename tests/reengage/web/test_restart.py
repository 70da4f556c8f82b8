"""The link service beside a warehouse that is restarted, crashes, and loses it a worker."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from test_web import QUIET, rows

import patience
from patience import free_port, in_time
from reengage import db
from reengage.settings import INCLUDE
from reengage.texts.messages import message_id
from reengage_local.postgres import EmbeddedServer

VISITORS = 6
CONTACTS = 2000
OPENED = 100  # contacts whose links are opened; each of the others opts out once


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of this test alone, as users run it."""
    server = EmbeddedServer(tmp_path)
    server.start()
    yield server
    server.forget()


def code(contact_id: int) -> str:
    return f"A{contact_id:08}"


def fill(warehouse: sa.Engine) -> None:
    """Contacts who were each sent a survey an hour ago."""
    now = datetime.now(UTC)
    sent, until = now - timedelta(hours=1), now + timedelta(days=180)
    tables: dict[str, list[dict[str, Any]]] = {
        "core.contact": [],
        "outbox.message": [],
        "outbox.link": [],
    }
    for contact_id in range(1, CONTACTS + 1):
        person: dict[str, Any] = {"contact_id": contact_id}
        phone: dict[str, Any] = {"phone_hash": f"phone {contact_id}"}
        message = {"message_id": message_id(contact_id, QUIET, "survey", "sms")}
        tables["core.contact"].append(
            person
            | phone
            | {"first_source": "crm", "first_source_contact_id": contact_id, "first_seen_on": QUIET}
        )
        tables["outbox.message"].append(
            person
            | phone
            | message
            | {
                "dormant_since": QUIET,
                "step": "survey",
                "channel": "sms",
                "as_of": QUIET,
                "encoding": "GSM-7",
                "segments": 1,
                "not_before": sent,
                "not_after": sent,
                "status": "delivered",
                "status_at": sent,
                "accepted_at": sent,
            }
        )
        tables["outbox.link"].append(
            person
            | message
            | {
                "code": code(contact_id),
                "target": "landing:survey",
                "created_at": sent,
                "expires_at": until,
            }
        )
    with warehouse.begin() as connection:
        for table, some in tables.items():
            db.copy(connection, table, list(some[0]), (list(one.values()) for one in some))


@contextmanager
def web(server: EmbeddedServer) -> Iterator[tuple[int, int]]:
    """`reengage web` with two workers, which may not be ready yet: its process, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "reengage.cli", "web", "--port", str(port), "--workers", "2"]
    with (server.home / "web.log").open("w") as log:
        service = subprocess.Popen(
            command,
            env={
                **os.environ,
                "AIRFLOW_CONN_REENGAGE_WAREHOUSE": server.dsn("warehouse"),
                "REENGAGE_HOME": str(server.home),
                "REENGAGE_POLICY": str(INCLUDE / "journey.yaml"),
            },
            stdout=log,
            stderr=log,
        )
        try:
            yield service.pid, port
        finally:
            service.terminate()
            service.wait(120)


class Visitors:
    """People who open links, and press "No more texts", until they are told to leave.

    asked: what each request was, by its name, which is its User-Agent; answers: the statuses of
    those that were answered.
    """

    def __init__(self, port: int) -> None:
        self.asked: dict[str, tuple[str, int]] = {}
        self.answers: dict[str, int] = {}
        self._port = port
        self._number = itertools.count()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._visit) for _ in range(VISITORS)]

    def _visit(self) -> None:
        wire = HTTPConnection("127.0.0.1", self._port, timeout=patience.SECONDS)
        while not self._end.is_set():
            number = next(self._number)
            name = f"visitor {number}"
            is_press = number % 5 == 0
            contact_id = OPENED + 1 + number // 5 if is_press else 1 + number % OPENED
            self.asked[name] = ("press" if is_press else "view", contact_id)
            method, path = ("POST", "/opt-out") if is_press else ("GET", "")
            try:
                wire.request(method, f"/{code(contact_id)}{path}", headers={"User-Agent": name})
                answer = wire.getresponse()
                answer.read()
                self.answers[name] = answer.status
            except (OSError, HTTPException):
                wire.close()  # it connects again
                time.sleep(0.01)
        wire.close()

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests were answered."""
        enough = len(self.answers) + more
        in_time(lambda: len(self.answers) >= enough, f"{enough} requests are answered")

    def __enter__(self) -> "Visitors":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()


def is_ready(port: int) -> bool:
    wire = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        wire.request("GET", "/readyz")
        return wire.getresponse().status == 200
    except OSError:
        return False
    finally:
        wire.close()


def busiest_worker(service: int) -> int:
    """The process id of the worker that has most connections."""
    children = Path(f"/proc/{service}/task/{service}/children").read_text().split()
    workers = [
        int(pid)
        for pid in children
        if b"multiprocessing.spawn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(workers) == 2

    def connections(pid: int) -> int:
        found = 0
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found += "socket" in str(file.readlink())
        return found

    return max(workers, key=connections)


def is_listening(server: EmbeddedServer) -> bool:
    with socket.socket() as probe:
        return (
            probe.connect_ex(("127.0.0.1", int(server.dsn("").rsplit(":", 1)[1].strip("/")))) == 0
        )


def restart(server: EmbeddedServer, mode: str) -> None:
    server._run(
        "pg_ctl",
        "-D",
        str(server.data),
        "-l",
        str(server.log),
        "-m",
        mode,
        "-w",
        "-t",
        "300",
        "restart",
    )


def test_nothing_that_was_answered_is_lost_by_a_restart_a_crash_or_a_killed_worker(
    server: EmbeddedServer,
) -> None:
    warehouse = db.engine("postgresql+psycopg" + server.dsn("warehouse").removeprefix("postgresql"))
    with web(server) as (service, port):
        db.migrate(warehouse)
        fill(warehouse)
        # A crash of the server alone does not show it, but one of the machine would.
        settings = [rows(warehouse, f"SHOW {name}") for name in ("fsync", "full_page_writes")]
        assert settings == [[("on",)], [("on",)]]
        in_time(lambda: is_ready(port), (server.home / "web.log").read_text, every=0.1)

        with Visitors(port) as visitors:
            in_time(lambda: 200 in visitors.answers.copy().values(), "a link is opened")
            restart(server, "fast")
            visitors.wait_for(100)
            crash = threading.Thread(target=restart, args=(server, "immediate"))
            crash.start()
            in_time(lambda: not is_listening(server), "the server is down")
            os.kill(busiest_worker(service), signal.SIGKILL)
            crash.join()
            visitors.wait_for(100)

        answered = visitors.answers
        taken = {name for name in answered if visitors.asked[name][0] == "view"}
        stopped = {name for name in answered if visitors.asked[name][0] == "press"}
        assert {answered[name] for name in taken} == {200, 503}, "503 says that the hit is kept"
        assert {answered[name] for name in stopped} == {200}
        assert len(visitors.asked) - len(answered) <= VISITORS, "only the killed worker's are cut"
        assert "was not properly shut down" in server.log.read_text(), "it did crash"

        def hits() -> Counter[str]:
            return Counter(name for (name,) in rows(warehouse, "SELECT user_agent FROM outbox.hit"))

        # With the second worker dead or alive, somebody brings what waits.
        in_time(lambda: answered.keys() <= hits().keys(), "every hit is written", every=0.1)
        kept = server.home / "web"
        in_time(lambda: not any(kept.glob("*.jsonl")), "nothing waits any more", every=0.1)

    found = hits()
    assert answered.keys() - found.keys() == set(), "lost"
    assert [name for name, times in found.items() if times > 1] == [], "twice"
    assert found.keys() <= visitors.asked.keys()
    kept = rows(warehouse, "SELECT user_agent, kind::text, contact_id FROM outbox.hit")
    assert {name: (kind, contact_id) for name, kind, contact_id in kept} == {
        name: visitors.asked[name] for name in found
    }
    opted_out = Counter(
        contact_id
        for (contact_id,) in rows(
            warehouse, "SELECT contact_id FROM core.suppression WHERE reason = 'opted_out'"
        )
    )
    assert {visitors.asked[name][1] for name in stopped} - opted_out.keys() == set(), "lost"
    assert set(opted_out.values()) == {1}, "twice"
    pressed = {contact_id for _, kind, contact_id in kept if kind == "press"}
    assert opted_out.keys() == pressed, "a press is its hit and its stop, or neither"
    warehouse.dispose()
