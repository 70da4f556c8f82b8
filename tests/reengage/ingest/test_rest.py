"""From an interface to raw: every page once, nothing skipped, and no secret told."""

import gzip
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hostile_api import Api, Asked, Reply, serving
from test_sources import POLICY, Feed, loaded

from reengage.errors import ConfigurationError
from reengage.ingest.sources.connectors import rest
from reengage.ingest.sources.load import Load, load_source

DAY = date(2024, 3, 31)
NOW = datetime(2024, 4, 1, 4, tzinfo=UTC)
SECRET = "s3cr3t-of-the-shop"


class Shop(Feed):
    """Orders of an interface, read as the DAG does. orders: what it has."""

    def __init__(self, engine: sa.Engine, folder: Path, **request: Any) -> None:
        super().__init__(engine, folder)
        del self.said["path"]
        self.said |= {"connector": "rest", "connection": "shop_api", "required": True}
        self.said |= {"by_time": "changed_at"}
        self.said["request"] = {"path": "/orders", "records": "orders", "since": "since"} | request
        self.now = NOW
        self.orders: list[dict[str, Any]] = []
        self.waits: list[float] = []
        self.api: Api

    def order(self, key: Any, changed_at: Any = "2024-03-30T11:00:00Z", **more: Any) -> None:
        said = {"id": key, "who": f"C{key}", "at": "2024-03-30T10:00:00Z", "total": 5.1}
        self.orders.append(said | {"changed_at": changed_at} | more)

    def read(self, as_of: date = DAY, policy: Any = POLICY) -> Load:
        return load_source(self.engine, self.source, policy, as_of, lambda: self.now)

    def problem(self) -> str:
        problem = self.read().problem
        assert problem is not None
        return problem

    def cursor(self) -> Any:
        return self.rows("SELECT cursor_after FROM raw.load ORDER BY load_id DESC LIMIT 1")[0][0]

    def since(self, asked: Asked) -> list[dict[str, Any]]:
        least = asked.query.get("since", "")
        return [order for order in self.orders if order["changed_at"] >= least]


