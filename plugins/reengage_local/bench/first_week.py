"""What a company's first week costs, by the real path and from an empty warehouse: files into raw,
raw into core, the first day decided and drafted, the second day; then the same files again, with
1 % changed, and with half of the cards new; and a club whose members, one in ten of the cards, turn
out to be them.

All of it is done twice, at a quarter of the size first: what is linear takes as long for a row of
the larger one. The files are made by this module, as plain as files are.
"""

import os
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from reengage.clock import SimulatedClock
from reengage.ingest import core
from reengage.ingest.sources import Source, read_sources
from reengage.ingest.sources.load import load_source
from reengage.journey import cohort, release
from reengage.policy import Policy, read_policy
from reengage.settings import INCLUDE, settings
from reengage_local.bench import Bench, Figures

FIRST_DAY = date(2026, 3, 2)
ORDERS_EACH = 20
LINKS = "https://bench.example/r"
QUARTER = 4

SOURCES = {
    "crm": """
source: crm
entity: contact
connector: files
path: crm.csv
columns: {source_contact_id: id, phone: phone, first_name: name, country: country,
          created_at: created, shop_account_id: account}
""",
    "club": """
source: club
entity: contact
connector: files
path: club.csv
columns: {source_contact_id: id, shop_account_id: account}
""",
    "products": """
source: shop
entity: product
connector: files
path: products.csv
columns: {source_product_id: sku, name: name}
""",
    "shop": """
source: shop
entity: interaction
kind: purchase
connector: files
path: orders/*.csv
columns: {source_event_id: order, source_contact_id: account, occurred_at: at, amount: total}
""",
    "consents": """
source: consents
entity: consent
connector: files
path: consents.csv
columns: {source_contact_id: id, contact_source: {value: crm}, granted_at: granted}
""",
}


@dataclass
class Week:
    """Rows and seconds of one size, by what was done."""

    contacts: int
    done: dict[str, tuple[int, float]] = field(default_factory=dict)

    @contextmanager
    def measured(self, what: str, rows: int | None = None) -> Iterator[list[int]]:
        """Time what is done meanwhile; how many rows it was is given now, or put into the list."""
        told: list[int] = [] if rows is None else [rows]
        began = time.perf_counter()
        yield told
        seconds = time.perf_counter() - began
        known = self.done.get(what, (0, 0.0))
        self.done[what] = (known[0] + sum(told), known[1] + seconds)

    def a_row(self, what: str) -> float:
        """Seconds a row."""
        rows, seconds = self.done[what]
        return seconds / max(rows, 1)


