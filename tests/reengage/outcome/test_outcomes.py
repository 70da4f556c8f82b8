"""The end of an episode: one outcome each, the first that fits, and what follows from it.

Random histories are held against the model in test_cohort.py; here are the cases by name.
"""

from copy import deepcopy
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from world import RULES, START, Load, World, small_policy

from reengage import cli, db
from reengage.maintenance import audits
from reengage.outcome import outcomes
from reengage.outcome.outcomes import Followed
from reengage.settings import SQL
from reengage.texts.messages import message_id

Key = tuple[int, date, str]
LONG_AGO = START - timedelta(days=3)


def outcome_of(world: World) -> list[Any]:
    rows = world.sql("SELECT outcome FROM outcome.contact_outcome ORDER BY dormant_since")
    return [row.outcome for row in rows]


def status_of(world: World) -> str:
    return str(world.sql("SELECT status FROM core.contact")[0][0])


@pytest.fixture
def world(warehouse: sa.Engine) -> World:
    """One contact, quiet for three days on START: the survey is due."""
    world = World(warehouse, small_policy(ladder=(3, 40, 41), close_after_days=40), is_new=True)

    def fill(load: Load) -> None:
        load.contact(1, 1)
        load.consent(1, world.at(LONG_AGO, -100))
        load.interaction(1, LONG_AGO)

    world.load(START, fill)
    world.decide(START)
    return world


SURVEY: Key = (1, LONG_AGO, "survey")
AFTER = START + timedelta(days=1)


def end(world: World, day: date) -> None:
    """Bring the ladder to its end at once: the close is what is tested."""
    world.policy = world.policy.model_copy(update={"close_after_days": 1})
    world.model.policy = world.policy
    world.sql("UPDATE cohort.episode SET next_due_on = NULL, next_step = NULL")
    for episode in world.model.open():
        episode.due_on = None
    world.write(day)
    world.check_state()


@pytest.mark.parametrize(
    ("stopped", "back", "hits", "fate", "outcome", "status"),
    [
        (True, True, ["human"], "delivered", "opted_out", "unsubscribed"),
        (True, False, [], "delivered", "opted_out", "unsubscribed"),
        (True, False, ["unsure"], "delivered", "opted_out", "unsubscribed"),
        (False, True, ["human"], "delivered", "returned", "active"),
        (False, False, ["unsure", "human"], "delivered", "active", "active"),
        (False, False, [], "delivered", "unsubscribed", "unsubscribed"),
        (False, False, ["machine"], "delivered", "unsubscribed", "unsubscribed"),
        (False, False, ["machine", "unsure"], "delivered", "unreachable", "active"),
        (False, False, [], "undelivered", "unreachable", "active"),
        (False, False, [], "unknown", "unreachable", "active"),
    ],
)
def test_the_first_outcome_that_fits_is_written(
    world: World, stopped: bool, back: bool, hits: list[str], fate: str, outcome: str, status: str
) -> None:
    world.fate(SURVEY, fate, world.at(START, 11))
    for who in hits:
        world.hit(SURVEY, world.at(START, 12), who)
    if stopped:
        world.stop(1, world.at(START, 13))
    world.load(
        AFTER, (lambda load: load.interaction(1, AFTER) and None) if back else lambda _: None
    )
    world.decide(AFTER)
    end(world, AFTER)
    assert outcome_of(world) == [outcome]
    assert status_of(world) == status
    world.write(AFTER)
    assert outcome_of(world) == [outcome]


@pytest.mark.parametrize(
    ("arrived", "outcome", "status"),
    [(1, "unreachable", "active"), (2, "unsubscribed", "unsubscribed")],
)
def test_so_many_texts_as_the_policy_says_must_have_arrived_before_anybody_is_given_up(
    world: World, arrived: int, outcome: str, status: str
) -> None:
    changes: dict[str, Any] = {"close_after_days": 40, "unsubscribe_after_texts": 2}
    world.follow(small_policy(ladder=(3, 40, 99), **changes))
    world.fate(SURVEY, "delivered", world.at(START, 11))
    second = START + timedelta(days=37)
    world.load(second)
    world.decide(second)
    fate = "delivered" if arrived == 2 else "undelivered"
    world.fate((1, LONG_AGO, "contest"), fate, world.at(second, 11))
    world.load(second + timedelta(days=1))
    world.decide(second + timedelta(days=1))
    end(world, second + timedelta(days=1))
    assert (outcome_of(world), status_of(world)) == ([outcome], status)
    assert standing(world) == ({(1, "inactivity")} if arrived == 2 else set())