@pytest.fixture
def shop(warehouse: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    shop = Shop(warehouse, tmp_path)
    monkeypatch.setattr(rest, "sleep", shop.waits.append)
    with serving(lambda asked: Reply({"orders": shop.since(asked)})) as api:
        shop.api = api
        connect(monkeypatch, api)
        yield shop


def connect(monkeypatch: pytest.MonkeyPatch, api: Api, **said: Any) -> None:
    known = {"conn_type": "http", "host": api.base, "login": "me", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_API", json.dumps(known | said))


def paged(shop: Shop, size: int = 3) -> Callable[[Asked], Reply]:
    """Answers in every style, by what is asked."""

    def answer(asked: Asked) -> Reply:
        rows, query = shop.since(asked), asked.query
        begin = int(query.get("offset") or query.get("after") or 0)
        if "page" in query:
            begin = (int(query["page"]) - 1) * size
        end = begin + size
        said: dict[str, Any] = {"orders": rows[begin:end], "next": None, "paging": {}}
        headers = {}
        if end < len(rows):
            said["paging"] = {"after": str(end)}
            said["next"] = f"/orders?offset={end}&since={query.get('since', '')}"
            headers["Link"] = f'<{shop.api.base}{said["next"]}>; rel="next", </x>; rel="first"'
        return Reply(said, headers=headers)

    return answer


STYLES: dict[str, dict[str, Any]] = {
    "page": {"by": "page", "parameter": "page"},
    "offset": {"by": "offset", "parameter": "offset"},
    "cursor": {"by": "cursor", "parameter": "after", "at": "paging.after"},
    "next": {"by": "next", "at": "next"},
    "link": {"by": "link"},
}


@pytest.mark.parametrize("style", STYLES)
def test_every_page_is_read_and_the_next_day_goes_on(shop: Shop, style: str) -> None:
    shop.said["request"]["paging"] = STYLES[style]
    shop.api.answers = paged(shop)
    for key in range(8):
        shop.order(key, f"2024-03-30T11:0{key}:00Z")
    load = shop.take()
    assert loaded(shop) == {str(key): 5.1 for key in range(8)}
    assert load.rows_read == 8, "what is read twice to be sure is not told twice"
    assert shop.cursor() == "2024-03-30T11:07:00.000000+00:00"
    shop.order(8, "2024-03-31T09:00:00Z")
    shop.order(9, "2024-03-30T11:07:00Z")  # a tie, that was written late
    shop.now += timedelta(days=1)
    del shop.api.asked[:]
    shop.take(DAY + timedelta(days=1))
    assert len(loaded(shop)) == 10
    assert {asked.query.get("since") for asked in shop.api.asked} == {"2024-03-29T11:07:00Z"}


@pytest.mark.parametrize("style", ["page", "offset"])
def test_what_vanishes_under_the_reader_takes_no_other_with_it(shop: Shop, style: str) -> None:
    """With the first order gone, what stood first on the second page stands on the first."""
    shop.said["request"]["paging"] = STYLES[style]
    for key in range(8):
        shop.order(key)
    answer, deeds = paged(shop), [None, lambda: shop.orders.pop(0)]

    def answers(asked: Asked) -> Reply:
        if deeds and (deed := deeds.pop(0)):
            deed()
        return answer(asked)

    shop.api.answers = answers
    shop.take()
    assert loaded(shop).keys() == {str(key) for key in range(8)}


def test_pages_that_shift_without_end_are_told(shop: Shop) -> None:
    shop.said["request"]["paging"] = STYLES["page"]
    count = iter(range(100))

    def answers(asked: Asked) -> Reply:
        if asked.query["page"] == "2":
            return Reply({"orders": []})
        shop.order(next(count))
        return Reply({"orders": shop.orders[-1:]})

    shop.api.answers = answers
    assert "brought each time what was not there before" in shop.problem()
    assert shop.cursor() is None


@pytest.mark.parametrize("style", STYLES)
def test_a_page_that_comes_for_ever_ends(shop: Shop, style: str) -> None:
    shop.said["request"]["paging"] = STYLES[style]
    shop.order(1)
    again = {"orders": shop.orders, "next": "/orders?offset=3", "paging": {"after": "3"}}
    shop.api.answers = lambda asked: Reply(again, headers={"Link": "</orders?p=2>; rel=next"})
    assert "have no end, or come again and again" in shop.problem()
    assert len(shop.api.asked) < 10


def test_what_passes_is_asked_for_again_and_nothing_is_there_twice(shop: Shop) -> None:
    shop.said["request"]["paging"] = STYLES["next"]
    for key in range(8):
        shop.order(key)
    answer = paged(shop)
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=40))
    hostile: list[Any] = [
        Reply({}, 429, {"Retry-After": "7"}),
        None,
        Reply(b"<html>busy</html>", 503),
        Reply({"orders": shop.orders}, cut=40),
        Reply(b'{"orders": [{"id": "99", "who', 200),
        Reply({}, 429, {"Retry-After": soon}),
        None,
        Reply({}, 500),
    ]

    def answers(asked: Asked) -> Reply:
        reply = hostile.pop(0) if hostile else None
        return reply or answer(asked)

    shop.api.answers = answers
    load = shop.take()
    assert loaded(shop).keys() == {str(key) for key in range(8)}
    assert load.rows_read == 8
    assert shop.waits[0] == 7
    assert 30 < shop.waits[4] <= 40
    assert shop.waits[1:4] == [1, 2, 4]


