"""The marketers' page in a real Airflow API server, seen with a real browser.

Alone: `pytest tests/acceptance/test_page.py`. PAGE_SCREENSHOTS names a folder to keep pictures in.
"""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

import homes
import patience
from patience import free_port, in_time
from reengage import db
from reengage.settings import PROJECT
from reengage_local.postgres import EmbeddedServer

DAY = "2026-03-10"
PASSWORD = "a-password-of-this-test"
USERS = {"marta": "viewer", "olga": "op", "ada": "admin"}
ROUTES = (
    "",
    f"?day={DAY}",
    f"contacts?day={DAY}",
    f"contacts.csv?day={DAY}",
    "barely_active",
    "barely_active.csv",
    "contact/1",
    "outcomes",
    "daily_steps.csv",
    "contact_outcomes.csv",
    "effects",
    "effects.csv",
    "loads",
)
PEOPLE = f"""
INSERT INTO cohort.day VALUES
    ('2026-03-09', 'p1', '2026-03-10 09:00Z', 1), ('{DAY}', 'p1', '2026-03-11 09:00Z', 1);
INSERT INTO core.contact (
    contact_id, phone_e164, phone_hash, first_name, last_name, created_on, first_source,
    first_source_contact_id, first_seen_on
)
SELECT n, '+1212555' || lpad(n::text, 4, '0'), 'h' || n, 'Anna', 'Kowalska', '2025-01-05', 'crm',
    n::text, '2025-01-06'
FROM generate_series(1, 140) AS n;
INSERT INTO cohort.decision
SELECT '{DAY}', n, '2026-02-07', 31, 'survey', 0, 0, action::cohort.action, reason::cohort.reason,
    'p1'
FROM generate_series(1, 140) AS n
CROSS JOIN LATERAL (VALUES (
    CASE WHEN n <= 120 THEN 'send' ELSE 'hold' END,
    CASE WHEN n <= 120 THEN 'due' WHEN n <= 130 THEN 'control' ELSE 'no_consent' END
)) AS decided (action, reason);
INSERT INTO outbox.message (
    contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, provider, body,
    encoding, segments, not_before, not_after, status, status_at, accepted_at
)
SELECT contact_id, gen_random_uuid(), dormant_since, step, 'sms', as_of, 'h' || contact_id,
    'infobip', 'Larkfield: Hi Anna, tell us more: https://go.example/x', 'GSM-7', 1,
    '2026-03-11 14:00Z', '2026-03-13 14:00Z', 'delivered', '2026-03-11 14:00:09Z',
    '2026-03-11 14:00:05Z'
FROM cohort.decision WHERE action = 'send';
INSERT INTO outbox.reply (
    provider, provider_reply_id, phone_hash, text, meaning, received_at
) VALUES ('infobip', 'r1', 'h1', 'hm?', 'unclear', '2026-03-12 09:00Z')
"""


class Airflow:
    """The address of a running API server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.page = f"{url}/reengage/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """That of a home with Airflow's metadata, and the people in its warehouse."""
    home = tmp_path_factory.mktemp("page") / "home"
    server = homes.with_airflow(home)
    server.start()
    engine = db.engine(homes.address(home))
    with engine.begin() as connection:
        for statement in PEOPLE.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    yield server
    server.forget()


@pytest.fixture(scope="module")
def airflow(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "ingest.py").symlink_to(PROJECT / "dags" / "ingest.py")
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps(dict.fromkeys(USERS, PASSWORD)), encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.dsn("airflow").replace("://", "+psycopg2://"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{name}:{role}" for name, role in USERS.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
    }
    command = [str(Path(sys.executable).with_name("airflow"))]
    with (home / "api-server.log").open("w") as log:
        # The DAGs that the server knows: as Airflow's processor of DAG files puts them there.
        subprocess.run(
            [*command, "dags", "reserialize"], env=environment, stdout=log, stderr=log, check=True
        )
        process = subprocess.Popen(
            [*command, "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            in_time(
                lambda: _answers(f"{url}/api/v2/version"),
                (home / "api-server.log").read_text,
                alive=lambda: process.poll() is None,
                every=0.2,
            )
            define_the_warehouse(url, server.dsn("warehouse"))
            yield Airflow(url)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def define_the_warehouse(url: str, dsn: str) -> None:
    """In Airflow's own store, where a person puts it: the page must find it there."""
    address = sa.make_url(dsn)
    given = httpx.post(
        f"{url}/api/v2/connections",
        headers={"Authorization": f"Bearer {token(url, 'ada')}"},
        json={
            "connection_id": "reengage_warehouse",
            "conn_type": "postgres",
            "host": address.host,
            "port": address.port,
            "login": address.username,
            "password": address.password,
            "schema": address.database,
        },
        timeout=patience.SECONDS,
    )
    assert given.status_code == 201, given.text


def token(url: str, name: str) -> str:
    """What somebody who has logged in is known by."""
    given = httpx.post(
        f"{url}/auth/token", json={"username": name, "password": PASSWORD}, timeout=patience.SECONDS
    )
    assert given.status_code == 201, given.text
    return str(given.json()["access_token"])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, verify=False).status_code == 200  # no context of TLS each time
    except httpx.TransportError:
        return False


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("PAGE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def log_in(page: Page, airflow: Airflow, name: str) -> None:
    page.goto(airflow.url)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name=re.compile("sign in|log ?in", re.IGNORECASE)).click()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("token", [None, "made.up.token"])
