"""Where things are: the project's files, and the state of this installation."""

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import URL, make_url

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


def phone_keys() -> tuple[str, ...]:
    """The keys that numbers are hashed with, the newest first: what an older one has written is
    found by it.
    """
    return (secret("phones"),)


def warehouse_url() -> str:
    """The warehouse's address for SQLAlchemy, for processes that run without Airflow.

    From AIRFLOW_CONN_REENGAGE_WAREHOUSE (Airflow's JSON or URI form), else the embedded server of
    this home. Raises ConfigurationError where neither is there.
    """
    given = os.environ.get("AIRFLOW_CONN_REENGAGE_WAREHOUSE")
    if given and given.lstrip().startswith("{"):
        said = json.loads(given)
        extra = said.get("extra") or {}
        return warehouse_address(
            said.get("login"), said.get("password"), said.get("host"), said.get("port"),
            said.get("schema"), json.loads(extra) if isinstance(extra, str) else extra,
        )  # fmt: skip
    if given:
        url = make_url("postgresql+psycopg://" + given.split("://", 1)[1])
        # Airflow writes what is more than text under __extra__.
        extra = {**url.query, **json.loads(str(url.query.get("__extra__", "{}")))}
        return warehouse_address(
            url.username, url.password, url.host, url.port, url.database, extra
        )
    file = settings().home / "postgres" / "dsn"
    if not file.exists():
        raise ConfigurationError(
            f"No warehouse: the embedded server of {settings().home} was never started and "
            "AIRFLOW_CONN_REENGAGE_WAREHOUSE is not set. `make up` or `make day` starts one."
        )
    return "postgresql+psycopg" + file.read_text(encoding="utf-8").strip().removeprefix(
        "postgresql"
    )


def warehouse_address(
    login: str | None,
    password: str | None,
    host: str | None,
    port: int | str | None,
    database: str | None,
    extra: Mapping[str, Any],
) -> str:
    """The address of a connection for SQLAlchemy, with every option of libpq that its extra names
    (sslmode, sslrootcert, options, …); what libpq does not know is Airflow's own.
    """
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    return URL.create(
        "postgresql+psycopg",
        username=login or None,
        password=password or None,
        host=host or ("localhost" if "host" not in extra else None),
        port=int(port) if port else None,
        database=database or None,
        query={key: str(value) for key, value in extra.items() if key in known},
    ).render_as_string(hide_password=False)
