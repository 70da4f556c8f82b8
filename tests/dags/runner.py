"""A process with an Airflow of its own, for tests: runs of the DAGs as asked on stdin, a JSON
object a line, told on stdout the same way. Started once, since Airflow takes seconds to load.
"""

import functools
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from patience import in_time

DAG = "reengage_journey"


def prepare(home: Path, metadata: str) -> None:
    """Airflow's environment, before it is imported. metadata: the address of its database."""
    from reengage.settings import PROJECT

    (home / "dags").mkdir()
    (home / "dags" / "journey.py").symlink_to(PROJECT / "dags" / "journey.py")
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "none"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of the tests, and long enough to sign with, by a lot",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def question() -> dict[str, Any]:
    """What a person reads, once it is there, and which task instance asks it."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    def found() -> dict[str, Any] | None:
        with create_session() as session:
            asked = (
                session.query(HITLDetail, TaskInstance)
                .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
                .filter(TaskInstance.state == "awaiting_input")
                .first()
            )
            if asked:
                detail, ti = asked
                return {
                    "subject": detail.subject,
                    "body": detail.body,
                    "run_id": ti.run_id,
                    "defaults": detail.defaults,
                    "task_id": ti.task_id,
                }
        return None

    return dict(in_time(found, "somebody is asked", every=0.05))


@functools.cache
def api() -> Any:
    """Airflow's REST API, which takes seconds to build."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    return TestClient(create_app(apps="core"), base_url="http://testserver")


def answer(asked: dict[str, Any], option: str) -> None:
    """As the page does it: over the REST API; `time out`: as the scheduler does it."""
    if option == "time out":
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

        time.sleep(0.5)
        SchedulerJobRunner(Job()).check_awaiting_input_timeouts()
        return
    client = api()
    token = client.get("/auth/token").json()["access_token"]
    url = (
        f"/api/v2/dags/{DAG}/dagRuns/{asked['run_id']}/taskInstances/{asked['task_id']}"
        "/-1/hitlDetails"
    )
    given = client.patch(
        url,
        json={"chosen_options": [option], "params_input": {}},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert given.status_code == 200, given.text


def run(dags: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """One run: the states of its tasks, what was asked, and every XCom."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    told: dict[str, Any] = {}

    def person() -> None:
        try:
            told["asked"] = question()
            answer(told["asked"], wanted["answer"])
        except BaseException:
            traceback.print_exc()
            os._exit(1)  # else the run waits for ever

    if wanted.get("answer"):
        threading.Thread(target=person, daemon=True).start()
    done = dags[DAG].test(run_conf=wanted["conf"])
    with create_session() as session:
        xcoms = session.query(XComModel).filter(XComModel.run_id == done.run_id).all()
        told["xcoms"] = [str(xcom.value) for xcom in xcoms]
    told["tasks"] = {ti.task_id: str(ti.state) for ti in done.get_task_instances()}
    told["state"] = str(getattr(done.state, "value", done.state))
    return told


def main() -> None:
    """Answer the lines on stdin until it is closed."""
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever Airflow prints is no answer
    home = Path(sys.argv[1])
    prepare(home, os.environ.pop("METADATA"))
    from airflow.dag_processing.dagbag import DagBag

    for line in sys.stdin:
        wanted = json.loads(line)
        os.environ |= wanted["environment"]
        bag = DagBag(str(home / "dags"))
        for task in bag.dags[DAG].tasks:
            task.retries = 0
        lines.write(json.dumps(run(bag.dags, wanted)) + "\n")


if __name__ == "__main__":
    main()
