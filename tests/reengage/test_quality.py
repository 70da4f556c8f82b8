"""What stops a day before core is touched, what only warns, and how a person is told."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from test_core import CARD, CARD_HEAD
from test_sources import AS_OF, POLICY, Feed, loaded

from reengage.errors import DayStopped
from reengage.quality import data_docs, validate


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
