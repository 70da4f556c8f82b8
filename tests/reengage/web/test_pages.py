"""What people say on the landing pages: answers, entries, breaks; and in whose words."""

import asyncio
import csv
import hashlib
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import yaml
from world import LINKS, World, create_app, small_policy

from reengage import cli, db
from reengage.clock import SimulatedClock
from reengage.errors import ConfigurationError
from reengage.journey import cohort
from reengage.policy import Policy, contrast, read_policy
from reengage.settings import INCLUDE, PROJECT
from reengage.texts.messages import message_id
from reengage.web import contest
from reengage.web.catalogues import Catalogues
from reengage.web.pages import Pages
from reengage.web.preferences import break_end
from reengage_local.landing import samples

NOW = datetime(2026, 12, 1, 15, tzinfo=UTC)
QUIET = date(2026, 9, 1)
SHIPPED = INCLUDE / "journey.yaml"
TEXTS = INCLUDE / "templates" / "landing" / "texts"
LANGUAGES = ["en", "fr", "id", "it", "ko"]

STEPS = """
- name: survey
  after_days: 30
  template: survey.txt
  incentive: {kind: value, value: 10, minimum: 40, valid_days: 7, where: Our shops in Rome}
  questions:
    - name: reason
      kind: choice
      required: true
      attribute: reason_away
      label: {en: "What has kept you away?", ko: "이유가 무엇인가요?"}
      options: {prices: The prices, range: The range}
    - {name: likes, kind: choices, attribute: likes, label: Likes, options: {a: As, b: Bs, c: Cs}}
    - {name: recommend, kind: scale, label: Recommend us, low: never, high: surely}
    - {name: again, kind: yes_no, attribute: comes_again, label: Will you come again}
    - {name: wish, kind: text, max_length: 20, label: A wish}
- name: contest
  after_days: 60
  template: contest.txt
  contest:
    name: spring
    opens_on: 2026-11-20
    closes_on: 2026-12-24
    winners: 3
    minimum_age: 18
    countries: [US, IT]
    prize: A bicycle
    terms: The promoter is Larkfield.
- name: coupon
  after_days: 90
  template: coupon.txt
  coupon: {kind: percent, value: 15, valid_days: 30, where: Everywhere}
"""


def write(tmp_path: Path, **values: Any) -> Path:
    """A policy's file: the shipped one with these steps and values."""
    content = {**yaml.safe_load(SHIPPED.read_text()), "steps": yaml.safe_load(STEPS), **values}
    file = tmp_path / "journey.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return file


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return read_policy(write(tmp_path))


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


class Client:
    """A browser without a screen, that asks the app without a network."""

    def __init__(self, app: Any) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://go.example")

    def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **request))

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.request("POST", path, **request)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()


class Web:
    """The service as its visitors see it, and the tables behind."""

    def __init__(self, engine: sa.Engine, client: Client) -> None:
        self.engine = engine
        self.client = client

    def rows(self, query: str, **binds: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), binds)]

    def run(self, query: str, **binds: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(query), binds)

    def sent(self, step: str, contact_id: int = 1, phone: str = "h1", **contact: Any) -> str:
        """The code of the link of a step that a contact was sent."""
        values = {"language": None, "country": None, "merged_into": None, **contact}
        self.run(
            "INSERT INTO core.contact (contact_id, phone_hash, first_name, language, country, "
            "merged_into, first_source, first_source_contact_id, first_seen_on) VALUES "
            "(:id, :phone, '<b>Ada', :language, :country, :merged_into, 'crm', :name, :day) "
            "ON CONFLICT DO NOTHING",
            id=contact_id,
            phone=phone,
            name=str(contact_id),
            day=QUIET,
            **values,
        )
        code = f"{step[:3]}AB{contact_id:04}"
        message = message_id(contact_id, QUIET, step, "sms")
        self.run(
            "INSERT INTO outbox.message (contact_id, message_id, dormant_since, step, channel, "
            "as_of, phone_hash, encoding, segments, not_before, not_after, status, status_at, "
            "accepted_at) VALUES (:id, :message, :day, :step, 'sms', :day, :phone, 'GSM-7', 1, "
            ":at, :at, 'delivered', :at, :at)",
            id=contact_id,
            message=message,
            day=QUIET,
            step=step,
            phone=phone,
            at=NOW - timedelta(hours=1),
        )
        self.run(
            "INSERT INTO outbox.link VALUES (:code, :message, :id, :target, :at, :end)",
            code=code,
            message=message,
            id=contact_id,
            target=f"landing:{step}",
            at=NOW,
            end=NOW + timedelta(days=90),
        )
        return code

    def get(self, path: str) -> str:
        return self.client.get(path).text

    def post(self, path: str, status: int = 200, **fields: Any) -> str:
        answer = self.client.post(path, data=fields)
        assert answer.status_code == status, answer.text
        return answer.text

    def answers(self) -> list[Any]:
        return self.rows("SELECT contact_id, answers FROM outbox.survey")

    def attributes(self) -> dict[str, Any]:
        return dict(self.rows("SELECT name, value FROM core.contact_attribute"))

    def entries(self) -> list[Any]:
        return self.rows(
            "SELECT contact_id, ticket, confirmed FROM outbox.contest_entry ORDER BY contact_id"
        )

    def pauses(self) -> list[Any]:
        return self.rows(
            "SELECT contact_id, phone_hash, until, lifted_at FROM core.suppression "
            "WHERE reason = 'paused' ORDER BY suppression_id"
        )