@pytest.mark.parametrize(
    "sign", ["signal", "late signal", "hit", "machine", "unsure", "email_open"]
)
def test_a_sign_of_life_lifts_inactivity_and_nothing_else_does(world: World, sign: str) -> None:
    world.fate(SURVEY, "delivered", world.at(START, 11))
    world.load(AFTER)
    world.decide(AFTER)
    end(world, AFTER)
    assert status_of(world) == "unsubscribed"
    later = AFTER + timedelta(days=1)
    if sign in ("hit", "machine", "unsure"):
        world.hit(SURVEY, world.at(later, -0.5), "human" if sign == "hit" else sign)
    on = START - timedelta(days=1) if sign == "late signal" else later
    kind = "email_open" if sign == "email_open" else "purchase"
    is_row = sign in ("signal", "late signal", "email_open")
    world.load(later, lambda load: is_row and load.interaction(1, on, kind) and None)
    world.decide(later)
    world.write(later)
    lifted = sign in ("signal", "late signal", "hit")
    assert status_of(world) == ("active" if lifted else "unsubscribed")


@pytest.mark.parametrize(("attribution_days", "is_open"), [(0, False), (1, True), (None, True)])
def test_figures_of_a_day_are_open_until_its_window_is_over(
    world: World, attribution_days: int | None, is_open: bool
) -> None:
    world.write(START)
    with world.engine.connect() as connection:
        told = db.run(connection, "outcome/totals", attribution_days=attribution_days).all()
    assert [(row.step, row.due, row.is_open) for row in told] == [("survey", 1, is_open)]


def test_sums_of_several_currencies_are_taken_apart_once(world: World) -> None:
    world.fate(SURVEY, "delivered", world.at(START, 11))

    def fill(load: Load) -> None:
        load.interaction(1, AFTER)
        load._sql(
            "UPDATE core.interaction SET currency = 'EUR' WHERE source_event_id = :event",
            event=load.interaction(1, AFTER),
        )

    world.load(AFTER, fill)
    world.decide(AFTER)
    world.write(AFTER)
    figures = "SELECT revenue::integer, other_revenue, opened FROM outcome.daily_step"
    spent = "SELECT revenue::integer, other_revenue FROM outcome.contact_outcome"
    assert [tuple(row) for row in world.sql(figures)] == [(7, {"EUR": 7}, 0)]
    # As it stood before currencies were told apart; what was counted then stays counted.
    world.sql("UPDATE outcome.daily_step SET revenue = 14, other_revenue = '{}', opened = 1")
    world.sql("UPDATE outcome.contact_outcome SET revenue = 14, other_revenue = '{}'")
    world.sql("DELETE FROM core.derived_from WHERE name = 'revenue'")
    long_after = AFTER + timedelta(days=200)
    world.clock.move_to(world.at(long_after, 22))
    outcomes.write(world.engine, world.policy, long_after, world.clock)
    assert [tuple(row) for row in world.sql(figures)] == [(7, {"EUR": 7}, 1)]
    assert [tuple(row) for row in world.sql(spent)] == [(7, {"EUR": 7})]


def test_an_opt_out_is_lifted_by_nothing_but_the_person(world: World) -> None:
    world.fate(SURVEY, "delivered", world.at(START, 11))
    world.stop(1, world.at(START, 12))
    world.load(AFTER, lambda load: load.interaction(1, AFTER) and None)
    world.decide(AFTER)
    world.hit(SURVEY, world.at(AFTER, 12))
    world.write(AFTER)
    assert status_of(world) == "unsubscribed"
    found = world.sql("SELECT reason FROM core.suppression WHERE lifted_at IS NULL")
    assert [row.reason for row in found] == ["opted_out"]


def test_a_cancelled_order_lets_the_episode_go_on(world: World) -> None:
    """The survey is not sent again, and there is no outcome of an episode that goes on."""
    world.fate(SURVEY, "delivered", world.at(START, 11))
    events: list[str] = []
    world.load(AFTER, lambda load: events.append(load.interaction(1, AFTER)))
    world.decide(AFTER)
    assert outcome_of(world) == ["returned"]
    later = AFTER + timedelta(days=1)
    world.load(later, lambda load: load.take_back(events[0]))
    world.decide(later)
    assert outcome_of(world) == []
    world.check_state()
    assert world.sql("SELECT count(*) FROM outbox.message")[0][0] == 1


