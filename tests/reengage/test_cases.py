"""Small inputs that once went wrong, each with what is right: see tests/cases/README.md."""

import os
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from retailer import SHIPPED, Retailer, opened

from reengage.errors import ConfigurationError
from reengage.ingest.sources import clean, load, read_sources
from reengage.texts import uploads

CASES = Path(__file__).parents[1] / "cases"
FOUND = sorted(file.parent for file in CASES.glob("*/case.yaml"))
KEYS = {"about", "policy", "refused", "days"}
OF_A_DAY = {"as_of", "files", "texted", "decided", "notes", "silent", "stopped", "rows"}


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.name)
def test_case(case: Path, warehouse: sa.Engine, tmp_path: Path) -> None:
    said = yaml.safe_load((case / "case.yaml").read_text(encoding="utf-8"))
    assert said["about"]
    assert said.keys() <= KEYS, f"case.yaml knows {KEYS}"
    folder = opened(case, tmp_path)
    if "refused" in said:
        with pytest.raises(ConfigurationError, match=said["refused"]):
            read_sources(folder / "sources")
        return
    retailer = Retailer(warehouse, folder, said.get("policy"))
    for place, day in enumerate(said["days"]):
        assert day.keys() <= OF_A_DAY, f"a day knows {OF_A_DAY}"
        _deliver(day.get("files", {}), case, folder / "data", place)
        came = retailer.day(day["as_of"])
        told = "\n".join(came.notes)
        if "stopped" in day:
            assert came.stopped is not None
            assert day["stopped"] in came.stopped
        else:
            assert came.stopped is None, came.stopped
        if "texted" in day:
            assert came.texted == day["texted"], told
        decided: dict[str, Any] = day.get("decided", {})
        assert {card: came.decided.get(card) for card in decided} == decided
        for note in day.get("notes", []):
            assert note in told
        for words in day.get("silent", []):
            assert words not in told
        for query in day.get("rows", []):
            assert _plain(retailer.sql(query["sql"])) == _plain(query["are"])


def _plain(rows: list[Any]) -> list[list[str | None]]:
    return [[None if value is None else str(value) for value in row] for row in rows]


def _deliver(files: dict[str, str | None], case: Path, data: Path, place: int) -> None:
    """Copy the day's files to where the sources read them, each day's newer than the last's; what
    is null is taken away.
    """
    for target, name in files.items():
        file = data / target
        if name is None:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(case / name, file)
        at = (datetime(2000, 1, 1) + timedelta(days=place)).timestamp()
        os.utime(file, (at, at))


def test_a_code_among_others_or_in_words_is_redeemed(warehouse: sa.Engine, tmp_path: Path) -> None:
    case = CASES / "coupon-in-list"
    steps = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["steps"]
    steps[-1]["coupon"]["pool"] = "spring"
    retailer = Retailer(warehouse, opened(case, tmp_path), {"steps": steps})
    first, second = date(2026, 5, 20), date(2026, 6, 2)
    uploads.upload(warehouse, "spring", case / "codes.csv", retailer.at(first, 9))
    before = {"cards.csv": "cards.csv", "consents.csv": "consents.csv"}
    _deliver({**before, "orders/before.csv": "before.csv"}, case, tmp_path / "data", 0)
    assert retailer.day(first).texted == {"SK2": "coupon", "SK4": "coupon"}
    _deliver({"orders/ko.csv": "ko.csv"}, case, tmp_path / "data", 1)
    assert retailer.day(second).stopped is None
    used = retailer.sql("SELECT code, order_ref FROM outbox.coupon ORDER BY code")
    given = retailer.sql(
        "SELECT coupon.code, first_source_contact_id AS card FROM outbox.coupon"
        " JOIN core.contact USING (contact_id)"
    )
    assert {row.code for row in given} == {"TZMPD-4QTHR", "C2RXK-HFN6S"}
    # Of their own customer or of the other's: a code is redeemed by the order that names it.
    assert [tuple(row) for row in used] == [("C2RXK-HFN6S", "shop:k4"), ("TZMPD-4QTHR", "shop:k2")]


def test_what_a_later_file_withdrew_stays_so_where_the_older_is_read_anew(
    warehouse: sa.Engine, tmp_path: Path
) -> None:
    """The later file is gone, and the mapping is another: the older one brings nothing back."""
    source = (
        "{source: consents, entity: consent, connector: files, path: ../data/consents,"
        " columns: {source_contact_id: id, contact_source: {value: crm}, granted_at: granted,"
        " withdrawn_at: withdrawn, wording: {value: %s}}}"
    )
    folder = opened(CASES / "plain-day", tmp_path)
    files = {"cards.csv": "cards.csv", "orders.csv": "orders.csv"}
    _deliver(files, CASES / "plain-day", folder / "data", 0)
    (folder / "data/consents").mkdir()
    full, delta = folder / "data/consents/full.csv", folder / "data/consents/delta.csv"
    full.write_text("id,granted,withdrawn\nK1,2025-01-02T10:00:00Z,\n", encoding="utf-8")
    (folder / "sources/consents.yaml").write_text(source % "old", encoding="utf-8")
    retailer = Retailer(warehouse, folder)
    retailer.day(date(2026, 5, 1))
    said = "id,granted,withdrawn\nK1,2025-01-02T10:00:00Z,2026-05-02T10:00:00Z\n"
    delta.write_text(said, encoding="utf-8")
    retailer.day(date(2026, 5, 3))
    delta.unlink()
    (folder / "sources/consents.yaml").write_text(source % "new", encoding="utf-8")
    last = retailer.day(date(2026, 5, 20))
    assert (last.texted, last.decided["K1"]) == ({}, "hold no_consent")


def test_files_that_were_read_by_an_older_rule_of_ids_are_read_anew(
    warehouse: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES / "ids-of-spreadsheets"
    folder = opened(case, tmp_path)
    said = yaml.safe_load((case / "case.yaml").read_text(encoding="utf-8"))["days"][0]
    retailer = Retailer(warehouse, folder)
    with monkeypatch.context() as older:
        older.setattr(clean, "unquoted", str)
        older.setattr(clean, "normal_id", str)
        older.setattr(clean.Cleaner, "_is_marked", lambda *_, **__: False)
        older.setattr(clean, "RULES", {"contact": "4"})
        older.setattr(clean, "CONSENTS_READ", "refusals alone")
        for module in (clean, load):
            older.setattr(module, "ROW_RULES", {"interaction": "rows2", "product": "rows2"})
        _deliver(said["files"], case, folder / "data", 0)
        orders = folder / "data/orders/day.csv"
        lines = orders.read_text(encoding="utf-8").splitlines(keepends=True)
        # Their time and amount could not be read either.
        orders.write_text("".join(lines[:5] + lines[7:]), encoding="utf-8")
        assert retailer.day(date(2026, 5, 19)).stopped is None
    counted, *_ = said["rows"]
    # The card of before is still there: what both hold joins neither, and only restrains them.
    right = [row for row in counted["are"] if row[0] not in ("105", "106", "112")]
    assert _plain(retailer.sql(counted["sql"])) != _plain(right)
    assert retailer.day(date(2026, 5, 20)).stopped is None
    assert _plain(retailer.sql(counted["sql"])) == _plain(right)
