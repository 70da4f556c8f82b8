"""A small world in the warehouse and in the model at once: what is done to one is done to both."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from model import Consent, Contact, Interaction, Model, Reply, Suppression

from reengage import db
from reengage.clock import SimulatedClock
from reengage.journey import cohort, release
from reengage.outcome import outcomes
from reengage.policy import Caps, Policy, Step, read_policy
from reengage.texts.messages import message_id
from reengage.web import app

# A rule for each verdict.
RULES = {"human": "confirmed", "machine": "crawler", "unsure": "no_sign"}
LINKS = "http://127.0.0.1:1/r"
START = date(1998, 1, 1)
TABLES = (
    "raw.load",
    "core.derived_from",
    "core.contact",
    "core.contact_identity",
    "core.interaction",
    "core.contact_activity",
    "core.consent",
    "core.suppression",
    "cohort.day",
    "cohort.gate",
    "cohort.dormancy",
    "cohort.episode",
    "cohort.decision",
    "outbox.message",
    "outbox.link",
    "outbox.hit",
    "outbox.verdict",
    "outbox.coupon",
    "outbox.reply",
    "outcome.contact_outcome",
    "outcome.daily_step",
    "outcome.eligible",
    "outcome.experiment",
    "outcome.experiment_unit",
    "outcome.effect",
    "history.cohort_day",
    "history.return_curve",
    "history.cohort_reason",
    "history.audience",
)


SHIPPED = read_policy(Path("include/journey.yaml").resolve())


def create_app(engine: sa.Engine, *given: Any, **more: Any) -> FastAPI:
    """The link service of a warehouse, with the login that it has on servers."""
    return app.create_app(as_service(engine), *given, **more)


def as_service(engine: sa.Engine) -> sa.Engine:
    """The warehouse as the link service's own login sees it: it may do what it needs, no more."""
    url = engine.url.set(username="reengage_web")
    return db.engine(url.render_as_string(hide_password=False))


def phone(number: int) -> str:
    return f"+1212555{1000 + number}"


def small_policy(**changes: Any) -> Policy:
    """The shipped policy on a ladder of a few days, so that a short history holds a lot.

    ladder: the days of its steps, or all its steps as {name: days}; one that is not shipped looks
    like the first. expires_after_days, clocks: of consent. per_day, order, warm_up: caps.
    """
    policy = SHIPPED
    shipped = {step.name: step for step in policy.steps}
    ladder = changes.pop("ladder", (3, 6, 9))
    if not isinstance(ladder, dict):
        ladder = dict(zip(shipped, ladder, strict=True))
    steps = tuple(
        Step(
            **{**shipped.get(name, policy.steps[0]).model_dump(), "name": name, "after_days": days}
        )
        for name, days in ladder.items()
    )
    consent = {k: changes.pop(k) for k in ("expires_after_days", "clocks") if k in changes}
    caps = {k: changes.pop(k) for k in ("per_day", "order", "warm_up") if k in changes}
    share = changes.pop("control_share", 0.0)
    values: dict[str, Any] = {
        "close_after_days": 3,
        "cooldown_days": 4,
        "repeat_after_days": 8,
        "gap_days": 2,
        "control": policy.control.model_copy(update={"share": share}),
        "steps": steps,
        "consent": policy.consent.model_copy(update=consent),
        "caps": Caps(**caps),
        "entry": "by_days",
        "unsubscribe_after_texts": 1,
    }
    return policy.model_copy(update=values | changes)


