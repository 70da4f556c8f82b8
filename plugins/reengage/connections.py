"""Connections as Airflow writes them: where something is, and what opens it."""

import ipaddress
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from reengage.errors import ConfigurationError
from reengage.settings import given

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain"})


@dataclass(frozen=True)
class Access:
    """The fields of one connection, as Airflow names them. What opens it is never shown."""

    name: str
    conn_type: str = ""
    host: str = ""
    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    schema: str = ""
    port: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


# Finds a connection by its name. Raises ConfigurationError where there is none.
Accesses = Callable[[str], Access]


def of_environment(name: str) -> Access:
    """The connection that AIRFLOW_CONN_<NAME> (or …_FILE) says, in Airflow's JSON or URI form.

    Raises ConfigurationError, never with what stands there: it holds a secret.
    """
    variable = f"AIRFLOW_CONN_{name.upper()}"
    said = given(variable)
    if said is None:
        raise ConfigurationError(
            f"There is no connection {name}: define it in Airflow (Admin, Connections), or export "
            f"{variable} in Airflow's JSON form."
        )
    try:
        parts = parts_of(said)
        return access(name, **parts)
    except (ValueError, AttributeError, TypeError) as error:
        # Not chained: the parser's message would quote the value.
        raise ConfigurationError(
            f"{variable} is neither Airflow's JSON form nor its URI form ({type(error).__name__}). "
            'Write {"conn_type": "postgres", "host": "…", "login": "…", "password": "…"}.'
        ) from None


def access(
    name: str,
    conn_type: str | None = None,
    host: str | None = None,
    login: str | None = None,
    password: str | None = None,
    schema: str | None = None,
    port: int | str | None = None,
    extra: Mapping[str, Any] | None = None,
    **_others: Any,
) -> Access:
    """A connection of its fields, empty ones as Airflow leaves them."""
    return Access(
        name,
        (conn_type or "").replace("-", "_"),
        host or "",
        login or "",
        password or "",
        schema or "",
        int(port) if port else None,
        dict(extra or {}),
    )


def parts_of(value: str) -> dict[str, Any]:
    """The fields in Airflow's JSON or URI form. Raises ValueError, AttributeError or TypeError."""
    if not value.lstrip().startswith("{"):
        return _uri_parts(value)
    parts: dict[str, Any] = json.loads(value)
    extra = parts.get("extra") or {}
    parts["extra"] = json.loads(extra) if isinstance(extra, str) else extra
    return parts


def _uri_parts(uri: str) -> dict[str, Any]:
    """Airflow's URI form, type://login:password@host:port/schema?extra, also with a protocol
    before the host (type://http://host).
    """
    kind, separator, rest = uri.strip().partition("://")
    if not separator:
        raise ValueError("no scheme")
    protocol, separator, inner = rest.partition("://")
    nested = separator and "?" not in protocol and "@" not in protocol
    rest, protocol = (inner, f"{protocol}://") if nested else (rest, "")
    parts = urlsplit(f"//{rest}", scheme=kind)
    extra: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "__extra__" in extra:
        extra = dict(json.loads(extra["__extra__"]))
    # Not .hostname: it may be a quoted http://127.0.0.1:8080, which has no lower case to take.
    host = parts.netloc.rpartition("@")[2]
    if parts.port is not None:
        host = host.rpartition(":")[0]
    return {
        "conn_type": kind,
        "host": protocol + unquote(host),
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "schema": unquote(parts.path.strip("/")),
        "port": parts.port,
        "extra": extra,
    }


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return host in LOOPBACK_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Unasked(logging.Filter):
    """Keeps the queries of our requests out of urllib3's debug lines: they may hold numbers, or
    what opens the next page.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Unasked())
