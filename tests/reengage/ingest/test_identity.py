"""Who is who: what cards share joins nobody, and holds whoever shares it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from retailer import Retailer, opened
from test_core import DIFFERENCES
from test_sources import AS_OF, Feed, clock, correcting
from test_sources import POLICY as SHIPPED

from depth import examples
from reengage import db
from reengage.ingest import identity
from reengage.journey import cohort
from reengage.maintenance import audits
from reengage.marketer import story


def rows(engine: sa.Engine, text: str, **binds: Any) -> list[tuple[Any, ...]]:
    with engine.begin() as connection:
        result = connection.execute(sa.text(text), binds)
        return [tuple(row) for row in result] if result.returns_rows else []


# --- in batches ---------------------------------------------------------------------------------


@settings(max_examples=examples(100))
@given(st.data())
def test_people_are_told_apart_in_batches_as_all_at_once(data: st.DataObject) -> None:
    nodes = range(1, data.draw(st.integers(2, 25)) + 1)
    said = data.draw(st.lists(st.sampled_from("abc "), min_size=len(nodes), max_size=len(nodes)))
    cards = {n: source for n, source in zip(nodes, said, strict=True) if source != " "} or {1: "a"}
    card = st.sampled_from(sorted(cards))
    ids = data.draw(st.lists(st.tuples(card, st.sampled_from(nodes)), max_size=20))
    ids = [(one, other) for one, other in ids if one != other]
    phones = data.draw(st.lists(st.tuples(card, st.integers(-6, -1), st.booleans()), max_size=20))
    emails = data.draw(st.lists(st.tuples(card, st.integers(-12, -7), st.booleans()), max_size=20))
    whole = identity.people(cards, ids, phones, emails)
    kin = identity.Kin()
    kin.add_cards(cards.items())
    kin.add_links(("id", one, other, True) for one, other in ids)
    kin.add_links(("phone", *said) for said in phones)
    kin.add_links(("email", *said) for said in emails)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "BATCH", data.draw(st.integers(1, 10)))
        batches = kin.persons(len(nodes))
    for one in nodes:
        for other in nodes:
            assert (batches[one] == batches[other]) == (whole.of(one) == whole.of(other))


# --- against a plain model -----------------------------------------------------------------------

Node = tuple[str, str]  # a source, and an id of it
VERIFIED = {"app"}


@dataclass
class Known:
    """What was said so far, and what follows from it by the rules' own words."""

    named: dict[Node, set[Node]] = field(default_factory=dict)  # by card, ever
    cards: dict[Node, tuple[str, ...]] = field(default_factory=dict)  # the last row of each
    phone: dict[Node, str] = field(default_factory=dict)  # the last that a card said
    email: dict[Node, str] = field(default_factory=dict)
    phones: list[tuple[Node, str]] = field(default_factory=list)  # in the order of the rows
    events: dict[int, tuple[Node, int]] = field(default_factory=dict)  # whose, and days ago
    consents: list[tuple[Node, bool, float]] = field(default_factory=list)  # and days ago

    def person(self, card: Node) -> frozenset[Node]:
        """The card, with those of its source that have the same verified phone."""
        if card not in self.named or card[0] not in VERIFIED or card not in self.phone:
            return frozenset([card])
        phone = self.phone[card]
        return frozenset(c for c in self.named if c[0] == card[0] and self.phone.get(c) == phone)

    def of_address(self, said: dict[Node, str]) -> list[tuple[Node, Node]]:
        """Cards beside what they say, where somebody has verified it."""
        verified = {said[c] for c in said if c[0] in VERIFIED}
        return [(card, ("@", value)) for card, value in said.items() if value in verified]

    def people(self) -> dict[Node, frozenset[Node]]:
        """Everybody, by each of their ids."""
        nodes = {*self.named, *(held for ids in self.named.values() for held in ids)}
        of = {node: self.person(node) for node in nodes}
        closed: set[frozenset[Node]] = set()
        links = [(card, held) for card, ids in self.named.items() for held in ids]
        for edges in (links, self.of_address(self.phone), self.of_address(self.email)):
            near: dict[frozenset[Node], set[frozenset[Node]]] = {}
            for one, other in edges:
                mine, theirs = of[one], of.get(other, frozenset([other]))
                if mine not in closed:
                    near.setdefault(mine, set()).add(theirs)
                    near.setdefault(theirs, set()).add(mine)

            def reached(
                start: frozenset[Node],
                walls: set[frozenset[Node]],
                near: dict[frozenset[Node], set[frozenset[Node]]] = near,
            ) -> set[frozenset[Node]]:
                seen, left = {start}, [start]
                while left:
                    here = left.pop()
                    if here in walls and here != start:
                        continue
                    left += near.get(here, set()) - seen
                    seen |= near.get(here, set())
                return seen

            def sources(group: frozenset[Node]) -> set[str]:
                return {node[0] for node in group if node in self.named}

            after = dict(of)
            for group in {*of.values()}:
                whole = reached(group, set())
                apart = {
                    one
                    for one in whole
                    for other in whole
                    if one != other and sources(one) & sources(other)
                }
                if group in apart:
                    mine = {
                        one for one in whole - apart if reached(one, apart) & apart == {group}
                    } | {group}
                else:
                    ways = reached(group, apart) & apart
                    if len(ways) == 1:
                        continue  # the person's own turn says it
                    mine = reached(group, apart) - apart
                    if ways:
                        closed.add(frozenset(node for one in mine for node in one))
                everything = frozenset(node for one in mine for node in one)
                after |= {node: everything for node in everything if node in of}
            of = after
        return {n: frozenset(x for x in group if x[0] != "@") for n, group in of.items()}

    def stand(self) -> tuple[dict[Node, frozenset[Node]], dict[frozenset[Node], set[Node]]]:
        """Everybody, and the ids that each only shares."""
        of = self.people()
        held: dict[frozenset[Node], set[Node]] = {}
        for card, ids in self.named.items():
            for other in ids:
                if of[other] != of[card]:
                    held.setdefault(of[card], set()).update(of[other])
        return of, held

    def due(self, contact: dict[Node, int]) -> set[frozenset[Node]]:
        """Who is texted. A number that several have is one's alone: whose sign of life is the
        latest, then whose contact is the first. Where this one may not be texted, nobody is.
        """
        of, held = self.stand()
        sharing: dict[str, list[tuple[int, int, frozenset[Node]]]] = {}
        for person in {*of.values()}:
            phones = [phone for card, phone in self.phones if card in person]
            alive = [
                ago
                for whose, ago in self.events.values()
                if whose in person or whose in held.get(person, set())
            ]
            if phones:
                first = min(contact[node] for node in person if node in contact)
                sharing.setdefault(phones[-1], []).append((min(alive, default=99), first, person))
        return {
            person
            for ago, _, person in map(min, sharing.values())
            if ago >= 30 and self._agreed(person, of, held)
        }

    def _number(self, person: frozenset[Node]) -> str | None:
        """The one that a card of theirs said last."""
        return ([phone for card, phone in self.phones if card in person] or [None])[-1]

    def _agreed(
        self,
        person: frozenset[Node],
        of: dict[Node, frozenset[Node]],
        held: dict[frozenset[Node], set[Node]],
    ) -> bool:
        twins = {
            of[theirs]
            for mine in person
            for theirs, email in self.email.items()
            if self.email.get(mine) == email and {mine[0], theirs[0]} & VERIFIED
        } - {person}
        # A number is one's who withdraws, whoever else has it.
        twins |= {
            other
            for other in {*of.values()} - {person}
            if self._number(other) is not None and self._number(other) == self._number(person)
        }
        others = twins | {of[node] for node in held.get(person, set())}
        said = [(ago, yes) for whose, yes, ago in self.consents if whose in person]
        granted = min((ago for ago, yes in said if yes), default=None)
        if granted is None:
            return False
        stops = [ago for ago, yes in said if not yes]
        for other in others:
            theirs = [(ago, yes) for whose, yes, ago in self.consents if whose in other]
            again = min((ago for ago, yes in theirs if yes), default=99)
            stops += [ago for ago, yes in theirs if not yes and ago <= again]
        return min(stops, default=99) > granted


