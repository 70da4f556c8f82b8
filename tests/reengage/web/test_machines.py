"""Hits that are lost by nothing, told apart, and webhooks that are believed once and only once."""

import base64
import hashlib
import hmac
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from retailer import Retailer, opened
from test_web import (
    NOW,
    PHONE,
    QUIET,
    add_contact,
    add_link,
    add_message,
    insert,
    rows,
    sent,
    served,
    standing,
    statuses,
)
from world import as_service, create_app

from patience import free_port, in_time
from reengage import db
from reengage.clock import SimulatedClock
from reengage.maintenance import audits
from reengage.outcome import outcomes
from reengage.phones import hashes, keys
from reengage.policy import Policy, Question, read_policy
from reengage.sending import incoming, opt_out, replies
from reengage.sending.providers import Webhook, provider_for
from reengage.sending.providers.accounts import Account
from reengage.sending.providers.signatures import is_signed, signature
from reengage.sending.providers.words import Reply
from reengage.settings import INCLUDE, secret
from reengage.web import http_server, spool
from reengage.web import service as web_service
from reengage.web.background import Background, replay
from reengage.web.connections import Pool
from reengage.web.guard import Buckets, Limits
from reengage.web.machines import MANY_LINKS, Busy, is_crawler, judge, rule_of_request
from reengage.web.spool import Spool, SpoolFull
from reengage.web.visits import address

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
PEOPLE = [
    IPHONE,
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
    "Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 9; CUBOT_P20) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/108.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Safari/605.1.15",
]
# Addresses of the internet: those for documentation are not.
HOME, OFFICE = "81.2.69.142", "89.160.20.112"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(INCLUDE / "journey.yaml")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home of its own, for the spool, and a proxy on this machine whose word counts."""
    monkeypatch.setenv("REENGAGE_SECRET_PHONES", secret("phones"))
    monkeypatch.setenv("REENGAGE_HOME", str(tmp_path))
    monkeypatch.setenv("REENGAGE_TRUSTED_PROXIES", "127.0.0.1")


@pytest.fixture
def client(warehouse: sa.Engine, policy: Policy, clock: SimulatedClock) -> Iterator[httpx.Client]:
    with served(create_app(warehouse, policy, clock)) as client:
        yield client


def verdicts(warehouse: sa.Engine) -> list[tuple[Any, ...]]:
    return rows(
        warehouse, "SELECT verdict, rule::text FROM outbox.judged_hit ORDER BY contact_id, hit_id"
    )


def by(where: str, agent: str = IPHONE) -> dict[str, str]:
    return {"User-Agent": agent, "X-Forwarded-For": where}


# ----------------------------------------------------------------------------- human or machine


def test_all_that_say_they_are_programs_are_known_and_no_persons_browser() -> None:
    programs = [agent for one in CRAWLER_USER_AGENTS_DATA for agent in one["instances"]]
    assert len(programs) > 2000
    assert [agent for agent in programs if not is_crawler(agent)] == []
    assert [agent for agent in PEOPLE if is_crawler(agent)] == []


@pytest.mark.parametrize(
    ("method", "agent", "purpose", "rule"),
    [
        ("GET", IPHONE, "", "browser"),
        ("GET", "Some Messenger 7", "", None),
        ("HEAD", IPHONE, "", "not_a_get"),
        ("GET", IPHONE, "prefetch;prerender", "prefetch"),
        ("GET", IPHONE, "preview", "prefetch"),
        ("GET", " ", "", "no_agent"),
        ("GET", "WhatsApp/2.24.20 A", "", "crawler"),
        ("GET", "Mozilla/5.0 (compatible; bingbot/2.0)", "", "crawler"),
    ],
)
def test_a_request_is_judged_by_what_it_says(
    method: str, agent: str, purpose: str, rule: str | None
) -> None:
    assert rule_of_request(method, agent, purpose) == rule


CHROME = PEOPLE[1]
CASES = Path(__file__).parents[2] / "cases"
PLAIN_DAY, CASE = CASES / "plain-day", CASES / "preview-agents" / "agents.txt"
STALE = "Mozilla/5.0 (X11; Ubuntu; Linux i686; rv:24.0) Gecko/20100101 Firefox/24.0"
PREVIEWS = [
    *CASE.read_text(encoding="utf-8").replace(f"{STALE}\n", "").splitlines(),
    f"{CHROME} OutlookMobileCloudService/2.0",
    f"{CHROME} SamsungMessages/15.2",
    "com.google.android.apps.messaging/20240910 (Linux; U; Android 14) Cronet/126.0",
    "MobileSMS/1.0 CFNetwork/1498.700.2 Darwin/23.6.0",
    "Viber/21.0.0.5 CFNetwork/1498.700.2 Darwin/23.6.0",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "AndroidDownloadManager/13 (Linux; U; Android 13; SM-A536B)",
    f"{CHROME} (compatible; Barracuda Sentinel (EE))",
]
# Named nowhere: what people use too, or what nobody knows.
DOUBTS = [
    STALE,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.10; rv:38.0) Gecko/20100101 Firefox/38.0",
    "Mozilla/5.0 (Linux; Android 13; SM-G991B; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/137.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148 KAKAOTALK/25.1.0 (INAPP)",
    f"{CHROME} Newcomer/1.0",
    "Some Messenger 7",
]


@pytest.mark.parametrize("leads_away", [False, True])
def test_what_fetches_a_link_and_touches_nothing_is_no_person(
    client: httpx.Client, warehouse: sa.Engine, leads_away: bool
) -> None:
    """Unless it is a person's browser on a link that leads away, where nobody can touch a page."""
    target = "landing:https://shop.example/hello" if leads_away else "landing:survey"
    link = sent(warehouse, "survey", target=target)
    for agent in (*PREVIEWS, *DOUBTS, *PEOPLE):
        client.get(f"/{link}", headers=by(HOME, agent))
    asked = "SELECT user_agent, verdict FROM outbox.hit INNER JOIN outbox.judged_hit USING (hit_id)"
    assert dict(map(tuple, rows(warehouse, asked))) == {
        **dict.fromkeys(PREVIEWS, "machine"),
        **dict.fromkeys(DOUBTS, "unsure"),
        **dict.fromkeys(PEOPLE, "human" if leads_away else "unsure"),
    }
    judged = len(PREVIEWS) + len(DOUBTS) + len(PEOPLE)
    assert judge(as_service(warehouse)) == (judged, 0), "judged again, it is the same"


