"""What a link opens: pages for people, raw hits for the record, and one press to be left alone."""

import base64
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI, Request
from world import create_app

from patience import in_time
from reengage import db
from reengage.clock import SimulatedClock
from reengage.phones.hashes import phone_hash
from reengage.policy import Policy, read_policy
from reengage.settings import INCLUDE
from reengage.texts.messages import message_id
from reengage.web.guarded import COPYING
from reengage.web.http_server import options
from reengage.web.visits import header as _header

NOW = datetime(2026, 12, 1, 15, tzinfo=UTC)
QUIET = date(2026, 9, 1)
PHONE = phone_hash("+12125550123", "test")
OTHER_PHONE = phone_hash("+12125550124", "test")
COUPON = "7KFM2-XR9TB"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(INCLUDE / "journey.yaml")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@contextmanager
def served(app: FastAPI, **more: Any) -> Iterator[httpx.Client]:
    """A client of the app, behind a real server on a free port of loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", **options(**more)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            in_time(lambda: server.started, "the service has started", alive=thread.is_alive)
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with httpx.Client(
                base_url=address, trust_env=False, timeout=120, verify=False
            ) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def client(warehouse: sa.Engine, policy: Policy, clock: SimulatedClock) -> Iterator[httpx.Client]:
    with served(create_app(warehouse, policy, clock)) as client:
        yield client


def code(contact_id: int) -> str:
    return f"abcdEFG{contact_id:02}"


def insert(warehouse: sa.Engine, table: str, **values: Any) -> None:
    columns = ", ".join(values)
    binds = ", ".join(f":{name}" for name in values)
    with warehouse.begin() as connection:
        connection.execute(sa.text(f"INSERT INTO {table} ({columns}) VALUES ({binds})"), values)


def rows(warehouse: sa.Engine, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def add_contact(warehouse: sa.Engine, contact_id: int, **values: Any) -> None:
    insert(
        warehouse,
        "core.contact",
        **{
            "contact_id": contact_id,
            "phone_hash": PHONE,
            "first_name": "Ada",
            "first_source": "crm",
            "first_source_contact_id": str(contact_id),
            "first_seen_on": QUIET,
            **values,
        },
    )


def add_message(
    warehouse: sa.Engine, contact_id: int, step: str, status: str = "delivered", **values: Any
) -> None:
    insert(
        warehouse,
        "outbox.message",
        **{
            "contact_id": contact_id,
            "message_id": message_id(contact_id, QUIET, step, "sms"),
            "dormant_since": QUIET,
            "step": step,
            "channel": "sms",
            "as_of": date(2026, 11, 30),
            "phone_hash": PHONE,
            "encoding": "GSM-7",
            "segments": 1,
            "not_before": NOW,
            "not_after": NOW + timedelta(days=2),
            "status": status,
            "status_at": NOW,
            "accepted_at": NOW - timedelta(hours=1),
            **values,
        },
    )


def add_link(warehouse: sa.Engine, contact_id: int, step: str, **values: Any) -> str:
    insert(
        warehouse,
        "outbox.link",
        **{
            "code": code(contact_id),
            "message_id": message_id(contact_id, QUIET, step, "sms"),
            "contact_id": contact_id,
            "target": f"landing:{step}",
            "created_at": NOW - timedelta(hours=1),
            "expires_at": NOW + timedelta(days=180),
            **values,
        },
    )
    return code(contact_id)


def add_coupon(warehouse: sa.Engine, contact_id: int, **values: Any) -> None:
    insert(
        warehouse,
        "outbox.coupon",
        **{
            "code": COUPON,
            "message_id": message_id(contact_id, QUIET, "coupon", "sms"),
            "contact_id": contact_id,
            "kind": "percent",
            "value": 15,
            "expires_at": datetime(2027, 1, 1, 5, tzinfo=UTC),
            **values,
        },
    )


def sent(warehouse: sa.Engine, step: str, contact_id: int = 1, **link: Any) -> str:
    """A contact who was sent a step; the code of its link."""
    add_contact(warehouse, contact_id)
    add_message(warehouse, contact_id, step)
    return add_link(warehouse, contact_id, step, **link)


def standing(warehouse: sa.Engine) -> list[tuple[Any, ...]]:
    return rows(
        warehouse,
        "SELECT contact_id, phone_hash, channel, reason::text, source, since, lifted_at "
        "FROM core.suppression ORDER BY suppression_id",
    )


def statuses(warehouse: sa.Engine) -> dict[int, str]:
    return dict(rows(warehouse, "SELECT contact_id, status::text FROM core.contact"))  # type: ignore[arg-type]


def hits(warehouse: sa.Engine) -> list[tuple[Any, ...]]:
    return rows(
        warehouse,
        "SELECT code, contact_id, kind::text, method, at, user_agent, purpose FROM outbox.hit "
        "ORDER BY hit_id",
    )


# -------------------------------------------------------------------------------------- views


@pytest.mark.parametrize("step", ["survey", "contest", "coupon", "hello_again"])
def test_a_view_shows_the_steps_page_and_is_recorded(
    client: httpx.Client, warehouse: sa.Engine, step: str
) -> None:
    link = sent(warehouse, step)
    if step == "coupon":
        add_coupon(warehouse, 1)
    answer = client.get(f"/{link}", headers={"User-Agent": "Mozilla/5.0 (iPhone)"})
    assert answer.status_code == 200
    assert f'action="/{link}/' in answer.text
    assert "Larkfield" in answer.text
    assert (COUPON in answer.text) == (step == "coupon")
    assert hits(warehouse) == [(link, 1, "view", "GET", NOW, "Mozilla/5.0 (iPhone)", "")]


def test_a_prefetch_and_a_head_are_recorded_as_what_they_are(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "survey")
    client.get(f"/{link}", headers={"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"})
    assert client.head(f"/{link}").content == b""
    client.get(f"/{link}", headers={"User-Agent": ""})
    client.get(f"/{link}", headers={"User-Agent": "Mozilla/5.0"})
    assert [hit[6] for hit in hits(warehouse)] == ["prefetch, prefetch;prerender", "", "", ""]
    assert [hit[3] for hit in hits(warehouse)] == ["GET", "HEAD", "GET", "GET"]
    verdicts = rows(warehouse, "SELECT verdict FROM outbox.judged_hit ORDER BY hit_id")
    assert [verdict for (verdict,) in verdicts] == ["machine", "machine", "machine", "unsure"]


def test_a_path_out_of_the_service_is_refused(client: httpx.Client) -> None:
    # Sent by hand: clients normalise such a path away before a server sees it.
    with socket.create_connection(("127.0.0.1", client.base_url.port)) as raw:
        raw.sendall(b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 404")


def test_no_view_changes_what_is_known_of_a_contact(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "survey")
    before = rows(warehouse, "SELECT * FROM core.contact, outbox.message")
    for path in (f"/{link}", f"/{link}/opt-out", f"/{link}/confirm", f"/{link}?opt-out=1"):
        for method in ("GET", "HEAD"):
            client.request(method, path, headers={"User-Agent": "Mozilla/5.0"})
    assert standing(warehouse) == []
    assert rows(warehouse, "SELECT * FROM core.contact, outbox.message") == before


NO_LINKS = [
    "/",
    "/unknown99",
    "/short",
    "/abcdEFG011",
    "/abcdEFG0%31%00",
    "/abcdEFG%3B1",
    "/%27%20OR%201%3D1",
    "/..%2f..%2fetc%2fpasswd",
    "/<script>alert(1)</script>",
    "/ａｂｃｄＥＦＧ０１",
    "/abcdEFG01/",
    "/favicon.ico",
    "/docs",
    "/openapi.json",
    "/abcdEFG01%0a",
    "/abcdEFG01%0d%0aX:1",
    "/" + "a" * 5000,
]


def test_what_is_no_link_is_a_friendly_404_and_records_nothing(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    sent(warehouse, "survey")
    for path in NO_LINKS:
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "nothing at this address" in answer.text
        assert "<script" not in answer.text
        assert client.post(path).status_code in (404, 405)
    assert hits(warehouse) == []


def test_hostile_headers_are_recorded_as_plain_text(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "survey")
    agent = b"'; DROP TABLE outbox.hit; --<script>\xff" + b"x" * 5000
    answer = client.get(f"/{link}", headers={b"User-Agent": agent, b"Host": b"evil.example"})
    assert answer.status_code == 200
    assert "evil.example" not in answer.text
    (hit,) = hits(warehouse)
    assert hit[5].startswith("'; DROP TABLE outbox.hit; --<script>ÿx")
    assert len(hit[5]) == 400


def test_control_characters_of_a_header_are_dropped() -> None:
    headers = [(b"purpose", b"a\x00b\x1b[31m\r\n"), (b"x-moz", b"prefetch")]
    request = Request({"type": "http", "headers": headers})
    assert _header(request, b"purpose", b"x-moz") == "ab[31m, prefetch"


@pytest.mark.parametrize("target", ["landing:../secret", "landing:_base", "landing:", "other"])
def test_a_strange_target_shows_the_general_page(
    client: httpx.Client, warehouse: sa.Engine, target: str
) -> None:
    link = sent(warehouse, "survey", target=target)
    assert "good to see you again" in client.get(f"/{link}").text


def test_an_expired_link_is_gone_but_still_recorded_and_still_opts_out(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "survey", expires_at=NOW)
    answer = client.get(f"/{link}")
    assert answer.status_code == 410
    assert "expired" in answer.text
    assert f'action="/{link}/opt-out"' in answer.text
    assert client.post(f"/{link}/confirm").status_code == 410
    assert client.post(f"/{link}/opt-out").status_code == 200
    assert [hit[2] for hit in hits(warehouse)] == ["view", "press", "press"]
    assert len(standing(warehouse)) == 1


# ------------------------------------------------------------------------------------- presses


@pytest.mark.parametrize("step", ["coupon", "hello"])
def test_a_press_of_the_main_button_confirms_a_human(
    client: httpx.Client, warehouse: sa.Engine, step: str
) -> None:
    link = sent(warehouse, step)
    if step == "coupon":
        add_coupon(warehouse, 1)
    answer = client.post(f"/{link}/confirm", headers={"User-Agent": "curl/8"})
    assert answer.status_code == 200
    assert [(hit[2], hit[3]) for hit in hits(warehouse)] == [("press", "POST")]
    assert rows(warehouse, "SELECT verdict FROM outbox.judged_hit") == [("human",)]
    assert standing(warehouse) == []


def test_a_press_opts_out_at_once_and_twice_is_once(
    client: httpx.Client, warehouse: sa.Engine, clock: SimulatedClock
) -> None:
    link = sent(warehouse, "survey")
    add_message(warehouse, 1, "contest", status="queued")
    add_message(warehouse, 1, "coupon", status="draft")
    answer = client.post(f"/{link}/opt-out")
    assert answer.status_code == 200
    assert "No more texts" in answer.text
    clock.move_to(NOW + timedelta(hours=1))
    assert client.post(f"/{link}/opt-out").text.count("No more texts") >= 1
    assert standing(warehouse) == [(1, PHONE, "sms", "opted_out", "landing", NOW, None)]
    assert statuses(warehouse) == {1: "unsubscribed"}
    assert rows(
        warehouse,
        "SELECT step, status::text, error_code, status_at FROM outbox.message ORDER BY step",
    ) == [
        ("contest", "cancelled", "opted_out", NOW),
        ("coupon", "cancelled", "opted_out", NOW),
        ("survey", "delivered", None, NOW),
    ]
    assert "/opt-out" not in client.get(f"/{link}").text


def test_an_opt_out_holds_for_the_number_and_leaves_others_alone(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "survey")
    for contact_id, number in ((2, PHONE), (3, OTHER_PHONE)):
        add_contact(warehouse, contact_id, phone_hash=number)
        add_message(warehouse, contact_id, "survey", status="queued", phone_hash=number)
    client.post(f"/{link}/opt-out")
    assert [row[:2] for row in standing(warehouse)] == [(1, PHONE)]
    assert rows(
        warehouse, "SELECT contact_id, status::text FROM outbox.message ORDER BY contact_id"
    ) == [(1, "delivered"), (2, "cancelled"), (3, "queued")]


def test_an_opt_out_follows_a_merge_and_leaves_an_erased_contact_erased(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    add_contact(warehouse, 2, phone_hash=OTHER_PHONE)
    add_contact(warehouse, 1, merged_into=2, status="erased")
    add_message(warehouse, 1, "survey")
    add_message(warehouse, 2, "survey", status="queued", phone_hash=OTHER_PHONE)
    client.post(f"/{add_link(warehouse, 1, 'survey')}/opt-out")
    assert [row[0] for row in standing(warehouse)] == [1, 2]
    assert statuses(warehouse) == {1: "erased", 2: "unsubscribed"}
    assert rows(warehouse, "SELECT status::text FROM outbox.message WHERE contact_id = 2") == [
        ("cancelled",)
    ]


def test_an_opt_out_beside_an_inactivity_stands_by_itself(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "survey")
    insert(
        warehouse,
        "core.suppression",
        contact_id=1,
        phone_hash=PHONE,
        channel="sms",
        reason="inactivity",
        source="journey",
        since=NOW,
    )
    client.post(f"/{link}/opt-out")
    assert [row[3] for row in standing(warehouse)] == ["inactivity", "opted_out"]


def test_an_unknown_code_opts_nobody_out(client: httpx.Client, warehouse: sa.Engine) -> None:
    sent(warehouse, "survey")
    assert client.post("/zzzzzzzzz/opt-out").status_code == 404
    assert standing(warehouse) == []


def test_a_stop_by_reply_opts_out_everybody_with_the_number(warehouse: sa.Engine) -> None:
    add_contact(warehouse, 1)
    add_contact(warehouse, 2, status="erased")
    add_contact(warehouse, 3, phone_hash=OTHER_PHONE)  # has a new number, was texted on the old
    add_contact(warehouse, 4, phone_hash=OTHER_PHONE)
    add_message(warehouse, 3, "survey")
    add_message(warehouse, 3, "contest", status="queued", phone_hash=OTHER_PHONE)
    add_message(warehouse, 4, "survey", status="queued", phone_hash=OTHER_PHONE)
    for hours in range(2):
        with warehouse.begin() as connection:
            db.run(
                connection,
                "core/opt_out_phone",
                phone_hash=PHONE,
                channel="sms",
                source="reply",
                at=NOW + timedelta(hours=hours),
            )
    assert [(row[0], row[1], row[4], row[5]) for row in sorted(standing(warehouse))] == [
        (contact_id, PHONE, "reply", NOW)
        for contact_id in (0, 1, 2, 3)  # 0: the number itself
    ]
    assert statuses(warehouse) == {1: "unsubscribed", 2: "erased", 3: "unsubscribed", 4: "active"}
    assert rows(
        warehouse,
        "SELECT contact_id, step, status::text FROM outbox.message ORDER BY contact_id, step",
    ) == [(3, "contest", "cancelled"), (3, "survey", "delivered"), (4, "survey", "queued")]


def test_an_opt_out_without_a_known_number_takes_the_contacts_own(warehouse: sa.Engine) -> None:
    add_contact(warehouse, 1)
    with warehouse.begin() as connection:
        db.run(
            connection,
            "core/opt_out",
            contact_id=1,
            phone_hash=None,
            channel="sms",
            source="reply",
            at=NOW,
        )
    assert [row[1] for row in standing(warehouse)] == [PHONE]


# --------------------------------------------------------------------------------------- pages


def all_pages(client: httpx.Client, warehouse: sa.Engine) -> dict[str, httpx.Response]:
    pages: dict[str, httpx.Response] = {"missing": client.get("/nothing99")}
    for contact_id, step in enumerate(("survey", "contest", "coupon", "hello"), start=1):
        link = sent(warehouse, step, contact_id)
        if step == "coupon":
            add_coupon(warehouse, contact_id)
        pages[step] = client.get(f"/{link}")
        pages[f"{step} confirmed"] = client.post(f"/{link}/confirm")
    pages["gone"] = client.get("/" + sent(warehouse, "survey", 8, expires_at=NOW))
    pages["stopped"] = client.post(f"/{code(3)}/opt-out")
    pages["seen again"] = client.get(f"/{code(2)}")
    return pages


def test_pages_refuse_scripts_frames_and_caches(client: httpx.Client, warehouse: sa.Engine) -> None:
    for name, answer in all_pages(client, warehouse).items():
        policy = answer.headers["content-security-policy"]
        scripts = re.findall("<script>(.*?)</script>", answer.text, re.DOTALL)
        assert scripts == ([COPYING] if "quiet copy" in answer.text else []), name
        runs = "'none'"
        if scripts:
            runs = f"'sha256-{base64.b64encode(sha256(COPYING.encode()).digest()).decode()}'"
        assert f"; script-src {runs};" in policy, name
        allowed = re.findall(r"'(sha256-[^']+)'", policy.replace(f"script-src {runs}", ""))
        styles = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
        hashes = [base64.b64encode(sha256(style.encode()).digest()).decode() for style in styles]
        assert allowed == [f"sha256-{one}" for one in hashes], name
        assert len(styles) == (1 if name == "missing" else 2), f"{name}: a link's page has a beacon"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "set-cookie" not in answer.headers
        assert "strict-transport-security" not in answer.headers, "a local service has no TLS"


def test_no_page_animates_by_itself(client: httpx.Client, warehouse: sa.Engine) -> None:
    """A browser that takes scrolling for no clock would ask for the beacon as time goes by."""
    page = client.get(f"/{sent(warehouse, 'survey')}").text
    before, supports, after = page.partition("@supports (animation-timeline: scroll(root)) {")
    assert supports and "animation:" in after.partition("}")[0]
    assert "animation:" not in before


def test_a_domain_with_tls_is_kept_to_it(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    brand = policy.brand.model_copy(update={"link_domain": "https://go.example.com"})
    secure = policy.model_copy(update={"brand": brand})
    with served(create_app(warehouse, secure, clock)) as client:
        assert "max-age" in client.get("/nothing99").headers["strict-transport-security"]


def test_a_brands_name_is_text_and_never_markup(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    brand = policy.brand.model_copy(update={"name": "<b>&Co", "support": '"><i>'})
    with served(create_app(warehouse, policy.model_copy(update={"brand": brand}), clock)) as client:
        page = client.get("/nothing99").text
    assert "&lt;b&gt;&amp;Co" in page
    assert "<b>" not in page
    assert "<i>" not in page
