"""What strangers write, of any length: whoever looks at it takes time in step with it, or looks at
no more than a beginning.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from reengage import db
from reengage.ingest.sources import COLUMNS, Source
from reengage.ingest.sources.clean import Bad, Cleaner, Good
from reengage.ingest.sources.connectors import files
from reengage.ingest.sources.ids import normal_id
from reengage.ingest.sources.records import Broken, Notes
from reengage.policy import read_policy
from reengage.sending import replies
from reengage.texts import wording
from reengage.web import forms

MILLION = 1_000_000
TEXTS = {
    "mail": "a" * MILLION + "@",
    "no end": "a@" + "." * MILLION + "@",
    "dashes": "a@" + "a-" * (MILLION // 2),
    "blanks": "é" + " " * MILLION + "b",
    "brackets": "(" * MILLION,
    "digits": "1" * MILLION,
    "phones": "1 (" * (MILLION // 3),
    "words": "a." * (MILLION // 2),
    "please": "please " * (MILLION // 7),
    "marks": "a" + "\u0301\u0323" * (MILLION // 2),
    "letters": "\ufdfa" * (MILLION // 20),
    "quotes": '"' * MILLION,
}
MOST_GROWTH = 3  # times what is in step with the length


def seconds(work: Callable[[str], object], text: str) -> float:
    at = time.process_time()
    with suppress(ValueError):
        work(text)
    return time.process_time() - at


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize(
    "work",
    [db.redact, wording.first_name, replies.meaning, forms.text_of, normal_id],
    ids=lambda work: work.__name__,
)
def test_a_million_characters_take_what_is_in_step_with_their_number(
    work: Callable[[str], Any], text: str
) -> None:
    part = text[: len(text) // 40] + text[-len(text) // 40 :]
    of_part = seconds(work, part)
    assert of_part < 1, "of a twentieth; the whole would take hours"
    assert seconds(work, text) < 20 * MOST_GROWTH * max(of_part, 0.03)


@pytest.mark.parametrize("entity", ["contact", "interaction", "consent", "product"])
def test_a_field_has_a_length_before_anything_looks_at_it(entity: str) -> None:
    """Of every column, by itself: its row comes out, emptied of it or rejected, in no time."""
    said: dict[str, Any] = {"source": "x", "entity": entity, "connector": "files", "path": "x"}
    said["columns"] = {name: name for name in COLUMNS[entity]}
    if entity == "interaction":
        said |= {"kind": "purchase", "exclude": {"currency": ["x*"], "amount": {"below": -5}}}
    clean = Cleaner(Source.model_validate(said), read_policy(), "key")
    good = dict.fromkeys(COLUMNS[entity], "") | {
        "source_contact_id": "C1",
        "source_product_id": "P1",
        "occurred_at": "2026-05-19",
        "granted_at": "2026-05-19",
        "subscribed": "yes",
    }
    good = {name: good[name] for name in COLUMNS[entity]}
    for name in COLUMNS[entity]:
        for text in TEXTS.values():
            at = time.process_time()
            row = clean({**good, name: text})
            assert time.process_time() - at < 1, name
            assert isinstance(row, Good | Bad)
            if isinstance(row, Good):
                assert name in row.problems or text.strip() == "", name
                assert all(len(str(value)) <= 4000 for value in row.typed)
            else:
                assert len(row.reason) < 200


def test_what_is_nested_too_deeply_takes_no_other_row_with_it(tmp_path: Path) -> None:
    """Around what Python just so reads, and cannot write any more."""
    most = sys.getrecursionlimit()
    row = '{{"id": "{}", "at": "2026-05-19", "of": {}}}\n'
    lines = [row.format("a", 1)]
    lines += [row.format(deep, "[" * deep + "]" * deep) for deep in range(most - 200, most + 10)]
    file = tmp_path / "orders.jsonl"
    file.write_text("".join([*lines, row.format("b", 2)]), encoding="utf-8")
    said: dict[str, Any] = {"source": "x", "entity": "interaction", "connector": "files"}
    said |= {"path": str(file), "kind": "purchase"}
    said["columns"] = {"source_contact_id": "id", "occurred_at": "at", "amount": "of"}
    rows = [row for _, row in files.read(file, Source.model_validate(said), Notes())]
    assert len(rows) == len(lines) + 1
    broken = {row.reason for row in rows if isinstance(row, Broken)}
    assert broken == {"is not JSON: nested too deeply"}
    assert [row["id"] for row in (rows[0], rows[-1]) if isinstance(row, dict)] == ["a", "b"]


def test_only_a_short_text_is_a_start_and_a_stop_is_heard_in_any() -> None:
    assert replies.meaning("START" + " " * 4000) == "start"
    assert replies.meaning("START" + " " * 6000) == "unclear"
    assert replies.meaning("STOP " + "x" * MILLION) == "stop"


def test_what_is_redacted_is_as_it_was() -> None:
    said = "a.b+c@mail.example.org, x@y, +39 (335) 123.45-67 und 12345678 <anna-1@b-c.de>."
    assert db.redact(said) == "<email>, x@y, <phone> und 12345678 <<email>>."