def test_what_does_not_pass_ends_the_load_and_moves_nothing_on(shop: Shop) -> None:
    shop.said["request"]["paging"] = STYLES["next"]
    for key in range(8):
        shop.order(key)
    answer = paged(shop)
    shop.api.answers = lambda a: Reply({}, 502) if a.query.get("offset") == "3" else answer(a)
    assert "cannot be read: it answers 502, 6 times" in shop.problem()
    assert "is not read to its end, so who came back could be texted" in shop.problem()
    assert shop.cursor() is None
    assert shop.rows("SELECT count(*) FROM raw.interaction") == [(3,)], "what came before stays"
    shop.api.answers = answer
    shop.take()
    assert len(loaded(shop)) == 8


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply({"errors": "no"}, 404), "answers 404. Are path and params"),
        (Reply({}, 401), "refuses us \\(401\\). Is the password of the connection shop_api right"),
        (Reply({"error": "no"}), "gives no list at orders"),
        (Reply([1]), "gives no list at orders"),
        (Reply({"orders": {}}), "gives no list at orders"),
        (Reply({}, 429, {"Retry-After": "90000"}), "is to be asked again in 90,000 seconds"),
        (Reply({"orders": []}), "has no row"),
        (Reply(b"<html>Log in</html>"), "its answer is no whole JSON, 6 times"),
        (Reply({"orders": [{"id": 1, "who": 2, "at": "2024-03-30"}]}), "no record has changed_at"),
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(shop: Shop, reply: Reply, told: str) -> None:
    shop.api.answers = lambda _: reply
    with pytest.raises(AssertionError, match=told):
        shop.take()


def test_a_record_dated_in_the_future_carries_nothing_ahead(shop: Shop) -> None:
    shop.order(1, "2099-01-01T00:00:00Z")
    shop.take()
    shop.order(2, "2024-04-01T04:00:01Z")
    shop.now += timedelta(days=1)
    shop.take(DAY + timedelta(days=1))
    assert loaded(shop).keys() == {"1", "2"}


@pytest.mark.parametrize("changed_at", [1711796400, 1711796400_000, "2024-03-30T12:00:00+01:00"])
def test_how_far_it_came_is_told_by_a_time_in_any_form(shop: Shop, changed_at: Any) -> None:
    shop.order(1, changed_at)
    shop.api.answers = lambda _: Reply({"orders": shop.orders})
    shop.take()
    assert shop.cursor() == "2024-03-30T11:00:00.000000+00:00"


def test_windows_that_were_read_are_not_asked_for_again(shop: Shop) -> None:
    shop.said |= {"start": "2024-03-01", "window_days": 10, "time_zone": "UTC"}
    shop.said["request"] |= {"until": "until", "times": "seconds"}
    shop.order(1)
    fails = [False, False, True]
    shop.api.answers = lambda _: (
        Reply({}, 404) if fails and fails.pop(0) else Reply({"orders": shop.orders})
    )
    assert "answers 404" in shop.problem()
    asked = [(a.query["since"], a.query.get("until")) for a in shop.api.asked]
    at = [str(int(datetime(2024, 3, day, tzinfo=UTC).timestamp())) for day in (1, 11, 21, 31)]
    ends = [str(int(end) + 1) for end in at[1:]]
    assert asked == [(at[0], ends[0]), (at[1], ends[1]), (at[2], ends[2])]
    del shop.api.asked[:]
    shop.take()
    assert [a.query["since"] for a in shop.api.asked] == [at[2], at[3]]


# --- what is in a record -------------------------------------------------------------------------


def test_an_order_gives_a_row_for_each_of_its_lines(shop: Shop) -> None:
    shop.said["request"] |= {"records": "data.orders", "each": "line_items"}
    shop.said |= {"by_time": "meta.changed_at", "lines": "sum"}
    shop.said["columns"] = {
        "source_event_id": "record.id",
        "source_contact_id": "record.customer.id",
        "occurred_at": "record.at",
        "amount": "price",
    }
    lines = [{"price": 1.234}, {"price": "2.50"}, {"price": 1000}]
    meta = {"changed_at": "2024-03-30T11:00:00Z"}
    base = {"at": "2024-03-30", "customer": {"id": 7}, "meta": meta}
    shop.api.answers = lambda _: Reply(
        {
            "data": {
                "orders": [
                    base | {"id": 1, "line_items": lines},
                    base | {"id": 2, "line_items": []},
                    base | {"id": 3},
                    "odd",
                ]
            }
        }
    )
    shop.read()
    assert loaded_raw(shop) == {"1": 1003.734, "2": None, "3": None}, "no line, and yet an order"
    assert shop.rows("SELECT line, reason FROM raw.reject") == [(1_000_006, "is no JSON object")]


