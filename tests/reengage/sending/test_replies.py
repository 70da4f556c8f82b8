"""Replies: what they say, whose they are, and that none is lost, whatever else is told with it."""

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from retailer import Retailer, opened
from test_cases import _deliver
from test_web import served
from world import create_app

from depth import examples
from reengage import db
from reengage.clock import SimulatedClock
from reengage.errors import ConfigurationError
from reengage.journey import cohort
from reengage.phones import hashes, numbers
from reengage.policy import read_policy
from reengage.sending import incoming, opt_out, replies
from reengage.sending.providers import Account, provider_for
from reengage.sending.providers.accounts import account
from reengage.sending.providers.signatures import signature
from reengage.sending.providers.words import Reply, Told, Webhook
from reengage.settings import INCLUDE, phone_keys
from reengage.web.background import Background
from reengage_local.sandbox import connection, create_sandbox
from reengage_local.sandbox.journal import append
from reengage_local.serving import serve

NOW = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
CASES = Path(__file__).parents[2] / "cases"
KEYS = (hashes.PhoneKey("key"),)
POLICY = read_policy(INCLUDE / "journey.yaml")


# --- what a reply says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop",
        "Stop.",
        "  STOP!!! ",
        "ＳＴＯＰ",
        "s.t.o.p",
        "stopall",
        "STOP ALL",
        "Quit",
        "END",
        "revoke",
        "opt out",
        "Opt-out",
        "OPTOUT",
        "cancel",
        "Unsubscribe",
        "please stop",
        "ok stop",
        "Stop texting me",
        "stop it now please",
        "ARRÊT",
        "arret",
        "remove",
        "TD",
        "Berhenti",
        "batal",
        "annulla",
        "CANCELLAMI",
        "수신거부",
        "수신거부합니다",
        "거부",
        "🛑",
        "\u200bSTOP",
        "“Stop”",
        "opt me out",
        "ЅТОР",
        "s t o p",
        "S.T.O.P. now",
        "St0p",
        "$top!",
        "ST0️⃣P",
        "🆂🆃🅾🅿",
        "🅢🅣🅞🅟",
        "🇸🇹🇴🇵",
        "sᴛᴏᴘ",
        "𝐒𝐓𝐎𝐏",
        "stoppp",
        "СТОП",
        "Отпишите меня, пожалуйста",
        "退订",
        "配信停止してください",
        "หยุด",
        "बंद करो",
        "إلغاء الاشتراك",
        "Por favor, baja",
        "Abmelden!",
    ],
)
def test_a_stop_is_understood(text: str) -> None:
    assert replies.meaning(text) == "stop"


@pytest.mark.parametrize(
    "text",
    [
        "I said stop",
        "Don't text me",
        "do not contact me again",
        "no more texts",
        "wrong number",
        "Take me off your list",
        "leave me alone",
        "not interested",
        "How do I unsubscribe?",
        "who told you to spam me",
        "stpo",
        "non voglio più, cancellatemi",
        "그만 보내세요",
        "",
        "   ",
        "Thanks!",
        "Yes",
        "No",
        "1",
        "HELP",
        "👍",
        "When do you open on Sunday?",
        "start over",
        "ѕtart",
        "don't stop",
        "Love it",
    ],
)
def test_what_is_neither_a_stop_nor_a_start_is_for_a_person_to_read(text: str) -> None:
    assert replies.meaning(text) == "unclear"


def test_a_stop_in_words_of_their_own_is_never_let_go() -> None:
    said = (CASES / "stop-other-words/replies.txt").read_text(encoding="utf-8").splitlines()
    assert {replies.meaning(text) for text in said} <= {"stop", "unclear"}


def test_what_came_with_a_text_may_say_stop_too() -> None:
    assert replies.meaning("No more of these", "stop_promotions") == "stop"
    assert replies.meaning("START", "hello") == "unclear"
    assert replies.meaning("", "") == "unclear"


@given(st.text())
@example("\U0001f1f8" * 3)
def test_no_reply_breaks_the_reading(text: str) -> None:
    assert replies.meaning(text) in ("stop", "start", "unclear")


def test_every_language_that_a_text_can_be_in_has_words() -> None:
    from reengage.texts.countries import countries

    spoken = set(replies.words().languages)
    assert set(countries().words) <= spoken and len(spoken) > 30


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("languages: {en: {stop: [stop], start: [Stop]}}", "stop: a stop and a start"),
        ("languages: {en: {stop: ['!']}}", "needs a letter"),
        ("languages: {en: {stop: []}}", "line 1"),
        ("languages: {english: {stop: [stop]}}", "line 1"),
    ],
)
def test_words_that_cannot_be_used_are_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "words.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        replies.Words(tmp_path / "words.yaml")