def spelt(source: str, phone: str) -> str:
    """The second number is of Argentina: the app knows it with the 9 of a mobile, and the others
    without, which is no sign that it is none.
    """
    if phone == "2":
        return "+54 9 11 2345 6789" if source == "app" else "+54 11 2345 6789"
    return phone and f"212555010{phone}"


CARD = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(["", "", "1", "2", "3"]),
    st.sampled_from(["", "", "x", "y"]),
    st.sampled_from(["", "l1", "l2"]),
    st.sampled_from(["", "a", "b"]),
)
WHO = st.sampled_from(
    [
        ("crm", "a"),
        ("crm", "b"),
        ("crm", "c"),
        ("app", "a"),
        ("app", "b"),
        ("shop", "a"),
        ("shop", "b"),
        ("loyalty", "l1"),
        ("loyalty", "l2"),
    ]
)
LOAD = st.one_of(
    st.tuples(st.just("crm"), st.lists(CARD, min_size=1, max_size=3, unique_by=lambda c: c[0])),
    st.tuples(
        st.sampled_from(["app", "shop"]),
        st.lists(CARD, min_size=1, max_size=2, unique_by=lambda c: c[0]),
    ),
    st.tuples(
        st.just("events"),
        st.lists(
            st.tuples(st.integers(0, 4), WHO, st.sampled_from([5, 40, 50])),
            min_size=1,
            max_size=3,
            unique_by=lambda e: e[0],
        ),
    ),
    st.tuples(
        st.just("consents"),
        st.lists(
            st.tuples(WHO, st.booleans(), st.integers(1, 20)),
            min_size=1,
            max_size=3,
            unique_by=lambda c: (c[0], c[2]),
        ),
    ),
)
POLICY = correcting(SHIPPED).model_copy(
    update={"control": SHIPPED.control.model_copy(update={"share": 0}), "entry": "by_days"}
)
CARD_HEAD = "id,phone,email,since,card,account"
HEADS = {"events": "id,src,who,at", "consents": "src,who,given,taken"}


