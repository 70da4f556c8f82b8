"""Two days through docker-compose.yaml's own commands: Debian's PostgreSQL 15, Redis, Airflow with
two Celery workers (in `make soak` one is killed in the middle of sending), and the link service.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import psycopg
import pytest
import requests
import yaml
from without_docker import WithoutDocker, missing

import patience
from depth import IS_SOAK
from patience import in_time
from reengage.clock import wall_clock
from reengage.settings import INCLUDE, PROJECT
from reengage_local.sandbox import connection, create_sandbox
from reengage_local.serving import serve

QUIET = 40  # who are texted on the first day
BATCH = 4
PASSING = 2  # requests that the provider answers before it keeps everybody waiting
SECONDS = 120  # within which the queue moves again
LOOK_SECONDS = 1  # between two looks at Airflow's API, each of which keeps its server busy
DAGS = ("ingest", "journey", "send", "replies", "outcomes")

# Somewhere it is between ten and four o'clock, whenever this runs: the time zone, the country, and
# how its mobile numbers begin and go on.
PLACES = [
    ("Europe/Rome", "IT", "+39347", 1000000),
    ("America/Bogota", "CO", "+57310", 2000000),
    ("Pacific/Tahiti", "PF", "+68987", 100000),
    ("Pacific/Auckland", "NZ", "+6421", 400000),
    ("Asia/Bangkok", "TH", "+6681", 2000000),
]


class Provider:
    """The sandbox, which keeps whoever sends waiting once it is told to: of two requests it takes
    the messages of one, and not of the other.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_holding = threading.Event()
        self.is_open = threading.Event()
        self.held: list[tuple[int, bool]] = []  # the client's port, whether its messages are taken
        self.taken_at: list[float] = []
        self._app = create_sandbox(folder, wall_clock, "key", "celery")
        self._number = count()
        self.is_holding.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        number = next(self._number)
        if self.is_open.is_set() or number < PASSING:
            self.taken_at.append(time.monotonic())
            await self._app(scope, receive, send)
            return
        is_taken = number % 2 == 0
        body = await receive()
        answer: list[Any] = []

        async def keep(message: Any) -> None:
            answer.append(message)

        async def again() -> Any:
            return body

        if is_taken:
            await self._app(scope, again, keep)
        self.held.append((scope["client"][1], is_taken))
        while not self.is_open.is_set():
            await asyncio.sleep(0.1)
        # Nobody is there any more who would read it.
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def texted(self) -> Counter[str]:
        """How many texts each number has been sent."""
        file = self.folder / "accepted.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return Counter(json.loads(line)["to"] for line in lines)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("provider"))
    with serve(provider) as server:
        provider.url = server.url  # type: ignore[attr-defined]
        yield provider
        provider.is_open.set()


def place_of_noon() -> tuple[str, str, str, int]:
    """Of the places the one where it is nearest to one o'clock: far from every night, from a day's
    end, and from the next run of the schedule.
    """

    def hours_off(zone: str) -> float:
        now = datetime.now(ZoneInfo(zone))
        return abs(now.hour + now.minute / 60 - 13)

    return min(PLACES, key=lambda place: hours_off(place[0]))


