"""What we send, and what the sandbox answers, held to the providers' own published descriptions.

Where they come from is said in each file of tests/specs.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from jsonschema import Draft202012Validator

from reengage.clock import SimulatedClock
from reengage.sending.providers import Handed, Outgoing, Provider, provider_for
from reengage.sending.providers.accounts import account
from reengage_local.sandbox import Faults, connection, create_sandbox
from reengage_local.sandbox.journal import append
from reengage_local.sandbox.webhooks import calls
from reengage_local.serving import serve

SPECS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in (Path(__file__).parents[2] / "specs").glob("*.json")
}
KINDS = ["infobip", "mailup", "twilio"]
NOW = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
KEY = "sandbox-key"
TEXTS = ["Hi https://l.example/abc", "perché no? €{}", "garçon ✋ 안녕", "x" * 459]
BATCH = [Outgoing(f"m{i}", f"+1212555010{i}", text) for i, text in enumerate(TEXTS)]


@dataclass
class Call:
    method: str
    path: str
    query: list[tuple[str, str]]
    content_type: str
    body: bytes = b""
    status: int = 0
    answer: bytes = b""


@dataclass
class Tap:
    """An application, and everything that it was asked and answered."""

    app: Any
    calls: list[Call] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        kind = headers.get("content-type", "")
        call = Call(scope["method"], scope["path"], query, kind)
        self.calls.append(call)

        async def heard() -> Any:
            event = await receive()
            call.body += event.get("body", b"")
            return event

        async def said(event: Any) -> None:
            call.status = event.get("status", call.status)
            call.answer += event.get("body", b"")
            await send(event)

        await self.app(scope, heard, said)


@dataclass
class Played:
    """A provider of a kind, whose sandbox is tapped."""

    kind: str
    tap: Tap
    folder: Path
    clock: SimulatedClock
    url: str

    def provider(self, **extra: Any) -> Provider:
        given = connection(self.kind, self.url, KEY)
        given["extra"] |= {"rate_per_second": 1000, **extra}
        return provider_for(account(**given), 5)

    def send(self, provider: Provider, sender: str = "+12125550100", hours: float = 5) -> None:
        provider.send(f"bulk-{sender}", BATCH, sender, NOW + timedelta(hours=hours), NOW)


@pytest.fixture
def played(kind: str, tmp_path: Path) -> Iterator[Played]:
    clock = SimulatedClock(NOW)
    app = create_sandbox(tmp_path / "sandbox", clock, KEY, "seed")
    app.state.faults = Faults(rate_per_second=1000)
    tap = Tap(app)
    with serve(tap) as server:
        yield Played(kind, tap, tmp_path / "sandbox", clock, server.url)


def wrong(kind: str, schema: Any, given: Any) -> list[str]:
    """What of `given` a schema of a provider's does not allow."""
    whole = {"schemas": SPECS[kind]["schemas"], "allOf": [schema]}
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in Draft202012Validator(whole).iter_errors(given)
    ]


