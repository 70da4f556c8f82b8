"""Four weeks of a shop whose files are as untidy as real ones, against a careful marketer: nobody
is texted whom they would not have texted, and who is plainly due is texted.

The people's truth is drawn first; the files are that truth, written down by bad tools. The model
knows the truth and the texts that went out, and nothing of the product.
"""

from __future__ import annotations

import asyncio
import csv
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from retailer import SHIPPED, Retailer
from world import create_app

from depth import examples
from reengage.sending.providers.words import Reply

FIRST = date(2026, 4, 6)
DAYS = 28
LADDER = {"survey": 7, "contest": 14, "coupon": 21}
GAP_DAYS, REPEAT_DAYS, CLOSE_DAYS = 3, 60, 20

STOPS = ["STOP", "Stop.", "please stop", "ＳＴＯＰ", "arrêt", "Baja", "STOPP", "unsubscribe me"]
ODD = [
    "nein danke",
    "ЅТОР",
    "who is this",
    "lass das",
    "non voglio piu",
    "ok",
    "👎",
    "не надо",
    "?",
]
PREVIEW = (
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36"
)
BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)


@dataclass(frozen=True)
class Order:
    """An order on a day (from FIRST). fate: ok, lines, zero, cancelled, return; refunded_on: a day
    on which its file begins to say refunded, or None.
    """

    on: int
    fate: str
    refunded_on: int | None


@dataclass(frozen=True)
class Person:
    """Who somebody is, what they do, and what they say; days are from FIRST.

    home: whose loyalty card they carry (their own, or that of the one before). withdrawn_on,
    again_on: when they take their consent back, and give it anew. said: what they reply on which
    day. pressed: the day on which they press stop on a page. looks: what becomes of the link of
    their first text.
    """

    place: int
    is_mobile: bool
    home: int
    orders: tuple[Order, ...]
    card_used: tuple[int, ...]
    has_agreed: bool
    withdrawn_on: int | None
    again_on: int | None
    said: tuple[int, str] | None
    start_on: int | None
    pressed: int | None
    looks: str | None

    @property
    def card(self) -> str:
        return f"{17800 + self.place}"

    @property
    def email(self) -> str:
        return f"person{self.place}.case@example.com"

    @property
    def phone(self) -> str:
        return f"+1212555{1000 + self.place}" if self.is_mobile else f"+44207946{1000 + self.place}"


@dataclass(frozen=True)
class Tools:
    """How the files are written."""

    buyer: str  # who bought: id, float, email
    consents: str  # dates, status
    cuts_delimiters: bool
    repeats_header: bool
    has_totals: bool
    writes_sep: bool
    phone_as: str  # e164, spaced, float


@st.composite
def people(draw: st.DrawFn, place: int) -> Person:
    day = st.integers(0, DAYS - 1)
    rarely = lambda what: st.one_of(st.none(), st.none(), what)  # noqa: E731
    orders = draw(
        st.lists(
            st.builds(
                Order,
                on=st.integers(-50, DAYS - 1),
                fate=st.sampled_from(["ok", "ok", "lines", "zero", "cancelled", "return"]),
                refunded_on=rarely(day),
            ),
            min_size=1,
            max_size=3,
        )
    )
    withdrawn = draw(rarely(day))
    said = draw(rarely(st.tuples(day, st.sampled_from(STOPS + ODD))))
    can_start = said is not None and said[1] in STOPS
    return Person(
        place,
        is_mobile=draw(st.integers(0, 5)) > 0,
        home=place - draw(st.integers(0, 1)) if place else 0,
        orders=tuple(orders),
        card_used=tuple(draw(st.lists(st.integers(-40, DAYS - 1), max_size=1))),
        has_agreed=draw(st.integers(0, 5)) > 0,
        withdrawn_on=withdrawn,
        again_on=None if withdrawn is None else draw(rarely(st.integers(withdrawn + 1, DAYS))),
        said=said,
        start_on=draw(rarely(st.integers(said[0] + 1, DAYS))) if can_start and said else None,
        pressed=draw(rarely(day)),
        looks=draw(rarely(st.sampled_from(["preview", "touch", "press"]))),
    )


@st.composite
def shops(draw: st.DrawFn) -> tuple[Tools, list[Person]]:
    tools = draw(
        st.builds(
            Tools,
            buyer=st.sampled_from(["id", "float", "email"]),
            consents=st.sampled_from(["dates", "status"]),
            cuts_delimiters=st.booleans(),
            repeats_header=st.booleans(),
            has_totals=st.booleans(),
            writes_sep=st.booleans(),
            phone_as=st.sampled_from(["e164", "spaced", "float"]),
        )
    )
    return tools, [draw(people(place)) for place in range(12)]