class Shop:
    """A small retailer's own folder, and its files: whoever is texted, by phone."""

    def __init__(self, folder: Path) -> None:
        self.zone, self.country, begins, number = place_of_noon()
        self.second = datetime.now(ZoneInfo(self.zone)).date() - timedelta(days=1)
        self.first = self.second - timedelta(days=1)
        self.config, self.data = folder / "config", folder / "data"
        for place in (self.config / "sources", self.config / "templates" / "sms", self.data):
            place.mkdir(parents=True)

        def phone(card: int) -> str:
            return f"{begins}{number + card}"

        quiet_since = {card: self.first - timedelta(days=35) for card in range(QUIET)}
        quiet_since |= {QUIET: self.second - timedelta(days=30)}  # due on the second day
        quiet_since |= {QUIET + 1: self.second - timedelta(days=30)}  # would be, but buys on it
        quiet_since |= {QUIET + 2: self.first - timedelta(days=3)}
        cards = [f"K{card},Ann,{phone(card)},{self.country},2024-01-01" for card in quiet_since]
        orders = [f"{card},K{card},{day},20.00" for card, day in quiet_since.items()]
        orders.append(f"late,K{QUIET + 1},{self.second},10.00")
        agreed = [f"K{card},2024-01-02T10:00:00Z" for card in quiet_since]
        for name, head, rows in (
            ("cards", "id,first,mobile,country,created", cards),
            ("orders", "order,customer,at,total", orders),
            ("consents", "id,granted", agreed),
        ):
            text = "\n".join([head, *rows, ""])
            (self.data / f"{name}.csv").write_text(text, encoding="utf-8")
        self.due = {self.first: {phone(card) for card in range(QUIET)}, self.second: {phone(QUIET)}}
        self._write_sources()
        self._write_policy()
        (self.config / "templates" / "sms" / "survey.txt").write_text(
            "{{ opening }} our own words. {{ link }} {{ opt_out }}", encoding="utf-8"
        )

    def _write_sources(self) -> None:
        for file in (PROJECT / "tests" / "cases" / "plain-day" / "sources").glob("*.yaml"):
            source = yaml.safe_load(file.read_text(encoding="utf-8"))
            source |= {"path": f"${{DATA}}/{Path(source['path']).name}", "required": True}
            if source["entity"] == "interaction":
                source["time_zone"] = self.zone
            if source["entity"] == "contact":  # wherever it is noon, our own words are English
                source["columns"]["language"] = {"value": "en"}
            (self.config / "sources" / file.name).write_text(yaml.safe_dump(source))

    def _write_policy(self) -> None:
        policy = yaml.safe_load((INCLUDE / "journey.yaml").read_text(encoding="utf-8"))
        policy["brand"] |= {
            "time_zone": self.zone,
            "country": self.country,
            "link_domain": "https://go.example.com",
        }
        policy["steps"] = policy["steps"][:1]
        policy["control"]["share"] = 0
        waking = {"from": "06:00", "to": "23:00", "sunday_from": "06:00", "on_holidays": True}
        policy["hours"] |= {**waking, "places": {self.country: waking}}
        policy["sending"] |= {"batch_size": BATCH, "max_segments": 3}
        (self.config / "journey.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")