class World:
    """A day D is loaded and decided on D + 1 at 10:00, and closed at 22:00, of the brand's time."""

    def __init__(self, engine: sa.Engine, policy: Policy, *, is_new: bool = False) -> None:
        self.engine = engine
        self.policy = policy
        self.model = Model(policy)
        self.clock = SimulatedClock(datetime(1998, 1, 1, tzinfo=UTC))
        self.contacts: list[int] = []
        self.events = 0
        self.releases = True
        if not is_new:
            with engine.begin() as connection:
                connection.exec_driver_sql(";".join(f"DELETE FROM {table}" for table in TABLES))

    def sql(self, text: str, **binds: Any) -> list[Any]:
        with self.engine.begin() as connection:
            result = connection.execute(sa.text(text), binds)
            return list(result) if result.returns_rows else []

    # --- loads ------------------------------------------------------------------------------------

    def load(
        self,
        as_of: date,
        fill: Callable[[Load], None] = lambda load: None,
        status: str = "loaded",
        *,
        feed: tuple[str, str] = ("crm", "contact"),
        newest_on: date | None = None,
    ) -> int:
        """One load for as_of, with what `fill` puts into it, as core takes it. newest_on: the date
        of its last row; as_of, unless it is late.
        """
        with self.engine.begin() as connection:
            load_id: int = connection.execute(
                sa.text(
                    "INSERT INTO raw.load (source, entity, as_of, status, started_at, newest_on)"
                    " VALUES (:source, :entity, :as_of, CAST(:status AS raw.load_status), :at,"
                    " :newest_on) RETURNING load_id"
                ),
                {
                    "source": feed[0],
                    "entity": feed[1],
                    "as_of": as_of,
                    "status": status,
                    "at": self.clock(),
                    "newest_on": newest_on or as_of,
                },
            ).scalar_one()
            load = Load(self, connection, load_id, as_of)
            fill(load)
            load.settle()
        return load_id

    # --- days -------------------------------------------------------------------------------------

    def at(self, as_of: date, hour: float) -> datetime:
        """The hour of the brand's day after as_of."""
        midnight = self.policy.end_of(as_of).astimezone(UTC)
        return midnight + timedelta(hours=hour)

    def follow(self, policy: Policy) -> None:
        """The marketer has changed the policy."""
        self.policy = self.model.policy = policy

    def decide(self, as_of: date, *, let_go: bool = True) -> cohort.DayCounts:
        self.clock.move_to(self.at(as_of, 10))
        self.model.decide(as_of, self.clock())
        counts = cohort.decide(self.engine, self.policy, as_of, self.clock, LINKS)
        if let_go:
            self.let_go(as_of)
        return counts

    def let_go(self, as_of: date) -> None:
        """The gates are passed, and the steps' tasks have queued the texts."""
        self.model.let_go(as_of)
        with self.engine.begin() as connection:
            cohort.let_go(connection, as_of, self.clock())
        if self.releases:
            for step in self.policy.steps:
                release.release(self.engine, self.policy, as_of, step.name, self.clock())

    def stop_day(self, as_of: date, reason: str) -> None:
        """A gate of the day is closed."""
        self.model.stop(as_of, reason)
        with self.engine.begin() as connection:
            cohort.stop(connection, self.policy, as_of, reason, self.clock())

    def write(self, as_of: date) -> dict[str, int]:
        self.clock.move_to(self.at(as_of, 22))
        # A day that is not decided ends nobody's ladder.
        decided = [day for day in self.model.decided if day <= as_of]
        over_on = max(decided, default=as_of - timedelta(days=1))
        self.model.close(over_on, as_of, self.clock())
        return outcomes.write(self.engine, self.policy, as_of, self.clock)

    # --- what becomes of messages, and what people do ---------------------------------------------

    def fate(self, key: tuple[int, date, str], status: str, at: datetime) -> None:
        message = self.model.messages[key]
        message.status = status
        is_taken = status in ("accepted", "delivered", "undelivered", "expired")
        message.accepted_at = at if is_taken else message.accepted_at
        self.sql(
            "UPDATE outbox.message SET status = CAST(:status AS outbox.message_status),"
            " accepted_at = :accepted_at, price = 0.01 WHERE message_id = :id",
            status=status,
            accepted_at=message.accepted_at,
            id=message_id(*key, "sms"),
        )

    def note_answers(self) -> None:
        """What the sender has made of the messages, for the model to know."""
        rows = self.sql(
            "SELECT contact_id, dormant_since, step, CAST(status AS text) AS status, accepted_at"
            " FROM outbox.message"
        )
        for row in rows:
            message = self.model.messages[row.contact_id, row.dormant_since, row.step]
            message.status, message.accepted_at = row.status, row.accepted_at

    def hit(self, key: tuple[int, date, str], at: datetime, who: str = "human") -> None:
        """Something follows the link of a text: human, machine, or unsure."""
        self.model.messages[key].hits.append((at, who))
        self.sql(
            "WITH hit AS (INSERT INTO outbox.hit (code, contact_id, message_id, at, kind, method,"
            " user_agent, purpose) VALUES ('c', :contact, :id, :at, 'view', 'GET', 'Mozilla/5.0',"
            " '') RETURNING contact_id, hit_id)"
            " INSERT INTO outbox.verdict (contact_id, hit_id, version, rule)"
            " SELECT contact_id, hit_id, 9, CAST(:rule AS outbox.rule) FROM hit",
            contact=key[0],
            id=message_id(*key, "sms"),
            at=at,
            rule=RULES[who],
        )

    def stop(self, contact_id: int, at: datetime) -> None:
        """The person says stop: it holds for the contact and the number."""
        contact = self.model.contacts[contact_id]
        if any(
            (s.contact_id, s.phone, s.reason, s.lifted_at)
            == (contact_id, contact.phone, "opted_out", None)
            for s in self.model.suppressions
        ):
            return
        self.model.suppressions.append(Suppression(contact_id, contact.phone, "opted_out", at))
        contact.status = "unsubscribed"
        self.sql(
            "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)"
            " VALUES (:id, :phone, 'sms', 'opted_out', 'landing', :at)",
            id=contact_id,
            phone=contact.phone,
            at=at,
        )
        self.sql(
            "UPDATE core.contact SET status = 'unsubscribed' WHERE contact_id = :id", id=contact_id
        )

    def start_again(self, contact_id: int, at: datetime) -> None:
        """The person takes the stop back."""
        for s in self.model.suppressions:
            if (s.contact_id, s.reason, s.lifted_at) == (contact_id, "opted_out", None):
                s.lifted_at = at
                self.model.changed |= {
                    c.contact_id
                    for c in self.model.contacts.values()
                    if c.contact_id == contact_id or (s.phone and c.phone == s.phone)
                }
        self.sql(
            "UPDATE core.suppression SET lifted_at = :at"
            " WHERE contact_id = :id AND reason = 'opted_out' AND lifted_at IS NULL",
            id=contact_id,
            at=at,
        )

    def reply(self, contact_id: int, at: datetime) -> None:
        """The person writes something back that is neither a stop nor a start."""
        if (phone := self.model.contacts[contact_id].phone) is None:
            return
        self.model.replies.append(Reply(phone, at))
        self.sql(
            "INSERT INTO outbox.reply (provider, provider_reply_id, phone_hash, text, meaning,"
            " received_at) VALUES ('infobip', :id, :phone, '?', 'unclear', :at)",
            id=uuid.uuid4().hex,
            phone=phone,
            at=at,
        )

    def read(self, at: datetime) -> None:
        """Somebody reads the replies, and none is a stop."""
        phones = {reply.phone for reply in self.model.replies if not reply.is_read}
        for reply in self.model.replies:
            reply.is_read = True
        self.model.changed |= {
            c.contact_id for c in self.model.contacts.values() if c.phone in phones
        }
        self.sql("UPDATE outbox.reply SET reviewed_at = :at WHERE reviewed_at IS NULL", at=at)

    def bounce(self, contact_id: int, at: datetime) -> None:
        """The provider says that the person's number is bad for good."""
        phone = self.model.contacts[contact_id].phone
        if phone is None or any(
            (s.contact_id, s.phone, s.reason) == (contact_id, phone, "hard_bounce")
            for s in self.model.suppressions
        ):
            return
        self.model.suppressions.append(Suppression(contact_id, phone, "hard_bounce", at))
        self.sql(
            "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)"
            " VALUES (:id, :phone, 'sms', 'hard_bounce', 'receipt', :at)",
            id=contact_id,
            phone=phone,
            at=at,
        )

    # --- comparing --------------------------------------------------------------------------------

    def check_decisions(self, as_of: date | None = None) -> None:
        """Of a day, or of all."""
        columns = (
            "as_of, contact_id, dormant_since, inactive_days, step, prior_sends,"
            " prior_opens, action, reason, policy_version"
        )
        rows = self.sql(
            f"SELECT {columns} FROM cohort.decision"
            " WHERE as_of = coalesce(CAST(:as_of AS date), as_of)",
            as_of=as_of,
        )
        decisions = [d for e in self.model.episodes.values() for d in e.decisions]
        expected = {tuple(vars(d).values()) for d in decisions if as_of in (None, d.as_of)}
        assert_same({tuple(row) for row in rows}, expected)

    def check_messages(self) -> None:
        rows = self.sql(
            "SELECT contact_id, dormant_since, step, as_of, CAST(status AS text)"
            " FROM outbox.message"
        )
        messages = self.model.messages.items()
        assert_same(
            {tuple(row) for row in rows}, {(*key, m.as_of, m.status) for key, m in messages}
        )

    def check_state(self) -> None:
        model = self.model
        found = {
            tuple(r)
            for r in self.sql(
                "SELECT contact_id, dormant_since, behaviour, opened_on, arm, closed_on,"
                " next_due_on"
                " FROM cohort.episode"
            )
        }
        assert_same(
            found,
            {
                (e.contact_id, e.dormant_since, e.clock, e.opened_on, e.arm, e.closed_on, e.due_on)
                for e in model.episodes.values()
            },
        )
        found = {
            tuple(r)
            for r in self.sql(
                "SELECT contact_id, dormant_since, arm, outcome, steps_sent, first_open_at,"
                " returned_on FROM outcome.contact_outcome"
            )
        }
        assert_same(
            found,
            {
                (
                    e.contact_id,
                    e.dormant_since,
                    e.arm,
                    e.outcome,
                    e.steps_sent,
                    e.first_open_at,
                    e.returned_on,
                )
                for e in model.episodes.values()
                if e.closed_on is not None
            },
        )
        assert {tuple(r) for r in self.sql("SELECT contact_id, status FROM core.contact")} == {
            (c.contact_id, c.status) for c in model.contacts.values()
        }
        assert sorted(
            map(
                tuple, self.sql("SELECT contact_id, reason, since, lifted_at FROM core.suppression")
            ),
            key=str,
        ) == sorted(
            [(s.contact_id, s.reason, s.since, s.lifted_at) for s in model.suppressions], key=str
        )

    def check_daily_steps(self) -> None:
        rows = self.sql(
            "SELECT as_of, step, arm, due, sent, delivered, opened, returned, opted_out,"
            " CAST(revenue AS integer) FROM outcome.daily_step"
        )
        expected = {(*key, *figures) for key, figures in self.model.daily_steps().items()}
        assert_same({tuple(row) for row in rows}, expected)


