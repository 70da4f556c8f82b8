"""What an answer proves, against a real server on loopback."""

import base64
import hashlib
import json
import logging
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

import patience
from patience import lags
from reengage.errors import ConfigurationError, ProviderError
from reengage.sending.providers import (
    Account,
    AccountRefused,
    Answer,
    BulkRefused,
    Handed,
    LogEntry,
    Outcome,
    Outgoing,
    Provider,
    ProviderUnavailable,
    Reply,
    Told,
    Webhook,
    WebhookRefused,
    account_from_uri_or_json,
    provider_for,
    signatures,
)
from reengage.sending.providers.accounts import account
from reengage.sending.providers.codes import Cause
from reengage.sending.providers.rate import LocalPace
from reengage.sending.providers.requesting import POOL
from reengage.sending.providers.twilio import with_message_id
from reengage.sending.providers.words import Misread
from reengage_local.sandbox import connection

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
PHONES = ["+12025550101", "+12025550102"]
BATCH = [Outgoing(f"m{i}", phone, f"text {i}") for i, phone in enumerate(PHONES)]
PATIENCE = 15.0  # seconds, of a busy machine: nobody waits for so long
KEY = "a-very-secret-key"
KINDS = ["infobip", "twilio", "mailup"]
SINGLES = ["twilio", "mailup"]