# --- whose it is ----------------------------------------------------------------------------------

SPELLINGS = [
    ("+5491123456789", "+541123456789"),
    ("+525512345678", "+5215512345678"),
    ("+5511987654321", "+551187654321"),
    ("+2290197123456", "+22997123456"),
    ("+2250707123456", "+22507123456"),
    ("+2250544123456", "+22544123456"),
    ("+2250140123456", "+22540123456"),
    ("+24177123456", "+2417123456", "+24107123456"),
    ("+84381234567", "+841681234567"),
    ("+237677123456", "+23777123456"),
    ("+23057123456", "+2307123456"),
    ("+593991234567", "+59391234567"),
    ("+12125550100",),
]


@pytest.mark.parametrize("spellings", SPELLINGS, ids=lambda s: s[0])
def test_a_number_is_one_in_every_spelling(spellings: tuple[str, ...]) -> None:
    for number in spellings:
        assert numbers.forms().of(number)[0] == number
        assert set(numbers.forms().of(number)) == set(spellings)
        assert numbers.number_of(f"whatsapp:{number}", "US") == number
        assert numbers.number_of(number[1:], "US") == number
        assert bool(re.search(numbers.pattern(KEYS), number)) == (len(spellings) > 1)
    assert {frozenset(numbers.hashes(number, KEYS)) for number in spellings} == {
        frozenset(numbers.hashes(spellings[0], KEYS))
    }


@settings(max_examples=examples(300))
@given(st.data())
def test_spellings_are_the_same_whichever_one_begins_with(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(numbers.forms()._forms))
    number = data.draw(st.from_regex(re.compile(form.pattern.pattern, re.ASCII), fullmatch=True))
    every = set(numbers.forms().of(number))
    assert len(every) > 1
    assert all(set(numbers.forms().of(other)) == every for other in every)


@pytest.mark.parametrize(
    ("sender", "number"),
    [
        ("rcs:+12125551001", "+12125551001"),
        ("+1 (212) 555-1001", "+12125551001"),
        ("0012125551001", "+12125551001"),
        ("2125551001", "+12125551001"),
        ("12125551001@c.us", "+12125551001"),
        ("+44 (0)7911 123456", "+447911123456"),
        ("72975", None),
        ("LARKFIELD", None),
        ("", None),
    ],
)
def test_a_sender_is_read_as_it_is_written(sender: str, number: str | None) -> None:
    assert numbers.number_of(sender, "US") == number
    hashed = numbers.sender_hashes(sender, "US", KEYS)
    assert (hashed == numbers.hashes(number, KEYS)) if number else len(hashed) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("forms: ['1{n}'], where: {n: '2'}", "forms"),
        ("forms: ['1{n}', '2'], where: {n: '2'}", "each part"),
        ("forms: ['1{n}', '+2{n}'], where: {n: '2'}", "digits and parts"),
        ("forms: ['1{n}', '2{n}'], where: {n: '('}", "where"),
    ],
)
def test_spellings_that_cannot_be_used_are_refused(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "numbers.yaml"
    file.write_text(f"rules: [{{country: AR, {content}, source: s}}]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        numbers.Forms(file)


# --- what a provider tells, whatever its form -----------------------------------------------------

INFOBIP = Account("infobip", "https://x.api.infobip.com", "", "", {"webhook_secret": "sesame"})
TWILIO = Account("twilio", "https://api.twilio.com", "AC1", "token")
BASIC = {"Authorization": "Basic " + base64.b64encode(b"infobip:sesame").decode()}
STOPPED = "12125551012"
RECEIVED = "2026-03-03T14:00:00.000+0000"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = (
    "messageId",
    "from",
    "to",
    "text",
    "cleanText",
    "keyword",
    "receivedAt",
    "status",
    "error",
    "price",
    "messageCount",
    "doneAt",
    "sentAt",
    "bulkId",
    "new",
)
told_fields = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, anything))


def heard(account: Account, body: bytes, url: str = "https://l.example/h") -> Told:
    return provider_for(account, 1).hear(Webhook(url, {}, body, is_known=True), NOW)


@settings(max_examples=examples(100))
@given(st.lists(anything | told_fields, max_size=4), st.lists(anything | told_fields, max_size=4))
def test_a_stop_is_heard_whatever_is_told_with_it(before: list[Any], after: list[Any]) -> None:
    stop = {"messageId": "p2", "from": STOPPED, "text": "STOP", "receivedAt": RECEIVED}
    body = json.dumps({"results": [*before, stop, *after]}).encode()
    told = heard(INFOBIP, body)
    assert Reply("p2", f"+{STOPPED}", "STOP", datetime(2026, 3, 3, 14, tzinfo=UTC)) in told.replies
    # Nothing is let go: each item is a reply, a receipt, or kept in a form that can be read again.
    assert len(told.replies) + len(told.receipts) + len(told.unread) == len(before + after) + 1
    for body in told.unread:
        again = heard(INFOBIP, body)
        assert (again.replies, again.receipts, again.unread) == ([], [], [body])


