"""The weekly audit: it agrees with the daily path, and finds, names and mends what does not."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from test_core import CARD, CARD_HEAD
from test_sources import Feed, correcting
from world import LINKS, START, Load, World, small_policy

from patience import in_time
from reengage.clock import SimulatedClock
from reengage.errors import ConfigurationError
from reengage.ingest import core
from reengage.ingest.sources.load import load_source
from reengage.journey import cohort
from reengage.maintenance import audits
from reengage.maintenance.audits import AuditFailed, audit, tidy
from reengage.outcome import outcomes
from reengage.policy import Behaviour, Policy, Rhythm, Thresholds

LONG_AGO = datetime(1997, 1, 1, tzinfo=UTC)
NOW = datetime(1998, 2, 1, 14, tzinfo=UTC)
KINDS = ("purchase", "visit", "email_open", "login")
CONSENT: dict[str, Any] = {
    "entity": "consent",
    "kind": None,
    "columns": {
        "source_contact_id": "who",
        "contact_source": {"value": "crm"},
        "granted_at": "given",
        "withdrawn_at": "taken",
    },
}


def at_noon() -> datetime:
    return NOW


def rows(engine: sa.Engine, statement: str, **binds: Any) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement), binds)]


def execute(engine: sa.Engine, statement: str, **binds: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement), binds)


# --- the daily path agrees -----------------------------------------------------------------------


class History:
    """Random days through the real loads and the journey: cards that join, corrections, late and
    cancelled orders, consents, texts with any fate, and people who open them.
    """

    def __init__(self, engine: sa.Engine, folder: Path, policy: Policy, seed: int) -> None:
        self.engine, self.policy, self.dice = engine, correcting(policy), random.Random(seed)
        kinds = {kind: kind for kind in KINDS}
        self.shop = Feed(
            engine, folder, kind={"column": "kind", "map": kinds}, exclude={"kind": ["cancelled"]}
        )
        card = CARD["columns"] | {"lifecycle_class": "class"}
        self.crm = Feed(engine, folder, "crm", **CARD | {"columns": card})
        self.consents = Feed(engine, folder, "consents", **CONSENT)
        self.clock = SimulatedClock(datetime(1998, 1, 1, tzinfo=UTC))
        self.events: dict[int, tuple[Any, ...]] = {}

    def take(self, feed: Feed, as_of: date) -> None:
        load = load_source(self.engine, feed.source, self.policy, as_of, self.clock)
        assert load.problem is None
        core.take(self.engine, load.source, load.load_id, as_of, self.policy, self.clock)

    def load(self, number: int, as_of: date) -> None:
        dice = self.dice
        if number % 4 == 0:
            self.crm.write(
                f"{number}.csv",
                [
                    (
                        f"k{n}",
                        f"21255501{dice.randint(10, 19)}",
                        "",
                        as_of - timedelta(dice.randint(0, 20)) if dice.random() < 0.5 else "",
                        "",
                        f"s{dice.randint(1, 9)}" if dice.random() < 0.5 else "",
                        dice.choice(["", "gold", "new"]),
                    )
                    for n in dice.sample(range(1, 10), 5)
                ],
                CARD_HEAD + ",class",
            )
            self.consents.write(
                f"{number}.csv",
                [(f"k{n}", "1997-01-01", "") for n in range(1, 10)],
                "who,given,taken",
            )
            self.take(self.crm, as_of)
            self.take(self.consents, as_of)
        for event in dice.sample(range(60), 6 if number else 25):
            ago = dice.randint(0, 12) if number == 0 or dice.random() < 0.3 else 0
            self.events[event] = (
                event,
                f"s{dice.randint(1, 9)}",
                as_of - timedelta(ago),
                1,
                dice.choice([*KINDS, "purchase", "cancelled"]),
            )
        self.shop.write(f"{number}.csv", list(self.events.values()), "id,who,at,total,kind")
        self.take(self.shop, as_of)

    def at(self, as_of: date, hour: float) -> None:
        midnight = self.policy.end_of(as_of).astimezone(UTC)
        self.clock.move_to(midnight + timedelta(hours=hour))

    def decide(self, as_of: date) -> None:
        self.at(as_of, 10)
        cohort.decide(self.engine, self.policy, as_of, self.clock, LINKS)
        with self.engine.begin() as connection:
            if self.dice.random() < 0.15:
                cohort.stop(connection, self.policy, as_of, "budget", self.clock())
            else:
                cohort.let_go(connection, as_of, self.clock())
        execute(
            self.engine,
            "UPDATE outbox.message SET accepted_at = :at, price = 0.01, "
            "status = CASE WHEN hashtext(message_id::text) % 3 = 0 THEN 'undelivered' "
            "ELSE 'delivered' END::outbox.message_status "
            "WHERE as_of = :as_of AND status NOT IN ('cancelled')",
            at=self.clock(),
            as_of=as_of,
        )

    def live(self, as_of: date) -> None:
        """Some open what they got, at noon."""
        self.at(as_of, 12)
        for contact_id, message_id in rows(
            self.engine,
            "SELECT contact_id, message_id FROM outbox.message "
            "WHERE accepted_at IS NOT NULL ORDER BY message_id",
        ):
            if self.dice.random() < 0.15:
                execute(
                    self.engine,
                    "INSERT INTO outbox.hit (code, contact_id, message_id, at, kind, method, "
                    "user_agent, purpose) VALUES ('c', :c, :m, :at, 'view', 'GET', 'Mozilla', '')",
                    c=contact_id,
                    m=message_id,
                    at=self.clock(),
                )

    def run(self, days: int) -> Iterator[date]:
        """Stops after every load, decision and close of a day."""
        for number in range(days):
            as_of = START + timedelta(days=number)
            self.load(number, as_of)
            yield as_of
            if self.dice.random() < 0.15:
                continue  # a day that is missed
            self.decide(as_of)
            yield as_of
            self.live(as_of)
            if self.dice.random() < 0.7:
                self.at(as_of, 22)
                outcomes.write(self.engine, self.policy, as_of, self.clock)
                yield as_of


POLICIES: dict[str, Callable[[], Policy]] = {
    "by days": lambda: small_policy(control_share=0.3, repeat_after_days=4),
    "in order, by rhythm": lambda: small_policy(
        entry="in_order",
        thresholds=Thresholds(
            lifecycle={"gold": 1.5},
            rhythm=Rhythm(quantile=0.5, purchases=3, at_least_days=2, at_most_days=8),
        ),
    ),
    "by behaviour": lambda: small_policy(
        thresholds=Thresholds(
            behaviours=(
                Behaviour(name="buying", signals=("purchase",), days=(3, 6, 9)),
                Behaviour(name="looking", signals=("visit", "login"), days=(2, 5, 8)),
            )
        )
    ),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("policy", POLICIES)
def test_after_any_history_the_audit_agrees(
    warehouse: sa.Engine, tmp_path: Path, policy: str, seed: int
) -> None:
    history = History(warehouse, tmp_path, POLICIES[policy](), seed)
    for _ in history.run(14):
        found = audit(warehouse, history.policy, at_noon, chunk_size=4)
        assert found.differing == 0
    assert found.contacts >= 9
    sends, opened, merged = (
        rows(warehouse, f"SELECT count(*) FROM {what}")[0][0]
        for what in (
            "outbox.message WHERE accepted_at IS NOT NULL",
            "cohort.episode WHERE is_opened",
            "core.contact WHERE merged_into > 0",
        )
    )
    assert sends and opened and merged, "the history holds what can go wrong"


# --- what is wrong is found, named and mended ----------------------------------------------------

QUIET, OPENER, CLIMBER = 1, 2, 3  # who bought again, who opened, who did neither


def small_world(warehouse: sa.Engine, days: int, **policy: Any) -> World:
    """Contacts after some days of the journey; every kept-up column of CLIMBER says something."""
    world = World(warehouse, small_policy(**policy), is_new=True)

    def begin(load: Load) -> None:
        for contact_id in (QUIET, OPENER, CLIMBER):
            load.contact(contact_id, contact_id, START - timedelta(days=40))
            load.consent(contact_id, LONG_AGO)
            for kind in (
                "purchase",
                "visit",
                "loyalty",
                "email_open",
                "email_click",
                "reply",
                "login",
            ):
                load.interaction(contact_id, START - timedelta(days=20), kind)
            for ago in (17, 12, 4):
                load.interaction(contact_id, START - timedelta(days=ago))

    for day in range(days):
        as_of = START + timedelta(days=day)
        world.load(as_of, (lambda load: load.interaction(QUIET, load.as_of)) if day else begin)
        world.decide(as_of)
        for key, message in world.model.messages.items():
            if message.as_of == as_of:
                world.fate(key, "delivered", world.at(as_of, 11))
        if day == 1:
            world.hit((OPENER, START - timedelta(days=4), "survey"), world.at(as_of, 12))
        world.write(as_of)
    agrees(world)
    return world


def agrees(world: World) -> None:
    found = audit(world.engine, world.policy, at_noon)
    assert (found.differing, found.lines()[-1]) == (0, "The daily path agrees.")


def kept_up(engine: sa.Engine) -> list[tuple[Any, ...]]:
    """All that the daily path keeps up. An empty first step's date is that of an episode."""
    return [
        row
        for table in ("core.contact_activity", "cohort.episode", "cohort.dormancy")
        for row in rows(
            engine,
            f"""
            SELECT to_jsonb(kept) - 'updated_load_id' - CASE
                WHEN EXISTS (
                    SELECT FROM cohort.episode AS e
                    WHERE (e.contact_id, e.dormant_since) =
                        (kept.contact_id, (to_jsonb(kept) ->> 'dormant_since')::date)
                ) THEN 'reaches_on' ELSE '' END
            FROM {table} AS kept ORDER BY 1
            """,
        )
    ]