class Person:
    """Who uses Airflow: over its REST API, as the page does."""

    def __init__(self, cluster: WithoutDocker) -> None:
        self.cluster = cluster
        self.base = cluster.url("airflow-apiserver", 8080)
        given = requests.post(
            f"{self.base}/auth/token",
            json={"username": "admin", "password": cluster.secret("admin_password")},
            timeout=patience.SECONDS,
        )
        assert given.status_code == 201, given.text
        self._headers = {"Authorization": f"Bearer {given.json()['access_token']}"}

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method,
            f"{self.base}/api/v2/{path}",
            headers=self._headers,
            timeout=patience.SECONDS,
            json=body or None,
        )
        assert answer.ok, (path, answer.status_code, answer.text)
        return answer.json()

    def trigger(self, name: str, as_of: date, **more: Any) -> None:
        """As the form does it."""
        self.ask(
            "POST",
            f"dags/reengage_{name}/dagRuns",
            logical_date=None,
            conf={"as_of": as_of.isoformat()},
            **more,
        )

    def switch_on(self, *names: str) -> None:
        for name in names:
            self.ask("PATCH", f"dags/reengage_{name}", is_paused=False)

    def runs(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"dags/reengage_{name}/dagRuns")["dag_runs"]
        return found

    def wait_for_success(self, name: str, is_it: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for a run that is so to succeed; fail at once where it fails."""

        def has_ended() -> bool:
            states = {run["dag_run_id"]: run["state"] for run in self.runs(name) if is_it(run)}
            assert "failed" not in states.values(), self.why(name, states)
            return "success" in states.values()

        in_time(
            has_ended, f"reengage_{name} succeeds", alive=self.cluster.check, every=LOOK_SECONDS
        )

    def tasks(self, name: str, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(
            "GET", f"dags/reengage_{name}/dagRuns/{run_id}/taskInstances"
        )["task_instances"]
        return found

    def why(self, name: str, states: dict[str, str]) -> str:
        """The last lines of the logs of what has failed."""
        logs = sorted((self.cluster.folder / "airflow" / "logs").rglob("*.log"))
        said = [file.read_text(errors="replace")[-3000:] for file in logs if name in str(file)]
        return f"{name}: {states}\n" + "\n".join(said[-3:])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def cluster(
    shop: Shop, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WithoutDocker]:
    if why := missing():
        pytest.skip(why)
    environment = {
        "CONFIG": str(shop.config),
        "DATA": str(shop.data),
        "AIRFLOW_CONN_REENGAGE_SMS": json.dumps(connection("infobip", provider.url, "key")),
        "REENGAGE_WEBHOOK_SMS": json.dumps(connection("infobip", provider.url, "key")),
    }
    folder = tmp_path_factory.mktemp("compose")
    with WithoutDocker(folder, environment) as cluster:
        redis = str(cluster.ports["redis:6379"])
        cluster.start("redis", "", "--port", redis, "--bind", "127.0.0.1")
        cluster.wait_until_healthy("redis")
        cluster.run("airflow-init")
        cluster.start("airflow-apiserver")
        cluster.start("airflow-scheduler")
        cluster.start("airflow-dag-processor")
        cluster.start("airflow-triggerer")
        cluster.start("web", "", "--host", "127.0.0.1", "--port", str(cluster.ports["web:8000"]))
        cluster.wait_until_healthy("airflow-apiserver")
        for name in ("worker1", "worker2"):
            cluster.start("airflow-worker", name, "--celery-hostname", f"celery@{name}")
        for service in ("airflow-scheduler", "web"):
            cluster.wait_until_healthy(service)
        for name in ("worker1", "worker2"):
            in_time(
                lambda name=name: "ready." in cluster.log(name),
                f"{name} is ready",
                alive=cluster.check,
            )
        yield cluster


def sql(cluster: WithoutDocker, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(cluster.warehouse()) as warehouse:
        return warehouse.execute(statement).fetchall()  # type: ignore[arg-type]


def worker_of(port: int, cluster: WithoutDocker) -> str:
    """The worker whose task speaks from a port of this machine."""
    pid = next(
        one.pid
        for one in psutil.net_connections("tcp")
        if one.laddr and one.laddr.port == port and one.pid
    )
    above = {parent.pid for parent in psutil.Process(pid).parents()} | {pid}
    return next(name for name in ("worker1", "worker2") if cluster.running[name].pid in above)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def test_a_sender_that_is_gone_is_noticed_and_followed_in_time() -> None:
    """By what is configured; the test below sees it happen, on a machine that may be busy."""
    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag

    services = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text(encoding="utf-8"))
    environment = services["services"]["airflow-scheduler"]["environment"]
    unheard = int(environment["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"])
    looked = conf.getfloat("scheduler", "task_instance_heartbeat_timeout_detection_interval")
    bag = DagBag(str(PROJECT / "dags" / "send.py"))
    (task,) = bag.dags["reengage_send"].tasks
    assert unheard + looked + task.retry_delay.total_seconds() <= SECONDS - 20


def by_command_line(cluster: WithoutDocker, person: Person, shop: Shop) -> None:
    """A day that is ingested by hand starts its journey as the schedule's does. As it was decided
    before, both change nothing.
    """
    before = {run["dag_run_id"] for run in person.runs("journey")}
    day = json.dumps({"as_of": str(shop.second)})
    cluster.airflow("dags", "trigger", "reengage_ingest", "--conf", day, "--run-id", "typed")
    person.wait_for_success("ingest", lambda run: run["dag_run_id"] == "typed")
    person.wait_for_success(
        "journey",
        lambda run: run["partition_key"] == str(shop.second) and run["dag_run_id"] not in before,
    )


def kill_in_mid_send(cluster: WithoutDocker, provider: Provider) -> str:
    """Kill the worker that sends, once the provider keeps it waiting for a batch that it has taken
    and for one that it has not; the other worker.
    """
    in_time(
        lambda: len({is_taken for _, is_taken in provider.held}) == 2,
        "a batch that is taken and not answered, and one that is not taken",
        alive=cluster.check,
    )
    killed = worker_of(provider.held[-1][0], cluster)
    cluster.kill(killed)
    assert 0 < sum(provider.texted().values()) < QUIET
    provider.is_open.set()
    return "worker1" if killed == "worker2" else "worker2"


@pytest.mark.kills
def test_two_days_pass_and_nobody_is_texted_twice(
    cluster: WithoutDocker, shop: Shop, provider: Provider, pool: ThreadPoolExecutor
) -> None:
    """In `make soak` a worker is killed in the middle of the first day's sending, which is heard of
    after more than a minute.
    """
    began = time.monotonic()
    person = Person(cluster)
    in_time(
        lambda: len(person.ask("GET", "dags?paused=true")["dags"]) == 7,
        "the DAGs are known",
        alive=cluster.check,
        every=LOOK_SECONDS,
    )

    # The first day is asked for by hand, of a DAG that is still paused, and comes before the
    # second, which is the schedule's own. Switching on is all that happens.
    person.trigger("ingest", shop.first, run_after=f"{shop.first}T12:00:00Z")
    person.switch_on("ingest", "journey", "replies", "outcomes")
    person.wait_for_success("journey", lambda run: run["partition_key"] == str(shop.first))
    queued = sql(cluster, "SELECT as_of, count(*) FROM outbox.message GROUP BY 1 ORDER BY 1")
    assert queued[0] == (shop.first, QUIET)

    worker = "worker1"
    if IS_SOAK:
        person.switch_on("send")
        worker = kill_in_mid_send(cluster, provider)
    lost_at = time.monotonic()
    provider.is_open.set()
    # Meanwhile the second day comes by itself, and the services say that they are well.
    asked = [
        pool.submit(cluster.wait_until_healthy, *service)
        for service in (
            ("airflow-worker", worker),
            ("airflow-dag-processor",),
            ("airflow-triggerer",),
        )
    ]
    person.wait_for_success("ingest", lambda run: run["run_type"] == "scheduled")
    person.wait_for_success("journey", lambda run: run["partition_key"] == str(shop.second))
    person.switch_on("send")
    moved_at = in_time(
        lambda: next((at for at in provider.taken_at if at > lost_at), None),
        "the queue moves",
        alive=cluster.check,
    )
    for one in asked:
        one.result()
    person.wait_for_success("send", lambda run: True)
    if sum(provider.texted().values()) <= QUIET:  # the second day's may have come after it
        person.ask("POST", "dags/reengage_send/dagRuns", logical_date=None)
    everybody = shop.due[shop.first] | shop.due[shop.second]
    in_time(
        lambda: len(provider.texted()) >= len(everybody), "everybody is texted", alive=cluster.check
    )

    assert provider.texted() == Counter(dict.fromkeys(everybody, 1)), "each of them once"
    ours = "SELECT DISTINCT body LIKE '%our own words%' FROM outbox.message"
    assert sql(cluster, ours) == [(True,)]
    person.wait_for_success("outcomes", lambda run: run["run_type"] == "scheduled")
    person.trigger("outcomes", shop.second)
    person.wait_for_success("outcomes", lambda run: run["run_type"] == "manual")
    figures = sql(
        cluster,
        "SELECT as_of, sum(sent)::int FROM outcome.daily_step"
        " GROUP BY 1 HAVING sum(sent) > 0 ORDER BY 1",
    )
    assert figures == [(shop.first, QUIET), (shop.second, 1)]
    by_command_line(cluster, person, shop)
    assert provider.texted() == Counter(dict.fromkeys(everybody, 1)), "still each of them once"
    became = sql(cluster, "SELECT status::text, count(*) FROM outbox.message GROUP BY 1")
    assert {status for status, _ in became} <= {"accepted", "delivered", "undelivered", "expired"}
    for secret in (cluster.folder / "secrets").iterdir():
        value = secret.read_bytes().strip() or b"no former key"
        said = [file for file in cluster.folder.rglob("*.log") if value in file.read_bytes()]
        assert said == [], f"{secret.name} is in a log"
    print(
        f"\nthe queue moved after {moved_at - lost_at:.0f} s, all was over after "
        f"{time.monotonic() - began:.0f} s"
    )