@pytest.fixture
def web(warehouse: sa.Engine, policy: Policy, clock: SimulatedClock) -> Iterator[Web]:
    app = create_app(warehouse, policy, clock)
    with Client(app) as client:
        yield Web(warehouse, client)


# -------------------------------------------------------------------------------------- surveys

GOOD = {"reason": "prices", "likes": ["a", "c"], "recommend": "8", "again": "yes", "wish": "Tea"}


def test_a_survey_is_kept_once_and_says_something_of_the_contact(web: Web) -> None:
    code = web.sent("survey")
    page = web.post(f"/{code}/answers", **GOOD)
    said = {"reason": "prices", "likes": ["a", "c"], "recommend": 8, "again": True, "wish": "Tea"}
    assert web.answers() == [(1, said)]
    assert web.attributes() == {"reason_away": "prices", "likes": ["a", "c"], "comes_again": True}
    ((given,),) = web.rows("SELECT code FROM outbox.coupon WHERE role = 'incentive'")
    for shown in (given, "$10 off", "On orders of $40 or more", "Our shops in Rome", "<svg"):
        assert shown in page
    ((words,),) = web.rows("SELECT words FROM outbox.survey")
    assert words["reason"]["answer"] == "The prices" and words["recommend"]["answer"] == "8 / 10"
    assert words["again"]["answer"] == "Yes" and words["likes"]["answer"] == "As and Cs"
    assert words["wish"].keys() == {"place", "question"}  # what somebody wrote is not repeated
    # Again, with another answer and one taken back: the same row, the same coupon.
    changed = {**GOOD, "reason": "range", "again": ""}
    assert given in web.post(f"/{code}/answers", **changed)
    said = {"reason": "range", "likes": ["a", "c"], "recommend": 8, "wish": "Tea"}
    assert web.answers() == [(1, said)]
    assert web.attributes() == {"reason_away": "range", "likes": ["a", "c"]}
    ((words,),) = web.rows("SELECT words FROM outbox.survey")
    assert words["reason"]["answer"] == "The range" and "again" not in words
    assert web.rows("SELECT count(*) FROM outbox.coupon") == [(1,)]
    again = web.get(f"/{code}")
    assert 'value="range" checked' in again and 'value="prices" checked' not in again
    assert 'value="8" checked' in again and "Tea</textarea>" in again and given in again
    assert web.rows(
        "SELECT question, answer FROM outbox.survey_answer ORDER BY question, answer"
    ) == [("likes", "a"), ("likes", "c"), ("reason", "range"), ("recommend", "8"), ("wish", "Tea")]


MISTAKES = [
    ({}, "reason", "Please answer this question."),
    ({"reason": "' OR 1=1 --"}, "reason", "Please choose from"),
    ({"reason": ["prices", "range"]}, "reason", "Please choose from"),
    ({"reason": "prices", "likes": ["a", "<script>"]}, "likes", "Please choose from"),
    ({"reason": "prices", "recommend": "11"}, "recommend", "Please choose from"),
    ({"reason": "prices", "recommend": "٣"}, "recommend", "Please choose from"),
    ({"reason": "prices", "again": "True"}, "again", "Please choose from"),
    ({"reason": "prices", "wish": "x" * 21}, "wish", "at most 20 characters. You’ve used 21."),
]


def test_a_mistake_is_shown_at_its_field_and_nothing_is_kept(web: Web) -> None:
    code = web.sent("survey")
    for fields, field, said in MISTAKES:
        page = web.post(f"/{code}/answers", 422, **fields)
        (wrong,) = re.findall(r'id="q-(\w+)-error">([^<]*)<', page)
        assert wrong[0] == field and said in wrong[1], fields
        assert f'href="#q-{field}"' in page and 'role="alert"' in page
        assert "<script" not in page and "OR 1=1" not in page
        # What was right stands in its field.
        assert ('value="prices" checked' in page) == (field != "reason")
    assert web.answers() == [] and web.attributes() == {}
    assert web.rows("SELECT count(*) FROM outbox.coupon") == [(0,)]
    assert web.rows("SELECT DISTINCT kind::text FROM outbox.hit") == [("press",)]


