"""The server that a home starts by itself, and the locks and ports around it."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from reengage.errors import ReengageError
from reengage_local.postgres import EmbeddedServer, ServerError
from reengage_local.stack import alone, kept_port


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home below a folder that only its owner may enter."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    home = private / "home"
    yield home
    EmbeddedServer(home).forget()


def ask(dsn: str, query: str) -> tuple[object, ...]:
    with psycopg.connect(dsn, connect_timeout=60) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row


def pid_of(server: EmbeddedServer) -> int:
    return int((server.data / "postmaster.pid").read_text().split("\n")[0])


def test_a_server_outlives_kills_and_keeps_to_itself(home: Path, tmp_path: Path) -> None:
    server = EmbeddedServer(home)
    dsn = server.start()

    # The application is no superuser, and nobody else reads the passwords.
    role = "SELECT rolname, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert ask(dsn, role) == ("reengage", False, False)
    assert ask(dsn, "SHOW listen_addresses") == ("127.0.0.1",)
    with pytest.raises(psycopg.OperationalError):
        ask(dsn.replace(":" + (server.folder / "password").read_text(), ":guess"), "SELECT 1")
    for name in ("password", "superuser", "dsn", "port"):
        assert stat.S_IMODE((server.folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((server.data).stat().st_mode) == 0o700
    assert not (server.folder / "initdb.password").exists()
    assert (server.folder / "dsn").read_text() == dsn

    # Started again: nothing happens.
    first, asked = pid_of(server), (server.folder / "pg_ctl.out").stat().st_mtime_ns
    assert EmbeddedServer(home).start() == dsn
    assert pid_of(server) == first
    assert (server.folder / "pg_ctl.out").stat().st_mtime_ns == asked

    # Killed, with what it had committed kept.
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    os.kill(first, signal.SIGKILL)
    assert EmbeddedServer(home).start() == dsn
    assert ask(dsn, "SELECT one FROM kept") == (1,) and pid_of(server) != first

    # Whoever launched it was killed before it had a role to log in with.
    (server.folder / "dsn").unlink()
    assert server.start() == dsn

    # Its pid has been given to another server, and its port to somebody else.
    other = EmbeddedServer(tmp_path / "other")
    try:
        assert ask(other.start(), "SELECT 1") == (1,)
        assert server.stop() and not server.stop()
        (server.data / "postmaster.pid").write_text(f"{pid_of(other)}\n{server.data}\n")
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", int((server.folder / "port").read_text())))
            taken.listen()
            again = server.start()
        assert again != dsn
        assert ask(again, "SELECT one FROM kept") == (1,)
        assert ask(other.start(), "SELECT 1") == (1,), "the other home's server was left alone"
    finally:
        other.forget()
    server.forget()
    assert not server.folder.exists()


def test_a_server_that_cannot_start_says_so_and_where_to_look(home: Path) -> None:
    server = EmbeddedServer(home)
    server.start()
    server.stop()
    # Of an earlier day; it is not why the server does not start now.
    with server.log.open("a") as log:
        log.write("LOG: could not bind IPv4 address\n")
    with (server.data / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = on\n")
    with pytest.raises(ServerError, match=r"does not start: see .*postgres\.log"):
        server.start()


def test_one_command_at_a_time_works_in_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REENGAGE_HOME", str(tmp_path))
    holder = (
        "import sys; from reengage_local.stack import alone\n"
        "with alone('demo'): print('at work', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "at work\n"
        with pytest.raises(ReengageError, match="`make demo` is at work"), alone("day"):
            pass
        process.kill()
    with alone("day"):
        assert (tmp_path / "working.lock").read_text() == "day"


def test_a_kept_port_stays_until_somebody_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REENGAGE_HOME", str(tmp_path))
    port = kept_port("web")
    assert kept_port("web") == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert kept_port("web") != port
