"""Where things are: the project's files, and the state of this installation."""

import hmac
import json
import os
import secrets
import shlex
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def given(name: str, *, may_be_empty: bool = False) -> str | None:
    """What the environment says under a name: in the variable, else in the file that <NAME>_FILE
    names (as Docker and others hand secrets over), without the line's end; None where neither is
    set.

    Raises ConfigurationError, which never tells what is in it, for a file that cannot be read, that
    everybody on the machine can read, or that is empty.
    """
    if value := os.environ.get(name):
        return value
    file = os.environ.get(f"{name}_FILE")
    if not file:
        return None
    value, why = _text_of(Path(file))
    if not why and _is_open_to_all(Path(file)):
        why = f"everybody on this machine can read it (type: chmod o= {shlex.quote(file)})"
    if not why and (value or may_be_empty):
        return value or None
    why = why or "it is empty"
    raise ConfigurationError(
        f"{name}_FILE names {file}, which cannot be used: {why}. Let it hold the value of {name}, "
        f"readable by user {os.geteuid()}, or set {name} itself."
    )


def _text_of(path: Path) -> tuple[str, str]:
    """What a file holds, without the blanks around it, and why it cannot be read ("" where it can).
    Nothing of an error goes along: it could quote what the file holds.
    """
    try:
        return path.read_text(encoding="utf-8").strip(), ""
    except OSError as error:
        return "", error.strerror or "it cannot be opened"
    except UnicodeDecodeError:
        return "", "it is no text in UTF-8"


def _is_open_to_all(path: Path) -> bool:
    """Whether any user of the machine can read or change a file: its mode lets them, and no folder
    above keeps them out. What a container is handed in /run is its own.
    """
    path = path.resolve()
    if path.is_relative_to("/run") or not path.stat().st_mode & 0o006:
        return False
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)


def private_folder(*names: str) -> Path:
    """A folder of the home, made where it is not there: its user's alone, as the home is."""
    folder = settings().home
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True, mode=0o700)
    for name in names:
        folder = folder / name
        folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def keep_private() -> None:
    """What this process and its children write from now on is its user's alone, and so is what a
    home of before holds: the folder itself, and its logs.
    """
    os.umask(0o077)
    home = settings().home
    logs = home / "logs"
    for path in (home, logs, *logs.rglob("*")):
        # One of another user's is theirs to mend, and one may go while we look.
        with suppress(OSError):
            mode = path.lstat().st_mode
            if mode & 0o077 and not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & 0o700)


def read_secret_file(path: Path) -> str:
    """What a file holds that is a secret, without the blanks around it.

    Raises ConfigurationError where others than its owner may read or write it, where it cannot be
    read, and where there is nothing in it.
    """
    text, why = _text_of(path)
    if why:
        raise ConfigurationError(f"{path} holds a secret, but cannot be read: {why}.")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigurationError(
            f"{path} holds a secret, and others than its owner may read it (mode {mode:03o}). "
            f"Type: chmod 600 {shlex.quote(str(path))}"
        )
    if not text:
        raise ConfigurationError(
            f"{path} holds a secret, but is empty. Put the secret back from your backup."
        )
    return text


def secret_file(name: str) -> Path:
    """The file of the home that a secret is kept in where no variable gives it."""
    return settings().home / "secrets" / name


def secret_place(name: str) -> str:
    """Where a secret comes from, in words: its variable, or its file of the home."""
    variable = f"REENGAGE_SECRET_{name.upper()}"
    for place in (variable, f"{variable}_FILE"):
        if os.environ.get(place):
            return place
    return str(secret_file(name))


def given_secret(name: str) -> str | None:
    """A secret from REENGAGE_SECRET_<NAME> (or …_FILE), else from `$REENGAGE_HOME/secrets`; None
    where it is in neither. Raises ConfigurationError for a file that must not be used.
    """
    variable = f"REENGAGE_SECRET_{name.upper()}"
    if said := given(variable, may_be_empty=name.endswith("_old")):
        return said
    file = secret_file(name)
    return read_secret_file(file) if file.exists() else None


def secret(name: str) -> str:
    """A secret of this installation: the given one, else made once and kept in
    `$REENGAGE_HOME/secrets` (mode 0600). On several machines set the variable: they must agree.
    """
    known = given_secret(name)
    if known is None:
        folder = private_folder("secrets")
        # Written aside and linked into place: of two processes one wins, and both read its value.
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as aside:
            aside.write(secrets.token_urlsafe(32))
        try:
            os.link(aside.name, folder / name)
        except FileExistsError:
            pass
        finally:
            Path(aside.name).unlink()
        known = read_secret_file(folder / name)
    return known


def web_key(purpose: str) -> bytes:
    """The key of what the link service hashes for one purpose. Its secret follows no other: with it
    a visitor, and a webhook that comes again, are known after the numbers' key has changed.
    """
    return hmac.digest(secret("web").encode(), purpose.encode(), "sha256")


def phone_keys() -> tuple[str, ...]:
    """The keys that numbers are hashed with, as they are given: today's first, then the former ones
    (REENGAGE_SECRET_PHONES_OLD, several with blanks between them). Which of them the warehouse
    knows is `keys.known`'s to say.
    """
    former = given_secret("phones_old") or ""
    # A key that holds blanks itself is one, too.
    return tuple(dict.fromkeys([secret("phones"), *filter(None, [former]), *former.split()]))


def make_phone_key() -> None:
    """Put a new key in the place of today's, which becomes a former one. Killed in between, the
    former one stands in both places, and nothing is lost.

    Raises ConfigurationError where a variable gives the key, which is then somebody's to change.
    """
    for name in ("phones", "phones_old"):
        if secret_place(name) != str(secret_file(name)):
            raise ConfigurationError(
                f"The key comes from {secret_place(name)}. Put a new one into "
                "REENGAGE_SECRET_PHONES (openssl rand -hex 32) and the former into "
                "REENGAGE_SECRET_PHONES_OLD, for every service, and type make rotate-key again."
            )
    today = secret("phones")
    former = dict.fromkeys([today, *(given_secret("phones_old") or "").split("\n")])
    for name, text in (
        ("phones_old", "\n".join(filter(None, former))),
        ("phones", secrets.token_urlsafe(32)),
    ):
        with tempfile.NamedTemporaryFile("w", dir=private_folder("secrets"), delete=False) as aside:
            aside.write(text)
            aside.flush()
            os.fsync(aside.fileno())
        Path(aside.name).replace(secret_file(name))


def warehouse_url() -> str:
    """The warehouse's address for SQLAlchemy, for processes that run without Airflow.

    From AIRFLOW_CONN_REENGAGE_WAREHOUSE (Airflow's JSON or URI form) or the file that …_FILE
    names, else the embedded server of this home. Raises ConfigurationError where neither is there.
    """
    if address := given(WAREHOUSE_VARIABLE):
        from sqlalchemy.exc import ArgumentError

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
    from sqlalchemy.engine import make_url

    if said.startswith("{"):
        parts = json.loads(said)
        extra = parts.get("extra") or {}
        return warehouse_address(
            parts.get("login"),
            parts.get("password"),
            parts.get("host"),
            parts.get("port"),
            parts.get("schema"),
            json.loads(extra) if isinstance(extra, str) else extra,
        )
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
    import psycopg
    from sqlalchemy.engine import URL

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