def test_what_people_type_is_text(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    code = web.sent("survey")
    typed = "</textarea><b>'\";\r\n\x00"
    web.post(f"/{code}/answers", **{**GOOD, "wish": typed, "unknown": "x", "constructor": "y"})
    ((_, said),) = web.answers()
    assert said["wish"] == "</textarea><b>'\";"
    assert "&lt;/textarea&gt;&lt;b&gt;" in web.get(f"/{code}")
    assert web.client.post(f"/{code}/answers", content=b"\xff=1").status_code == 400
    assert web.client.post(f"/{code}/answers", content=b"&".join([b"a=1"] * 300)).status_code == 400
    assert web.client.post(f"/{code}/answers", content=b"a=" + b"x" * 70_000).status_code == 413
    assert web.client.post(f"/{code}/answers", json={"reason": "prices"}).status_code == 422
    assert "textarea" not in caplog.text


def test_what_a_merged_contact_says_is_its_survivors(web: Web) -> None:
    web.sent("coupon", 2, "h2")
    code, other = web.sent("survey", 1, merged_into=2), web.sent("contest", 1)
    web.post(f"/{code}/answers", **GOOD)
    web.post(f"/{other}/enter", age="yes", country="yes")
    assert web.rows("SELECT DISTINCT contact_id FROM core.contact_attribute") == [(2,)]
    assert [entry[0] for entry in web.entries()] == [2]
    assert "Your ticket" in web.get(f"/{other}")


def test_of_an_erased_contact_nothing_is_kept(web: Web) -> None:
    survey, draw = web.sent("survey"), web.sent("contest", 2, "h2", country="US")
    web.run("UPDATE core.contact SET status = 'erased'")
    web.post(f"/{survey}/answers", **GOOD)
    web.post(f"/{draw}/enter", age="yes")
    assert (web.answers(), web.attributes(), web.entries()) == ([], {}, [])


def test_an_expired_link_asks_nothing_and_takes_no_answer(web: Web, clock: SimulatedClock) -> None:
    codes = web.sent("survey"), web.sent("contest")
    clock.move_to(NOW + timedelta(days=90))
    for code, path in zip(codes, ("answers", "enter"), strict=True):
        page = web.post(f"/{code}/{path}", 410, **GOOD, age="yes", country="yes")
        assert "has expired" in page and "<fieldset" in page  # a break and a stop are still there
    assert web.answers() == [] and web.entries() == []


# ------------------------------------------------------------------------------------- contests


def test_an_entry_is_one_a_person_and_one_a_number(web: Web) -> None:
    code = web.sent("contest", country="US")
    page = web.get(f"/{code}")
    for said in ("A bicycle", "December 24, 2026", "I am 18 or older", "promoter is Larkfield"):
        assert said in page
    assert "I live in" not in page
    wrong = web.post(f"/{code}/enter", 422)
    assert "Please tick this box" in wrong and 'aria-invalid="true"' in wrong
    web.post(f"/{code}/enter", 422, age="no")
    assert web.entries() == []
    page = web.post(f"/{code}/enter", age="yes")
    ((_, ticket, confirmed),) = web.entries()
    assert confirmed == {"age": 18, "closes_on": "2026-12-24"}
    assert ticket in page and "You’re in" in page
    assert ticket in web.post(f"/{code}/enter", age="yes")
    same_number, another = web.sent("contest", 2, "h1", country="US"), web.sent("contest", 3, "h3")
    assert ticket in web.post(f"/{same_number}/enter", age="yes")
    # The same number, as it is written elsewhere.
    web.run("INSERT INTO core.phone_alias VALUES ('h1', 'H1'), ('H1', 'h1')")
    assert ticket in web.post(f"/{web.sent('contest', 4, 'H1', country='US')}/enter", age="yes")
    assert "I live in United States and Italy" in web.get(f"/{another}")
    web.post(f"/{another}/enter", 422, age="yes")
    web.post(f"/{another}/enter", age="yes", country="yes")
    assert [(entry[0], entry[2]) for entry in web.entries()] == [
        (1, confirmed),
        (3, {**confirmed, "country": ["US", "IT"]}),
    ]


def test_who_entered_on_another_card_sees_that_entry(web: Web) -> None:
    first, second, third = (web.sent("contest", n, f"h{n}", country="US") for n in (1, 2, 3))
    web.post(f"/{first}/enter", age="yes")
    ((_, ticket, _),) = web.entries()
    # 1 and 3 were found to be 2 since; each has a number of its own.
    web.run("UPDATE core.contact SET merged_into = 2 WHERE contact_id IN (1, 3)")
    for code in (second, third):
        assert ticket in web.get(f"/{code}")
        assert ticket in web.post(f"/{code}/enter", age="yes")
    assert len(web.entries()) == 1


@pytest.mark.parametrize(
    ("changes", "country", "says"),
    [
        ({}, "US", None),
        ({"opens_on": date(1998, 1, 14)}, "US", None),
        ({"opens_on": date(1998, 1, 15)}, "US", "takes entries from 1998-01-15 to 1998-02-01"),
        ({"countries": ("IT", "US")}, "US", None),
        ({"countries": ("IT",)}, "US", "is for IT, and contact 1 is in US"),
        ({"countries": ("IT",)}, None, None),
        ({"name": "spring"}, "US", "Contest spring of step contest is drawn"),
    ],
)
def test_nobody_is_invited_who_could_not_enter(
    warehouse: sa.Engine,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    country: str | None,
    says: str | None,
) -> None:
    policy = small_policy(ladder={"contest": 3})
    (step,) = policy.steps
    assert step.contest
    contest = step.contest.model_copy(update={"closes_on": date(1998, 2, 1), **changes})
    policy = policy.model_copy(update={"steps": (step.model_copy(update={"contest": contest}),)})
    world, quiet = World(warehouse, policy, is_new=True), date(1998, 1, 10)
    world.load(
        quiet,
        lambda load: [
            load.contact(1, 1),
            load.consent(1, datetime(1997, 1, 1, tzinfo=UTC)),
            load.interaction(1, quiet),
        ],
    )
    world.sql("UPDATE core.contact SET country = :country", country=country)
    world.sql(
        "INSERT INTO outbox.contest (contest, seed, commitment, seen_at, drawn_at)"
        " VALUES ('spring', 's', 'c', now(), now())"
    )
    as_of = quiet + timedelta(days=3)  # decided, and to be sent, on the fourteenth
    world.load(as_of)
    assert world.decide(as_of).sends() == ({} if says else {"contest": 1})
    assert (says or "") in caplog.text


def test_nobody_is_texted_about_a_contest_that_is_closed(
    warehouse: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    policy = small_policy(ladder={"contest": 3})
    (step,) = policy.steps
    world, quiet = World(warehouse, policy, is_new=True), date(1998, 1, 10)
    as_of = quiet + timedelta(days=3)
    world.load(
        quiet,
        lambda load: [
            (
                load.contact(n, n),
                load.consent(n, datetime(1997, 1, 1, tzinfo=UTC)),
                load.interaction(n, day),
            )
            for n, day in ((1, quiet), (2, quiet + timedelta(days=1)))
        ],
    )
    world.load(quiet + timedelta(days=1))

    def until(closes_on: date) -> Policy:
        ends = step.contest.model_copy(update={"closes_on": closes_on}) if step.contest else None
        return policy.model_copy(update={"steps": (step.model_copy(update={"contest": ends}),)})

    # Decided on the day after as_of at 10:00: on the contest's last day, and the day after it.
    world.follow(until(as_of + timedelta(days=1)))
    world.load(as_of)
    assert world.decide(as_of).sends() == {"contest": 1}
    (row,) = world.sql("SELECT not_after FROM outbox.message")
    assert row.not_after == world.at(as_of + timedelta(days=1), 0)
    world.load(as_of + timedelta(days=1))
    assert world.decide(as_of + timedelta(days=1)).sends() == {}
    (row,) = world.sql("SELECT reason::text FROM cohort.decision WHERE contact_id = 2")
    assert row.reason == "template"
    assert f"takes entries until {as_of + timedelta(days=1)}" in caplog.text
    (row,) = world.sql("SELECT sentence FROM core.word WHERE word = 'template'")
    assert "its contest closed" in row.sentence


def test_who_may_not_enter_is_told_so(web: Web, clock: SimulatedClock) -> None:
    code, early = web.sent("contest", country="KR", language="ko"), web.sent("contest", 2, "h2")
    page = web.post(f"/{code}/enter", age="yes", country="yes")
    assert "거주하시는 국가에서는" in page and "미국 및 이탈리아" in page
    assert '<html lang="ko">' in page
    clock.move_to(datetime(2026, 12, 25, 4, 59, tzinfo=UTC))  # the 24th, in New York
    assert "Enter the draw" in web.get(f"/{early}")
    clock.move_to(datetime(2026, 12, 25, 5, tzinfo=UTC))
    late = web.post(f"/{early}/enter", age="yes", country="yes")
    assert "The draw is closed" in late and "December 24, 2026" in late
    assert web.entries() == []


def test_nobody_enters_before_the_opening(
    warehouse: sa.Engine, policy: Policy, clock: SimulatedClock
) -> None:
    before = SimulatedClock(datetime(2026, 11, 20, 4, 59, tzinfo=UTC))
    with Client(create_app(warehouse, policy, before)) as client:
        web = Web(warehouse, client)
        code = web.sent("contest", country="US")
        assert "November 20, 2026" in web.post(f"/{code}/enter", age="yes")
        assert web.entries() == []
        before.move_to(datetime(2026, 11, 20, 5, tzinfo=UTC))
        web.post(f"/{code}/enter", age="yes")
        assert len(web.entries()) == 1


def test_a_draw_can_be_checked_by_anybody(
    web: Web,
    policy: Policy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    codes = [web.sent("contest", n, f"h{n}", country="US") for n in range(1, 9)]
    for code in codes:
        page = web.post(f"/{code}/enter", age="yes")
    ((seed, commitment),) = web.rows("SELECT seed, commitment FROM outbox.contest")
    assert hashlib.sha256(seed.encode()).hexdigest() == commitment
    open_draw = web.get("/draws/spring")
    assert commitment in page and commitment in open_draw
    assert seed not in page + open_draw
    assert web.client.get("/draws/spring/tickets.txt").status_code == 404
    for unknown in ("autumn", "'--", "x" * 3000, "%00", "a%00/tickets.txt"):
        assert web.client.get(f"/draws/{unknown}").status_code == 404

    # Merged since: one person, one ticket. Erased: none.
    web.run("UPDATE core.contact SET merged_into = 2 WHERE contact_id = 3")
    web.run("UPDATE core.contact SET status = 'erased' WHERE contact_id = 4")
    with pytest.raises(contest.DrawRefused, match="takes entries until 2026-12-24"):
        contest.make_draw(web.engine, policy, "spring", datetime(2026, 12, 25, 4, 59, tzinfo=UTC))
    # Who shortens a contest does not cheat those who were told another day.
    (step,) = (s for s in policy.steps if s.contest)
    assert step.contest
    sooner = step.contest.model_copy(update={"closes_on": date(2026, 12, 1)})
    shorter = policy.model_copy(update={"steps": (step.model_copy(update={"contest": sooner}),)})
    with pytest.raises(contest.DrawRefused, match="takes entries until 2026-12-24"):
        contest.make_draw(web.engine, shorter, "spring", datetime(2026, 12, 20, tzinfo=UTC))
    with pytest.raises(contest.DrawRefused, match="no contest named 'autumn'; it has spring"):
        contest.make_draw(web.engine, policy, "autumn", NOW)

    home = tmp_path / "home"
    monkeypatch.setenv("REENGAGE_HOME", str(home))
    monkeypatch.setenv("REENGAGE_POLICY", str(tmp_path / "journey.yaml"))
    at = datetime(2026, 12, 25, 5, tzinfo=UTC)
    monkeypatch.setattr("reengage.journey.simulation.wall_clock", lambda: at)
    assert cli.main(["draw", "--contest", "spring"]) == 0
    first = capsys.readouterr().out
    tickets = {row[0]: row[1] for row in web.entries()}
    drawn = sorted(
        (ticket for contact_id, ticket in tickets.items() if contact_id not in (3, 4)),
        key=lambda ticket: hashlib.sha256((seed + ticket).encode()).hexdigest(),
    )
    with (home / "draws/spring-winners.csv").open(newline="") as lines:
        winners = list(csv.DictReader(lines))
    assert [(row["ticket"], row["place"]) for row in winners] == [
        (ticket, str(place)) for place, ticket in enumerate(drawn[:3], 1)
    ]
    assert [tickets[int(row["contact_id"])] for row in winners] == drawn[:3]

    # Again, later: it stays as it was.
    at += timedelta(days=9)
    assert cli.main(["draw", "--contest", "spring"]) == 0
    assert "it was drawn before, and stays as it was" in capsys.readouterr().out

    # As docs/contest.md has it, with what the service publishes.
    page, listed = web.get("/draws/spring"), web.get("/draws/spring/tickets.txt")
    assert seed in page and all(ticket in page for ticket in drawn[:3])
    (tmp_path / "tickets.txt").write_text(listed)
    code = re.search("```python\n(.*?)```", (PROJECT / "docs/contest.md").read_text(), re.S)
    assert code
    check = [sys.executable, "-c", code[1], seed, commitment]
    said = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert f"Right: 6 tickets, first {' '.join(drawn[:3])}" in said
    digest = said.rsplit(" ", 1)[1].strip()
    assert digest in first and digest in page
    (tmp_path / "tickets.txt").write_text("\n".join(reversed(listed.split())))
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_a_winner_reads_so_on_the_page_and_nobody_enters_any_more(
    web: Web, policy: Policy, clock: SimulatedClock
) -> None:
    codes = [web.sent("contest", n, f"h{n}", country="US") for n in range(1, 6)]
    for code in codes[:4]:
        web.post(f"/{code}/enter", age="yes")
    clock.move_to(NOW + timedelta(days=30))
    made = contest.make_draw(web.engine, policy, "spring", clock())
    assert made.is_new and len(made.winners) == 3
    won = {contact_id for contact_id, _, _ in made.winners}
    for contact_id, code in enumerate(codes[:4], 1):
        page = web.get(f"/{code}")
        assert ("Your ticket was drawn!" in page) == (contact_id in won)
        assert ("Not this time." in page) == (contact_id not in won)
    assert "The draw is closed" in web.post(f"/{codes[4]}/enter", age="yes")
    # Even were the clock behind, or the policy's close moved, after the draw.
    with web.engine.begin() as connection:
        db.run(
            connection,
            "web/enter_contest",
            contest="spring",
            contact_id=5,
            phone_hash="h5",
            message_id=uuid.uuid4(),
            ticket="X",
            confirmed="{}",
            at=NOW,
        )
    assert len(web.entries()) == 4


# --------------------------------------------------------------------------------- what one wishes


def test_a_break_holds_until_its_day_and_then_ends_by_itself(
    web: Web, clock: SimulatedClock
) -> None:
    code = web.sent("survey")
    page = web.post(f"/{code}/pause", months="3")
    assert "before" in page and "March 1, 2027" in page
    assert web.pauses() == [(1, "h1", date(2027, 3, 1), None)]
    # Another end replaces the first.
    web.post(f"/{code}/pause", months="1")
    assert web.pauses() == [(1, "h1", date(2027, 1, 1), None)]
    assert "January 1, 2027" in web.get(f"/{code}")
    for as_of, left in ((date(2026, 12, 30), 1), (date(2026, 12, 31), 0), (date(2027, 1, 5), 0)):
        with web.engine.begin() as connection:
            db.run(connection, "core/lift_pauses", as_of=as_of, at=NOW)
        assert [row[3] for row in web.pauses()].count(None) == left
    assert web.rows("SELECT status::text FROM core.contact") == [("active",)]


def test_nobody_is_decided_to_be_texted_in_a_break_and_everybody_is_after_it(
    warehouse: sa.Engine,
) -> None:
    # A ladder of 3, 6 and 9 days; the break ends before the second step would be due anyway.
    world, quiet = World(warehouse, small_policy()), date(1998, 1, 10)
    world.load(
        quiet,
        lambda load: (
            load.contact(1, 1),
            load.consent(1, datetime(1997, 1, 1, tzinfo=UTC)),
            load.interaction(1, quiet),
        ),
    )
    with warehouse.begin() as connection:
        db.run(
            connection,
            "core/pause",
            contact_id=1,
            phone_hash=None,
            channel="sms",
            source="landing",
            at=world.at(quiet, 12),
            until_on=date(1998, 1, 15),
        )
    said = []
    for days in (3, 4):
        as_of = quiet + timedelta(days=days)
        world.load(as_of)
        world.clock.move_to(world.at(as_of, 10))
        counts = cohort.decide(warehouse, world.policy, as_of, world.clock, LINKS)
        said.append([(action, reason) for _, action, reason in counts.contacts])
    # On the 14th, whose texts go on the 15th, the break is over.
    assert said == [[("hold", "suppressed")], [("send", "due")]]


def test_a_break_is_ended_by_a_press_and_never_ends_a_stop(web: Web) -> None:
    code = web.sent("survey")
    web.post(f"/{code}/pause", months="6")
    assert "The break is over" in web.post(f"/{code}/resume")
    assert web.pauses() == [(1, "h1", date(2027, 6, 1), NOW)]
    web.post(f"/{code}/opt-out")
    for path in ("pause", "resume"):
        page = web.post(f"/{code}/{path}", months="1")
        assert "asked us to stop for good" in page
    assert len(web.pauses()) == 1
    assert web.rows("SELECT reason::text FROM core.suppression WHERE lifted_at IS NULL") == [
        ("opted_out",)
    ]


def test_a_break_of_another_length_is_refused(web: Web) -> None:
    code = web.sent("survey")
    for months in ("2", "-1", "1 ", "x", "", ["1", "3"]):
        assert web.client.post(f"/{code}/pause", data={"months": months}).status_code == 400
    assert web.pauses() == []


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        ((2026, 12, 1), 1, (2027, 1, 1)),
        ((2027, 1, 31), 1, (2027, 3, 1)),
        ((2026, 8, 31), 6, (2027, 3, 1)),
        ((2026, 12, 31), 6, (2027, 7, 1)),
        ((2026, 10, 31), 1, (2026, 12, 1)),
        ((2028, 1, 29), 1, (2028, 2, 29)),
    ],
)
def test_a_break_ends_on_a_day_that_there_is(
    policy: Policy, day: tuple[int, int, int], months: int, end: tuple[int, int, int]
) -> None:
    at = datetime(*day, 23, 30, tzinfo=policy.brand.zone).astimezone(UTC)
    assert break_end(at, months, policy.brand.zone) == date(*end)


def test_no_get_answers_enters_or_pauses(web: Web) -> None:
    """A tab that is opened again asks for what its button did: it is led to the page."""
    survey, draw = web.sent("survey"), web.sent("contest", 2, "h2", country="US")
    for code in (survey, draw):
        for path in ("", "/answers", "/enter", "/pause", "/resume", "/opt-out"):
            for method in ("GET", "HEAD"):
                answer = web.client.request(
                    method,
                    f"/{code}{path}?reason=prices&age=yes&months=1",
                    headers={"User-Agent": "Mozilla/5.0"},
                )
                led = (303, f"/{code}") if path else (200, None)
                assert (answer.status_code, answer.headers.get("location")) == led
    assert web.answers() == [] and web.entries() == [] and web.attributes() == {}
    assert web.rows("SELECT * FROM core.suppression") == []


# ------------------------------------------------------------------------------ words and colours


def test_every_page_is_written_in_every_language(policy: Policy) -> None:
    seen: dict[str, set[str]] = {}
    for name, language, page in samples(policy, NOW):
        seen.setdefault(name, set()).add(language)
        assert f'<html lang="{language}">' in page
        body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.S)
        assert not re.search(r"[{}]|\bNone\b|Undefined", body), (name, language)
        assert len(page.encode()) < 30_000
        if language == "ko":
            # No sentence was left in another language; the brand, links and codes aside.
            assert re.search("[가-힣]", re.sub("<[^>]+>", "", body))
    assert len(seen) >= 22
    assert all(languages == set(LANGUAGES) for languages in seen.values())


