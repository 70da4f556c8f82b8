"""What a source's YAML says of where its data lies: the keys of each connector."""

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

# The keys that say where the data of a source lies, by the connector whose they are.
INTERVAL = frozenset({"by_time", "start", "overlap_hours", "window_days", "sweep"})
KEYS: dict[str, frozenset[str]] = {
    "files": frozenset(
        {"path", "connection", "format", "sheet", "delimiter", "encoding", "broken_files"}
    ),
    "sql": frozenset({"connection", "table", "query", "by_key", "overlap_keys"}) | INTERVAL,
    "rest": frozenset({"connection", "request"}) | INTERVAL,
    "python": frozenset({"connection", "function", "options"}) | INTERVAL,
}
PLACES = frozenset().union(*KEYS.values())
# Of a connector of somebody else's, which says itself what it needs.
OTHERS = frozenset({"connection", "options"}) | INTERVAL
NEEDED = {
    "files": {"path": "a file, a folder or a glob"},
    "sql": {"connection": "the name of an Airflow connection"},
    "rest": {
        "connection": "the name of an Airflow connection",
        "request": "what is asked for: its path, and where the records are",
    },
    "python": {"function": "a function of yours, like my_package.orders:read"},
}


def is_address(path: str) -> bool:
    """Whether a path says a place beyond this machine: s3://bucket/orders."""
    return "://" in path


def check_path(path: str, *, has_connection: bool) -> None:
    """Raises ValueError for an address that holds what opens it, as it stands in logs and tables,
    or is none.
    """
    if not is_address(path):
        if has_connection:
            raise ValueError(
                "connection: of files it goes with an address, like s3://bucket/orders"
            )
        return
    parts = urlsplit(path)
    if "::" in path or parts.scheme in ("file", "local"):
        raise ValueError("path: write one address (s3://bucket/orders), or a path of this machine")
    is_azure = parts.scheme in ("abfs", "abfss", "az")  # container@account
    if ("@" in parts.netloc and (not is_azure or parts.password)) or (
        parts.scheme in ("http", "https") and _SECRET.search(parts.query.casefold())
    ):
        raise ValueError("path: what opens it goes into an Airflow connection, named as connection")


# A parameter that opens an address.
_SECRET = re.compile(r"(?:^|&)[^=&]*(?:sig|token|key|secret|passw|auth|cred)[^=&]*=")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paging(_Part):
    """How an answer goes on.

    by: page (a number that grows by one), offset (that grows by the records of a page), cursor (a
    word of the answer, sent with the next request), next (the answer holds the next address), link
    (its Link header does), none (one answer is all). parameter: of the request, for the first
    three. first: the first page's number, or offset. size: how many records are asked for, by
    size_parameter. at: where the word or the address stands in an answer, for cursor and next.
    """

    by: Literal["page", "offset", "cursor", "next", "link", "none"] = "none"
    parameter: str = ""
    first: int = Field(default=-1, ge=-1)
    size_parameter: str = ""
    size: int = Field(default=0, ge=0, le=100_000)
    at: str = ""

    @model_validator(mode="after")
    def _fits(self) -> "Paging":
        if self.by in ("page", "offset", "cursor") and not self.parameter:
            raise ValueError(f"parameter: say which one of the request is the {self.by}")
        if self.by in ("cursor", "next") and not self.at:
            raise ValueError("at: say where it stands in an answer, like paging.next")
        if bool(self.size) != bool(self.size_parameter):
            raise ValueError("size: goes with size_parameter, the one of the request that says it")
        return self


class Request(_Part):
    """What an interface is asked for.

    path: behind the connection's host. params: of each request. since and until: the parameters
    that take the interval's ends, in the way that `times` says. records: where the list of records
    stands in an answer; none: the answer is the list. each: the list within a record of which each
    entry is a row (an order's lines); the record's own fields stand beside the entry's, under
    `record.`. auth: how the connection's password opens it; auth_header: the header that takes it.
    token_path: where OAuth2 gives a token.
    """

    path: str
    params: dict[str, str] = {}
    since: str = ""
    until: str = ""
    times: Literal["iso", "seconds", "milliseconds", "date"] = "iso"
    records: str = ""
    each: str = ""
    paging: Paging = Paging()
    auth: Literal["none", "bearer", "basic", "header", "oauth2"] = "none"
    auth_header: str = ""
    token_path: str = ""

    @model_validator(mode="after")
    def _fits(self) -> "Request":
        if not self.path.startswith("/") or self.path.startswith("//") or "?" in self.path:
            raise ValueError(
                "path: begins with one /, behind the connection's host; what follows a ? are params"
            )
        if self.auth == "header" and not self.auth_header:
            raise ValueError("auth_header: say which header takes the connection's password")
        if self.auth == "oauth2" and not self.token_path.startswith("/"):
            raise ValueError("token_path: say where the token is, like /oauth/token")
        return self
