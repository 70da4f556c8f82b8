"""What an answer proves, against a real server on loopback."""

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
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reengage.errors import ConfigurationError, ProviderError
from reengage.providers import (
    Account,
    Answer,
    Outcome,
    Outgoing,
    Provider,
    ProviderUnavailable,
    account_from_uri_or_json,
    provider_for,
)

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
PHONES = ["+12025550101", "+12025550102"]
BATCH = [Outgoing(f"m{i}", phone, f"text {i}") for i, phone in enumerate(PHONES)]
KEY = "a-very-secret-key"


class Peer(BaseHTTPRequestHandler):
    """Answers as the test says, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, dict[str, str], Any]]
    answer: Callable[["Peer"], None]

    def handle_any(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.asked.append((self.path, dict(self.headers), body))
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


@pytest.fixture
def peer() -> Iterator[type[Peer]]:
    class Own(Peer):
        asked: list[tuple[str, dict[str, str], Any]] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
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
    provider = provider_for(Account("infobip", peer.url, "", KEY, {"sandbox": True}), 1.0)
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
    provider = provider_for(Account("infobip", peer.url, "", KEY), 1.0)
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


def test_a_refused_request_stops_the_run_and_burns_no_message(
    peer: Any, provider: Provider
) -> None:
    peer.answer = lambda self: self.tell(400, {"errorCode": "E400", "violations": []})
    with pytest.raises(ProviderError, match=r"400 E400.*brand\.sender.*nothing was sent"):
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


def test_a_read_time_out_is_unknown_within_the_time_out(peer: Any, provider: Provider) -> None:
    peer.answer = lambda self: time.sleep(1.5)
    begun = time.monotonic()
    assert [a.raw_code for a in hand_over(provider)] == ["read_timeout"] * 2
    assert time.monotonic() - begun < 1.4
    assert [a.outcome for a in hand_over(provider)] == [Outcome.UNKNOWN] * 2


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
    assert first.is_permanent
    assert first.price == Decimal("0.0237")
    assert first.occurred_at == datetime(2026, 3, 2, 15, 0, 9, 500000, tzinfo=UTC)


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
    peer.answer = lambda self: self.tell(200, {"results": [item], "messageCount": 1})
    (reply,) = provider.replies()
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


AIRFLOW = """
import json, os
from airflow.providers_manager import ProvidersManager
from airflow.sdk import Connection
from reengage.hooks import InfobipHook, account_from_connection
from reengage.providers import account_from_uri_or_json
manager = ProvidersManager()
hook = manager.hooks["infobip"]
same = []
for value in json.loads(os.environ["FORMS"]):
    os.environ["AIRFLOW_CONN_REENGAGE_SMS"] = value
    theirs = InfobipHook().get_conn().account
    same.append(theirs == account_from_uri_or_json(value))
os.environ["AIRFLOW_CONN_REENGAGE_SMS"] = os.environ["WORKING"]
widgets = manager.connection_form_widgets
print("RESULT" + json.dumps({
    "hook": hook.hook_class_name,
    "name": hook.hook_name,
    "secret": widgets["extra__infobip__webhook_secret"].is_sensitive,
    "labels": manager.field_behaviours["infobip"]["relabeling"],
    "same": same,
    "test": InfobipHook().test_connection(),
}))
"""


def test_airflow_lists_the_connection_type_and_reads_connections_alike(
    peer: Any, tmp_path: Path
) -> None:
    peer.answer = lambda self: self.tell(200, {"results": []})
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "FORMS": json.dumps([value for value, _ in FORMS]),
        "WORKING": json.dumps(
            {
                "conn_type": "infobip",
                "host": peer.url,
                "password": KEY,
                "extra": {"sandbox": True},
            }
        ),
    }
    ran = subprocess.run(
        [sys.executable, "-c", AIRFLOW], env=environment, capture_output=True, text=True
    )
    assert "RESULT" in ran.stdout, ran.stderr
    told = json.loads(ran.stdout.partition("RESULT")[2])
    assert told["hook"] == "reengage.hooks.InfobipHook"
    assert told["name"] == "Infobip (SMS)"
    assert told["secret"] is True
    assert told["labels"] == {"host": "API base URL", "password": "API key"}
    assert told["same"] == [True] * len(FORMS)
    assert told["test"] == [True, "The local sandbox answers at 127.0.0.1, and takes the key."]