def test_no_text_shows_the_choice_of_a_korean_particle() -> None:
    korean = (TEXTS / "ko.yaml").read_text(encoding="utf-8")
    assert re.findall(r"\S*(?:은\(는\)|을\(를\)|이\(가\)|와\(과\))", korean) == []


def test_a_label_that_a_language_lacks_is_said_in_the_brands_and_marked_so(web: Web) -> None:
    page = web.get("/" + web.sent("survey", language="ko"))
    assert "이유가 무엇인가요?" in page
    assert '<span lang="en">The prices</span>' in page
    assert '<html lang="en">' in web.get("/" + web.sent("survey", 2, "h2", language="sw"))


def test_a_coupons_page_names_what_its_holder_last_looked_at(web: Web) -> None:
    code = web.sent("coupon", 1, country="US")
    web.run(
        "INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value, expires_at, role)"
        " VALUES ('7KFM2-XR9TB', :message, 1, 'percent', 15, :end, 'coupon')",
        message=message_id(1, QUIET, "coupon", "sms"),
        end=NOW + timedelta(days=9),
    )
    plain = web.get(f"/{code}")
    assert "7KFM2-XR9TB" in plain and "Remember" not in plain
    web.run(
        "INSERT INTO core.product (source, source_product_id, name, is_available, load_id) VALUES"
        " ('shop', 'lamp', 'Lamp & Co', TRUE, 1)"
    )
    web.run("SELECT core.add_month(:day)", day=QUIET)
    web.run(
        "INSERT INTO core.interaction (contact_id, source, source_event_id, kind, occurred_at,"
        " occurred_on, product_id, loaded_at, load_id) VALUES"
        " (1, 'shop', 'v1', 'visit', :at, :day, 'lamp', :at, 1)",
        at=NOW - timedelta(days=40),
        day=QUIET,
    )
    assert "Remember Lamp &amp; Co?" in web.get(f"/{code}")
    web.run("ALTER TABLE core.product RENAME COLUMN name TO title")
    try:
        assert "7KFM2-XR9TB" in web.get(f"/{code}"), "the page does without"
    finally:
        web.run("ALTER TABLE core.product RENAME COLUMN title TO name")
    web.post(f"/{code}/opt-out")
    assert "Lamp" not in web.get(f"/{code}")


