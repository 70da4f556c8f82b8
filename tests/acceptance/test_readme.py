"""What README and CONTRIBUTING tell people to type, open and write is there and works."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from reengage.settings import PROJECT
from reengage.sources import read_source

DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"]


def fenced(document: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.stem)
def test_every_make_target_named_exists_and_is_in_make_help(document: Path) -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"^make ([a-z]+)", "\n".join(fenced(document, "sh")), re.M))
    named |= set(re.findall(r"`make ([a-z]+)[^`]*`", text))
    assert named
    for target in named:
        assert re.search(rf"^{target}:.*## ", makefile, re.M), f"make {target}"


def test_every_target_is_explained() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: ([a-z]+)$", makefile, re.M)
    assert phony == re.findall(r"^([a-z]+):.*## ", makefile, re.M)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.stem)
def test_every_file_linked_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (PROJECT / target).exists(), target
    for path in re.findall(r"`((?:include|plugins|dags|tests)/[\w./-]*)`", text):
        assert (PROJECT / path).exists(), path


def test_the_dags_of_the_table_are_the_dags(tmp_path: Path) -> None:
    named = set(re.findall(r"^\| `(reengage_\w+)`", DOCUMENTS[0].read_text(encoding="utf-8"), re.M))
    files = {f"reengage_{file.stem}" for file in (PROJECT / "dags").glob("*.py")}
    assert named == files


def test_the_source_of_the_readme_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA", str(tmp_path))
    (block,) = fenced(DOCUMENTS[0], "yaml")
    file = tmp_path / "shop.yaml"
    file.write_text(block, encoding="utf-8")
    source = read_source(file)
    assert yaml.safe_load(block)["source"] == source.source
    assert source.path == f"{tmp_path}/orders/*.csv"


def test_the_sql_of_the_readme_runs(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        for block in fenced(DOCUMENTS[0], "sql"):
            connection.execute(sa.text(block.rstrip().rstrip(";")))