@settings(max_examples=examples(100))
@given(st.lists(anything, max_size=4))
def test_twilios_log_loses_no_reply_beside_one_that_cannot_be_read(others: list[Any]) -> None:
    stop = {"sid": "SM1", "from": f"+{STOPPED}", "body": "STOP", "date_sent": None}
    told = heard(TWILIO, json.dumps({"messages": [*others, stop]}).encode())
    assert told.replies[-1] == Reply("SM1", f"+{STOPPED}", "STOP", None)
    assert len(told.replies) + len(told.unread) == len(others) + 1


@settings(max_examples=examples(100))
@given(st.dictionaries(st.text(), st.text()))
def test_a_twilio_form_with_a_sender_is_always_heard(more: dict[str, str]) -> None:
    form = {**more, "MessageSid": "SM1", "From": f"+{STOPPED}", "Body": "STOP"}
    form |= {"MessageStatus": "", "SmsStatus": "received"}
    (reply,) = heard(TWILIO, urlencode(form).encode()).replies
    assert (reply.sender, reply.text) == (f"+{STOPPED}", "STOP")


@pytest.mark.parametrize(
    ("form", "meant"),
    [
        ({"Body": "ADIOS", "OptOutType": "STOP"}, "stop"),
        ({"Body": "ADIOS", "OptOutType": "stop", "NewField": "?"}, "stop"),
        ({"Body": "VUELVO", "OptOutType": "START"}, "start"),
        ({"Body": "STOP", "OptOutType": "START"}, "stop"),
        ({"Body": "AYUDA", "OptOutType": "HELP"}, "unclear"),
        ({"ButtonText": "No more of these", "ButtonPayload": "STOP"}, "stop"),
        ({"ButtonText": "Stop", "ButtonPayload": "p-17"}, "stop"),
        ({"ButtonText": "Yes!", "ButtonPayload": "p-18"}, "unclear"),
        ({"Body": "", "NumMedia": "1"}, "unclear"),
    ],
)
def test_twilios_own_flag_and_a_buttons_label_are_heard(
    warehouse: sa.Engine, form: dict[str, str], meant: str
) -> None:
    form = {"MessageSid": "SM1", "From": f"rcs:+{STOPPED}", "To": "rcs:larkfield_agent", **form}
    told = heard(TWILIO, urlencode(form).encode())
    assert keep(warehouse, "twilio", *told.replies) == {meant: 1}
    hashed = hashes.phone_hash(f"+{STOPPED}", phone_keys()[0])
    assert rows(warehouse, "SELECT phone_hash FROM outbox.reply") == [(hashed,)]


@pytest.mark.parametrize(
    ("keyword", "meant"),
    [("STOP", "stop"), ("BAJA", "stop"), ("SALE", "unclear"), (None, "unclear"), (7, "unclear")],
)
def test_infobips_keyword_is_heard(warehouse: sa.Engine, keyword: Any, meant: str) -> None:
    item = {"messageId": "r", "from": STOPPED, "text": None, "keyword": keyword, "smsCount": "one"}
    told = heard(INFOBIP, json.dumps({"results": [item]}).encode())
    assert keep(warehouse, "infobip", *told.replies) == {meant: 1}


def test_a_reply_that_is_told_again_with_what_it_was_taken_for_is_a_stop(
    warehouse: sa.Engine,
) -> None:
    polled = Reply("SM1", f"+{STOPPED}", "ADIOS", NOW)
    called = Reply("SM1", f"+{STOPPED}", "ADIOS", NOW, flag="stop")
    assert keep(warehouse, "twilio", polled) == {"unclear": 1}
    assert keep(warehouse, "twilio", called, polled) == {"stop": 1}
    assert keep(warehouse, "twilio", called, polled) == {}
    assert [row[1] for row in standing(warehouse)] == ["opted_out"]


def test_an_id_that_two_numbers_share_is_two_replies(warehouse: sa.Engine) -> None:
    add_contact(warehouse, 1, "+12125551011")
    add_contact(warehouse, 2, f"+{STOPPED}")
    asked = Reply("1", "+12125551011", "who is this?", NOW)
    stop = Reply("1", f"+{STOPPED}", "STOP", NOW)
    assert keep(warehouse, "infobip", asked, stop) == {"unclear": 1, "stop": 1}
    assert keep(warehouse, "infobip", stop, asked) == {}
    assert statuses(warehouse) == {1: "active", 2: "unsubscribed"}