@given(st.lists(LOAD, min_size=2, max_size=7))
# The first of three who have a number has withdrawn: nobody is texted under it.
@example(
    [
        ("crm", [("a", "", "", "", "")]),
        ("app", [("a", "3", "", "l2", "")]),
        ("crm", [("a", "", "", "", "")]),
        ("crm", [("a", "", "", "", ""), ("b", "3", "", "", "")]),
        ("crm", [("a", "", "", "", "")]),
        ("consents", [(("loyalty", "l2"), True, 1), (("crm", "a"), False, 1)]),
        ("crm", [("a", "3", "", "", "")]),
    ]
)
# A card that says the same again says nothing later: the number is still the other's.
@example(
    [
        ("crm", [("a", "", "", "", "")]),
        ("shop", [("a", "3", "y", "l2", ""), ("b", "", "", "", "")]),
        ("app", [("a", "1", "", "l2", "")]),
        ("shop", [("a", "3", "y", "l2", ""), ("b", "1", "", "", "")]),
        ("consents", [(("loyalty", "l2"), True, 1)]),
        ("crm", [("a", "1", "", "", "")]),
    ]
)
# A mobile's number of Argentina without its 9 may be one: it is texted.
@example(
    [
        ("crm", [("a", "", "", "", ""), ("c", "", "", "", ""), ("b", "2", "", "", "")]),
        ("consents", [(("crm", "b"), True, 1)]),
    ]
)
# The one of three who agreed was seen last: the number is theirs.
@example(
    [
        ("crm", [("a", "3", "", "", ""), ("b", "3", "", "", "")]),
        ("app", [("a", "3", "", "l2", "")]),
        ("events", [(0, ("app", "a"), 40)]),
        ("consents", [(("loyalty", "l2"), True, 1)]),
    ]
)
# Yes again, later on the day of the no.
@example(
    [
        ("crm", [("a", "3", "", "", "")]),
        ("consents", [(("crm", "a"), False, 1)]),
        ("consents", [(("crm", "a"), True, 1)]),
    ]
)
@settings(max_examples=examples(15))
def test_nobody_is_anybody_else_and_who_shares_is_held(
    warehouse: sa.Engine, tmp_path_factory: pytest.TempPathFactory, loads: list[Any]
) -> None:
    with warehouse.begin() as connection:
        for schema in ("raw", "core", "cohort", "outbox", "outcome"):
            tables = sa.inspect(connection).get_table_names(schema)
            names = ", ".join(f"{schema}.{table}" for table in tables if table != "word")
            connection.execute(sa.text(f"TRUNCATE {names}"))
    folder = tmp_path_factory.mktemp("feeds")
    cards: dict[str, Any] = {
        "entity": "contact",
        "kind": None,
        "columns": {
            "source_contact_id": "id",
            "phone": "phone",
            "email": "email",
            "created_at": "since",
            "loyalty_card_id": "card",
            "shop_account_id": "account",
        },
    }
    of_whom = {"source_contact_id": "who", "contact_source": "src"}
    feeds = {
        "crm": Feed(warehouse, folder, "crm", **cards),
        "app": Feed(warehouse, folder, "app", **cards, verified=["phone", "email"]),
        "shop": Feed(warehouse, folder, "shop", **cards),
        "events": Feed(
            warehouse,
            folder,
            "events",
            columns={**of_whom, "source_event_id": "id", "occurred_at": "at"},
        ),
        "consents": Feed(
            warehouse,
            folder,
            "consents",
            entity="consent",
            kind=None,
            columns={**of_whom, "granted_at": "given", "withdrawn_at": "taken"},
        ),
    }
    known = Known()
    for number, (name, content) in enumerate(loads):
        if name == "events":
            written = [(n, *who, AS_OF - timedelta(days=ago)) for n, who, ago in content]
            known.events |= {n: (who, ago) for n, who, ago in content}
        elif name == "consents":
            written = [
                (*who, *(("", on) if not yes else (on, "")))
                for who, yes, ago in content
                for on in [f"{AS_OF - timedelta(days=ago)}T12:00:0{number}Z"]
            ]
            # Of one day, what is said later is later.
            known.consents += [(who, yes, ago - number / 10) for who, yes, ago in content]
        else:
            written = [
                (
                    card,
                    spelt(name, phone),
                    email and f"{email}@shop.example",
                    "2024-01-01",
                    loyalty,
                    account,
                )
                for card, phone, email, loyalty, account in content
            ]
            for card, phone, email, loyalty, account in content:
                node = (name, card)
                if known.cards.get(node) == (phone, email, loyalty, account):
                    continue  # what says the same again is not said later
                known.cards[node] = (phone, email, loyalty, account)
                ids = known.named.setdefault(node, set())
                ids |= {("loyalty", loyalty)} if loyalty else set()
                ids |= {("shop", account)} if account and ("shop", account) != node else set()
                known.phones = [one for one in known.phones if one[0] != node]
                if phone:
                    known.phone[node] = phone
                    known.phones.append((node, phone))
                if email:
                    known.email[node] = email
        feeds[name].write(f"{number}.csv", written, HEADS.get(name, CARD_HEAD))
        feeds[name].take(policy=POLICY)
        assert rows(warehouse, DIFFERENCES) == []
        with warehouse.connect() as connection:
            assert not db.run(
                connection,
                "maintenance/audit_activity",
                after_contact_id=0,
                share=1,
                seed=0,
                through_contact_id=2**62,
                signals=list(POLICY.signals),
            ).all()
        found: dict[int, set[Node]] = {}
        for contact_id, source, who in rows(
            warehouse, "SELECT contact_id, source, source_contact_id FROM core.contact_identity"
        ):
            found.setdefault(contact_id, set()).add((source, who))
        there = {node for nodes in found.values() for node in nodes}
        people = known.people()
        assert {frozenset(nodes) for nodes in found.values()} == {
            people.get(node, frozenset([node])) & there for node in there
        }
        assert known.named.keys() <= there
        assert (
            rows(
                warehouse,
                "SELECT contact_id FROM core.contact WHERE merged_into IS NULL EXCEPT "
                "SELECT contact_id FROM core.contact_identity",
            )
            == []
        )
    ids = {contact_id: frozenset(nodes) for contact_id, nodes in found.items()}
    with warehouse.connect() as connection:
        cohort.decide_in(connection, POLICY, AS_OF, clock, "http://127.0.0.1:1/r")
        sent = {
            ids[row.contact_id]
            for row in connection.execute(
                sa.text("SELECT contact_id FROM cohort.decision WHERE action = 'send'")
            )
        }
        connection.rollback()
    contact = {node: contact_id for contact_id, nodes in ids.items() for node in nodes}
    assert sent == {person & there for person in known.due(contact)}