def forget_the_repair(engine: sa.Engine) -> None:
    """As if the next day had followed whom a repair has touched."""
    execute(engine, "UPDATE core.contact_activity SET updated_load_id = 1")


ACTIVITY = {
    "last_purchase_on": "last_purchase_on + 1",
    "last_visit_on": "NULL",
    "last_loyalty_on": "last_loyalty_on - 1",
    "last_email_open_on": "NULL",
    "last_email_click_on": "last_email_click_on + 1",
    "last_reply_on": "NULL",
    "last_login_on": "NULL",
    "last_signal_on": "last_signal_on - 1",
    "first_interaction_on": "first_interaction_on + 1",
    "visible_on": "visible_on + 1",
    "purchases": "purchases + 1",
    "purchase_gaps": "'{3,5}'",
    "median_days_between_purchases": "median_days_between_purchases + 0.5",
}
DORMANCY = {"behaviour": "'other'", "dormant_since": "dormant_since + 1", "pace": "1.5"}
EPISODE = {
    "done_steps": "'{survey}'",
    "done_days": "done_days + 1",
    "done_position": "0",
    "first_eligible_on": "NULL",
    "first_step": "'coupon'",
    "last_sent_on": "last_sent_on - 1",
    "last_final_on": "NULL",
    "last_step": "'survey'",
    "last_days": "last_days - 1",
    "last_action": "'hold'",
    "is_waiting": "NOT is_waiting",
    "is_opened": "NOT is_opened",
    "returned_on": "dormant_since + 1",
}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("core.contact_activity", ACTIVITY),
        ("cohort.dormancy", DORMANCY),
        ("cohort.episode", EPISODE),
    ],
    ids=["activity", "dormancy", "episode"],
)
def test_every_column_that_is_wrong_is_found_named_and_mended(
    warehouse: sa.Engine, table: str, columns: dict[str, str]
) -> None:
    world = small_world(warehouse, 5, close_after_days=30)
    before = kept_up(warehouse)
    for column, value in columns.items():
        execute(warehouse, f"UPDATE {table} SET {column} = {value} WHERE contact_id = {CLIMBER}")
        assert kept_up(warehouse) != before, column
        with pytest.raises(AuditFailed, match=rf"{table} {column}: 1 \(contact {CLIMBER}\)"):
            audit(warehouse, world.policy, at_noon)
        found = audit(warehouse, world.policy, at_noon, is_repairing=True)
        assert found.differing == 1 and found.is_repaired
        assert kept_up(warehouse) == before, column
        forget_the_repair(warehouse)
        agrees(world)


