"""What stops a day before it is decided, what only warns, and how a person is told."""

import sys
from datetime import date
from pathlib import Path
from types import FunctionType

import pytest
import sqlalchemy as sa
from retailer import Retailer
from test_core import CARD, CARD_HEAD
from test_sources import AS_OF, POLICY, Feed, loaded

from reengage.errors import DayStopped
from reengage.ingest import quality
from reengage.ingest.quality import data_docs, validate
from reengage.ingest.sources import read_sources


def test_good_data_pass_and_leave_a_page(warehouse: sa.Engine, tmp_path: Path) -> None:
    phone, email = "+12125550123", "ann@example.org"
    # Three systems that number their people alike are no reason to stop.
    cards = [Feed(warehouse, tmp_path, name, **CARD) for name in ("crm", "app", "till")]
    for feed in cards:
        feed.write("a.csv", [(n, phone, email, "2024-01-01", "", "") for n in range(9)], CARD_HEAD)
    shop = Feed(warehouse, tmp_path)
    rows = [(n, n, "2024-03-01", -5 if n < 5 else 5) for n in range(9)]
    shop.write("a.csv", [*rows, (99, 1, "2024-04-09", 5)])  # its day has not come
    loads = [feed.read() for feed in (*cards, shop)]
    (warning,) = validate(warehouse, loads, POLICY, AS_OF)
    assert "interactions: expected amount" in warning
    assert "55.6 % of the rows do not" in warning
    pages = [page.read_text(encoding="utf-8") for page in data_docs().parent.rglob("*.html")]
    assert len(pages) >= 4
    for page in pages:
        assert phone not in page
        assert email not in page
        assert warehouse.url.password is None or warehouse.url.password not in page


def test_each_problem_of_a_day_is_told_with_its_file_and_rows(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    shop = Feed(warehouse, tmp_path)
    shop.write("bad.csv", [(n, "" if n == 3 else n, "2024-03-01", 5) for n in range(10)])
    crm = Feed(warehouse, tmp_path, "crm", **CARD, required=True)
    with pytest.raises(DayStopped) as stop:
        validate(warehouse, [crm.read(), shop.read()], POLICY, AS_OF)
    told = str(stop.value)
    assert "nobody was written to" in told
    assert "crm (contact) is required, but there is no file at" in told
    assert "1 of 10 rows (10.0%)" in told
    assert "bad.csv: 1 rows rejected, the first in line 5: source_contact_id is missing" in told
    assert loaded(shop) == {}


SHOP = """
source: shop
entity: interaction
kind: purchase
connector: files
path: ../data/orders/*.csv
columns: {source_event_id: order, source_contact_id: who, occurred_at: at}
"""
CRM = """
source: crm
entity: contact
connector: files
path: ../data/cards.csv
columns: {source_contact_id: id}
"""


class Folder(Retailer):
    """A shop whose orders are of e-mail addresses, and cards that know them in a column."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        super().__init__(engine, folder)
        for name in ("sources", "data/orders"):
            (folder / name).mkdir(parents=True)
        self.source("shop", SHOP)
        self.source("crm", CRM)
        cards = "".join(f"K{n},Ann{n}@x.example\n" for n in range(300))
        (folder / "data" / "cards.csv").write_text(f"id,account\n{cards}", encoding="utf-8")

    def source(self, name: str, text: str) -> None:
        (self.folder / "sources" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def orders(self, on: date, first: int, count: int, who: str = "ann{}@x.example") -> None:
        rows = "".join(f"{on:%d}-{n},{who.format(n)},{on}\n" for n in range(first, first + count))
        file = self.folder / "data" / "orders" / f"{on}-{first}.csv"
        file.write_text(f"order,who,at\n{rows}", encoding="utf-8")


def test_a_day_of_people_whom_no_card_describes_is_stopped(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    shop = Folder(warehouse, tmp_path)
    first, second, third = (date(2026, 5, day) for day in (18, 19, 20))
    shop.orders(first, 0, 250)
    day = shop.day(first)  # what a source brings first is told, and no more
    assert day.stopped is None
    assert any("250 of 250 new rows (100%) name nobody" in note for note in day.notes)
    shop.orders(second, 50, 150, "K{}")
    shop.orders(second, 200, 100)
    told = shop.day(second).stopped
    assert told is not None
    assert "250 of the 250 new rows through 2026-05-19 (100%) name nobody known" in told
    assert "line 2. Their ids look like" in told
    assert "No card says that it has an id of shop" in told
    assert "shop_account_id" in told
    assert "@" not in told
    assert shop.day(second).stopped == told  # nothing was mended
    # Whose ids they are is said: the cards are read again, and those orders are known.
    has_account = "{source_contact_id: id, shop_account_id: account}"
    shop.source("crm", CRM.replace("{source_contact_id: id}", has_account))
    told = shop.day(second).stopped
    assert told is not None
    assert "150 of the 250 new rows through 2026-05-19 (60%)" in told
    assert "known ones like e-mail addresses" in told
    assert "Their ids look like a99" in told
    shop.source("shop", SHOP + "guests: true\n")
    assert shop.day(second).stopped is None
    # A decided day stays so, whatever the next one brings; under 200 rows say nothing.
    shop.source("shop", SHOP)
    shop.orders(third, 0, 199, "guest{}")
    day = shop.day(third)
    assert day.stopped is None
    assert any("199 of 199 new rows" in note for note in day.notes)
    quality.check_known(warehouse, read_sources(tmp_path / "sources"), shop.policy, second)
    assert shop.sql(
        "SELECT as_of, rows_unknown FROM raw.load WHERE rows_unknown > 0 ORDER BY load_id"
    ) == [(first, 250), (second, 150), (third, 199)]


def test_without_contacts_nobody_is_known_and_nobody_can_be_texted(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    shop = Folder(warehouse, tmp_path)
    (tmp_path / "sources" / "crm.yaml").unlink()
    shop.orders(date(2026, 5, 18), 0, 1)
    shop.day(date(2026, 5, 18))
    shop.orders(date(2026, 5, 19), 0, 250)
    day = shop.day(date(2026, 5, 19))
    assert day.stopped is None
    assert "No source is of contacts" in day.notes[-1]


def test_a_row_that_is_told_anew_is_not_new(warehouse: sa.Engine, tmp_path: Path) -> None:
    shop = Folder(warehouse, tmp_path)
    first, second = date(2026, 5, 18), date(2026, 5, 19)
    shop.orders(first, 0, 250, "guest{}")
    shop.day(first)
    shop.source("shop", SHOP + "time_zone: UTC\n")  # every file is read again
    assert shop.day(second).stopped is None
    sources = read_sources(tmp_path / "sources")
    assert quality.strangers(warehouse, sources, second) == []


def test_what_is_put_off_is_there_once_it_is_used() -> None:
    sys.modules.pop("colorsys", None)
    with quality._put_off("colorsys", "json"):
        import colorsys
        import json
    assert json is sys.modules["json"]  # it was there already
    assert "colorsys" not in sys.modules
    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
    assert "colorsys" in sys.modules
    del sys.modules["colorsys"]
    with quality._put_off("colorsys"):  # and once somebody asks meanwhile, as inspect does of all
        assert getattr(sys.modules["colorsys"], "__file__", None)
        assert isinstance(sys.modules["colorsys"].rgb_to_hsv, FunctionType)
    assert "colorsys" in sys.modules
