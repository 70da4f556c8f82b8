"""What a home runs around a piece of work: server, sandbox, link service, and one terminal."""

import contextlib
import fcntl
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import sqlalchemy as sa

from reengage import db, objects, progress
from reengage.clock import Clock
from reengage.errors import ConfigurationError, ReengageError
from reengage.phones import keys
from reengage.policy import Policy
from reengage.settings import (
    LINKS_VARIABLE,
    SANDBOX_VARIABLE,
    WAREHOUSE_VARIABLE,
    given,
    private_folder,
    secret,
    settings,
)
from reengage_local.postgres import EmbeddedServer

if TYPE_CHECKING:
    from reengage_local.serving import RunningServer

SEED = "larkfield"
# Which provider the sandbox is taken for: infobip, twilio or mailup.
SPOKEN_VARIABLE = "REENGAGE_SANDBOX_PROVIDER"


def warehouse(*, hashes: bool = False) -> sa.Engine:
    """The warehouse of this home at the newest schema; the embedded one is started for it.

    hashes: for what hashes numbers. Raises WrongKey where it would by another key.
    """
    if not given(WAREHOUSE_VARIABLE):
        EmbeddedServer(settings().home).start()
    engine = db.engine()
    objects.keep_up(engine)
    if hashes:
        keys.check(engine)
    return engine


def existing_warehouse() -> sa.Engine | None:
    """The warehouse of this home as it is, whatever its schema; None where none was made yet."""
    if not given(WAREHOUSE_VARIABLE):
        server = EmbeddedServer(settings().home)
        if not server.data.exists():
            return None
        server.start()
    return db.engine()


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Let one command at a time work in a home. Raises ReengageError where another one does."""
    home = private_folder()
    with (home / "working.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ReengageError(
                f"`make {file.read().strip() or 'something'}` is at work in {home}. Wait for it, "
                "end it, or use another home: REENGAGE_HOME=…"
            ) from None
        file.truncate(0)
        file.write(what)
        file.flush()
        yield


class Services:
    """The sandbox and the link service in this process, on a clock. A context manager.

    Their ports are kept from run to run, so that the links in texts stay true, and chosen again
    where somebody else has taken one.
    """

    def __init__(self, engine: sa.Engine, policy: Policy, clock: Clock) -> None:
        from reengage.web.app import create_app
        from reengage.web.http_server import options
        from reengage.web.webhooks import providers_of_environment
        from reengage_local.sandbox import create_sandbox

        folder = private_folder("sandbox")
        self.sandbox = _on_kept_port("sandbox", create_sandbox(folder, clock, _key(), SEED))
        providers = providers_of_environment(policy, json.dumps(self._connection()))
        self.web = _on_kept_port("web", create_app(engine, policy, clock, providers), **options())

    def __enter__(self) -> "Services":
        os.environ.update(self.environment())
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.stop()
        self.web.stop()

    def environment(self) -> dict[str, str]:
        """What Airflow's tasks need to find them."""
        return {SANDBOX_VARIABLE: json.dumps(self._connection()), LINKS_VARIABLE: self.web.url}

    def _connection(self) -> dict[str, Any]:
        from reengage_local.sandbox import connection

        spoken = os.environ.get(SPOKEN_VARIABLE, "infobip")
        return connection(spoken, self.sandbox.url, _key())


def _key() -> str:
    return secret("sandbox")


def _on_kept_port(name: str, app: object, **options: Any) -> "RunningServer":
    from reengage_local.serving import serve  # with uvicorn, which most commands need not wait for

    file = settings().home / "ports" / name
    if file.exists():
        with contextlib.suppress(ConfigurationError, ValueError):
            return serve(app, int(file.read_text(encoding="utf-8")), **options)
    server = serve(app, **options)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(server.port), encoding="utf-8")
    return server


def kept_port(name: str) -> int:
    """The port that a service of this home had last, if it is free; else a free one, kept."""
    file = settings().home / "ports" / name
    wanted = int(file.read_text(encoding="utf-8")) if file.exists() else 0
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            break
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(found), encoding="utf-8")
    return found


class Screen:
    """The person's terminal, while everything else that this process writes goes to a log file.

    Airflow is talkative: its own words go to `$REENGAGE_HOME/logs/<name>.log`. Progress bars, and
    what `say` is given, reach the terminal. `problems` collects what reengage logs as an error, and
    `notes` what it warns of.
    """

    def __init__(self, name: str) -> None:
        self.file = log_file(name)
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._terminal: TextIO = sys.stdout

    def __enter__(self) -> "Screen":
        sys.stdout.flush()
        sys.stderr.flush()
        self._saved = os.dup(1), os.dup(2)
        self._terminal = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
        progress.screen = self._terminal
        with self.file.open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        progress.screen = None
        for saved, number in zip(self._saved, (1, 2), strict=True):
            os.dup2(saved, number)
            os.close(saved)
        self._terminal.close()

    def listen(self) -> None:
        """Begin to collect problems and notes; after Airflow has set up its own logging."""
        screen = self

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                kept = screen.problems if record.levelno >= logging.ERROR else screen.notes
                kept.append(record.getMessage())

        logger = logging.getLogger("reengage")
        logger.setLevel(logging.INFO)
        logger.addHandler(Listener(logging.WARNING))

    def say(self, text: str = "") -> None:
        """A line on the terminal."""
        self._terminal.write(f"{self._wipe()}{text}\n")
        self._terminal.flush()

    def status(self, text: str) -> None:
        """What is going on, on a terminal: the next line, or progress bar, takes its place."""
        if self._terminal.isatty():
            self._terminal.write(f"{self._wipe()}{text} …\r")
            self._terminal.flush()

    def _wipe(self) -> str:
        return "\r\x1b[K" if self._terminal.isatty() else ""


def log_file(name: str) -> Path:
    """The file that a service of this home writes its output to."""
    return private_folder("logs") / f"{name}.log"