def test_an_open_that_was_missed_is_noted(warehouse: sa.Engine) -> None:
    world = small_world(warehouse, 5, close_after_days=30)
    before = kept_up(warehouse)
    execute(warehouse, f"UPDATE cohort.episode SET is_opened = FALSE WHERE contact_id = {OPENER}")
    with pytest.raises(AuditFailed, match=rf"is_opened: 1 \(contact {OPENER}\)"):
        audit(warehouse, world.policy, at_noon)
    audit(warehouse, world.policy, at_noon, is_repairing=True)
    assert kept_up(warehouse) == before


def test_rows_that_are_lost_or_of_nobody_are_mended(warehouse: sa.Engine) -> None:
    world = small_world(warehouse, 9)
    before = kept_up(warehouse)
    assert rows(
        warehouse, "SELECT contact_id FROM cohort.dormancy WHERE active_closed_on IS NOT NULL"
    ) == [(OPENER,)]
    for table in ("core.contact_activity", "cohort.dormancy"):
        for contact_id in (OPENER, CLIMBER):
            execute(warehouse, f"DELETE FROM {table} WHERE contact_id = {contact_id}")
    execute(
        warehouse,
        "INSERT INTO core.contact_activity (contact_id, visible_on, "
        "updated_load_id) VALUES (99, '1998-01-01', 1)",
    )
    execute(warehouse, "INSERT INTO cohort.dormancy VALUES (98, 'any', '1998-01-01', 1)")
    with pytest.raises(AuditFailed) as failed:
        audit(warehouse, world.policy, at_noon)
    assert "core.contact_activity (missing): 2 (contact 2, 3)" in str(failed.value)
    assert "core.contact_activity (no contact): 1 (contact 99)" in str(failed.value)
    assert "cohort.dormancy (no contact): 1 (contact 98)" in str(failed.value)
    contacts = rows(warehouse, "SELECT max(contacts) FROM cohort.day")
    for _ in range(2):
        audit(warehouse, world.policy, at_noon, is_repairing=True)
        assert kept_up(warehouse) == before
        assert rows(warehouse, "SELECT max(contacts) FROM cohort.day") == contacts, "none is new"
        forget_the_repair(warehouse)
        agrees(world)
        execute(warehouse, f"DELETE FROM cohort.dormancy WHERE contact_id = {OPENER}")
    audit(warehouse, world.policy, at_noon, is_repairing=True)
    world.load(START + timedelta(days=9))
    world.decide(START + timedelta(days=9))
    world.check_state()


