"""A day whose folders hold, beside good files, what is broken and what wants to do harm: `make day`
reads every good row, says why each other one is none, and needs little memory for all of it.
"""

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typist import Typist

import homes
from reengage.ingest.sources.connectors.files.parquet import LARGEST_PAGE, WIDE_GROUP
from reengage.ingest.sources.connectors.files.text import MOST_LINES
from reengage.ingest.sources.records import LONGEST
from reengage.settings import INCLUDE
from reengage_local.postgres import EmbeddedServer

AS_OF = date(2026, 3, 2)  # a Monday; texts go out on Tuesday
CUSTOMERS = 200
MIB = 2**20
MOST_MIB = 400
LARGE = 64  # MiB of what is larger than a line, a value or a page may be
SECRET = "the-first-line-of-a-secret"
QUIET = AS_OF - timedelta(days=35)

MORE = "-"  # in the id of an order beside a customer's one
ORDERS = "order,customer,at,total,product\n"
SOURCES: dict[str, dict[str, Any]] = {
    "cards": {
        "entity": "contact",
        "columns": {
            "source_contact_id": "id",
            "first_name": "first",
            "phone": "mobile",
            "country": {"value": "US"},
            "created_at": "created",
        },
    },
    "consents": {
        "entity": "consent",
        "broken_files": "warn",
        "columns": {
            "source_contact_id": "id",
            "contact_source": {"value": "cards"},
            "channel": {"value": "sms"},
            "purpose": {"value": "marketing"},
            "granted_at": "granted",
        },
    },
    "orders": {
        "entity": "interaction",
        "kind": "purchase",
        "columns": {
            "source_event_id": "order",
            "source_contact_id": "customer",
            "contact_source": {"value": "cards"},
            "occurred_at": "at",
            "amount": "total",
            "product_id": "product",
        },
    },
}


def order(number: int, customer: int, product: str = "P1") -> str:
    return f"o{number},C{customer},{QUIET},5.00,{product}\n"


