"""Workbooks of Excel (.xlsx): a sheet's rows, as lines of CSV, for whoever reads those.

A cell is what it holds, not how it is shown: a number with all its digits, a day as one. Only the
zeros that a format puts before a number are kept, as an id may begin with them. What a formula
comes to stands beside it, where a spreadsheet has worked it out; a program that only writes the
formula leaves that empty. Of cells that are merged only the first holds what is shown for all. An
empty cell would say that nobody has withdrawn, so both are told, and not read.
"""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time
from itertools import repeat
from pathlib import Path
from typing import IO, Any, NamedTuple

from reengage.errors import SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.files.table import Table
from reengage.ingest.sources.connectors.files.text import MOST_TIMES
from reengage.ingest.sources.ids import EXACT
from reengage.ingest.sources.records import LONGEST, Broken, Empty, Notes, Refused, Row, typed_text

# What Excel itself can hold.
MOST_ROWS = 1_048_576
# Bytes that the parts of a workbook may unpack to that are held at once: all but the sheets.
MOST_HELD = 64 << 20
# The same of a sheet, in any case; else so many times its packed size.
SMALL_SHEET = 256 << 20
LONGEST_ROW = 16 << 20  # bytes, of a row as it is written in the sheet
# What is in no sheet of Excel's: a document type, which may unpack without end, and a cell beyond
# the last column, XFD, up to which a row would be filled.
_NEVER = re.compile(
    rb"""<!(?:DOCTYPE|ENTITY)
    |<(?:\w{1,20}:)?c\s[^>]{0,200}?\br=["'](?:[A-Z]{4}|[YZ][A-Z][A-Z]|X[G-Z][A-Z]|XF[E-Z])""",
    re.IGNORECASE | re.VERBOSE,
)
_BEGINS = (b"<", b"\xef\xbb\xbf<")  # in UTF-8, as which it is looked through
_ROW = b"</row>"
# A formula beside which nothing stands, be it that it comes to an empty text.
_UNWORKED = re.compile(
    rb"(?:</(?:\w{1,20}:)?f>|<(?:\w{1,20}:)?f(?:\s[^<>]{0,150})?/>)\s{0,20}"
    rb"(?:<(?:\w{1,20}:)?v\s?/>|<(?:\w{1,20}:)?v></(?:\w{1,20}:)?v>)?\s{0,20}</(?:\w{1,20}:)?c>"
)
_MERGED = re.compile(
    rb"""<(?:\w{1,20}:)?mergeCell\s[^<>]{0,100}?ref=["']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})["']"""
)
MOST_MERGED = 100_000
# What is given for one: a figure, as it may be of a total, and nothing that XML can hold.
UNWORKED = "\ufffe0"
_ZEROS = re.compile("0{2,40}")
_TIME = re.compile(r"[hHsS]")
_CLOCK = re.compile(r"%-?[HIcXT]")  # in a format of strptime's


class _Merged(NamedTuple):
    """Cells that are merged over several rows: their rows from 1, their columns from 0."""

    first_row: int
    last_row: int
    first: int
    last: int


@dataclass
class _Look:
    """What a part shows: whether it may hold formulas without values, and what is merged there."""

    has_unworked: bool = False
    merged: set[_Merged] = field(default_factory=set)

    def at(self, piece: bytes) -> None:
        self.has_unworked = self.has_unworked or _UNWORKED.search(piece) is not None
        for found in _MERGED.finditer(piece):
            first, first_row, last, last_row = (said.decode() for said in found.groups())
            if first_row != last_row:
                self.merged.add(_Merged(int(first_row), int(last_row), _place(first), _place(last)))


def _place(letters: str) -> int:
    """Of a column by its letters: A is 0."""
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def rows_of(file: Path, source: Source, notes: Notes) -> Iterator[Row]:
    """The rows of the sheet that the source names, or of the first that is shown.

    Raises SourceError for what is no workbook, or too much of one; at a formula without a value,
    and at a cell that is merged with one above.
    """
    merged: set[_Merged] = set()
    table = Table(_lines_of(file, source, notes, merged), file, source, notes, ",")
    below = sorted((one for one in merged if one.first_row >= table.line), reverse=True)
    spans = {
        name: [(one.first_row, one.last_row) for one in below if one.first <= place <= one.last]
        for name, place in table.wanted
    }
    for number, row in table.rows():
        for name, said in row.items() if isinstance(row, dict) else ():
            if said == UNWORKED:
                raise SourceError(
                    f"{file.name}: the column {name} holds formulas that nobody has worked out, in "
                    f"row {number:,} the first. Open it in Excel, save it, and deliver it again."
                )
            while spans[name] and spans[name][-1][1] < number:
                spans[name].pop()
            if spans[name] and spans[name][-1][0] < number:
                raise SourceError(
                    f"{file.name}: the column {name} has merged cells, in row {number:,} the first "
                    "that says nothing itself. Unmerge them, and write in each row what it says."
                )
        yield number, row