def test_a_coupon_says_when_where_and_from_what_on(web: Web) -> None:
    values = {
        "kind": "percent",
        "value": 15,
        "minimum": 40,
        "role": "coupon",
        "expires_at": datetime(2026, 12, 5, 1, tzinfo=UTC),
    }
    for contact_id, (language, more) in enumerate(
        [("en", {}), ("it", {}), ("ko", {"starts_at": NOW + timedelta(days=2)})], 1
    ):
        code = web.sent("coupon", contact_id, f"h{contact_id}", language=language, country="US")
        row = {**values, **more, "code": f"7KFM2-XR9T{contact_id}", "contact_id": contact_id}
        row["message_id"] = message_id(contact_id, QUIET, "coupon", "sms")
        names = ", ".join(row)
        binds = ", ".join(
            "CAST(:kind AS outbox.coupon_kind)" if name == "kind" else f":{name}" for name in row
        ).replace(":role", "CAST(:role AS outbox.coupon_role)")
        web.run(f"INSERT INTO outbox.coupon ({names}) VALUES ({binds})", **row)
        page = re.sub("<[^>]+>", "", web.get(f"/{code}")).replace("\u202f", " ")
        assert row["code"] in page and "Everywhere" in page
        assert {
            "en": "Good until December 4, 2026, 8:00 PM (New York)",
            "it": "Valido fino al 4 dicembre 2026, ore 20:00 (New York)",
            "ko": "2026년 12월 3일부터 2026년 12월 4일 오후 8:00 (뉴욕)까지 사용 가능",
        }[language] in " ".join(page.split())


