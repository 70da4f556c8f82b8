"""docker-compose.yaml's services as processes of this machine: its commands, its environment, its
files and its health checks, with what only a container can have put in the place of it: addresses
(`redis:6379`), folders (`/config`) and names of hosts.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg
import yaml
from psycopg import sql

from patience import free_ports, in_time
from reengage.settings import PROJECT
from reengage_local.postgres import EmbeddedServer

DEBIAN = Path("/usr/lib/postgresql/15/bin")
REDIS = Path("/usr/bin/redis-server")
CELERY = Path(sys.prefix) / "celery"
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([?-])([^}]*))?\}")
MARK = "REENGAGE_TEST_MARK"


def missing() -> str | None:
    """What is not here without which nothing can be started, and how to get it."""
    for place, how in (
        (DEBIAN / "initdb", "PostgreSQL 15: apt-get install postgresql-15"),
        (REDIS, "Redis: apt-get install redis-server"),
        (CELERY / "celery", "Celery: make test installs requirements-celery.txt"),
    ):
        if not place.exists():
            return f"docker-compose.yaml's services are not started: no {how}"
    return None


class WithoutDocker:
    """The services of docker-compose.yaml. A context manager, at whose end nothing of it runs.

    folder: of everything that it writes; environment: as .env says it.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**environment, "SECRETS": str(folder / "secrets")}
        self.services: dict[str, dict[str, Any]] = yaml.safe_load(
            (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
        )["services"]
        self.server = EmbeddedServer(folder / "server", DEBIAN)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: set[str] = set()
        self.ports = dict(
            zip(
                (
                    "redis:6379",
                    "airflow-apiserver:8080",
                    "web:8000",
                    "airflow-scheduler:8974",
                    "airflow-triggerer:8794",
                    "worker1",
                    "worker2",
                ),
                free_ports(7),
                strict=True,
            )
        )
        self._mark = uuid.uuid4().hex

    def __enter__(self) -> Self:
        for place in ("secrets", "volumes", "airflow", "logs"):
            (self.folder / place).mkdir(parents=True, exist_ok=True)
        for place in ("dags", "plugins"):
            (self.folder / "airflow" / place).symlink_to(PROJECT / place)
        try:
            self.make_secrets()
            self.make_databases()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        begun = self.ours()  # while it is still known whose children they are
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                continue
        for left in {*begun, *self.ours()}:
            with suppress(psutil.NoSuchProcess):
                left.kill()
        for process in self.running.values():
            process.wait(30)
        self.server.forget()

    def ours(self) -> list[psutil.Process]:
        """Every process that a service has begun, whoever its parent is by now: by its session, its
        environment (which Celery writes over), or its parents.
        """
        services = {process.pid for process in self.running.values()}
        found = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if (
                    os.getsid(process.pid) in services
                    or process.environ().get(MARK) == self._mark
                    or services & {parent.pid for parent in process.parents()}
                ):
                    found.add(process)
        return sorted(found, key=lambda process: process.pid)

    def check(self) -> None:
        """Raises AssertionError where a service has ended by itself."""
        for name, process in self.running.items():
            if process.poll() is not None and name not in self.ended:
                raise AssertionError(f"{name} ended ({process.returncode}):\n{self.log(name)}")

    def log(self, name: str) -> str:
        """The end of what a service has written."""
        file = self.folder / "logs" / f"{name}.log"
        return file.read_text(encoding="utf-8", errors="replace")[-4000:] if file.exists() else ""

    # --- what a container would have -----------------------------------------------------------

    def make_secrets(self) -> None:
        """As README says: the script, and what only a person knows."""
        subprocess.run(
            ["sh", str(PROJECT / "include" / "compose" / "secrets.sh")],
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
        )

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text(encoding="utf-8").strip()

    def make_databases(self) -> None:
        """What the postgres image makes of its environment, and the script that it runs then."""
        self.server.start()
        port = (self.server.folder / "port").read_text(encoding="utf-8").strip()
        self.ports |= {"postgres:5432": int(port), "warehouse:5432": int(port)}
        superuser = (self.server.folder / "superuser").read_text(encoding="utf-8").strip()
        own = self.services["postgres"]["environment"]
        with psycopg.connect(
            f"postgresql://postgres:{superuser}@127.0.0.1:{port}/postgres", autocommit=True
        ) as connection:
            for statement in (
                "DROP DATABASE warehouse",
                "DROP DATABASE airflow",
                "DROP ROLE reengage, reengage_web",
            ):
                connection.execute(statement)
            connection.execute(
                sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(
                    sql.Identifier(own["POSTGRES_USER"]), self.secret("postgres_password")
                )
            )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(own["POSTGRES_DB"]), sql.Identifier(own["POSTGRES_USER"])
                )
            )
        script = next(v for v in self.services["warehouse"]["volumes"] if "initdb.d" in v)
        subprocess.run(
            [str(PROJECT / script.partition(":")[0])],
            env={
                **self.environment_of("warehouse"),
                "PGHOST": "127.0.0.1",
                "PGPORT": port,
                "PGPASSWORD": superuser,
            },
            check=True,
        )

    def warehouse(self) -> str:
        """The warehouse's address, with its owner's password."""
        port = self.ports["warehouse:5432"]
        return (
            f"postgresql://reengage:{self.secret('warehouse_password')}@127.0.0.1:{port}/warehouse"
        )

    def url(self, service: str, port: int) -> str:
        """Where a service answers."""
        return f"http://127.0.0.1:{self.ports[f'{service}:{port}']}"

    def environment_of(self, service: str, name: str = "") -> dict[str, str]:
        """A process' environment: what the service says, and what its container would be."""
        said = self.services[service].get("environment") or {}
        ours = {key: self.here(service, str(value)) for key, value in said.items()}
        programs = [str(Path(sys.prefix) / "bin"), str(CELERY / "bin"), str(DEBIAN)]
        log_port = self.ports.get(name, self.ports["worker1"])
        return {
            "PATH": ":".join([*programs, os.environ["PATH"]]),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(CELERY),
            "PYTHONWARNINGS": "ignore",
            "PYTHONDONTWRITEBYTECODE": "1",
            "GX_ANALYTICS_ENABLED": "false",
            "HOSTNAME": name or socket.gethostname(),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            # Containers have their ports, and their tasks, to themselves.
            "AIRFLOW__API__PORT": str(self.ports["airflow-apiserver:8080"]),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_port),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.ports["airflow-triggerer:8794"]),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(
                self.ports["airflow-scheduler:8974"]
            ),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # No file of a DAG changes meanwhile, and to read them all again takes a core's third.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            # Several processes on a busy machine's cores: the API may take a while.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
            MARK: self._mark,
            **ours,
        }

    def here(self, service: str, text: str) -> str:
        """A text of the file as this machine understands it: variables, folders, addresses."""

        def variable(found: re.Match[str]) -> str:
            value = self.environment.get(found[1])
            assert value or found[2] == "-", f"{found[1]}: {found[3]}"
            return value or found[3]

        text = VARIABLE.sub(variable, text).replace("$$", "$")
        places = self._places(service)
        inside = "|".join(re.escape(place) for place in places)
        text = re.sub(rf"(?<![\w./])({inside})(?=[/\s\"':)]|$)", lambda m: places[m[1]], text)
        for address, port in self.ports.items():
            text = text.replace(address, f"127.0.0.1:{port}") if ":" in address else text
            name, _, number = address.partition(":")
            if name == service and number:
                text = text.replace(f"localhost:{number}", f"127.0.0.1:{port}")
        return text

    def _places(self, service: str) -> dict[str, str]:
        """The folders of a container, and where they are here."""
        places = {"/run/secrets": str(self.folder / "secrets")}
        for place in self.services[service].get("tmpfs", []):
            places[place] = str(self.folder / "volumes" / f"{service}-tmp")
        for volume in self.services[service].get("volumes", []):
            expanded = VARIABLE.sub(
                lambda m: self.environment.get(m[1]) or m[3], volume
            ).removesuffix(":ro")
            outside, _, inside = expanded.rpartition(":")
            if outside.startswith("./"):
                outside = str(PROJECT / outside)
            elif not outside.startswith("/"):
                outside = str(self.folder / "volumes" / outside)
            places[inside] = outside
        for place in places.values():
            if place.startswith(str(self.folder / "volumes")):
                Path(place).mkdir(exist_ok=True)
        return dict(sorted(places.items(), key=lambda pair: -len(pair[0])))

    # --- the services --------------------------------------------------------------------------

    def command(self, service: str) -> list[str]:
        """What a container runs: the image's entry point before a command of Airflow's."""
        said = self.services[service]
        words = said["command"]
        words = words.split() if isinstance(words, str) else list(words)
        if "entrypoint" in said:
            words = [*said["entrypoint"], *words]
        elif said.get("image") == "reengage:local" and words[0] not in ("bash", "python"):
            words = ["airflow", *words]
        return [self.here(service, str(word)) for word in words]

    def run(self, service: str) -> str:
        """Run a service that ends; what it has written."""
        done = subprocess.run(
            self.command(service),
            env=self.environment_of(service),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def start(self, service: str, name: str = "", *more: str) -> None:
        """Start a service; name: of one of several; more: words at the end of its command."""
        command = self.command(service)
        if command[0] == "sh":
            command[-1] = f"{command[-1].rstrip()} {shlex.join(more)}"
        else:
            command += more
        with (self.folder / "logs" / f"{name or service}.log").open("wb") as log:
            self.running[name or service] = subprocess.Popen(
                command,
                env=self.environment_of(service, name),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def asked_for_health(self, service: str, name: str = "") -> subprocess.Popen[bytes]:
        """The service's own health check, on its way: it ends with 0 where all is well."""
        test = self.services[service]["healthcheck"]["test"]
        words = test[1:] if test[0] == "CMD" else ["sh", "-c", test[1]]
        words = [self.here(service, word) for word in words]
        if service == "redis":
            words[-1] = words[-1].replace("redis-cli", f"redis-cli -p {self.ports['redis:6379']}")
        return subprocess.Popen(
            words,
            env=self.environment_of(service, name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_until_healthy(self, service: str, name: str = "") -> None:
        in_time(
            lambda: self.asked_for_health(service, name).wait() == 0,
            lambda: f"{name or service} is healthy:\n{self.log(name or service)}",
            alive=self.check,
            every=0.2,
        )

    def kill(self, name: str) -> None:
        """A machine is gone: the service and all that it has begun, at once."""
        process = psutil.Process(self.running[name].pid)
        self.ended.add(name)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.kill()

    def airflow(self, *words: str) -> str:
        """A command of Airflow's, as somebody types it in a container: what it says."""
        done = subprocess.run(
            ["airflow", *words],
            env=self.environment_of("airflow-scheduler"),
            executable=shutil.which("airflow", path=str(Path(sys.prefix) / "bin")),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
