"""The marketers' page, over a real warehouse with made-up people."""

import csv
import io
import json
import re
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from fastapi import Depends, HTTPException

from reengage import db
from reengage.errors import ConfigurationError
from reengage.journey import gates
from reengage.marketer import asking
from reengage.marketer import page as marketer
from reengage.marketer import words as marketer_words
from reengage.marketer.page import create_page
from reengage.policy import read_policy
from reengage.settings import SQL
from reengage_local.postgres import EmbeddedServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette would rather have another client
    from fastapi.testclient import TestClient

DAY = "2026-03-10"
ROUTES = (
    "/",
    f"/?day={DAY}",
    f"/contacts?day={DAY}",
    f"/contacts.csv?day={DAY}",
    "/barely_active",
    "/barely_active.csv",
    "/contact/1",
    "/outcomes",
    "/daily_steps.csv",
    "/contact_outcomes.csv",
    "/effects",
    "/effects.csv",
    "/replies",
    "/loads",
)
REASONS = {  # reason: (action, contacts of the survey, contacts of the contest) on DAY
    "opened": ("skip", 0, 2),
    "no_consent": ("hold", 3, 1),
    "consent_expired": ("hold", 1, 0),
    "suppressed": ("hold", 1, 1),
    "unread_reply": ("hold", 1, 0),
    "no_phone": ("hold", 0, 1),
    "not_mobile": ("hold", 1, 0),
    "repeat": ("skip", 1, 0),
    "duplicate_phone": ("hold", 1, 0),
    "gap": ("hold", 0, 1),
    "daily_cap": ("hold", 1, 0),
    "warm_up": ("hold", 1, 0),
    "budget": ("hold", 1, 0),
    "size": ("hold", 1, 0),
    "unsubscribes": ("hold", 1, 0),
    "approval": ("hold", 1, 0),
    "control": ("hold", 4, 1),
    "stock": ("hold", 1, 0),
    "template": ("hold", 1, 0),
    "due": ("send", 230, 5),
}


def execute(warehouse: sa.Engine, *statements: str, **binds: Any) -> None:
    with warehouse.begin() as connection:
        for statement in statements:
            used = {name: binds[name] for name in binds if f":{name}" in statement}
            connection.execute(sa.text(statement), used)


@pytest.fixture
def people(warehouse: sa.Engine) -> sa.Engine:
    """Three decided days; on the middle one every reason occurs. Contact 1 has a whole story."""
    fill(warehouse)
    return warehouse