@pytest.mark.parametrize(
    ("price", "currency", "cost"),
    [("0.02", "USD", "0.02"), ("3", "credits", "0.5"), ("0.04", "EUR", "0.5"), (None, None, "0.5")],
)
def test_a_cost_is_in_the_brands_currency_or_what_the_policy_expects(
    world: World, price: str | None, currency: str | None, cost: str
) -> None:
    world.fate(SURVEY, "delivered", world.at(START, 11))
    world.sql(
        "UPDATE outbox.message SET price = :price, currency = :currency, expected_price = 0.5",
        price=price,
        currency=currency,
    )
    world.load(AFTER)
    world.decide(AFTER)
    end(world, AFTER)
    told = "SELECT cost FROM outcome.contact_outcome UNION ALL SELECT cost FROM outcome.daily_step"
    assert {str(row.cost) for row in world.sql(told)} == {cost}


# --- what follows where a verdict is another ------------------------------------------------------


def judge_anew(world: World, key: Key, who: str) -> None:
    """The rules of today take the hits on a message for human, machine or unsure."""
    world.sql(
        "INSERT INTO outbox.verdict (contact_id, hit_id, version, rule)"
        " SELECT contact_id, hit_id, 9, CAST(:rule AS outbox.rule) FROM outbox.hit"
        " WHERE message_id = :id"
        " ON CONFLICT (contact_id, hit_id) DO UPDATE SET rule = excluded.rule",
        id=message_id(*key, "sms"),
        rule=RULES[who],
    )


def follow(world: World) -> Followed:
    """The audit finds nothing afterwards, and following again changes nothing."""
    found = outcomes.follow_verdicts(world.engine, world.policy, world.clock)
    assert outcomes.follow_verdicts(world.engine, world.policy, world.clock) == Followed()
    assert audits.audit(world.engine, world.policy, world.clock).differing == 0
    return found


def standing(world: World) -> set[tuple[int, str]]:
    """Who may not be written to, and why. Of who said stop it says no more."""
    found = world.sql("SELECT contact_id, reason FROM core.suppression WHERE lifted_at IS NULL")
    stopped = {row.contact_id for row in found if row.reason == "opted_out"}
    return {
        (row.contact_id, row.reason)
        for row in found
        if row.reason == "opted_out" or row.contact_id not in stopped
    }


def written(world: World) -> dict[str, Any]:
    """All that depends on verdicts."""
    return {
        what: {tuple(row) for row in world.sql(query)}
        for what, query in {
            "outcomes": "SELECT contact_id, dormant_since, arm, outcome, decided_on, steps_sent,"
            " first_open_at, returned_on, revenue, cost, closed_at, if_unopened"
            " FROM outcome.contact_outcome",
            "figures": "SELECT CAST(daily_step AS text) FROM outcome.daily_step",
            "episodes": "SELECT contact_id, dormant_since, opened_on, is_opened, next_due_on,"
            " closed_on FROM cohort.episode",
            "decisions": "SELECT contact_id, as_of, step, reason FROM cohort.decision",
            "contacts": "SELECT contact_id, status FROM core.contact",
            "quiet": "SELECT contact_id, dormant_since FROM cohort.dormancy",
        }.items()
    } | {"suppressed": standing(world)}


