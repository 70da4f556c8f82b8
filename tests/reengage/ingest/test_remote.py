"""Files that lie elsewhere: over HTTP, over FTP, and in a store of fsspec's own."""

import os
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import fsspec
import pytest
import sqlalchemy as sa
from fsspec import AbstractFileSystem

from reengage.connections import Access, access
from reengage.errors import ConfigurationError, ReengageError, SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.files import Files
from reengage.ingest.sources.connectors.files.remote import options_of, written
from reengage.ingest.sources.load import Load, load_source
from reengage.ingest.sources.records import Notes
from reengage.policy import read_policy
from reengage.settings import INCLUDE

NOW = datetime(2026, 5, 20, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
COLUMNS = {"source_event_id": "id", "source_contact_id": "card", "occurred_at": "at", "amount": "n"}
TEXT = b"id,card,at,n\no1,K1,2026-05-19,5.00\n"
PASSWORD = "opensesame"


def source(path: str, **said: Any) -> Source:
    given = {"source": "shop", "entity": "interaction", "kind": "purchase", "connector": "files"}
    return Source(**given, path=path, columns=COLUMNS, **said)  # type: ignore[arg-type]


def connector(path: str, connection: Access | None = None, **said: Any) -> Files:
    if connection:
        said["connection"] = connection.name
    return Files(source(path, **said), ZoneInfo("UTC"), lambda _: connection)  # type: ignore


def rows(files: Files) -> dict[str, list[str | None]]:
    """The ids in each file, by its name."""
    return {
        part.name: [row["id"] for _, row in files.read(part, Notes())]  # type: ignore[index]
        for part in files.parts(None, NOW)
    }


@pytest.fixture
def store() -> Iterator[Any]:
    """A store in memory, emptied again."""
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def test_of_a_folder_elsewhere_what_tools_keep_is_left_out(store: Any) -> None:
    for name in (
        *("a.csv", "day=2026-05-19/b.csv", "c.csv.zip", "_temporary/0/d.csv", "e.csv.tmp"),
        *(".hidden.csv", "~$f.csv", "README.md", "g.data", "_SUCCESS"),
    ):
        store.pipe(f"/lake/orders/{name}", TEXT)
    files = connector("memory://lake/orders")
    assert [*files.parts(None, NOW)] and [part.name for part in files.parts(None, NOW)] == [
        "a.csv",
        "b.csv",
        "c.csv.zip",
    ]
    assert files.left_out() == ["g.data"]
    assert rows(connector("memory://lake/orders/*/b.csv")) == {"b.csv": ["o1"]}
    assert rows(connector("memory://lake/orders/**/*.csv")) == {"a.csv": ["o1"], "b.csv": ["o1"]}
    assert rows(connector("memory://lake/orders/_temporary/0/*.csv")) == {"d.csv": ["o1"]}
    assert rows(connector("memory://lake/orders/a.csv")) == {"a.csv": ["o1"]}


def test_a_file_elsewhere_is_the_same_until_it_is_written_again(store: Any) -> None:
    store.pipe("/lake/a.csv", TEXT)
    files = connector("memory://lake/*.csv")
    [part] = files.parts(None, NOW)
    assert files.stamp(part, NOW) == files.stamp(part, NOW)
    before = connector("memory://lake/*.csv").stamp(part, NOW)
    assert before.size_bytes == len(TEXT)
    store.pipe("/lake/a.csv", TEXT)
    assert connector("memory://lake/*.csv").stamp(part, NOW).modified_at > before.modified_at


def test_what_a_killed_process_has_brought_here_is_removed(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store.pipe("/lake/a.csv", TEXT)
    files = connector("memory://lake/a.csv")
    [part] = files.parts(None, NOW)
    reading = files.read(part, Notes())
    next(reading)
    [left] = tmp_path.iterdir()
    assert rows(files) == {"a.csv": ["o1"]}
    assert left.exists(), "another process may be reading it"
    os.utime(left, (0, 0))
    (tmp_path / "reengage-of-somebody").mkdir()
    os.utime(tmp_path / "reengage-of-somebody", (0, 0))
    assert rows(files) == {"a.csv": ["o1"]}
    assert [path.name for path in tmp_path.iterdir()] == ["reengage-of-somebody"]
    reading.close()


def test_a_reader_that_is_left_half_way_leaves_nothing(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store.pipe("/lake/a.csv", TEXT)
    files = connector("memory://lake/a.csv")
    [part] = files.parts(None, NOW)
    next(files.read(part, Notes()))
    assert [*tmp_path.iterdir()] == []


def test_nothing_elsewhere_is_no_file(store: Any) -> None:
    assert connector("memory://lake/*.csv").parts(None, NOW) == []
    with pytest.raises(
        SourceError, match=r"memory://lake/a.csv cannot be listed: there is no such"
    ):
        connector("memory://lake/a.csv").parts(None, NOW)


@pytest.mark.parametrize("path", ["orders", "orders/", "orders/**/*.csv", "orders/*/*.csv"])
def test_a_folder_that_cannot_be_listed_is_not_one_without_files(
    store: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    kind, listed = type(store), type(store).ls

    def ls(self: Any, path: str, detail: bool = True, **said: Any) -> Any:
        if path.endswith("/late"):
            raise TimeoutError("the line is cut")
        return listed(self, path, detail, **said)

    store.pipe("/lake/orders/a.csv", TEXT)
    store.pipe("/lake/orders/late/b.csv", TEXT)
    monkeypatch.setattr(kind, "find", AbstractFileSystem.find)  # as of most stores
    assert "b.csv" in rows(connector(f"memory://lake/{path}"))
    monkeypatch.setattr(kind, "ls", ls)
    with pytest.raises(SourceError, match=r"cannot be listed \(TimeoutError\)"):
        connector(f"memory://lake/{path}").parts(None, NOW)


class Site(ThreadingHTTPServer):
    """A site of files. told: what it was asked with, by path; cut: after how many bytes it ends."""

    daemon_threads = True
    files: dict[str, bytes]
    dates: dict[str, datetime]
    password = ""
    cut: int | None = None
    elsewhere = ""
    is_dated = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files, self.told = {"/orders.csv": TEXT}, []  # type: ignore[var-annotated]
        self.dates = {}
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Site

    def do_HEAD(self) -> None:
        self._answer(is_whole=False)

    def do_GET(self) -> None:
        self._answer(is_whole=True)

    def _answer(self, *, is_whole: bool) -> None:
        self.server.told.append(self.headers.get("Authorization"))
        if self.server.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere + self.path)
            self.end_headers()
            return
        content = self.server.files.get(urlsplit(self.path).path)
        if content is None:
            self.send_error(404)
            return
        if self.server.password and self.headers.get("Authorization") != self.server.password:
            self.send_error(401)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        if self.server.is_dated:
            when = self.server.dates.get(self.path, NOW)
            self.send_header("Last-Modified", format_datetime(when, usegmt=True))
        self.end_headers()
        if is_whole:
            self.wfile.write(content[: self.server.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    yield from _sites()


@pytest.fixture
def other() -> Iterator[Site]:
    yield from _sites()


def _sites() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.serve_forever, args=(0.05,))
    thread.start()
    yield site
    site.shutdown()
    thread.join()
    site.server_close()


def test_a_file_behind_http_is_read(site: Site) -> None:
    files = connector(f"{site.url}/orders.csv")
    assert rows(files) == {"orders.csv": ["o1"]}
    [part] = files.parts(None, NOW)
    assert files.stamp(part, NOW) == (len(TEXT), NOW)
    site.is_dated = False  # so that it is read each time
    assert connector(f"{site.url}/orders.csv").stamp(part, LATER) == (len(TEXT), LATER)
    site.files["/export"] = TEXT
    assert rows(connector(f"{site.url}/export?days=7", format="csv")) == {"export?days=7": ["o1"]}


def test_of_a_page_of_links_the_newest_file_is_the_one_written_last(site: Site) -> None:
    """What lists them says their names alone."""
    names = ("cards-30-10-2026.csv", "cards-29-11-2026.csv")
    site.files = {"/": "".join(f'<a href="/{one}">{one}</a>' for one in names).encode()}
    site.files |= {f"/{one}": TEXT.replace(b"o1", one[6:8].encode()) for one in names}
    site.dates = {f"/{names[0]}": NOW - timedelta(days=30)}
    path = f"{site.url}/cards-*.csv"
    assert list(rows(connector(path)).values()) == [["30"], ["29"]]
    files = connector(path, deletes="snapshot")
    assert rows(files) == {names[1]: ["29"]}
    [part] = files.parts(None, NOW)
    assert files.stamp(part, LATER) == (len(TEXT), NOW)
    site.is_dated = False
    with pytest.raises(SourceError, match="which of its 2 files is the newest"):
        connector(path, deletes="snapshot").parts(None, NOW)


@pytest.mark.parametrize(
    ("login", "header"), [("", f"Bearer {PASSWORD}"), ("shop", "Basic c2hvcDpvcGVuc2VzYW1l")]
)
def test_a_connection_opens_it_and_no_other_place(
    site: Site, other: Site, login: str, header: str
) -> None:
    site.password = header
    opened = access("files", "http", login=login, password=PASSWORD)
    assert rows(connector(f"{site.url}/orders.csv", opened)) == {"orders.csv": ["o1"]}
    assert {*site.told} == {header}
    site.elsewhere = other.url
    assert rows(connector(f"{site.url}/orders.csv", opened)) == {"orders.csv": ["o1"]}
    assert {*other.told} == {None}, "a redirect takes along what opens the first place"


def test_what_opens_a_place_is_in_no_error(site: Site) -> None:
    site.password = "another"
    opened = access("files", "http", login="shop", password=PASSWORD)
    with pytest.raises(SourceError) as error:
        connector(f"{site.url}/orders.csv", opened).parts(None, NOW)
    assert PASSWORD not in str(error.value)
    assert error.value.__cause__ is None
    assert PASSWORD not in repr(opened)


def test_what_a_store_says_of_what_opens_it_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_it(*_: Any, **said: Any) -> Any:
        raise ValueError(f"what is {said}?")

    monkeypatch.setattr(fsspec.core, "url_to_fs", open_it)
    opened = access("lake", "generic", extra={"storage_options": {"key": PASSWORD}})
    with pytest.raises(ReengageError) as error:
        connector("memory://lake", opened).parts(None, NOW)
    assert PASSWORD not in str(error.value)
    assert error.value.__cause__ is None


def test_a_file_that_is_cut_on_the_way_is_no_file(site: Site) -> None:
    site.cut = 20
    files = connector(f"{site.url}/orders.csv")
    [part] = files.parts(None, NOW)
    with pytest.raises(SourceError, match=r"orders.csv"):
        list(files.read(part, Notes()))


def test_a_place_that_does_not_answer_is_told() -> None:
    with pytest.raises(SourceError, match="cannot be listed"):
        connector("http://127.0.0.1:9/orders.csv").parts(None, NOW)


def test_nothing_opens_a_place_without_encryption() -> None:
    opened = access("files", "http", login="shop", password=PASSWORD)
    with pytest.raises(ConfigurationError, match="never sent without encryption"):
        connector("http://files.shop.example/orders.csv", opened).parts(None, NOW)


def test_a_store_whose_package_is_missing_names_it() -> None:
    with pytest.raises(ConfigurationError, match="s3fs"):
        connector("s3://bucket/orders.csv").parts(None, NOW)
    with pytest.raises(ConfigurationError, match="nowhere"):
        connector("nowhere://bucket/orders.csv").parts(None, NOW)


@pytest.mark.parametrize(
    ("path", "connection", "told"),
    [
        ("https://shop:secret@files.example/a.csv", None, "goes into an Airflow connection"),
        ("https://files.example/a.csv?sig=abc", None, "goes into an Airflow connection"),
        ("https://files.example/a.csv?access_token=abc", None, "goes into an Airflow connection"),
        ("simplecache::s3://bucket/a.csv", None, "write one address"),
        ("abfs://orders:secret@account.dfs.example/a.csv", None, "into an Airflow connection"),
        ("file:///data/a.csv", None, "write one address"),
        ("data/a.csv", "bucket", "it goes with an address"),
    ],
)
def test_an_address_holds_no_secret(path: str, connection: str | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        source(path, connection=connection)


def test_a_container_of_an_account_is_no_secret() -> None:
    assert source("abfs://orders@account.dfs.example/2026/*.csv", connection="lake")


@pytest.mark.parametrize(
    ("scheme", "given", "options"),
    [
        (
            "s3",
            {"login": "key", "password": "secret", "extra": {"region_name": "eu-south-1"}},
            {"key": "key", "secret": "secret", "client_kwargs": {"region_name": "eu-south-1"}},
        ),
        ("gs", {"extra": {"keyfile_dict": '{"type": "x"}'}}, {"token": {"type": "x"}}),
        (
            "abfs",
            {"login": "account", "password": "k"},
            {"account_name": "account", "account_key": "k"},
        ),
        (
            "sftp",
            {"host": "files.example", "login": "me", "password": "p", "port": 2222},
            {"host": "files.example", "username": "me", "password": "p", "port": 2222},
        ),
        ("s3", {"extra": {"storage_options": {"anon": True}}}, {"anon": True}),
    ],
)
def test_a_connection_says_what_a_store_is_opened_with(
    scheme: str, given: dict[str, Any], options: dict[str, Any]
) -> None:
    assert options_of(scheme, access("bucket", scheme, **given)) == options


@pytest.mark.parametrize(
    ("info", "when"),
    [
        ({"LastModified": NOW}, NOW),
        ({"mtime": NOW.timestamp()}, NOW),
        ({"updated": "2026-05-20T09:00:00.000Z"}, NOW),
        ({"modify": "20260520090000"}, NOW),
        ({"Last-Modified": "Wed, 20 May 2026 09:00:00 GMT"}, NOW),
        ({"mtime": NOW.replace(tzinfo=None)}, NOW),
        ({"modify": "yesterday"}, None),
        ({"size": 5}, None),
    ],
)
def test_when_a_file_was_written_is_read_as_each_store_says_it(
    info: dict[str, Any], when: datetime | None
) -> None:
    assert written(info) == when


def load(warehouse: sa.Engine, orders: Source, day: int) -> Load:
    policy = read_policy(INCLUDE / "journey.yaml")
    at = NOW.replace(day=day)
    return load_source(warehouse, orders, policy, at.date(), lambda: at)


def test_a_file_elsewhere_loads_once_and_again_when_it_is_written_anew(
    warehouse: sa.Engine, store: Any
) -> None:
    orders = source("memory://lake/orders")

    def loaded(day: int) -> tuple[int, int]:
        """How often a file has been read, and how many orders are known."""
        assert load(warehouse, orders, day).problem is None
        rows = "(SELECT count(DISTINCT record_key) FROM raw.interaction)"
        with warehouse.connect() as connection:
            files, known = connection.execute(
                sa.text(f"SELECT count(*), {rows} FROM raw.file")
            ).one()
        return files, known

    store.pipe("/lake/orders/a.csv", TEXT)
    assert loaded(20) == (1, 1)
    assert loaded(21) == (1, 1)
    store.pipe("/lake/orders/a.csv", TEXT + b"o2,K2,2026-05-20,6.00\n")
    store.pipe("/lake/orders/b.csv", TEXT.replace(b"o1", b"o3"))
    assert loaded(22) == (3, 3)


CONSENTS = {"source_contact_id": "card", "contact_source": {"value": "crm"}, "granted_at": "at"}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({}, None),
        ({"required": True}, "who came back could be texted"),
        (
            {"entity": "consent", "kind": None, "columns": CONSENTS},
            "whoever withdrew could be texted",
        ),
    ],
)
def test_a_day_does_not_go_on_without_what_could_not_be_listed(
    warehouse: sa.Engine, said: dict[str, Any], problem: str | None
) -> None:
    given = source("http://127.0.0.1:9/a.csv").model_dump(exclude_unset=True)
    found = load(warehouse, Source(**{**given, **said}), 20)
    assert any("cannot be listed" in note for note in found.notes)
    assert not any("never was one" in note for note in found.notes)
    assert found.problem is None if problem is None else problem in str(found.problem)
