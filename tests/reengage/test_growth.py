"""What a company's first week costs grows with its rows, and no faster, on a warehouse of which the
planner knows nothing. Counted is what the server does, row by row, not how long it takes.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from test_sources import AS_OF, clock
from test_sources import POLICY as SHIPPED

from reengage import db
from reengage.ingest import core
from reengage.ingest.sources import read_sources
from reengage.ingest.sources.load import load_source
from reengage.journey import cohort, release
from reengage.outcome import outcomes

SMALL, TIMES = 300, 4
# Sorting, and a small table that is read anyway, are not quite in step; four times the rows by a
# quadratic plan are sixteen times the work.
MOST_GROWTH = 1.75
# What every transaction does anyway hides nothing that grows.
LITTLE = 2_000

POLICY = SHIPPED.model_copy(update={"control": SHIPPED.control.model_copy(update={"share": 0.1})})

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
columns: {source_contact_id: id, phone: phone, shop_account_id: account}
""",
    "stamps": """
source: stamps
entity: contact
connector: files
path: stamps.csv
columns: {source_contact_id: id, shop_account_id: account}
""",
    "consents": """
source: consents
entity: consent
connector: files
path: consents.csv
columns: {source_contact_id: id, contact_source: {value: crm}, granted_at: granted}
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
path: orders*.csv
columns: {source_event_id: order, source_contact_id: account, occurred_at: at, amount: total}
""",
}


class Work:
    """Rows that the server's plans pass from step to step, or look at and leave, by statement."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.stage = ""

    @contextmanager
    def counted(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        def run(
            connection: Connection,
            name: str,
            table: str | None = None,
            columns: tuple[str, ...] = (),
            /,
            **binds: Any,
        ) -> Any:
            for part, (clause, names) in enumerate(db._statements(name, table, columns)):
                given = {key: binds[key] for key in names}
                if PLANNED.match(clause.text):
                    self._count(connection, f"{self.stage}: {name}, {part}", clause, given)
                result = connection.execute(clause, given)
            return result

        with monkeypatch.context() as patch:
            patch.setattr(db, "run", run)
            yield

    def _count(
        self, connection: Connection, name: str, clause: sa.TextClause, binds: dict[str, Any]
    ) -> None:
        """As it will be run, and undone."""
        explained = sa.text(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {clause.text}")
        with connection.begin_nested() as undone:
            plan = connection.execute(explained, binds).scalar_one()[0]["Plan"]
            undone.rollback()
        steps = [plan]
        while steps:
            step = steps.pop()
            steps += step.get("Plans", [])
            seen = step["Actual Rows"] + sum(
                rows for key, rows in step.items() if key.startswith("Rows Removed by")
            )
            self.rows[name] += round(seen * step["Actual Loops"])


# What EXPLAIN takes.
PLANNED = re.compile(
    r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE|CREATE TEMPORARY TABLE \w+ ON [^(]+ AS)\b"
)


def first_week(
    engine: sa.Engine, folder: Path, contacts: int, monkeypatch: pytest.MonkeyPatch
) -> Counter[str]:
    folder.mkdir()
    for name, text in SOURCES.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    work = Work()

    def write(name: str, header: str, rows: Iterator[str]) -> None:
        (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")

    def cards(through: int, name: str = "Ann", changed: int = 0) -> None:
        write(
            "crm.csv",
            "id,phone,name,country,created,account",
            (
                f"C{n},+1212{2_000_000 + n},{name if n < changed else 'Bea'},US,2024-01-01,S{n}"
                for n in range(through)
            ),
        )

    def stamps(*, is_known: bool) -> None:
        """is_known: with the account by which each is somebody else's."""
        write(
            "stamps.csv",
            "id,account",
            (f"T{n},{f'S{n}' if is_known else ''}" for n in range(contacts // 10)),
        )

    def load(stage: str, name: str, day: int) -> None:
        work.stage = stage
        (source,) = (s for s in sources if s.path.endswith(name))
        as_of = AS_OF + timedelta(days=day)
        found = load_source(engine, source, POLICY, as_of, clock)
        core.take(engine, source, found.load_id, as_of, POLICY, clock)

    def decide(stage: str, day: int) -> None:
        work.stage = stage
        as_of = AS_OF + timedelta(days=day)
        cohort.decide(engine, POLICY, as_of, clock, "https://go.example")
        with engine.begin() as connection:
            cohort.let_go(connection, as_of, clock())
        for step in POLICY.steps:
            release.release(engine, POLICY, as_of, step.name, clock())
        outcomes.write(engine, POLICY, as_of, clock)

    half = contacts // 2
    orders = "order,account,at,total"
    last = [AS_OF - timedelta(days=30 + day) for day in range(60)]
    next_day = AS_OF + timedelta(days=1)
    cards(half)
    write("products.csv", "sku,name", (f"P{n},Thing {n}" for n in range(contacts)))
    write("consents.csv", "id,granted", (f"C{n},1996-12-01" for n in range(contacts)))
    # Half of them are known by their orders before their cards come, and are merged then.
    write(
        "club.csv", "id,phone,account", (f"K{n},+1212{2_000_000 + n},S{n}" for n in range(contacts))
    )
    write("orders1.csv", orders, (f"{n},S{n},{last[n % 60]},9.90" for n in range(contacts)))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")  # that nothing is there is what the planner knows
    sources = read_sources(folder)
    with work.counted(monkeypatch):
        load("cards", "crm.csv", 0)
        load("products", "products.csv", 0)
        load("orders", "orders*.csv", 0)
        load("consents", "consents.csv", 0)
        decide("day", 0)
        load("a second source's cards", "club.csv", 1)
        cards(contacts)
        load("half are new", "crm.csv", 1)
        cards(contacts, "Cid", changed=contacts // 10)
        load("a tenth is changed", "crm.csv", 1)
        write("orders2.csv", orders, (f"{n}b,S{n},{next_day},9.90" for n in range(0, contacts, 10)))
        load("second day's orders", "orders*.csv", 1)
        decide("second day", 1)
        stamps(is_known=False)
        load("a third source's cards", "stamps.csv", 1)
        stamps(is_known=True)
        load("all of them are merged", "stamps.csv", 1)
    return work.rows


def test_the_first_week_costs_in_step_with_its_rows(
    new_warehouse: Callable[..., AbstractContextManager[sa.Engine]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with new_warehouse() as engine:
        small = first_week(engine, tmp_path / "small", SMALL, monkeypatch)
    with new_warehouse() as engine:
        large = first_week(engine, tmp_path / "large", SMALL * TIMES, monkeypatch)
    grown = {
        name: f"{small[name]:,} rows became {rows:,}"
        for name, rows in large.items()
        if rows > LITTLE and rows > MOST_GROWTH * TIMES * max(small[name], LITTLE / TIMES)
    }
    assert not grown, "\n".join(f"{name}: {how}" for name, how in grown.items())
