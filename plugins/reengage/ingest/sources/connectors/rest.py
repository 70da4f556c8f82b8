"""JSON over HTTP: pages of records, asked for one after the other.

Nothing that is no whole answer is read as one: an error page, an answer that is cut, a list that is
not where the YAML says it is. What passes (429, 5xx, a connection that is cut) is asked for again,
a few times; what does not pass ends the part, whose rows so far load, and which is asked for anew.
Pages by number or offset shift where a record vanishes or changes meanwhile, and one is skipped:
they are read until a whole pass brings nothing new. What opens the interface is sent to its own
host alone.
"""

import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from reengage.clock import wall_clock
from reengage.connections import Access, Accesses, is_loopback, of_environment
from reengage.errors import ConfigurationError, SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.base import Part
from reengage.ingest.sources.connectors.live import Documents, Live, instant, is_missing, within
from reengage.ingest.sources.places import Request
from reengage.ingest.sources.records import Broken, Notes, Row, object_of

TIMEOUT = (10.0, 60.0)  # seconds: to connect, and of silence
LONGEST_ANSWER = 300.0  # seconds
MOST_BYTES = 64 << 20  # of an answer, unpacked
MOST_TRIES = 6  # of one request that fails
FIRST_WAIT = 1.0  # seconds, doubled each time
MOST_WAIT = 900.0  # seconds that an answer may ask us to wait
MOST_WAITS = 3600.0  # seconds that one part waits in all
MOST_REDIRECTS = 5
MOST_PAGES = 100_000
MOST_ALIKE = 3  # pages that say the same
MOST_PASSES = 5
ROWS_A_PAGE = 1_000_000  # at most: a row's number is its page's, and its own in that

sleep = time.sleep


