"""Four weeks of a shop: late data, a day nobody ran, a day run twice, a policy changed on the way.
What a careful marketer would check afterwards, from what the provider was given.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from model import in_control
from world import START, Load, World, small_policy

from reengage.errors import DayStopped
from reengage.ingest.sources import Source
from reengage.journey import cohort, release
from reengage.policy import WarmUp
from reengage.sending import outbox
from reengage.sending.providers.words import Answer, Outcome, Outgoing, Told

PEOPLE = range(1, 301)
DAYS = 28
LATE = (9, 10)  # the shop's data of these days comes with that of the next
NOBODY_RAN = 13
TWICE = (5, 20)
CHANGED = 15
SHOP = Source(
    source="shop",
    entity="interaction",
    kind="purchase",
    connector="files",
    path="x.csv",
    columns={"source_contact_id": "c", "occurred_at": "at"},
    required=True,
)
BEFORE: dict[str, Any] = {
    "ladder": (5, 10, 15),
    "gap_days": 4,
    "repeat_after_days": 12,
    "close_after_days": 6,
    "cooldown_days": 9,
    "control_share": 0.15,
    "per_day": 30,
    "version": "first",
    "warm_up": WarmUp(first_day=8, growth=1.5, days=4),
}
AFTER = {**BEFORE, "ladder": (4, 8, 13), "gap_days": 3, "per_day": 20, "version": "second"}


def takes(number: str) -> bool:
    return not number.endswith("7")


@dataclass
class Phones:
    """A provider that takes nearly everything, and remembers what it was given."""

    name: str = "infobip"
    max_batch: int = 1000
    log_hours: float = 48.0
    spread_seconds: float = 0.0
    knows_our_ids: bool = True
    prices_late: bool = False
    arrival: timedelta = timedelta(0)
    taken: list[Outgoing] = field(default_factory=list)

    def limits(self, _: str) -> dict[str, float | None]:
        return {"phones": None}

    def send(self, bulk_id: str, outgoing: list[Outgoing], *_: Any, **__: Any) -> list[Answer]:
        self.taken += outgoing
        return [
            Answer(o.message_id, Outcome.ACCEPTED if takes(o.to) else Outcome.REJECTED)
            for o in outgoing
        ]

    def log(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def reply_pages(self, number: str) -> Iterator[Told]:
        return iter(())


@dataclass(frozen=True)
class Text:
    """A text that the provider took. gap_days: of the policy it was decided under."""

    contact_id: int
    dormant_since: date
    step: str
    as_of: date
    to: str
    gap_days: int


class Shop:
    """The world, and what happens in it: the same every time."""

    def __init__(self, engine: sa.Engine) -> None:
        self.world = World(engine, small_policy(**BEFORE), is_new=True)
        self.world.releases = False
        self.random = Random(28)
        self.phones = Phones()
        self.texts: list[Text] = []
        self.cancelled: Counter[str] = Counter()
        self.bought: list[tuple[int, date]] = []  # and not told by the shop yet

    # --- what people do ---------------------------------------------------------------------------

    def begin(self, load: Load) -> None:
        for contact_id in PEOPLE:
            # Some have no phone, some share one, and some have a landline.
            number = None if contact_id % 17 == 0 else contact_id % 290
            is_landline = number is not None and number % 19 == 0
            load.contact(contact_id, number, START - timedelta(days=60), is_landline=is_landline)
            if contact_id % 11:
                load.consent(contact_id, datetime(1997, 1, 1, tzinfo=UTC))
            load.interaction(contact_id, START - timedelta(days=self.random.randint(0, 20)))

    def people_buy(self, on: date) -> None:
        self.bought += [(who, on) for who in PEOPLE if self.random.random() < 0.03]

    def tell(self, load: Load) -> None:
        for who, on in self.bought:
            load.interaction(who, on)
        self.bought.clear()

    def change_consents(self, load: Load) -> None:
        at = self.world.at(load.as_of, -self.random.uniform(1, 20))
        for who in self.random.sample(PEOPLE, 3):
            load.consent(who, *self.random.choice([(at, None), (None, at), (None, at)]))

    def between_decision_and_hand_over(self, as_of: date) -> None:
        """Some of those who are to be texted today say stop, withdraw, or have bought."""
        world = self.world
        today = sorted(k for k, m in world.model.messages.items() if m.as_of == as_of)
        chosen = [key[0] for key in self.random.sample(today, min(3, len(today)))]

        def told(load: Load) -> None:
            for who in chosen[1:2]:
                load.consent(who, None, world.at(as_of, 10.5))
            for who in chosen[2:3]:
                load.interaction(who, as_of)

        for who in chosen[:1]:
            world.stop(who, world.at(as_of, 11))
        world.load(as_of, told)

    def answer(self, as_of: date) -> None:
        """Most texts arrive; some are clicked, by people, by machines or nobody
        knows by whom, some answered with a stop."""
        world = self.world
        for key, message in sorted(world.model.messages.items()):
            if message.status == "accepted":
                arrives = self.random.random() < 0.9
                world.fate(
                    key, "delivered" if arrives else "undelivered", message.accepted_at or START
                )
                deed = self.random.random()
                if arrives and deed < 0.36:
                    who = "human" if deed < 0.2 else "machine" if deed < 0.3 else "unsure"
                    world.hit(key, world.at(as_of, 15), who)
                elif deed > 0.96:
                    world.stop(key[0], world.at(as_of, 16))

    # --- a day ------------------------------------------------------------------------------------

    def run(self, number: int) -> None:
        world, as_of = self.world, START + timedelta(days=number)
        self.people_buy(as_of)
        if number == NOBODY_RAN:
            return
        if number == CHANGED:
            world.follow(small_policy(**AFTER))
        world.load(as_of, self.begin if number == 0 else self.change_consents)
        if number in LATE:
            newest_on = START + timedelta(days=LATE[0] - 1)
            world.load(as_of, feed=("shop", "interaction"), newest_on=newest_on)
            with pytest.raises(DayStopped, match=f"shop .*nothing dated on or after {as_of}"):
                cohort.check_fresh(world.engine, [SHOP], as_of)
            world.clock.move_to(world.at(as_of, 10))
        else:
            world.load(as_of, self.tell, feed=("shop", "interaction"))
            self.go(as_of)
            if number in TWICE:
                before = list(self.phones.taken)
                self.go(as_of, is_again=True)
                assert self.phones.taken == before
            self.answer(as_of)
        world.write(as_of)
        world.check_decisions()
        world.check_messages()
        world.check_state()

    def go(self, as_of: date, *, is_again: bool = False) -> None:
        world = self.world
        cohort.check_fresh(world.engine, [SHOP], as_of)
        sends = world.decide(as_of).sends()
        for step in world.policy.steps:
            released = release.release(world.engine, world.policy, as_of, step.name, world.clock())
            assert released == (0 if is_again else sends.get(step.name, 0))
        if not is_again:
            assert sum(sends.values()) == sum(
                m.as_of == as_of and m.status == "draft" for m in world.model.messages.values()
            )
            self.between_decision_and_hand_over(as_of)
        world.clock.move_to(world.at(as_of, 13))
        self.hand_over(as_of)

    def hand_over(self, as_of: date) -> None:
        """The provider gets the texts of the day, but for those that what is known now forbids."""
        world, model = self.world, self.world.model
        known = {
            str(row.message_id): row
            for row in world.sql(
                "SELECT message_id, contact_id, dormant_since, step, as_of FROM outbox.message"
            )
        }
        drafts = {k: m for k, m in model.messages.items() if m.status == "draft"}
        forbidden = {key: why for key, m in drafts.items() if (why := self.forbids(key, m.phone))}
        before = len(self.phones.taken)
        outbox.Sender(world.engine, self.phones, world.policy, world.clock).run()  # type: ignore[arg-type]
        taken = [known[o.message_id] for o in self.phones.taken[before:]]
        assert {(r.contact_id, r.dormant_since, r.step) for r in taken} == drafts.keys() - forbidden
        for row, outgoing in zip(taken, self.phones.taken[before:], strict=True):
            assert row.as_of == as_of
            if takes(outgoing.to):
                self.texts.append(
                    Text(
                        row.contact_id,
                        row.dormant_since,
                        row.step,
                        as_of,
                        outgoing.to,
                        world.policy.gap_days,
                    )
                )
        self.cancelled.update(forbidden.values())
        world.note_answers()

    def forbids(self, key: tuple[int, date, str], phone: str) -> str | None:
        """What, as far as it is known now, forbids a text."""
        who, dormant_since, _ = key
        model = self.world.model
        if any(
            s.lifted_at is None and (s.contact_id == who or s.phone == phone)
            for s in model.suppressions
        ):
            return "stopped"
        said = [c for c in model.consents if c.contact_id == who]
        granted = max(c.granted_at for c in said if c.granted_at)
        if any(c.withdrawn_at and c.withdrawn_at >= granted for c in said):
            return "withdrawn"
        return "returned" if model.signals(who)[-1] > dormant_since else None


def test_four_weeks_of_a_shop(warehouse: sa.Engine) -> None:
    shop = Shop(warehouse)
    for number in range(DAYS):
        shop.run(number)
    world, texts = shop.world, shop.texts
    decided = [START + timedelta(days=n) for n in range(DAYS) if n not in (*LATE, NOBODY_RAN)]
    assert world.model.decided == decided
    assert [r.as_of for r in world.sql("SELECT as_of FROM cohort.day ORDER BY as_of")] == decided

    # Nothing below is true because nothing happened.
    reasons = {r.reason for r in world.sql("SELECT DISTINCT reason FROM cohort.decision")}
    assert reasons >= {
        "due",
        "opened",
        "no_consent",
        "suppressed",
        "no_phone",
        "not_mobile",
        "duplicate_phone",
        "gap",
        "repeat",
        "daily_cap",
        "warm_up",
        "control",
    }
    assert {text.step for text in texts} == {"survey", "contest", "coupon"}
    assert shop.cancelled.keys() == {"stopped", "withdrawn", "returned"}
    versions = {r.policy_version for r in world.sql("SELECT policy_version FROM cohort.decision")}
    assert versions == {"first", "second"}

    handed = Counter(outgoing.message_id for outgoing in shop.phones.taken)
    assert set(handed.values()) == {1}
    for person in ("contact_id", "to"):
        of_person: dict[Any, list[Text]] = defaultdict(list)
        for text in sorted(texts, key=lambda text: text.as_of):
            of_person[getattr(text, person)].append(text)
        for theirs in of_person.values():
            for n, text in enumerate(theirs):
                for earlier in theirs[:n]:
                    days = (text.as_of - earlier.as_of).days
                    assert days >= text.gap_days
                    assert text.step != earlier.step or days >= world.policy.repeat_after_days

    places = {step.name: place for place, step in enumerate(world.policy.steps)}
    climbed: dict[tuple[int, date], list[int]] = defaultdict(list)
    for text in texts:
        climbed[text.contact_id, text.dormant_since].append(places[text.step])
    assert all(steps == sorted(set(steps)) for steps in climbed.values())
    assert any(len(steps) > 1 for steps in climbed.values())

    control = {who for who in PEOPLE if in_control(world.policy, who)}
    assert control and not control & {text.contact_id for text in texts}
    held = world.sql("SELECT DISTINCT contact_id FROM cohort.decision WHERE reason = 'control'")
    assert {row.contact_id for row in held} <= control

    caps = [8, 12, 18, 27]  # the ramp of the first days that send
    a_day = Counter(
        row.as_of for row in world.sql("SELECT as_of FROM cohort.decision WHERE action = 'send'")
    )
    ramp = list(caps)
    for as_of in decided:
        most = 30 if as_of < START + timedelta(days=CHANGED) else 20
        if ramp and a_day[as_of]:
            most = min(most, ramp.pop(0))
        assert a_day[as_of] <= most
    world.check_daily_steps()