def run(bench: Bench) -> Figures:
    """The benchmark: rows a second by entity and stage, and how a row's time grows with size."""
    policy = read_policy(INCLUDE / "journey.yaml")
    weeks = [_week(bench, policy, bench.contacts // QUARTER), _week(bench, policy, bench.contacts)]
    small, large = weeks
    bench.say()
    bench.say(f"{'':<34}{'rows':>12}{'rows/s':>11}{'rows':>12}{'rows/s':>11}{'growth':>9}")
    growth = {}
    for what in large.done:
        growth[what] = large.a_row(what) / small.a_row(what)
        counts = "".join(
            f"{week.done[what][0]:>12,}{1 / week.a_row(what):>11,.0f}" for week in weeks
        )
        bench.say(f"{what:<34}{counts}{growth[what]:>9.2f}")
    figures = {
        "first_week_growth": max(growth[w] for w in ("contact: core", "consent: core", "decided")),
        "first_week_cards_a_second": 1 / large.a_row("contact: core"),
        "first_week_texts_a_second": 1 / large.a_row("decided"),
        "first_week_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    bench.say()
    for name, value in figures.items():
        bench.say(f"  {name:<34}{value:>12,.2f}")
    return figures


def _week(bench: Bench, policy: Policy, contacts: int) -> Week:
    week = Week(contacts)
    folder = settings().home / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bench.say(f"first_week: {contacts:,} cards, as many consents, {ORDERS_EACH} orders each.")
    try:
        for name, text in SOURCES.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        _cards(folder, contacts)
        _consents(folder, contacts)
        _orders(folder, contacts)
        _products(folder, contacts // 10)
        club, *sources = sorted(read_sources(folder), key=_turn)
        crm = sources[0]
        with bench.warehouse() as engine:
            _day(week, engine, policy, sources, FIRST_DAY, "")
            _orders_of(folder, contacts, FIRST_DAY + timedelta(days=1))
            _day(week, engine, policy, sources, FIRST_DAY + timedelta(days=1), "second day: ")
            for what, changed, cards in (
                ("same again: ", 0, contacts),
                ("1 % changed: ", contacts // 100, contacts),
                ("half new: ", 0, contacts + contacts // 2),
            ):
                _cards(folder, cards, changed)
                os.utime(folder / "crm.csv", (cards, len(week.done)))  # another file, by its time
                at = FIRST_DAY + timedelta(days=2 + len(week.done))
                _load(week, engine, policy, crm, at, what)
            for what, is_known in (("club: ", False), ("merges: ", True)):
                _members(folder, contacts // 10, is_known)
                at = FIRST_DAY + timedelta(days=2 + len(week.done))
                _load(week, engine, policy, club, at, what)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return week


def _day(
    week: Week, engine: sa.Engine, policy: Policy, sources: list[Source], as_of: date, what: str
) -> None:
    for source in sources:
        _load(week, engine, policy, source, as_of, what)
    clock = _clock(policy, as_of)
    with week.measured(f"{what}decided") as rows:
        counts = cohort.decide(engine, policy, as_of, clock, LINKS)
        rows.append(sum(counts.sends().values()))
    with engine.begin() as connection:
        cohort.let_go(connection, as_of, clock())
    with week.measured(f"{what}released") as rows:
        rows += [
            release.release(engine, policy, as_of, step.name, clock()) for step in policy.steps
        ]


def _load(
    week: Week, engine: sa.Engine, policy: Policy, source: Source, as_of: date, what: str
) -> None:
    clock = _clock(policy, as_of)
    with week.measured(f"{what}{source.entity}: raw") as rows:
        load = load_source(engine, source, policy, as_of, clock)
        rows.append(load.rows_read)
    with week.measured(f"{what}{source.entity}: core", load.rows_read):
        core.take(engine, source, load.load_id, as_of, policy, clock)


def _clock(policy: Policy, as_of: date) -> SimulatedClock:
    morning = datetime.combine(as_of + timedelta(days=1), datetime.min.time(), policy.brand.zone)
    return SimulatedClock(morning + timedelta(hours=10))


# --- the files ------------------------------------------------------------------------------------


def _cards(folder: Path, contacts: int, changed: int = 0) -> None:
    """changed: of the first so many cards the name is another."""
    with (folder / "crm.csv").open("w", encoding="utf-8") as file:
        file.write("id,phone,name,country,created,account\n")
        for n in range(contacts):
            name = "Bea" if n < changed else "Ann"
            file.write(f"C{n},+1212{2_000_000 + n},{name},US,2024-01-01,S{n}\n")


def _turn(source: Source) -> tuple[bool, int]:
    """The club is not there yet; contacts before all others, and their consents last."""
    order = ("contact", "product", "interaction", "consent")
    return source.source != "club", order.index(source.entity)


def _members(folder: Path, members: int, is_known: bool) -> None:
    """The club's cards; is_known: with the shop's account that a card of the CRM has, too."""
    with (folder / "club.csv").open("w", encoding="utf-8") as file:
        file.write("id,account\n")
        file.writelines(f"K{n},{f'S{n}' if is_known else ''}\n" for n in range(members))


def _products(folder: Path, products: int) -> None:
    with (folder / "products.csv").open("w", encoding="utf-8") as file:
        file.write("sku,name\n")
        file.writelines(f"P{n},Wool blanket {n}\n" for n in range(products))


def _consents(folder: Path, contacts: int) -> None:
    with (folder / "consents.csv").open("w", encoding="utf-8") as file:
        file.write("id,granted\n")
        file.writelines(f"C{n},2025-01-01T10:00:00Z\n" for n in range(contacts))


def _orders(folder: Path, contacts: int) -> None:
    """Each contact's last order is 0 to 149 days old, the others are 17 days apart before it."""
    (folder / "orders").mkdir(exist_ok=True)
    with (folder / "orders" / "past.csv").open("w", encoding="utf-8") as file:
        file.write("order,account,at,total\n")
        days = [(FIRST_DAY - timedelta(days=day)).isoformat() for day in range(600)]
        for n in range(contacts):
            last = n * 7 % 150
            file.writelines(
                f"{n}-{k},S{n},{days[last + 17 * k]},19.90\n" for k in range(ORDERS_EACH)
            )


def _orders_of(folder: Path, contacts: int, on: date) -> None:
    """A day on which one in fifty buys."""
    with (folder / "orders" / f"{on}.csv").open("w", encoding="utf-8") as file:
        file.write("order,account,at,total\n")
        file.writelines(f"{n}-{on},S{n},{on},19.90\n" for n in range(0, contacts, 50))
