"""Airflow on this machine: its environment, its metadata, and its DAGs run in this process."""

import base64
import functools
import hashlib
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from reengage.errors import ReengageError
from reengage.settings import PROJECT, secret, settings
from reengage_local.postgres import EmbeddedServer

FIRST_START = "Making the databases of the server and of Airflow, once: about half a minute"


class RunFailed(ReengageError):
    """A DAG run failed. Its message names the task; the task has said why."""


def environment(server: EmbeddedServer) -> dict[str, str]:
    """Airflow's settings for this home: quiet, local, and with nothing of the user's own."""
    home = settings().home
    database = server.dsn("airflow").removeprefix("postgresql")
    key = base64.urlsafe_b64encode(hashlib.sha256(secret("airflow").encode()).digest()).decode()
    return {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "airflow" / "passwords"),
        "AIRFLOW__API_AUTH__JWT_SECRET": hashlib.sha256(key.encode()).hexdigest(),
        "AIRFLOW__API__SECRET_KEY": hashlib.sha256(f"api {key}".encode()).hexdigest(),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2{database}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs" / "airflow"),
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        # The client logs as an error that a mapped task has no further result.
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "reengage=INFO airflow.sdk.api.client=CRITICAL",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONWARNINGS": "ignore",
        "REENGAGE_HOME": str(home),
    }


def prepare(server: EmbeddedServer) -> None:
    """Set this process's environment for Airflow and bring its metadata to this version, once."""
    os.environ.update(environment(server))
    if is_prepared():
        return
    done = _mark()
    done.parent.mkdir(parents=True, exist_ok=True)
    log = settings().home / "logs" / "airflow-migrate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        code = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code:
        raise RunFailed(f"Airflow's metadata could not be prepared: see {log}.")
    done.touch()


def is_prepared() -> bool:
    """Whether Airflow's metadata of this home is of this version."""
    return _mark().exists()


def _mark() -> Path:
    return settings().home / "airflow" / f"migrated-{version('apache-airflow')}"


class Dags:
    """The project's DAGs, loaded once, run in this process: real runs, without a scheduler."""

    def __init__(self) -> None:
        from airflow.dag_processing import dagbag

        # For each run, a DAG's test() would read all files and write all DAGs to the metadata anew.
        dagbag.BundleDagBag = functools.cache(dagbag.BundleDagBag)
        dagbag.sync_bag_to_db = functools.cache(dagbag.sync_bag_to_db)
        _answer_in_newest_version()
        self._bag = dagbag.DagBag(str(PROJECT / "dags"))
        if self._bag.import_errors:
            raise RunFailed("\n".join(self._bag.import_errors.values()))

    def run(self, dag_id: str, conf: dict[str, str]) -> None:
        """One run of a DAG with a configuration. Raises RunFailed."""
        dag = self._bag.dags[dag_id]
        for task in dag.tasks:
            task.retries = 0  # whoever watches sees the failure at once, and decides
        run = dag.test(run_conf=conf)
        state = getattr(run.state, "value", run.state)
        if state != "success":
            failed = sorted({ti.task_id for ti in run.get_task_instances() if ti.state == "failed"})
            raise RunFailed(f"{dag_id} failed in {', '.join(failed) or 'an unknown task'}.")


def _answer_in_newest_version() -> None:
    """Let the API through which Airflow's tasks begin and end be made in its newest version alone,
    which the tasks of this process speak: the older ones take seconds and 40 MiB.
    """
    # What a library of it has for servers of aiohttp, where that is installed.
    sys.modules.setdefault("svcs.aiohttp", None)  # type: ignore[arg-type]
    from airflow.api_fastapi.execution_api import versions
    from airflow.api_fastapi.execution_api.routes import execution_api_router
    from cadwyn import HeadVersion, Version, VersionBundle
    from cadwyn.route_generation import _DELETED_ROUTE_TAG

    execution_api_router.routes[:] = [
        route
        for route in execution_api_router.routes
        if _DELETED_ROUTE_TAG not in getattr(route, "tags", ())
    ]
    versions.bundle = VersionBundle(HeadVersion(), Version(versions.bundle.versions[0].value))