def test_who_would_never_be_due_again_is_found(warehouse: sa.Engine) -> None:
    world = small_world(warehouse, 5)
    before = kept_up(warehouse)
    for wrong in ("NULL", "reaches_on + 3"):
        execute(
            warehouse, f"UPDATE cohort.dormancy SET reaches_on = {wrong} WHERE contact_id = {QUIET}"
        )
        with pytest.raises(AuditFailed, match=rf"dormancy reaches_on: 1 \(contact {QUIET}\)"):
            audit(warehouse, world.policy, at_noon)
        audit(warehouse, world.policy, at_noon, is_repairing=True)
        assert kept_up(warehouse) == before
        forget_the_repair(warehouse)


def test_who_was_repaired_is_followed_by_the_next_day(warehouse: sa.Engine) -> None:
    world = small_world(warehouse, 5, close_after_days=30)
    world.sql(
        "DELETE FROM core.interaction WHERE contact_id = :id AND occurred_on > '1997-12-20'",
        id=CLIMBER,
    )
    audit(warehouse, world.policy, at_noon, is_repairing=True)
    as_of = START + timedelta(days=5)
    cohort.decide(warehouse, world.policy, as_of, world.clock, LINKS)
    assert rows(
        warehouse,
        "SELECT dormant_since, closed_on IS NULL FROM cohort.episode WHERE contact_id = :id "
        "ORDER BY 1",
        id=CLIMBER,
    ) == [(date(1997, 12, 20), True), (date(1997, 12, 28), False)]