class Peer(BaseHTTPRequestHandler):
    """Answers as the test says, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, dict[str, str], Any]]
    answer: Callable[["Peer"], None]

    def handle_any(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body: Any = self.rfile.read(size) if size else None
        if body and "json" in self.headers["content-type"]:
            body = json.loads(body)
        elif body:
            body = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.mine = (self.path, dict(self.headers), body)
        self.asked.append(self.mine)
        type(self).answer(self)

    do_GET = do_POST = handle_any

    def tell(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: Any) -> None: ...

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True  # we reset it


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # several threads connect at once


@pytest.fixture
def peer() -> Iterator[type[Peer]]:
    class Own(Peer):
        asked: list[tuple[str, dict[str, str], Any]] = []  # noqa: RUF012

    server = Server(("127.0.0.1", 0), Own)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Own.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield Own
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def provider(peer: Any) -> Iterator[Provider]:
    provider = provider_for(Account("infobip", peer.url, "", KEY, {"sandbox": True}), PATIENCE)
    yield provider
    provider.close()


def hand_over(provider: Provider, batch: list[Outgoing] = BATCH) -> list[Answer]:
    return provider.send("bulk-1", batch, "LARKFIELD", NOW + timedelta(hours=5), NOW)


def outcomes(provider: Provider) -> list[Outcome]:
    return [answer.outcome for answer in hand_over(provider)]


def taken(message_id: str, group: str = "PENDING", name: str = "PENDING_ACCEPTED") -> Any:
    return {
        "messageId": message_id,
        "status": {"groupName": group, "name": name},
        "details": {"messageCount": 2},
    }


def test_the_request_is_infobips(peer: Any, provider: Provider) -> None:
    peer.answer = lambda self: self.tell(200, {"messages": [taken("m0"), taken("m1")]})
    hand_over(provider)
    ((path, headers, body),) = peer.asked
    assert path == "/sms/3/messages"
    assert headers["Authorization"] == f"App {KEY}"
    assert body["options"]["schedule"]["bulkId"] == "bulk-1"
    assert body["options"]["tracking"] == {"shortenUrl": False}
    assert body["options"]["includeSmsCountInResponse"] is True
    assert body["messages"][0] == {
        "sender": "LARKFIELD",
        "destinations": [{"to": "12025550101", "messageId": "m0"}],
        "content": {"text": "text 0"},
        "options": {"validityPeriod": {"amount": 300, "timeUnit": "MINUTES"}},
    }


def test_a_netrc_line_does_not_replace_the_key(
    peer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    peer.answer = lambda self: self.tell(200, {"messages": []})
    provider = provider_for(Account("infobip", peer.url, "", KEY), PATIENCE)
    provider._session.trust_env = True
    hand_over(provider)
    provider.close()
    assert peer.asked[0][1]["Authorization"] == f"App {KEY}"


def test_validity_is_at_most_48_hours(peer: Any, provider: Provider) -> None:
    peer.answer = lambda self: self.tell(200, {"messages": []})
    provider.send("b", BATCH, "S", NOW + timedelta(days=9), NOW)
    options = peer.asked[0][2]["messages"][0]["options"]
    assert options["validityPeriod"] == {"amount": 2880, "timeUnit": "MINUTES"}


def test_a_message_past_its_time_is_not_sent(peer: Any, provider: Provider) -> None:
    answers = provider.send("b", BATCH, "S", NOW, NOW)
    assert {(a.outcome, a.raw_code) for a in answers} == {(Outcome.REJECTED, "too_late")}
    assert peer.asked == []


def test_an_accepted_message_tells_its_id_and_segments(peer: Any, provider: Provider) -> None:
    peer.answer = lambda self: self.tell(200, {"messages": [taken("m1"), taken("m0")]})
    answer = Answer("m0", Outcome.ACCEPTED, "m0", "PENDING_ACCEPTED", 2)
    assert hand_over(provider)[0] == answer


def test_half_rejected_inside_a_200(peer: Any, provider: Provider) -> None:
    refused = taken("m1", "REJECTED", "REJECTED_DESTINATION")
    peer.answer = lambda self: self.tell(200, {"messages": [taken("m0"), refused]})
    answers = hand_over(provider)
    assert [a.outcome for a in answers] == [Outcome.ACCEPTED, Outcome.REJECTED]
    assert answers[1].raw_code == "REJECTED_DESTINATION"


@pytest.mark.parametrize("other", [[], [taken("m9")], [taken("m1", "NEWLY_INVENTED")]])
def test_a_message_that_the_answer_leaves_out_is_unknown(
    peer: Any, provider: Provider, other: list[Any]
) -> None:
    peer.answer = lambda self: self.tell(200, {"messages": [taken("m0"), *other]})
    assert outcomes(provider) == [Outcome.ACCEPTED, Outcome.UNKNOWN]


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"null", b'{"messages": 3}', b'{"a":1}'])
def test_an_unreadable_answer_is_unknown(peer: Any, provider: Provider, body: bytes) -> None:
    peer.answer = lambda self: self.tell(200, body)
    assert outcomes(provider) == [Outcome.UNKNOWN] * 2


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (429, Outcome.RETRY),
        (408, Outcome.UNKNOWN),
        (500, Outcome.UNKNOWN),
        (502, Outcome.UNKNOWN),
        (503, Outcome.UNKNOWN),
        (504, Outcome.UNKNOWN),
    ],
)
def test_a_status_proves(peer: Any, provider: Provider, status: int, outcome: Outcome) -> None:
    peer.answer = lambda self: self.tell(status, {"errorCode": f"E{status}", "violations": []})
    answers = hand_over(provider)
    assert {(a.outcome, a.raw_code) for a in answers} == {(outcome, f"E{status}")}
    assert len(peer.asked) == 1, "sent again by itself"


def test_the_older_error_body_is_read(peer: Any, provider: Provider) -> None:
    older = {"requestError": {"serviceException": {"messageId": "BAD_REQUEST", "text": "no"}}}
    peer.answer = lambda self: self.tell(429, older)
    assert hand_over(provider)[0].raw_code == "BAD_REQUEST"


@pytest.mark.parametrize("status", [400, 422])
def test_a_request_that_is_refused_as_a_whole_is_of_one_message_at_last(
    peer: Any, provider: Provider, status: int
) -> None:
    peer.answer = lambda self: self.tell(status, {"errorCode": f"E{status}", "violations": []})
    with pytest.raises(BulkRefused, match=f"2 messages as a whole .E{status}"):
        hand_over(provider)
    alone = Answer("m0", Outcome.REJECTED, raw_code=f"E{status}", is_unlisted=True)
    assert hand_over(provider, BATCH[:1]) == [alone]


@pytest.mark.parametrize("status", [402, 404, 405, 413, 415])
def test_what_is_refused_of_every_request_is_the_accounts(
    peer: Any, provider: Provider, status: int
) -> None:
    peer.answer = lambda self: self.tell(status, {"errorCode": f"E{status}"})
    with pytest.raises(AccountRefused, match=f"{status} E{status}.*nothing was sent"):
        hand_over(provider)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_an_error_that_says_what_to_do(
    peer: Any, provider: Provider, status: int
) -> None:
    peer.answer = lambda self: self.tell(status, {"errorCode": f"E{status}"})
    with pytest.raises(ProviderError, match="Put a valid key") as error:
        hand_over(provider)
    assert KEY not in str(error.value)


def test_a_redirect_is_not_followed(peer: Any, provider: Provider) -> None:
    peer.answer = lambda self: self.tell(307, {}, {"location": "/sms/3/messages"})
    with pytest.raises(ProviderError, match="Check the host"):
        hand_over(provider)
    assert len(peer.asked) == 1


def test_a_read_time_out_is_unknown_within_the_time_out(peer: Any) -> None:
    over = threading.Event()
    peer.answer = lambda self: over.wait(300)
    provider = provider_for(Account("infobip", peer.url, "", KEY), 0.5)
    begun = time.monotonic()
    try:
        assert [a.raw_code for a in hand_over(provider)] == ["read_timeout"] * 2
        assert time.monotonic() - begun < 100
        assert [a.outcome for a in hand_over(provider)] == [Outcome.UNKNOWN] * 2
    finally:
        over.set()
        provider.close()


def test_a_reset_after_the_request_is_unknown(peer: Any, provider: Provider) -> None:
    peer.answer = lambda self: self.reset()
    assert outcomes(provider) == [Outcome.UNKNOWN] * 2
    assert len(peer.asked) == 1, "sent again by itself"


def test_an_answer_cut_in_the_middle_is_unknown(peer: Any, provider: Provider) -> None:
    def half(self: Peer) -> None:
        self.tell(200, b'{"messages"', {"content-length": "900"})
        self.close_connection = True

    peer.answer = half
    assert outcomes(provider) == [Outcome.UNKNOWN] * 2


def test_no_connection_and_no_such_host_may_be_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for base_url in (url, "http://nobody.invalid"):
            provider = provider_for(Account("infobip", base_url, "", KEY), 1.0)
            provider._session.trust_env = False
            assert outcomes(provider) == [Outcome.RETRY] * 2
            provider.close()


def test_a_certificate_that_is_not_trusted_is_an_error_of_the_account(
    peer: Any, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), peer)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"https://127.0.0.1:{server.server_port}"
    try:
        with pytest.raises(ProviderError, match=r"certificate of 127\.0\.0\.1 is not trusted"):
            hand_over(provider_for(Account("infobip", url, "", KEY), 2))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert peer.asked == []


def test_a_log_is_read_to_its_end_and_priced_for_the_whole_message(
    peer: Any, provider: Provider
) -> None:
    def page(self: Peer) -> None:
        item = {
            "messageId": "m1" if "cursor=next" in self.path else "m0",
            "sentAt": "2026-03-02T15:00:00.000+0000",
            "doneAt": "2026-03-02T15:00:09.500+0000",
            "messageCount": 3,
            "price": {"pricePerMessage": 0.0079, "currency": "USD"},
            "status": {"groupName": "UNDELIVERABLE", "name": "UNDELIVERABLE_NOT_DELIVERED"},
            "error": {"name": "EC_UNKNOWN_SUBSCRIBER", "permanent": True},
        }
        following = None if "cursor=next" in self.path else "next"
        self.tell(200, {"results": [item], "cursor": {"nextCursor": following}})

    peer.answer = page
    first, second = provider.log("bulk-1")
    assert (first.message_id, second.message_id) == ("m0", "m1")
    assert "bulkId=bulk-1" in peer.asked[1][0] and "limit=1000" in peer.asked[1][0]
    assert (first.status, first.raw_code) == ("undelivered", "EC_UNKNOWN_SUBSCRIBER")
    assert first.suppress == "hard_bounce"
    assert first.price == Decimal("0.0237")
    assert first.occurred_at == datetime(2026, 3, 2, 15, 0, 9, 500000, tzinfo=UTC)


def test_a_log_is_asked_by_the_messages_ids_for_what_it_does_not_show_by_their_bulk(
    peer: Any, provider: Provider
) -> None:
    def page(self: Peer) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query))
        ids = asked.get("messageId", "m0").split(",")
        items = [{**REPORT, "messageId": name} for name in ids if name != "m99"]
        # A cursor that leads nowhere on.
        self.tell(200, {"results": items, "cursor": {"nextCursor": "again"}})

    peer.answer = page
    found = provider.log("bulk", [handed(f"m{i}") for i in range(100)])
    assert {entry.message_id for entry in found} == {f"m{i}" for i in range(99)}
    assert all(len(urlsplit(path).query) <= 2048 for path, _, _ in peer.asked)
    assert len(peer.asked) == 2 + 2 * 2


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        # The operator's system has it: it is not delivered yet.
        (("DELIVERED", "DELIVERED_TO_OPERATOR"), "NO_ERROR", ("accepted", None)),
        (("DELIVERED", "DELIVERED_TO_HANDSET"), "NO_ERROR", ("delivered", None)),
        # A refusal keeps its real code.
        (("REJECTED", "REJECTED_NETWORK"), "NO_ERROR", ("rejected", "REJECTED_NETWORK")),
        (("REJECTED", "REJECTED_DND"), None, ("rejected", "REJECTED_DND")),
        (("UNDELIVERABLE", "UNDELIVERABLE_NOT_DELIVERED"), "EC_X", ("undelivered", "EC_X")),
    ],
)
def test_infobips_words_become_ours(
    provider: Provider, status: tuple[str, str], error: str | None, told: tuple[str, str | None]
) -> None:
    report = {**REPORT, "status": dict(zip(("groupName", "name"), status, strict=True))}
    report["error"] = error and {"name": error, "permanent": True}
    body = json.dumps({"results": [report]}).encode()
    (entry,) = provider.hear(Webhook("", {}, body, is_known=True), NOW).receipts
    assert (entry.status, entry.raw_code if told[1] else None) == told
    assert entry.is_unlisted == (error == "EC_X")
    assert (entry.suppress == "opted_out") == (status[1] == "REJECTED_DND")


def test_infobips_older_receipts_are_priced_by_their_count(provider: Provider) -> None:
    older = {name: value for name, value in REPORT.items() if name != "messageCount"}
    body = json.dumps({"results": [{**older, "smsCount": 2}]}).encode()
    (entry,) = provider.hear(Webhook("", {}, body, is_known=True), NOW).receipts
    assert (entry.segments, entry.price) == (2, Decimal("0.0158"))


def test_what_a_country_asks_for_comes_from_the_connection(peer: Any, single: Any) -> None:
    peer.answer = lambda self: self.tell(200, {"messages": []})
    provider = single(
        "infobip",
        india_dlt_entity_id="11",
        india_dlt_template_id="survey=21, contest=22",
        turkey_iys_recipient_type="BIREYSEL",
        turkey_iys_brand_code=7,
        korea_title="Sale",
    )
    numbers = ["+919812345678", "+905301234567", "+821012345678", "+12025550101"]
    hand_over(provider, [Outgoing(f"m{i}", n, "t", "contest") for i, n in enumerate(numbers)])
    assert [m["options"].get("regional") for m in peer.asked[0][2]["messages"]] == [
        {"indiaDlt": {"principalEntityId": "11", "contentTemplateId": "22"}},
        {"turkeyIys": {"recipientType": "BIREYSEL", "brandCode": 7}},
        {"southKorea": {"title": "Sale"}},
        None,
    ]
    for extra in ({"turkey_iys_brand_code": "7"}, {"korea_reseller_code": "x"}):
        with pytest.raises(ConfigurationError, match=r"turkey_iys_recipient_type|whole number"):
            single("infobip", **extra)


@pytest.mark.parametrize(
    "answer",
    [
        lambda self: self.tell(503, {}),
        lambda self: self.tell(429, {}),
        lambda self: self.tell(200, b"<html>"),
        lambda self: self.tell(200, {}),
        lambda self: self.tell(200, {"results": [{"messageId": "m0", "status": {}}]}),
        lambda self: self.reset(),
    ],
)
def test_a_log_that_cannot_be_read_is_an_error_and_never_empty(
    peer: Any, provider: Provider, answer: Any
) -> None:
    peer.answer = answer
    with pytest.raises(ProviderUnavailable):
        provider.log("bulk-1")


def test_a_reply_has_its_senders_number_in_full(peer: Any, provider: Provider) -> None:
    item = {
        "messageId": "r1",
        "from": "12025550101",
        "to": "447000",
        "text": "STOP",
        "receivedAt": "2026-03-02T16:00:00.000+0000",
    }
    pages = iter([{"results": [item], "messageCount": 1}])
    peer.answer = lambda self: self.tell(200, next(pages, {"results": [], "messageCount": 0}))
    (told,) = provider.reply_pages("+12025550100")
    (reply,) = told.replies
    assert (reply.reply_id, reply.sender, reply.text) == ("r1", "+12025550101", "STOP")


def test_no_number_text_or_key_in_logs_errors_or_reprs(
    peer: Any, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    for answer in (
        lambda self: self.tell(200, {"messages": [taken("m0")]}),
        lambda self: self.tell(200, {"messages": 1}),
        lambda self: self.tell(401, {}),
        lambda self: self.reset(),
    ):
        peer.answer = answer
        try:
            said.append(repr(hand_over(provider)))
        except ProviderError as error:
            said.append(repr(error))
    said += [repr(BATCH), repr(provider.account), *(r.getMessage() for r in caplog.records)]
    assert any("infobip POST /sms/3/messages: 200 in" in line for line in said)
    for line in said:
        for private in (*PHONES, *(p.lstrip("+") for p in PHONES), KEY, "text 0"):
            assert private not in line


@pytest.mark.parametrize(
    ("url", "extra", "is_sandbox"),
    [
        ("http://127.0.0.1:1", {"sandbox": True}, True),
        ("http://localhost:1", {"sandbox": "true"}, True),
        ("http://[::1]:1", {"sandbox": True}, True),
        ("http://127.0.0.1:1", {}, False),
        ("http://127.0.0.1:1", {"sandbox": False}, False),
        ("https://x.api.infobip.com", {"sandbox": True}, False),
        ("https://127.0.0.1.example.com", {"sandbox": True}, False),
    ],
)
def test_a_sandbox_is_local_and_says_so(url: str, extra: Any, is_sandbox: bool) -> None:
    assert provider_for(Account("infobip", url, "", "", extra), 1).is_sandbox is is_sandbox


FORMS = [
    (
        '{"conn_type": "infobip", "host": "x.api.infobip.com", "password": "k/ey"}',
        "https://x.api.infobip.com",
    ),
    (
        '{"conn_type": "infobip", "host": "http://127.0.0.1", "port": 81, "password": "k/ey",'
        ' "extra": "{\\"sandbox\\": true}"}',
        "http://127.0.0.1:81",
    ),
    (
        '{"conn_type": "infobip", "host": "127.0.0.1", "port": 81, "password": "k/ey",'
        ' "extra": {"sandbox": true}}',
        "http://127.0.0.1:81",
    ),
    ("infobip://:k%2Fey@x.api.infobip.com", "https://x.api.infobip.com"),
    ("infobip://:k%2Fey@127.0.0.1:81/?sandbox=true", "http://127.0.0.1:81"),
    (
        "infobip://:k%2Fey@127.0.0.1:81/?__extra__=%7B%22sandbox%22%3A+true%7D",
        "http://127.0.0.1:81",
    ),
    ("infobip://:k%2Fey@http%3A%2F%2F127.0.0.1%3A81/", "http://127.0.0.1:81"),
    ("infobip://http://:k%2Fey@127.0.0.1:81/", "http://127.0.0.1:81"),
]


@pytest.mark.parametrize(("value", "base_url"), FORMS)
def test_a_connection_is_read_in_both_of_airflows_forms(value: str, base_url: str) -> None:
    account = account_from_uri_or_json(value)
    assert (account.provider, account.password) == ("infobip", "k/ey")
    assert account.base_url == base_url


@pytest.mark.parametrize("value", ["sesame-key", "{sesame-key", "infobip://:sesame-key@h:port/"])
def test_a_connection_that_cannot_be_read_is_not_quoted(value: str) -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_REENGAGE_SMS") as error:
        account_from_uri_or_json(value)
    assert "sesame" not in str(error.value) and error.value.__cause__ is None


def test_a_provider_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match="'carrier_pigeon'; known are: infobip"):
        provider_for(Account("carrier_pigeon", "https://x", "", ""), 1)


def test_too_many_messages_are_a_mistake_of_the_caller(provider: Provider) -> None:
    with pytest.raises(ValueError, match="1001 messages"):
        hand_over(provider, [Outgoing(str(i), PHONES[0], "t") for i in range(1001)])


# --- one recipient a request ----------------------------------------------------------------------


@pytest.fixture
def single(peer: Any) -> Iterator[Callable[..., Provider]]:
    """Makes a provider of a kind that asks the peer; quick, unless the extra says otherwise."""
    made = []

    def make(kind: str, timeout_seconds: float = PATIENCE, **extra: Any) -> Provider:
        given = connection(kind, peer.url, KEY)
        given["extra"] |= {"rate_per_second": 10_000, **extra}
        made.append(provider_for(account(**given), timeout_seconds))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


def crowd(count: int) -> list[Outgoing]:
    return [Outgoing(f"m{i:03}", f"+1202555{i:04}", f"text {i}") for i in range(count)]


TAKEN = {
    "twilio": (201, {"sid": "SM1", "status": "queued", "num_segments": "2", "price": None}),
    "mailup": (200, {"Data": {"DeliveryId": 1648, "Cost": 1.5}, "Code": "0", "State": "DONE"}),
}


def take(kind: str) -> Callable[[Peer], None]:
    return lambda self: self.tell(*TAKEN[kind])


def test_the_request_is_twilios(peer: Any, single: Any) -> None:
    peer.answer = take("twilio")
    provider = single("twilio", status_callback="https://x.example/hear?a=b")
    hand_over(provider, BATCH[:1])
    ((path, headers, form),) = peer.asked
    assert path == f"/2010-04-01/Accounts/{provider.account.login}/Messages.json"
    assert headers["Authorization"].startswith("Basic ")
    assert form == {
        "To": "+12025550101",
        "From": "LARKFIELD",
        "Body": "text 0",
        "ValidityPeriod": "18000",
        "SmartEncoded": "false",
        "StatusCallback": "https://x.example/hear?a=b&message_id=m0#rc=5&rp=all",
    }


def test_a_messaging_service_replaces_the_sender_and_no_callback_is_made_up(
    peer: Any, single: Any
) -> None:
    peer.answer = take("twilio")
    provider = single("twilio", messaging_service_sid="MG1", status_callback=None)
    provider.send("b", BATCH[:1], "S", NOW + timedelta(days=9), NOW)
    form = peer.asked[0][2]
    assert form["MessagingServiceSid"] == "MG1" and not form.keys() & {"From", "StatusCallback"}
    assert form["ValidityPeriod"] == "36000"


@pytest.mark.parametrize(("text", "is_unicode"), [("perché no? €", 0), ("garçon", 1)])
def test_the_request_is_mailups(peer: Any, single: Any, text: str, is_unicode: int) -> None:
    peer.answer = take("mailup")
    provider = single("mailup", account_id=5, list_id=6, list_guid="g", list_secret="s")
    provider.send(
        "bulk-1", [Outgoing("m", PHONES[0], text)], "+12125550100", NOW + timedelta(1), NOW
    )
    ((path, headers, body),) = peer.asked
    assert path == "/api/v2.0/sms/5/6" and "Authorization" not in headers
    assert body == {
        "Content": text,
        "ListGuid": "g",
        "ListSecret": "s",
        "Recipient": "+12025550101",
        "CampaignCode": "bulk-1",
        "DynamicFields": [],
        "isUnicode": is_unicode,
        "Sender": "12125550100",
    }


def test_what_an_accepted_message_tells(peer: Any, single: Any) -> None:
    peer.answer = take("twilio")
    assert hand_over(single("twilio"), BATCH[:1]) == [
        Answer("m0", Outcome.ACCEPTED, "SM1", "queued", 2)
    ]
    peer.answer = take("mailup")
    told = hand_over(single("mailup"), BATCH[:1])
    assert told == [Answer("m0", Outcome.ACCEPTED, "1648", "0", 1, Decimal("1.5"), "credits")]
    priced = single("mailup", credit_price="0.06", credit_currency="EUR")
    (told_in_money,) = hand_over(priced, BATCH[:1])
    assert (told_in_money.price, told_in_money.currency) == (Decimal("0.090"), "EUR")


def fault(code: int, **more: Any) -> dict[str, Any]:
    return {"code": code, "message": "no", "status": 400, **more}


def coded(code: int, data: Any = None) -> dict[str, Any]:
    return {"Data": data, "Code": str(code), "Description": "no", "State": "FAILED"}


@pytest.mark.parametrize(
    ("kind", "status", "body", "outcome", "suppress"),
    [
        ("twilio", 400, fault(21211), Outcome.REJECTED, "hard_bounce"),
        ("twilio", 400, fault(21614), Outcome.REJECTED, "hard_bounce"),
        ("twilio", 400, fault(21610), Outcome.REJECTED, "opted_out"),
        ("twilio", 403, fault(21610), Outcome.REJECTED, "opted_out"),
        ("twilio", 400, fault(21612), Outcome.REJECTED, None),
        ("twilio", 429, fault(20429), Outcome.RETRY, None),
        ("twilio", 429, {}, Outcome.RETRY, None),
        ("twilio", 500, fault(20500), Outcome.UNKNOWN, None),
        ("twilio", 503, b"<html>", Outcome.UNKNOWN, None),
        ("twilio", 201, b"", Outcome.UNKNOWN, None),
        ("twilio", 201, [], Outcome.UNKNOWN, None),
        ("twilio", 201, {"sid": "SM1", "status": "newly_invented"}, Outcome.UNKNOWN, None),
        ("twilio", 201, {"status": "queued"}, Outcome.UNKNOWN, None),
        (
            *("twilio", 201, {"sid": "SM1", "status": "failed", "error_code": 21610}),
            *(Outcome.REJECTED, "opted_out"),
        ),
        ("mailup", 500, coded(301, {"DeliveryId": 0, "Cost": 1.0}), Outcome.ACCEPTED, None),
        ("mailup", 500, coded(300), Outcome.UNKNOWN, None),
        ("mailup", 500, coded(302), Outcome.UNKNOWN, None),
        ("mailup", 502, b"<html>", Outcome.UNKNOWN, None),
        ("mailup", 200, b"", Outcome.UNKNOWN, None),
        ("mailup", 200, [], Outcome.UNKNOWN, None),
        ("mailup", 200, coded(999), Outcome.UNKNOWN, None),
        ("mailup", 403, coded(206), Outcome.REJECTED, "opted_out"),
        ("mailup", 200, coded(206), Outcome.REJECTED, "opted_out"),
        ("mailup", 400, coded(106), Outcome.REJECTED, "hard_bounce"),
        ("mailup", 400, coded(107), Outcome.REJECTED, None),
        ("mailup", 403, coded(204), Outcome.REJECTED, None),
        ("mailup", 429, {}, Outcome.RETRY, None),
    ],
)
def test_an_answer_proves(
    peer: Any, single: Any, kind: str, status: int, body: Any, outcome: Outcome, suppress: Any
) -> None:
    peer.answer = lambda self: self.tell(status, body)
    (answer,) = hand_over(single(kind), BATCH[:1])
    assert (answer.outcome, answer.suppress) == (outcome, suppress)
    assert len(peer.asked) == 1, "sent again by itself"


def test_a_message_that_mailup_sent_without_counting_it_has_no_id(peer: Any, single: Any) -> None:
    peer.answer = lambda self: self.tell(500, coded(301, {"DeliveryId": 0, "Cost": 1.0}))
    (answer,) = hand_over(single("mailup"), BATCH[:1])
    assert (answer.provider_message_id, answer.raw_code, answer.price) == (None, "301", 1)


@pytest.mark.parametrize("kind", ["infobip", "twilio"])
def test_a_receipt_suppresses_only_what_its_list_says_of_the_number(single: Any, kind: str) -> None:
    provider = single(kind)
    said = {Cause.NUMBER: "hard_bounce", Cause.STOP: "opted_out", None: None}
    listed = [(code, cause) for cause in Cause for code in provider.codes.of(cause)]
    for code, cause in [*listed, ("99999", None)]:
        report = {**REPORT, "error": {"name": code, "permanent": True}}
        report["status"] = {"groupName": "REJECTED", "name": "UNDELIVERABLE_NOT_DELIVERED"}
        form = urlencode({"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": code})
        body = json.dumps({"results": [report]}) if kind == "infobip" else form
        webhook = Webhook(CALLBACK, {}, body.encode(), is_known=True)
        (receipt,) = provider.hear(webhook, NOW).receipts
        assert (receipt.raw_code, receipt.suppress) == (code, said.get(cause)), code
        assert receipt.is_unlisted == (cause is None)
        assert receipt.may_go_again == (
            cause in (Cause.ACCOUNT, Cause.MOMENT, Cause.DOUBT) and code != "30036"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_every_code_of_the_accounts_list_stops_the_run_and_is_told(
    peer: Any, single: Any, kind: str
) -> None:
    provider = single(kind)
    for code, words in provider.codes.of(Cause.ACCOUNT).items():
        bodies = {
            "infobip": (200, {"messages": [taken(m.message_id, "REJECTED", code) for m in BATCH]}),
            "twilio": (400, {"code": int(code) if kind == "twilio" else 0}),
            "mailup": (403, {"Code": code}),
        }
        peer.answer = lambda self, body=bodies[kind]: self.tell(*body)
        with pytest.raises(AccountRefused) as told:
            hand_over(provider)
        assert f"({code}): {words}" in str(told.value)
        outcomes = {(a.outcome, a.suppress) for a in told.value.answers}
        assert outcomes == {(Outcome.RETRY, None)}


@pytest.mark.parametrize("kind", SINGLES)
def test_one_answer_says_nothing_of_the_others(peer: Any, single: Any, kind: str) -> None:
    def judge(self: Peer) -> None:
        body = self.asked[-1][2]
        number = int((body.get("To") or body["Recipient"])[-4:])
        if number % 3 == 0:
            self.tell(*TAKEN[kind])
        elif number % 3 == 1:
            self.tell(400, fault(21614) if kind == "twilio" else coded(106))
        else:
            self.reset()

    peer.answer = in_turn(judge)
    answers = hand_over(single(kind), crowd(60))
    expected = [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN] * 20
    assert [answer.outcome for answer in answers] == expected
    assert [answer.message_id for answer in answers] == [m.message_id for m in crowd(60)]


def in_turn(answer: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """An answer that reads what was asked last, by a peer that is asked by several at once."""

    def own(self: Peer) -> None:
        alone = type("Alone", (), {"asked": [self.mine], "tell": self.tell, "reset": self.reset})
        answer(alone)  # type: ignore[arg-type]

    return own


@pytest.mark.parametrize(
    ("kind", "status", "body", "said"),
    [
        ("twilio", 401, fault(20003), r"20003.*key is refused"),
        ("twilio", 401, fault(29999), r"refuses the key .*401 29999"),
        ("twilio", 403, fault(20005), r"20005.*not active.* credit"),
        ("twilio", 400, fault(21606), r"21606.*brand\.sender"),
        ("mailup", 403, coded(205), r"205.*no credit left; top up"),
        ("mailup", 403, coded(207), r"207.*brand\.sender"),
        ("mailup", 403, coded(250), r"250"),
        ("mailup", 400, coded(103), r"103.*secret"),
    ],
)
def test_an_account_that_is_refused_stops_at_once_and_burns_no_message(
    peer: Any, single: Any, kind: str, status: int, body: Any, said: str
) -> None:
    peer.answer = lambda self: self.tell(status, body)
    with pytest.raises(AccountRefused, match=said) as told:
        hand_over(single(kind), crowd(200))
    assert len(peer.asked) <= POOL
    assert [a.message_id for a in told.value.answers] == [m.message_id for m in crowd(200)]
    assert {a.outcome for a in told.value.answers} == {Outcome.RETRY}
    assert KEY not in str(told.value)


@pytest.mark.parametrize("kind", SINGLES)
def test_what_was_sent_before_the_credit_ran_out_is_known(
    peer: Any, single: Any, kind: str
) -> None:
    lock, left = threading.Lock(), [30]

    def spend(self: Peer) -> None:
        with lock:
            left[0] -= 1
            has_credit = left[0] >= 0
        if has_credit:
            self.tell(*TAKEN[kind])
        else:
            self.tell(403, fault(20005) if kind == "twilio" else coded(205))

    peer.answer = spend
    with pytest.raises(AccountRefused) as told:
        hand_over(single(kind), crowd(100))
    outcomes = [answer.outcome for answer in told.value.answers]
    assert (outcomes.count(Outcome.ACCEPTED), outcomes.count(Outcome.RETRY)) == (30, 70)


def test_infobips_credit_that_runs_out_inside_a_200_stops_and_burns_no_message(
    peer: Any, provider: Provider
) -> None:
    refused = taken("m1", "REJECTED", "REJECTED_NOT_ENOUGH_CREDITS")
    peer.answer = lambda self: self.tell(200, {"messages": [taken("m0"), refused]})
    with pytest.raises(AccountRefused, match="no credit is left; top up") as told:
        hand_over(provider)
    assert [a.outcome for a in told.value.answers] == [Outcome.ACCEPTED, Outcome.RETRY]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("REJECTED_SOURCE", r"brand\.sender"),
        ("REJECTED_SENDER", r"brand\.sender"),
        ("REJECTED_ROUTE_NOT_AVAILABLE", "set this account up"),
        ("REJECTED_PREPAID_PACKAGE_EXPIRED", "no credit"),
    ],
)
def test_what_infobip_would_refuse_of_everybody_stops(
    peer: Any, provider: Provider, code: str, said: str
) -> None:
    messages = [taken(m.message_id, "REJECTED", code) for m in BATCH]
    peer.answer = lambda self: self.tell(200, {"messages": messages})
    with pytest.raises(AccountRefused, match=said) as told:
        hand_over(provider)
    assert [a.outcome for a in told.value.answers] == [Outcome.RETRY] * 2


@pytest.mark.parametrize("kind", SINGLES)
def test_a_slow_answer_to_one_recipient_is_unknown(peer: Any, single: Any, kind: str) -> None:
    given_up = threading.Event()
    peer.answer = lambda self: given_up.wait(patience.SECONDS)
    (answer,) = hand_over(single(kind, 0.2), BATCH[:1])
    given_up.set()
    assert (answer.outcome, answer.raw_code) == (Outcome.UNKNOWN, "read_timeout")


@pytest.mark.parametrize("kind", SINGLES)
def test_where_nobody_answers_the_rest_of_a_batch_is_not_tried(single: Any, kind: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        provider = provider_for(account(**connection(kind, url, KEY)), 5)
        codes = [answer.raw_code for answer in hand_over(provider, crowd(200))]
        provider.close()
    assert set(codes) == {"no_connection", "held_back"}
    assert codes.count("no_connection") <= POOL


@pytest.mark.parametrize("kind", SINGLES)
def test_nothing_begins_after_a_batchs_time_is_over(peer: Any, single: Any, kind: str) -> None:
    begun: list[float] = []

    def slow(self: Peer) -> None:
        begun.append(time.monotonic())
        time.sleep(0.25)
        self.tell(*TAKEN[kind])

    peer.answer = slow
    provider = single(kind, 0.6)
    start = time.monotonic()
    with lags() as late:
        answers = hand_over(provider, crowd(300))  # which would take nearly five seconds
    assert provider.spread_seconds == 0.6
    assert max(begun) - start < 3 + sum(late)
    held = [answer for answer in answers if answer.raw_code == "held_back"]
    assert held and {answer.outcome for answer in held} == {Outcome.RETRY}
    assert len(begun) + len(held) == 300


@pytest.mark.parametrize("kind", SINGLES)
def test_a_rate_holds_over_all_threads(peer: Any, single: Any, kind: str) -> None:
    begun: list[float] = []

    def note(self: Peer) -> None:
        begun.append(time.monotonic())
        self.tell(*TAKEN[kind])

    peer.answer = note
    with lags() as late:
        hand_over(single(kind, PATIENCE, rate_per_second="40"), crowd(41))
    assert len(begun) == 41
    assert 0.95 - max(late) < max(begun) - min(begun) < 2 + 2 * sum(late)
    most = 20 + 4 + 40 * 2 * max(late)  # and some jitter
    for moment in begun:
        assert sum(moment <= other < moment + 0.5 for other in begun) <= most


def test_a_pace_lets_nothing_begin_while_it_is_held() -> None:
    pace = LocalPace(1000)
    begun = time.monotonic()
    pace.hold(0.3)
    assert not pace.wait(1, begun + 0.2)
    assert pace.wait(1, begun + 1)
    assert time.monotonic() - begun >= 0.3


class Noted:
    """A pace that holds nobody up, and writes down what it was asked."""

    def __init__(self, has_turns: bool = True) -> None:
        self.turns: list[int] = []
        self.holds: list[float] = []
        self.has_turns = has_turns

    def wait(self, turns: int, until: float) -> bool:
        self.turns.append(turns)
        return self.has_turns

    def hold(self, seconds: float) -> None:
        self.holds.append(seconds)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "headers", "held"),
    [
        (429, {}, 1.0),
        (429, {"Retry-After": "7"}, 7.0),
        (429, {"Retry-After": "0"}, 1.0),
        (429, {"Retry-After": "86400"}, 60.0),
        (503, {"Retry-After": "Mon, 02 Mar 2026 15:00:09 GMT"}, 1.0),
        (502, {}, 1.0),
        (500, {}, None),
        (200, {}, None),
    ],
)
def test_too_fast_and_unavailable_hold_everybody_back(
    peer: Any, single: Any, kind: str, status: int, headers: dict[str, str], held: float | None
) -> None:
    peer.answer = lambda self: self.tell(status, {}, headers)
    provider = single(kind)
    provider.pace = pace = Noted()
    hand_over(provider, BATCH[:1])
    assert pace.holds == ([held] if held else [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_provider_that_is_away_holds_everybody_back(single: Any, kind: str) -> None:
    provider = provider_for(account(**connection(kind, "http://127.0.0.1:9", KEY)), 1)
    provider.pace = pace = Noted()
    assert {a.outcome for a in hand_over(provider)} == {Outcome.RETRY}
    assert pace.holds and set(pace.holds) == {2.0}
    provider.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_gets_no_turn_is_not_sent_and_may_be_tried_again(
    peer: Any, single: Any, kind: str
) -> None:
    provider = single(kind)
    provider.pace = pace = Noted(has_turns=False)
    answers = hand_over(provider)
    assert {(a.outcome, a.raw_code) for a in answers} == {(Outcome.RETRY, "held_back")}
    assert peer.asked == []
    assert pace.turns == ([2] if kind == "infobip" else [1, 1]), "a turn for each message"


def test_a_log_is_read_without_a_turn(peer: Any, single: Any) -> None:
    provider = single("infobip")
    provider.pace = pace = Noted(has_turns=False)
    peer.answer = lambda self: self.tell(429, {}, {"Retry-After": "30"})
    with pytest.raises(ProviderUnavailable):
        provider.log("bulk-1")
    assert (pace.turns, pace.holds) == ([], [])


@pytest.mark.parametrize("rate", ["fast", "-1", -3])
def test_a_rate_that_is_none_is_a_mistake_of_the_connection(single: Any, rate: Any) -> None:
    with pytest.raises(ConfigurationError, match="rate_per_second"):
        single("twilio", rate_per_second=rate)


def test_a_connection_says_what_it_lacks(peer: Any, single: Any) -> None:
    with pytest.raises(ConfigurationError, match="lacks list_guid, client_secret"):
        single("mailup", list_guid="", client_secret=None)
    with pytest.raises(ConfigurationError, match="Account SID"):
        provider_for(Account("twilio", peer.url, "", KEY), 1)
    with pytest.raises(ConfigurationError, match="both, or neither"):
        single("mailup", credit_price="0.06")


@pytest.mark.parametrize(
    ("kind", "text", "fits"),
    [
        ("twilio", "a" * 1600, True),
        ("twilio", "a" * 1601, False),
        ("mailup", "a" * 459, True),
        ("mailup", "a" * 460, False),
        ("mailup", "ç" * 201, True),
        ("mailup", "ç" * 202, False),
    ],
)
def test_a_text_that_would_be_refused_or_cut_is_not_sent(
    peer: Any, single: Any, kind: str, text: str, fits: bool
) -> None:
    peer.answer = take(kind)
    (answer,) = hand_over(single(kind), [Outgoing("m", PHONES[0], text)])
    assert (answer.outcome is Outcome.ACCEPTED) == fits == bool(peer.asked)
    assert fits or answer.raw_code == "text_too_long"


def test_a_number_is_in_a_bulk_of_mailups_only_once(peer: Any, single: Any) -> None:
    peer.answer = take("mailup")
    batch = [Outgoing(name, PHONES[name == "z"], "t") for name in ("b", "a", "z")]
    codes = [(a.message_id, a.raw_code) for a in hand_over(single("mailup"), batch)]
    assert codes == [("b", "same_number"), ("a", "0"), ("z", "0")]
    assert len(peer.asked) == 2


# --- their logs -----------------------------------------------------------------------------------


def handed(
    message_id: str, sid: str | None = None, text: str = "Hi https://l.example/abc"
) -> Handed:
    return Handed(message_id, PHONES[0], text, sid, NOW)


def resource(**values: Any) -> dict[str, Any]:
    return {
        "sid": "SM1",
        "direction": "outbound-api",
        "body": "Hi https://l.example/abc",
        "status": "delivered",
        "error_code": None,
        "num_segments": "2",
        "price": "-0.01580",
        "price_unit": "usd",
        "date_created": "Mon, 02 Mar 2026 15:00:01 +0000",
        "date_sent": "Mon, 02 Mar 2026 15:00:02 +0000",
        "date_updated": "Mon, 02 Mar 2026 15:00:09 +0000",
        **values,
    }


def test_twilios_log_is_searched_by_number_and_text(peer: Any, single: Any) -> None:
    def pages(self: Peer) -> None:
        if "Page=1" in self.path:
            self.tell(200, {"messages": [resource()], "next_page_uri": None})
        else:
            others = [
                resource(body="Hi https://l.example/other"),
                resource(direction="inbound"),
                resource(date_created="Tue, 03 Feb 2026 15:00:01 +0000"),
            ]
            path = urlsplit(self.path).path
            following = f"{path}?To=%2B12025550101&PageSize=1000&Page=1&PageToken=x"
            self.tell(200, {"messages": others, "next_page_uri": following})

    peer.answer = pages
    assert single("twilio").log("bulk", [handed("m0")]) == [
        LogEntry(
            "m0",
            "delivered",
            "delivered",
            None,
            2,
            Decimal("0.01580"),
            "USD",
            datetime(2026, 3, 2, 15, 0, 9, tzinfo=UTC),
        )
    ]
    assert len(peer.asked) == 2 and "To=%2B12025550101" in peer.asked[0][0]


def test_a_list_of_twilios_whose_next_page_repeats_ends(peer: Any, single: Any) -> None:
    inbound = resource(sid="SM7", direction="inbound", body="STOP", **{"from": PHONES[0]})

    def page(self: Peer) -> None:
        items = [resource(), inbound] if "2101" in self.path else [inbound]
        self.tell(200, {"messages": items, "next_page_uri": self.path})

    peer.answer = page
    assert [told.replies[0].reply_id for told in single("twilio").reply_pages("+12125550100")]
    # What is in it is there; what is not may be on a page that was not seen.
    (entry,) = single("twilio").log("bulk", [replace(handed("m0"), to="+12025552101")])
    assert entry.status == "delivered"
    with pytest.raises(ProviderUnavailable):
        single("twilio").log("bulk", [handed("m0")])


@pytest.mark.parametrize("shown", ["the same", "in turn", "nothing"])
def test_a_list_of_mailups_that_does_not_go_on_to_its_end_ends(
    peer: Any, single: Any, shown: str
) -> None:
    pages = [[line("12025550101")], [line("12025550102")]]

    def answer(self: Peer) -> None:
        if "/ReportDetails" not in self.path:
            report()(self)
            return
        number = int(dict(parse_qsl(urlsplit(self.path).query))["pageNumber"])
        items = {
            "the same": pages[0],
            "in turn": pages[number % 2],
            "nothing": pages[0] if number == 0 else [],
        }[shown]
        self.tell(200, {"Items": items, "TotalElementsCount": 1000})

    peer.answer = answer
    there = handed("m0")
    with pytest.raises(Misread) as told:
        single("mailup").log("bulk", [there, replace(handed("m1"), to="+12025550199")])
    # What is in it is there; of what is not nothing is known.
    assert [entry.message_id for entry in told.value.entries] == ["m0"]
    assert len(peer.asked) < 7


def test_a_list_of_mailups_is_read_to_the_end_that_it_tells(peer: Any, single: Any) -> None:
    """Also where its pages are shorter than asked for, and where it shows its last page again to
    whoever asks for more.
    """

    def answer(self: Peer) -> None:
        if "/ReportDetails" not in self.path:
            report()(self)
            return
        number = int(dict(parse_qsl(urlsplit(self.path).query))["pageNumber"])
        item = line("12025550101") if number == 0 else line("12025550102")
        self.tell(200, {"Items": [item], "TotalElementsCount": 2})

    peer.answer = answer
    both = [handed("m0"), replace(handed("m1"), to="+12025550102")]
    found = single("mailup").log("bulk", both)
    assert [entry.message_id for entry in found] == ["m0", "m1"]


def test_twilios_log_is_read_by_the_id_where_it_is_known(peer: Any, single: Any) -> None:
    late = {"status": "sent", "price": None, "num_segments": "0"}
    peer.answer = lambda self: self.tell(200, resource(**late))
    (entry,) = single("twilio").log("bulk", [handed("m0", "SM9")])
    assert (entry.status, entry.price, entry.currency, entry.segments) == (
        *("accepted", None, None, None),
    )
    assert peer.asked[0][0].endswith("/Messages/SM9.json")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("queued", None, ("accepted", "queued", None)),
        ("undelivered", 30005, ("undelivered", "30005", "hard_bounce")),
        ("undelivered", 30003, ("undelivered", "30003", None)),
        ("undelivered", 30007, ("undelivered", "30007", None)),
        ("failed", 30006, ("rejected", "30006", "hard_bounce")),
        ("failed", 21610, ("rejected", "21610", "opted_out")),
        ("failed", 30036, ("expired", "30036", None)),
        ("partially_delivered", None, ("undelivered", "partially_delivered", None)),
    ],
)
def test_twilios_words_become_ours(
    peer: Any, single: Any, status: str, code: int | None, expected: tuple[str, str, str | None]
) -> None:
    peer.answer = lambda self: self.tell(200, resource(status=status, error_code=code))
    (entry,) = single("twilio").log("bulk", [handed("m0", "SM9")])
    assert (entry.status, entry.raw_code, entry.suppress) == expected


def report(*items: Any, campaigns: Any = ({"Subject": "bulk", "idMessage": 42},)) -> Any:
    def answer(self: Peer) -> None:
        if self.path.endswith("/Token"):
            self.tell(200, {"access_token": "t", "expires_in": 900})
        elif "/Messages" in self.path:
            self.tell(200, {"Items": list(campaigns)})
        else:
            self.tell(200, {"Items": list(items)})

    return answer


def line(receiver: str, status: int = 0, code: str = "") -> dict[str, Any]:
    at = "2026-03-02 15:00:09Z"
    return {"Receiver": receiver, "Status": status, "ErrorCode": code, "SentDate": at}


def test_mailups_report_is_that_of_the_bulk_and_is_searched_by_number(
    peer: Any, single: Any
) -> None:
    peer.answer = report(line("12025550101", 2, "EXPIRED_AT_002"), line("19995550000"))
    found = single("mailup").log("bulk", [handed("b"), handed("a")])
    at = datetime(2026, 3, 2, 15, 0, 9, tzinfo=UTC)
    assert found == [LogEntry("a", "expired", "EXPIRED_AT_002", None, None, None, None, at)]
    token, campaigns, details = peer.asked
    assert token[2]["grant_type"] == "password"
    assert "filterby=%22Subject%3D%3D%27bulk%27%22" in campaigns[0]
    assert campaigns[1]["Authorization"] == details[1]["Authorization"] == "Bearer t"
    assert "/Sms/42/Sendings/ReportDetails" in details[0]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (0, "", ("delivered", "0")),
        (1, "", ("accepted", "1")),
        (2, "UNDELIV_AT_001", ("undelivered", "UNDELIV_AT_001")),
    ],
)
def test_mailups_words_become_ours(
    peer: Any, single: Any, status: int, code: str, expected: tuple[str, str]
) -> None:
    peer.answer = report(line("12025550101", status, code))
    (entry,) = single("mailup").log("bulk", [handed("a")])
    assert (entry.status, entry.raw_code) == expected


def test_a_bulk_that_mailup_does_not_know_was_not_sent(peer: Any, single: Any) -> None:
    peer.answer = report(campaigns=())
    assert single("mailup").log("bulk", [handed("a")]) == []


BROKEN = {
    "twilio": [
        lambda self: self.tell(503, {}),
        lambda self: self.tell(429, fault(20429)),
        lambda self: self.tell(200, {}),
        lambda self: self.tell(200, {"messages": [{"sid": "SM1"}]}),
        lambda self: self.tell(200, {"messages": [resource(status="newly_invented")]}),
        lambda self: self.tell(200, {"messages": [resource(body="")]}),  # redacted
        lambda self: self.reset(),
    ],
    "mailup": [
        lambda self: self.tell(503, {}),
        lambda self: self.tell(200, {}),
        report({"Receiver": "12025550101"}),
        report(line("12025550101", 9)),
        report(campaigns=[{"Subject": "another", "idMessage": 1}]),
        report(campaigns=[{}]),
        lambda self: self.reset(),
    ],
}


@pytest.mark.parametrize(
    ("kind", "answer"), [(kind, answer) for kind, answers in BROKEN.items() for answer in answers]
)
def test_no_log_that_cannot_be_read_is_taken_for_empty(
    peer: Any, single: Any, kind: str, answer: Any
) -> None:
    peer.answer = answer
    with pytest.raises(ProviderUnavailable):
        single(kind).log("bulk", [handed("m0")])


def test_replies_to_twilio_come_page_by_page_and_a_name_takes_none(peer: Any, single: Any) -> None:
    inbound = resource(sid="SM7", direction="inbound", body="STOP")
    inbound |= {"from": PHONES[0], "status": "received"}
    peer.answer = lambda self: self.tell(200, {"messages": [inbound], "next_page_uri": None})
    (told,) = single("twilio").reply_pages("+12125550100")
    (reply,) = told.replies
    at = datetime(2026, 3, 2, 15, 0, 2, tzinfo=UTC)
    assert reply == Reply("SM7", PHONES[0], "STOP", at)
    assert "To=%2B12125550100" in peer.asked[0][0]
    assert list(single("twilio").reply_pages("LARKFIELD")) == []
    assert list(single("mailup").reply_pages("+12125550100")) == []


@pytest.mark.parametrize("kind", SINGLES)
def test_no_number_is_told_by_a_provider_of_one_recipient(
    peer: Any, single: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = single(kind)
    said = [repr(handed("m0")), repr(provider.account)]
    for answer in (take(kind), lambda self: self.tell(401, {}), lambda self: self.reset()):
        peer.answer = answer
        for ask in (lambda: hand_over(provider), lambda: provider.log("b", [handed("m0")])):
            try:
                said.append(repr(ask()))
            except ProviderError as error:
                said.append(repr(error))
    said += [record.getMessage() for record in caplog.records]
    assert any(f"{kind} took a batch: 2 accepted in" in line for line in said)
    for line in said:
        for private in (*(p.lstrip("+") for p in PHONES), KEY, "text 0", "l.example"):
            assert private not in line


def test_a_wrong_secret_of_the_list_fails_the_test_of_the_connection(
    peer: Any, single: Any
) -> None:
    peer.answer = lambda self: self.tell(200, {"Data": {"ListSecret": "other"}, "Code": "0"})
    with pytest.raises(ProviderError, match="list_secret"):
        single("mailup").test()


# --- webhooks -------------------------------------------------------------------------------------

CALLBACK = "https://l.example/hear/twilio?message_id=m0"


def called(url: str, form: dict[str, str], token: str = KEY, signed: str | None = None) -> Webhook:
    signature = RequestValidator(token).compute_signature(signed or url, form)
    headers = {"x-twilio-signature": signature}
    return Webhook(url, headers, urlencode(form).encode())


def test_a_status_callback_names_our_message(single: Any) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005", "New": ""}
    told = single("twilio").hear(called(CALLBACK, form), NOW)
    assert told.receipts == [
        LogEntry("m0", "undelivered", "30005", "hard_bounce", None, None, None, NOW)
    ]
    assert not told.replies
    # What Twilio is told of the call is not part of it; of one's own mind about that, it is kept.
    assert with_message_id("https://l.example/hear/twilio", "m0") == f"{CALLBACK}#rc=5&rp=all"
    assert with_message_id("https://l.example/hear/twilio#rc=2", "m0") == f"{CALLBACK}#rc=2"


def test_a_callback_about_a_message_that_is_not_ours_keeps_its_own_id(single: Any) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    (receipt,) = single("twilio").hear(called("https://l.example/hear", form), NOW).receipts
    assert (receipt.message_id, receipt.status, receipt.raw_code) == (
        *("SM1", "delivered", "delivered"),
    )


def test_an_incoming_message_is_a_reply(single: Any) -> None:
    form = {"MessageSid": "SM2", "SmsStatus": "received", "From": PHONES[0], "Body": "Stop ✋"}
    told = single("twilio").hear(called("https://l.example/hear", form), NOW)
    assert told.replies == [Reply("SM2", PHONES[0], "Stop ✋", None)]


@pytest.mark.parametrize(
    "webhook",
    [
        called(CALLBACK, {"MessageSid": "SM1", "MessageStatus": "delivered"}, token="other"),
        called("https://l.example/x", {"MessageSid": "S"}, signed=CALLBACK),
        Webhook(CALLBACK, {}, b"MessageSid=SM1&MessageStatus=delivered"),
    ],
)
def test_a_webhook_that_is_forged_is_refused(single: Any, webhook: Webhook) -> None:
    with pytest.raises(WebhookRefused):
        single("twilio").hear(webhook, NOW)


@pytest.mark.parametrize(
    "form", [{"MessageSid": "SM1", "MessageStatus": "newly_invented"}, {}, {"Body": "STOP"}]
)
def test_a_webhook_that_is_unknown_is_told_as_unread(single: Any, form: dict[str, str]) -> None:
    webhook = called(CALLBACK, form)
    assert single("twilio").hear(webhook, NOW) == Told(unread=[webhook.body])


@pytest.mark.parametrize(
    ("called_at", "signed_as"),
    [
        ("https://l.example/h?a=1", "https://l.example:443/h?a=1"),
        ("https://l.example:443/h", "https://l.example/h"),
        ("http://l.example:80/h", "http://l.example/h"),
        ("https://l.example:8443/h", "https://l.example:8443/h"),
        ("https://l.example/h?a=1", "https://l.example/h?a=1#rc=5&rp=all"),
    ],
)
def test_the_port_may_be_signed_or_not_and_the_fragment(
    single: Any, called_at: str, signed_as: str
) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "sent"}
    assert single("twilio").hear(called(called_at, form, signed=signed_as), NOW).receipts


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))
    )
)
def test_a_signature_is_what_twilios_own_library_makes(form: dict[str, str]) -> None:
    ours = signatures.signature(KEY, CALLBACK, form.items())
    assert RequestValidator(KEY).validate(CALLBACK, form, ours)


def test_a_signed_json_body_is_checked_by_its_hash() -> None:
    body = b'{"a": 1}'
    url = f"https://l.example/h?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = RequestValidator(KEY).compute_signature(url, {})
    assert RequestValidator(KEY).validate(url, body.decode(), signature)
    headers = {"x-twilio-signature": signature}
    assert signatures.is_signed(Webhook(url, headers, body), KEY)
    assert not signatures.is_signed(Webhook(url, headers, b'{"a": 2}'), KEY)


def posted(results: Any, secret: str = "sesame") -> Webhook:
    credentials = base64.b64encode(f"infobip:{secret}".encode()).decode()
    body = results if isinstance(results, bytes) else json.dumps({"results": results}).encode()
    return Webhook("https://l.example/h", {"authorization": f"Basic {credentials}"}, body)


REPORT = {
    "messageId": "m0",
    "bulkId": "b",
    "to": "12025550101",
    "sentAt": "2026-03-02T15:00:00.000+0000",
    "doneAt": "2026-03-02T15:00:09.500+0000",
    "messageCount": 3,
    "price": {"pricePerMessage": 0.0079, "currency": "USD"},
    "status": {"groupName": "UNDELIVERABLE", "name": "UNDELIVERABLE_NOT_DELIVERED"},
    "error": {"name": "EC_UNKNOWN_SUBSCRIBER", "permanent": True},
}

EARLIER = "2026-03-02T14:00:00.000+0000"
LATER = "2026-03-02T15:00:01.000+0000"


def logged(status: str, name: str, bulk_id: str | None, at: str) -> dict[str, Any]:
    """An entry of the log about m0."""
    told = {"groupName": status, "name": name}
    return {**REPORT, "bulkId": bulk_id, "status": told, "error": None, "doneAt": at}


FLOODED = ("REJECTED", "REJECTED_FLOODING_FILTER")
PASSED = ("PENDING", "PENDING_ACCEPTED")
REPEATED = ("REJECTED", "REJECTED_DUPLICATE_MESSAGE_ID")


@pytest.mark.parametrize(
    ("by_bulk", "by_id", "found"),
    [
        # Refused for the moment in an earlier bulk, and not there since.
        ([], [logged(*FLOODED, "first", EARLIER)], []),
        ([], [logged(*FLOODED, None, EARLIER)], []),
        # Refused in this one.
        ([], [logged(*FLOODED, None, LATER)], ["rejected"]),
        ([logged(*FLOODED, "bulk", LATER)], [logged(*FLOODED, "first", EARLIER)], ["rejected"]),
        # Refused before, and taken now.
        ([], [logged(*FLOODED, "first", EARLIER), logged(*PASSED, None, LATER)], ["accepted"]),
        # Refused as one that Infobip has had before: it was taken then.
        (
            [logged(*REPEATED, "bulk", LATER)],
            [logged(*PASSED, "first", EARLIER), logged(*REPEATED, "bulk", LATER)],
            ["rejected", "accepted", "rejected"],
        ),
    ],
)
def test_what_the_log_says_of_an_earlier_hand_over_is_none_of_this_one(
    peer: Any, provider: Provider, by_bulk: list[Any], by_id: list[Any], found: list[str]
) -> None:
    peer.answer = lambda self: self.tell(
        200, {"results": by_id if "messageId" in self.path else by_bulk}
    )
    assert [entry.status for entry in provider.log("bulk", [handed("m0")])] == found


INCOMING = {
    "messageId": "r1",
    "from": "12025550101",
    "to": "447000",
    "text": "STOP",
    "receivedAt": "2026-03-02T16:00:00.000+0000",
}


def infobip_with(secret: str | None, url: str = "http://127.0.0.1:9") -> Provider:
    return provider_for(Account("infobip", url, "", KEY, {"webhook_secret": secret}), 1)


def test_infobips_webhooks_tell_receipts_and_replies() -> None:
    priced = {**REPORT, "price": {"pricePerMessage": "free"}}
    webhook = posted([REPORT, INCOMING, {"messageId": "m1", "status": {}}, {"to": "+1"}, priced])
    told = infobip_with("sesame").hear(webhook, NOW)
    (receipt, unpriced), (reply,) = told.receipts, told.replies
    assert unpriced == replace(receipt, price=None, currency=None)
    assert (receipt.message_id, receipt.status, receipt.raw_code) == (
        *("m0", "undelivered", "EC_UNKNOWN_SUBSCRIBER"),
    )
    assert receipt.suppress == "hard_bounce" and receipt.price == Decimal("0.0237")
    assert receipt.bulk_id == "b"
    assert (reply.reply_id, reply.sender, reply.text) == ("r1", PHONES[0], "STOP")
    assert len(told.unread) == 2


@pytest.mark.parametrize(
    ("secret", "webhook"),
    [
        ("sesame", posted([REPORT], "guess")),
        ("sesame", Webhook("https://l.example/h", {}, b"{}")),
        ("sesame", Webhook("https://l.example/h", {"authorization": "Basic %%%"}, b"{}")),
        (None, posted([REPORT], "")),
        ("", posted([REPORT], "")),
    ],
)
def test_a_webhook_without_infobips_password_is_refused(
    secret: str | None, webhook: Webhook
) -> None:
    with pytest.raises(WebhookRefused):
        infobip_with(secret).hear(webhook, NOW)


def test_mailup_has_no_webhooks(single: Any) -> None:
    with pytest.raises(WebhookRefused, match="MailUp sends no webhooks"):
        single("mailup").hear(posted([REPORT]), NOW)


AIRFLOW = """
import json, os
from airflow.providers_manager import ProvidersManager
from reengage.airflow.hooks import InfobipHook, MailUpHook, TwilioHook
from reengage.sending.providers import account_from_uri_or_json
manager = ProvidersManager()
hook = manager.hooks["infobip"]
same = []
for value in json.loads(os.environ["FORMS"]):
    os.environ["AIRFLOW_CONN_REENGAGE_SMS"] = value
    theirs = InfobipHook().get_conn().account
    same.append(theirs == account_from_uri_or_json(value))