class Doubtful:
    """Random days of contacts who get one text and open it, or something does: each hit has a
    verdict of then and one of today. The same, whichever of the two is known on the day.
    """

    PEOPLE = range(1, 61)
    FOLLOWED = 9  # the day after which today's verdicts are known; before it nobody begins anew

    def __init__(self, engine: sa.Engine, seed: int, *, is_known: bool) -> None:
        policy = small_policy(ladder={"survey": 3}, attribution_days=2, repeat_after_days=3)
        self.world, self.seed, self.is_known = World(engine, policy), seed, is_known
        self.hits: dict[Key, list[tuple[int, str, str]]] = {}

    def dice(self, *about: Any) -> Random:
        return Random(f"{self.seed} {about}")

    def begin(self, load: Load) -> None:
        for who in self.PEOPLE:
            load.contact(who, who)
            load.consent(who, self.world.at(LONG_AGO, -999))
            load.interaction(who, START - timedelta(days=self.dice(who).randint(0, 3)))

    def load(self, load: Load) -> None:
        for who in self.PEOPLE:
            if self.dice(who, load.as_of, "buys").random() < 0.1:
                load.interaction(who, load.as_of)

    def live(self, as_of: date, hour: float) -> None:
        world = self.world
        for key, message in sorted(world.model.messages.items()):
            dice = self.dice(key, as_of, hour)
            if message.as_of == as_of and message.status == "queued":
                world.fate(key, dice.choice(FATES), world.at(as_of, hour))
            elif message.accepted_at and dice.random() < 0.12:
                then, today = dice.choice(list(RULES)), dice.choice(list(RULES))
                world.hit(key, world.at(as_of, hour), today if self.is_known else then)
                hit = world.sql("SELECT max(hit_id) FROM outbox.hit")[0][0]
                self.hits.setdefault(key, []).append((hit, then, today))
            elif dice.random() < 0.01:
                world.stop(key[0], world.at(as_of, hour))

    def judge(self, *, is_today: bool) -> None:
        rows = [
            {"who": key[0], "hit": hit, "rule": RULES[(then, now)[is_today]]}
            for key, hits in self.hits.items()
            for hit, then, now in hits
        ]
        with self.world.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO outbox.verdict (contact_id, hit_id, version, rule)"
                    " VALUES (:who, :hit, 9, CAST(:rule AS outbox.rule))"
                    " ON CONFLICT (contact_id, hit_id) DO UPDATE SET rule = excluded.rule"
                ),
                rows,
            )

    def days(self, first: int, last: int, *, is_checked: bool | None = None) -> None:
        world = self.world
        for number in range(first, last + 1):
            as_of = START + timedelta(days=number)
            world.load(as_of, self.load if number else self.begin)
            world.decide(as_of)
            world.note_answers()
            self.live(as_of, 11)
            self.live(as_of, 15)
            world.write(as_of)
            if self.is_known if is_checked is None else is_checked:
                world.check_state()


FATES = ("delivered", "delivered", "delivered", "accepted", "undelivered")


def test_outcomes_are_what_they_were_had_the_verdicts_been_so_from_the_start(
    warehouse: sa.Engine,
) -> None:
    known = Doubtful(warehouse, 1, is_known=True)
    known.days(0, Doubtful.FOLLOWED)
    expected, model = written(known.world), deepcopy(known.world.model)
    known.days(Doubtful.FOLLOWED + 1, 12)
    afterwards = written(known.world)
    assert follow(known.world) == Followed()
    assert written(known.world) == afterwards, "unchanged verdicts change nothing"

    doubtful = Doubtful(warehouse, 1, is_known=False)
    doubtful.days(0, Doubtful.FOLLOWED)
    before = written(doubtful.world)
    assert before["decisions"] == expected["decisions"]
    changed = set[str]()
    for is_today, ended in ((True, expected), (False, before), (True, expected)):
        doubtful.judge(is_today=is_today)
        found = follow(doubtful.world)
        assert written(doubtful.world) == ended
        changed |= {what for what, count in vars(found).items() if count}
    assert changed == vars(Followed()).keys(), "the history holds all that can change"

    # The days after it, too.
    doubtful.world.model, doubtful.is_known = model, True
    doubtful.days(Doubtful.FOLLOWED + 1, 12, is_checked=False)
    assert written(doubtful.world) == afterwards
    assert afterwards["decisions"] - expected["decisions"]


@pytest.fixture
def opener(world: World) -> World:
    """A contact whose survey was opened, and whose episode has closed as active."""
    world.fate(SURVEY, "delivered", world.at(START, 11))
    world.hit(SURVEY, world.at(START, 12))
    world.load(AFTER)
    world.decide(AFTER)
    end(world, AFTER)
    assert (outcome_of(world), status_of(world)) == (["active"], "active")
    return world


LATER = AFTER + timedelta(days=1)
SPOKEN = (
    "nothing",
    "a signal",
    "an open",
    "a machine",
    "a doubt",
    "a consent",
    "a consent that was corrected",
    "a start",
    "a stop",
    "a merge",
    "a newer episode",
)


