"""Homes that a test begins in: made once a run, and copied for each that wants one.

What a first command makes of an empty folder (a server, its roles, the schema, Airflow's metadata)
costs a quarter of a minute, a copy a fraction of a second. That it is made from nothing, and after
a kill in the middle of it, is shown where a home begins empty: test_day's killed one, test_local.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from reengage import db
from reengage_local.postgres import EmbeddedServer

ROOM = 4 * 2**30  # bytes


def folder(begins: str) -> Path:
    """A new folder of a run, in memory where that has room: a database is some hundred files."""
    memory = Path("/dev/shm")
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    return Path(tempfile.mkdtemp(prefix=begins, dir=memory if has_room else None))


# The workers of a run share what one of them has made. Whoever names the folder removes it.
_SHARED = "REENGAGE_TEST_HOMES"
IS_OWNER = _SHARED not in os.environ
FOLDER = folder("reengage-test-homes-") if IS_OWNER else Path(os.environ[_SHARED])
os.environ[_SHARED] = str(FOLDER)

PREPARE = """
from reengage_local import airflow
from reengage_local.postgres import EmbeddedServer
from reengage.settings import settings
airflow.prepare(EmbeddedServer(settings().home))
"""


def with_schema(home: Path) -> EmbeddedServer:
    """A server in `home`, not started, whose warehouse is migrated and empty."""
    return _copied(_made("schema", _make_schema), home)


def with_airflow(home: Path) -> EmbeddedServer:
    """The same, with Airflow's metadata beside it."""
    made = _made("airflow", _make_airflow)
    (home / "airflow").mkdir(parents=True)
    for mark in (made / "airflow").glob("migrated-*"):
        shutil.copy(mark, home / "airflow")
    return _copied(made, home)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who types commands in `home`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "REENGAGE"))}
    return kept | {"REENGAGE_HOME": str(home)} | more


def address(home: Path, database: str = "warehouse") -> str:
    """Where a database of a home's server is, as db.engine takes it."""
    return "postgresql+psycopg" + EmbeddedServer(home).dsn(database).removeprefix("postgresql")


def forget() -> None:
    """Remove what the run has made, at its end."""
    if IS_OWNER:
        shutil.rmtree(FOLDER, ignore_errors=True)


def careless(server: EmbeddedServer) -> None:
    """Let a running server lose what it was told when the machine crashes: nobody minds here, and a
    database is made in half the time. A crash of the server loses nothing. Nor does it vacuum
    behind a test's back.
    """
    superuser = (server.folder / "superuser").read_text(encoding="utf-8").strip()
    with psycopg.connect(
        server.dsn("postgres"), user="postgres", password=superuser, autocommit=True
    ) as connection:
        for name in ("fsync", "full_page_writes", "autovacuum"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
        connection.execute("SELECT pg_reload_conf()")


def _made(name: str, make: Callable[[Path], EmbeddedServer]) -> Path:
    """The home of this name, made by whoever comes first; the others wait for it."""
    home = FOLDER / name
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "made").exists():
            make(home).stop()
            (home / "made").touch()
    return home


def _make_schema(home: Path) -> EmbeddedServer:
    server = EmbeddedServer(home)
    server.start()
    careless(server)
    engine = db.engine(address(home))
    db.migrate(engine)
    engine.dispose()
    return server


def _make_airflow(home: Path) -> EmbeddedServer:
    server = with_schema(home)
    server.start()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREPARE], env=environment(home), check=True
    )
    return server


def _copied(made: Path, home: Path) -> EmbeddedServer:
    """The server of a made home, in another, with a port of its own."""
    server = EmbeddedServer(home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    # With its owner: as root, PostgreSQL is somebody else.
    subprocess.run(["cp", "-a", str(made / "postgres"), str(server.folder)], check=True)
    for name in ("port", "dsn"):
        (server.folder / name).unlink()
    return server
