"""How a provider is reached: the account in a connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from reengage.connections import is_loopback, parts_of
from reengage.errors import ConfigurationError


@dataclass(frozen=True)
class Account:
    """How a provider is reached. base_url has a scheme and no slash at its end."""

    provider: str
    base_url: str
    login: str
    password: str = field(repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the local provider: its host is loopback, and the connection's extra
        says `sandbox: true`. Both, so that no slip of one setting makes a real account one.
        """
        return self.extra.get("sandbox") in (True, "true", "True") and is_loopback(self.base_url)


def account_from_uri_or_json(value: str) -> Account:
    """The account in what AIRFLOW_CONN_REENGAGE_SMS may hold: Airflow's JSON or URI form.

    Raises ConfigurationError, without the value: it holds a key.
    """
    try:
        return account(**parts_of(value))
    except (ValueError, AttributeError, TypeError) as error:
        # Not chained: the parser's message would quote the value.
        raise ConfigurationError(
            "AIRFLOW_CONN_REENGAGE_SMS is neither Airflow's JSON form nor its URI form "
            f"({type(error).__name__}). Write "
            '{"conn_type": "infobip", "host": "….api.infobip.com", "password": "<API key>"}.'
        ) from None


def account(
    conn_type: str | None = None,
    host: str | None = None,
    login: str | None = None,
    password: str | None = None,
    schema: str | None = None,
    port: int | str | None = None,
    extra: Mapping[str, Any] | None = None,
    **_others: Any,
) -> Account:
    """The account in a connection's fields, as Airflow names them.

    https, unless the host (`http://…`) or the schema field says http, or it is the sandbox on
    loopback. Raises ConfigurationError without a type or a host.
    """
    if not conn_type or not host:
        raise ConfigurationError(
            "The connection reengage_sms needs a type (infobip, twilio or mailup) and a host "
            "(<account>.api.infobip.com, api.twilio.com, sendsms.mailup.com)."
        )
    extra = dict(extra or {})
    scheme, _, rest = host.rstrip("/").rpartition("://")
    base = f"{rest}:{port}" if port else rest
    local = extra.get("sandbox") in (True, "true", "True") and is_loopback(f"http://{base}")
    scheme = scheme or (schema if schema in ("http", "https") else "http" if local else "https")
    return Account(
        provider=conn_type.replace("-", "_"),
        base_url=f"{scheme}://{base}",
        login=login or "",
        password=password or "",
        extra=extra,
    )


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""