def test_who_was_active_by_a_machine_is_given_up_where_nothing_since_speaks_for_them(
    warehouse: sa.Engine,
) -> None:
    world = World(warehouse, small_policy(ladder={"survey": 3}, cooldown_days=0), is_new=True)
    who = {what: number for number, what in enumerate(SPOKEN, 1)}

    def fill(load: Load) -> None:
        for number in who.values():
            load.contact(number, number)
            load.consent(number, world.at(LONG_AGO, -100))
            load.interaction(number, LONG_AGO)

    world.load(START, fill)
    world.decide(START)
    surveys: dict[str, Key] = {what: (number, *SURVEY[1:]) for what, number in who.items()}
    for key in surveys.values():
        world.fate(key, "delivered", world.at(START, 11))
        world.hit(key, world.at(START, 12))
    closed = START + timedelta(days=3)
    world.load(closed)
    world.decide(closed)
    world.write(closed)
    assert outcome_of(world) == ["active"] * len(who)

    later = closed + timedelta(days=1)

    def speak(load: Load) -> None:
        load.interaction(who["a signal"], later)
        load.consent(who["a consent"], world.at(later, -1))
        load.consent(who["a consent that was corrected"], world.at(later, -1))

    world.load(later, speak)
    world.sql(
        "INSERT INTO core.consent (contact_id, source, record_key, channel, purpose, withdrawn_at,"
        " effective_at, load_id) SELECT contact_id, source, record_key, channel, purpose,"
        " effective_at, effective_at, load_id FROM core.consent"
        " WHERE contact_id = :id AND effective_at = :at",
        id=who["a consent that was corrected"],
        at=world.at(later, -1),
    )
    world.decide(later)
    for key in surveys.values():
        judge_anew(world, key, "machine")
    world.hit(surveys["an open"], world.at(later, 12))
    world.hit(surveys["a machine"], world.at(later, 12), "machine")
    world.hit(surveys["a doubt"], world.at(later, 12), "unsure")
    for what in ("a start", "a stop"):
        world.stop(who[what], world.at(later, 12))
    world.start_again(who["a start"], world.at(later, 13))
    world.sql("UPDATE core.contact SET status = 'active' WHERE contact_id = :id", id=who["a start"])
    world.sql("UPDATE core.contact SET merged_into = 1 WHERE contact_id = :id", id=who["a merge"])
    world.sql(
        "INSERT INTO cohort.episode (contact_id, dormant_since, opened_on) VALUES (:id, :on, :on)",
        id=who["a newer episode"],
        on=closed,
    )

    found = outcomes.follow_verdicts(world.engine, world.policy, world.clock)
    nobody = ("nothing", "a machine", "a doubt", "a consent that was corrected")
    given_up = {who[what] for what in nobody}
    assert (found.not_active, found.given_up) == (len(who), len(given_up))
    assert outcome_of(world) == ["unsubscribed"] * len(who)
    statuses = "SELECT contact_id FROM core.contact WHERE status = 'unsubscribed'"
    assert {row.contact_id for row in world.sql(statuses)} == {*given_up, who["a stop"]}
    gone = {(number, "inactivity") for number in given_up}
    assert standing(world) == gone | {(who["a stop"], "opted_out")}
    quiet = dict(map(tuple, world.sql("SELECT contact_id, dormant_since FROM cohort.dormancy")))
    assert quiet[who["a newer episode"]] == closed, "the newer episode stands"
    assert quiet[who["nothing"]] == LONG_AGO
    cooling = "SELECT contact_id FROM cohort.dormancy WHERE active_closed_on IS NOT NULL"
    assert [row.contact_id for row in world.sql(cooling)] == [who["a newer episode"]]

    for key in surveys.values():
        judge_anew(world, key, "human")
    found = outcomes.follow_verdicts(world.engine, world.policy, world.clock)
    assert (found.active, found.revived) == (len(who), len(given_up))
    assert {row.contact_id for row in world.sql(statuses)} == {who["a stop"]}
    assert outcomes.follow_verdicts(world.engine, world.policy, world.clock) == Followed()


def test_who_came_back_by_a_machine_is_given_up_again(opener: World) -> None:
    """Whether the evening, or an earlier judging, had believed it."""
    world = opener
    judge_anew(world, SURVEY, "machine")
    follow(world)
    world.hit(SURVEY, world.at(AFTER, 23))
    world.load(LATER)
    world.decide(LATER)
    assert status_of(world) == "active"
    judge_anew(world, SURVEY, "machine")
    assert follow(world) == Followed(given_up=1)
    assert status_of(world) == "unsubscribed"
    judge_anew(world, SURVEY, "human")
    follow(world)
    assert (outcome_of(world), status_of(world)) == (["active"], "active")


