"""`make up`: Airflow, the link service and the sandbox, until Ctrl-C; on the real clock, or on that
of the past which the home plays.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import requests

from reengage.clock import Clock, RunningClock, wall_clock
from reengage.errors import ReengageError
from reengage.journey import simulation
from reengage.policy import Policy, read_policy
from reengage.settings import secret, settings
from reengage_local import airflow
from reengage_local.day import SENDS_AT, after
from reengage_local.postgres import EmbeddedServer
from reengage_local.sandbox import last_link
from reengage_local.stack import Services, alone, kept_port, log_file, warehouse

START_SECONDS = 120
STOP_SECONDS = 20


def run_up() -> None:
    """Start everything, say where it is, and keep it until Ctrl-C or `make down`. Raises
    ReengageError where a part does not start.
    """
    with alone("up"):
        policy = read_policy()
        server = EmbeddedServer(settings().home)
        if not airflow.is_prepared():
            print(airflow.FIRST_START, "…", flush=True)
        server.start()
        engine = warehouse(hashes=True)
        played = simulation.of(engine, policy)
        clock = _clock(played, policy)
        for line in _about(played):
            print(line)
        print("Starting Airflow, the link service and the sandbox …", flush=True)
        airflow.prepare(server)
        port, password = kept_port("airflow"), _password()
        _stop_on_signals()
        pid_file().write_text(str(os.getpid()), encoding="utf-8")
        try:
            with Services(engine, policy, clock) as services:
                url = f"http://127.0.0.1:{port}"
                children: dict[str, subprocess.Popen[bytes]] = {}
                try:
                    children |= _start(port, "api-server", "dag-processor")
                    _wait(f"{url}/api/v2/monitor/health", children)
                    # Tasks report to the API server: one that starts before it fails.
                    children |= _start(port, "scheduler", "triggerer")
                    print(
                        f"""
  Airflow        {url}   (user admin, password {password})
  Re-engagement  {url}/plugin/re-engagement
  Links          {services.web.url}{_example(services.web.url)}
  Sandbox        {services.sandbox.url}   (texts nobody; log: {settings().sandbox})
  Logs           {settings().home / "logs"}

{_ending(played)} Ctrl-C ends all of it.""",
                        flush=True,
                    )
                    _watch(children)
                finally:
                    _stop(children)
                    if played:
                        simulation.note(engine, clock())
        finally:
            pid_file().unlink(missing_ok=True)


def _clock(played: simulation.Past | None, policy: Policy) -> Clock:
    """The wall's; or that of the past, which goes on from where it was, up to its next day."""
    if played is None:
        return wall_clock
    until = after(played.next_day, SENDS_AT, policy) - timedelta(seconds=1)
    return RunningClock(played.now, until)


def _about(played: simulation.Past | None) -> list[str]:
    """What somebody must know of a home that plays the past before it is up."""
    if played is None:
        return []
    return [
        f"This home plays the past: it is {played.today} in it, {played.now:%H:%M}. So it stays:",
        "the links in its texts work, the page shows its days, and the DAGs refuse to load, decide",
        "or send anything on today's clock, which would end its story.",
        f"  to go on:       Ctrl-C here, then make day AS_OF={played.next_day}",
        "  for real days:  another home, REENGAGE_HOME=/some/where make up",
        "",
    ]


def _ending(played: simulation.Past | None) -> str:
    if played:
        return f"It is {played.today} here, and no DAG runs on today's clock (see above)."
    return (
        "The DAGs are paused: switch on reengage_ingest, reengage_journey, reengage_send,\n"
        "reengage_replies and reengage_outcomes to run them daily."
    )


def _example(base: str) -> str:
    """A link to try: that of the last text that the sandbox took, where it has one."""
    path = last_link(settings().sandbox)
    return f"   (of the last text, to open as its recipient: {base}{path})" if path else ""


def end() -> None:
    """End what this home runs: `make up` with all its parts, and the server."""
    file = pid_file()
    if file.exists():
        pid = int(file.read_text(encoding="utf-8"))
        command = Path(f"/proc/{pid}/cmdline")
        # Only if it is still ours: pids are used again.
        if command.exists() and b"reengage" in command.read_bytes():
            os.kill(pid, signal.SIGTERM)
            for _ in range(STOP_SECONDS * 10):
                if not command.exists():
                    break
                time.sleep(0.1)
        file.unlink(missing_ok=True)
    EmbeddedServer(settings().home).stop()


def pid_file() -> Path:
    """Where `make up` notes its process."""
    return settings().home / "up.pid"


def _start(port: int, *names: str) -> dict[str, subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
    }
    program = shutil.which("airflow", path=str(Path(sys.executable).parent)) or "airflow"
    children = {}
    for name in names:
        options = ["--host", "127.0.0.1", "--port", str(port)] if name == "api-server" else []
        with log_file(name).open("ab") as log:
            children[name] = subprocess.Popen(
                [program, name, *options],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its children die with its group
            )
    return children


def _wait(url: str, children: dict[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _check(children)
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.5)
    raise ReengageError(
        f"Airflow does not answer after {START_SECONDS} s: see {settings().home / 'logs'}."
    )


def _watch(children: dict[str, subprocess.Popen[bytes]]) -> None:
    while True:
        _check(children)
        time.sleep(1)


def _check(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise ReengageError(f"Airflow's {name} ended by itself: see {log_file(name)}.")


def _stop(children: dict[str, subprocess.Popen[bytes]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for child in children.values():
            try:
                os.killpg(child.pid, kind)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + STOP_SECONDS / 2
        for child in children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue


def _stop_on_signals() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


def _password() -> str:
    """The administrator's password, made once and kept where Airflow looks for it."""
    file = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({"admin": secret("airflow_admin")}), encoding="utf-8")
    return str(json.loads(file.read_text(encoding="utf-8"))["admin"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
