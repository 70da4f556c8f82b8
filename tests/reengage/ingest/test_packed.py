"""Workbooks of Excel, and files that are packed: every good row, and why there are no others."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from reengage.errors import SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.clean import Bad, Cleaner
from reengage.ingest.sources.connectors import files
from reengage.ingest.sources.connectors.files import excel, folders, text
from reengage.ingest.sources.records import Broken, Notes, Refused
from reengage.phones.hashes import PhoneKey
from reengage.policy import read_policy
from reengage.settings import INCLUDE

COLUMNS = {"source_event_id": "id", "source_contact_id": "card", "occurred_at": "at", "amount": "n"}
HEADER = list(COLUMNS.values())
ROWS = [[f"o{i}", f"K{i}", "2026-05-19", "5.00"] for i in range(200)]


def source(**said: Any) -> Source:
    given = {"source": "shop", "entity": "interaction", "kind": "purchase", "connector": "files"}
    return Source(**given, path="orders", columns=COLUMNS, **said)  # type: ignore[arg-type]


def rows(file: Path, **said: Any) -> list[list[str | None] | str]:
    """What a file holds: its rows, and of those that are none the reasons."""
    found = files.read(file, source(**said), Notes())
    return [row.reason if isinstance(row, Broken) else [*row.values()] for _, row in found]


def workbook(file: Path, *lines: list[Any], formats: dict[int, str] | None = None) -> Path:
    """A workbook of one sheet; formats: of its columns from 1."""
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)  # type: ignore[union-attr]
        for column, format in (formats or {}).items():
            book.active.cell(book.active.max_row, column).number_format = format  # type: ignore
    book.save(file)
    return file


def edited(file: Path, edit: Callable[[str], str], part: str = "xl/worksheets/sheet1.xml") -> Path:
    """A workbook with another text in one of its parts."""
    with zipfile.ZipFile(file) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[part] = edit(parts[part].decode()).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in parts.items():
            new.writestr(name, content)
    return file


CELLS: list[tuple[Any, str, str | None]] = [
    ("a text", "General", "a text"),
    ("00123", "@", "00123"),
    (123, "00000", "00123"),
    (-3, "00000", "-0003"),
    (12345678, "00000", "12345678"),
    (393331234567.0, "0.00E+00", "393331234567"),
    (1234.5, "#,##0", "1234.5"),
    (0.123456789, "0.0", "0.123456789"),
    (2**53, "General", "9007199254740992"),
    (89390100001234567890, "0", "8.939010e+19"),  # which no id may be
    (True, "General", "true"),
    (date(2026, 5, 19), "dd/mm/yyyy", "2026-05-19"),
    (datetime(2026, 5, 19), "dd/mm/yyyy hh:mm", "2026-05-19T00:00:00"),
    (datetime(2026, 5, 19, 13, 30), "dd/mm/yyyy", "2026-05-19T13:30:00"),
    ("two\nlines", "General", "two lines"),
    ('a "quote", and more', "General", 'a "quote", and more'),
    ("#N/A", "General", "#N/A"),
    (None, "General", ""),
]


@pytest.mark.parametrize(("value", "format", "said"), CELLS, ids=lambda given: repr(given)[:20])
def test_a_cell_is_what_it_holds(tmp_path: Path, value: Any, format: str, said: str) -> None:
    lines = [HEADER, ["o1", value, "2026-05-19", 5]]
    file = workbook(tmp_path / "orders.xlsx", *lines, formats={2: format})
    assert rows(file) == [["o1", said, "2026-05-19", "5"]]


def test_a_time_is_written_as_the_source_says_it_is(tmp_path: Path) -> None:
    lines = [HEADER, ["o1", "K1", datetime(2026, 5, 9), 5], ["o2", "K2", "10.05.2026", 5]]
    file = workbook(tmp_path / "orders.xlsx", *lines)
    found = rows(file, time_format="%d.%m.%Y")
    assert [row[2] for row in found] == ["09.05.2026", "10.05.2026"]
    lines = [
        HEADER,
        ["o1", "K1", datetime(2026, 5, 9), 5],
        ["o2", "K2", datetime(2026, 5, 9, 15), 5],
    ]
    file = workbook(tmp_path / "orders.xlsx", *lines)
    found = rows(file, time_format=["%d.%m.%Y", "%d.%m.%Y %H:%M"])
    assert [row[2] for row in found] == ["09.05.2026", "09.05.2026 15:00"], "no hour is lost"


def test_ids_of_which_a_cell_has_lost_digits_are_not_one(tmp_path: Path) -> None:
    cards = [89390100001234567890, 89390100001234567891]
    lines = [HEADER, *([f"o{card}", card, "2026-05-19", 5] for card in cards)]
    file = workbook(tmp_path / "orders.xlsx", *lines)
    clean = Cleaner(source(), read_policy(INCLUDE / "journey.yaml"), PhoneKey("of no warehouse"))
    found = [clean(row) for _, row in files.read(file, source(), Notes())]  # type: ignore[arg-type]
    assert [one.reason for one in found if isinstance(one, Bad)] == [
        "source_contact_id is a number that a spreadsheet has shortened: write the id as text"
    ] * 2


def test_empty_cells_at_a_rows_end_are_empty(tmp_path: Path) -> None:
    lines = [["a report of many columns", *"bcdef"], HEADER, ["o1", "K1", "2026-05-19"], [], ["o2"]]
    file = workbook(tmp_path / "orders.xlsx", *lines)
    assert rows(file) == [["o1", "K1", "2026-05-19", ""], ["o2", "", "", ""]]


def worked_out(sheet: str) -> str:
    return sheet.replace("<v />", "<v>7</v>").replace("<v></v>", "<v>7</v>")


def empty_text(sheet: str) -> str:
    return sheet.replace('<c r="D3">', '<c r="D3" t="str">')


@pytest.mark.parametrize(
    ("edit", "said"), [(str, None), (worked_out, "7"), (empty_text, "")], ids=lambda given: given
)
def test_a_formula_that_nobody_has_worked_out_is_no_empty_cell(
    tmp_path: Path, edit: Callable[[str], str], said: str | None
) -> None:
    lines = [HEADER, ["o1", "K1", "2026-05-19", 5], ["o2", "K2", "2026-05-19", "=1+1"]]
    file = edited(workbook(tmp_path / "orders.xlsx", *lines), edit)
    found = files.read(file, source(), Notes())
    assert next(found)[1] == dict(zip(HEADER, ["o1", "K1", "2026-05-19", "5"], strict=True))
    if said is None:
        with pytest.raises(SourceError, match=r"column n holds formulas .* in row 3 the first"):
            next(found)
    else:
        assert next(found)[1]["n"] == said  # type: ignore[index]


def test_a_formula_that_is_not_read_may_stand_there_as_it_is(tmp_path: Path) -> None:
    lines = [[*HEADER, "x"], ["o1", "K1", "2026-05-19", 5, "=1+1"]]
    assert rows(workbook(tmp_path / "orders.xlsx", *lines)) == [["o1", "K1", "2026-05-19", "5"]]
    lines = [HEADER, ["o1", "K1", "2026-05-19", 5], ["Total", None, None, "=SUM(D2:D2)"]]
    assert rows(workbook(tmp_path / "orders.xlsx", *lines)) == [["o1", "K1", "2026-05-19", "5"]]


MERGED = [
    ("C3:D5", 1, "column at has merged cells, in row 4"),
    ("D3:D4 D5:D6", 1, "column n has merged cells, in row 4"),
    ("D4:D5", 2, "column n has merged cells, in row 5"),
    ("A1:A2 A3:D3 E3:G5", 4, None),  # of the header, of a row, beside what is read
]


@pytest.mark.parametrize(("merged", "good", "told"), MERGED)
def test_a_cell_that_is_merged_with_one_above_is_no_empty_cell(
    tmp_path: Path, merged: str, good: int, told: str | None
) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for line in [[*HEADER, "x"], [], *([f"o{n}", "K1", "2026-05-19", 5, 1] for n in range(4))]:
        sheet.append(line)
    for cells in merged.split():
        sheet.merge_cells(cells)
    book.save(tmp_path / "orders.xlsx")
    found = files.read(tmp_path / "orders.xlsx", source(), Notes())
    assert [next(found)[0] for _ in range(good)] == [3, 4, 5, 6][:good]
    if told:
        with pytest.raises(SourceError, match=told):
            next(found)


@settings(max_examples=examples(20))
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**14),
            st.dates(date(1901, 1, 1)),
            st.decimals(-(10**8), 10**8, places=2),
            st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=50),
        ),
        max_size=20,
    )
)
def test_what_a_workbook_holds_is_read_to_the_digit(
    tmp_path: Path, orders: list[tuple[int, date, Decimal, str]]
) -> None:
    lines = [
        [f"o{place}", f"{number} {name}", on, amount]
        for place, (number, on, amount, name) in enumerate(orders)
    ]
    file = workbook(tmp_path / "orders.xlsx", HEADER, *lines)
    for found, (event, card, on, amount) in zip(rows(file), lines, strict=True):
        assert found[:3] == [event, card, on.isoformat()]
        assert Decimal(str(found[3])) == amount


def test_the_sheet_that_is_named_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for title in ("One", "Two"):
        sheet = book.create_sheet(title)
        sheet.append(HEADER)
        sheet.append([title, "K1", "2026-05-19", 5])
    del book["Sheet"]
    file = tmp_path / "orders.xlsx"
    book.save(file)
    assert [row[0] for row in rows(file)] == ["One"]
    assert [row[0] for row in rows(file, sheet="Two")] == ["Two"]
    with pytest.raises(Refused, match=r"orders.xlsx has no sheet Three: it has 2 others"):
        rows(file, sheet="Three")
    notes = Notes()
    list(files.read(file, source(), notes))
    assert "the first of its 2 sheets is read" in str(notes.text())


def test_what_a_program_wrote_of_a_sheets_size_cuts_nothing(tmp_path: Path) -> None:
    file = workbook(tmp_path / "orders.xlsx", HEADER, *ROWS)
    edited(file, lambda xml: re.sub('<dimension ref="[^"]*"', '<dimension ref="A1"', xml))
    assert rows(file) == ROWS


def test_a_workbook_that_is_cut_is_told(tmp_path: Path) -> None:
    file = workbook(tmp_path / "orders.xlsx", HEADER, *ROWS)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(SourceError, match=r"orders\.xlsx is no whole workbook of Excel"):
        rows(file)


def test_a_sheet_that_breaks_off_is_told(tmp_path: Path) -> None:
    file = edited(workbook(tmp_path / "orders.xlsx", HEADER, *ROWS), lambda xml: xml[:-500])
    with pytest.raises(SourceError, match="is no whole workbook"):
        rows(file)


def _entities(xml: str) -> str:
    return xml.replace("<worksheet", '<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet', 1)


def _far_column(xml: str) -> str:
    return xml.replace('r="B2"', 'r="ZZZZZZ2"', 1)


def _last_column(xml: str) -> str:
    return xml.replace('r="B2"', 'r="XFE2"', 1)


def _far_row(xml: str) -> str:
    return xml.replace('<row r="3"', '<row r="4000000000"', 1)


def _long_row(xml: str) -> str:
    cells = '<c r="B2"><v>1</v></c>' * (excel.LONGEST_ROW // 20)
    return xml.replace("</row>", cells + "</row>", 1)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (_entities, "holds what no workbook of Excel does"),
        (_far_column, "holds what no workbook of Excel does"),
        (_last_column, "holds what no workbook of Excel does"),
        (_far_row, "has more than 1,048,576 rows"),
        (_long_row, "has a row of more than 16 MiB"),
    ],
)
def test_a_hostile_workbook_is_refused(
    tmp_path: Path, edit: Callable[[str], str], told: str
) -> None:
    file = edited(workbook(tmp_path / "orders.xlsx", HEADER, *ROWS), edit)
    with pytest.raises(SourceError, match=told):
        rows(file)


def test_parts_that_unpack_to_much_are_refused(tmp_path: Path) -> None:
    file = workbook(tmp_path / "orders.xlsx", HEADER, *ROWS)
    much = f"{' ' * (excel.MOST_HELD + 1)}</styleSheet>"
    edited(file, lambda xml: xml.replace("</styleSheet>", much), "xl/styles.xml")
    with pytest.raises(SourceError, match="unpacks to more than is read of a workbook"):
        rows(file)


# --- packed --------------------------------------------------------------------------------------


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("export/orders.csv", content)
    return out.getvalue()


def zstandard(content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(content)
    return out.getvalue().to_pybytes()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard,
    ".zip": zipped,
}
TEXT = "\n".join(",".join(line) for line in [HEADER, *ROWS]) + "\n"


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_file_is_read_as_what_is_in_it(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"orders.csv{suffix}"
    file.write_bytes(PACKERS[suffix](TEXT.encode()))
    assert rows(file) == ROWS
    assert folders.format_of(file, source()) == "csv"


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_document_of_json_is_read(tmp_path: Path, suffix: str) -> None:
    """It is looked at first, and read again from its beginning."""
    said = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    content = ('{"orders": ' + str(said).replace("'", '"') + "}").encode()
    if suffix == ".zip":
        packed = zipped(content).replace(b"orders.csv", b"order.json")
    else:
        packed = PACKERS[suffix](content)
    file = tmp_path / f"orders.json{suffix}"
    file.write_bytes(packed)
    assert rows(file) == ROWS


@pytest.mark.parametrize("suffix", [one for one in PACKERS if one != ".zip"])
def test_what_came_before_a_cut_is_read(tmp_path: Path, suffix: str) -> None:
    lines = [[f"o{i}", f"K{hash(str(i)) % 10**9}", "2026-05-19", "5"] for i in range(100_000)]
    content = "\n".join(",".join(line) for line in [HEADER, *lines]) + "\n"
    file = tmp_path / f"orders.csv{suffix}"
    packed = PACKERS[suffix](content.encode())
    file.write_bytes(packed[: len(packed) * 3 // 4])
    notes = Notes()
    found = list(files.read(file, source(), notes))
    assert "breaks off after line" in str(notes.problem)
    assert 0 < len(found) < len(lines)
    good = [[*row.values()] for _, row in found if not isinstance(row, Broken)]
    assert good == lines[: len(good)] and len(good) >= len(found) - 1


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_bomb_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(text, "MOST_UNPACKED", 1 << 20)
    monkeypatch.setattr(text, "MOST_LINES", 1000)
    file = tmp_path / f"orders.csv{suffix}"
    file.write_bytes(PACKERS[suffix]((TEXT + "o,K,2026-05-19,5\n" * 1_000_000).encode()))
    notes = Notes()
    found = sum(1 for _ in files.read(file, source(), notes))
    assert "unpacks to more than 200 times its size" in str(notes.problem)
    assert 0 < found < 1_000_000


def test_an_archive_of_several_files_or_with_a_password_is_told(tmp_path: Path) -> None:
    file = tmp_path / "orders.zip"
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("a.csv", TEXT)
        parts.writestr("b.csv", TEXT)
    with pytest.raises(SourceError, match=r"orders.zip holds 2 files: pack one a zip"):
        rows(file)
    content = bytearray(zipped(TEXT.encode()))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(sign) + place] |= 1
    file.write_bytes(content)
    with pytest.raises(SourceError, match=r"orders.zip has a password"):
        rows(file)


def test_a_workbook_under_another_name_says_what_to_do(tmp_path: Path) -> None:
    file = workbook(tmp_path / "orders.csv", HEADER, *ROWS)
    with pytest.raises(SourceError, match=r"name it \.xlsx, or say `format: excel`"):
        rows(file)
    assert rows(file, format="excel") == ROWS


@pytest.mark.parametrize("name", ["orders.xlsx", "orders.parquet"])
@pytest.mark.parametrize("suffix", [".zip", ".gz", ".zst"])
def test_what_is_packed_in_itself_is_not_packed_again(
    tmp_path: Path, name: str, suffix: str
) -> None:
    bare = workbook(tmp_path / name, HEADER, *ROWS)
    if name.endswith(".parquet"):
        columns = zip(*ROWS, strict=True)
        pq.write_table(pa.table(dict(zip(HEADER, map(list, columns), strict=True))), bare)
    assert len(rows(bare)) == len(ROWS)
    file = tmp_path / f"{name}{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(file, "w") as parts:
            parts.write(bare, name)
    else:
        file.write_bytes(PACKERS[suffix](bare.read_bytes()))
    with pytest.raises(SourceError, match="packed in itself"):
        rows(file)
    assert len(rows(bare.rename(file))) == len(ROWS)  # only called so


def test_an_archive_of_a_later_kind_stops_no_other_file(tmp_path: Path) -> None:
    file = tmp_path / "orders.zip"
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("orders.csv", "id")
    content = bytearray(file.read_bytes())
    content[content.find(b"PK\x01\x02") + 6] = 99  # the version that it takes
    file.write_bytes(content)
    shop = source().model_copy(update={"path": str(tmp_path)})
    assert folders.find(shop) == [file]
    with pytest.raises(SourceError, match="zip file version"):
        rows(file)


def test_a_workbook_with_a_password_on_its_parts_is_told(tmp_path: Path) -> None:
    file = workbook(tmp_path / "orders.xlsx", HEADER, *ROWS)
    content = bytearray(file.read_bytes())
    for sign, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(sign, bytes(content)):
            content[found.start() + flags] |= 1
    file.write_bytes(content)
    with pytest.raises(SourceError, match="is no whole workbook"):
        rows(file)