def test_the_catalogues_are_whole(policy: Policy) -> None:
    pages = Pages(policy)
    assert sorted(pages.catalogues.languages) == LANGUAGES
    texts = {
        language: yaml.safe_load((TEXTS / f"{language}.yaml").read_text()) for language in LANGUAGES
    }
    for language, parts in texts.items():
        for part, keys in texts["en"].items():
            assert parts[part].keys() == keys.keys(), (language, part)
            for key, text in keys.items():
                found = [re.findall(r"\{(\w+)\}", said) for said in (text, parts[part][key])]
                assert sorted(found[0]) == sorted(found[1]), (language, part, key)


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("it", "site: {stopp: x}", "no page says site.stopp"),
        ("it", "site: {stop: 'x {who}'}", "wants to be filled with who, but there is brand"),
        ("it", "site: {stop: 'x {brand.__class__}'}", "is no name of a field"),
        ("it", "site: {stop: 'x {'}", "Write a brace twice"),
        ("it", "site: {stop: no}", "is no text, but False"),
        ("it", "- site", "holds no texts"),
        ("en", "site: {stop: x}", "lacks site.questions"),
        ("de", "site: {stop: 'x'}", None),
    ],
)
def test_a_mistake_in_a_catalogue_is_named(
    tmp_path: Path, policy: Policy, language: str, text: str, said: str | None
) -> None:
    (tmp_path / "en.yaml").write_text("site: {stop: 'Stop {brand}', questions: Ask}")
    (tmp_path / f"{language}.yaml").write_text(text)
    if said is None:
        voice = Catalogues([tmp_path], policy.brand, ["site.stop"]).voice("de")
        assert (voice("site.stop"), voice("site.questions")) == ("x", "Ask")
        return
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        Catalogues([tmp_path], policy.brand, ["site.stop", "site.questions"])