# --- the files -----------------------------------------------------------------------------------


def day_of(offset: int) -> date:
    return FIRST + timedelta(days=offset)


class Files:
    """The shop's exports, as they are on a day."""

    def __init__(self, folder: Path, tools: Tools, people: list[Person]) -> None:
        self.folder, self.tools, self.people = folder, tools, people
        (folder / "sources").mkdir()
        (folder / "data").mkdir()
        consent = (
            {"granted_at": "granted", "withdrawn_at": "withdrawn"}
            if tools.consents == "dates"
            else {"granted_at": "changed"}
        )
        exclude = {} if tools.consents == "dates" else {"status": ["unsubscribed", "cleaned"]}
        self._source(
            "crm",
            "contact",
            "cards.csv",
            {
                "source_contact_id": "id",
                "first_name": "first",
                "phone": "mobile",
                "country": "country",
                "created_at": "created",
                "loyalty_card_id": "card",
                "shop_account_id": "account",
                "email": "email",
            },
        )
        buyer = {} if tools.buyer == "email" else {"contact_source": {"value": "crm"}}
        self._source(
            "shop",
            "interaction",
            "orders.csv",
            {
                "source_event_id": "Name",
                "source_contact_id": "customer",
                "occurred_at": "at",
                "amount": "total",
                **buyer,
            },
            kind="purchase",
            exclude={"status": ["Cancelled", "refunded"]},
        )
        self._source(
            "loyalty",
            "interaction",
            "loyalty.csv",
            {"source_contact_id": "card", "occurred_at": "at"},
            kind="loyalty",
        )
        self._source(
            "consents",
            "consent",
            "consents.csv",
            {"source_contact_id": "id", "contact_source": {"value": "crm"}, **consent},
            exclude=exclude,
        )

    def _source(
        self, name: str, entity: str, file: str, columns: dict[str, Any], **more: Any
    ) -> None:
        said = {
            "source": name,
            "entity": entity,
            "connector": "files",
            "path": f"../data/{file}",
            "time_zone": "America/New_York",
            "columns": columns,
            **more,
        }
        (self.folder / "sources" / f"{name}.yaml").write_text(yaml.safe_dump(said))

    def write(self, today: int) -> None:
        """The exports that are complete through a day."""
        people, tools = self.people, self.tools
        self._csv(
            "cards",
            ["id", "first", "mobile", "country", "created", "card", "account", "email", "note"],
            [
                [
                    p.card,
                    "Ann",
                    self._phone(p),
                    "US",
                    day_of(-300),
                    7000 + p.home,
                    p.email,
                    p.email,
                    "",
                ]
                for p in people
            ],
        )
        self._csv(
            "loyalty",
            ["card", "at", "note"],
            [
                [7000 + p.home, f"{day_of(on)} 12:00", ""]
                for p in people
                for on in p.card_used
                if on <= today
            ],
        )
        orders: list[list[Any]] = []
        for p in people:
            for number, order in enumerate(p.orders):
                if order.on <= today:
                    orders += self._order(p, number, order, today)
        if tools.has_totals:
            orders.append(["", "", "", "", "", "1234.00", ""])
        self._csv("orders", ["Name", "customer", "at", "status", "lines", "total", "note"], orders)
        consents = [row for p in people for row in self._consents(p, today)]
        if tools.consents == "dates":
            self._csv("consents", ["id", "granted", "withdrawn", "note"], consents)
        else:
            self._csv("consents", ["id", "status", "changed", "note"], consents)

    def _phone(self, p: Person) -> str:
        if self.tools.phone_as == "float" and p.is_mobile:
            return p.phone.removeprefix("+") + ".0"
        if self.tools.phone_as == "spaced":
            return f"{p.phone[:4]} {p.phone[4:7]} {p.phone[7:]}"
        return p.phone

    def _order(self, p: Person, number: int, order: Order, today: int) -> list[list[Any]]:
        buyer = {
            "id": p.card,
            "float": f"{p.card}.0",
            "email": p.email.replace("person", " Person"),
        }[self.tools.buyer]
        status = " CANCELLED " if order.fate == "cancelled" else "paid"
        if order.refunded_on is not None and order.refunded_on <= today:
            status = "Refunded"
        total = {"zero": "0", "return": "-20.00"}.get(order.fate, "20.00")
        name, at = f"#{p.place}-{number}", f"{day_of(order.on)} 12:00"
        rows = [[name, buyer, at, status, "a", total, ""]]
        if order.fate == "lines":
            rows.append([name, buyer, at, "", "b", "", ""])
        return rows

    def _consents(self, p: Person, today: int) -> list[list[Any]]:
        if not p.has_agreed:
            return (
                []
                if self.tools.consents == "dates"
                else [[p.card, "Unsubscribed ", day_of(-200), ""]]
            )
        withdrawn = (
            p.withdrawn_on if p.withdrawn_on is not None and p.withdrawn_on <= today else None
        )
        again = p.again_on if p.again_on is not None and p.again_on <= today else None
        if self.tools.consents == "dates":
            rows: list[list[Any]] = [
                [p.card, day_of(-200), "0000-00-00" if withdrawn is None else day_of(withdrawn), ""]
            ]
            if again is not None:
                rows.append([p.card, day_of(again), "9999-12-31", ""])
            return rows
        if again is not None:
            return [[p.card, "subscribed", day_of(again), ""]]
        if withdrawn is not None:
            return [[p.card, " UNSUBSCRIBED", day_of(withdrawn), ""]]
        return [[p.card, "subscribed", day_of(-200), ""]]

    def _csv(self, name: str, header: list[str], rows: list[list[Any]]) -> None:
        tools = self.tools
        with (self.folder / "data" / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            if tools.writes_sep:
                file.write("sep=;\n")
            writer = csv.writer(file, delimiter=";")
            writer.writerow(header)
            for place, row in enumerate(rows):
                cells = [str(cell) for cell in row]
                while tools.cuts_delimiters and cells[-1] == "":
                    cells.pop()
                writer.writerow(cells)
                if tools.repeats_header and place == 2:
                    writer.writerow(header)


# --- what a careful marketer would do ------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A text that went out: on the morning after a day."""

    person: int
    day: int
    step: str


def life(p: Person, people: list[Person], through: int, known: int) -> list[int]:
    """The days on which somebody of this person's card or account was seen, up to a day, as the
    files of a day say. What was given back was not bought.
    """
    kept = [o for o in p.orders if o.refunded_on is None or o.refunded_on > known]
    seen = [o.on for o in kept if o.fate == "zero"]
    bought: list[int] = []
    for order in sorted(kept, key=lambda o: (o.on, o.fate == "return")):
        if order.fate in ("ok", "lines"):
            bought.append(order.on)
        elif order.fate == "return" and order.on <= known and bought:
            bought.pop()  # all cost the same: the latest one was given back
    seen += bought
    seen += [on for other in people if other.home == p.home for on in other.card_used]
    return [on for on in seen if on <= through]


def may_not(p: Person, people: list[Person], texts: list[Text], day: int, step: str) -> str | None:
    """Why a careful marketer would not have texted somebody on the morning after a day."""
    mine = [text for text in texts if text.person == p.place]
    quiet = day - max(life(p, people, day, day), default=-300)
    why = {
        "is not quiet": quiet < LADDER[step],
        "never agreed": not p.has_agreed,
        "took it back": p.withdrawn_on is not None
        and p.withdrawn_on <= day
        and (p.again_on is None or p.again_on > day),
        "has no mobile phone": not p.is_mobile,
        "had that step": any(text.step == step for text in mine),
        "was texted days ago": any(day - text.day < GAP_DAYS for text in mine),
        "said something": p.said is not None
        and p.said[0] < day
        and (p.start_on is None or p.start_on >= day),
        "pressed stop": pressed_on(p, texts) < day,
        "clicked": p.looks in ("touch", "press")
        and looked_on(p, texts) < day
        and max(life(p, people, day, day), default=-300) <= looked_on(p, texts),
    }
    return next((reason for reason, applies in why.items() if applies), None)


def first_text(p: Person, texts: list[Text]) -> int:
    return min((text.day for text in texts if text.person == p.place), default=10_000)


def pressed_on(p: Person, texts: list[Text]) -> int:
    """A page can be pressed from the afternoon of the first text on."""
    return 10_000 if p.pressed is None else max(p.pressed, first_text(p, texts))


def looked_on(p: Person, texts: list[Text]) -> int:
    return first_text(p, texts)


def is_plain(p: Person) -> bool:
    """Whether nothing can stand in somebody's way but their own visits."""
    return (
        p.is_mobile
        and p.has_agreed
        and (p.withdrawn_on, p.said, p.pressed, p.looks) == (None, None, None, None)
        and all(order.refunded_on is None for order in p.orders)
    )


# --- four weeks ----------------------------------------------------------------------------------


# Hypothesis begins with the simplest shop, of which little can be told: at least one more.
@settings(max_examples=examples(3))
@given(shop=shops())
def test_a_careful_marketer_would_have_texted_the_same(
    shop: tuple[Tools, list[Person]], new_warehouse: Any, tmp_path_factory: Any
) -> None:
    tools, people = shop
    with new_warehouse() as engine:
        live(engine, tmp_path_factory.mktemp("shop"), tools, people)


def policy() -> dict[str, Any]:
    said = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    steps = [{**step, "after_days": LADDER[step["name"]]} for step in said["steps"]]
    return {
        "steps": steps,
        "gap_days": GAP_DAYS,
        "repeat_after_days": REPEAT_DAYS,
        "close_after_days": CLOSE_DAYS,
        "gates": {"max_rejected_share": 0.5},
    }


def live(engine: sa.Engine, folder: Path, tools: Tools, people: list[Person]) -> None:
    files = Files(folder, tools, people)
    retailer = Retailer(engine, folder, policy())
    numbers = {p.phone: p for p in people}
    texts: list[Text] = []
    app = create_app(engine, retailer.policy, retailer.clock)
    for today in range(DAYS):
        files.write(today)
        known = len(retailer.phones.taken)
        day = retailer.morning(day_of(today))
        assert day.stopped is None, day.stopped
        for sent in retailer.phones.taken[known:]:
            assert sent.to in numbers, "a number that is nobody's"
            person = numbers[sent.to]
            assert person.card in day.texted, f"{person} shares a contact with somebody"
            step = day.texted[person.card]
            why = may_not(person, people, texts, today, step)
            assert why is None, f"day {today}: {step} to {person}, who {why}"
            texts.append(Text(person.place, today, step))
        for person in people:
            quiet = today - max(life(person, people, today, today), default=-300)
            had = any(
                (t.person, t.step) == (person.place, "survey") and t.day < today for t in texts
            )
            if is_plain(person) and quiet == LADDER["survey"] and not had:
                assert Text(person.place, today, "survey") in texts, (
                    f"day {today}: {person} is due, and {day.decided.get(person.card)}"
                )
        act(retailer, app, people, texts, today)
        retailer.evening(day_of(today))


def act(retailer: Retailer, app: Any, people: list[Person], texts: list[Text], today: int) -> None:
    """What people do in the afternoon after a day's texts."""
    retailer.clock.move_to(max(retailer.clock(), retailer.at(day_of(today), 21)))
    now: datetime = retailer.clock()
    for p in people:
        said = [p.said] if p.said and p.said[0] == today else []
        said += [(today, "START")] if p.start_on == today else []
        retailer.phones.inbox += [
            Reply(f"r{p.place}-{today}-{place}", p.phone, words, now)
            for place, (_, words) in enumerate(said)
        ]
        if first_text(p, texts) > today:
            continue
        is_first = first_text(p, texts) == today
        if is_first and p.looks:
            visit(retailer, app, p, p.looks)
        if p.pressed is not None and max(p.pressed, first_text(p, texts)) == today:
            visit(retailer, app, p, "opt-out")


def visit(retailer: Retailer, app: Any, p: Person, what: str) -> None:
    """The link of somebody's last text is fetched, and perhaps touched, confirmed or pressed."""
    ((code,),) = retailer.sql(
        "SELECT link.code FROM outbox.link INNER JOIN core.contact USING (contact_id)"
        " WHERE contact.first_source_contact_id = :card ORDER BY link.created_at DESC LIMIT 1",
        card=p.card,
    )

    async def calls() -> None:
        transport = httpx.ASGITransport(app)
        agent = PREVIEW if what == "preview" else BROWSER
        async with httpx.AsyncClient(
            transport=transport, base_url="http://links", headers={"user-agent": agent}
        ) as client:
            assert (await client.get(f"/{code}")).status_code == 200
            if what == "touch":
                await client.get(f"/{code}/seen")
            elif what == "press":
                await client.post(f"/{code}/confirm")
            elif what == "opt-out":
                assert (await client.post(f"/{code}/opt-out")).status_code < 400

    asyncio.run(calls())