def test_what_an_audit_found_is_kept(warehouse: sa.Engine) -> None:
    world = small_world(warehouse, 2)
    execute(warehouse, "UPDATE core.contact_activity SET purchases = purchases + 1")
    with pytest.raises(AuditFailed, match=r"3 differ:"):
        audit(warehouse, world.policy, at_noon)
    audit(warehouse, world.policy, at_noon, is_repairing=True)
    agrees(world)
    kept = "contacts, differing, is_repaired, began_at"
    assert rows(warehouse, f"SELECT {kept} FROM maintenance.audit ORDER BY audit_id") == [
        (3, 0, False, NOW),
        (3, 3, False, NOW),
        (3, 3, True, NOW),
        (3, 0, False, NOW),
    ]
    assert rows(
        warehouse,
        "SELECT DISTINCT relation, column_name, contacts, contact_ids FROM maintenance.difference",
    ) == [("core.contact_activity", "purchases", 3, [1, 2, 3])]


# --- beside the journey --------------------------------------------------------------------------


def test_an_audit_sees_one_moment_and_holds_nobody_up(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world(warehouse, 4)
    as_of = START + timedelta(days=4)
    locks: list[tuple[Any, ...]] = []

    def meanwhile(items: Iterator[Any], *_: Any) -> Iterator[Any]:
        """Between two contacts a whole day goes by."""
        for number, item in enumerate(items):
            yield item
            if number == 0:
                locks.extend(
                    rows(
                        warehouse,
                        "SELECT DISTINCT mode FROM pg_locks INNER JOIN pg_stat_activity "
                        "USING (pid) WHERE pid <> pg_backend_pid() "
                        "AND backend_type = 'client backend' "
                        "AND locktype NOT LIKE '%virtualxid%' AND database = "
                        "(SELECT oid FROM pg_database WHERE datname = current_database())",
                    )
                )
                world.load(as_of, lambda load: load.interaction(CLIMBER, as_of))
                world.decide(as_of)
                world.write(as_of)

    monkeypatch.setattr(audits, "progress", meanwhile)
    found = audit(warehouse, world.policy, at_noon, chunk_size=1)
    assert (found.contacts, found.differing) == (3, 0)
    assert locks == [("AccessShareLock",)]
    monkeypatch.undo()
    agrees(world)


def test_whom_a_load_has_touched_waits_for_the_next_day(warehouse: sa.Engine) -> None:
    world = small_world(warehouse, 3)
    world.load(START + timedelta(days=3), lambda load: load.interaction(CLIMBER, load.as_of))
    found = audit(warehouse, world.policy, at_noon)
    assert (found.waiting, found.differing) == (1, 0)
    assert "1 contacts wait for the next day" in found.lines()[1]
    world.decide(START + timedelta(days=3))
    assert audit(warehouse, world.policy, at_noon).waiting == 0


CODE = """
import sys
from datetime import UTC, datetime
from reengage import db
from reengage.maintenance import audits
from reengage.policy import read_policy
audits.audit(
    db.engine(), read_policy(), lambda: datetime(1998, 2, 1, tzinfo=UTC),
    is_repairing=sys.argv[1] == "repair", chunk_size=1,
)
"""


@pytest.mark.parametrize("what", ["audit", "repair"])
def test_a_killed_audit_leaves_nothing(warehouse: sa.Engine, what: str) -> None:
    world = small_world(warehouse, 2)
    execute(warehouse, "UPDATE core.contact_activity SET purchases = 77")
    before, table = kept_up(warehouse), "core.contact" if what == "audit" else None
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'"
    )
    with warehouse.begin() as keeper:
        # Something it has to wait for, so that it is killed in the middle of its work.
        if table:
            keeper.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        else:
            keeper.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended('core', 0))")
        process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", CODE, what])
        try:
            in_time(
                lambda: rows(warehouse, waiting),
                "it waits",
                alive=lambda: process.poll() is None,
                every=0.1,
            )
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert kept_up(warehouse) == before
    assert rows(warehouse, "SELECT count(*) FROM maintenance.audit WHERE differing > 0") == [(0,)]
    found = audit(warehouse, world.policy, at_noon, is_repairing=True)
    assert (found.differing, found.is_repaired) == (3, True)
    agrees(world)


# --- samples -------------------------------------------------------------------------------------


