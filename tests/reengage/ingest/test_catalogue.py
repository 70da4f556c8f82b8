"""The ready sources: each is one that a case has taken through a day."""

import re
from pathlib import Path

import pytest

from reengage import cli
from reengage.errors import ConfigurationError
from reengage.ingest.sources import Source, catalogue, read_source

PROJECT = Path(__file__).parents[3]
# Which source of tests/cases is the ready one, but for where its files lie.
TRIED = {
    "invoice_lines": "online-retail/sources/shop.yaml",
    "shopify_orders": "shopify-export/sources/shop.yaml",
    "mailchimp_audience": "profile-exports/sources/crm.yaml",
    "klaviyo_consents": "profile-exports/sources/consents.yaml",
    "excel_crm_german": "german-crm/sources/crm.yaml",
}


def read(file: Path) -> dict[str, object]:
    source: Source = read_source(file)
    return source.model_dump(exclude={"path", "mapping_hash", "deletes"})


@pytest.mark.parametrize("one", catalogue.ready(), ids=lambda one: one.name)
def test_each_is_a_source_that_a_case_has_tried(
    one: catalogue.Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA", "/data")
    assert read(catalogue.FOLDER / f"{one.name}.yaml") == read(
        PROJECT / "tests/cases" / TRIED[one.name]
    )


def test_the_documentation_lists_them() -> None:
    text = (PROJECT / "docs/sources.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\w-]+) \| (.+) \|$", text, re.M)
    assert {(one.name, one.category, one.about) for one in catalogue.ready()} == {
        row for row in rows if row[0] in TRIED
    }
    assert {row[0] for row in rows} >= TRIED.keys()


def test_they_are_found_by_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sources"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in TRIED)
    assert cli.main(["sources", "--find", "Klaviyo"]) == 0
    said = capsys.readouterr().out
    assert "klaviyo_consents" in said and "needs: any plan with SMS" in said
    assert "shopify" not in said
    assert cli.main(["sources", "--find", "Lotus Notes"]) == 1
    assert "No ready source says Lotus Notes. There are" in capsys.readouterr().err


def test_one_is_copied_once_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REENGAGE_SOURCES", str(tmp_path / "mine"))
    monkeypatch.setenv("DATA", "/data")
    target = catalogue.copy("shopify_orders")
    assert target == tmp_path / "mine/shopify_orders.yaml"
    assert read_source(target).path == "/data/orders_export*.csv"
    target.write_text("edited")
    with pytest.raises(ConfigurationError, match="is there already: edit that one"):
        catalogue.copy("shopify_orders")
    assert target.read_text() == "edited"
    with pytest.raises(ConfigurationError, match=r"There is no ready source \.\./\.\./x"):
        catalogue.copy("../../x")