def test_a_brand_whose_language_is_not_written_is_told_so(policy: Policy) -> None:
    brand = policy.brand.model_copy(update={"language": "de"})
    with pytest.raises(ConfigurationError, match=r"de\.yaml is missing"):
        Pages(policy.model_copy(update={"brand": brand}))


@pytest.mark.parametrize(
    ("step", "key", "value", "said"),
    [
        (0, "questions", [{"name": "a", "kind": "choice", "label": "A"}], "two options or more"),
        (
            0,
            "questions",
            [{"name": "a", "kind": "text", "label": "A", "attribute": "b"}],
            "may hold",
        ),
        (0, "questions", [{"name": "a", "kind": "text", "label": "A", "low": "b"}], "only a scale"),
        (
            0,
            "questions",
            [{"name": "a", "kind": "text", "label": {"ko": "가"}}],
            "brand's language",
        ),
        (0, "questions", [{"name": "a", "kind": "text", "label": " "}], "write some words"),
        (
            0,
            "questions",
            [{"name": "a", "kind": "yes_no", "label": label} for label in "AB"],
            "have one name",
        ),
        (0, "contest", {"name": "a", "closes_on": "2026-12-31", "prize": "A"}, "not both"),
        (
            1,
            "contest",
            {"name": "a", "closes_on": "2026-12-31", "prize": "A", "opens_on": "2027-01-01"},
            "must not be after",
        ),
        (
            1,
            "contest",
            {
                "name": "a",
                "closes_on": "2026-12-31",
                "prize": "A",
                "terms_url": "javascript:alert(1)",
            },
            "https://",
        ),
    ],
)
def test_a_page_that_cannot_be_is_refused_with_the_policy(
    tmp_path: Path, step: int, key: str, value: Any, said: str
) -> None:
    steps = yaml.safe_load(STEPS)
    steps[step][key] = value
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        read_policy(write(tmp_path, steps=steps))