def test_a_stranger_is_refused(airflow: Airflow, route: str, token: str | None) -> None:
    cookies = {"_token": token} if token else {}
    with httpx.Client(cookies=cookies, timeout=patience.SECONDS) as client:
        answer = client.get(airflow.page + route)
    assert answer.status_code in (401, 403)
    assert "Anna" not in answer.text
    assert "contact_id" not in answer.text


@pytest.mark.parametrize("name", USERS)
def test_who_may_not_say_what_a_reply_means_sees_no_button_for_it(
    airflow: Airflow, name: str
) -> None:
    """A viewer reads; Op and Admin answer, each in Airflow's own roles."""
    with httpx.Client(
        cookies={"_token": token(airflow.url, name)}, timeout=patience.SECONDS
    ) as client:
        page = client.get(f"{airflow.page}replies")
        assert page.status_code == 200
        may_answer = USERS[name] != "viewer"
        assert ("<button" in page.text) == may_answer
        assert "hm?" in page.text
        # Of a reply that is not there: it stays for the others.
        answer = client.post(
            f"{airflow.page}replies/9/go-on", headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert answer.status_code == (303 if may_answer else 403)


def test_the_page_has_no_api_documentation(airflow: Airflow) -> None:
    for route in ("docs", "redoc", "openapi.json"):
        assert httpx.get(airflow.page + route, timeout=patience.SECONDS).status_code == 404


def test_a_marketer_walks_from_the_figures_to_a_person(
    airflow: Airflow, browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    page = context.new_page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    log_in(page, airflow, "marta")
    page.get_by_role("link", name="Re-engagement").click()
    frame = page.frame_locator("iframe[title='Re-engagement']")
    expect(frame.get_by_role("heading", name="10 Mar 2026")).to_be_visible()
    expect(frame.get_by_text("140 due = 120 chosen + 10 held back")).to_be_visible()
    picture(page, "airflow-day")

    frame.get_by_role("row", name="Chosen to be texted").get_by_role("link").first.click()
    expect(frame.get_by_text("120 customers on 10 Mar 2026")).to_be_visible()
    expect(frame.get_by_role("row")).to_have_count(101)
    picture(page, "airflow-contacts")
    with page.expect_download() as download:
        frame.get_by_role("link", name="Download all 120 as CSV").click()
    file = tmp_path / "contacts.csv"
    download.value.save_as(file)
    assert download.value.suggested_filename == f"contacts-{DAY}-survey-send-due.csv"
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["contact_id"]) for row in rows] == list(range(1, 121))

    frame.get_by_role("link", name="Next page").click()
    expect(frame.get_by_role("row")).to_have_count(21)
    frame.get_by_role("link", name="120", exact=True).click()
    expect(frame.get_by_role("heading", name="Anna K.")).to_be_visible()
    expect(frame.get_by_text("Larkfield: Hi Anna")).to_be_visible()
    picture(page, "airflow-contact")

    # Airflow keeps the frame's address in its own: a reload, or a link sent on, stays there.
    page.reload()
    expect(frame.get_by_role("heading", name="Anna K.")).to_be_visible()
    frame.get_by_role("link", name="Outcomes").click()
    expect(frame.get_by_text("observations, not effects")).to_be_visible()
    frame.get_by_role("link", name="Incoming data").click()
    expect(frame.get_by_text("No data has been loaded yet.")).to_be_visible()
    frame.get_by_role("link", name="Days").click()
    frame.get_by_role("link", name="9 Mar 2026").click()
    expect(frame.get_by_text("Nobody was due on this day")).to_be_visible()
    frame.get_by_label("Day", exact=True).select_option(DAY)
    frame.get_by_role("button", name="Show").click()
    expect(frame.get_by_text("140 due = 120 chosen")).to_be_visible()
    hosts = {httpx.URL(url).host for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
    context.close()


def test_a_day_is_ingested_by_hand_with_the_form(airflow: Airflow, browser: Browser) -> None:
    """What the form makes of the day is what REST and the command line give (test_celery)."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    page = context.new_page()
    log_in(page, airflow, "olga")
    page.get_by_role("link", name="Re-engagement").wait_for()
    page.goto(f"{airflow.url}/dags/reengage_ingest")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Day (as_of)")).to_be_visible()
    picture(page, "airflow-trigger")
    dialog.locator("input[type=date]").fill(DAY)
    dialog.get_by_role("button", name="Trigger").click()
    expect(page.get_by_text("Dag run has been successfully triggered.")).to_be_visible()
    runs = httpx.get(
        f"{airflow.url}/api/v2/dags/reengage_ingest/dagRuns",
        headers={"Authorization": f"Bearer {token(airflow.url, 'olga')}"},
        timeout=patience.SECONDS,
    ).json()["dag_runs"]
    assert [(run["run_type"], run["conf"]) for run in runs] == [("manual", {"as_of": DAY})]
    context.close()
