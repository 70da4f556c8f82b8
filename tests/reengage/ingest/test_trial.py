"""What a source would come to, as whoever writes its YAML sees it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from retailer import Retailer

from reengage import cli
from reengage.ingest.sources import Source, trial, zone_of
from reengage.ingest.sources.connectors import connect
from reengage.policy import Policy, read_policy
from reengage.settings import INCLUDE

NOW = datetime(2026, 5, 20, 9, tzinfo=UTC)
CARDS = """id,first,mobile,mail,since
K1,Annabel,+1 212 555 0171,ann@shop.example,2025-01-01
K2,Robert,12,bob@shop.example,31/02/2025
,Carla,+1 212 555 0173,carla@shop.example,2025-01-01
"""
ORDERS = """order,who,day,total,state
o1,K1,2026-04-01,5.00,paid
o2,K2,2026-04-19,abc,paid
o3,K9,2026-04-20,7.00,paid
o4,K1,2026-04-21,8.00,cancelled
o5,K1,yesterday,9.00,paid
"""


@pytest.fixture
def policy() -> Policy:
    return read_policy(INCLUDE / "journey.yaml")


def cards(file: Path) -> Source:
    columns = {"source_contact_id": "id", "first_name": "first", "phone": "mobile"}
    columns |= {"email": "mail", "country": {"value": "US"}, "created_at": "since"}  # type: ignore
    return Source(
        source="crm", entity="contact", connector="files", path=str(file), columns=columns
    )


def orders(file: Path) -> Source:
    columns: dict[str, Any] = {"source_event_id": "order", "source_contact_id": "who"}
    columns |= {"contact_source": {"value": "crm"}, "occurred_at": "day", "amount": "total"}
    return Source(
        source="shop",
        entity="interaction",
        kind="purchase",
        connector="files",
        path=str(file),
        columns=columns,
        exclude={"state": ["cancelled"]},  # type: ignore[dict-item]
    )


def tried(source: Source, policy: Policy, most: int = 1000) -> trial.Trial:
    return trial.Trial(connect(source, zone_of(source, policy)), policy, NOW, most)


def told(found: trial.Trial, unknown: int | None = None) -> str:
    return "\n".join(" ".join(line.split()) for line in trial.report(found, unknown, 90))


def test_each_column_is_shown_as_it_will_be_read(tmp_path: Path, policy: Policy) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS)
    said = told(tried(orders(file), policy))
    assert "5 rows read" in said
    assert "source_event_id order in 100% of rows o1" in said
    assert "occurred_at day in 100% of rows 2026-04-01 → 2026-04-01 00:00" in said
    assert "contact_source = crm" in said
    assert "1 left empty: is no number; the first is line 3" in said
    assert "good: 3; no facts, by `exclude` or `kind`: 1" in said
    assert "rejected: 1: occurred_at is no time that can be read" in said
    assert "the first is orders.csv, line 6" in said
    assert "dated from 2026-04-01 to 2026-04-20. The last step asks for 90 quiet" in said
    assert "they name 3 people; there is no card yet" in said


def test_a_product_of_columns_is_shown_as_what_it_comes_to(tmp_path: Path, policy: Policy) -> None:
    file = tmp_path / "lines.csv"
    file.write_text("order,who,day,qty,price\no1,K1,2026-04-01,3,2.50\no2,K1,2026-04-01,,2\n")
    said = orders(file).model_dump(exclude_unset=True) | {"exclude": {}}
    said["columns"] |= {"amount": {"multiply": ["qty", "price"]}}
    assert "amount qty x price in 50% of rows 3 x 2.50 → 7.50" in told(
        tried(Source(**said), policy)
    )


def test_nobody_is_in_it(tmp_path: Path, policy: Policy) -> None:
    file = tmp_path / "cards.csv"
    file.write_text(CARDS)
    said = told(tried(cards(file), policy))
    assert "phone mobile in 100% of rows ••••71" in said
    assert "1 left empty" in said
    assert "rejected: 1: source_contact_id is missing; the first is cards.csv, line 4" in said
    for private in ("Annabel", "Robert", "ann@", "bob@", "5550171", "555 0171", "5550173"):
        assert private not in said


def test_an_id_that_is_somebodys_number_or_address_is_hidden(
    tmp_path: Path, policy: Policy
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS.replace("K1", "ann@shop.example").replace("K2", "+12125550171"))
    said = told(tried(orders(file), policy))
    assert "source_contact_id who in 100% of rows ••••le" in said
    assert "ann@" not in said


@pytest.mark.parametrize("number", ["mail-of-ann@shop.example", "+12125550171"])
def test_an_order_that_is_named_by_somebody_is_hidden(
    tmp_path: Path, policy: Policy, number: str
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS.replace("o1", number))
    assert number not in told(tried(orders(file), policy))
    file.write_text(ORDERS.replace("o1", "2125550171"))
    assert "2125550171" in told(tried(orders(file), policy)), "an order's number"


def test_of_a_short_name_nothing_is_shown(tmp_path: Path, policy: Policy) -> None:
    file = tmp_path / "cards.csv"
    file.write_text(CARDS.replace("Annabel", "Bo"))
    assert "Bo" not in told(tried(cards(file), policy)).split("first_name", 1)[1].split("\n")[0]


def test_no_more_rows_are_read_than_are_asked_for(tmp_path: Path, policy: Policy) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS)
    assert tried(orders(file), policy, most=2).rows == 2


def test_whom_no_card_describes_is_counted_and_nothing_is_loaded(
    warehouse: sa.Engine,
    tmp_path: Path,
    policy: Policy,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "cards.csv").write_text(CARDS)
    (tmp_path / "orders.csv").write_text(ORDERS)
    sources = tmp_path / "sources"
    (sources / "crm.yaml").write_text(
        "source: crm\nentity: contact\nconnector: files\npath: ../cards.csv\n"
        "columns: {source_contact_id: id, first_name: first, phone: mobile, created_at: since}\n"
    )
    retailer = Retailer(warehouse, tmp_path, {"gates": {"max_rejected_share": 1.0}})
    retailer.day(NOW.date())
    (sources / "shop.yaml").write_text(
        "source: shop\nentity: interaction\nkind: purchase\nconnector: files\n"
        "path: ../orders.csv\ncolumns: {source_event_id: order, source_contact_id: who,"
        " contact_source: {value: crm}, occurred_at: day, amount: total}\n"
    )
    monkeypatch.setenv("REENGAGE_SOURCES", str(sources))
    before = retailer.sql("SELECT count(*) FROM raw.load")
    assert cli.main(["source-check", "--name", "shop"]) == 0
    said = capsys.readouterr().out
    assert "they name 3 people, of whom no card describes 1" in said
    assert retailer.sql("SELECT count(*) FROM raw.load") == before
    assert cli.main(["source-check", "--name", "shop", "--rows", "ten"]) == 1
    assert "ROWS is a whole number, like 10000, not 'ten'." in capsys.readouterr().err
    assert cli.main(["source-check", "--name", "shoop"]) == 1
    assert "There is no source shoop: make source-check NAME=… with one of crm, shop." in (
        capsys.readouterr().err
    )