widgets = manager.connection_form_widgets
tests = {}
for kind, value in json.loads(os.environ["WORKING"]).items():
    os.environ["AIRFLOW_CONN_REENGAGE_SMS"] = json.dumps(value)
    one = {"infobip": InfobipHook, "twilio": TwilioHook, "mailup": MailUpHook}[kind]
    assert manager.hooks[kind].hook_class_name == f"reengage.airflow.hooks.{one.__name__}"
    tests[kind] = one().test_connection()
print("RESULT" + json.dumps({
    "hook": hook.hook_class_name,
    "name": hook.hook_name,
    "names": [manager.hooks[kind].hook_name for kind in tests],
    "secrets": sorted(name for name, widget in widgets.items() if widget.is_sensitive
                      and name.split("__")[1] in tests),
    "labels": manager.field_behaviours["infobip"]["relabeling"],
    "same": same,
    "tests": tests,
}))
"""


def test_airflow_lists_the_connection_type_and_reads_connections_alike(
    peer: Any, tmp_path: Path
) -> None:
    working = {kind: connection(kind, peer.url, KEY) for kind in KINDS}
    secret = working["mailup"]["extra"]["list_secret"]
    peer.answer = lambda self: self.tell(
        200,
        # What each of the three asks, all in one.
        {
            "results": [],
            "Data": {"ListSecret": secret},
            "access_token": "t",
            "expires_in": 900,
            "Items": [],
        },
    )
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "FORMS": json.dumps([value for value, _ in FORMS]),
        "WORKING": json.dumps(working),
    }
    ran = subprocess.run(
        [sys.executable, "-c", AIRFLOW], env=environment, capture_output=True, text=True
    )
    assert "RESULT" in ran.stdout, ran.stderr
    told = json.loads(ran.stdout.partition("RESULT")[2])
    assert told["hook"] == "reengage.airflow.hooks.InfobipHook"
    assert told["name"] == "Infobip (SMS)"
    assert told["names"] == ["Infobip (SMS)", "Twilio (SMS)", "MailUp (SMS)"]
    assert told["secrets"] == [
        "extra__infobip__webhook_secret",
        "extra__mailup__client_secret",
        "extra__mailup__list_secret",
    ]
    assert told["labels"] == {"host": "API base URL", "password": "API key"}
    assert told["same"] == [True] * len(FORMS)
    sentence = "The local sandbox answers at 127.0.0.1, and takes the key."
    assert told["tests"] == {kind: [True, sentence] for kind in KINDS}
