"""Where things are: the project's files, and the state of this installation."""

import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from reengage.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[2]
INCLUDE = PROJECT / "include"
SQL = INCLUDE / "sql"
TEMPLATES = INCLUDE / "templates"
DEMO_SOURCES = INCLUDE / "demo" / "sources"

# How the local commands tell Airflow's tasks where the sandbox (a connection, in Airflow's JSON
# form) and the link service are. A real connection and a real domain come before them.
SANDBOX_VARIABLE = "REENGAGE_SANDBOX_SMS"
LINKS_VARIABLE = "REENGAGE_LINK_BASE"


@dataclass(frozen=True)
class Settings:
    """The paths of one installation.

    home: state (server data, logs, pids, generated secrets). policy: the policy's YAML file.
    sources: the folder of the sources' YAML files.
    """

    home: Path
    policy: Path
    sources: Path

    @property
    def sandbox(self) -> Path:
        """The folder of the local provider: its log of accepted messages, its recipients."""
        return self.home / "sandbox"


def settings() -> Settings:
    """The settings of this process, from REENGAGE_HOME, REENGAGE_POLICY and REENGAGE_SOURCES.

    A home that holds the demo's data goes on with the demo's sources, where none are named.
    """

    def path(name: str, default: Path) -> Path:
        return Path(os.environ.get(name) or default).expanduser().resolve()

    home = path("REENGAGE_HOME", PROJECT / ".local")
    has_demo = (home / "demo" / "ready").exists()
    return Settings(
        home=home,
        policy=path("REENGAGE_POLICY", INCLUDE / "journey.yaml"),
        sources=path("REENGAGE_SOURCES", DEMO_SOURCES if has_demo else INCLUDE / "sources"),
    )


def secret(name: str) -> str:
    """A secret of this installation, from REENGAGE_SECRET_<NAME>, else made once and kept in
    `$REENGAGE_HOME/secrets` (mode 0600). On several machines set the variable: they must agree.
    """
    given = os.environ.get(f"REENGAGE_SECRET_{name.upper()}")
    if given:
        return given
    folder = settings().home / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / name
    if not file.exists():
        # Written aside and linked into place: of two processes one wins, and both read its value.
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as aside:
            aside.write(secrets.token_urlsafe(32))
        try:
            os.link(aside.name, file)
        except FileExistsError:
            pass
        finally:
            Path(aside.name).unlink()
    return file.read_text(encoding="utf-8").strip()


def warehouse_url() -> str:
    """The warehouse's address for SQLAlchemy, for processes that run without Airflow.

    From AIRFLOW_CONN_REENGAGE_WAREHOUSE (Airflow's JSON or URI form), else the embedded server of
    this home. Raises ConfigurationError where neither is there.
    """
    given = os.environ.get("AIRFLOW_CONN_REENGAGE_WAREHOUSE")
    if given:
        if given.lstrip().startswith("{"):
            c = json.loads(given)
            login = f"{quote(c.get('login') or '')}:{quote(c.get('password') or '', safe='')}"
            address = f"{c.get('host') or 'localhost'}:{c.get('port') or 5432}"
            return f"postgresql+psycopg://{login}@{address}/{c.get('schema') or ''}"
        return "postgresql+psycopg://" + given.split("://", 1)[1]
    file = settings().home / "postgres" / "dsn"
    if not file.exists():
        raise ConfigurationError(
            f"No warehouse: the embedded server of {settings().home} was never started and "
            "AIRFLOW_CONN_REENGAGE_WAREHOUSE is not set. `make up` or `make day` starts one."
        )
    return "postgresql+psycopg" + file.read_text(encoding="utf-8").strip().removeprefix(
        "postgresql"
    )