def loaded_raw(shop: Shop) -> dict[str, Any]:
    rows = shop.rows("SELECT record_key, amount FROM raw.interaction WHERE status = 'loaded'")
    return {key: amount if amount is None else float(amount) for key, amount in rows}


def test_an_order_that_changes_while_it_is_read_counts_once(shop: Shop) -> None:
    """It comes again on a later page, with all its lines, of which one costs less now."""
    shop.said["request"] |= {"each": "lines", "paging": STYLES["next"]}
    shop.said |= {"lines": "sum"}
    shop.said["columns"] = {
        "source_event_id": "record.id",
        "source_contact_id": "record.who",
        "occurred_at": "record.at",
        "amount": "price",
    }
    shop.order(1, lines=[{"price": 10}, {"price": 20}])
    old = shop.orders.pop()
    new = old | {"lines": [{"price": 10}, {"price": 15}], "changed_at": "2024-03-30T12:00:00Z"}
    shop.api.answers = lambda asked: (
        Reply({"orders": [new], "next": None})
        if asked.query
        else Reply({"orders": [old], "next": "/orders?page=2"})
    )
    shop.take()
    assert loaded(shop) == {"1": 25}


def test_orders_without_an_id_take_no_others_place(shop: Shop) -> None:
    shop.said["request"] |= {"each": "lines"}
    shop.said |= {"lines": "sum"}
    shop.said["columns"] = {
        "source_event_id": "record.id",
        "source_contact_id": "record.who",
        "occurred_at": "record.at",
        "amount": "price",
    }
    for key in (1, None, "", None, 2):
        shop.order(key, lines=[{"price": 3}])
    shop.read()
    rejects = shop.rows("SELECT line % 1000000, reason FROM raw.reject ORDER BY line")
    assert rejects == [(line, "source_event_id is missing") for line in (2, 3, 4)]
    assert loaded_raw(shop) == {"1": 3, "2": 3}


def test_an_object_that_says_a_key_twice_is_no_record(shop: Shop) -> None:
    row = b'{"id": 1, "id": 2, "who": "C", "at": "2024-03-30", "changed_at": "2024-03-30"}'
    shop.order(3)
    good = json.dumps(shop.orders[0]).encode()
    shop.api.answers = lambda _: Reply(b'{"orders": [' + row + b", " + good + b"]}")
    shop.read()
    assert shop.rows("SELECT reason FROM raw.reject") == [("says id twice",)]
    assert shop.rows("SELECT record_key FROM raw.interaction") == [("3",)]