@dataclass
class Hostile:
    """Files of orders that are hostile or broken. Each begins and, where it can, ends with an order
    of a customer's that is found nowhere else.

    why: of each file, what is said of it or of the rows in it that are none; customers: of whom a
    good order lies in it.
    """

    folder: Path
    why: dict[str, str]
    customers: dict[str, list[int]]
    _next: int = CUSTOMERS

    def customer(self, name: str) -> int:
        self._next += 1
        self.customers.setdefault(name, []).append(self._next)
        return self._next

    def good(self, name: str) -> str:
        number = self.customer(name)
        return order(number, number)

    def write(self) -> None:
        much = "x" * MIB
        name = "long_line.csv.gz"
        self.why[name] = f"is longer than {LONGEST:,} characters"
        with gzip.open(self.folder / name, "wt", compresslevel=1) as out:
            out.write(ORDERS + self.good(name) + "o,")
            out.writelines(much for _ in range(LARGE))
            out.write("\n" + self.good(name))

        name = "giant_field.csv"
        self.why[name] = "a quote is left open"
        with (self.folder / name).open("w") as out:
            out.write(ORDERS + self.good(name) + 'o,"')
            out.writelines(f"{much}\n" for _ in range(LARGE))
            out.write(f'",{QUIET},5,P\n' + self.good(name))

        name = "deep.jsonl"
        self.why[name] = "nested too deeply"
        with (self.folder / name).open("w") as out:
            for product in ('"P1"', "[" * 300_000 + "]" * 300_000, '"P1"'):
                said = {"order": "o", "customer": "", "at": str(QUIET), "total": 5, "product": 0}
                if product == '"P1"':
                    number = self.customer(name)
                    said |= {"order": f"o{number}", "customer": f"C{number}"}
                out.write(json.dumps(said).replace('"product": 0', f'"product": {product}') + "\n")

        name = "nul.csv"
        self.why[name] = "holds NUL bytes"
        text = ORDERS + self.good(name) + f"o\0,C1,{QUIET},5,P\n" + self.good(name)
        (self.folder / name).write_bytes(text.encode())

        # Rows that are good, and far more of them than there can be in so small a file.
        name = "rows.csv.gz"
        self.why[name] = "it unpacks to more than 200 times its size"
        number, lines = self.customer(name), 1000  # of an order
        with gzip.open(self.folder / name, "wt") as out:
            out.write(ORDERS + order(number, number))
            for block in range(MOST_LINES // lines * 2):
                out.write(order(number, number).replace(",", f"{MORE}{block},", 1) * lines)

        name = "blank.csv.gz"
        self.why[name] = "to blank lines alone"
        with gzip.open(self.folder / name, "wt") as out:
            out.write(ORDERS + self.good(name))
            out.writelines("\n" * MIB for _ in range(2 * LARGE))

        self._write_parquet()
        self._write_halves()

    def _write_parquet(self) -> None:
        """Values, pages and groups that are larger than they may be, and what just may be."""
        long = "x" * (LONGEST + 1)
        ratio = "unpacks to more than 200 times its size"
        value = f"product is longer than {LONGEST:,} characters"
        for name, why, number, more in (
            ("bomb.parquet", ratio, WIDE_GROUP // LONGEST + 1, {"compression": "zstd"}),
            ("page.parquet", "a page of the column product", LARGE, {}),
            ("wide.parquet", value, LARGE, {"write_batch_size": 1}),
            ("most.parquet", value, LARGEST_PAGE // LONGEST - 1, {}),
        ):
            self.why[name] = why
            rows = [order(n, 1, long).strip().split(",") for n in range(number)]
            if why == value:
                rows += [self.good(name).strip().split(",") for _ in range(2)]
            table = pa.table(
                dict(zip(ORDERS.strip().split(","), zip(*rows, strict=True), strict=True))
            )
            pq.write_table(
                table,
                self.folder / name,
                use_dictionary=False,
                write_statistics=False,
                **{"compression": "none", **more},
            )

    def _write_halves(self) -> None:
        """What somebody has not written to its end."""
        name = "half.csv"
        self.why[name] = "is the line cut?"
        (self.folder / name).write_text(ORDERS + self.good(name) + f"o,C1,{QUIET}")

        name = "half.csv.gz"
        self.why[name] = "breaks off after line"
        lines = [self.good(name)] + [f"x{n},,{QUIET},5,{n * n}\n" for n in range(3000)]
        whole = gzip.compress((ORDERS + "".join(lines)).encode())
        (self.folder / name).write_bytes(whole[: len(whole) // 2])

        name = "half.parquet"
        self.why[name] = "is no whole Parquet file"
        whole = (self.folder / "wide.parquet").read_bytes()
        (self.folder / name).write_bytes(whole[: len(whole) // 2])

        name = "empty.csv"
        self.why[name] = "empty.csv is empty"
        (self.folder / name).touch()
        (self.folder / "orders.csv.part").write_text(ORDERS + order(1, 1)[:5])
        secret = self.folder.parent / "secret.csv"
        secret.write_text(f"{SECRET}\nanother line\n")
        name = "link.csv"
        self.why[name] = "it leads out of"
        (self.folder / name).symlink_to(secret)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    folder = tmp_path_factory.mktemp("hostile")
    for name in ("sources", *SOURCES):
        (folder / name).mkdir()
    for name, said in SOURCES.items():
        said = {"source": name, "connector": "files", "time_zone": "UTC", "required": True} | said
        said["path"] = f"{folder}/{name}"
        (folder / "sources" / f"{name}.yaml").write_text(yaml.safe_dump(said))
    hostile = Hostile(folder / "orders", {}, {})
    hostile.write()
    everybody = range(1, hostile._next + 1)
    cards = [f"C{n},Ada,+1212736{1000 + n},2024-01-01" for n in (0, *everybody)]
    (folder / "cards" / "cards.csv").write_text("\n".join(["id,first,mobile,created", *cards, ""]))
    latin = f"id,first,mobile,created\nL1,José,+12127369999,{QUIET}\n".encode("latin-1")
    (folder / "cards" / "latin.csv").write_bytes(latin)
    agreed = [f"C{n},2024-01-01T00:00:00" for n in everybody]
    agreed.append("L1,2024-01-01T00:00:00")
    (folder / "consents" / "all.csv").write_text("\n".join(["id,granted", *agreed, ""]))
    orders = [order(n, n) for n in range(1, CUSTOMERS + 1)]
    orders.append(f"o0,C0,{AS_OF},5.00,P1\n")  # of the day itself, without which nobody is judged
    (folder / "orders" / "good.csv").write_text("".join([ORDERS, *orders]))
    yield hostile
    shutil.rmtree(folder)


@dataclass
class Day:
    """A day that was typed: what it said, its home, and the most bytes that its process had."""

    said: str
    home: Path
    most_memory: int

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(EmbeddedServer(self.home).dsn("warehouse")) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def day(data: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("home")
    policy = yaml.safe_load((INCLUDE / "journey.yaml").read_text(encoding="utf-8"))
    policy["control"]["share"] = 0
    policy["gates"]["max_rejected_share"] = 1
    (folder / "journey.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    home = folder / "home"
    server = homes.with_airflow(home)
    environment = homes.environment(
        home,
        REENGAGE_POLICY=str(folder / "journey.yaml"),
        REENGAGE_SOURCES=str(data.folder.parent / "sources"),
    )
    typist = Typist(environment, folder)
    try:
        code, said = typist.type("day", "--as-of", AS_OF.isoformat())
        assert code == 0, said
        yield Day(said, home, typist.most_memory())
    finally:
        typist.leave()
        server.forget()


def test_whoever_has_a_good_row_is_texted_and_nobody_else(day: Day, data: Hostile) -> None:
    everybody = {*range(1, CUSTOMERS + 1), *(n for of in data.customers.values() for n in of)}
    lines = (day.home / "sandbox" / "accepted.jsonl").read_text().splitlines()
    texted = Counter(json.loads(line)["to"] for line in lines)
    assert texted == Counter(["+12127369999", *(f"+1212736{1000 + n}" for n in everybody)])
    orders = day.fetch("SELECT source_event_id FROM core.interaction")
    assert {key for (key,) in orders if MORE not in key} == {f"o{n}" for n in (0, *everybody)}


def test_each_file_is_told_and_each_row_that_is_none_has_its_reason(
    day: Day, data: Hostile
) -> None:
    told = dict.fromkeys(data.why, "")
    for path, problem, reasons in day.fetch(
        "SELECT f.path, coalesce(f.problem, ''), coalesce(string_agg(DISTINCT r.reason, '; '), '')"
        " FROM raw.file AS f LEFT JOIN raw.reject AS r USING (file_id) GROUP BY 1, 2"
    ):
        told[Path(path).name] = f"{problem} {reasons}"
    assert {name: words for name, words in data.why.items() if words not in told[name]} == {}, told
    assert told["good.csv"].strip() == ""
    assert "1 rows are not UTF-8" in told["latin.csv"]
    assert not any(name.endswith(".part") for name in told)
    assert day.fetch(
        "SELECT first_name FROM core.contact WHERE first_source_contact_id = 'L1'"
    ) == [("José",)]


def test_what_a_link_leads_to_is_nowhere(day: Day) -> None:
    assert SECRET not in day.said
    logs = [file for file in (day.home / "logs").rglob("*") if file.is_file()]
    assert [file for file in logs if SECRET.encode() in file.read_bytes()] == []
    kept = day.fetch(f"SELECT 1 FROM raw.reject WHERE record::text LIKE '%{SECRET}%'")
    assert kept == []


def test_the_process_of_the_whole_day_needs_little_memory(day: Day) -> None:
    """Airflow, both services, Great Expectations, and the largest that a file may make it hold."""
    assert day.most_memory < MOST_MIB * MIB, f"{day.most_memory / MIB:.0f} MiB"