def test_colours_are_readable_or_refused(tmp_path: Path) -> None:
    brand = yaml.safe_load(SHIPPED.read_text())["brand"]
    pale = {**brand, "colours": {"light": {"accent": "#aaccbb"}}}
    said = r"colours\.light: accent #aaccbb cannot be read on paper #f5f0e6: .* is 1\.5, and 4\.5"
    with pytest.raises(ConfigurationError, match=said):
        read_policy(write(tmp_path, brand=pale))
    bold = {**brand, "colours": {"light": {"accent": "#7a1f5a"}}}
    page = Pages(read_policy(write(tmp_path, brand=bold))).missing(404)
    assert b"--accent: #7a1f5a;" in page.body
    # https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_logo_is_a_part_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    brand = {**yaml.safe_load(SHIPPED.read_text())["brand"], "logo": "logo.svg"}
    file = write(tmp_path, brand=brand)
    monkeypatch.setenv("REENGAGE_POLICY", str(file))
    with pytest.raises(ConfigurationError, match=r"logo\.svg cannot be read"):
        Pages(read_policy(file))
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    page = Pages(read_policy(file)).missing(404)
    assert b'<img src="data:image/svg+xml;base64,PHN2' in page.body
    (tmp_path / "logo.svg").write_text("x" * 40_001)
    with pytest.raises(ConfigurationError, match="40,000 is the most"):
        Pages(read_policy(file))
    gif = write(tmp_path, brand={**brand, "logo": "logo.gif"})
    with pytest.raises(ConfigurationError, match=r"none of \.jpeg"):
        Pages(read_policy(gif))