def assert_same(found: set[Any], expected: set[Any]) -> None:
    """Says what is found and not expected, and the other way round."""
    wrong, missing = found - expected, expected - found
    assert not wrong and not missing, "\n".join(
        [f"found:    {sorted(map(str, wrong))}", f"expected: {sorted(map(str, missing))}"]
    ).replace("datetime.", "")


class Load:
    """The rows of one load."""

    def __init__(
        self, world: World, connection: sa.engine.Connection, load_id: int, as_of: date
    ) -> None:
        self.world = world
        self.connection = connection
        self.load_id = load_id
        self.as_of = as_of
        self.touched: set[int] = set()

    def _sql(self, text: str, **binds: Any) -> None:
        self.connection.execute(sa.text(text), binds)

    def contact(
        self,
        contact_id: int,
        number: int | None = None,
        created_on: date | None = None,
        country: str | None = "US",
        lifecycle_class: str | None = None,
        is_landline: bool = False,
    ) -> None:
        """A new card, or a known one that says something else now."""
        model, to = self.world.model, phone(number) if number is not None else None
        known = model.contacts.get(contact_id)
        binds = {
            "id": contact_id,
            "phone": to,
            "on": created_on,
            "load": self.load_id,
            "country": country,
            "class": lifecycle_class,
            "kind": "fixed_line" if is_landline else None,
        }
        if known is None:
            known = model.contacts[contact_id] = Contact(contact_id, self.as_of, created_on, to)
            self.world.contacts.append(contact_id)
            self._sql(
                "INSERT INTO core.contact (contact_id, phone_e164, phone_hash, created_on,"
                " first_source, first_source_contact_id, first_seen_on, updated_load_id,"
                " first_name, country, lifecycle_class, phone_kind) VALUES (:id, :phone, :phone,"
                " :on, 'crm', CAST(:id AS text), :seen, :load, 'Ada', :country, :class,"
                " CAST(:kind AS core.phone_kind))",
                **binds,
                seen=self.as_of,
            )
            self._sql(
                "INSERT INTO core.contact_identity (contact_id, source, source_contact_id,"
                " original_contact_id, load_id)"
                " VALUES (:id, 'crm', CAST(:id AS text), :id, :load)",
                id=contact_id,
                load=self.load_id,
            )
            self._sql(
                "INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id)"
                " VALUES (:id, :on, :load)",
                id=contact_id,
                on=self.as_of,
                load=self.load_id,
            )
        else:
            known.phone = to
            known.created_on = min(filter(None, (known.created_on, created_on)), default=None)
            model.changed.add(contact_id)
            self._sql(
                "UPDATE core.contact SET phone_e164 = :phone, phone_hash = :phone,"
                " created_on = least(created_on, CAST(:on AS date)), updated_load_id = :load,"
                " country = :country, lifecycle_class = :class,"
                " phone_kind = CAST(:kind AS core.phone_kind) WHERE contact_id = :id",
                **binds,
            )
        known.country, known.lifecycle_class = country, lifecycle_class
        known.is_landline = is_landline
        self.touched.add(contact_id)

    def interaction(self, contact_id: int, on: date, kind: str = "purchase") -> str:
        self.world.events += 1
        event = f"e{self.world.events}"
        self.world.model.interactions[event] = Interaction(event, contact_id, kind, on, 7)
        self._sql("SELECT core.add_month(:on)", on=on)
        self._sql(
            "INSERT INTO core.interaction (contact_id, source, source_event_id, kind, occurred_at,"
            " occurred_on, amount, currency, loaded_at, load_id) VALUES (:id, 'shop', :event,"
            " CAST(:kind AS core.interaction_kind), :at, :on, 7, 'USD', :at, :load)",
            id=contact_id,
            event=event,
            kind=kind,
            on=on,
            load=self.load_id,
            at=datetime(on.year, on.month, on.day, 17, tzinfo=UTC),
        )
        self.touched.add(contact_id)
        return event

    def take_back(self, event: str) -> None:
        """The source says that an interaction was none."""
        gone = self.world.model.interactions.pop(event)
        self._sql("DELETE FROM core.interaction WHERE source_event_id = :event", event=event)
        self.touched.add(gone.contact_id)

    def consent(
        self,
        contact_id: int,
        granted_at: datetime | None,
        withdrawn_at: datetime | None = None,
        basis: str | None = None,
    ) -> None:
        said = Consent(contact_id, granted_at, withdrawn_at, basis)
        self.world.model.consents.append(said)
        self.world.model.changed.add(contact_id)
        self.world.model.agreed.add(contact_id)
        self._sql(
            "INSERT INTO core.consent (contact_id, source, record_key, channel, purpose, basis,"
            " granted_at, withdrawn_at, effective_at, load_id) VALUES (:id, 'crm', :key, 'sms',"
            " 'marketing', :basis, :granted, :withdrawn, :at, :load)",
            id=contact_id,
            key=uuid.uuid4().hex,
            basis=basis,
            granted=granted_at,
            withdrawn=withdrawn_at,
            at=granted_at or withdrawn_at,
            load=self.load_id,
        )

    def settle(self) -> None:
        """Derived columns, by core's own statements."""
        policy, ids = self.world.policy, sorted(self.touched)
        db.run(self.connection, "core/begin_corrected", contact_ids=ids)
        db.run(
            self.connection,
            "core/redo_activity",
            load_id=self.load_id,
            signals=list(policy.signals),
        )