def typed(schema: Any, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Fields of a form or a query, as the types that their schema names."""
    assert len(dict(pairs)) == len(pairs), "a field is there twice"
    read = {"integer": int, "number": float, "boolean": {"true": True, "false": False}.__getitem__}
    kinds = {name: part.get("type") for name, part in schema["properties"].items()}
    return {name: read.get(kinds.get(name), str)(value) for name, value in pairs}


def operation(kind: str, call: Call) -> tuple[str, Any]:
    for name, known in SPECS[kind]["operations"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(known["path"]))
        if call.method == known["method"] and re.fullmatch(pattern, call.path):
            return name, known
    raise AssertionError(f"{kind} describes no {call.method} {call.path}")


def check(kind: str, made: list[Call]) -> set[str]:
    """Hold calls to what is described; which operations they were."""
    seen = set()
    for call in made:
        name, known = operation(kind, call)
        seen.add(name)
        what = f"{kind} {name}"
        if call.query or "query" in known:
            schema = known["query"]
            assert wrong(kind, schema, typed({"properties": {}} | schema, call.query)) == [], what
        if "form" in known:
            assert call.content_type == "application/x-www-form-urlencoded", what
            pairs = parse_qsl(call.body.decode(), keep_blank_values=True, strict_parsing=True)
            assert wrong(kind, known["form"], typed(known["form"], pairs)) == [], what
        elif "json" in known:
            assert call.content_type.startswith("application/json"), what
            assert wrong(kind, known["json"], json.loads(call.body)) == [], what
        else:
            assert call.body == b"", what
        assert call.status == known["status"], f"{what}: {call.answer[:200]!r}"
        assert wrong(kind, known["response"], json.loads(call.answer)) == [], what
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_requests_and_the_sandboxs_answers_are_as_the_provider_describes_them(
    played: Played, kind: str
) -> None:
    provider = played.provider()
    played.send(provider)
    played.send(provider, sender="LARKFIELD", hours=0.01)
    played.send(provider, hours=24 * 9)
    bulk = "bulk-+12125550100"
    handed = [Handed(m.message_id, m.to, m.text, None, NOW) for m in BATCH]
    for message in handed[:2]:
        reply = {"reply_id": f"r{message.message_id}", "from": message.to, "text": "STOP ✋"}
        append(played.folder / "replies.jsonl", [{**reply, "received_at": NOW.isoformat()}])
    for minutes in (0, 60, 60 * 24):
        played.clock.move_to(NOW + timedelta(minutes=minutes))
        assert provider.log(bulk, handed)
        list(provider.reply_pages("+12125550100"))
    provider.test()
    if kind == "twilio":
        sid = json.loads(played.tap.calls[0].answer)["sid"]
        assert provider.log(bulk, [Handed("m0", BATCH[0].to, BATCH[0].text, sid, NOW)])
        service = played.provider(messaging_service_sid="MG" + "0" * 32, status_callback=None)
        played.send(service)
        assert "From=" not in played.tap.calls[-1].body.decode()
    assert check(kind, played.tap.calls) == SPECS[kind]["operations"].keys()
    provider.close()


@pytest.mark.parametrize("kind", ["infobip"])
def test_the_sandboxs_webhooks_are_as_infobip_describes_them(played: Played, kind: str) -> None:
    played.send(played.provider())
    reply = {"reply_id": "r1", "from": BATCH[0].to, "text": "no", "received_at": NOW.isoformat()}
    append(played.folder / "replies.jsonl", [reply])
    until, found = NOW + timedelta(days=1), set()
    for _, _, body in calls(played.folder, KEY, "seed", until, Faults(), "https://l.example"):
        told = json.loads(body)
        name = "DeliveryReports" if "status" in told["results"][0] else "ReportResponse"
        found.add(name)
        assert wrong(kind, {"$ref": f"#/schemas/{name}"}, told) == [], name
    assert "DeliveryReports" in found


@pytest.mark.parametrize(
    ("kind", "name", "spoilt"),
    [
        ("infobip", "json", {"messages": [{"destinations": [{"to": "1"}]}]}),
        ("infobip", "json", {"messages": [], "bulkId": "b"}),
        ("twilio", "form", {"To": "+1", "ValidityPeriod": "60"}),
        ("twilio", "form", {"To": "+1", "Text": "hello"}),
        ("mailup", "json", {"Content": "hello"}),
    ],
)
def test_a_request_that_is_not_as_described_is_seen(kind: str, name: str, spoilt: Any) -> None:
    assert wrong(kind, SPECS[kind]["operations"]["send"][name], spoilt)


def test_every_description_says_where_it_comes_from() -> None:
    assert sorted(SPECS) == KINDS
    for spec in SPECS.values():
        assert spec["source"].startswith("https://") and spec["version"] and spec["licence"]
