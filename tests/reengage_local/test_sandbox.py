"""The local provider and its people: strict, crash-proof, and the same each time."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from smsutil import split as reference

from patience import in_time, lags
from reengage.clock import SimulatedClock
from reengage.sending.providers import Account, Answer, Outcome, Outgoing, Provider, provider_for
from reengage.sending.providers.accounts import account
from reengage_local.sandbox import Faults, Recipients, SandboxError, connection, create_sandbox
from reengage_local.sandbox.deeds import Deed, code_in, deeds, link_path, receipt
from reengage_local.sandbox.forms import beacon_path, filled_form, opt_out_form
from reengage_local.sandbox.journal import append, lines
from reengage_local.sandbox.mailup import as_sent
from reengage_local.sandbox.recipients import HUMANS, SCANNER
from reengage_local.sandbox.server import segments
from reengage_local.serving import RunningServer, serve

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
KEY = "sandbox-key"


@dataclass
class Sandbox:
    folder: Path
    clock: SimulatedClock
    app: FastAPI
    url: str

    def provider(self, timeout_seconds: float = 5, key: str = KEY) -> Provider:
        return provider_for(
            Account("infobip", self.url, "", key, {"sandbox": True}), timeout_seconds
        )

    def accepted(self) -> list[dict[str, Any]]:
        return [record for _, _, record in lines(self.folder / "accepted.jsonl")]

    def post(self, body: Any, key: str = KEY) -> requests.Response:
        return requests.post(
            f"{self.url}/sms/3/messages", json=body, headers={"Authorization": f"App {key}"}
        )


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    clock = SimulatedClock(START)
    app = create_sandbox(tmp_path, clock, KEY, "seed")
    with serve(app) as server:
        yield Sandbox(tmp_path, clock, app, server.url)


def batch(count: int, name: str = "m") -> list[Outgoing]:
    return [
        Outgoing(f"{name}{i}", f"+1202555{i:04d}", f"Hi! https://go.example.com/code{i:05d}")
        for i in range(count)
    ]


def hand_over(provider: Provider, messages: list[Outgoing], bulk_id: str = "b1") -> list[Outcome]:
    answers = provider.send(bulk_id, messages, "LARKFIELD", START + timedelta(hours=4), START)
    provider.close()
    return [answer.outcome for answer in answers]


def test_a_message_is_accepted_and_written_down(sandbox: Sandbox) -> None:
    assert hand_over(sandbox.provider(), batch(2)) == [Outcome.ACCEPTED] * 2
    assert sandbox.accepted()[1] == {
        "message_id": "m1",
        "to": "+12025550001",
        "text": "Hi! https://go.example.com/code00001",
        "provider": "infobip",
        "at": "2026-03-02T15:00:00+00:00",
        "bulk_id": "b1",
        "sender": "LARKFIELD",
    }


def test_a_double_send_is_seen_twice(sandbox: Sandbox) -> None:
    hand_over(sandbox.provider(), batch(1), "b1")
    hand_over(sandbox.provider(), batch(1), "b2")
    hand_over(sandbox.provider(), batch(1), "b1")
    assert [message["message_id"] for message in sandbox.accepted()] == ["m0"] * 3
    assert len(sandbox.provider().log("b1")) == 2


MESSAGE: dict[str, Any] = {
    "sender": "S",
    "destinations": [{"to": "12025550101", "messageId": "m"}],
    "content": {"text": "t"},
}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{**MESSAGE, "sender": None}]}, "messages[0].sender"),
        ({"messages": [{**MESSAGE, "from": "S"}]}, "messages[0].from"),
        ({"messages": [{**MESSAGE, "text": "t"}]}, "messages[0].text"),
        ({"messages": [{**MESSAGE, "content": {}}]}, "messages[0].content.text"),
        ({"messages": [MESSAGE], "bulkId": "b"}, "bulkId"),
        ({"messages": [MESSAGE], "options": {"tracking": {"shorten_url": False}}}, "options.track"),
        ({"messages": [MESSAGE], "options": {"schedule": {"bulkId": "b" * 101}}}, "options.sched"),
        (
            {"messages": [{**MESSAGE, "destinations": [{"to": "+12025550101"}]}]},
            "messages[0].destinations[0].to",
        ),
        (
            {"messages": [{**MESSAGE, "options": {"validityPeriod": {"amount": 2881}}}]},
            "messages[0].options.validityPeriod",
        ),
        ({"messages": [MESSAGE] * 1001}, ""),
    ],
)
def test_a_wrong_request_is_refused_whole_and_says_where(
    sandbox: Sandbox, body: Any, place: str
) -> None:
    answer = sandbox.post(body)
    assert answer.status_code == 400
    content = answer.json()
    assert content["errorCode"] == "E400"
    assert any(each["property"].startswith(place) for each in content["violations"])
    assert set(content) == {"errorCode", "description", "action", "violations", "resources"}
    assert sandbox.accepted() == []


def test_a_wrong_key_is_refused_at_each_door(sandbox: Sandbox) -> None:
    assert sandbox.post({"messages": [MESSAGE]}, key="other").json()["errorCode"] == "E401"
    for path in ("/sms/3/logs", "/sms/1/inbox/reports"):
        assert requests.get(sandbox.url + path).status_code == 401
    assert sandbox.accepted() == []


def test_the_log_follows_the_clock_and_forgets_after_48_hours(sandbox: Sandbox) -> None:
    hand_over(sandbox.provider(), batch(400))
    provider = sandbox.provider()
    assert {entry.status for entry in provider.log("b1")} == {"accepted"}
    sandbox.clock.move_to(START + timedelta(minutes=3))
    soon = Counter(entry.status for entry in provider.log("b1"))
    assert set(soon) == {"accepted", "delivered", "undelivered"}
    sandbox.clock.move_to(START + timedelta(hours=47))
    late = provider.log("b1")
    assert len(late) == 400
    assert {entry.status for entry in late} == {"delivered", "undelivered", "expired"}
    for entry in late:
        assert (entry.suppress == "hard_bounce") == (entry.status == "undelivered")
        assert (entry.segments, str(entry.price), entry.currency) == (1, "0.0079", "USD")
        assert entry.occurred_at > START
    sandbox.clock.move_to(START + timedelta(hours=49))
    assert provider.log("b1") == []
    provider.close()


def test_a_dropped_answer_is_unknown_and_found_in_the_log(sandbox: Sandbox) -> None:
    sandbox.app.state.faults.drop_answer_share = 1
    assert hand_over(sandbox.provider(), batch(3)) == [Outcome.UNKNOWN] * 3
    assert len(sandbox.accepted()) == 3
    provider = sandbox.provider()
    assert [entry.message_id for entry in provider.log("b1")] == ["m0", "m1", "m2"]
    assert provider.log("b2") == []
    provider.close()


def test_nothing_is_answered_for_before_the_disk_has_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written = []

    def full_disk(descriptor: int) -> None:
        written.append(len(sandbox.accepted()))
        raise OSError(28, "No space left on device")

    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    monkeypatch.setattr("reengage_local.sandbox.journal.os.fsync", full_disk)
    assert hand_over(sandbox.provider(), batch(3)) == [Outcome.UNKNOWN] * 3
    assert written == [3]


def test_a_slow_answer_is_unknown_but_its_messages_are_taken(sandbox: Sandbox) -> None:
    sandbox.app.state.faults.slow_seconds = 0.6
    assert hand_over(sandbox.provider(timeout_seconds=0.2), batch(1)) == [Outcome.UNKNOWN]
    assert len(sandbox.accepted()) == 1


@pytest.mark.parametrize(
    ("status", "after", "outcome", "accepted"),
    [
        (429, False, Outcome.RETRY, 0),
        (429, True, Outcome.RETRY, 0),
        (503, False, Outcome.UNKNOWN, 0),
        (500, True, Outcome.UNKNOWN, 2),
    ],
)
def test_an_error_comes_before_or_after_accepting(
    sandbox: Sandbox, status: int, after: bool, outcome: Outcome, accepted: int
) -> None:
    # By a file, as another process would set it.
    faults = {"error_share": 1, "error_status": status, "after": after}
    (sandbox.folder / "faults.json").write_text(json.dumps(faults))
    assert hand_over(sandbox.provider(), batch(2)) == [outcome] * 2
    assert len(sandbox.accepted()) == accepted
    (sandbox.folder / "faults.json").unlink()
    assert hand_over(sandbox.provider(), batch(2), "b2") == [Outcome.ACCEPTED] * 2


def test_some_messages_are_rejected_inside_a_200(sandbox: Sandbox) -> None:
    sandbox.app.state.faults = Faults(reject_share=0.3)
    first = hand_over(sandbox.provider(), batch(200))
    assert 30 < first.count(Outcome.REJECTED) < 90
    assert first.count(Outcome.ACCEPTED) == len(sandbox.accepted())
    assert hand_over(sandbox.provider(), batch(200), "b2") == first


def test_a_batch_that_failed_may_fare_better_the_next_time(sandbox: Sandbox) -> None:
    sandbox.app.state.faults = Faults(error_share=0.5, error_status=429)
    fared = {hand_over(sandbox.provider(), batch(1))[0] for _ in range(20)}
    assert fared == {Outcome.RETRY, Outcome.ACCEPTED}


PROCESS = """
import sys, time
from datetime import datetime, UTC
from pathlib import Path
from reengage.clock import SimulatedClock
from reengage_local.serving import serve
from reengage_local.sandbox import create_sandbox
clock = SimulatedClock(datetime(2026, 3, 2, 15, 0, tzinfo=UTC))
print(serve(create_sandbox(Path(sys.argv[1]), clock, "sandbox-key", "seed")).url, flush=True)
time.sleep(600)
"""


def start_process(folder: Path) -> tuple[subprocess.Popen[str], Provider]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    url = process.stdout.readline().strip()
    return process, provider_for(Account("infobip", url, "", KEY, {"sandbox": True}), 5)


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()


def test_a_killed_sandbox_remembers_and_repairs_a_torn_line(tmp_path: Path) -> None:
    process, provider = start_process(tmp_path)
    try:
        assert hand_over(provider, batch(50)) == [Outcome.ACCEPTED] * 50
    finally:
        kill(process)
    with (tmp_path / "accepted.jsonl").open("a") as stream:
        stream.write('{"message_id": "torn", "to": "+1')
    process, provider = start_process(tmp_path)
    try:
        assert hand_over(provider, batch(1, "later"), "b2") == [Outcome.ACCEPTED]
        assert len(provider.log("b1")) == 50
        assert [entry.message_id for entry in provider.log("b2")] == ["later0"]
        provider.close()
    finally:
        kill(process)
    ids = [record["message_id"] for _, _, record in lines(tmp_path / "accepted.jsonl")]
    assert len(ids) == 51 and "torn" not in ids


def test_everything_answered_is_on_the_disk_when_killed_under_load(tmp_path: Path) -> None:
    process, provider = start_process(tmp_path)
    accepted: list[str] = []

    def load() -> None:
        for i in range(10_000):
            answers = provider.send(
                f"b{i}", batch(20, f"b{i}-"), "S", START + timedelta(hours=1), START
            )
            good = [a.message_id for a in answers if a.outcome is Outcome.ACCEPTED]
            accepted.extend(good)
            if not good:
                return

    thread = threading.Thread(target=load)
    thread.start()
    some = 30 * 20  # of batches, in the midst of which it is killed
    in_time(lambda: len(accepted) >= some, "some are taken", alive=thread.is_alive)
    kill(process)
    thread.join()
    provider.close()
    assert accepted
    kept = {json.loads(line)["message_id"] for line in whole_lines(tmp_path / "accepted.jsonl")}
    assert kept >= set(accepted)


def whole_lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_no_number_is_logged(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hand_over(sandbox.provider(), batch(3))
    sandbox.app.state.faults = Faults(drop_answer_share=1)
    hand_over(sandbox.provider(), batch(3), "b2")
    sandbox.post({"messages": [{**MESSAGE, "destinations": [{"to": "+12025550001"}]}]})
    assert caplog.records
    for record in caplog.records:
        assert "2025550" not in record.getMessage()
        assert not record.exc_info


# --- the other wire formats -----------------------------------------------------------------------


def speaking(sandbox: Sandbox, kind: str, **extra: Any) -> Provider:
    given = connection(kind, sandbox.url, KEY)
    given["extra"] |= {"rate_per_second": 10_000, **extra}
    return provider_for(account(**given), 5)


def form(**changed: Any) -> dict[str, Any]:
    sent = {"To": "+12025550101", "From": "+12125550100", "Body": "t", **changed}
    return {name: value for name, value in sent.items() if value is not None}


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (form(), 201, None),
        (form(From="LARKFIELD"), 201, None),
        (form(From=None, MessagingServiceSid="MG" + "a" * 32), 201, None),
        (form(StatusCallback="https://l.example/x", ValidityPeriod="36000"), 201, None),
        (form(To=None), 400, 21604),
        (form(To="12025550101"), 400, 21211),
        (form(Body=None), 400, 21602),
        (form(Body="a" * 1601), 400, 21617),
        (form(From=None), 400, 21603),
        (form(From="A name too long"), 400, 21212),
        (form(From=None, MessagingServiceSid="MG1"), 400, 21701),
        (form(ValidityPeriod="36001"), 400, 20001),
        (form(ValidityPeriod="0"), 400, 20001),
        (form(StatusCallback="l.example"), 400, 21609),
        (form(SmartEncoded="no"), 400, 20001),
        (form(Text="t"), 400, 20001),
        ([*form().items(), ("Body", "u")], 400, 20001),
    ],
)
def test_twilios_form_is_held_to_its_description(
    sandbox: Sandbox, sent: Any, status: int, code: int | None
) -> None:
    given = connection("twilio", sandbox.url, KEY)
    answer = requests.post(
        f"{sandbox.url}/2010-04-01/Accounts/{given['login']}/Messages.json",
        data=sent,
        auth=(given["login"], KEY),
    )
    assert answer.status_code == status
    if code is None:
        (taken,) = sandbox.accepted()
        assert (taken["provider"], taken["to"], taken["text"]) == ("twilio", "+12025550101", "t")
        assert answer.json()["price"] is None and answer.json()["num_segments"] == "1"
    else:
        assert answer.json().keys() == {"code", "message", "more_info", "status"}
        assert answer.json()["code"] == code
        assert sandbox.accepted() == []


def test_twilios_log_refuses_what_it_does_not_know(sandbox: Sandbox) -> None:
    given = connection("twilio", sandbox.url, KEY)
    base = f"{sandbox.url}/2010-04-01/Accounts/{given['login']}"
    signed: Any = {"auth": (given["login"], KEY)}
    for query in ("MessageId=m", "PageSize=0", "PageSize=1001", "Page=x"):
        assert requests.get(f"{base}/Messages.json?{query}", **signed).status_code == 400
    assert requests.get(f"{base}/Messages/SM1.json", **signed).json()["code"] == 20404
    assert requests.get(f"{base}/Messages.json", auth=("AC1", KEY)).json()["code"] == 20003
    assert requests.get(f"{base}/Messages.json").status_code == 401
    other = given["login"][:-1] + "x"
    url = f"{sandbox.url}/2010-04-01/Accounts/{other}.json"
    assert requests.get(url, **signed).status_code == 404


def test_twilios_log_is_paged_newest_first_and_filtered(sandbox: Sandbox) -> None:
    provider = speaking(sandbox, "twilio")
    for nth in range(5):
        sandbox.clock.move_to(START + timedelta(hours=12 * nth))
        hand_over_now(sandbox, provider, [Outgoing(f"m{nth}", "+12025550101", f"text {nth}")])
    url = f"{sandbox.url}/2010-04-01/Accounts/{provider.account.login}/Messages.json"
    signed = (provider.account.login, KEY)
    first = requests.get(url, params={"PageSize": "3"}, auth=signed).json()
    second = requests.get(sandbox.url + first["next_page_uri"], auth=signed).json()
    bodies = [item["body"] for item in first["messages"] + second["messages"]]
    assert bodies == [f"text {nth}" for nth in reversed(range(5))]
    assert second["next_page_uri"] is None
    since = requests.get(url, params={"DateSent>": "2026-03-04"}, auth=signed).json()
    assert [item["body"] for item in since["messages"]] == ["text 4", "text 3"]
    nobodys = requests.get(url, params={"To": "+12025550199"}, auth=signed).json()
    assert nobodys["messages"] == []


def hand_over_now(sandbox: Sandbox, provider: Provider, messages: list[Outgoing]) -> list[Answer]:
    now = sandbox.clock()
    answers = provider.send("b1", messages, "LARKFIELD", now + timedelta(hours=4), now)
    provider.close()
    return answers


def body_with(**changed: Any) -> dict[str, Any]:
    extra = connection("mailup", "http://127.0.0.1:1", KEY)["extra"]
    sent = {
        "Content": "t",
        "ListGuid": extra["list_guid"],
        "ListSecret": extra["list_secret"],
        "Recipient": "+12025550101",
        "CampaignCode": "b1",
        "DynamicFields": [],
        "isUnicode": 0,
        **changed,
    }
    return {name: value for name, value in sent.items() if value is not None}


OTHER = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (body_with(), 200, "0"),
        (body_with(Recipient="0012025550101", Sender="LARKFIELD"), 200, "0"),
        (body_with(Content="[X]", DynamicFields=[{"N": "X", "V": "t"}]), 200, "0"),
        (body_with(Content=None), 400, "101"),
        (body_with(CampaignCode=None), 400, "101"),
        (body_with(DynamicFields=None), 400, "101"),
        (body_with(isUnicode="0"), 400, "101"),
        (body_with(Text="t"), 400, "101"),
        (body_with(ListGuid="x"), 403, "202"),
        (body_with(ListGuid=OTHER), 400, "102"),
        (body_with(ListSecret="x"), 403, "203"),
        (body_with(ListSecret=OTHER), 400, "103"),
        (body_with(Recipient="12025550101"), 400, "106"),
        (body_with(Sender="A name too long"), 403, "207"),
    ],
)
def test_mailups_body_is_held_to_its_description(
    sandbox: Sandbox, sent: Any, status: int, code: str
) -> None:
    extra = connection("mailup", sandbox.url, KEY)["extra"]
    url = f"{sandbox.url}/api/v2.0/sms/{extra['account_id']}/{extra['list_id']}"
    answer = requests.post(url, json=sent)
    assert (answer.status_code, answer.json()["Code"]) == (status, code)
    assert answer.json().keys() == {"Data", "Code", "Description", "State"}
    if status == 200:
        (taken,) = sandbox.accepted()
        assert (taken["provider"], taken["to"], taken["text"]) == ("mailup", "+12025550101", "t")
        assert answer.json()["Data"] == {"DeliveryId": 1, "Cost": 1.0}
    else:
        assert sandbox.accepted() == []
    assert requests.post(url.rpartition("/")[0] + "/99", json=body_with()).json()["Code"] == "201"


def test_mailup_cuts_long_texts_and_loses_letters_without_a_word(sandbox: Sandbox) -> None:
    assert as_sent("a" * 500, False) == "a" * 459
    assert as_sent("ç" * 500, True) == "ç" * 201
    assert as_sent("garçon", False) == "gar?on"
    assert as_sent("garçon", True) == "garçon"


def test_mailups_console_wants_its_token(sandbox: Sandbox) -> None:
    extra = connection("mailup", sandbox.url, KEY)["extra"]
    client = (extra["client_id"], extra["client_secret"])
    signing = {"grant_type": "password", "username": "m59848", "password": KEY}
    console = f"{sandbox.url}/API/v1.1/Rest/ConsoleService.svc/Console"
    messages = f"{console}/Sms/List/{extra['list_id']}/Messages"
    token_url = f"{sandbox.url}/Authorization/OAuth/Token"
    assert requests.post(token_url, data=signing).status_code == 401
    wrong = {**signing, "password": "x"}
    assert requests.post(token_url, data=wrong, auth=client).status_code == 401
    token = requests.post(token_url, data=signing, auth=client).json()["access_token"]
    signed: Any = {"headers": {"Authorization": f"Bearer {token}"}}
    assert requests.get(messages).status_code == 401
    assert requests.get(messages, **signed).json()["Items"] == []
    for query in ("filterby=Subject", "page=1", "pageNumber=x"):
        assert requests.get(f"{messages}?{query}", **signed).status_code == 400
    secret = f"{sandbox.url}/api/v2.0/lists/{extra['list_id']}/listsecret"
    assert requests.get(secret).status_code == 401


def test_mailup_refuses_what_comes_too_fast(sandbox: Sandbox) -> None:
    # Fewer than a busy machine can send.
    sandbox.app.state.faults = Faults(rate_per_second=5)
    answers = hand_over_now(sandbox, speaking(sandbox, "mailup"), batch(60))
    codes = Counter(answer.raw_code for answer in answers)
    assert codes["429"] and codes["0"] >= 5
    assert {a.outcome for a in answers} == {Outcome.ACCEPTED, Outcome.RETRY}


def test_mailup_takes_thirty_a_second(sandbox: Sandbox) -> None:
    as_is = speaking(sandbox, "mailup", rate_per_second=None)
    with lags() as late:
        told = hand_over_now(sandbox, as_is, batch(60))
    outcomes = Counter(answer.outcome for answer in told)
    # A turn that a busy machine takes late comes together with those after it.
    assert outcomes[Outcome.RETRY] <= 2 + 30 * max(late), outcomes
    assert outcomes[Outcome.ACCEPTED] + outcomes[Outcome.RETRY] == 60


@pytest.mark.parametrize("kind", ["twilio", "mailup"])
@pytest.mark.parametrize(
    ("fault", "outcome", "accepted"),
    [
        (Faults(), Outcome.ACCEPTED, 20),
        (Faults(reject_share=1), Outcome.REJECTED, 0),
        (Faults(drop_answer_share=1), Outcome.UNKNOWN, 20),
        (Faults(error_share=1), Outcome.UNKNOWN, 0),
        (Faults(error_share=1, after=True), Outcome.UNKNOWN, 20),
        (Faults(error_share=1, error_status=429), Outcome.RETRY, 0),
    ],
)
def test_what_goes_wrong_goes_wrong_in_each_format(
    sandbox: Sandbox, kind: str, fault: Faults, outcome: Outcome, accepted: int
) -> None:
    sandbox.app.state.faults = fault.model_copy(update={"rate_per_second": 10_000})
    answers = hand_over_now(sandbox, speaking(sandbox, kind), batch(20))
    assert {answer.outcome for answer in answers} == {outcome}
    assert len(sandbox.accepted()) == accepted


@pytest.mark.parametrize("kind", ["infobip", "twilio", "mailup"])
def test_each_connection_of_the_sandbox_works_and_is_one(sandbox: Sandbox, kind: str) -> None:
    provider = speaking(sandbox, kind)
    assert provider.is_sandbox
    assert provider.test() == "The local sandbox answers at 127.0.0.1, and takes the key."
    provider.close()


def test_the_sandbox_says_what_it_speaks() -> None:
    from reengage.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"'carrier'.*infobip, twilio, mailup"):
        connection("carrier", "http://127.0.0.1:1", KEY)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a" * 160, "a" * 161, "a" * 459, "a" * 460, "€" * 80, "€" * 81, "a" * 152 + "€" * 80),
        *("ç" * 70, "ç" * 71, "😀" * 35, "😀" * 36, "ç" + "😀" * 70, "è" * 160),
    ],
)
def test_segments_are_counted_as_the_reference_counts(text: str) -> None:
    assert segments(text) == max(1, len(reference(text).parts))


# --- the people -------------------------------------------------------------------------------


@dataclass
class Web:
    """A stand-in for the link service: keeps what it was asked, and when."""

    url: str
    hits: list[tuple[datetime, str, str, str]]
    fail_at: int | None = None
    leads_away: bool = False


@pytest.fixture
def web() -> Iterator[Callable[[SimulatedClock], Web]]:
    running: list[RunningServer] = []

    def start(clock: SimulatedClock) -> Web:
        app, web = FastAPI(), Web("", [])

        def note(request: Request, body: str = "") -> None:
            if web.fail_at is not None and len(web.hits) == web.fail_at:
                raise ConnectionError("the link service broke")
            agent = request.headers["user-agent"]
            web.hits.append((clock(), request.method, request.url.path + body, agent))

        @app.get("/{code}")
        async def page(code: str, request: Request) -> Response:
            note(request)
            if web.leads_away:
                return RedirectResponse("https://shop.invalid/", 302)
            if code == "code00000":
                return HTMLResponse("gone", 404)
            return HTMLResponse(
                f'<style>main:hover {{ background: url("/{code}/seen") }}</style>'
                f'<form method="post" action="/{code}/survey"><input name="q"></form>'
                f'<form method="post" action="/{code}/opt-out">'
                '<input type="hidden" name="token" value="t&amp;1"></form>'
            )

        @app.get("/{code}/seen")
        async def seen(request: Request) -> Response:
            note(request)
            return Response()

        @app.post("/{code}/opt-out")
        async def opt_out(code: str, request: Request) -> RedirectResponse:
            note(request, "?" + (await request.body()).decode())
            return RedirectResponse(f"/{code}", 303)

        server = serve(app)
        running.append(server)
        web.url = server.url
        return web

    yield start
    for server in running:
        server.stop()


def accept(folder: Path, count: int, at: datetime = START, name: str = "m") -> None:
    append(
        folder / "accepted.jsonl",
        (
            {
                "message_id": message.message_id,
                "to": message.to,
                "text": message.text,
                "provider": "infobip",
                "at": at.isoformat(),
                "bulk_id": "b",
                "sender": "S",
            }
            for message in batch(count, name)
        ),
    )


def identify(phone: str) -> tuple[str, str] | None:
    return None if phone.endswith("7") else ("crm", f"c{phone[-4:]}")


def people(folder: Path, web: Web, clock: SimulatedClock, seed: str = "seed") -> Recipients:
    return Recipients(folder, seed, web.url, identify, clock)


def kept(folder: Path, name: str) -> list[dict[str, Any]]:
    return [record for _, _, record in lines(folder / name)]


def test_shares_are_as_said() -> None:
    ids = [f"m{i}" for i in range(20_000)]
    fates = Counter(receipt("seed", message_id).group for message_id in ids)
    assert 0.965 < fates["DELIVERED"] / 20_000 < 0.975
    assert 0.017 < fates["UNDELIVERABLE"] / 20_000 < 0.023
    kinds: Counter[str] = Counter()
    buyers = {True: 0, False: 0}
    for i, message_id in enumerate(ids):
        message = {
            "message_id": message_id,
            "to": f"+1202{i:07d}",
            "text": f"Hi, code K{i}-X https://x.example/abc",
            "at": START.isoformat(),
        }
        done = deeds("seed", message)
        kinds.update(deed.kind for deed in done)
        mine = {deed.kind for deed in done}
        if "buy" in mine:
            buyers["open" in mine] += 1
        for deed in done:  # whoever has a code uses it, or forgets it
            assert deed.code in ("", f"K{i}-X") and (deed.kind == "buy" or not deed.code)
            kinds["used"] += bool(deed.code)
        for deed in done:
            earliest = timedelta(seconds=3) if deed.kind == "scan" else timedelta(minutes=2)
            assert START + earliest <= deed.at <= START + timedelta(days=24)
    assert 0.16 < kinds["open"] / 20_000 < 0.19
    assert 0.5 < kinds["used"] / kinds["buy"] < 0.9
    assert 0.45 < kinds["act"] / kinds["open"] < 0.55
    assert 0.04 < kinds["scan"] / 20_000 < 0.055
    assert 0.005 < kinds["opt_out"] / 20_000 < 0.01
    assert 0.005 < kinds["reply"] / 20_000 < 0.01
    assert 0.05 < buyers[True] / kinds["open"] < 0.09
    assert 0.015 < buyers[False] / (20_000 - kinds["open"]) < 0.025


def test_people_act_in_order_at_their_time_and_only_once(tmp_path: Path, web: Any) -> None:
    clock = SimulatedClock(START)
    accept(tmp_path, 600)
    service = web(clock)
    done = people(tmp_path, service, clock).live(START + timedelta(days=25))
    assert clock() == START + timedelta(days=25)
    assert done["open"] > 60 and done["scan"] and done["opt_out"] and done["reply"] and done["buy"]
    times = [at for at, *_ in service.hits]
    assert times == sorted(times)
    bots = [at for at, _, _, agent in service.hits if agent == SCANNER]
    assert all(at - START < timedelta(seconds=66) for at in bots)
    assert {agent for *_, agent in service.hits} == {SCANNER, *HUMANS}
    posts = [path for _, method, path, _ in service.hits if method == "POST"]
    assert len(posts) == done["opt_out"]
    assert all(path.endswith("/opt-out?token=t%261") for path in posts)
    purchases = kept(tmp_path, "purchases.jsonl")
    assert len(purchases) == done["buy"]
    assert len({purchase["event_id"] for purchase in purchases}) == len(purchases)
    assert all(p["invented"] is True and p["occurred_at"].endswith("+00:00") for p in purchases)
    assert not any(p["source_contact_id"].endswith("7") for p in purchases)
    before = len(service.hits)
    again = people(tmp_path, service, clock).live(START + timedelta(days=25))
    later = people(tmp_path, service, clock).live(START + timedelta(days=60))
    assert not again and not later and len(service.hits) == before


def test_many_short_days_do_what_one_long_day_does(tmp_path: Path, web: Any) -> None:
    clock = SimulatedClock(START)
    service = web(clock)
    for folder in ("long", "short"):
        (tmp_path / folder).mkdir()
        accept(tmp_path / folder, 300)
    one = people(tmp_path / "long", service, clock).live(START + timedelta(days=24))
    many: Counter[str] = Counter()
    clock = SimulatedClock(START)
    for hours in range(7, 25 * 24, 7):
        many += people(tmp_path / "short", service, clock).live(START + timedelta(hours=hours))
    assert many == one
    for name in ("purchases.jsonl", "replies.jsonl"):
        assert kept(tmp_path / "long", name) == kept(tmp_path / "short", name)


def test_new_messages_are_found_and_old_ones_not_read_again(tmp_path: Path, web: Any) -> None:
    clock = SimulatedClock(START)
    service = web(clock)
    total: Counter[str] = Counter()
    for day in range(0, 60, 5):
        accept(tmp_path, 100, clock(), f"d{day}-")
        total += people(tmp_path, service, clock).live(START + timedelta(days=day + 5))
    state = json.loads((tmp_path / "recipients.json").read_text())
    assert state["start"] > (tmp_path / "accepted.jsonl").stat().st_size / 3
    total += people(tmp_path, service, clock).live(START + timedelta(days=90))
    everything = [
        deed.kind for record in kept(tmp_path, "accepted.jsonl") for deed in deeds("seed", record)
    ]
    strangers = total.pop("stranger", 0)
    gone = total.pop("gone", 0)
    assert sum(total.values()) + strangers + gone == len(everything)


def test_a_day_that_is_run_again_loses_nobody(tmp_path: Path, web: Any) -> None:
    clock = SimulatedClock(START)
    service = web(clock)
    accept(tmp_path, 100)
    done = people(tmp_path, service, clock).live(START + timedelta(days=2))
    clock = SimulatedClock(START + timedelta(hours=1))  # the day was killed and starts anew
    accept(tmp_path, 300, clock(), "again")
    done += people(tmp_path, service, clock).live(START + timedelta(hours=5))
    done += people(tmp_path, service, clock).live(START + timedelta(days=30))
    expected = sum(len(deeds("seed", record)) for record in kept(tmp_path, "accepted.jsonl"))
    assert sum(done.values()) == expected


def test_who_gets_a_message_twice_acts_once(tmp_path: Path, web: Any) -> None:
    clock = SimulatedClock(START)
    service = web(clock)
    accept(tmp_path, 200)
    accept(tmp_path, 200, START + timedelta(hours=3))
    done = people(tmp_path, service, clock).live(START + timedelta(days=30))
    once = kept(tmp_path, "accepted.jsonl")[:200]
    assert sum(done.values()) == sum(len(deeds("seed", record)) for record in once)


def test_a_failing_link_service_stops_the_people_and_a_rerun_goes_on(
    tmp_path: Path, web: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SimulatedClock(START)
    service = web(clock)
    accept(tmp_path, 300)
    service.fail_at = 25
    caplog.set_level(logging.CRITICAL)  # the stand-in's own traceback
    with pytest.raises(SandboxError, match="failed with 500"):
        people(tmp_path, service, clock).live(START + timedelta(days=25))
    service.fail_at = None
    people(tmp_path, service, clock).live(START + timedelta(days=25))
    expected = [
        deed for record in kept(tmp_path, "accepted.jsonl") for deed in deeds("seed", record)
    ]
    kinds = Counter(deed.kind for deed in expected)
    posts = sum(method == "POST" for _, method, *_ in service.hits)
    assert posts == kinds["opt_out"]
    asked = [
        path for _, method, path, agent in service.hits if method == "GET" and agent != SCANNER
    ]
    touched = [path for path in asked if path.endswith("/seen")]
    # A browser follows the redirect after a press, and the page on which it died is opened again.
    again = len(asked) - len(touched) - kinds["open"] - 2 * kinds["opt_out"]
    assert again in (0, 1)
    # Not everybody who opens a page touches it.
    assert kinds["opt_out"] < len(touched) < kinds["open"] + kinds["opt_out"]
    assert len(set(touched)) == len(touched)
    with pytest.raises(SandboxError, match="does not answer"):
        accept(tmp_path, 300, START + timedelta(days=26), "new")
        Recipients(tmp_path, "seed", "http://127.0.0.1:9", identify, clock).live(
            START + timedelta(days=50)
        )


LIFE = """
import sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from reengage.clock import SimulatedClock
from reengage_local.sandbox import Recipients
start = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
people = Recipients(Path(sys.argv[1]), "seed", "http://127.0.0.1:9",
                    lambda phone: ("crm", phone[-4:]), SimulatedClock(start))