def test_where_a_bad_row_stands_is_told(shop: Shop) -> None:
    shop.said["request"]["paging"] = STYLES["next"]
    shop.api.answers = paged(shop)
    for key in range(5):
        shop.order(key, who=None if key == 4 else "C")
    notes = " ".join(shop.read().notes)
    assert "the first in page 2, row 2: source_contact_id is missing" in notes


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "header", "said"),
    [
        ({"auth": "bearer"}, "Authorization", f"Bearer {SECRET}"),
        ({"auth": "basic"}, "Authorization", "Basic bWU6czNjcjN0LW9mLXRoZS1zaG9w"),
        ({"auth": "header", "auth_header": "X-Shop-Token"}, "X-Shop-Token", SECRET),
    ],
)
def test_what_opens_it_is_sent_and_kept_nowhere(
    shop: Shop, auth: dict[str, str], header: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.said["request"] |= auth
    shop.order(1)
    load = shop.take()
    assert shop.api.asked[0].headers[header] == said
    shop.api.answers = lambda _: Reply({}, 403)
    told = shop.problem()
    kept = shop.rows("SELECT f::text, l::text FROM raw.file AS f, raw.load AS l")
    for secret in (SECRET, said):
        assert secret not in f"{load} {told} {kept} {caplog.text} {shop.source}"


def test_a_token_that_has_expired_is_fetched_anew(shop: Shop) -> None:
    shop.said["request"] |= {"auth": "oauth2", "token_path": "/token", "paging": STYLES["next"]}
    for key in range(8):
        shop.order(key)
    answer, tokens = paged(shop), iter(range(100))
    good: list[str] = []

    def answers(asked: Asked) -> Reply:
        if asked.path == "/token":
            assert asked.body == "grant_type=client_credentials"
            assert asked.headers["Authorization"].startswith("Basic ")
            good[:] = [f"Bearer t{next(tokens)}"]
            return Reply({"access_token": good[0].removeprefix("Bearer ")})
        if asked.headers.get("Authorization") not in good:
            return Reply({}, 401)
        if asked.query.get("offset") == "3":
            good.clear()  # after this answer it has expired
        return answer(asked)

    shop.api.answers = answers
    shop.take()
    assert len(loaded(shop)) == 8
    assert sum(asked.path == "/token" for asked in shop.api.asked) == 2
    shop.api.answers = lambda a: (
        Reply({"access_token": "x"}) if a.path == "/token" else Reply({}, 401)
    )
    assert "refuses us (401)" in shop.problem()
    shop.api.answers = lambda a: Reply({"error": SECRET}, 400)
    assert "no token, as /token answers 400" in shop.problem()
    assert SECRET not in shop.problem()


@pytest.mark.parametrize("way", ["redirect", "next", "link"])
def test_no_other_host_is_asked(shop: Shop, way: str) -> None:
    shop.said["request"] |= {"auth": "bearer"}
    with serving(lambda _: Reply({"orders": []})) as other:
        away = f"{other.base.replace('127.0.0.1', 'localhost')}/orders"
        if way == "redirect":
            shop.api.answers = lambda _: Reply({}, 302, {"Location": away})
        else:
            shop.said["request"]["paging"] = STYLES[way]
            shop.order(1)
            said = {"orders": shop.orders, "next": away}
            shop.api.answers = lambda _: Reply(said, headers={"Link": f"<{away}>; rel=next"})
        assert "goes on at another host, localhost" in shop.problem()
        assert other.asked == []


def test_a_redirect_on_the_same_host_is_followed(shop: Shop) -> None:
    shop.said["request"] |= {"auth": "bearer"}
    shop.order(1)
    shop.api.answers = lambda asked: (
        Reply({"orders": shop.orders})
        if asked.path == "/v2/orders"
        else Reply({}, 301, {"Location": "/v2/orders"})
    )
    shop.take()
    assert loaded(shop) == {"1": 5.1}
    shop.api.answers = lambda _: Reply({}, 301, {"Location": "/orders"})
    assert "redirects in a circle" in shop.problem()


def test_no_password_goes_out_unencrypted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.said["request"] |= {"auth": "bearer"}
    connect(monkeypatch, shop.api, host="http://shop.example.com")
    with pytest.raises(ConfigurationError, match="is not encrypted"):
        shop.read()


def test_an_answer_that_drips_keeps_nobody_for_ever(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "LONGEST_ANSWER", 0.2)
    shop.api.answers = lambda _: Reply(b" " * 50, drip=0.05)
    assert "it gives its answer too slowly, 6 times" in shop.problem()


def test_an_answer_without_end_is_left_in_little_memory(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "MOST_BYTES", 1 << 20)
    bomb = gzip.compress(b'{"orders": [' + b" " * (20 << 20) + b"]}")
    shop.api.answers = lambda _: Reply(bomb, headers={"Content-Encoding": "gzip"})
    assert "an answer of more than 1 MiB" in shop.problem()


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"path": "https://x.example/orders"}, "path: begins with one /"),
        ({"path": "/orders?status=any"}, "what follows a . are params"),
        ({"paging": {"by": "page"}}, "parameter: say which one of the request"),
        ({"paging": {"by": "next"}}, "at: say where it stands"),
        ({"auth": "header"}, "auth_header: say which header"),
        ({"auth": "oauth2"}, "token_path: say where the token is"),
        ({"since": ""}, "by_time: the field of a record that .since. in the request"),
        ({"sinse": "x"}, "no such key; you may mean since"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(
    tmp_path: Path, request_: dict[str, Any], told: str
) -> None:
    with ExitStack() as stack:
        error = stack.enter_context(pytest.raises(ConfigurationError, match=told))
        assert Shop(None, tmp_path, **request_).source  # type: ignore[arg-type]
    assert "request" in str(error.value)