def fill(warehouse: sa.Engine) -> None:
    rows, contact = [], 0
    for reason, (action, *counts) in reversed(REASONS.items()):
        for step, days, count in zip(("survey", "contest"), (31, 62), counts, strict=True):
            for _ in range(count):
                contact += 1
                rows.append((contact, reason, action, step, days))
    execute(
        warehouse,
        """
        INSERT INTO cohort.day (
            as_of, policy_version, decided_at, last_load_id, sends, released_at
        ) VALUES
            ('2026-03-09', 'p1', '2026-03-10 09:00Z', 1, 0, '2026-03-10 09:01Z'),
            ('2026-03-10', 'p1', '2026-03-11 09:00Z', 1, 235, '2026-03-11 09:01Z'),
            ('2026-03-12', 'p1', '2026-03-13 09:00Z', 1, 0, '2026-03-13 09:01Z')
        """,
        """
        INSERT INTO core.contact (
            contact_id, phone_e164, phone_hash, email, first_name, last_name, created_on,
            first_source, first_source_contact_id, first_seen_on
        )
        SELECT
            (row ->> 0)::bigint,
            CASE WHEN row ->> 1 <> 'no_phone' THEN '+1212555' || lpad(row ->> 0, 4, '0') END,
            'h' || (row ->> 0), 'p' || (row ->> 0) || '@mail.example',
            'Anna' || (row ->> 0), 'Kowalska', '2025-01-05', 'crm', row ->> 0, '2025-01-06'
        FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS row
        """,
        """
        INSERT INTO core.contact_activity (
            contact_id, last_signal_on, purchases, visible_on, updated_load_id
        )
        SELECT contact_id, '2026-02-07', 3, '2025-01-05', 1 FROM core.contact
        """,
        """
        INSERT INTO cohort.decision (
            as_of, contact_id, dormant_since, inactive_days, step, prior_sends, prior_opens,
            action, reason, policy_version
        )
        SELECT
            :day, (row ->> 0)::bigint, CAST(:day AS date) - (row ->> 4)::integer,
            (row ->> 4)::integer, row ->> 3, 0, 0,
            (row ->> 2)::cohort.action, (row ->> 1)::cohort.reason, 'p1'
        FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS row
        """,
        """
        INSERT INTO outbox.message (
            contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, provider,
            body, encoding, segments, not_before, not_after, status, status_at, accepted_at
        )
        SELECT
            contact_id, gen_random_uuid(), dormant_since, step, 'sms', as_of, 'h' || contact_id,
            'infobip', 'Larkfield: Hi <b>Anna</b>, go to https://go.example/Zq' || contact_id
            || ' Reply STOP to end', 'GSM-7', 1, '2026-03-11 14:00Z', '2026-03-13 14:00Z',
            (CASE contact_id WHEN 2 THEN 'cancelled' WHEN 3 THEN 'queued' ELSE 'delivered' END)
            ::outbox.message_status, '2026-03-11 14:00:09Z', '2026-03-11 14:00:05Z'
        FROM cohort.decision WHERE action = 'send'
        """,
        """
        INSERT INTO outbox.link (code, message_id, contact_id, target, created_at, expires_at)
        SELECT
            'Zq' || contact_id, message_id, contact_id, 'landing:survey', not_before, not_after
        FROM outbox.message
        """,
        """
        INSERT INTO outbox.hit (code, contact_id, message_id, at, kind, method, user_agent, purpose)
        SELECT 'Zq1', 1, message_id, hit.at::timestamptz, 'view', 'GET', hit.agent, ''
        FROM outbox.message
        CROSS JOIN (
            VALUES ('2026-03-11 15:00Z', 'Mozilla/5.0'), ('2026-03-11 14:30Z', 'examplebot/1')
        ) AS hit (at, agent)
        WHERE contact_id = 1
        """,
        """
        INSERT INTO outbox.receipt (
            provider, message_id, status, raw_code, occurred_at, received_at
        )
        SELECT
            'infobip', message_id::text, 'delivered', 'DELIVERED_TO_HANDSET',
            '2026-03-11 14:00:09Z', '2026-03-11 14:00:10Z'
        FROM outbox.message WHERE contact_id = 1
        """,
        "SELECT core.add_month('2026-01-01')",
        """
        INSERT INTO core.interaction (
            contact_id, source, source_event_id, kind, occurred_at, occurred_on, amount, currency,
            loaded_at, load_id
        )
        SELECT
            1, 'shop', n::text, 'purchase', '2026-01-01 15:00Z'::timestamptz + n * INTERVAL '1 day',
            '2026-01-01'::date + n, 100 + n, 'USD', '2026-03-01Z', 1
        FROM generate_series(1, 25) AS n
        """,
        """
        INSERT INTO core.consent (
            contact_id, source, record_key, channel, purpose, granted_at, effective_at, load_id
        ) VALUES (1, 'crm', 'k', 'sms', 'marketing', '2025-02-01Z', '2025-02-01Z', 1)
        """,
        """
        INSERT INTO core.suppression (
            contact_id, phone_hash, channel, reason, source, since, lifted_at
        ) VALUES (1, 'h1', 'sms', 'opted_out', 'reply', '2026-03-11 15:05Z', NULL)
        """,
        """
        INSERT INTO cohort.episode (contact_id, dormant_since, arm, opened_on, closed_on)
        VALUES (1, '2026-01-07', 'treatment', '2026-03-10', '2026-03-12')
        """,
        """
        INSERT INTO outcome.contact_outcome (
            contact_id, dormant_since, arm, outcome, decided_on, steps_sent, revenue, cost
        ) VALUES
            (1, '2026-01-07', 'treatment', 'opted_out', '2026-03-12', 1, 0, 0.05),
            (2, '2026-01-07', 'control', 'returned', '2026-03-12', 0, 12.5, 0)
        """,
        """
        INSERT INTO outcome.daily_step
        SELECT
            day::date, step, arm::cohort.arm, 200, 190, 180, 60, CASE arm WHEN 'control' THEN 11
            ELSE 29 END, 2, 1234.5, 9.5
        FROM generate_series('2026-01-25'::timestamp, '2026-03-10', '1 day') AS day
        CROSS JOIN (VALUES ('survey'), ('contest'), ('coupon')) AS steps (step)
        CROSS JOIN (VALUES ('treatment'), ('control')) AS arms (arm)
        """,
        """
        INSERT INTO raw.load (
            source, entity, as_of, status, started_at, finished_at, rows_read, rows_loaded,
            rows_rejected, newest_on, message
        ) VALUES
            ('shop', 'interaction', '2026-03-09', 'loaded', '2026-03-10 08:00Z',
             '2026-03-10 08:01Z', 1000, 990, 10, '2026-03-09', NULL),
            ('shop', 'interaction', '2026-03-10', 'stopped', '2026-03-11 08:00Z',
             '2026-03-11 08:01Z', 1200, 0, 120, '2026-03-10',
             '10 % of the rows were rejected, more than 5 %.')
        """,
        """
        INSERT INTO raw.reject (load_id, file_id, source, line, reason, record)
        SELECT 1 + n % 2, 1, 'shop', n, 'no customer id', '{}' FROM generate_series(1, 9) AS n
        """,
        rows=json.dumps(rows),
        day=date.fromisoformat(DAY),
    )


def client_of(warehouse: sa.Engine, **options: Any) -> TestClient:
    return TestClient(create_page(lambda: warehouse, **options))