def test_no_verdict_lifts_an_opt_out(opener: World) -> None:
    world = opener
    judge_anew(world, SURVEY, "machine")
    follow(world)
    world.stop(1, world.at(AFTER, 23))
    judge_anew(world, SURVEY, "human")
    assert follow(world).revived == 1
    assert (outcome_of(world), status_of(world)) == (["active"], "unsubscribed")
    assert standing(world) == {(1, "opted_out")}


def test_a_receipt_that_came_after_the_close_changes_no_outcome(opener: World) -> None:
    opener.sql("UPDATE outbox.message SET status = 'undelivered'")
    judge_anew(opener, SURVEY, "machine")
    follow(opener)
    assert outcome_of(opener) == ["unsubscribed"]


def test_an_episode_of_which_it_is_not_known_when_it_closed_stays_as_it_is(opener: World) -> None:
    opener.sql("UPDATE outcome.contact_outcome SET closed_at = NULL")
    judge_anew(opener, SURVEY, "machine")
    assert (follow(opener).days, outcome_of(opener)) == (1, ["active"])


def test_what_closed_before_it_was_noted_when_follows_too(opener: World) -> None:
    """The outcomes of before the migration are given what it can find out."""
    text = (SQL / "migrations/0011_verdicts/1_outcome.sql").read_text(encoding="utf-8")
    backfill = text[text.index("UPDATE outcome.contact_outcome") :]
    judge_anew(opener, SURVEY, "machine")
    follow(opener)
    for who, ended in (("human", ["active"]), ("machine", ["unsubscribed"])):
        before = written(opener)
        opener.sql("UPDATE outcome.contact_outcome SET closed_at = NULL, if_unopened = NULL")
        opener.sql("UPDATE outcome.daily_step SET counted_at = NULL")
        opener.sql(backfill)
        assert follow(opener) == Followed()
        assert written(opener)["contacts"] == before["contacts"]
        judge_anew(opener, SURVEY, who)
        assert follow(opener).days == 1
        assert outcome_of(opener) == ended


@pytest.mark.parametrize("killed_in", ["outcome/recount_opened", "episode/follow_loads"])
def test_what_was_killed_is_finished_by_the_next_run(
    opener: World, monkeypatch: pytest.MonkeyPatch, killed_in: str
) -> None:
    judge_anew(opener, SURVEY, "machine")
    run = db.run

    def dies(connection: sa.Connection, name: str, *args: Any, **binds: Any) -> Any:
        if name == killed_in:
            raise KeyboardInterrupt
        return run(connection, name, *args, **binds)

    monkeypatch.setattr(db, "run", dies)
    with pytest.raises(KeyboardInterrupt):
        outcomes.follow_verdicts(opener.engine, opener.policy, opener.clock)
    monkeypatch.setattr(db, "run", run)
    assert follow(opener).days == 1
    assert (outcome_of(opener), status_of(opener)) == (["unsubscribed"], "unsubscribed")
    assert opener.sql("SELECT opened FROM outcome.daily_step")[0][0] == 0


def test_contacts_beyond_the_time_that_is_judged_stay(opener: World) -> None:
    judge_anew(opener, SURVEY, "machine")
    after = opener.at(START, 12) + timedelta(seconds=1)
    args = (opener.engine, opener.policy, opener.clock)
    assert outcomes.follow_verdicts(*args, since=after) == Followed()
    assert outcomes.follow_verdicts(*args, until=opener.at(START, 12)) == Followed()
    assert outcomes.follow_verdicts(*args, since=opener.at(START, 12), until=after).given_up == 1


def test_the_evening_follows_what_was_judged_again_since_the_day(opener: World) -> None:
    opener.hit(SURVEY, opener.at(AFTER, 9))  # kept while the warehouse was away, brought now
    judge_anew(opener, SURVEY, "machine")
    opener.write(AFTER)
    assert (outcome_of(opener), status_of(opener)) == (["unsubscribed"], "unsubscribed")


def test_make_judge_says_what_has_changed(
    opener: World, capsys: pytest.CaptureFixture[str]
) -> None:
    opener.sql("UPDATE outbox.hit SET user_agent = 'AhrefsSiteAudit/6.1'")
    for told in (
        "1 are taken for something else than before.\n"
        "1 closed episodes were clicked by nobody: not active any more.\n"
        "1 contacts are resting now: no person has spoken for them.\n"
        "1 days have another number of clicked texts.\n",
        "0 are taken for something else than before.\n"
        "Outcomes and figures agree with the verdicts: nothing had to change.\n",
    ):
        assert cli.main(["judge"]) == 0
        assert told in capsys.readouterr().out