@pytest.mark.parametrize("touches", [False, True])
def test_whatever_fetched_the_survey_the_contest_is_due_unless_a_hand_was_on_the_page(
    warehouse: sa.Engine, tmp_path: Path, touches: bool
) -> None:
    retailer = Retailer(warehouse, opened(PLAIN_DAY, tmp_path))
    for file in PLAIN_DAY.glob("*.csv"):
        (tmp_path / "data" / file.name).write_bytes(file.read_bytes())
    assert retailer.day(date(2026, 5, 20)).texted == {"K1": "survey"}
    link = rows(warehouse, "SELECT code FROM outbox.link")[0][0]
    with served(create_app(warehouse, retailer.policy, retailer.clock)) as client:
        for agent in (*PREVIEWS, *DOUBTS, *PEOPLE):
            client.get(f"/{link}", headers=by(HOME, agent))
        if touches:
            client.get(f"/{link}/seen", headers=by(HOME))
    contest = retailer.day(date(2026, 6, 19))
    assert contest.decided["K1"] == ("skip opened" if touches else "send due")
    assert contest.texted.get("K1") == (None if touches else "contest")


def test_a_touch_confirms_the_same_visitors_fetches_before_and_after_and_no_others(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "survey")
    for path, where in (("", HOME), ("", OFFICE), ("/seen", HOME), ("", HOME)):
        client.get(f"/{link}{path}", headers=by(where))
    client.get(f"/{link}", headers=by(HOME) | {"Purpose": "prefetch"})
    expected = [
        ("human", "confirmed"),
        ("unsure", "no_sign"),
        ("human", "confirmed"),
        ("human", "confirmed"),
        ("machine", "prefetch"),
    ]
    assert verdicts(warehouse) == expected
    assert judge(as_service(warehouse)) == (5, 0)
    assert verdicts(warehouse) == expected


def test_a_link_that_leads_away_no_more_shows_a_page_that_can_be_touched(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "survey", target="landing:https://shop.example/", expires_at=NOW)
    assert client.get(f"/{link}", headers=by(HOME)).status_code == 410
    assert verdicts(warehouse) == [("unsure", "no_sign")]