@pytest.fixture(scope="module")
def town(server: EmbeddedServer, template: str) -> Iterator[sa.Engine]:
    """The same people, shared by the tests that only look."""

    def url(name: str) -> str:
        return "postgresql+psycopg" + server.dsn(name).removeprefix("postgresql")

    admin = sa.create_engine(url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE town TEMPLATE "{template}"'))
    engine = db.engine(url("town"))
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def client(town: sa.Engine) -> TestClient:
    return client_of(town)


@pytest.fixture
def sentences(town: sa.Engine) -> dict[str, str]:
    """What each reason means, in the order in which the reasons are checked."""
    with town.connect() as connection:
        words = marketer_words.read_words(connection)["cohort.reason"]
        order = connection.execute(sa.text("SELECT enum_range(NULL::cohort.reason)::text[]"))
        return {reason: words[reason].sentence or "" for reason in order.scalar_one()}


class _Text(HTMLParser):
    """The visible words of a page, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.hidden = 0
        self.href: str | None = None
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("style", "script")
        if tag == "a":
            self.href = dict(attrs)["href"]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("style", "script")
        self.href = None if tag == "a" else self.href

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(data)
            if self.href is not None:
                self.links.append((data.strip(), self.href))


def seen(client: TestClient, path: str, status: int = 200) -> _Text:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return _Text(answer.text)


def csv_of(client: TestClient, path: str) -> list[list[str]]:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


# --- words -------------------------------------------------------------------------------------


def test_every_word_that_the_page_shows_is_explained(town: sa.Engine) -> None:
    with town.connect() as connection:
        words = marketer_words.read_words(connection)
    # test_story compares each enum that has words with its values.
    enums = {"cohort.action", "cohort.arm", "core.contact_status", "raw.load_status"}
    assert enums <= words.keys()
    assert words["cohort.gate"].keys() == {*gates.GATES, "approval"}
    assert all(word.sentence for word in words["raw.load_status"].values())


# --- the day -----------------------------------------------------------------------------------


def test_latest_day_comes_first_and_leads_to_the_one_before(client: TestClient) -> None:
    latest = seen(client, "/")
    assert "Nobody was due on this day" in latest.text
    assert ("← 10 Mar 2026", f"./?day={DAY}") in latest.links
    middle = seen(client, f"/?day={DAY}")
    assert ("← 9 Mar 2026", "./?day=2026-03-09") in middle.links
    assert ("12 Mar 2026 →", "./?day=2026-03-12") in middle.links


def test_headline_figures_add_up(client: TestClient) -> None:
    text = seen(client, f"/?day={DAY}").text
    assert "Due 263 quiet customers" in text
    assert "Sent 233 of 235 chosen to be texted" in text
    assert "263 due = 235 chosen + 20 held back + 3 skipped + 5 in control." in text


def test_waterfall_is_in_the_order_of_the_checks_and_every_cell_leads_to_its_contacts(
    client: TestClient, sentences: dict[str, str]
) -> None:
    day = seen(client, f"/?day={DAY}")
    places = [day.text.index(sentence) for sentence in sentences.values()]
    assert places == sorted(places)
    cells = [(text, href) for text, href in day.links if "reason=" in href]
    assert len(cells) == sum((a > 0) + (b > 0) + 1 for _, a, b in REASONS.values())
    for text, href in cells:
        assert f"{text} customer" in seen(client, urljoin("/", href)).text


def test_no_consent_of_the_survey_has_its_share(client: TestClient) -> None:
    survey = sum(counts[1] for counts in REASONS.values())
    assert f"3 {3 / survey:.1%}" in seen(client, f"/?day={DAY}").text


def test_reasons_that_applied_to_nobody_are_still_explained(
    people: sa.Engine, sentences: dict[str, str]
) -> None:
    execute(people, "DELETE FROM cohort.decision WHERE reason = 'gap'")
    text = seen(client_of(people), f"/?day={DAY}").text
    nobody = text.index("Reasons that applied to nobody")
    assert text.index(sentences["gap"]) > nobody > text.index("Control group")


def test_a_day_that_was_not_decided_says_which_are(client: TestClient) -> None:
    text = seen(client, "/?day=2026-03-11", status=404).text
    assert "Nothing was decided for 11 Mar 2026" in text
    assert "the latest 12 Mar 2026" in text


@pytest.mark.parametrize(
    "path",
    [
        "/?day=2026-02-30",
        "/contacts",
        "/contact/Anna",
        f"/contacts.csv?day={DAY}&step=a%0d%0ab",
        f"/contacts?day={DAY}&after=9223372036854775808",
    ],
)
def test_an_address_that_cannot_be_read_is_a_page(client: TestClient, path: str) -> None:
    assert "cannot be read" in seen(client, path, status=400).text


@pytest.mark.parametrize(
    "path", [f"/contacts?day={DAY}&reason=x", f"/contacts.csv?day={DAY}&action=x", "/nothing"]
)
def test_what_is_not_there_is_a_page(client: TestClient, path: str) -> None:
    assert "Not there" in seen(client, path, status=404).text


def test_waterfall_goes_down_to_delivered_and_says_what_the_day_before_had(
    people: sa.Engine,
) -> None:
    execute(
        people,
        """
        INSERT INTO cohort.decision (
            as_of, contact_id, dormant_since, inactive_days, step, prior_sends, prior_opens, action,
            reason, policy_version
        )
        SELECT
            '2026-03-09', contact_id + 5000, dormant_since, 31, step, 0, 0, action, reason, 'p1'
        FROM cohort.decision
        WHERE as_of = '2026-03-10' AND reason IN ('no_consent', 'gap')
        """,
        "DELETE FROM cohort.decision WHERE as_of = '2026-03-10' AND reason = 'gap'",
    )
    text = seen(client_of(people), f"/?day={DAY}").text
    assert "“Day before” is 9 Mar 2026" in text
    assert "Due 251 11 262 5 +257 262" in text
    assert re.search(r"number or card\. Held back 3 \d\.\d% 1 \d\.\d% 4 1\.5% 4 ±0 256", text)
    # Of yesterday's reasons the one that applied to nobody today is seen to be gone.
    assert re.search(r"Texted days ago .* – – – 1 −1 ", text)
    assert re.search(r"Not called off .* 234 89\.3% 0 \+234 234 Sent .* 233 .* Delivered ", text)


def test_the_first_day_has_none_before_it(client: TestClient) -> None:
    assert "Day before" not in seen(client, "/?day=2026-03-09").text


def test_whether_the_day_was_let_go_and_what_its_checks_said(people: sa.Engine) -> None:
    path = f"/?day={DAY}"
    assert "Let go on 11 Mar 2026, 05:01" in seen(client_of(people), path).text
    execute(people, "UPDATE cohort.day SET released_at = NULL")
    assert "has not been let go yet" in seen(client_of(people), path).text
    execute(
        people,
        """
        INSERT INTO cohort.gate (as_of, gate, is_open, said, judged_at)
        VALUES ('2026-03-10', 'size', FALSE, '235 are 4 times the usual.', '2026-03-11 09:00Z'),
            ('2026-03-10', 'budget', TRUE, '235 segments of 1,000.', '2026-03-11 09:00Z')
        """,
    )
    text = seen(client_of(people), path).text
    assert "waits for a person’s approval: nothing is sent" in text
    assert "How many Not passed 235 are 4 times the usual. 11 Mar 2026, 05:00" in text
    assert "Budget Passed 235 segments of 1,000." in text
    execute(people, "UPDATE cohort.day SET stopped_by = 'size' WHERE as_of = '2026-03-10'")
    text = seen(client_of(people), path).text
    assert "This day was stopped: none of its texts went out." in text
    assert "approval" not in text.split("From due")[0].replace("Nobody approved", "")


# --- barely active -----------------------------------------------------------------------------


def go_quiet(warehouse: sa.Engine, *days: int) -> None:
    """A contact quiet for each number of days on the latest day; the first step is at 30."""
    execute(
        warehouse,
        """
        INSERT INTO cohort.dormancy (contact_id, behaviour, dormant_since, pace, reaches_on)
        SELECT n, 'any', '2026-03-12'::date - days, 1, '2026-03-12'::date - days + 30
        FROM unnest(CAST(:days AS integer[])) WITH ORDINALITY AS quiet (days, n)
        """,
        days=list(days),
    )


def test_barely_active_are_quiet_for_a_while_and_not_at_a_step(people: sa.Engine) -> None:
    go_quiet(people, 13, 14, 29, 30, 31, 20, 20)
    execute(
        people,
        "UPDATE core.contact SET merged_into = 1 WHERE contact_id = 6",
        "UPDATE core.contact SET status = 'erased' WHERE contact_id = 7",
    )
    client = client_of(people)
    home = seen(client, "/")
    assert "2 customers have been quiet for 14 days or more" in home.text
    assert ("2 customers have", "barely_active") in home.links
    assert "Barely active" not in seen(client, f"/?day={DAY}").text  # known of today alone
    listed = seen(client, "/barely_active")
    assert [text for text, href in listed.links if href.startswith("contact/")] == ["3", "2"]
    assert "11 Feb 2026 29 13 Mar 2026 1" in listed.text
    header, *rows = csv_of(client, "/barely_active.csv")
    assert [row[0] for row in rows] == ["3", "2"]
    assert [row[header.index("days_left")] for row in rows] == ["1", "16"]
    assert (
        "1212555" not in client.get("/barely_active").text + client.get("/barely_active.csv").text
    )


def test_pages_of_barely_active_hold_everybody_once(people: sa.Engine) -> None:
    go_quiet(people, *[14 + n % 3 for n in range(250)])
    client, path, found = client_of(people), "/barely_active", []
    for _ in range(3):
        shown = seen(client, path)
        found += [int(text) for text, href in shown.links if href.startswith("contact/")]
        path = urljoin("/", next((h for t, h in shown.links if t == "Next page →"), ""))
    assert sorted(found) == list(range(1, 251))
    assert path == "/"


def test_a_longer_pace_is_within_reach(people: sa.Engine) -> None:
    policy = read_policy()
    lasting = policy.model_copy(
        update={"thresholds": policy.thresholds.model_copy(update={"lifecycle": {"slow": 12}})}
    )
    execute(people, "INSERT INTO cohort.dormancy VALUES (9, 'any', '2026-02-20', 12, '2027-02-15')")
    text = seen(client_of(people, policy=lambda: lasting), "/barely_active").text
    assert "1 customer has been quiet" in text
    assert "15 Feb 2027" in text


def test_barely_active_are_found_by_index(people: sa.Engine) -> None:
    execute(
        people,
        """
        INSERT INTO cohort.dormancy (contact_id, behaviour, dormant_since, pace, reaches_on)
        SELECT n, 'any', '2026-03-12'::date - n % 2000, 1, '2026-03-12'::date - n % 2000 + 30
        FROM generate_series(1000, 60999) AS n
        """,
        """
        INSERT INTO core.contact (
            contact_id, first_source, first_source_contact_id, first_seen_on
        )
        SELECT n, 'crm', n::text, '2025-01-06' FROM generate_series(1000, 60999) AS n
        """,
        "ANALYZE cohort.dormancy, core.contact",
    )
    binds = {"as_of": date(2026, 3, 12), "barely_days": 14, "reach_days": 30}
    assert "dormancy_to_open" in plan_of(people, "count_barely_active", binds)
    more = {"after_on": None, "after": 0, "row_limit": 101}
    assert "dormancy_to_open" in plan_of(people, "barely_active", binds | more)


# --- contacts ----------------------------------------------------------------------------------


def test_pages_of_contacts_hold_everybody_once(client: TestClient) -> None:
    path = f"/contacts?day={DAY}&step=survey&action=send&reason=due"
    found: list[int] = []
    pages = 0
    while True:
        pages += 1
        shown = seen(client, path)
        found += [int(text) for text, href in shown.links if href.startswith("contact/")]
        following = [href for text, href in shown.links if text == "Next page →"]
        if not following:
            break
        path = urljoin("/", following[0])
    assert pages == 3
    assert found == sorted(set(found))
    assert len(found) == 230


def test_contacts_are_shown_without_name_or_number(client: TestClient) -> None:
    answer = client.get(f"/contacts?day={DAY}&reason=gap")
    text = _Text(answer.text).text
    assert re.search(r"Anna\d+ K\. •••• \d\d ", text)
    assert "Texted days ago" in text
    assert "Kowalska" not in answer.text
    assert "1212555" not in answer.text
    assert "mail.example" not in answer.text


def test_a_message_that_a_later_day_took_over_is_that_days(people: sa.Engine) -> None:
    execute(people, "UPDATE outbox.message SET as_of = '2026-03-12' WHERE contact_id = 3")
    text = seen(client_of(people), f"/contacts?day={DAY}&reason=due").text
    assert text.count("Taken over by a later day") == 1


def test_csv_holds_the_whole_cell(client: TestClient) -> None:
    header, *rows = csv_of(client, f"/contacts.csv?day={DAY}&step=survey&reason=due")
    assert header[:4] == ["contact_id", "first_name", "last_initial", "phone"]
    assert len(rows) == 230
    assert {row[header.index("step")] for row in rows} == {"survey"}
    assert {row[header.index("message_status")] for row in rows} == {
        "delivered",
        "queued",
        "cancelled",
    }
    assert all(re.fullmatch(r"•••• \d\d", row[3]) for row in rows)


def test_the_ids_of_the_sources_are_on_the_page_and_in_every_csv(people: sa.Engine) -> None:
    execute(
        people,
        """
        INSERT INTO core.contact_identity
        SELECT contact_id, 'crm', 'C-' || contact_id, contact_id, 1 FROM core.contact
        UNION ALL VALUES (1, 'shop', '0042', 1, 1), (1, 'shop', '=7', 1, 1)
        """,
        "INSERT INTO outcome.contact_outcome"
        " (contact_id, dormant_since, outcome, decided_on, steps_sent, revenue, cost)"
        " VALUES (3, '2026-01-07', 'returned', '2026-03-12', 1, 0, 0)",
        "UPDATE core.contact SET merged_into = 1 WHERE contact_id = 3",
        "UPDATE core.contact_identity SET contact_id = 1 WHERE contact_id = 3",
    )
    go_quiet(people, 20)
    client = client_of(people)
    assert "Ids in the sources crm C-1; C-3 shop 0042; =7" in seen(client, "/contact/1").text
    for path in (f"/contacts.csv?day={DAY}", "/barely_active.csv", "/contact_outcomes.csv"):
        header, *rows = csv_of(client, path)
        assert header[-2:] == ["crm_id", "shop_id"]
        found = {row[0]: row[-2:] for row in rows}
        one = ["C-1; C-3", "0042; =7"]
        assert all(
            ids == (one if who in ("1", "3") else [f"C-{who}", ""]) for who, ids in found.items()
        ), path
        assert found
    assert "_id" not in csv_of(client, "/daily_steps.csv")[0]


def test_a_rehearsal_is_told_on_every_page(people: sa.Engine) -> None:
    bar = "Rehearsal: nobody is texted."
    for mode in ("sandbox", "live"):
        changed = read_policy().model_copy(update={"mode": mode})
        client = TestClient(create_page(lambda: people, policy=lambda changed=changed: changed))
        for path in (*ROUTES, "/nothing"):
            if ".csv" not in path:
                assert (bar in client.get(path).text) == (mode == "sandbox"), path


def test_csv_holds_no_formula(people: sa.Engine) -> None:
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "  =HYPERLINK(1)", "＝1"):
        execute(people, "UPDATE core.contact SET first_name = :name", name=name)
        _, *rows = csv_of(client_of(people), f"/contacts.csv?day={DAY}&reason=gap")
        assert rows[0][1] == "'" + name


def test_csv_quotes_what_needs_it(people: sa.Engine) -> None:
    name = 'Zoë, "Z"\nŁ'
    execute(people, "UPDATE core.contact SET first_name = :name", name=name)
    _, *rows = csv_of(client_of(people), f"/contacts.csv?day={DAY}&reason=gap")
    assert [row[1] for row in rows] == [name]


def test_csv_of_an_empty_cell_has_its_header(client: TestClient) -> None:
    assert len(csv_of(client, "/contacts.csv?day=2026-03-12")) == 1


def test_csv_streams_with_flat_memory(people: sa.Engine) -> None:
    execute(
        people,
        """
        INSERT INTO cohort.decision
        SELECT '2026-03-12', n, '2026-01-01', 70, 'contest', 0, 0, 'hold', 'no_consent', 'p1'
        FROM generate_series(1000, 60999) AS n
        """,
    )
    lines = asking.csv_of(
        lambda: people,
        "marketer/contacts",
        {
            "day": date(2026, 3, 12),
            "step": None,
            "action": None,
            "reason": None,
            "after": None,
            "row_limit": None,
        },
        ZoneInfo("UTC"),
    )
    next(lines), next(lines)  # warmed up
    tracemalloc.start()
    count = sum(part.count("\n") for part in lines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 60_000 - asking.CSV_BATCH
    assert peak < 8 * 2**20


# --- one contact -------------------------------------------------------------------------------


def test_why_texts_were_refused_is_said_in_plain_words(people: sa.Engine) -> None:
    refused = """UPDATE outbox.message SET status = 'rejected', error_code = :code
                 WHERE contact_id = (SELECT min(contact_id) FROM outbox.message
                                     WHERE as_of = :day AND status <> 'rejected')"""
    for code in ("E422", "21635"):
        execute(people, refused, code=code, day=DAY)
    client = client_of(people)
    text = seen(client, f"/?day={DAY}").text
    assert "1 of this day’s texts failed for reasons that nobody has listed: E422 (1)." in text
    assert "1 refused: the number is a landline 21635" in text
    landline = sa.text("SELECT contact_id FROM outbox.message WHERE error_code = '21635'")
    with people.connect() as connection:
        contact_id = connection.execute(landline).scalar_one()
    assert "Code: 21635: the number is a landline." in seen(client, f"/contact/{contact_id}").text


def test_story_of_a_contact(client: TestClient) -> None:
    answer = client.get("/contact/1")
    text = _Text(answer.text).text
    in_order = [
        "25 Jan 2026",  # of 25 purchases the last 20 are shown
        "Due for the survey on 10 Mar 2026: chosen to be texted",
        "11 Mar 2026, 10:00 Text of the survey: handed to infobip",
        "Hi <b>Anna</b>, go to https://go.example/… Reply STOP",
        "11 Mar 2026, 10:00 Text of the survey: delivered",
        "infobip reported on the survey: delivered",
        "fetched by a machine",
        "11 Mar 2026, 11:00 Clicked the link of the survey",
        "On the do-not-contact list: said stop",
        "The quiet spell ended: said stop",
    ]
    places = [text.index(words) for words in in_order]
    assert places == sorted(places)
    assert text.count("Bought something") == 20
    assert "Anna1 K." in text
    assert "Marketing by SMS: given on" in text
    assert "Said stop, since 11 Mar 2026" in text
    assert text.count("Hi <b>Anna</b>") == 1
    assert "After 12 Mar 2026: closed as “said stop” on 12 Mar 2026" in text
    assert "Zq1" not in answer.text  # whoever has the code can act as the customer
    assert "<b>Anna</b>" not in answer.text
    for secret in ("Kowalska", "1212555", "mail.example"):
        assert secret not in answer.text


def test_an_invented_purchase_is_called_so(people: sa.Engine) -> None:
    execute(people, "UPDATE core.interaction SET source = 'sandbox' WHERE source_event_id = '25'")
    assert seen(client_of(people), "/contact/1").text.count("invented by the simulation") == 1


def test_a_number_on_the_list_by_another_contact_is_said(people: sa.Engine) -> None:
    execute(people, "UPDATE core.contact SET phone_hash = 'h1' WHERE contact_id = 5")
    assert "Said stop, since" in seen(client_of(people), "/contact/5").text


@pytest.mark.parametrize("contact", ["999999", "-1", str(2**63)])
def test_no_such_contact(client: TestClient, contact: str) -> None:
    assert "Not there" in seen(client, f"/contact/{contact}", status=404).text


def test_erased_and_merged_contacts(people: sa.Engine) -> None:
    execute(
        people,
        "UPDATE core.contact SET status = 'erased', first_name = NULL, last_name = NULL,"
        " phone_e164 = NULL, phone_hash = NULL, merged_into = 1 WHERE contact_id = 4",
    )
    shown = seen(client_of(people), "/contact/4")
    assert "Erased on request" in shown.text
    assert ("contact 1", "1") in shown.links


# --- outcomes, loads ---------------------------------------------------------------------------


def test_outcomes_set_treatment_beside_control(client: TestClient) -> None:
    shown = seen(client, "/outcomes")
    assert "observations, not effects" in shown.text
    assert "Only the first step compares like with like." in shown.text
    assert "29 14.5% 2 1,234.50 9.50 200 11 5.5%" in shown.text
    assert "Said stop They asked not to be texted again. 1 100.0%" in shown.text
    assert "invented" not in shown.text


def test_each_text_whose_link_was_followed_is_counted_once(people: sa.Engine) -> None:
    """Fetched by a person and a machine, it is clicked; what nobody can tell stands apart."""
    execute(people, "DELETE FROM outbox.hit")
    execute(
        people,
        "INSERT INTO outbox.hit"
        " (code, contact_id, message_id, at, kind, method, user_agent, purpose)"
        " SELECT 'Zq' || contact_id, contact_id, message_id, '2026-03-11 15:00Z',"
        " CAST(said.kind AS outbox.hit_kind), said.method, said.agent, '' FROM outbox.message"
        " INNER JOIN (VALUES (1, 'press', 'POST', 'Mozilla/5.0'), (1, 'view', 'GET', 'x/1'),"
        " (1, 'view', 'GET', 'facebookexternalhit/1.1'), (4, 'view', 'GET', 'x/1'),"
        " (5, 'view', 'GET', 'facebookexternalhit/1.1'))"
        " AS said (who, kind, method, agent) ON contact_id = said.who",
    )
    execute(
        people,
        "INSERT INTO outbox.verdict (contact_id, hit_id, rule, version)"
        " SELECT contact_id, hit_id, 'no_sign', 4 FROM outbox.hit WHERE user_agent = 'x/1'",
    )
    assert "Survey 3 1 1 1" in seen(client_of(people), "/outcomes").text


def test_days_that_are_still_open_stand_apart_and_have_no_share(client: TestClient) -> None:
    """People have 30 days, and the sources are complete through 12 March."""
    shown = seen(client, "/outcomes").text
    over, left = (
        "Survey 17 days that are over",
        "Survey 28 days still open, the last until 9 Apr 2026",
    )
    assert f"{over} 3,400 3,230 3,060 94.7% 1,020 33.3% 493 14.5% 34" in shown
    assert f"{left} 5,600 5,320 5,040 94.7% 1,680 so far 812 so far 56" in shown
    assert "10 Mar 2026 Survey open until 9 Apr 2026 200 190 180 94.7% 60 so far 29 so far" in shown
    earlier = seen(client, "/outcomes?before=2026-02-11").text
    assert "10 Feb 2026 Survey 200 190 180 94.7% 60 33.3% 29 14.5%" in earlier
    header, *rows = csv_of(client, "/daily_steps.csv")
    is_open = {row[0]: row[header.index("is_open")] for row in rows}
    assert (is_open["2026-02-10"], is_open["2026-02-11"]) == ("False", "True")


def test_who_rests_without_a_click_is_told_from_who_said_stop(people: sa.Engine) -> None:
    note = (
        "INSERT INTO core.suppression (contact_id, channel, reason, source, since)"
        " VALUES (5, 'sms', '{}', 'journey', '2026-03-10Z')"
    )
    execute(
        people,
        note.format("inactivity"),
        "UPDATE core.contact SET status = 'unsubscribed' WHERE contact_id = 5",
    )
    resting = seen(client_of(people), "/contact/5").text
    assert "Status Resting (no click)" in resting and "Said stop" not in resting
    assert "They are resting: they clicked none of the texts that arrived" in resting
    execute(people, note.format("opted_out"))
    stopped = seen(client_of(people), "/contact/5").text
    assert "Status Said stop" in stopped and "They are resting" not in stopped


def test_endings_tell_too_few_texts_from_too_little_to_tell(people: sa.Engine) -> None:
    execute(
        people,
        """
        INSERT INTO outcome.contact_outcome (
            contact_id, dormant_since, arm, outcome, decided_on, steps_sent, if_unopened
        ) VALUES
            (11, '2026-01-07', 'treatment', 'unreachable', '2026-03-12', 1, 'unsubscribed'),
            (12, '2026-01-07', 'treatment', 'unreachable', '2026-03-12', 1, 'unreachable'),
            (13, '2026-01-07', 'treatment', 'unreachable', '2026-03-12', 1, NULL),
            (14, '2026-01-07', 'treatment', 'unsubscribed', '2026-03-12', 1, 'unsubscribed')
        """,
    )
    shown = seen(client_of(people), "/outcomes").text
    assert re.search(r"Too few texts arrived [^.]*\. [^.]*\. 2 40.0%", shown)
    assert re.search(r"Too little to tell [^.]*\. [^.]*\. 1 20.0%", shown)
    assert re.search(r"Resting \(no click\) [^.]*\. [^.]*\. 1 20.0%", shown)


def test_days_of_outcomes_are_paged(client: TestClient) -> None:
    first = seen(client, "/outcomes")
    (following,) = [href for text, href in first.links if text == "Earlier days →"]
    second = seen(client, urljoin("/", following))
    days = [[t for t, href in each.links if href.startswith("./?day=")] for each in (first, second)]
    assert len(days[0]) == marketer.PAGE_DAYS
    assert len(days[1]) == 45 - marketer.PAGE_DAYS
    assert not set(days[0]) & set(days[1])
    assert days[0][0] == "10 Mar 2026"


def test_invented_purchases_are_said(people: sa.Engine) -> None:
    execute(
        people,
        "INSERT INTO raw.load (source, entity, as_of, status, started_at, rows_loaded)"
        " VALUES ('sandbox', 'interaction', '2026-03-10', 'loaded', '2026-03-11Z', 4)",
    )
    assert "Some purchases here are invented." in seen(client_of(people), "/outcomes").text


def test_csv_of_outcomes(client: TestClient) -> None:
    header, *rows = csv_of(client, "/daily_steps.csv")
    assert header[:4] == ["as_of", "step", "arm", "due"]
    assert len(rows) == 45 * 3 * 2
    header, *rows = csv_of(client, "/contact_outcomes.csv")
    assert [row[header.index("outcome")] for row in rows] == ["opted_out", "returned"]


def test_loads_say_what_arrived_and_what_did_not(client: TestClient) -> None:
    text = seen(client, "/loads").text
    assert "shop What customers did Stopped 10 Mar 2026 10 Mar 2026 11 Mar 2026, 04:01" in text
    assert "120 10.0% 0 10 % of the rows were rejected" in text
    assert "shop no customer id 5 9" in text


# --- empty, down, refused ----------------------------------------------------------------------


def test_an_empty_warehouse_says_what_to_type(warehouse: sa.Engine) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    for path in ("/", "/loads"):
        assert f"make day AS_OF={yesterday}" in seen(client_of(warehouse), path).text
    assert "No outcomes have been counted yet." in seen(client_of(warehouse), "/outcomes").text


@pytest.mark.parametrize("path", ROUTES)
def test_a_database_that_is_down_is_a_page(path: str) -> None:
    engine = sa.create_engine("postgresql+psycopg://who:hush@127.0.0.1:1/none")
    text = seen(client_of(engine), path, status=503).text
    assert "The database does not answer" in text
    assert "hush" not in text


def test_a_database_without_tables_is_a_page(warehouse: sa.Engine) -> None:
    execute(warehouse, "DROP SCHEMA raw, core, cohort, outbox, outcome, history CASCADE")
    for path in ROUTES:
        text = seen(client_of(warehouse), path, status=503).text
        assert "its tables are missing" in text
        assert "make day AS_OF=" in text


def test_no_warehouse_at_all_is_a_page() -> None:
    def none() -> sa.Engine:
        raise ConfigurationError("No warehouse.")

    assert "make day" in seen(TestClient(create_page(none)), "/", status=503).text


def test_a_statement_that_takes_too_long_is_a_page(
    town: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(connection: sa.Connection, *_: Any, **__: Any) -> Any:
        connection.execute(sa.text("SET LOCAL statement_timeout = 20"))
        return connection.execute(sa.text("SELECT pg_sleep(5)"))

    monkeypatch.setattr(marketer.db, "run", slow)
    assert "took too long" in seen(client_of(town), "/", status=503).text


def test_the_page_cannot_write(town: sa.Engine) -> None:
    with (
        asking.reading(lambda: town) as connection,
        pytest.raises(sa.exc.InternalError, match="read-only"),
    ):
        connection.execute(sa.text("DELETE FROM cohort.day"))


def test_a_broken_policy_leaves_the_figures(town: sa.Engine) -> None:
    def broken() -> Any:
        raise ConfigurationError("The policy cannot be read.")

    client = client_of(town, policy=broken)
    assert "Due 263" in seen(client, f"/?day={DAY}").text
    assert "Times are in UTC" in seen(client, "/contact/1").text


def refuse(status: int) -> Callable[[], None]:
    def guard() -> None:
        raise HTTPException(status, "No.")

    return guard


@pytest.mark.parametrize("path", [*ROUTES, "/contact/x", "/contacts"])
@pytest.mark.parametrize("status", [401, 403])
def test_who_is_refused_sees_nothing(town: sa.Engine, path: str, status: int) -> None:
    answer = client_of(town, guard=[Depends(refuse(status))]).get(path)
    assert answer.status_code == status
    assert "Anna" not in answer.text
    assert "263" not in _Text(answer.text).text


def test_every_route_is_tried_for_the_guard(town: sa.Engine) -> None:
    app = create_page(lambda: town)
    tried = {re.sub(r"\d+", "{contact_id}", path.split("?")[0]) for path in ROUTES}
    assert {getattr(route, "path", None) for route in app.routes} == tried | {REVIEW}


# --- replies -----------------------------------------------------------------------------------

REVIEW = "/replies/{reply_id}/{meant}"
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def replied(warehouse: sa.Engine) -> sa.Engine:
    execute(
        warehouse,
        """
        INSERT INTO core.contact (
            contact_id, phone_hash, first_source, first_source_contact_id, first_seen_on
        ) VALUES (1, 'key-1', 'crm', '1', '2026-01-01')
        """,
        """
        INSERT INTO outbox.reply (
            provider, provider_reply_id, phone_hash, text, meaning, received_at, reviewed_at
        ) VALUES
            ('twilio', 'a', 'key-1', 'no more <b>please</b>', 'unclear', '2026-03-10 10:00Z', NULL),
            ('twilio', 'b', 'key-2', 'thanks', 'unclear', '2026-03-10 11:00Z', '2026-03-10 11:00Z'),
            ('twilio', 'c', 'key-2', 'STOP', 'stop', '2026-03-10 12:00Z', '2026-03-10 12:00Z')
        """,
    )
    return warehouse


def read(warehouse: sa.Engine) -> list[tuple[Any, ...]]:
    with warehouse.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                sa.text(
                    "SELECT meaning::text, reviewed_at IS NOT NULL, (SELECT status::text FROM "
                    "core.contact) FROM outbox.reply WHERE provider_reply_id = 'a'"
                )
            )
        ]


@pytest.mark.parametrize(
    ("meant", "then"),
    [
        ("stop", ("stop", True, "unsubscribed")),
        ("go-on", ("unclear", True, "active")),
        ("start", ("start", True, "active")),
    ],
)
def test_a_person_says_what_a_reply_means_once(
    replied: sa.Engine, meant: str, then: tuple[Any, ...]
) -> None:
    client = client_of(replied)
    page = client.get("/replies").text
    assert "no more &lt;b&gt;please" in page
    assert "thanks" not in page and "key-" not in page
    (reply_id,) = re.findall(r'action="replies/(\d+)/stop"', page)
    answer = client.post(f"/replies/{reply_id}/{meant}", headers=OURS)
    assert answer.url.path == "/replies"
    assert "none to read" in answer.text
    assert read(replied) == [then]
    other = "stop" if meant == "go-on" else "go-on"
    assert client.post(f"/replies/{reply_id}/{other}", headers=OURS).status_code == 200
    assert read(replied) == [then]


def test_the_replies_of_a_number_are_answered_together(replied: sa.Engine) -> None:
    execute(
        replied,
        """
        INSERT INTO outbox.reply (
            provider, provider_reply_id, phone_hash, text, meaning, received_at, counted_at
        ) VALUES
            ('twilio', 'd', 'key-1', '', 'unclear', '2026-03-10 13:00Z', NULL),
            ('twilio', 'e', 'key-3', 'hm', 'stop', '2026-03-01 13:00Z', '2026-03-08 13:00Z')
        """,
        "INSERT INTO core.phone_alias VALUES ('key-1', 'key-9'), ('key-9', 'key-1')",
        "UPDATE core.contact SET phone_hash = 'key-9'",
        """
        INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
        VALUES (0, 'key-3', 'sms', 'opted_out', 'unread', '2026-03-01 13:00Z')
        """,
        "INSERT INTO outbox.webhook (provider, digest, url, received_at, error)"
        " VALUES ('infobip', 'd', 'poll', '2026-03-09 10:00Z', '1 unread')",
    )
    client = client_of(replied)
    page = client.get("/replies").text
    assert "1 number waits" in page and "a picture, or an empty text" in page
    assert 'href="contact/1"' in page and "nobody we know" in page
    assert "counts as a stop from 17 Mar 2026" in page and "could not be read" in page
    first, second = re.findall(r'action="replies/(\d+)/go-on"', page)
    for reply_id in (first, second):
        client.post(f"/replies/{reply_id}/go-on", headers=OURS)
    page = client.get("/replies").text
    assert "none to read" in page and "Count as a stop" not in page
    left = "SELECT phone_hash FROM core.suppression WHERE lifted_at IS NULL"
    with replied.connect() as connection:
        # What a clear STOP has done stays.
        assert connection.execute(sa.text(left)).scalars().all() == ["key-2"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_sites_form_says_nothing(replied: sa.Engine, headers: dict[str, str]) -> None:
    assert client_of(replied).post("/replies/1/stop", headers=headers).status_code == 403
    assert read(replied) == [("unclear", False, "active")]


@pytest.mark.parametrize("may_read", [True, False])
def test_whoever_may_not_change_the_journey_may_not_say_it(
    replied: sa.Engine, may_read: bool
) -> None:
    guard = [] if may_read else [Depends(refuse(403))]
    client = client_of(replied, guard=guard, may_write=lambda: False)
    assert client.post("/replies/1/stop", headers=OURS).status_code == 403
    assert read(replied) == [("unclear", False, "active")]
    page = client.get("/replies")
    assert page.status_code == (200 if may_read else 403)
    assert "<form" not in page.text and "<button" not in page.text
    assert ("You may read them here" in page.text) == may_read


# --- how it is served --------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/reengage", "/airflow/reengage"])
def test_links_work_under_any_prefix(town: sa.Engine, prefix: str) -> None:
    from fastapi import FastAPI

    outer = FastAPI()
    outer.mount(prefix or "/", create_page(lambda: town))
    client = TestClient(outer)
    tried = set()
    for path in (f"/?day={DAY}", "/contacts?day=" + DAY, "/contact/1", "/contact/1/x", "/loads"):
        page = client.get(prefix + path)
        for _, href in _Text(page.text).links:
            assert "//" not in href
            target = urljoin(prefix + path, href)
            if target not in tried and not re.search(r"/contact/(?!1$)", target):
                tried.add(target)
                assert client.get(target).status_code == 200, (path, href)
    assert len(tried) > 40


@pytest.mark.parametrize("path", ROUTES)
def test_answers_are_kept_by_nobody_and_ask_no_other_site(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["cache-control"] == "no-store"
    if not path.split("?")[0].endswith(".csv"):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(r"(src|href)=.?https?:", answer.text)


def test_a_page_of_contacts_reads_its_day_by_index(people: sa.Engine) -> None:
    execute(
        people,
        """
        INSERT INTO cohort.decision
        SELECT
            '2025-01-01'::date + n / 20000, 1000 + n % 20000, '2024-12-01', 31, 'survey', 0, 0,
            'send', 'due', 'p1'
        FROM generate_series(0, 99999) AS n
        """,
        "ANALYZE cohort.decision",
    )
    binds = {
        "day": date(2025, 1, 3),
        "step": "survey",
        "action": "send",
        "reason": "due",
        "after": None,
        "row_limit": 101,
    }
    text = plan_of(people, "contacts", binds)
    assert "decision_by_day" in text
    assert "decision_pkey" not in text
    del binds["after"], binds["row_limit"]
    assert "decision_by_day" in plan_of(people, "count_contacts", binds)
    assert "decision_by_day" in plan_of(people, "waterfall", {"day": date(2025, 1, 3)})


def plan_of(warehouse: sa.Engine, name: str, binds: dict[str, Any]) -> str:
    """How PostgreSQL would run a statement of the page."""
    statement = (SQL / "marketer" / f"{name}.sql").read_text(encoding="utf-8")
    with warehouse.connect() as connection:
        return "\n".join(connection.execute(sa.text(f"EXPLAIN {statement}"), binds).scalars())
