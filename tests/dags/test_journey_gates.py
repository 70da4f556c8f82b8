"""The journey's DAG, really run: what its gates, and a person, make of a day."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from world import Load, World, small_policy

import homes
from reengage.settings import INCLUDE

TESTS = Path(__file__).parents[1]
DAY = date(1998, 2, 10)
LONG_AGO = datetime(1997, 1, 1, tzinfo=UTC)
Journey = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[str]"]:
    home = tmp_path_factory.mktemp("airflow")
    server = homes.with_airflow(home / "home")
    server.start()
    metadata = server.dsn("airflow").replace("://", "+psycopg2://")
    with (home / "log").open("w") as log:
        runner = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).parent / "runner.py"), str(home)],
            env={**os.environ, "METADATA": metadata, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert runner.stdin and runner.stdout
        yield runner
        runner.kill()  # it keeps nothing, and Airflow takes long to end by itself
        runner.wait()
        runner.stdin.close()
        runner.stdout.close()
    server.forget()


@pytest.fixture
def world(warehouse: sa.Engine) -> World:
    """Three contacts are due for the survey, and two for the contest."""
    world = World(warehouse, small_policy(), is_new=True)

    def fill(load: Load) -> None:
        for contact_id in range(1, 6):
            load.contact(contact_id, contact_id)
            load.consent(contact_id, LONG_AGO)
            load.interaction(contact_id, DAY - timedelta(days=30 if contact_id < 4 else 60))

    world.load(DAY, fill)
    world.sql("UPDATE core.contact SET last_name = 'Lovelace', email = 'ada@shop.example'")
    return world


@pytest.fixture
def journey(
    airflow: "subprocess.Popen[str]", world: World, warehouse: sa.Engine, tmp_path: Path
) -> Journey:
    """Run the DAG for DAY under the shipped policy with changes, and answer if it asks."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "crm.yaml").write_text(
        "source: crm\nentity: contact\nconnector: files\npath: nowhere.csv\nrequired: true\n"
        "columns: {source_contact_id: id}\n"
    )

    def run(changes: dict[str, Any], answer: str | None = None, **conf: str) -> dict[str, Any]:
        policy = yaml.safe_load((INCLUDE / "journey.yaml").read_text(encoding="utf-8"))
        policy["control"]["share"] = 0.0
        policy["entry"] = "by_days"
        policy["gates"].update(changes.pop("gates", {}))
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy | changes))
        url = warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
        wanted = {
            "environment": {
                "REENGAGE_POLICY": str(tmp_path / "policy.yaml"),
                "REENGAGE_SOURCES": str(sources),
                "AIRFLOW_CONN_REENGAGE_WAREHOUSE": url,
                "REENGAGE_LINK_BASE": "http://127.0.0.1:1/r",
            },
            "conf": {"as_of": str(DAY), "now": world.at(DAY, 10).isoformat(), **conf},
            "answer": answer,
        }
        assert airflow.stdin and airflow.stdout
        airflow.stdin.write(json.dumps(wanted) + "\n")
        airflow.stdin.flush()
        line = airflow.stdout.readline()
        assert line, f"the runner has ended: see {airflow.args[-1]}/log"  # type: ignore[index]
        return json.loads(line)

    return run


def statuses(world: World) -> dict[str, int]:
    rows = world.sql("SELECT CAST(status AS text), count(*) FROM outbox.message GROUP BY 1")
    return dict(map(tuple, rows))


SENT = {
    "fresh": "success",
    "decide": "success",
    "gates": "success",
    "survey": "success",
    "contest": "success",
    "coupon": "skipped",
}
UNSENT = {**SENT, "survey": "skipped", "contest": "skipped"}


def test_a_day_with_open_gates_is_released_step_by_step(journey: Journey, world: World) -> None:
    for _ in range(2):
        done = journey({})
        assert (done["state"], done["tasks"]) == ("success", SENT)
        assert statuses(world) == {"queued": 5}


def test_a_closed_gate_ends_the_run_and_the_day(journey: Journey, world: World) -> None:
    for changes in ({"size": {"at_most": 4}}, {}):  # again, with the gate open: it is over
        done = journey({"gates": changes})
        assert done["state"] == "failed" and done["tasks"]["gates"] == "failed"
        assert {done["tasks"][step] for step in ("survey", "contest")} == {"upstream_failed"}
        assert statuses(world) == {"cancelled": 5}
    assert {r.reason for r in world.sql("SELECT reason FROM cohort.decision")} == {"size"}


ASKING: dict[str, Any] = {"approval": "anomaly", "gates": {"size": {"at_most": 4}}}


def test_a_person_is_asked_and_approves(journey: Journey, world: World) -> None:
    done = journey(dict(ASKING), answer="Approve")
    assert (done["state"], done["tasks"]) == ("success", SENT | {"approve": "success"})
    assert statuses(world) == {"queued": 5}
    said = world.sql("SELECT is_open, said FROM cohort.gate WHERE gate = 'approval'")
    assert said[0].is_open and said[0].said.startswith("Approved by ")
    asked = done["asked"]
    assert asked["subject"] == "May 5 texts for 1998-02-10 go out?"
    assert asked["defaults"] == ["Reject"]
    assert "| survey | 3 | - | 3 | 0.02 |" in asked["body"]
    assert "size: **closed**. 5 are to be written to" in asked["body"]
    assert "http://127.0.0.1:1/r/…" in asked["body"]
    codes = [row.code for row in world.sql("SELECT code FROM outbox.link")]
    everything = [asked["body"], *done["xcoms"]]
    for private in ("+1212", "@", "Lovelace", *codes):
        assert not [text for text in everything if private in text]
    assert not [text for text in done["xcoms"] if "Ada" in text]
    # Cleared, it asks no more.
    again = journey(dict(ASKING))
    assert (again["state"], again["tasks"]) == ("success", SENT | {"approve": "skipped"})


@pytest.mark.parametrize(
    ("answer", "said"),
    [("Reject", "Turned down by "), ("time out", "Nobody answered within 0.0001 hours.")],
)
def test_without_a_yes_the_day_ends_plainly(
    journey: Journey, world: World, answer: str, said: str
) -> None:
    hours = 0.0001 if answer == "time out" else 12
    done = journey({"approval": "always", "approval_hours": hours}, answer=answer)
    assert (done["state"], done["tasks"]) == ("success", UNSENT | {"approve": "success"})
    assert statuses(world) == {"cancelled": 5}
    gate = world.sql("SELECT is_open, said FROM cohort.gate WHERE gate = 'approval'")[0]
    assert not gate.is_open and gate.said.startswith(said)
    assert {r.reason for r in world.sql("SELECT reason FROM cohort.decision")} == {"approval"}


def test_one_process_answers_for_itself_or_leaves_the_day_waiting(
    journey: Journey, world: World
) -> None:
    always = {"approval": "always"}
    done = journey(dict(always), approve="")
    assert (done["state"], done["tasks"]) == ("success", UNSENT | {"approve": "success"})
    assert statuses(world) == {"draft": 5}
    done = journey(dict(always), approve="maybe")
    assert done["tasks"]["approve"] == "failed" and statuses(world) == {"draft": 5}
    done = journey(dict(always), approve="yes")
    assert (done["state"], done["tasks"]) == ("success", SENT | {"approve": "success"})
    assert statuses(world) == {"queued": 5}


def test_one_process_turns_a_day_down(journey: Journey, world: World) -> None:
    done = journey({"approval": "always"}, approve="no")
    assert (done["state"], done["tasks"]) == ("success", UNSENT | {"approve": "success"})
    assert statuses(world) == {"cancelled": 5}
