"""The DAGs: they load, they are only wiring, and no backfill makes them send."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from reengage.settings import PROJECT, SQL

DAGS = sorted((PROJECT / "dags").glob("*.py"))
CORE = (
    "reengage.db",
    "reengage.hours",
    "reengage.ingest",
    "reengage.ingest.sources",
    "reengage.journey",
    "reengage.marketer",
    "reengage.outcome.outcomes",
    "reengage.policy",
    "reengage.sending",
    "reengage.sending.providers",
    "reengage.texts",
    "reengage.web",
    "reengage_local.sandbox",
)
HEAVY = {"pandas", "great_expectations", "pyarrow", "phonenumbers", "alembic", "requests"}


def python(code: str, **environment: str) -> str:
    """What a new Python process prints."""
    import os

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "AIRFLOW__CORE__UNIT_TEST_MODE": "True", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_dag_loads_without_the_heavy_libraries(tmp_path: Path) -> None:
    code = f"""
import sys
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
bag = DagBag({str(PROJECT / "dags")!r})
print(sorted(bag.import_errors))
print(sorted(bag.dags))
print(sorted(m for m in set(sys.modules) - before if m in {HEAVY!r}))
for dag in bag.dags.values():
    allowed = sorted(t.value for t in dag.allowed_run_types or ())
    print(dag.dag_id, bool(dag.doc_md and "fails" in dag.doc_md), allowed)
"""
    lines = python(code, AIRFLOW_HOME=str(tmp_path)).strip().splitlines()
    assert lines[-10] == "[]", "no import errors"
    ids = ["history", "ingest", "journey", "maintenance", "outcomes", "replies", "send"]
    assert lines[-9] == str([f"reengage_{name}" for name in ids])
    assert lines[-8] == "[]", "these make a DAG file slow to parse"
    told = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines[-7:]}
    assert all(has_manual == "True" for has_manual, _ in told.values()), "docs say how to recover"
    for dag_id, (_, allowed) in told.items():
        # Only history may be backfilled: a backfill must never reach a customer.
        assert ("backfill" not in allowed and allowed != "[]") == (dag_id != "reengage_history")


@pytest.mark.parametrize("file", DAGS, ids=lambda file: file.stem)
def test_a_dag_file_is_only_wiring(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    body = [node for node in tree.body if not isinstance(node, ast.Expr)]
    lines = sum((node.end_lineno or 0) - node.lineno + 1 for node in body)
    assert lines < 80
    assert "SELECT" not in text and "import pandas" not in text


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """What of Airflow is there once a module is imported, too: one after the other in one process,
    as each would import much of what the others do.
    """
    code = f"""
import importlib, json, pkgutil, sys
found = {{}}
for name in {CORE!r}:
    module = importlib.import_module(name)
    for part in pkgutil.iter_modules(getattr(module, "__path__", [])):
        importlib.import_module(f"{{name}}.{{part.name}}")
    found[name] = sorted(m for m in sys.modules if m.split(".")[0] == "airflow")
print(json.dumps(found))
"""
    found: dict[str, list[str]] = json.loads(python(code).strip().splitlines()[-1])
    return found


@pytest.mark.parametrize("module", CORE)
def test_what_must_run_anywhere_imports_no_airflow(
    module: str, imported: dict[str, list[str]]
) -> None:
    assert imported[module] == []


def test_every_statement_is_used_and_every_used_one_exists() -> None:
    code = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("plugins", "dags")
        for file in (PROJECT / folder).rglob("*.py")
    )
    for file in SQL.rglob("*.sql"):
        name = str(file.relative_to(SQL).with_suffix(""))
        if name.startswith(("migrations/", "objects/")) or name == "schema":
            continue
        whole = {name, name.split("/")[1]} if name.startswith("marketer/") else {name}
        # Named whole, or put together: f"catalog/{kind}", f"contact_{name}".
        beginnings = {
            text[: text.rindex(sign) + 1] for text in whole for sign in "_/" if sign in text
        }
        assert any(f'"{text}"' in code for text in whole) or any(
            f'"{beginning}{{' in code for beginning in beginnings
        ), f"nothing runs {name}.sql"
