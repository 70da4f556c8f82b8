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
from sqlalchemy.exc import ArgumentError

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

# Airflow's own variables of our connections, of which each may also be <NAME>_FILE.
WAREHOUSE_VARIABLE = "AIRFLOW_CONN_REENGAGE_WAREHOUSE"
SMS_VARIABLE = "AIRFLOW_CONN_REENGAGE_SMS"


@dataclass(frozen=True)
class Settings:
    """The paths of one installation.

    home: state (server data, logs, pids, generated secrets). policy: the policy's YAML file.
    sources: the folder of the sources' YAML files. templates: the folder of the brand's own texts
    and pages, laid out as include/templates is; None where there is none.
    """

    home: Path
    policy: Path
    sources: Path
    templates: Path | None

    @property
    def sandbox(self) -> Path:
        """The folder of the local provider: its log of accepted messages, its recipients."""
        return self.home / "sandbox"


def settings() -> Settings:
    """The settings of this process, from REENGAGE_HOME, REENGAGE_POLICY, REENGAGE_SOURCES and
    REENGAGE_TEMPLATES.

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
        templates=path(own, TEMPLATES) if os.environ.get(own := "REENGAGE_TEMPLATES") else None,
    )


def templates(kind: str) -> tuple[Path, ...]:
    """The folders of a kind of templates (sms, landing, marketer), in the order in which a file is
    looked for: the brand's own, which takes the place of ours of the same name, then ours.

    Raises ConfigurationError where REENGAGE_TEMPLATES names a folder that is not there.
    """
    own = settings().templates
    if own is None:
        return (TEMPLATES / kind,)
    if not own.is_dir():
        raise ConfigurationError(
            f"The folder of your own templates is not there: {own} (REENGAGE_TEMPLATES). Make it, "
            "with sms and landing in it as in include/templates, or take the variable away."
        )
    return (own / kind, TEMPLATES / kind)


def template_files(kind: str, pattern: str) -> dict[str, Path]:
    """The files of a kind of templates whose names match, by name: the brand's own before ours."""
    return {
        file.name: file
        for folder in reversed(templates(kind))
        for file in sorted(folder.glob(pattern))
    }


def given(name: str) -> str | None:
    """What the environment says under a name: in the variable, else in the file that <NAME>_FILE
    names (as Docker and others hand secrets over), without the line's end; None where neither is
    set.

    Raises ConfigurationError, which never tells what is in it, for a file that cannot be read or is
    empty.
    """
    if value := os.environ.get(name):
        return value
    file = os.environ.get(f"{name}_FILE")
    if not file:
        return None
    try:
        value = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
    else:
        if value:
            return value
        why = "it is empty"
    # Nothing of the error goes along: it could quote what the file holds.
    raise ConfigurationError(
        f"{name}_FILE names {file}, which cannot be used: {why}. Let it hold the value of {name}, "
        f"readable by user {os.geteuid()}, or set {name} itself."
    )


def secret(name: str) -> str:
    """A secret of this installation, from REENGAGE_SECRET_<NAME> (or …_FILE), else made once and
    kept in `$REENGAGE_HOME/secrets` (mode 0600). On several machines set it: they must agree.
    """
    if said := given(f"REENGAGE_SECRET_{name.upper()}"):
        return said
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

    From AIRFLOW_CONN_REENGAGE_WAREHOUSE (Airflow's JSON or URI form) or the file that …_FILE
    names, else the embedded server of this home. Raises ConfigurationError where neither is there.
    """
    if address := given(WAREHOUSE_VARIABLE):
        try:
            return _address_of(address)
        except (ValueError, AttributeError, ArgumentError) as error:
            # Not chained: the parser's message could quote the value.
            raise ConfigurationError(
                f"{WAREHOUSE_VARIABLE} is neither Airflow's JSON form nor an address "
                f"({type(error).__name__}). Write postgresql://user:password@host:5432/warehouse; "
                "what is no letter or digit in a password is written as %2F and the like."
            ) from None
    file = settings().home / "postgres" / "dsn"
    if not file.exists():
        raise ConfigurationError(
            f"No warehouse: the embedded server of {settings().home} was never started and "
            f"{WAREHOUSE_VARIABLE} is not set. `make up` or `make day` starts one."
        )
    return "postgresql+psycopg" + file.read_text(encoding="utf-8").strip().removeprefix(
        "postgresql"
    )


def _address_of(said: str) -> str:
    """The address in what AIRFLOW_CONN_REENGAGE_WAREHOUSE holds."""
    if said.startswith("{"):
        parts = json.loads(said)
        extra = parts.get("extra") or {}
        return warehouse_address(
            parts.get("login"), parts.get("password"), parts.get("host"), parts.get("port"),
            parts.get("schema"), json.loads(extra) if isinstance(extra, str) else extra,
        )  # fmt: skip
    _, scheme_ends, rest = said.partition("://")
    if not scheme_ends:
        raise ValueError
    url = make_url(f"postgresql+psycopg://{rest}")
    # Airflow writes what is more than text under __extra__.
    extra = {**url.query, **json.loads(str(url.query.get("__extra__", "{}")))}
    return warehouse_address(url.username, url.password, url.host, url.port, url.database, extra)


def warehouse_address(
    login: str | None,
    password: str | None,
    host: str | None,
    port: int | str | None,
    database: str | None,
    extra: Mapping[str, Any],
) -> str:
    """The address of a connection for SQLAlchemy, with every option of libpq that its extra names
    (sslmode, sslrootcert, options, …); what libpq does not know is Airflow's own. A connection
    without a password takes that of REENGAGE_WAREHOUSE_PASSWORD (or …_FILE).
    """
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    return URL.create(
        "postgresql+psycopg",
        username=login or None,
        password=password or given("REENGAGE_WAREHOUSE_PASSWORD"),
        host=host or ("localhost" if "host" not in extra else None),
        port=int(port) if port else None,
        database=database or None,
        query={key: str(value) for key, value in extra.items() if key in known},
    ).render_as_string(hide_password=False)