people.live(start + timedelta(days=30))
"""


def test_killed_anywhere_people_lose_and_repeat_no_purchase_and_no_reply(tmp_path: Path) -> None:
    append(
        tmp_path / "accepted.jsonl",
        (
            {
                "message_id": f"m{i}",
                "to": f"+1202{i:07d}",
                "text": "no link",
                "provider": "infobip",
                "at": START.isoformat(),
                "bulk_id": "b",
                "sender": "S",
            }
            for i in range(10_000)
        ),
    )
    written = [tmp_path / "purchases.jsonl", tmp_path / "replies.jsonl"]

    def size() -> int:
        return sum(file.stat().st_size for file in written if file.exists())

    for nth in range(5):
        process = subprocess.Popen([sys.executable, "-c", LIFE, str(tmp_path)])
        before = size()
        while nth < 4 and process.poll() is None and size() < before + 400 * nth:
            time.sleep(0.0002)  # to strike in the midst of a deed
        if nth < 4:
            assert process.poll() is None, "it was to be killed, but had ended"
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == 0
    acts = Counter(
        deed.kind for record in kept(tmp_path, "accepted.jsonl") for deed in deeds("seed", record)
    )
    for name, key, kind in (
        ("purchases.jsonl", "event_id", "buy"),
        ("replies.jsonl", "reply_id", "reply"),
    ):
        records = kept(tmp_path, name)
        assert len({record[key] for record in records}) == len(records) == acts[kind]


@pytest.mark.parametrize("kind", ["buy", "reply"])
def test_killed_between_a_deed_and_its_note_it_is_not_done_again(
    tmp_path: Path, web: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    clock = SimulatedClock(START)
    service = web(clock)
    accept(tmp_path, 400)
    note = Recipients._note

    def killed(self: Recipients, run: str, deed: Deed) -> None:
        if deed.kind == kind and not deed.to.endswith("7"):
            raise KeyboardInterrupt
        note(self, run, deed)

    monkeypatch.setattr(Recipients, "_note", killed)
    with pytest.raises(KeyboardInterrupt):
        people(tmp_path, service, clock).live(START + timedelta(days=25))
    monkeypatch.undo()
    people(tmp_path, service, clock).live(START + timedelta(days=25))
    ids = [record["event_id"] for record in kept(tmp_path, "purchases.jsonl")]
    ids += [record["reply_id"] for record in kept(tmp_path, "replies.jsonl")]
    assert len(ids) > 5 and len(set(ids)) == len(ids)


def test_a_reply_is_told_when_its_time_has_come_and_once(sandbox: Sandbox, web: Any) -> None:
    hand_over(sandbox.provider(), batch(900))
    for record in sandbox.accepted():
        assert link_path(record["text"]).startswith("/code")
    lived = SimulatedClock(START)
    service = web(lived)
    done = people(sandbox.folder, service, lived).live(START + timedelta(days=4))
    provider = sandbox.provider()
    assert done["reply"] > 2
    assert list(provider.reply_pages("")) == []  # the sandbox's clock has not moved yet
    sandbox.clock.move_to(START + timedelta(days=4))
    replies = [reply for told in provider.reply_pages("") for reply in told.replies]
    assert len(replies) == done["reply"]
    assert all(START < reply.received_at <= sandbox.clock() for reply in replies)
    assert {reply.sender for reply in replies} <= {r["to"] for r in sandbox.accepted()}
    assert list(provider.reply_pages("")) == []
    provider.close()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Hi https://go.example.com/aB3. Stop: STOP", "/aB3"),
        ("Hi http://127.0.0.1:4321/aB3?x=1, bye", "/aB3?x=1"),
        ("Hi go.example.com/aB3!", "/aB3"),
        ("nothing here, 24/7 e.g. this", ""),
    ],
)
def test_the_link_in_a_text(text: str, path: str) -> None:
    assert link_path(text) == path


def test_a_page_says_what_a_browser_asks_for_when_it_is_touched() -> None:
    page = '<style>main:hover { background-image: url("/abcDEF123/seen") }</style>'
    assert beacon_path(page) == "/abcDEF123/seen"
    assert beacon_path("<p>hello</p>") == ""


def test_nobody_follows_a_link_out_of_the_service(tmp_path: Path, web: Any) -> None:
    clock = SimulatedClock(START)
    service = web(clock)
    service.leads_away = True
    accept(tmp_path, 200)
    done = people(tmp_path, service, clock).live(START + timedelta(days=25))
    assert done["open"] and done["opt_out"]
    assert not [path for _, _, path, _ in service.hits if path.endswith("/seen")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            "Ann, 15% off is yours. Code VCSSZ-ZJFSV http://127.0.0.1:1/aB3 Reply STOP",
            "VCSSZ-ZJFSV",
        ),
        ("쿠폰번호 SPRING_7\nhttp://127.0.0.1:1/aB3", "SPRING_7"),
        ("One tap to answer: http://127.0.0.1:1/aB3 Reply STOP to end", ""),
        ("STOP", ""),
    ],
)
def test_the_code_in_a_text(text: str, code: str) -> None:
    assert code_in(text) == code


def test_a_page_is_filled_in_as_it_asks() -> None:
    survey = (
        '<form action="/c/answers"><input type="radio" name="why" value="a">'
        '<input type="radio" name="why" value="b"><textarea name="wish"></textarea>'
        '<textarea name="must" required></textarea></form><form action="/c/opt-out"></form>'
    )
    for chance, why in ((0.0, "a"), (0.49, "a"), (0.5, "b"), (0.999, "b")):
        filled = filled_form(survey, lambda _, chance=chance: chance)
        assert filled is not None
        action, fields = filled
        assert action == "/c/answers" and dict(fields).items() >= {("why", why)}
        assert "wish" not in dict(fields) and dict(fields)["must"]
    entry = '<form action="/c/enter"><input type="checkbox" name="age" value="yes" required></form>'
    confirm = '<form action="/c/confirm"><button>Show</button></form>'
    assert filled_form(confirm + entry, lambda _: 0) == ("/c/enter", [("age", "yes")])
    assert filled_form(confirm, lambda _: 0) == ("/c/confirm", [])
    assert filled_form('<form action="/c/opt-out"></form>', lambda _: 0) is None


def test_a_page_without_the_form_is_posted_to_all_the_same() -> None:
    assert opt_out_form("<p>hello</p>", "/abc") == ("/abc/opt-out", {})
    assert opt_out_form('<form action="abc/opt-out"></form>', "/abc") == ("/abc/opt-out", {})


def test_a_taken_port_is_an_error_that_says_so(sandbox: Sandbox) -> None:
    from reengage.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="choose another"):
        serve(FastAPI(), int(sandbox.url.rsplit(":", 1)[1]))