def test_a_letter_that_is_no_utf8_takes_no_reply_with_it() -> None:
    item = '{"results": [{"messageId": "%s", "from": "%s", "text": "%s"}%s]}'
    other = ', {"messageId": "r2", "from": "12125551013", "text": "ciao"}'
    for coding in ("latin-1", "utf-16", "utf-8"):
        told = heard(INFOBIP, (item % ("r1", STOPPED, "STOP \u00e9", other)).encode(coding))
        assert [(one.reply_id, one.text[:4]) for one in told.replies] == [
            ("r1", "STOP"),
            ("r2", "ciao"),
        ]


@pytest.mark.parametrize(
    ("name", "suppress"),
    [
        ("EC_UNKNOWN_SUBSCRIBER", "hard_bounce"),
        ("EC_SC_BLOCKED_BY_END_USER", "opted_out"),
        ("EC_CONTENT_BLOCKED", None),
        ("EC_ABSENT_SUBSCRIBER", None),
        ("EC_VALIDITY_EXPIRED", None),
    ],
)
def test_a_receipt_says_of_a_number_only_what_its_list_does(
    name: str, suppress: str | None
) -> None:
    item = {
        "messageId": "m0",
        "status": {"groupName": "UNDELIVERABLE", "name": "U"},
        "error": {"name": name, "permanent": True, "description": "Blocked by a filter"},
    }
    (receipt,) = heard(INFOBIP, json.dumps({"results": [item]}).encode()).receipts
    assert (receipt.suppress, receipt.occurred_at) == (suppress, None)


def test_a_content_that_is_blocked_for_a_stop_is_one() -> None:
    error = {"name": "EC_CONTENT_BLOCKED", "permanent": True, "description": "MO: Stop"}
    item = {"messageId": "m0", "status": {"groupName": "REJECTED", "name": "R"}, "error": error}
    (receipt,) = heard(INFOBIP, json.dumps({"results": [item]}).encode()).receipts
    assert receipt.suppress == "opted_out"
    for name in ("REJECTED_DND", "REJECTED_DESTINATION_BLOCKLISTED"):
        item = {"messageId": "m0", "status": {"groupName": "REJECTED", "name": name}}
        (receipt,) = heard(INFOBIP, json.dumps({"results": [item]}).encode()).receipts
        assert receipt.suppress == "opted_out"


# --- through the link service ---------------------------------------------------------------------


def rows(warehouse: sa.Engine, query: str, **binds: Any) -> list[tuple[Any, ...]]:
    with warehouse.begin() as connection:
        result = connection.execute(sa.text(query), binds)
        return [tuple(row) for row in result] if result.returns_rows else []


def keep(warehouse: sa.Engine, provider: str, *told: Reply, at: datetime = NOW) -> Counter[str]:
    """Replies, taken as the poll takes them, with what they do."""
    new = Counter[str]()
    with warehouse.begin() as connection:
        incoming.insert_replies(connection, provider, POLICY, told, at, new)
    opt_out.apply_replies(warehouse, POLICY, lambda: at)
    return new


def standing(warehouse: sa.Engine) -> list[tuple[Any, ...]]:
    return rows(
        warehouse,
        "SELECT contact_id, reason::text, source, since, lifted_at FROM core.suppression"
        " WHERE lifted_at IS NULL ORDER BY contact_id, since",
    )


def add_contact(warehouse: sa.Engine, contact_id: int, number: str, **more: Any) -> None:
    given = {"status": "active", "hash": hashes.phone_hash(number, phone_keys()[0]), **more}
    rows(
        warehouse,
        "INSERT INTO core.contact (contact_id, phone_e164, phone_hash, status, first_source,"
        " first_source_contact_id, first_seen_on, updated_load_id) VALUES (:id, :number, :hash,"
        " CAST(:status AS core.contact_status), 'crm', CAST(:id AS text), '2026-01-01', 1)",
        id=contact_id,
        number=number,
        **given,
    )


def statuses(warehouse: sa.Engine) -> dict[int, str]:
    query = "SELECT contact_id, status::text FROM core.contact"
    return {row[0]: row[1] for row in rows(warehouse, query)}


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def hooked(warehouse: sa.Engine, clock: SimulatedClock) -> Iterator[httpx.Client]:
    """The link service, by real HTTP; client.tick() maps what was called in."""
    providers = {one.provider: provider_for(one, 1) for one in (INFOBIP, TWILIO)}
    app = create_app(warehouse, POLICY, clock, providers)
    with served(app, lifespan="off") as client:
        client.tick = Background(app.state.service, providers).tick  # type: ignore[attr-defined]
        yield client