def test_a_hit_sooner_than_anybody_reads_is_a_machines(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    add_contact(warehouse, 1)
    add_message(warehouse, 1, "survey", accepted_at=NOW - timedelta(seconds=1))
    client.get(f"/{add_link(warehouse, 1, 'survey')}", headers=by(HOME))
    assert verdicts(warehouse) == [("machine", "too_soon")]


def test_a_press_confirms_the_same_visitors_views_before_and_after_and_no_others(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    add_contact(warehouse, 1)
    add_message(warehouse, 1, "hello", accepted_at=NOW - timedelta(seconds=1))
    link = add_link(warehouse, 1, "hello")
    client.get(f"/{link}", headers=by(HOME))
    client.get(f"/{link}", headers=by(OFFICE))
    client.get(f"/{link}", headers=by(HOME, PEOPLE[1]))
    client.post(f"/{link}/confirm", headers=by(HOME))
    client.get(f"/{link}", headers=by(HOME))
    assert [rule for _, rule in verdicts(warehouse)] == [
        "confirmed",
        "too_soon",
        "too_soon",
        "press",
        "confirmed",
    ]
    hashes = rows(warehouse, "SELECT DISTINCT address_hash FROM outbox.hit")
    assert len(hashes) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", found) for (found,) in hashes)


def test_a_hand_on_the_page_is_a_persons_unless_it_says_that_it_is_a_program(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    add_contact(warehouse, 1)
    add_message(warehouse, 1, "survey", accepted_at=NOW - timedelta(seconds=1))
    link = add_link(warehouse, 1, "survey")
    for headers in (by(HOME), by(OFFICE, "curl/8"), by(OFFICE) | {"Purpose": "prefetch"}):
        assert client.get(f"/{link}", headers=headers).status_code == 200
        seen = client.get(f"/{link}/seen", headers=headers)
        assert (seen.status_code, seen.headers["content-type"]) == (200, "image/gif")
    assert client.get("/nobody999/seen").status_code == 404
    kinds = rows(
        warehouse,
        "SELECT hit.kind::text, judged.rule::text, judged.verdict FROM outbox.hit "
        "INNER JOIN outbox.judged_hit AS judged USING (contact_id, hit_id) ORDER BY hit_id",
    )
    assert kinds == [
        ("view", "confirmed", "human"),
        ("beacon", "confirmed", "human"),
        ("view", "crawler", "machine"),
        ("beacon", "crawler", "machine"),
        ("view", "prefetch", "machine"),
        ("beacon", "prefetch", "machine"),
    ]
    assert judge(as_service(warehouse)) == (6, 0), "judged again, it is the same"


def test_many_links_from_one_visitor_are_a_machines_but_not_from_a_networks_people() -> None:
    busy = Busy()
    links = [f"link{number:05}" for number in range(MANY_LINKS)]
    assert [busy.rule("h", "one", link) for link in links] == [None] * (MANY_LINKS - 1) + [
        "many_links"
    ]
    assert {busy.rule("h", f"phone {link}", link) for link in links} == {None}
    assert {busy.rule("h", "again", "the same") for _ in range(MANY_LINKS + 1)} == {None}
    assert {busy.rule("", "one", link) for link in links} == {None}, "a proxy's address"


def test_history_is_judged_again_by_the_rules_of_today(warehouse: sa.Engine) -> None:
    hit = {"code": "", "contact_id": 1, "kind": "view", "method": "GET", "purpose": ""}
    add_contact(warehouse, 1)
    add_message(warehouse, 1, "survey", accepted_at=NOW - timedelta(days=9))
    hit["message_id"] = rows(warehouse, "SELECT message_id FROM outbox.message")[0][0]
    day = timedelta(days=1)
    agents = [IPHONE, "Mozilla/5.0 (compatible; AhrefsSiteAudit/6.1)", "facebookexternalhit/1.1"]
    for number, agent in enumerate(agents):
        insert(warehouse, "outbox.hit", **hit, at=NOW - number * day, user_agent=agent)
    for number in range(MANY_LINKS):
        insert(
            warehouse,
            "outbox.hit",
            user_agent=IPHONE,
            address_hash="scanner",
            at=NOW + timedelta(seconds=number / 2),
            **(hit | {"code": f"c{number}"}),
        )
    before = [verdict for verdict, _ in verdicts(warehouse)]
    assert before == ["human", "human", "machine", *["human"] * MANY_LINKS]
    assert judge(warehouse) == (3 + MANY_LINKS, 2 + MANY_LINKS)
    assert verdicts(warehouse) == [
        ("unsure", "no_sign"),
        ("machine", "crawler"),
        ("machine", "crawler"),
        *[("machine", "many_links")] * MANY_LINKS,
    ]
    assert judge(warehouse) == (3 + MANY_LINKS, 0)
    assert judge(warehouse, NOW + day, NOW + 2 * day) == (0, 0)


@pytest.mark.parametrize(
    ("client", "known"),
    [
        (("81.2.69.142", 1), "81.2.69.142"),
        (("::ffff:81.2.69.142", 1), "81.2.69.142"),
        (("2a02:1234:5678:9abc::1", 1), "2a02:1234:5678:9a00::/56"),
        (("127.0.0.1", 1), ""),
        (("172.18.0.1", 1), ""),
        (("81.2.69.142:5678", 0), "81.2.69.142"),
        (('"[2a02:1234:5678:9abc::1]:5678"', 0), "2a02:1234:5678:9a00::/56"),
        (("not an address", 1), "unknown"),
        (None, ""),
    ],
)
def test_an_address_names_a_subscriber_or_nobody(client: Any, known: str) -> None:
    assert address({"client": client}) == known


# ------------------------------------------------------------------------------------- redirects


def test_a_link_may_lead_to_the_brands_page_and_is_recorded_before(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    shop = "https://shop.example/hello?from=sms"
    link = sent(warehouse, "survey", target=f"landing:{shop}")
    answer = client.get(f"/{link}?next=https://evil.example", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (302, shop)
    assert answer.headers["cache-control"] == "no-store"
    assert len(verdicts(warehouse)) == 1


@pytest.mark.parametrize("target", ["http://x.example", "javascript:alert(1)", "//evil.example"])
def test_what_the_policy_would_not_allow_is_no_redirect(
    client: httpx.Client, warehouse: sa.Engine, target: str
) -> None:
    assert client.get("/" + sent(warehouse, "survey", target=f"landing:{target}")).is_success


# ---------------------------------------------------------------- a warehouse that is away


@contextmanager
def away(warehouse: sa.Engine) -> Iterator[None]:
    """The warehouse as it is during a restart: every session is cut, and none is let in."""
    name = warehouse.url.database
    admin = sa.create_engine(
        warehouse.url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )

    def run(statement: str) -> None:
        with admin.connect() as connection:
            connection.exec_driver_sql(statement)

    run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        yield
    finally:
        run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_what_is_taken_while_the_warehouse_is_away_is_brought_to_it_once(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock, tmp_path: Path
) -> None:
    link = sent(warehouse, "survey")
    app = create_app(warehouse, policy, clock)
    with served(app, lifespan="off") as client:
        assert client.get(f"/{link}").status_code == 200
        assert client.get("/readyz").status_code == 200
        with away(warehouse):
            view = client.get(f"/{link}", headers=by(HOME))
            stopped = client.post(f"/{link}/opt-out", headers=by(HOME))
            nobody = client.post("/nobody999/opt-out")
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").json() == {"status": "ok"}
        assert (view.status_code, view.headers["retry-after"]) == (503, "60")
        assert (stopped.status_code, nobody.status_code) == (200, 200)
        assert "o more texts" in stopped.text
        assert standing(warehouse) == []
        file = tmp_path / "web" / "hits.jsonl"
        assert file.stat().st_mode & 0o077 == 0
        kept = file.read_text()
        assert HOME not in kept and PHONE not in kept
        with file.open("a") as half:
            half.write('{"code": "abc')  # its worker was killed here
        service = app.state.service
        assert replay(service) == 3
        (folder := tmp_path / "web" / "hits-again.jsonl").write_text(kept)  # killed before it left
        assert replay(service) == 3
        assert not folder.exists() and Spool(tmp_path / "web").is_empty
    rules = sorted(rule for _, rule in verdicts(warehouse))
    assert rules == ["confirmed", "crawler", "press"], "the crawler was this test's own client"
    assert standing(warehouse) == [(1, PHONE, "sms", "opted_out", "landing", NOW, None)]
    assert statuses(warehouse) == {1: "unsubscribed"}


def test_opt_outs_are_kept_while_the_warehouse_hangs_and_are_brought_to_it_once(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_service, "PRESS_SECONDS", 0.05)
    monkeypatch.setattr(web_service, "PAUSE_SECONDS", 0)  # each asks the warehouse, and hangs
    link, presses = sent(warehouse, "survey"), web_service.MOST_HANGING + 8
    app = create_app(warehouse, policy, clock)
    with served(app, lifespan="off") as client:
        before = threading.active_count()
        with warehouse.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE core.suppression")
            for _ in range(presses):
                stopped = client.post(f"/{link}/opt-out")
                assert "o more texts" in stopped.text
            assert threading.active_count() - before <= web_service.MOST_HANGING + 2
            kept = app.state.service.spool._file.read_text().splitlines()
            assert len(kept) == presses
        assert replay(app.state.service) == presses
    assert [row[3] for row in standing(warehouse)] == ["opted_out"]
    assert rows(warehouse, "SELECT count(*) FROM outbox.hit") == [(presses,)], "a press is one hit"


def test_what_was_pressed_while_the_warehouse_was_away_is_done_later_and_once(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    asked = Question(name="again", kind="yes_no", label="Will you come?", attribute="again")
    steps = [
        step.model_copy(update={"questions": [asked]}) if step.name == "survey" else step
        for step in policy.steps
    ]
    app = create_app(warehouse, policy.model_copy(update={"steps": steps}), clock)
    first, second = sent(warehouse, "survey", 1), sent(warehouse, "coupon", 2)
    with served(app, lifespan="off") as client:
        with away(warehouse):
            french = {"Accept-Language": "de;q=0.9, fr-CA;q=0.8, en;q=0.1"} | by(HOME)
            answered = client.post(f"/{first}/answers", data={"again": "no"}, headers=french)
            paused = client.post(f"/{second}/pause", data={"months": "3"}, headers=by(HOME))
            wrong = client.post(f"/{second}/pause", data={"months": "99"}, headers=by(HOME))
            refused = client.post(f"/{first}/answers", data={"again": "x" * 20_000})
            padded = client.post(f"/{second}/confirm", data={"a": "x" * 20_000})
            gone = client.get(f"/{first}", headers=by(HOME))
            unticked = client.post(f"/{second}/enter", data={}, headers=by(HOME))
            nothing = client.post(f"/{first}/nothing")
        (noted, *_) = map(json.loads, app.state.service.spool._file.read_text().splitlines())
        assert [answered.status_code, paused.status_code] == [200, 200]
        assert [wrong.status_code, unticked.status_code] == [503, 503], "asked for again, not kept"
        assert "Merci. C’est bien noté." in answered.text and 'lang="fr"' in answered.text
        assert "Thank you. We’ve noted it." in paused.text
        assert (refused.status_code, nothing.status_code) == (503, 404)
        assert "check that you’ve answered" in refused.text
        assert (gone.status_code, f'action="/{first}/opt-out"' in gone.text) == (503, True)
        assert padded.status_code == 200 and len(app.state.service.spool._file.read_bytes()) < 4000
        time.sleep(web_service.PAUSE_SECONDS)
        clock.move_to(NOW + timedelta(minutes=5))
        client.post(f"/{first}/answers", data={"again": "yes"}, headers=by(HOME))
        app.state.service.keep({**noted, "hit_key": str(uuid.uuid4())}, press="nothing", form={})
        assert replay(app.state.service) == 5
        assert replay(app.state.service) == 0
    assert rows(warehouse, "SELECT answers FROM outbox.survey") == [({"again": True},)]
    assert rows(warehouse, "SELECT value FROM core.contact_attribute") == [(True,)]
    assert [row[3] for row in standing(warehouse)] == ["paused"]
    (line,) = (app.state.service.spool._folder / "refused.jsonl").read_text().splitlines()
    assert json.loads(line)["why"] == "KeyError", "and it holds nobody else up"


def test_what_comes_late_takes_back_nothing_that_is_newer(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    asked = [
        Question(name="again", kind="yes_no", label="Again?", attribute="again"),
        Question(name="other", kind="yes_no", label="Other?"),
    ]
    steps = [step.model_copy(update={"questions": asked}) for step in policy.steps]
    app = create_app(warehouse, policy.model_copy(update={"steps": steps}), clock)
    links = [sent(warehouse, "survey", contact_id) for contact_id in (1, 2)]
    service, said = app.state.service, {"again": ["no"]}
    hit = {
        "kind": "press",
        "method": "POST",
        "user_agent": IPHONE,
        "purpose": "",
        "said": None,
        "address_hash": "",
        "at": (NOW + timedelta(minutes=1)).isoformat(),
    }
    late = [
        {"press": "answers", "code": links[0], "form": said},
        {"press": "answers", "code": links[1], "form": said},
        {"press": "pause", "code": links[0], "form": {"months": ["6"]}},
    ]
    with served(app, lifespan="off") as client:
        client.post(f"/{links[0]}/answers", data={"again": "yes"})
        clock.move_to(NOW + timedelta(minutes=2))
        client.post(f"/{links[0]}/answers", data={"again": "yes"})
        client.post(f"/{links[1]}/answers", data={"other": "yes"})
        client.post(f"/{links[0]}/resume")
        for record in late:
            service.keep({**hit, **record, "hit_key": str(uuid.uuid4())})
        assert replay(service) == 3
    answers = rows(warehouse, "SELECT answers FROM outbox.survey ORDER BY contact_id")
    assert answers == [({"again": True},), ({"other": True},)]
    assert rows(warehouse, "SELECT contact_id, value FROM core.contact_attribute") == [(1, True)]
    assert [row for row in standing(warehouse) if row[-1] is None] == [], "no break has begun"


def test_what_a_lock_holds_up_holds_up_nobody_else(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_service, "STATEMENT_SECONDS", 0.2)
    links = [sent(warehouse, "survey", contact_id) for contact_id in (1, 2)]
    app = create_app(warehouse, policy, clock)
    with served(app, lifespan="off") as client:
        with away(warehouse):
            for link in links:
                assert client.post(f"/{link}/opt-out").status_code == 200
        old = json.loads(app.state.service.spool._file.read_text().splitlines()[0])
        app.state.service.keep(
            {  # as an older version wrote it
                **{key: value for key, value in old.items() if key not in ("press", "form")},
                "code": links[1],
                "hit_key": str(uuid.uuid4()),
                "is_opting_out": True,
            }
        )
        with warehouse.begin() as connection:
            connection.exec_driver_sql("SELECT 1 FROM core.contact WHERE contact_id = 1 FOR UPDATE")
            assert replay(app.state.service) == 2
            assert [row[0] for row in standing(warehouse)] == [2]
        assert replay(app.state.service) == 1
    assert [row[0] for row in standing(warehouse)] == [2, 1]
    assert statuses(warehouse) == {1: "unsubscribed", 2: "unsubscribed"}


def test_a_warehouse_that_may_only_be_read_is_away(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    link, name = sent(warehouse, "survey"), warehouse.url.database
    app = create_app(warehouse, policy, clock)
    with served(app, lifespan="off") as client:
        with warehouse.begin() as connection:
            read_only = f'ALTER DATABASE "{name}" SET default_transaction_read_only'
            connection.exec_driver_sql(f"{read_only} = on")
        assert client.post(f"/{link}/opt-out").status_code == 200
        assert client.get(f"/{link}").status_code == 503
        with pytest.raises(sa.exc.InternalError):
            replay(app.state.service)
        with warehouse.connect() as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = off")
            connection.exec_driver_sql(f"{read_only} = off")
            connection.commit()
        app.state.service.engine.dispose()
        assert replay(app.state.service) == 2
    assert [row[3] for row in standing(warehouse)] == ["opted_out"]


def test_a_page_is_asked_for_in_one_round_trip(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    once = Pool.all

    async def noted(self: Pool, name: str, **binds: Any) -> list[Any]:
        asked.append(name)
        return await once(self, name, **binds)

    monkeypatch.setattr(Pool, "all", noted)
    links = [sent(warehouse, step, n) for n, step in enumerate(("survey", "coupon", "contest"), 1)]
    app = create_app(warehouse, policy, clock)
    engine = app.state.service.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *_: asked.append("by a thread"))
    with served(app, lifespan="off") as client:
        client.get(f"/{links[2]}")  # the first who sees a contest fixes its seed
        asked.clear()
        for link in links:
            assert client.get(f"/{link}").status_code == 200
    assert asked == ["outbox/record_hit"] * 3


def test_no_flood_of_fetches_takes_the_place_of_opt_outs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BYTES", 400)
    monkeypatch.setattr(spool, "VIEW_BYTES", 200)
    monkeypatch.setattr(spool, "PRESS_BYTES", 300)
    kept = Spool(tmp_path / "web")
    for record in ({}, {"press": "answers"}):
        with pytest.raises(SpoolFull):
            for _ in range(20):
                kept.append({"code": "guess0000", **record})
        # What waits in another file counts too.
        (tmp_path / "web" / "hits.jsonl").rename(tmp_path / "web" / f"hits-{len(record)}.jsonl")
    kept.append({"code": "abcdEFG01", "press": "opt-out"})


def test_what_a_full_disk_has_cut_short_is_not_said_to_be_kept(tmp_path: Path) -> None:
    kept = Spool(tmp_path / "web")
    kept.append({"code": "first"})
    size = (tmp_path / "web" / "hits.jsonl").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, limits[1]))
    try:
        with pytest.raises(SpoolFull):
            kept.append({"code": "second", "press": "opt-out"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


class Load:
    """Visitors who open a link again and again; `taken`: the visits that were answered."""

    def __init__(self, url: str, link: str, visitors: int = 4) -> None:
        self.taken: set[str] = set()
        self.failed = 0
        self._url, self._link = url, link
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._visit) for _ in range(visitors)]

    def _visit(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=10) as client:
            while not self._end.is_set():
                name = uuid.uuid4().hex
                try:
                    answer = client.get(f"/{self._link}", headers={"User-Agent": name})
                    assert answer.status_code in (200, 503)
                    self.taken.add(name)
                except httpx.TransportError:
                    self.failed += 1
                    time.sleep(0.01)

    def wait_for(self, more: int) -> None:
        """Wait until so many more visits were answered."""
        enough = len(self.taken) + more
        in_time(lambda: len(self.taken) >= enough, f"{enough} visits are answered")

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()


def recorded(warehouse: sa.Engine) -> set[str]:
    return {agent for (agent,) in rows(warehouse, "SELECT user_agent FROM outbox.hit")}


def test_a_killed_service_loses_no_hit_that_was_answered(
    warehouse: sa.Engine, policy: Policy, tmp_path: Path
) -> None:
    link = sent(warehouse, "hello")
    port = free_port()
    service = subprocess.Popen(
        [sys.executable, "-m", "reengage.cli", "web", "--port", str(port)],
        env={**os.environ, "REENGAGE_POLICY": str(INCLUDE / "journey.yaml")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"

        def is_ready() -> bool:
            assert service.poll() is None, "the service has ended"
            try:
                return httpx.get(f"{url}/readyz", trust_env=False).is_success
            except httpx.TransportError:
                return False

        in_time(is_ready, "the service is ready", every=0.1)
        with Load(url, link) as load:
            load.wait_for(20)
            with away(warehouse):
                load.wait_for(10)
                service.send_signal(signal.SIGKILL)
                service.wait()
                in_time(lambda: load.failed, "somebody has missed the service")
    finally:
        service.kill()
        service.wait()
    assert load.failed > 0
    assert len(load.taken) >= 30
    assert not load.taken <= recorded(warehouse), "some were spooled"
    replay(create_app(warehouse, policy, SimulatedClock(NOW)).state.service)
    assert load.taken <= recorded(warehouse)


# ------------------------------------------------------------------------------------- hard edges


def raw(client: httpx.Client, sent: bytes, wait: float = 0) -> bytes:
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=60) as wire:
        wire.sendall(sent)
        time.sleep(wait)
        answer = b""
        try:
            while part := wire.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def test_what_is_too_large_is_refused_before_it_is_read(
    client: httpx.Client, warehouse: sa.Engine
) -> None:
    link = sent(warehouse, "hello")
    head = f"POST /{link}/answers HTTP/1.1\r\nHost: x\r\n".encode()
    assert raw(client, head + b"Content-Length: 99999999\r\n\r\n").startswith(b"HTTP/1.1 413")
    hook = b"POST /webhooks/infobip HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
    assert raw(client, hook).startswith(b"HTTP/1.1 413")
    long = head + b"X-Long: " + b"a" * 20_000 + b"\r\n\r\n"
    assert raw(client, long).startswith(b"HTTP/1.1 431")
    endless = b"GET / HTTP/1.1\r\nX-Long: " + b"a" * (http_server.HEAD_BYTES + 70_000)
    assert raw(client, endless) == b""
    assert verdicts(warehouse) == []


def test_a_body_in_pieces_is_measured_too(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    providers = {"infobip": provider_for(INFOBIP, 1)}
    limits = Limits(webhook_bytes=1000)
    pieces = (b"x" * 300 for _ in range(10))
    with served(create_app(warehouse, policy, clock, providers, limits)) as client:
        assert client.post("/webhooks/infobip", content=pieces).status_code == 413


def test_a_slow_client_is_not_waited_for(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.2)
    providers = {"infobip": provider_for(INFOBIP, 1)}
    app = create_app(warehouse, policy, clock, providers, Limits(seconds=0.2))
    with served(app) as client:
        begun = time.monotonic()
        assert raw(client, b"GET /abcdEFG01 HTT") == b""
        slow = b"POST /webhooks/infobip HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12"
        assert raw(client, slow).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("after", [b"1", b"\r\n"], ids=["a body", "empty lines"])
def test_what_follows_an_answer_does_not_hold_the_connection(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, after: bytes
) -> None:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.2)
    length = b"Content-Length: 9\r\n" if after == b"1" else b""
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=60) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
        wire.sendall(after)
        assert wire.recv(65536) == b""


def test_an_answer_may_be_as_long_as_a_policy_lets_it() -> None:
    longest = max(
        item.le for item in Question.model_fields["max_length"].metadata if hasattr(item, "le")
    )
    assert len(urlencode({"wish": "가" * longest})) <= Limits().body_bytes


def test_whoever_guesses_codes_is_slowed_and_others_are_not(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    link = sent(warehouse, "hello")
    limits = Limits(per_minute=40, missing_per_minute=5)
    with served(create_app(warehouse, policy, clock, {}, limits)) as client:
        guesses = [client.get(f"/guess{n:04}", headers=by(HOME)) for n in range(7)]
        assert [answer.status_code for answer in guesses] == [404] * 5 + [429] * 2
        assert 1 <= int(guesses[-1].headers["retry-after"]) <= 60
        # Who has a real link may be their neighbour, behind the same address.
        assert client.get(f"/{link}", headers=by(HOME)).status_code == 200
        assert client.get("/guess9999", headers=by(HOME)).status_code == 429
        seen = [client.get(f"/{link}", headers=by(OFFICE)).status_code for _ in range(22)]
        assert seen == [200] * 20 + [429] * 2
        # A proxy that nobody told of stands for everybody: it is not slowed.
        seen = [client.get(f"/{link}").status_code for _ in range(25)]
        assert set(seen) == {200}


def test_a_bucket_fills_again() -> None:
    bucket = Buckets(rate=100, burst=1)
    assert bucket.wait("a") == 0
    assert 0 < bucket.wait("a") <= 0.01
    time.sleep(0.02)
    assert bucket.wait("a") == 0


def test_figures_are_for_whoever_has_the_token(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/nothing99")
    assert client.get("/metrics").status_code == 404, "a proxy here may ask for anybody"
    monkeypatch.setenv("REENGAGE_METRICS_TOKEN", "sesame")
    for wrong in ("", "x", "Bearer", "Bearer x"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 404
    figures = client.get("/metrics", headers={"Authorization": "Bearer sesame"}).text
    assert re.search(r'requests_total\{worker="\d+",status="404",what="page"\} 1', figures)
    assert "\nreengage_web_spool_bytes 0\n" in figures


def test_nothing_of_a_request_is_logged_when_it_fails(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(warehouse, policy, clock)

    def broken(visit: Any) -> Any:
        raise ValueError(f"secret {visit.code}")

    app.state.service.views["hello"] = broken
    link = sent(warehouse, "hello")
    with served(app) as client:
        assert client.get(f"/{link}", headers={"User-Agent": "hush"}).status_code == 500
        with away(warehouse):
            assert client.get(f"/{link}", headers={"User-Agent": "hush"}).status_code == 503
    assert "ValueError in" in caplog.text
    assert "no answer from the warehouse" in caplog.text
    for word in (link, "hush", "secret"):
        assert word not in caplog.text


# --------------------------------------------------------------------------------------- webhooks

INFOBIP = Account("infobip", "https://x.api.infobip.com", "", "", {"webhook_secret": "sesame"})
TWILIO = Account("twilio", "https://api.twilio.com", "AC1", "token")
INFOBIP_ELSEWHERE = replace(INFOBIP, password="key", extra={})
TWILIO_ELSEWHERE = replace(TWILIO, password="another")
BASIC = {"Authorization": "Basic " + base64.b64encode(b"infobip:sesame").decode()}
NUMBER = "12125550123"


def reply(reply_id: str, text: str, at: datetime = NOW) -> dict[str, Any]:
    received = at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return {
        "messageId": reply_id,
        "from": NUMBER,
        "to": "12125550100",
        "text": text,
        "receivedAt": received,
    }


def receipt(message_id: object) -> dict[str, Any]:
    return {
        "messageId": str(message_id),
        "status": {"groupName": "DELIVERED", "name": "DELIVERED_TO_HANDSET"},
        "doneAt": "2026-12-01T15:00:00.000+0000",
    }


def infobip(*results: dict[str, Any]) -> bytes:
    return json.dumps({"results": results}).encode()


@pytest.fixture
def hooked(warehouse: sa.Engine, policy: Policy, clock: SimulatedClock) -> Iterator[httpx.Client]:
    providers = {one.provider: provider_for(one, 1) for one in (INFOBIP, TWILIO)}
    brand = policy.brand.model_copy(update={"link_domain": "https://go.example.com"})
    app = create_app(warehouse, policy.model_copy(update={"brand": brand}), clock, providers)
    with served(app, lifespan="off") as client:
        client.tick = Background(app.state.service, providers).tick  # type: ignore[attr-defined]
        yield client


def kept(warehouse: sa.Engine) -> list[tuple[Any, ...]]:
    return rows(
        warehouse,
        "SELECT provider, body IS NULL, mapped_at IS NOT NULL, error FROM outbox.webhook "
        "ORDER BY webhook_id",
    )


def test_a_webhook_is_kept_raw_and_mapped_afterwards_once(
    hooked: httpx.Client, warehouse: sa.Engine
) -> None:
    add_contact(warehouse, 1)
    add_message(warehouse, 1, "survey", status="accepted")
    (message_id,) = rows(warehouse, "SELECT message_id FROM outbox.message")[0]
    body = infobip(receipt(message_id), receipt(uuid.uuid4()), reply("r1", "STOP"))
    for _ in range(2):
        assert hooked.post("/webhooks/infobip", content=body, headers=BASIC).status_code == 204
    assert kept(warehouse) == [("infobip", False, False, None)]
    hooked.tick()  # type: ignore[attr-defined]
    assert kept(warehouse) == [("infobip", True, True, None)]
    assert hooked.post("/webhooks/infobip", content=body, headers=BASIC).status_code == 204
    hooked.tick()  # type: ignore[attr-defined]
    assert rows(warehouse, "SELECT status::text FROM outbox.message") == [("delivered",)]
    assert rows(warehouse, "SELECT meaning::text, text FROM outbox.reply") == [("stop", "STOP")]
    assert len(kept(warehouse)) == 1
    whole = str(rows(warehouse, "SELECT webhook::text FROM outbox.webhook"))
    assert NUMBER not in whole and "STOP" not in whole


def test_a_visitor_and_a_webhook_are_known_when_another_key_has_followed(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_contact(warehouse, 1)
    add_message(warehouse, 1, "survey")
    link = add_link(warehouse, 1, "survey")
    providers = {INFOBIP.provider: provider_for(INFOBIP, 1)}
    public = policy.brand.model_copy(update={"link_domain": "https://go.example.com"})
    policy = policy.model_copy(update={"brand": public})
    former = secret("phones")
    for given in (former, "another"):
        monkeypatch.setenv("REENGAGE_SECRET_PHONES", given)
        monkeypatch.setenv("REENGAGE_SECRET_PHONES_OLD", "" if given == former else former)
        keys.rotate(warehouse, policy)
        app = create_app(warehouse, policy, clock, providers)
        with served(app, lifespan="off") as client:
            client.get(f"/{link}", headers=by(HOME))
            client.post("/webhooks/infobip", content=infobip(reply("r1", "STOP")), headers=BASIC)
    seen = rows(warehouse, "SELECT count(*), count(DISTINCT address_hash) FROM outbox.hit")
    assert seen == [(2, 1)]
    assert len(kept(warehouse)) == 1


def test_receipts_that_are_called_in_do_not_go_through_all_replies(
    hooked: httpx.Client, warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, run = list[str](), db.run

    def noted(connection: sa.Connection, name: str, *args: Any, **binds: Any) -> Any:
        ran.append(name)
        return run(connection, name, *args, **binds)

    monkeypatch.setattr(db, "run", noted)
    body = infobip(receipt(uuid.uuid4()), reply("r1", "hello"))
    assert hooked.post("/webhooks/infobip", content=body, headers=BASIC).status_code == 204
    hooked.tick()  # type: ignore[attr-defined]
    assert "outbox/apply_receipts" in ran
    assert "outbox/stops_to_apply" not in ran


def test_a_forged_webhook_is_refused_and_leaves_nothing(
    hooked: httpx.Client, warehouse: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    body = infobip(reply("r1", "STOP"))
    wrong = {"Authorization": "Basic " + base64.b64encode(b"infobip:guess").decode()}
    for headers in ({}, wrong, {"Authorization": "Basic ?"}, {"X-Twilio-Signature": "x"}):
        assert hooked.post("/webhooks/infobip", content=body, headers=headers).status_code == 403
        assert hooked.post("/webhooks/twilio", content=body, headers=headers).status_code == 403
    hashed = "/webhooks/twilio?bodySHA256=%C3%A9"
    assert (
        hooked.post(hashed, content=b"{}", headers={"X-Twilio-Signature": "x"}).status_code == 403
    )
    assert hooked.post("/webhooks/mailup", content=body).status_code == 404
    assert hooked.get("/webhooks/infobip").status_code == 405
    assert kept(warehouse) == []
    assert NUMBER not in caplog.text


def test_what_the_provider_calls_in_and_nobody_understands_is_kept_and_told(
    hooked: httpx.Client, warehouse: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    nested = b'{"results": ' + b"[" * 200_000
    junk = (nested, b"", b"[]", b'{"results": 7}', b"\x00\xff", b'{"replies": []}')
    for body in junk:
        assert hooked.post("/webhooks/infobip", content=body, headers=BASIC).status_code == 204
    hooked.post("/webhooks/infobip", content=infobip(reply("r1", "STOP")), headers=BASIC)
    hooked.tick()  # type: ignore[attr-defined]
    left = [("infobip", False, False, "1 unread")] * len(junk)
    assert kept(warehouse) == [*left, ("infobip", True, True, None)]
    assert len(standing(warehouse)) == 1
    assert "cannot be mapped" in caplog.text and NUMBER not in caplog.text


def test_a_twilio_webhook_is_signed_for_the_public_address(
    hooked: httpx.Client, warehouse: sa.Engine
) -> None:
    form = {"MessageSid": "SM1", "SmsStatus": "received", "From": f"+{NUMBER}", "Body": "STOP"}
    path = "/webhooks/twilio?a=1"

    def signed(base: str) -> dict[str, str]:
        text = base + path + "".join(name + form[name] for name in sorted(form))
        digest = hmac.new(b"token", text.encode(), hashlib.sha1).digest()
        return {
            "X-Twilio-Signature": base64.b64encode(digest).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }

    body = urlencode(form)
    inside = str(hooked.base_url).rstrip("/")
    assert hooked.post(path, content=body, headers=signed(inside)).status_code == 403
    outside = signed("https://go.example.com")
    assert hooked.post(path, content=body, headers=outside).status_code == 204
    hooked.tick()  # type: ignore[attr-defined]
    number = hashes.phone_hash(f"+{NUMBER}", secret("phones"))
    assert [row[:5] for row in standing(warehouse)] == [(0, number, "sms", "opted_out", "reply")]


def test_a_form_that_is_longer_than_any_of_twilios_is_not_read() -> None:
    url, body = "https://go.example.com/webhooks/twilio", "a=&" * 30_000
    known = {"x-twilio-signature": signature("token", url, [("a", "")])}
    assert is_signed(Webhook(url, known, b"a="), "token")
    assert not is_signed(Webhook(url, known, body.encode()), "token")


def test_a_webhook_that_cannot_be_mapped_keeps_no_stop_behind_it_waiting(
    hooked: httpx.Client,
    warehouse: sa.Engine,
    policy: Policy,
    clock: SimulatedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hooked.post("/webhooks/infobip", content=infobip(reply("r1", "hello")), headers=BASIC)
    hooked.post("/webhooks/infobip", content=infobip(reply("r2", "STOP")), headers=BASIC)
    meaning = replies.meaning

    def broken(*said: str) -> str:
        return str(1 / 0) if "hello" in said else meaning(*said)

    monkeypatch.setattr(replies, "meaning", broken)
    hooked.tick()  # type: ignore[attr-defined]
    assert kept(warehouse) == [
        ("infobip", False, False, "ZeroDivisionError"),
        ("infobip", True, True, None),
    ]
    assert len(standing(warehouse)) == 1
    monkeypatch.setattr(replies, "meaning", meaning)
    provider = provider_for(INFOBIP, 1)
    incoming.map_webhooks(warehouse, provider, policy, clock, is_retrying=True)
    assert kept(warehouse)[0] == ("infobip", True, True, None)


def test_what_cannot_be_read_of_a_webhook_is_kept_until_it_is_too_old(
    hooked: httpx.Client, warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    unread = {**reply("r1", "STOP"), "from": None}
    hooked.post("/webhooks/infobip", content=infobip(unread, reply("r2", "STOP")), headers=BASIC)
    provider = provider_for(INFOBIP, 1)
    assert incoming.map_webhooks(warehouse, provider, policy, clock) == {"stop": 1}
    assert kept(warehouse) == [("infobip", False, False, "1 unread")]
    # What could be read is not taken twice.
    assert incoming.map_webhooks(warehouse, provider, policy, clock, is_retrying=True) == {}
    assert audits.tidy(warehouse, clock) == 0
    assert kept(warehouse) == [("infobip", False, False, "1 unread")]
    clock.move_to(clock() + timedelta(days=audits.KEEP_DAYS, hours=1))
    hooked.post("/webhooks/infobip", content=infobip(reply("r3", "hello")), headers=BASIC)
    audits.tidy(warehouse, clock)
    assert kept(warehouse)[0] == ("infobip", True, True, "1 unread")


@pytest.mark.parametrize(
    "elsewhere", [INFOBIP_ELSEWHERE, TWILIO_ELSEWHERE], ids=["infobip", "twilio"]
)
def test_a_stop_that_was_called_in_is_heard_by_whoever_maps_it(
    hooked: httpx.Client,
    warehouse: sa.Engine,
    policy: Policy,
    clock: SimulatedClock,
    elsewhere: Account,
) -> None:
    form = {"MessageSid": "SM1", "SmsStatus": "received", "From": f"+{NUMBER}", "Body": "STOP"}
    path = f"/webhooks/{elsewhere.provider}"
    if elsewhere is INFOBIP_ELSEWHERE:
        body, headers = infobip(reply("r1", "STOP")), BASIC
    else:
        signed = signature("token", f"https://go.example.com{path}", form.items())
        body, headers = urlencode(form).encode(), {"X-Twilio-Signature": signed}
    assert hooked.post(path, content=body, headers=headers).status_code == 204
    # Airflow's connection does not have to hold what the service knows webhooks by.
    found = incoming.map_webhooks(warehouse, provider_for(elsewhere, 1), policy, clock)
    assert found == {"stop": 1}
    assert kept(warehouse) == [(elsewhere.provider, True, True, None)]
    assert len(standing(warehouse)) == 1


# ------------------------------------------------------------------------------------------ start


SHIPPED = read_policy(INCLUDE / "journey.yaml")


def say(warehouse: sa.Engine, text: str, hours: float) -> None:
    """A reply, taken as the poll takes it."""
    at = NOW + timedelta(hours=hours)
    told = [Reply(uuid.uuid4().hex, f"+{NUMBER}", text, at)]
    with warehouse.begin() as connection:
        new = Counter[str]()
        incoming.insert_replies(connection, "infobip", SHIPPED, told, at, new)
    opt_out.take_effect(warehouse, "sms")


def test_a_start_takes_back_no_stop_that_came_while_it_was_taking_effect(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = hashes.phone_hash(f"+{NUMBER}", secret("phones"))
    add_contact(warehouse, 1, phone_hash=number)
    say(warehouse, "STOP", 0)
    run, others = db.run, list[threading.Thread]()

    def slow(connection: sa.Connection, name: str, *args: Any, **binds: Any) -> Any:
        if name == "core/opt_in_phone" and not others:
            others.append(threading.Thread(target=say, args=(warehouse, "STOP", 2)))
            others[0].start()
            others[0].join(1)
        return run(connection, name, *args, **binds)

    monkeypatch.setattr(db, "run", slow)
    say(warehouse, "START", 1)
    others[0].join()
    assert statuses(warehouse) == {1: "unsubscribed"}
    still = "SELECT contact_id FROM core.suppression WHERE lifted_at IS NULL ORDER BY 1"
    assert rows(warehouse, still) == [(0,), (1,)]


def test_a_start_takes_back_what_a_stop_by_reply_did(warehouse: sa.Engine) -> None:
    number = hashes.phone_hash(f"+{NUMBER}", secret("phones"))
    add_contact(warehouse, 1, phone_hash=number)
    say(warehouse, "STOP", 0)
    assert statuses(warehouse) == {1: "unsubscribed"}
    say(warehouse, "start!", 1)
    assert statuses(warehouse) == {1: "active"}
    assert {row[6] for row in standing(warehouse)} == {NOW + timedelta(hours=1)}
    say(warehouse, "Stop", 2)
    assert statuses(warehouse) == {1: "unsubscribed"}
    say(warehouse, "START", 1.5)  # told late
    assert statuses(warehouse) == {1: "unsubscribed"}
    assert [row for row in standing(warehouse) if row[6] is None]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_start_takes_back_no_stop_that_was_pressed(warehouse: sa.Engine, is_first: bool) -> None:
    number = hashes.phone_hash(f"+{NUMBER}", secret("phones"))
    add_contact(warehouse, 1, phone_hash=number)

    def press() -> None:
        with warehouse.begin() as connection:
            db.run(
                connection,
                "core/opt_out",
                contact_id=1,
                phone_hash=number,
                channel="sms",
                source="landing",
                at=NOW,
            )

    if is_first:
        press()
    say(warehouse, "STOP", 0.5)
    if not is_first:
        press()
    say(warehouse, "START", 1)
    assert statuses(warehouse) == {1: "unsubscribed"}
    left = [row for row in standing(warehouse) if row[6] is None]
    assert [(row[0], row[4]) for row in left] == [(1, "landing")]


@pytest.mark.parametrize("text", ["START", "unstop", "Please start.", "OPT IN"])
def test_the_carriers_words_start(text: str) -> None:
    assert replies.meaning(text) == "start"


@pytest.mark.parametrize("text", ["YES", "start over", "when do you start?", "I will not start"])
def test_what_may_answer_something_else_does_not_start(text: str) -> None:
    assert replies.meaning(text) != "start"


# ------------------------------------------------------------------- a warehouse of before


@pytest.fixture
def before(new_warehouse: Any) -> Iterator[sa.Engine]:
    """A warehouse of before verdicts could be unsure."""
    with new_warehouse("0012") as engine:
        yield engine


def test_what_was_a_person_without_a_sign_stays_one_until_it_is_judged_again(
    before: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    """And then outcomes, contacts and figures follow: nobody is given up over a doubt."""
    touched, fetched, scanned = who = (1, 2, 3)
    day, closed_on, noon = date(2026, 11, 30), date(2026, 12, 30), NOW + timedelta(hours=1)
    agents = dict.fromkeys((touched, fetched), IPHONE) | {scanned: PREVIEWS[0]}
    for contact_id in who:
        add_contact(before, contact_id)
        add_message(before, contact_id, "survey")
        link = add_link(before, contact_id, "survey")
        (message_id,) = rows(before, f"SELECT message_id FROM outbox.link WHERE code = '{link}'")[0]
        kinds = ["view", "beacon"] if contact_id == touched else ["view"]
        for kind in kinds:
            insert(
                before,
                "outbox.hit",
                code=link,
                contact_id=contact_id,
                message_id=message_id,
                at=noon,
                kind=kind,
                method="GET",
                purpose="",
                user_agent=agents[contact_id],
                address_hash="home",
            )
        key = {"contact_id": contact_id, "dormant_since": QUIET}
        insert(
            before,
            "core.contact_activity",
            contact_id=contact_id,
            visible_on=QUIET,
            updated_load_id=1,
        )
        insert(before, "cohort.dormancy", **key, behaviour="any", pace=1)
        insert(before, "cohort.episode", **key, opened_on=day, closed_on=closed_on, is_opened=True)
        insert(
            before,
            "cohort.decision",
            **key,
            as_of=day,
            inactive_days=30,
            step="survey",
            prior_sends=0,
            prior_opens=0,
            action="send",
            reason="due",
            policy_version="1",
        )
        insert(
            before,
            "outcome.contact_outcome",
            **key,
            arm="treatment",
            outcome="active",
            decided_on=closed_on,
            steps_sent=1,
            first_open_at=noon,
            if_unopened="unsubscribed",
            closed_at=NOW + timedelta(days=30),
        )
    insert(
        before,
        "outcome.daily_step",
        as_of=day,
        step="survey",
        arm="treatment",
        due=3,
        sent=3,
        delivered=3,
        opened=3,
        returned=0,
        opted_out=0,
        revenue=0,
        cost=0,
        counted_at=NOW + timedelta(days=30),
    )
    with before.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO outbox.verdict (contact_id, hit_id, version, rule) SELECT contact_id,"
            " hit_id, 3, CASE kind WHEN 'view' THEN 'no_sign' ELSE 'confirmed' END::outbox.rule"
            " FROM outbox.hit"
        )
    db.migrate(before)
    assert {verdict for verdict, _ in verdicts(before)} == {"human"}
    assert outcomes.follow_verdicts(before, policy, clock) == outcomes.Followed()

    assert judge(before) == (4, 2)
    assert [verdict for verdict, _ in verdicts(before)] == ["human", "human", "unsure", "machine"]
    assert outcomes.follow_verdicts(before, policy, clock) == outcomes.Followed(
        not_active=2, given_up=1, days=1
    )
    ended = "SELECT outcome::text FROM outcome.contact_outcome ORDER BY contact_id"
    assert rows(before, ended) == [("active",), ("unreachable",), ("unsubscribed",)]
    assert statuses(before) == {1: "active", 2: "active", 3: "unsubscribed"}
    assert [row[3] for row in standing(before)] == ["inactivity"]
    assert rows(before, "SELECT opened FROM outcome.daily_step") == [(1,)]
    assert outcomes.follow_verdicts(before, policy, clock) == outcomes.Followed()