def _lines_of(
    file: Path, source: Source, notes: Notes, merged: set[_Merged]
) -> Iterator[str | Broken]:
    """A line for each row of the sheet; its number is the row's. merged: filled with its own."""
    import openpyxl

    with _reading(file), file.open("rb") as raw:  # of whatever name
        looks = _check(file)
        has_unworked = any(look.has_unworked for look in looks.values())
        book = openpyxl.load_workbook(raw, read_only=True, data_only=True)
        written = openpyxl.load_workbook(raw, read_only=True) if has_unworked else None
        try:
            sheet = _sheet(file, source, book, notes)
            merged |= looks[sheet._worksheet_path].merged
            sheet.reset_dimensions()  # what a program wrote of them may be less than there is
            formulas: Iterator[Any] = repeat(())
            if written:
                twin = written[sheet.title]
                twin.reset_dimensions()
                formulas = twin.iter_rows()
            said = source.time_format or ()
            formats = (said,) if isinstance(said, str) else said
            width = 0
            for number, cells in enumerate(sheet.iter_rows(), 1):
                if number > MOST_ROWS:
                    raise SourceError(f"{file.name} has more than {MOST_ROWS:,} rows.")
                texts = [_text(cell, source.decimal, formats) for cell in cells]
                for place, formula in enumerate(next(formulas)):
                    if _is_unworked(cells[place], formula):
                        texts[place] = UNWORKED
                while texts and not texts[-1]:
                    texts.pop()
                # Empty cells at a row's end may not be written: no row is cut there.
                width = max(width, len(texts))
                yield _line([*texts, *[None] * (width - len(texts))])
        finally:
            book.close()


def _sheet(file: Path, source: Source, book: Any, notes: Notes) -> Any:
    """Raises Refused where there is none of the source's name."""
    if source.sheet:
        named = [one for one in book.worksheets if one.title.strip() == source.sheet.strip()]
        if not named:
            raise Refused(
                f"{file.name} has no sheet {source.sheet}: it has {len(book.worksheets)} others. "
                "Mend the source's `sheet`, or the workbook."
            )
        return named[0]
    shown = [one for one in book.worksheets if one.sheet_state == "visible"]
    if not shown:
        raise Empty(f"{file.name} has no sheet that is shown.")
    if shown[1:]:
        notes.told.append(
            f"the first of its {len(shown)} sheets is read: another is named as `sheet`"
        )
    return shown[0]


def _is_unworked(cell: Any, written: Any) -> bool:
    """Whether a cell is a formula, and has no value. written: the same cell with its formula."""
    # Of the type str, nothing is a text that a formula came to.
    return cell.value is None and written.data_type == "f" and cell.data_type != "str"


def _text(cell: Any, decimal: str | None, formats: Sequence[str]) -> str | None:
    """A cell's value. formats: how the source says that its times are written."""
    value = cell.value
    if isinstance(value, datetime):
        if formats:
            with_clock = (one for one in formats if value.time() != time() and _CLOCK.search(one))
            return value.strftime(next(with_clock, formats[0]))
        # Whether a time is shown tells a day from its midnight.
        is_day = value.time() == time() and not _TIME.search(str(cell.number_format))
        return value.date().isoformat() if is_day else value.isoformat()
    text = typed_text(value, decimal)
    if text and isinstance(value, int | float) and abs(value) > EXACT:
        # Of a longer number a cell has lost the last digits: as an id it would be that of several.
        return f"{value:e}"
    if text and isinstance(value, int | float) and _ZEROS.fullmatch(str(cell.number_format)):
        return text.zfill(len(cell.number_format))
    return text


def _line(cells: list[str | None]) -> str:
    """A row as one line, whatever its cells hold."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(
        [" ".join(cell.splitlines()) if cell else "" for cell in cells]
    )
    return out.getvalue()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Whatever is found in a broken workbook, as what it means for its reader."""
    from xml.etree.ElementTree import ParseError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles, validations and dates that cannot be
            yield
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        ParseError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        RuntimeError,  # as of a part with a password
        EOFError,
    ) as error:
        # Not chained: what was found there may be quoted.
        raise SourceError(
            f"{file.name} is no whole workbook of Excel ({type(error).__name__}): is it cut? Save "
            "it again, or its sheet as CSV UTF-8."
        ) from None


def _check(file: Path) -> dict[str, _Look]:
    """What its parts show. Raises SourceError where a workbook would take more memory, or time,
    than there can be in it to read.
    """
    held, looks = 0, {}
    with zipfile.ZipFile(file) as parts:
        for part in parts.infolist():
            is_sheet = part.filename.startswith("xl/worksheets/")
            held += 0 if is_sheet or part.filename.startswith("xl/media/") else part.file_size
            most = max(SMALL_SHEET, MOST_TIMES * part.compress_size) if is_sheet else MOST_HELD
            if part.file_size > most or held > MOST_HELD:
                raise SourceError(
                    f"{file.name} unpacks to more than is read of a workbook. Save its sheet as "
                    "CSV UTF-8."
                )
            if part.filename.endswith((".xml", ".rels")):
                with parts.open(part) as xml:
                    looks[part.filename] = _check_xml(file, xml, is_sheet=is_sheet)
    return looks


def _check_xml(file: Path, xml: IO[bytes], *, is_sheet: bool) -> _Look:
    before, since_row, is_first, look = b"", 0, True, _Look()
    while piece := xml.read(LONGEST):
        is_other = is_first and not piece.startswith(_BEGINS)
        is_first = False
        if is_other or _NEVER.search(before + piece):
            raise SourceError(f"{file.name} holds what no workbook of Excel does: it is not read.")
        look.at(before + piece)
        if len(look.merged) > MOST_MERGED:
            raise SourceError(
                f"{file.name} has more than {MOST_MERGED:,} merged cells. Unmerge them, and "
                "write in each row what it says."
            )
        if is_sheet:
            last = piece.rfind(_ROW)
            longest = since_row + (piece.find(_ROW) if last >= 0 else len(piece))
            since_row = len(piece) - last if last >= 0 else longest
            if longest > LONGEST_ROW:
                raise SourceError(
                    f"{file.name} has a row of more than {LONGEST_ROW >> 20} MiB. Save its sheet "
                    "as CSV UTF-8."
                )
        before = piece[-512:]
    return look