def call(client: httpx.Client, account: Account, body: bytes) -> None:
    """Post a webhook as the provider does, and let it be mapped."""
    path, headers = f"/webhooks/{account.provider}", dict(BASIC)
    if account is TWILIO:
        url = str(client.base_url).rstrip("/") + path
        if body[:1] in (b"{", b"["):
            path += f"?bodySHA256={hashlib.sha256(body).hexdigest()}"
            url, form = str(client.base_url).rstrip("/") + path, list[tuple[str, str]]()
        else:
            form = parse_qsl(body.decode(), keep_blank_values=True)
        headers = {"X-Twilio-Signature": signature("token", url, form)}
    assert client.post(path, content=body, headers=headers).status_code == 204
    client.tick()  # type: ignore[attr-defined]


def test_case_infobip_null_text(hooked: httpx.Client, warehouse: sa.Engine) -> None:
    add_contact(warehouse, 1, "+12125551011")
    add_contact(warehouse, 2, f"+{STOPPED}")
    call(hooked, INFOBIP, (CASES / "infobip-null-text/page.json").read_bytes())
    said = "SELECT text, meaning::text, reviewed_at IS NULL FROM outbox.reply ORDER BY reply_id"
    assert rows(warehouse, said) == [("", "unclear", True), ("STOP", "stop", False)]
    assert statuses(warehouse) == {1: "active", 2: "unsubscribed"}
    assert rows(warehouse, "SELECT error FROM outbox.webhook") == [(None,)]


def test_case_twilio_optouttype(hooked: httpx.Client, warehouse: sa.Engine) -> None:
    add_contact(warehouse, 1, "+12125551001")
    call(hooked, TWILIO, (CASES / "twilio-optouttype/form.txt").read_text().strip().encode())
    assert statuses(warehouse) == {1: "unsubscribed"}
    assert [row[:3] for row in standing(warehouse)] == [
        (0, "opted_out", "reply"),
        (1, "opted_out", "reply"),
    ]


@pytest.mark.parametrize("status", ["RECEIVED", "Receiving", "arrived", ""])
def test_a_stop_is_heard_whatever_status_comes_with_it(
    hooked: httpx.Client, warehouse: sa.Engine, status: str
) -> None:
    add_contact(warehouse, 1, "+12125551001")
    said = {"MessageSid": "SM1", "From": "+12125551001", "To": "+12125550100", "Body": "STOP"}
    call(hooked, TWILIO, urlencode({**said, "SmsStatus": status}).encode())
    assert statuses(warehouse) == {1: "unsubscribed"}


def test_the_inbox_that_tells_once_loses_nothing(
    warehouse: sa.Engine, clock: SimulatedClock, tmp_path: Path
) -> None:
    add_contact(warehouse, 1, f"+{STOPPED}")
    said = {"from": f"+{STOPPED}", "received_at": NOW.isoformat()}
    told = [{**said, "reply_id": "r1", "text": None}, {**said, "reply_id": "r2", "text": "STOP"}]
    append(tmp_path / "replies.jsonl", told)
    with serve(create_sandbox(tmp_path, clock, "key", "seed")) as server:
        provider = provider_for(account(**connection("infobip", server.url, "key")), 5)
        heard = [incoming.take_replies(warehouse, provider, POLICY, clock) for _ in range(2)]
    assert heard == [{"unclear": 1, "stop": 1}, {}]
    assert statuses(warehouse) == {1: "unsubscribed"}


