"""The maintenance DAG, run: it tells what differs, mends it when asked, and fails otherwise."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import homes
from reengage import db

CODE = """
import json, sys
from reengage_local import airflow
from reengage_local.postgres import EmbeddedServer
from reengage.settings import settings

airflow.prepare(EmbeddedServer(settings().home))
dags, told = airflow.Dags(), []
for conf in json.loads(sys.argv[1]):
    try:
        dags.run("reengage_maintenance", conf)
        told.append("success")
    except airflow.RunFailed as error:
        told.append(str(error))
print("told:", json.dumps(told))
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with Airflow's metadata, whose server runs."""
    home = tmp_path / "home"
    server = homes.with_airflow(home)
    server.start()
    yield home
    server.forget()


@pytest.fixture
def warehouse(home: Path) -> Iterator[sa.Engine]:
    """The home's own, migrated and empty."""
    engine = db.engine(homes.address(home))
    yield engine
    engine.dispose()


def run(home: Path, *confs: dict[str, Any]) -> list[str]:
    """How runs with these configurations end, one after the other, in one process."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, json.dumps(confs)],
        env=homes.environment(home),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("told: ")]
    assert lines, done.stderr[-3000:]
    found: list[str] = json.loads(lines[-1].removeprefix("told: "))
    return found


def test_the_dag_fails_on_a_difference_and_mends_it_when_asked(
    home: Path, warehouse: sa.Engine
) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO core.contact (contact_id, first_source, first_source_contact_id, "
            "first_seen_on) VALUES (7, 'crm', 'a', '2024-01-01')"
        )
        connection.exec_driver_sql(
            "INSERT INTO core.contact_activity (contact_id, visible_on, purchases, "
            "updated_load_id) VALUES (7, '2024-01-01', 5, 1)"
        )
    failed = "reengage_maintenance failed in audit."
    ends = run(home, {}, {"share": 1, "repair": True}, {"share": 1.0})
    assert ends == [failed, "success", "success"]
    with warehouse.connect() as connection:
        kept = connection.execute(
            sa.text("SELECT differing, is_repaired FROM maintenance.audit ORDER BY audit_id")
        ).all()
        left = connection.execute(sa.text("SELECT purchases FROM core.contact_activity")).all()
    assert [tuple(row) for row in kept] == [(1, False), (1, True), (0, False)]
    assert [tuple(row) for row in left] == [(0,)]
