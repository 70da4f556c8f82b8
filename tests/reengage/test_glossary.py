"""The glossary names what there is."""

import re
from pathlib import Path

import sqlalchemy as sa

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docs/glossary.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([a-z_ ]+) \| (.+) \| `(.+)` \|$", TEXT, re.M)
COLUMNS = """
SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
UNION ALL
SELECT table_schema || '.' || table_name || '.' || column_name FROM information_schema.columns
"""


def test_every_word_says_what_it_is_and_stands_once() -> None:
    lines = re.findall(r"^\| (?!word|-)", TEXT, re.M)
    assert len(ROWS) == len(lines) > 50
    words = [word for word, _, _ in ROWS]
    assert [word for word in words if words.count(word) > 1] == []


def test_where_each_word_stands_is_there(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        there = set(connection.execute(sa.text(COLUMNS)).scalars())
    places = {place for _, _, place in ROWS}
    files = {place for place in places if "/" in place}
    assert {place for place in files if not (PROJECT / place).is_file()} == set()
    assert places - files - there == set()