def test_what_the_inbox_tells_in_another_form_is_kept_and_told(
    warehouse: sa.Engine, clock: SimulatedClock, caplog: pytest.LogCaptureFixture
) -> None:
    stop = {"messageId": "r1", "from": STOPPED, "text": "STOP"}
    pages = [
        json.dumps({"results": [{"text": "STOP", "messageId": "r0"}, stop]}).encode(),
        b"<html>",
        json.dumps({"results": [{**stop, "messageId": "r2"}]}).encode(),
    ]

    class Inbox(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.pop(0) if pages else b'{"results": []}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    inbox = ThreadingHTTPServer(("127.0.0.1", 0), Inbox)
    threading.Thread(target=inbox.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{inbox.server_port}"
    provider = provider_for(Account("infobip", address, "", "key"), 5)
    try:
        heard = [incoming.take_replies(warehouse, provider, POLICY, clock) for _ in range(2)]
    finally:
        inbox.shutdown()
        inbox.server_close()
    assert heard == [{"stop": 1, "unread": 2}, {"stop": 1}]
    query = "SELECT error, convert_from(body, 'UTF8') FROM outbox.webhook ORDER BY webhook_id"
    (item, page) = rows(warehouse, query)
    assert item[0] == page[0] == "1 unread"
    assert json.loads(item[1]) == {"results": [{"text": "STOP", "messageId": "r0"}]}
    assert page[1] == "<html>"
    assert "cannot be read" in caplog.text and STOPPED not in caplog.text


def test_a_number_that_is_somebody_elses_now_is_texted_no_more(
    hooked: httpx.Client, warehouse: sa.Engine
) -> None:
    add_contact(warehouse, 1, "+541123456789")
    event = {
        "specversion": "1.0",
        "type": "com.twilio.messaging.reassigned-number.detected",
        "data": {
            "to_number": "+5491123456789",
            "from_number": "+12125550100",
            "is_reassigned": True,
            "timestamp": "2026-03-02T00:00:00Z",
        },
    }
    others = [{"type": "com.twilio.else", "data": {}}, {**event, "data": {"to_number": None}}]
    call(hooked, TWILIO, json.dumps([*others, event]).encode())
    at = datetime(2026, 3, 2, tzinfo=UTC)
    assert standing(warehouse) == [(0, "number_reassigned", "provider", at, None)] * 2
    assert statuses(warehouse) == {1: "active"}
    assert rows(warehouse, "SELECT error FROM outbox.webhook") == [("2 unread",)]


# --- through days ---------------------------------------------------------------------------------

PLAIN_DAY = CASES / "plain-day"
ANN = "+12125550101"
FIRST, SECOND = date(2026, 5, 20), date(2026, 5, 21)


@pytest.fixture
def retailer(warehouse: sa.Engine, tmp_path: Path) -> Retailer:
    """Of whose customers one, Ann, is due for the survey on FIRST."""
    found = Retailer(warehouse, opened(PLAIN_DAY, tmp_path), {"hours": {"sunday_from": "12:00"}})
    _deliver({f.name: f.name for f in PLAIN_DAY.glob("*.csv")}, PLAIN_DAY, tmp_path / "data", 0)
    return found


def say(retailer: Retailer, text: str, at: datetime, number: str = ANN) -> None:
    retailer.phones.inbox.append(Reply(f"r{at.isoformat()}{text}{number}", number, text, at))
    retailer.clock.move_to(max(retailer.clock(), at))
    incoming.take_replies(retailer.engine, retailer.phones, retailer.policy, retailer.clock)


def answer(retailer: Retailer, meaning: Any) -> None:
    """What a person says of the newest reply."""
    (reply_id,) = retailer.sql("SELECT max(reply_id) FROM outbox.reply")[0]
    opt_out.review(retailer.engine, reply_id, meaning, "sms", retailer.clock())


def test_nobody_is_texted_before_their_reply_is_read(retailer: Retailer) -> None:
    for text in (CASES / "stop-other-words/replies.txt").read_text(encoding="utf-8").splitlines():
        if replies.meaning(text) == "unclear":
            say(retailer, text, retailer.at(FIRST, 9) - timedelta(days=1))
    first = retailer.day(FIRST)
    assert (first.texted, first.decided["K1"]) == ({}, "hold unread_reply")
    answer(retailer, "unclear")
    second = retailer.day(SECOND)
    assert (second.texted, second.decided["K1"]) == ({"K1": "survey"}, "send due")


def test_a_text_that_is_called_off_for_a_reply_does_not_use_its_step_up(
    retailer: Retailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(retailer, "_send", lambda _: None)
        retailer.morning(FIRST)
    assert retailer._decided(FIRST)["K1"] == "send due"
    say(retailer, "who is this?", retailer.clock() + timedelta(minutes=1))
    retailer._send(FIRST)
    called_off = "SELECT CAST(status AS text), error_code FROM outbox.message"
    assert retailer.sql(called_off) == [("cancelled", "unread_reply")]
    assert retailer._decided(FIRST)["K1"] == "hold unread_reply"
    state = "SELECT next_step, next_due_on, done_position, is_waiting FROM cohort.episode"
    state += " WHERE contact_id = (SELECT contact_id FROM outbox.message)"
    assert retailer.sql(state) == [("survey", SECOND, 0, True)]
    cohort.hold_unread(retailer.engine, retailer.policy)
    retailer.evening(FIRST)
    assert retailer.sql(state) == [("survey", SECOND, 0, True)]
    assert retailer.day(SECOND).decided["K1"] == "hold unread_reply"
    answer(retailer, "unclear")
    assert retailer.day(SECOND + timedelta(days=1)).texted == {"K1": "survey"}


@pytest.mark.parametrize("how", ["start", "person: none", "person: start", "none", "stop"])
def test_unread_for_long_a_reply_is_a_stop_that_start_or_a_person_takes_back(
    retailer: Retailer, how: str
) -> None:
    at = retailer.at(FIRST, 9) - timedelta(days=8)
    retailer.day(FIRST - timedelta(days=10))
    say(retailer, "???", at)
    assert statuses(retailer.engine) == {1: "active", 2: "active", 3: "active"}
    assert retailer.day(FIRST).decided["K1"] == "hold suppressed"
    assert statuses(retailer.engine)[1] == "unsubscribed"
    assert [row[1:4] for row in standing(retailer.engine)] == [("opted_out", "unread", at)] * 2
    if how == "start":
        say(retailer, "START", retailer.clock())
    elif how == "stop":  # a clear one is not taken back with the other
        say(retailer, "STOP", retailer.clock())
        answer_oldest(retailer, "unclear")
    elif how != "none":
        answer(retailer, "unclear" if how == "person: none" else "start")
    is_back = how not in ("none", "stop")
    opt_out.apply_replies(retailer.engine, retailer.policy, retailer.clock)
    assert statuses(retailer.engine)[1] == ("active" if is_back else "unsubscribed")
    assert len(standing(retailer.engine)) == (0 if is_back else 2)
    assert retailer.day(SECOND).texted == ({"K1": "survey"} if is_back else {})


def answer_oldest(retailer: Retailer, meaning: Any) -> None:
    (reply_id,) = retailer.sql("SELECT min(reply_id) FROM outbox.reply")[0]
    opt_out.review(retailer.engine, reply_id, meaning, "sms", retailer.clock())


def test_a_start_that_a_person_reads_takes_back_no_later_stop(retailer: Retailer) -> None:
    retailer.day(FIRST)
    at = retailer.clock()
    say(retailer, "STOP", at)
    say(retailer, "ok, send me texts again", at + timedelta(minutes=1))
    answer(retailer, "start")
    assert statuses(retailer.engine)[1] == "active"
    say(retailer, "hm, send me texts again!", at + timedelta(minutes=2))
    say(retailer, "STOP", at + timedelta(minutes=3))
    (reply_id,) = retailer.sql("SELECT reply_id FROM outbox.reply WHERE text LIKE 'hm%'")[0]
    opt_out.review(retailer.engine, reply_id, "start", "sms", retailer.clock())
    assert statuses(retailer.engine)[1] == "unsubscribed"


@pytest.mark.parametrize("reason", ["hard_bounce", "number_reassigned", "opted_out"])
def test_case_bounce_new_number(warehouse: sa.Engine, tmp_path: Path, reason: str) -> None:
    case = CASES / "bounce-new-number"
    retailer = Retailer(warehouse, opened(PLAIN_DAY, tmp_path))
    (tmp_path / "sources/cards.yaml").write_text(
        "{source: crm, entity: contact, connector: files, path: ../data/cards.csv,"
        " columns: {source_contact_id: id, phone: mobile}}",
        encoding="utf-8",
    )
    files = {
        "consents": "id,granted\nSA,2025-01-02T10:00:00Z\n",
        "orders": "order,customer,at,total\n1,SA,2026-04-15,20.00\n",
    }
    for name, text in files.items():
        (tmp_path / f"data/{name}.csv").write_text(text, encoding="utf-8")
    _deliver({"cards.csv": "day1.csv"}, case, tmp_path / "data", 1)
    retailer.day(FIRST - timedelta(days=7))
    rows(
        warehouse,
        "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)"
        " SELECT contact_id, phone_hash, 'sms', CAST(:reason AS core.suppression_reason),"
        " 'receipt', '2026-05-14Z' FROM core.contact",
        reason=reason,
    )
    assert retailer.day(FIRST).decided["SA"] == "hold suppressed"
    standing_for = "SELECT count(*) FROM core.suppression"
    _deliver({"cards.csv": "day2.csv"}, case, tmp_path / "data", 2)
    second = retailer.day(SECOND)
    is_of_person = reason == "opted_out"
    assert second.decided["SA"] == ("hold suppressed" if is_of_person else "send due")
    assert second.texted == ({} if is_of_person else {"SA": "survey"})
    with warehouse.connect() as connection:
        told = db.run(connection, "marketer/contact_suppressions", contact_id=1).all()
        stands = db.run(
            connection, "story/standing", contact_id=1, as_of=None, at=None, signals=[]
        ).one()
    assert [row.reason for row in told] == ([reason] if is_of_person else [])
    assert bool(stands.suppressed_for) == is_of_person
    assert rows(warehouse, standing_for) == [(1,)]


def test_a_number_in_two_spellings_is_one(warehouse: sa.Engine, tmp_path: Path) -> None:
    retailer = Retailer(warehouse, opened(PLAIN_DAY, tmp_path))
    cards = ["id,first,mobile,country,created"]
    cards += [
        f"A{n},,{phone},AR,2025-01-01"
        for n, phone in enumerate(
            [
                "+54 9 11 2345 6789",
                "+54 11 2345 6789",
                "+54 9 351 234 5678",
                "+54 351 234 5678",
                "+52 55 1234 5678",
            ]
        )
    ]
    ids = [f"A{n}" for n in range(5)]
    files = {
        "cards": cards,
        "consents": ["id,granted", *(f"{i},2025-01-02T10:00:00Z" for i in ids)],
        "orders": ["order,customer,at,total", *(f"{i},{i},2026-04-15,20.00" for i in ids)],
    }
    for name, lines in files.items():
        (tmp_path / f"data/{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    say(retailer, "STOP", retailer.at(FIRST, 9) - timedelta(days=1), "whatsapp:+543512345678")
    say(retailer, "STOP", retailer.at(FIRST, 9) - timedelta(days=1), "5215512345678")
    first = retailer.day(FIRST)
    assert first.decided == {
        "A0": "send due",
        "A1": "hold duplicate_phone",
        "A2": "hold suppressed",
        "A3": "hold suppressed",
        "A4": "hold suppressed",
    }
    # What comes back to a text finds its contact, however the provider writes the number.
    one, other = (
        retailer.sql(
            "SELECT contact_id FROM core.contact WHERE first_source_contact_id = :who", who=who
        )[0][0]
        for who in ("A0", "A1")
    )
    say(retailer, "basta", retailer.clock() + timedelta(minutes=1), "+541123456789")
    assert statuses(warehouse)[one] == statuses(warehouse)[other] == "unsubscribed"
    say(retailer, "START", retailer.clock() + timedelta(minutes=2), "+5491123456789")
    assert statuses(warehouse)[one] == statuses(warehouse)[other] == "active"
    aliases = retailer.sql("SELECT phone_hash, alias_hash FROM core.phone_alias")
    assert {(b, a) for a, b in aliases} == set(aliases) and len(aliases) == 6


def test_a_warehouse_of_before_knows_its_numbers_and_goes_on(
    new_warehouse: Any, tmp_path: Path
) -> None:
    with new_warehouse("0012") as engine:
        number = hashes.phone_hash("+541123456789", phone_keys()[0])
        add_contact(engine, 70, "+541123456789")
        rows(
            engine,
            "INSERT INTO outbox.message (contact_id, message_id, dormant_since, step, channel,"
            " as_of, phone_hash, encoding, segments, not_before, not_after, status, status_at,"
            " error_code) VALUES (70, gen_random_uuid(), '2026-01-01', 'survey', 'sms',"
            " '2026-02-01', :number, 'GSM-7', 1, '2026-02-02Z', '2026-02-03Z', 'cancelled',"
            " '2026-02-02Z', 'unclear_reply')",
            number=number,
        )
        rows(
            engine,
            "INSERT INTO outbox.receipt (provider, message_id, status, raw_code, suppress,"
            " occurred_at, received_at) VALUES ('infobip', 'x', 'rejected', 'c', 'opted_out',"
            " '2026-02-02Z', '2026-02-02Z')",
        )
        db.migrate(engine)
        assert rows(engine, "SELECT error_code FROM outbox.message") == [("unread_reply",)]
        told = Reply("r", "+5491123456789", "STOP", NOW)
        assert keep(engine, "infobip", told) == {"stop": 1}
        assert statuses(engine) == {70: "unsubscribed"}
        assert rows(engine, "SELECT phone_hash FROM outbox.reply") == [(number,)]
        retailer = Retailer(engine, opened(PLAIN_DAY, tmp_path))
        files = {file.name: file.name for file in PLAIN_DAY.glob("*.csv")}
        _deliver(files, PLAIN_DAY, tmp_path / "data", 0)
        assert retailer.day(FIRST).texted == {"K1": "survey"}
        other = hashes.phone_hash("+5491123456789", phone_keys()[0])
        aliases = {(number, other), (other, number)}
        query = "SELECT phone_hash, alias_hash FROM core.phone_alias"
        assert set(rows(engine, query)) == aliases


def test_a_misspelt_key_of_the_words_is_told_with_those_that_may_be(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("languages:\n  en: {stopp: [stop], alone: [], start: [], polite: []}\n")
    with pytest.raises(ConfigurationError, match=r"allowed are stop, alone, start, polite"):
        replies.Words(file)