class Rest(Live):
    """What an interface answers to one request, page after page."""

    def __init__(self, source: Source, zone: Any, accesses: Accesses = of_environment) -> None:
        super().__init__(source, zone, accesses)
        assert source.request is not None
        self.request: Request = source.request
        self.where = f"{source.connection}, {self.request.path}"

    def place(self, line: int) -> str:
        return f"page {line // ROWS_A_PAGE:,}, row {line % ROWS_A_PAGE:,}"

    def _read(self, part: Part, notes: Notes) -> Iterator[Row]:
        access = self.accesses(str(self.source.connection))
        with closing(Client(access, self.request, self.where)) as client:
            yield from self._passes(client, part, notes)

    def _passes(self, client: "Client", part: Part, notes: Notes) -> Iterator[Row]:
        documents, began = Documents(self, notes), wall_clock()
        self._lines_of: dict[bytes, tuple[int, int]] = {}
        self.void.clear()
        shifts = self.request.paging.by in ("page", "offset")
        seen: set[bytes] = set()
        number = 0
        for _ in range(MOST_PASSES):
            missed = 0
            for records in self._pages(client, part, notes):
                number += 1
                index = 0
                for record in records:
                    if shifts:
                        mark = _digest(record)
                        if mark in seen:
                            continue
                        seen.add(mark)
                        missed += self._is_of_before(record, began)
                    first = number * ROWS_A_PAGE + index + 1
                    for row in self._rows(record, documents):
                        index += 1
                        if index == ROWS_A_PAGE:
                            raise SourceError(
                                f"{self.where} gives more than {ROWS_A_PAGE:,} rows a page. Ask "
                                "for smaller pages (paging.size)."
                            )
                        yield number * ROWS_A_PAGE + index, row
                    self._replace(record, first, number * ROWS_A_PAGE + index)
            if not shifts or not missed:
                break
        else:
            raise SourceError(
                f"{self.where}: {MOST_PASSES} times over its pages brought each time what was not "
                "there before, so some of it may be skipped. Ask for shorter pieces (window_days), "
                "or page by cursor, next or link if it can."
            )
        documents.end()

    def _is_of_before(self, record: Any, began: datetime) -> bool:
        """Whether a record was there when the reading began: what came since is of the next."""
        if not self.source.by_time:
            return True
        at = within(record, self.source.by_time)
        with suppress(SourceError):
            return is_missing(at) or at in (None, "") or self._moment(at) <= began
        return True

    def _replace(self, record: Any, first: int, last: int) -> None:
        """Where a record gives several rows and comes again, as it has changed, those that it gave
        before are void: together they would be no order that ever was.
        """
        name = self.source.named_columns.get("source_event_id", "")
        if not self.request.each or not name.startswith("record."):
            return
        key = within(record, name.removeprefix("record."))
        if is_missing(key) or key in (None, ""):
            return
        mark = _digest(key)
        if before := self._lines_of.get(mark):
            self.void.append(before)
        self._lines_of[mark] = first, last

    def _rows(self, record: Any, documents: Documents) -> Iterator[Any]:
        if not isinstance(record, Mapping):
            yield Broken("is no JSON object", json.dumps(record, default=str)[:2000])
            return
        each = self.request.each
        entries = within(record, each) if each else None
        if not each:
            yield documents.row(record)
        elif isinstance(entries, list) and entries:
            for entry in entries:
                if isinstance(entry, Mapping):
                    yield documents.row({**entry, "record": record})
                else:
                    yield Broken(f"is no JSON object in {each}", json.dumps(entry, default=str))
        else:  # an order without a line is an order
            yield documents.row({"record": record})
        if self.source.by_time and not is_missing(at := within(record, self.source.by_time)):
            self._see(at)

    def _moment(self, value: Any) -> datetime:
        """Also seconds or milliseconds since 1970."""
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            with suppress(ValueError, OverflowError, OSError):
                value = datetime.fromtimestamp(float(value) / (1000 if value > 10**11 else 1), UTC)
        return super()._moment(value)

    # --- pages

    def _pages(self, client: "Client", part: Part, notes: Notes) -> Iterator[list[Any]]:
        """The records of page after page. Raises SourceError where they have no end."""
        paging = self.request.paging
        params: dict[str, str] = {**self.request.params, **self._interval(part)}
        if paging.size_parameter:
            params[paging.size_parameter] = str(paging.size)
        place = max(paging.first, 0) if paging.first >= 0 or paging.by != "page" else 1
        url: str | None = client.base + self.request.path
        token, tokens, alike = "", set[str](), Counter[bytes]()
        has_token = False
        for _ in range(MOST_PAGES):
            if paging.by in ("page", "offset"):
                params[paging.parameter] = str(place)
            answer, links = client.get(str(url), params)
            records = self._records(answer)
            yield records
            if paging.by == "none":
                return
            if paging.by in ("page", "offset"):
                if not records:
                    return
                place += 1 if paging.by == "page" else len(records)
                alike[_digest(records)] += 1
                if max(alike.values()) >= MOST_ALIKE:
                    break
                continue
            found = links if paging.by == "link" else within(answer, paging.at)
            has_token |= paging.by == "link" or not is_missing(found)
            if is_missing(found) or found in (None, "", False):
                if not has_token:
                    notes.told.append(
                        f"no answer has {paging.at}, where paging looks for what comes next: one "
                        "page was read"
                    )
                return
            if str(found) in tokens:
                if str(found) == token and not records:
                    return
                break
            token = str(found)
            tokens.add(token)
            if paging.by == "cursor":
                params[paging.parameter] = token
            else:  # the address says all of it
                url, params = client.own(token, str(url)), {}
        raise SourceError(
            f"{self.where}: its pages have no end, or come again and again. Does "
            f"paging.{'parameter' if paging.parameter else 'at'} name what moves them on?"
        )

    def _records(self, answer: Any) -> list[Any]:
        path = self.request.records
        found = within(answer, path) if path else answer
        if found is None and path:
            return []
        if not isinstance(found, list):
            at = f"at {path}" if path else "as its answer"
            raise SourceError(
                f"{self.where} gives no list {at}: say in request.records where the records stand."
            )
        return found

    def _interval(self, part: Part) -> dict[str, str]:
        said = {}
        if self.request.since and part.begin is not None:
            said[self.request.since] = self._written(instant(part.begin))
        if self.request.until and part.end is not None:
            said[self.request.until] = self._written(instant(part.end), is_end=True)
        return said

    def _written(self, at: datetime, *, is_end: bool = False) -> str:
        """A time as the interface takes it; rather earlier, and an end rather later."""
        if self.request.times == "date":
            day = at.astimezone(self.zone).date() + timedelta(days=1 if is_end else -1)
            return day.isoformat()
        if self.request.times == "milliseconds":
            return str(int(at.timestamp() * 1000) + is_end)
        seconds = int(at.timestamp()) + is_end
        if self.request.times == "seconds":
            return str(seconds)
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Client:
    """One interface, and what opens it. where: for messages."""

    def __init__(self, access: Access, request: Request, where: str) -> None:
        self.access = access
        self.request = request
        self.where = where
        self.base = base_of(access)
        if request.auth != "none" and self.base.startswith("http:") and not is_loopback(self.base):
            raise ConfigurationError(
                f"The connection {access.name} is not encrypted (http), and its password would be "
                "read on the way. Write https://… as its host."
            )
        self._waited = 0.0
        self._token: str | None = None
        self._session = requests.Session()
        # Not what a .netrc of this machine says.
        self._session.auth = lambda prepared: prepared

    def close(self) -> None:
        self._session.close()

    def own(self, url: str, before: str) -> str:
        """An address that an answer names, whole. Raises SourceError where it is another host's."""
        whole = urljoin(before, url)
        if _origin(whole) != _origin(self.base):
            raise SourceError(
                f"{self.where} goes on at another host, {urlsplit(whole).hostname}, which is not "
                "asked: what opens this one would be told to it. Write the connection's host as "
                "the interface itself has it, with https."
            )
        return whole

    def get(self, url: str, params: dict[str, str]) -> tuple[Any, str]:
        """An answer, and the next address of its Link header. Raises SourceError."""
        wait, is_renewed, why = FIRST_WAIT, False, ""
        tries = 0
        while tries < MOST_TRIES:
            try:
                answer = self._asked(url, params)
                with answer:
                    if answer.status_code == 401 and self._token and not is_renewed:
                        is_renewed, self._token = True, None
                        continue
                    if answer.status_code == 429:
                        self._wait(self._told_to_wait(answer, wait))
                        wait = min(wait * 2, MOST_WAIT)
                        continue
                    if answer.status_code < 500:
                        self._check(answer)
                        content = self._content(answer)
                        return self._parsed(content), answer.links.get("next", {}).get("url", "")
                    why = f"it answers {answer.status_code}"
                    told = self._told_to_wait(answer, wait)
            except (requests.RequestException, HTTPError, _Cut) as error:
                # Not chained: the request's address and headers are in it.
                why, told = f"the connection is cut ({type(error).__name__})", wait
                if isinstance(error, _Cut):
                    why = str(error)
            tries += 1
            if tries < MOST_TRIES:
                self._wait(told)
                wait *= 2
        raise SourceError(f"{self.where} cannot be read: {why}, {MOST_TRIES} times.") from None

    def _asked(self, url: str, params: dict[str, str]) -> requests.Response:
        for _ in range(MOST_REDIRECTS):
            answer = self._session.get(
                url,
                params=params,
                headers=self._headers(),
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            )
            if not answer.is_redirect:
                return answer
            answer.close()
            url, params = self.own(str(answer.headers["location"]), url), {}
        raise SourceError(f"{self.where} redirects in a circle.")

    def _headers(self) -> dict[str, str]:
        said = {"Accept": "application/json", "User-Agent": "reengage"}
        auth, secret = self.request.auth, self.access.password
        if auth == "bearer":
            said["Authorization"] = f"Bearer {secret}"
        elif auth == "basic":
            pair = base64.b64encode(f"{self.access.login}:{secret}".encode()).decode()
            said["Authorization"] = f"Basic {pair}"
        elif auth == "header":
            said[self.request.auth_header] = secret
        elif auth == "oauth2":
            self._token = self._token or self._new_token()
            said["Authorization"] = f"Bearer {self._token}"
        return said

    def _new_token(self) -> str:
        """https://www.rfc-editor.org/rfc/rfc6749#section-4.4"""
        pair = f"{self.access.login}:{self.access.password}"
        data = {"grant_type": "client_credentials"}
        if scope := self.access.extra.get("scope"):
            data["scope"] = str(scope)
        with self._session.post(
            self.base + self.request.token_path,
            data=data,
            headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as answer:
            if answer.status_code >= 500:
                raise _Cut(f"{self.request.token_path} answers {answer.status_code}")
            if answer.status_code != 200:
                raise SourceError(
                    f"{self.where}: no token, as {self.request.token_path} answers "
                    f"{answer.status_code}. Are the connection's login (the client's id) and "
                    "password (its secret) right?"
                )
            said = self._parsed(self._content(answer))
        token = said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not token:
            raise SourceError(f"{self.where}: {self.request.token_path} gives no access_token.")
        return token

    def _check(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status in (401, 403):
            raise SourceError(
                f"{self.where} refuses us ({status}). Is the password of the connection "
                f"{self.access.name} right, and may it read this?"
            )
        if status != 200:
            raise SourceError(
                f"{self.where} answers {status}. Are path and params of the request right?"
            )

    def _content(self, answer: requests.Response) -> bytes:
        """The body, of bounded size and time. Raises _Cut where it ends early."""
        began, found = time.monotonic(), bytearray()
        # As it comes: a server that gives a byte a minute keeps nobody for ever.
        while piece := answer.raw.read1(1 << 16, decode_content=True):
            found += piece
            if len(found) > MOST_BYTES:
                raise SourceError(
                    f"{self.where} gives an answer of more than {MOST_BYTES >> 20} MiB. Ask for "
                    "smaller pages (paging.size)."
                )
            if time.monotonic() - began > LONGEST_ANSWER:
                raise _Cut("it gives its answer too slowly")
        return bytes(found)

    def _parsed(self, content: bytes) -> Any:
        """JSON with its numbers as they are. What is none may be an answer that was cut."""
        try:
            return json.loads(content, parse_float=Decimal, object_pairs_hook=object_of)
        except (ValueError, RecursionError):
            raise _Cut("its answer is no whole JSON") from None

    def _told_to_wait(self, answer: requests.Response, least: float) -> float:
        """https://www.rfc-editor.org/rfc/rfc9110#name-retry-after"""
        said = answer.headers.get("Retry-After", "")
        seconds = least
        try:
            seconds = float(said)
        except ValueError:
            with suppress(ValueError, TypeError):
                seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
        if not seconds <= MOST_WAIT:
            raise SourceError(
                f"{self.where} is to be asked again in {seconds:,.0f} seconds, which is too long "
                "for a day's run. Run the day again then."
            )
        return max(seconds, 0.1)

    def _wait(self, seconds: float) -> None:
        self._waited += seconds
        if self._waited > MOST_WAITS:
            raise SourceError(
                f"{self.where} makes us wait for more than {MOST_WAITS / 60:.0f} minutes in all. "
                "Ask it for less at a time, or run the day again later."
            )
        sleep(seconds)


class _Cut(Exception):
    """An answer that is none to its end."""


def _digest(said: Any) -> bytes:
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def base_of(access: Access) -> str:
    """The address of a connection's host: https, unless its host or its schema says http."""
    scheme, _, host = access.host.rstrip("/").rpartition("://")
    scheme = scheme or (access.schema if access.schema in ("http", "https") else "https")
    if not host or scheme not in ("http", "https"):
        raise ConfigurationError(
            f"The connection {access.name} needs a host, like https://shop.example.com."
        )
    return f"{scheme}://{host}" + (f":{access.port}" if access.port else "")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = {"http": 80, "https": 443}.get(parts.scheme)
    with suppress(ValueError):
        port = parts.port or port
    return parts.scheme, parts.hostname, port