def test_a_sample_is_a_share_of_the_contacts_and_another_one_each_day(warehouse: sa.Engine) -> None:
    world = World(warehouse, small_policy(), is_new=True)

    def fill(load: Load) -> None:
        for contact_id in range(1, 1001):
            load.contact(contact_id)

    world.load(START, fill)
    execute(warehouse, "UPDATE core.contact_activity SET purchases = 1")
    drawn = []
    for day in range(2):
        with pytest.raises(AuditFailed, match=r"a sample of 20.0%"):
            audit(
                warehouse,
                world.policy,
                lambda day=day: NOW + timedelta(days=day),
                share=0.2,
                chunk_size=300,
            )
        drawn.append(
            rows(
                warehouse,
                "SELECT contacts, differing, contact_ids FROM maintenance.audit "
                "JOIN (SELECT audit_id, contact_ids FROM maintenance.difference) AS d "
                "USING (audit_id) ORDER BY audit_id DESC LIMIT 1",
            )[0]
        )
    for contacts, differing, ids in drawn:
        assert 140 < contacts < 260 and differing == contacts and len(ids) == 10
    assert drawn[0][2] != drawn[1][2]


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_that_is_none_is_refused(warehouse: sa.Engine, share: float) -> None:
    with pytest.raises(ConfigurationError, match="share is of all contacts"):
        audit(warehouse, small_policy(), at_noon, share=share)


def test_a_new_warehouse_agrees(warehouse: sa.Engine) -> None:
    found = audit(warehouse, small_policy(), at_noon)
    assert (found.contacts, found.differing, found.has_ladder) == (0, 0, False)


# --- tidying -------------------------------------------------------------------------------------


def test_tidying_empties_what_was_replaced_long_ago_and_keeps_what_was_known(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    feed = Feed(warehouse, tmp_path)
    day = date(2024, 3, 1)

    def say(name: str, amount: int, as_of: date) -> Path:
        others = [(n, "b", "2024-02-01", 0) for n in range(100, 140)]
        file = feed.write(name, [(1, "a", "2024-02-01", amount), ("", "c", "", 0), *others])
        feed.take(as_of)
        return file

    def versions() -> list[tuple[Any, ...]]:
        return rows(
            warehouse,
            "SELECT CAST(amount AS integer), status::text, record <> '{}' "
            "FROM raw.interaction WHERE record_key = '1' ORDER BY file_id",
        )

    for amount in (1, 2, 3):
        old = say("old.csv", amount, day)
    say("new.csv", 4, day)
    assert versions() == [
        (1, "superseded", True),
        (2, "superseded", True),
        (3, "superseded", True),
        (4, "loaded", True),
    ]
    assert tidy(warehouse, at_noon) == 0, "it is not long ago"
    say("new.csv", 5, day + timedelta(days=200))
    assert tidy(warehouse, at_noon) == 3
    assert versions() == [
        (1, "superseded", False),
        (2, "superseded", False),
        (3, "superseded", False),
        (4, "superseded", True),
        (5, "loaded", True),
    ]
    assert tidy(warehouse, at_noon) == 0
    known = rows(
        warehouse,
        "SELECT CAST(amount AS integer), is_fact, known_from, known_until "
        "FROM history.interaction_version WHERE source_event_id = '1' ORDER BY amount",
    )
    later = day + timedelta(days=200)
    assert known == [
        (1, True, day, day),
        (2, True, day, day),
        (3, True, day, day),
        (4, True, day, later),
        (5, True, later, None),
    ]
    # Read again, the old file is still known to be old.
    old.touch()
    feed.take(day + timedelta(days=200))
    assert versions()[-1] == (5, "loaded", True) and len(versions()) == 5
    ((rejected,),) = rows(warehouse, "SELECT count(*) FROM raw.reject")
    assert rejected >= 5


def test_tidying_tells_the_planner_and_waits_for_nobody(warehouse: sa.Engine) -> None:
    small_world(warehouse, 1)
    with warehouse.begin() as busy:
        busy.exec_driver_sql("LOCK TABLE core.consent IN ACCESS EXCLUSIVE MODE")
        tidy(warehouse, at_noon)
    known = rows(
        warehouse,
        "SELECT relname FROM pg_class WHERE reltuples >= 0 AND relkind = 'r' "
        "AND relname IN ('contact_activity', 'contact', 'consent') "
        "AND relnamespace = 'core'::regnamespace ORDER BY 1",
    )
    assert known == [("contact",), ("contact_activity",)]