# --- placeholders, and what comes between the decision and the text ------------------------------


def test_what_many_cards_hold_is_a_placeholder_and_its_past_stops_stay(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    crm = Feed(
        warehouse,
        tmp_path,
        "crm",
        entity="contact",
        kind=None,
        columns={"source_contact_id": "id", "loyalty_card_id": "card"},
    )
    loyalty = Feed(warehouse, tmp_path, "loyalty")
    club = Feed(
        warehouse,
        tmp_path,
        "club",
        entity="consent",
        kind=None,
        columns={
            "source_contact_id": "who",
            "contact_source": {"value": "loyalty"},
            "withdrawn_at": "taken",
        },
    )

    def seen() -> dict[str, tuple[Any, ...]]:
        assert rows(warehouse, DIFFERENCES) == []
        return {
            who: tuple(what)
            for who, *what in rows(
                warehouse,
                "SELECT source_contact_id, purchases, last_signal_on IS NOT NULL, "
                "EXISTS(SELECT 1 FROM core.stop_elsewhere AS stop "
                "WHERE stop.contact_id = activity.contact_id) "
                "FROM core.contact_activity AS activity "
                "JOIN core.contact_identity USING (contact_id)",
            )
        }

    crm.write("a.csv", [("a", "9999"), ("b", "")], "id,card")
    loyalty.write("a.csv", [(1, "9999", "2024-03-01", 5)])
    club.write("a.csv", [("9999", "2024-03-02")], "who,taken")
    for feed in (crm, loyalty, club):
        feed.take()
    assert seen() == {"a": (1, True, False), "9999": (1, True, False), "b": (0, False, False)}
    crm.write("b.csv", [("b", "9999")], "id,card")
    crm.take()  # two hold it: both are held by what happens under it
    assert seen() == {"a": (0, True, True), "9999": (1, True, False), "b": (0, True, True)}
    crm.write("c.csv", [(n, "9999") for n in range(4)], "id,card")
    crm.take()
    late = {str(n): (0, False, False) for n in range(4)}
    assert seen() == late | {"a": (0, False, True), "9999": (1, True, False), "b": (0, False, True)}
    ((message,),) = rows(warehouse, "SELECT message FROM raw.load ORDER BY load_id DESC LIMIT 1")
    assert "6 cards hold 1 ids of other sources that more than 5 cards have" in message
    crm.write("d.csv", [("z", "9999"), ("b", "")], "id,card")
    crm.take()
    assert seen() == late | {
        "a": (0, False, True),
        "9999": (1, True, False),
        "b": (0, False, True),
        "z": (0, False, False),
    }


def test_a_stop_or_a_sign_elsewhere_after_the_decision_is_seen_before_the_text(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    case = Path("tests/cases/shared-stops")
    retailer = Retailer(warehouse, opened(case, tmp_path))
    data, as_of = retailer.folder / "data", date(2026, 5, 20)
    for file in ("crm.csv", "consents.jsonl", "club.csv"):
        shutil.copy(case / file, data / file)
    retailer.clock.move_to(retailer.at(as_of, 8))
    retailer._load(as_of, [])
    retailer._decide(as_of)
    queued = (
        "SELECT first_source_contact_id, message.status::text, error_code FROM outbox.message "
        "JOIN core.contact USING (contact_id) ORDER BY 1"
    )
    assert rows(warehouse, queued) == [(n, "queued", None) for n in ("EC", "HB", "Z")]
    said = (data / "consents.jsonl").read_text().replace("2026-02-01", "2026-05-10")
    (data / "consents.jsonl").write_text(said)  # Ed's: of Edith's email
    (data / "club.csv").write_text("card,granted,withdrawn\n7021,,2026-05-11T10:00:00Z\n")
    retailer._load(as_of, [])
    retailer._send(as_of)
    assert rows(warehouse, queued) == [
        ("EC", "cancelled", "no_consent"),
        ("HB", "cancelled", "no_consent"),
        ("Z", "accepted", None),
    ]
    with warehouse.connect() as connection:
        told = " ".join(story.tell(connection, retailer.policy, "crm:HB"))
    assert "holds them too" in told
    assert "an id that several cards share" in told


def test_a_stop_that_is_taken_back_frees_whom_it_held_the_next_day(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    case = Path("tests/cases/shared-stops")
    retailer = Retailer(warehouse, opened(case, tmp_path))
    data, as_of = retailer.folder / "data", date(2026, 5, 20)
    (data / "crm.csv").write_text(
        "id,first,mobile,country,email,loyalty,created\n"
        "EA,Ed,+1 212 555 0805,US,ed@example.com,7021,2026-04-15\n"
        "EB,Edna,+1 212 555 0806,US,ed@example.com,,2026-04-15\n"
        "EC,Edith,+1 212 555 0807,US,,7021,2026-04-15\n"
        "ED,Zoe,+1 212 555 0808,US,,,2026-04-15\n"
    )
    said = '{"cid": "%s", "granted": "2025-01-01T10:00:00Z"}'
    (data / "consents.jsonl").write_text("\n".join(said % who for who in ("EA", "EB", "EC", "ED")))
    (data / "club.csv").write_text("card,granted,withdrawn\n7021,2025-01-01T10:00:00Z,\n")
    retailer.clock.move_to(retailer.at(as_of, 8))
    retailer._load(as_of, [])
    phone = retailer.sql(
        "SELECT contact_id, phone_hash FROM core.contact WHERE first_source_contact_id = 'EA'"
    )[0].phone_hash
    club = retailer.sql("SELECT contact_id FROM core.contact_identity WHERE source = 'loyalty'")[
        0
    ].contact_id
    with warehouse.begin() as connection:
        said_at = retailer.at(as_of - timedelta(days=1), 12)
        binds = {"channel": "sms", "source": "reply", "at": said_at}
        db.run(connection, "core/opt_out_phone", phone_hash=phone, **binds)
        # Of an id that two share, from before it was parted.
        db.run(connection, "core/opt_out", contact_id=club, phone_hash=phone, **binds)
    day = retailer.morning(as_of)
    assert day.texted == {"ED": "survey"}
    assert day.decided["EB"] == day.decided["EC"] == "hold no_consent"
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO outbox.reply (provider, provider_reply_id, phone_hash, text, meaning,"
                " received_at) VALUES ('infobip', 'r1', :phone, 'START', 'start', :at)"
            ),
            {"phone": phone, "at": retailer.at(as_of, 15)},
        )
        db.run(
            connection,
            "core/opt_in_phone",
            phone_hash=phone,
            channel="sms",
            at=retailer.at(as_of, 15),
            is_unread_only=False,
        )
    # Another ladder by then: what was held by what is over holds nothing back.
    steps = tuple(
        step.model_copy(update={"after_days": step.after_days - 1})
        for step in retailer.policy.steps
    )
    retailer.policy = retailer.policy.model_copy(update={"steps": steps})
    day = retailer.morning(as_of + timedelta(days=1))
    assert day.texted == {"EA": "survey", "EB": "survey", "EC": "survey"}


def test_a_withdrawal_that_no_row_accounts_for_holds_every_part(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    crm = Feed(
        warehouse,
        tmp_path,
        "crm",
        entity="contact",
        kind=None,
        columns={"source_contact_id": "id", "phone": "phone", "loyalty_card_id": "card"},
    )
    crm.write("a.csv", [("HA", "2125550101", "7021"), ("Z", "2125550103", "")], "id,phone,card")
    crm.take()
    rows(
        warehouse,
        "INSERT INTO core.consent (contact_id, source, record_key, channel, purpose, granted_at, "
        "withdrawn_at, effective_at, load_id) SELECT contact_id, 'old', 'r', 'sms', 'marketing', "
        "'2024-01-01', '2024-02-01', '2024-01-01', 1 FROM core.contact_identity "
        "WHERE source_contact_id = 'HA'",
    )
    rows(
        warehouse,
        "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since) "
        "SELECT contact_id, phone_hash, 'sms', 'complaint', 'receipt', '2024-02-01' "
        "FROM core.contact WHERE first_source_contact_id = 'HA'",
    )
    crm.write("b.csv", [("HB", "2125550102", "7021")], "id,phone,card")
    crm.take()
    crm.write(
        "c.csv", [("HB", "2125550102", "7021"), ("HA", "2125550101", "7021")], "id,phone,card"
    )
    crm.take()
    held = rows(
        warehouse,
        "SELECT DISTINCT source_contact_id, purpose FROM core.stop_elsewhere "
        "JOIN core.contact_identity USING (contact_id) ORDER BY 1, 2",
    )
    assert held == [(who, what) for who in ("HA", "HB") for what in ("marketing", None)]
    assert rows(
        warehouse,
        "SELECT source_contact_id, granted_at IS NULL FROM core.consent "
        "JOIN core.contact_identity USING (contact_id) ORDER BY 1",
    ) == [("7021", True), ("HA", False)]


def test_the_audit_knows_what_holds_whom(warehouse: sa.Engine, tmp_path: Path) -> None:
    case = Path("tests/cases/household-card")
    retailer = Retailer(warehouse, opened(case, tmp_path))
    data, as_of = retailer.folder / "data", date(2026, 5, 20)
    for file in ("crm.csv", "consents.jsonl", "loyalty.csv"):
        shutil.copy(case / file, data / file)
    retailer.day(as_of)
    with (data / "loyalty.csv").open("a") as file:
        file.write("7021,2026-05-21\n")
    retailer.morning(as_of + timedelta(days=1))
    assert (
        rows(
            warehouse, "SELECT returned_on::text FROM cohort.episode WHERE returned_on IS NOT NULL"
        )
        == [("2026-05-21",)] * 3
    )  # Harry, Hilda, and the card itself
    assert audits.audit(warehouse, retailer.policy, retailer.clock).differing == 0
    with warehouse.connect() as connection:
        told = " ".join(" ".join(story.tell(connection, retailer.policy, "crm:HA")).split())
    assert "under an id that several cards share" in told


# --- what the migration parts --------------------------------------------------------------------


@pytest.fixture
def joined(new_warehouse: Any) -> Iterator[sa.Engine]:
    """A warehouse before there were card ids, in which one contact is Harry and Hilda: the lot."""
    with new_warehouse("0012") as engine:
        yield engine


OLD = (
    "INSERT INTO raw.load (source, entity, as_of, status, started_at) VALUES "
    "('crm', 'contact', '2026-05-01', 'loaded', '2026-05-02'), "
    "('loyalty', 'interaction', '2026-05-01', 'loaded', '2026-05-02'), "
    "('consents', 'consent', '2026-05-01', 'loaded', '2026-05-02')",
    # HB had the loyalty card once; HC came in by an id of its own, and was merged.
    "INSERT INTO raw.contact (load_id, file_id, line, source, record_key, record_hash, status, "
    "record, source_contact_id, phone, phone_hash, first_name, created_on, loyalty_card_id, "
    "shop_account_id) VALUES "
    "(1, 1, 1, 'crm', 'HA', '', 'loaded', '{}', 'HA', '+1', 'p1', 'Harry', '2025-01-01', '7021', "
    "'s1'), "
    "(1, 1, 2, 'crm', 'HB', '', 'superseded', '{}', 'HB', '+2', 'p2', 'Hil', '2025-01-01', '7021', "
    "NULL), "
    "(1, 1, 3, 'crm', 'HB', '', 'loaded', '{}', 'HB', '+2', 'p2', 'Hilda', '2025-02-01', NULL, "
    "NULL), "
    "(1, 1, 4, 'crm', 'HC', '', 'loaded', '{}', 'HC', '+3', 'p3', 'Hugo', '2025-03-01', '7021', "
    "'s3'), "
    "(1, 1, 5, 'crm', 'Z', '', 'loaded', '{}', 'Z', '+9', 'p9', 'Zoe', '2025-03-01', '9', 's9')",
    "INSERT INTO core.contact (contact_id, first_source, first_source_contact_id, first_seen_on, "
    "phone_e164, phone_hash, first_name, merged_into, status) VALUES "
    "(1, 'crm', 'HA', '2026-05-01', '+3', 'p3', 'Hugo', NULL, 'unsubscribed'), "
    "(2, 'shop', 's3', '2026-05-01', NULL, NULL, NULL, 1, 'active'), "
    "(3, 'crm', 'Z', '2026-05-01', '+9', 'p9', 'Zoe', NULL, 'active')",
    "SELECT setval('core.contact_contact_id_seq', 10)",
    "INSERT INTO core.contact_identity VALUES (1, 'crm', 'HA', 1, 1), (1, 'crm', 'HB', 1, 1), "
    "(1, 'crm', 'HC', 1, 1), (1, 'loyalty', '7021', 1, 1), (1, 'shop', 's1', 1, 1), "
    "(1, 'shop', 's3', 2, 1), (3, 'crm', 'Z', 3, 1), (3, 'loyalty', '9', 3, 1), "
    "(3, 'shop', 's9', 3, 1)",
    "INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id, purchases, "
    "last_purchase_on, last_signal_on, last_loyalty_on) VALUES "
    "(1, '2025-01-01', 2, 3, '2026-04-20', '2026-04-25', '2026-04-25'), "
    "(2, '2026-05-01', 2, 0, NULL, NULL, NULL), (3, '2025-03-01', 2, 0, NULL, NULL, NULL)",
    "INSERT INTO raw.interaction (load_id, file_id, line, source, record_key, record_hash, "
    "dated_on, status, record, contact_source, source_contact_id, kind, occurred_at) VALUES "
    "(2, 2, 1, 'shop', 'e1', '', '2026-03-01', 'loaded', '{}', 'shop', 's1', 'purchase', "
    "'2026-03-01'), "
    "(2, 2, 2, 'shop', 'e3', '', '2026-04-20', 'loaded', '{}', 'shop', 's3', 'purchase', "
    "'2026-04-20'), "
    "(2, 2, 3, 'loyalty', 'e7', '', '2026-04-25', 'loaded', '{}', 'loyalty', '7021', 'loyalty', "
    "'2026-04-25'), "
    "(2, 2, 4, 'till', 'eB', '', '2026-02-01', 'loaded', '{}', 'crm', 'HB', 'purchase', "
    "'2026-02-01')",
    "INSERT INTO core.interaction (contact_id, source, source_event_id, kind, occurred_at, "
    "occurred_on, loaded_at, load_id) SELECT 1, source, record_key, "
    "CAST(kind AS core.interaction_kind), occurred_at, dated_on, '2026-05-02', 2 "
    "FROM raw.interaction",
    "INSERT INTO raw.consent (load_id, file_id, line, source, record_key, record_hash, status, "
    "record, contact_source, source_contact_id, channel, purpose, granted_at, withdrawn_at) VALUES "
    "(3, 3, 1, 'consents', 'cA', '', 'loaded', '{}', 'crm', 'HA', 'sms', 'marketing', "
    "'2026-03-01', NULL), "
    "(3, 3, 2, 'consents', 'cB', '', 'loaded', '{}', 'crm', 'HB', 'sms', 'marketing', NULL, "
    "'2026-02-01')",
    "INSERT INTO core.consent (contact_id, source, record_key, channel, purpose, withdrawn_at, "
    "effective_at, load_id) VALUES (1, 'old', 'cX', 'sms', 'marketing', '2026-01-15', "
    "'2026-01-15', 1)",
    "INSERT INTO core.consent (contact_id, source, record_key, channel, purpose, granted_at, "
    "withdrawn_at, effective_at, load_id) SELECT 1, source, record_key, channel, purpose, "
    "granted_at, withdrawn_at, coalesce(granted_at, withdrawn_at), 3 FROM raw.consent",
    "INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since) VALUES "
    "(1, 'p3', 'sms', 'opted_out', 'reply', '2026-04-01'), "
    "(1, 'p3', 'sms', 'hard_bounce', 'receipt', '2026-04-01')",
    "INSERT INTO cohort.episode (contact_id, dormant_since, opened_on) "
    "VALUES (1, '2026-01-01', '2026-02-01')",
)


def test_the_migration_parts_what_an_id_had_joined(
    joined: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    for statement in OLD:
        rows(joined, statement)
    db.migrate(joined)
    who = {
        (source, name): contact_id
        for source, name, contact_id in rows(
            joined, "SELECT source, source_contact_id, contact_id FROM core.contact_identity"
        )
    }
    harry, hilda, hugo, card = (
        who["crm", "HA"],
        who["crm", "HB"],
        who["crm", "HC"],
        who["loyalty", "7021"],
    )
    assert harry == who["shop", "s1"] == 1
    assert hugo == who["shop", "s3"] == 2  # as it was before it was merged
    assert len({harry, hilda, hugo, card}) == 4
    assert who["crm", "Z"] == who["loyalty", "9"] == who["shop", "s9"] == 3
    assert rows(
        joined,
        "SELECT contact_id, phone_e164, first_name, created_on::text, merged_into, status::text "
        "FROM core.contact ORDER BY contact_id",
    ) == [
        (1, "+1", "Harry", "2025-01-01", None, "unsubscribed"),
        (2, "+3", "Hugo", "2025-03-01", None, "unsubscribed"),
        (3, "+9", "Zoe", None, None, "active"),  # not touched
        (hilda, "+2", "Hilda", "2025-02-01", None, "unsubscribed"),
        (card, None, None, None, None, "unsubscribed"),
    ]
    assert dict(rows(joined, "SELECT source_event_id, contact_id FROM core.interaction")) == {
        "e1": harry,
        "e3": hugo,
        "e7": card,
        "eB": hilda,
    }
    assert set(rows(joined, "SELECT record_key, contact_id FROM core.consent")) == {
        ("cA", harry),
        ("cB", hilda),
        # Nobody can tell whose it was.
        ("cX", harry),
        ("cX", hilda),
        ("cX", hugo),
        ("cX", card),
    }
    assert rows(
        joined,
        "SELECT contact_id, purchases, last_purchase_on::text, last_loyalty_on::text, "
        "last_signal_on::text, visible_on::text FROM core.contact_activity ORDER BY contact_id",
    ) == [
        (harry, 1, "2026-03-01", "2026-04-25", "2026-04-25", "2025-01-01"),
        (hugo, 1, "2026-04-20", "2026-04-25", "2026-04-25", "2025-03-01"),
        (3, 0, None, None, None, "2025-03-01"),
        (hilda, 1, "2026-02-01", "2026-04-25", "2026-04-25", "2025-02-01"),
        (card, 0, None, "2026-04-25", "2026-04-25", "2026-04-25"),
    ]
    # It may have been any of them who said stop; a number that is bad is none of the others.
    assert rows(
        joined, "SELECT contact_id, reason::text FROM core.suppression ORDER BY reason, contact_id"
    ) == [(1, "hard_bounce")] + [(n, "opted_out") for n in sorted((harry, hilda, hugo, card))]
    assert rows(joined, "SELECT contact_id FROM cohort.episode") == [(1,)]
    ((message,),) = rows(joined, "SELECT message FROM raw.load WHERE source = 'crm'")
    assert message.startswith("1 contacts were several cards of one source")
    assert "parted into 4, with 3 interactions, 4 consents and 3 stops" in message
    assert message in caplog.text
