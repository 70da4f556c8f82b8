"""The files connector: rows out of CSV, JSON and Parquet, gz too, one at a time.

Nothing here gives up on a file because of a row: what cannot be split into a record comes out as a
Broken row with its reason, and the reading goes on after it. Memory does not grow with the file,
nor with a line, a value or what a small file unpacks to. A file whose names are not those of the
YAML is refused whole: what it says, read without one of them, would be something else.
"""

import codecs
import csv
import gzip
import io
import json
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from reengage import db
from reengage.errors import SourceError
from reengage.ingest.sources import Source, json_lists
from reengage.ingest.sources.conditions import folded
from reengage.ingest.sources.flags import may_withdraw
from reengage.ingest.sources.folders import format_of, leads_out
from reengage.ingest.sources.parquet_pages import unpacked_sizes
from reengage.spreadsheet import said_delimiter

LONGEST = 1 << 20  # characters of a line, and of a value: a longer one is no line of a table
LONGEST_RECORD = 10_000  # lines; a quote left open would otherwise swallow the rest of the file
LONGEST_HEADER = 50  # lines
# What a file may unpack to: so many bytes and lines in any case, else so many times its own size.
MOST_UNPACKED, MOST_LINES, MOST_TIMES = 2 << 30, 100_000, 200
# Of Parquet: so many rows in any case, else so many for each byte, as an id alone takes more.
MOST_ROWS, MOST_ROWS_A_BYTE = 5_000_000, 20
MOST_BLANK = 1_000_000  # lines with nothing in them, one after the other
WIDE_GROUP = 128 << 20  # bytes of a Parquet row group that is read in small batches
LARGEST_PAGE = 24 << 20  # bytes of Parquet that unpack at once
# Else a reader holds all pages of a column's row group at once.
STREAMED: Any = {"buffer_size": LONGEST, "pre_buffer": False}
BATCH_BYTES = 2 << 20  # of Parquet, read at once, where the rows of a group are alike
LONGEST_WORD = 4096  # bytes of what a Parquet file holds once for many rows
MOST_NAMES = 200  # of keys that the YAML does not name
# What is compared with a name that is missed: so many names, and no longer ones.
MOST_COMPARED = 1000
NAME = re.compile(r"[^\W\d][\w ./()#-]{0,59}")
_TOO_LONG: Any = object()
# What is often delivered as a table, and is none, by the bytes that it begins with.
NO_TABLES = {
    b"PK\x03\x04": "a zip or a workbook of Excel: unpack it, or save the sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel: save the sheet as CSV UTF-8",
    b"%PDF": "a PDF: export the data as CSV",
}

csv.field_size_limit(LONGEST)

NOT_DECODED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that is no record, with why, and what could be read of it."""

    reason: str
    text: str

    @property
    def record(self) -> str:
        """As JSON, without what PostgreSQL cannot hold."""
        text = self.text[:2000].rstrip("\r\n").replace("\x00", "�")
        return json.dumps({"line": text.encode("utf-8", "replace").decode()})


class Guessed(dict[str, str | None]):
    """The record of a line that is no UTF-8, in a file that does not say what else it is."""


class Refused(SourceError):
    """A file that lacks what the source's YAML names, or has it twice: nothing of it is loaded."""


class Empty(SourceError):
    """A file without a line: nothing happened, or it was not written."""


class Bomb(SourceError):
    """A file that unpacks to far more than there can be in it."""


Row = tuple[int, dict[str, str | None] | Broken]


@dataclass
class Notes:
    """What is to be said about a file as a whole, filled in while it is read.

    names: of the columns or keys that it has. absent: those that the YAML names and that no row of
    it has (JSON alone: elsewhere such a file is refused). withdrawing: of a consent's keys that the
    YAML does not name, those that may say that it is withdrawn. told: more, as sentences.
    """

    rows_not_utf8: int = 0
    rows_not_decoded: int = 0
    headers: int = 0
    totals: int = 0
    names: set[str] = field(default_factory=set)
    absent: list[str] = field(default_factory=list)
    withdrawing: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    problem: str | None = None
    is_refused: bool = False
    is_empty: bool = False

    def text(self) -> str | None:
        parts = [self.problem] if self.problem else []
        if self.rows_not_utf8:
            parts.append(
                f"{self.rows_not_utf8:,} rows are not UTF-8: read as Windows-1252 (if letters of "
                "names are wrong, say what they are in the source: encoding: cp1250)"
            )
        if self.rows_not_decoded:
            parts.append(
                f"{self.rows_not_decoded:,} rows are not in the `encoding` that the source says: "
                "what cannot be read of them is shown as �"
            )
        if self.headers:
            parts.append(f"the header comes again {self.headers:,} times within it: left out")
        if self.totals:
            parts.append(f"{self.totals:,} rows are totals of the others: left out")
        return "; ".join([*parts, *self.told]) or None


def read(file: Path, source: Source, notes: Notes) -> Iterator[Row]:
    """The file's rows with their line (Parquet: row) numbers from 1: {column: text or None}.

    Raises SourceError for what concerns the whole file: empty, unreadable, or (Refused) without a
    column that the source names. A file that breaks off in the middle ends early, and `notes` says
    where.
    """
    if home := leads_out(file, source):
        raise Refused(
            f"{file.name} is not read: it leads out of {home}, by a link or by `..`. Put the file "
            "itself there, or write where it really is as the source's `path`."
        )
    if file.is_dir():
        raise SourceError(f"The folder {file} cannot be listed: let this user read it.")
    kind = format_of(file, source)
    try:
        if file.stat().st_size == 0:
            raise Empty(f"{file.name} is empty.")
        with file.open("rb") as head:
            begins = head.read(8)
        if what := next((what for sign, what in NO_TABLES.items() if begins.startswith(sign)), ""):
            raise SourceError(f"{file.name} is {what}.")
        if kind is None:
            raise SourceError(
                f"{file.name}: cannot tell its format from its name; say `format: csv`, jsonl or "
                "parquet in the source."
            )
        if kind == "parquet":
            yield from _parquet(file, source, notes)
            return
        with _open(file) as raw, _decoded(raw, source.encoding) as text:
            if kind == "csv":
                lines = _lines(text, raw, file, source, notes)
                yield from _Table(lines, file, source, notes).rows()
            elif _is_document(text, source):
                pieces = _pieces(text, raw, file, source, notes)
                yield from _jsonl(pieces, file, source, notes)
            else:
                yield from _jsonl(_lines(text, raw, file, source, notes), file, source, notes)
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise SourceError(f"{file.name} cannot be read: {error}.") from error


def about_rows(file: Path, source: Source) -> int | None:
    """About how many rows a file has, for the time left: known of Parquet, judged by the first
    lines of plain text, not known of a zipped file.
    """
    try:
        if leads_out(file, source):
            return None
        if format_of(file, source) == "parquet":
            import pyarrow.parquet as pq

            return int(pq.read_metadata(file).num_rows)
        with file.open("rb") as raw:
            head = raw.read(1 << 16)
        lines = head.count(b"\n")
        return (
            None
            if head[:2] == b"\x1f\x8b" or not lines
            else (file.stat().st_size * lines // len(head))
        )
    except (OSError, ValueError):
        return None  # whoever reads it says why


# What a report writes under its columns.
_TOTALS = re.compile(
    r"\W*(?:(?:grand|sub|general|overall)[\s-]*)?(?:totals?|totale|totali|totales|totaal|totalt|gesamt\w*"
    r"|insgesamt|summen?|summa|sums?|somme|soma|suma|razem|итого?|всего|toplam|celkem|spolu|összesen|yhteensä"
    r"|ukupno|skupaj|σύνολο|合計|総計|合计|总计|總計|합계|총계)(?:\W.*)?",
    re.IGNORECASE | re.DOTALL,
)


# As dates and times begin: 2026-05-19, 19.05.2026, 19/5/26, seconds or milliseconds since 1970.
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|1\d{9}(?:\d{3})?$", re.ASCII)
_FIGURE = re.compile(r"(?=.*\d)(?!.*[^\W\d_]{4}).*", re.DOTALL)


# --- names --------------------------------------------------------------------------------------


def name_of(text: str) -> str:
    """A column's name as it is compared: a line break or a hard space in it is a space, and an
    accent is one with its letter.
    """
    return " ".join(unicodedata.normalize("NFC", text).replace("\ufeff", "").split())


def alike(name: str, others: Iterable[str]) -> list[str]:
    """Which of the other names may be the same under another spelling: withdrawnAt, state. They may
    be told: what is longer than a name, or may be somebody's data, is none of them.
    """
    plain = _letters(name)
    found = []
    for other in islice(others, MOST_COMPARED):
        if not _may_be_told(other):
            continue
        its = _letters(other)
        short, long = sorted((plain, its), key=len)
        is_part = len(short) >= 4 and short in long and len(long) <= len(short) + 20
        if is_part or SequenceMatcher(None, plain, its).ratio() >= 0.7:
            found.append(other)
    return found[:3]


def _may_be_told(name: str) -> bool:
    return NAME.fullmatch(name) is not None and db.redact(name) == name


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _resembling(wanted: Iterable[str], others: Iterable[str], what: str = "columns") -> str:
    """Of names that nobody asked for, those that resemble the wanted ones, as a sentence: nothing
    else is told of a file that may be another than was meant.
    """
    names = [*others]
    like = dict.fromkeys(found for name in wanted for found in alike(name, names))
    if like:
        return f"{', '.join(like)} may be meant, of its other {what} ({len(names):,})."
    if not names:
        return f"It has no other {what}."
    return f"None of its other {what} ({len(names):,}) is called like that."


def _check_header(file: Path, source: Source, header: list[str]) -> None:
    """Raises Refused where a header lacks a name of the YAML's, or has it twice."""
    missing = [name for name in source.all_columns if name_of(name) not in header]
    if missing:
        hint = ""
        if "\x00" in "".join(header):
            hint = " It looks like UTF-16: say `encoding: utf-16-le` in the source."
        known = {*map(name_of, source.all_columns)}
        others = [name for name in header if name and name not in known]
        raise Refused(
            f"{file.name} has no column {', '.join(missing)}. {_resembling(missing, others)}" + hint
        )
    for name in source.all_columns:
        places = [at for at, its in enumerate(header, 1) if its == name_of(name)]
        if len(places) > 1:
            raise Refused(
                f"{file.name} has {len(places)} columns called {name} (columns "
                f"{' and '.join(map(str, places))}), and which one is meant cannot be told: give "
                "the others another name, or take them out of the export."
            )


# --- text ---------------------------------------------------------------------------------------


def _open(file: Path) -> IO[bytes]:
    with file.open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    return gzip.open(file, "rb") if zipped else file.open("rb")  # type: ignore[return-value]


def _decoded(raw: IO[bytes], encoding: str | None) -> io.TextIOWrapper:
    """A file's text. What it begins with (a byte order mark) says more than the YAML. Bytes that
    cannot be read survive as lone surrogates, until their line is looked at.
    """
    head = raw.peek(4)[:4] if hasattr(raw, "peek") else b""
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    elif head[:3] == codecs.BOM_UTF8 or not encoding:
        encoding = "utf-8-sig"
    return io.TextIOWrapper(raw, encoding=encoding, errors="surrogateescape")


def _lines(
    text: io.TextIOWrapper, raw: IO[bytes], file: Path, source: Source, notes: Notes
) -> Iterator[str | Broken]:
    """The lines of a file, the longest of them as Broken. `notes` is told of those that are not in
    the file's encoding, and where the file breaks off.
    """
    number, most = 0, MOST_TIMES * file.stat().st_size
    blank = 0
    with _breaking_off(file, notes, lambda: f"line {number:,}"):
        for line in iter(partial(text.readline, LONGEST), ""):
            number += 1
            blank = blank + 1 if line == "\n" else 0
            if blank > MOST_BLANK:
                raise Bomb
            if len(line) == LONGEST and line[-1] != "\n":
                yield Broken(f"is longer than {LONGEST:,} characters", line[:2000])
                _skip_line(text, raw, most)
                continue
            if number & 0xFFFF == 0:
                _check_unpacked(raw, most if number > MOST_LINES else max(most, MOST_UNPACKED))
            # Programs that add a byte order mark do so at the head of what was one file each.
            yield _readable(line.lstrip("\ufeff"), source, notes)


def _pieces(
    text: io.TextIOWrapper, raw: IO[bytes], file: Path, source: Source, notes: Notes
) -> Iterator[str | Broken]:
    """The rows of a JSON document, as _lines gives those of JSON Lines."""
    number, most = 0, MOST_TIMES * file.stat().st_size

    def check() -> None:
        _check_unpacked(raw, most if number > MOST_LINES else max(most, MOST_UNPACKED))

    found = json_lists.Rows(text, source.all_columns, LONGEST, check)
    with _breaking_off(file, notes, lambda: f"row {number:,}"):
        try:
            for row in found:
                number += 1
                if row.is_whole:
                    yield _readable(row.text, source, notes)
                else:
                    why = f"is longer than {LONGEST:,} characters"
                    yield Broken(why, _readable(row.text[:2000], source, notes))
        except json_lists.Cut:
            notes.problem = f"{file.name} breaks off after row {number:,}: is it cut?"
        except json_lists.Unclear as error:
            raise Refused(
                f"{file.name} is not taken: {error}, and which rows are meant cannot be told. "
                "Deliver one list, or one object a line."
            ) from error
    if not number and found.others:
        missing = sorted(source.needed_columns)
        raise Refused(
            f"{file.name} has no list of rows with the key {' or '.join(missing)}. "
            f"{_resembling(missing, sorted(found.others), 'keys')}"
        )


def _is_document(text: io.TextIOWrapper, source: Source) -> bool:
    """Whether JSON is anything but one object a line. The text is then at its beginning again."""
    try:
        return json_lists.is_document(text, source.all_columns, LONGEST)
    except (EOFError, zlib.error, UnicodeError, gzip.BadGzipFile):
        return False  # the lines before it are read as such
    finally:
        text.seek(0)


@contextmanager
def _breaking_off(file: Path, notes: Notes, place: Callable[[], str]) -> Iterator[None]:
    """Tell `notes` where a file ends before its end."""
    try:
        yield
    except Bomb:
        notes.problem = (
            f"{file.name} is left after {place()}: it unpacks to more than {MOST_TIMES} "
            "times its size, or to blank lines alone. Deliver it again, or unpacked."
        )
    except (EOFError, zlib.error, UnicodeError, gzip.BadGzipFile) as error:
        notes.problem = f"{file.name} breaks off after {place()} ({error}): is it cut?"


def _readable(text: str, source: Source, notes: Notes) -> str:
    """A line or row with all its letters, as far as its encoding can be told."""
    if text.isascii() or not NOT_DECODED.search(text):
        return text
    if source.encoding:
        notes.rows_not_decoded += 1
        return NOT_DECODED.sub("�", text)
    notes.rows_not_utf8 += 1
    return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def _without_lines(file: Path, notes: Notes) -> SourceError:
    return SourceError(notes.problem) if notes.problem else Empty(f"{file.name} is empty.")


def _skip_line(text: io.TextIOWrapper, raw: IO[bytes], most: int) -> None:
    while (more := text.readline(LONGEST)) and more[-1] != "\n":
        _check_unpacked(raw, max(most, MOST_UNPACKED))


def _check_unpacked(raw: IO[bytes], most: int) -> None:
    if raw.tell() > most:
        raise Bomb


class _Lines:
    """Lines that can be put back."""

    def __init__(self, lines: Iterator[str | Broken]) -> None:
        self._lines = lines
        self._back: list[str | Broken] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str | Broken:
        return self._back.pop() if self._back else next(self._lines)

    def put_back(self, *lines: str | Broken) -> None:
        self._back += reversed(lines)


class _Table:
    """A CSV file: its header, and the rows under it."""

    def __init__(
        self, lines: Iterator[str | Broken], file: Path, source: Source, notes: Notes
    ) -> None:
        self.lines = _Lines(lines)
        self.file = file
        self.source = source
        self.notes = notes
        self.delimiter = source.delimiter
        self.line = 1  # of the file, that comes next
        self._read_header()

    # --- the header

    def _read_header(self) -> None:
        first = self._below_titles(self._first())
        text = "".join([first, *self._rest_of(first)])
        try:
            self.delimiter = self.delimiter or max(",;\t|", key=partial(self._fits, text))
            self._follow(_split(text, self.delimiter))
        except csv.Error as error:
            raise SourceError(f"{self.file.name}: its header cannot be split: {error}.") from error

    def _fits(self, text: str, sign: str) -> tuple[int, int]:
        """How many of the YAML's names a header has where it is split so, and how many in all."""
        names, fields = {*map(name_of, self.source.all_columns)}, _split(text, sign)
        return len(names & {*map(name_of, fields)}), len(fields)

    def _below_titles(self, first: str) -> str:
        """The header's first line, where a report has its title above it: the line with all names,
        if the first has none of them.
        """
        names = len({*map(name_of, self.source.all_columns)})
        above: list[str | Broken] = []
        line: str | Broken | None = first
        with suppress(csv.Error):
            while isinstance(line, str) and len(above) < LONGEST_HEADER:
                found = max(self._fits(line, sign)[0] for sign in self.delimiter or ",;\t|")
                if found == names and above:
                    self.notes.told.append(f"{len(above):,} lines above the header are left out")
                    self.line += len(above)
                    return line
                if found:
                    break
                above.append(line)
                line = next(self.lines, None)
        rest = [*above[1:], *([] if line is None or line is first else [line])]
        self.lines.put_back(*rest)
        return first

    def _first(self) -> str:
        """The header's first line, after blank ones and one that says the delimiter."""
        for line in self.lines:
            self.line += 1
            if isinstance(line, Broken):
                raise SourceError(f"{self.file.name}: its first line {line.reason}.")
            if said := said_delimiter(line):
                self.delimiter = said
            elif line.strip(' \t\r\n\ufeff,;|"'):
                return line
        raise _without_lines(self.file, self.notes)

    def _rest_of(self, first: str) -> list[str]:
        """The further lines of a header in which a name is broken in quotes; none where the quote
        is never closed.
        """
        taken: list[str | Broken] = []
        quotes = first.count('"')
        while quotes % 2 and len(taken) < LONGEST_HEADER:
            line = next(self.lines, None)
            if line is None:
                break
            taken.append(line)
            if isinstance(line, Broken):
                break
            quotes += line.count('"')
        rest = [line for line in taken if isinstance(line, str)]
        if quotes % 2:
            self.lines.put_back(*taken)
            return []
        self.line += len(rest)
        return rest

    def _follow(self, header: list[str]) -> None:
        """Read what follows under these names. Raises Refused."""
        names = [name_of(name) for name in header]
        _check_header(self.file, self.source, names)
        self.notes.names |= {*names[:MOST_COMPARED]} - {""}
        self.wanted = [(name, names.index(name_of(name))) for name in self.source.all_columns]
        self.width = len(header)
        self.last = max((place for _, place in self.wanted), default=0)
        vital = self.source.last_columns
        self.least = max((place for name, place in self.wanted if name in vital), default=0)
        self.needed = [place for name, place in self.wanted if name in self.source.needed_columns]
        # By which a header is known again, in a row that may be one.
        names = [header[place] for _, place in self.wanted]
        self.sign = max((name.strip() for name in names if "\n" not in name), key=len, default="")

    # --- the rows

    def rows(self) -> Iterator[Row]:
        pending: list[str] = []
        no_line: list[Broken] = []
        guesses = self.notes.rows_not_utf8

        def told(row: dict[str, str | None] | Broken) -> Row:
            if isinstance(row, dict) and self.notes.rows_not_utf8 != guesses:
                row = Guessed(row)
            return self.line, row

        def feed() -> Iterator[str]:
            size = 0
            for line in self.lines:
                if isinstance(line, Broken):
                    no_line.append(line)
                    raise csv.Error
                size = len(line) if not pending else size + len(line)
                if len(pending) >= LONGEST_RECORD or (pending and size > LONGEST):
                    self.lines.put_back(line)
                    raise csv.Error
                pending.append(line)
                yield line

        reader = csv.reader(feed(), delimiter=self.delimiter or ",", strict=True)
        while True:
            try:
                fields = next(reader, None)
            except csv.Error:
                for row in self._alone(pending):
                    yield told(row)
                if no_line:
                    yield self.line, no_line.pop()
                    self.line += 1
                pending.clear()
                reader = csv.reader(feed(), delimiter=self.delimiter or ",", strict=True)
                continue
            if fields is None:
                break
            if len(pending) > 1 and (len(fields) != self.width or self._holds_rows(pending)):
                for row in self._alone(pending):
                    yield told(row)
            else:
                if fields and (found := self._record(fields, "".join(pending))) is not None:
                    yield told(found)
                self.line += len(pending)
            guesses = self.notes.rows_not_utf8
            pending.clear()

    def _record(self, fields: list[str], text: str) -> dict[str, str | None] | Broken | None:
        """A row; None for what is none: nothing but delimiters, a total, or a header that comes
        again, under which the rows below it stand.
        """
        if self.sign in text and {name_of(n) for n, _ in self.wanted} <= {*map(name_of, fields)}:
            try:
                self._follow(fields)
            except Refused as error:
                return Broken(f"is a header that cannot be followed: {error}", text)
            self.notes.headers += 1
            return None
        if self._is_none(fields):
            return None
        if len(fields) < self.width and (
            self.least < len(fields) if text[-1:] == "\n" else self.last < len(fields) - 1
        ):
            # Excel leaves out the delimiters of empty cells at a row's end. Where all that a row
            # must say stands there, and has its end, nothing is lost; else the row may be cut.
            fields = [*fields, *[""] * (self.width - len(fields))]
        if not any(map(str.strip, fields[self.width :])):
            fields = fields[: self.width]  # nothing stands in the cells beyond the header's
        if len(fields) != self.width:
            why = f"{len(fields)} field{'s' * (len(fields) != 1)} where the header has {self.width}"
            why += (
                ": is the line cut?" if len(fields) < self.width else ": is a delimiter unquoted?"
            )
            return Broken(why, text)
        if "\x00" in text:
            return Broken("holds NUL bytes", text)
        return {name: fields[place] for name, place in self.wanted}

    def _is_none(self, fields: list[str]) -> bool:
        """Whether it is no row: nothing stands in it, or a total, which `notes` is told of."""
        for place in self.needed:
            said = fields[place].strip() if place < len(fields) else ""
            if said and (said[0].isdigit() or not _TOTALS.fullmatch(said)):
                return False
        said_of_it = [said for said in map(str.strip, fields) if said]
        if not all(_TOTALS.fullmatch(said) or _FIGURE.fullmatch(said) for said in said_of_it):
            return False
        self.notes.totals += bool(said_of_it)
        return True

    def _alone(self, pending: list[str]) -> Iterator[dict[str, str | None] | Broken]:
        """Lines that made no sense together, each on its own; self.line is that of each."""
        for text in pending:
            row: dict[str, str | None] | Broken | None
            try:
                if text.count('"') % 2:
                    row = Broken("a quote is left open", text)
                else:
                    fields = next(
                        csv.reader([text], delimiter=self.delimiter or ",", strict=True), []
                    )
                    row = self._record(fields, text) if fields else None
            except csv.Error as error:
                row = Broken(f"cannot be split: {error}", text)
            if row is not None:
                yield row
            self.line += 1

    def _holds_rows(self, pending: list[str]) -> bool:
        """Whether a quote that was left open has swallowed the rows up to another such quote."""
        inner = [
            len(fields) for fields in csv.reader(pending[1:-1], delimiter=self.delimiter or ",")
        ]
        return self.width > 2 and bool(inner) and set(inner) == {self.width}


def _split(text: str, sign: str) -> list[str]:
    return next(csv.reader(io.StringIO(text), delimiter=sign), [])


class _Object(dict[str, Any]):
    """A JSON object that says some of its keys twice."""

    twice: frozenset[str]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    odd = _Object(found)
    odd.twice = frozenset(
        name for name, times in Counter(name for name, _ in pairs).items() if times > 1
    )
    return odd


_loads = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_object).decode


def _jsonl(
    lines: Iterator[str | Broken], file: Path, source: Source, notes: Notes
) -> Iterator[Row]:
    columns = source.all_columns
    unseen, known = set(columns), set(columns)
    # Keys of a consent that the YAML does not name: rows with a date there; with a word of exclude.
    dated: Counter[str] = Counter()
    refusing: set[str] = set()
    words = {folded(word) for rule in source.exclude.values() for word in map(str, rule)}
    lines_read = objects = guesses = 0
    for number, line in enumerate(lines, 1):
        if isinstance(line, Broken):
            lines_read += 1
            yield number, line
            continue
        line = line.strip().removeprefix("\ufeff")
        if not line:
            continue
        lines_read += 1
        try:
            said = _loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            yield number, Broken(f"is not JSON: {why}", line)
            continue
        if not isinstance(said, dict):
            yield number, Broken("is no JSON object", line)
            continue
        objects += 1
        unseen -= said.keys()
        if not said.keys() <= known and len(known) < MOST_NAMES:
            known |= {name for name in said.keys() - known if said[name] not in (None, "", [], {})}
        if source.entity == "consent":
            others = {name: said[name] for name in known & said.keys() - {*columns}}
            dated.update(name for name, value in others.items() if _DATE.match(str(value)))
            refusing |= {name for name, value in others.items() if folded(str(value)) in words}
        if isinstance(said, _Object) and (twice := said.twice & {*columns}):
            yield number, Broken(f"says {', '.join(sorted(twice))} twice", line)
            continue
        try:
            row = {name: _text(said.get(name)) for name in columns}
        except RecursionError:  # what could just be read cannot always be written
            yield number, Broken("is not JSON: nested too deeply", line)
            continue
        yield number, row if notes.rows_not_utf8 == guesses else Guessed(row)
        guesses = notes.rows_not_utf8
    if not lines_read:
        raise _without_lines(file, notes)
    notes.names |= known - unseen
    notes.absent = [name for name in columns if name in unseen]
    # What stands in every row is when it was written.
    refusing |= {name for name, rows in dated.items() if rows < objects}
    if source.entity == "consent":
        refusing |= {name for name in known - {*columns} if may_withdraw(name)}
    notes.withdrawing = sorted(name for name in refusing if _may_be_told(name))
    if objects:
        _check_keys(file, source, known - {*columns}, notes)


def _check_keys(file: Path, source: Source, others: set[str], notes: Notes) -> None:
    """Keys that no row has. Where a row says only what it has to say, that may be as it should be;
    what nothing can be read without, or what takes somebody out and stands there under another name
    as it seems, is refused.
    """
    for name in notes.absent:
        like = alike(name, sorted(others))
        seems = f" Is it {' or '.join(like)}?" if like else ""
        said = f"no row has the key {name} ({', '.join(source.uses_of(name))})"
        if name in source.needed_columns or (like and name in source.guarding_columns):
            rest = "" if like else f" {_resembling([name], sorted(others), 'keys')}"
            raise Refused(
                f"{file.name} is not taken: {said}.{seems}{rest} Mend the source's YAML or the "
                "file."
            )
        if like:
            notes.told.append(f"{said}.{seems}")


# --- Parquet ------------------------------------------------------------------------------------


def _parquet(file: Path, source: Source, notes: Notes) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = source.all_columns
    try:
        parquet = pq.ParquetFile(file, **STREAMED)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{file.name} is no whole Parquet file: is it cut? ({error})") from error
    with parquet:
        if parquet.metadata.num_rows > max(MOST_ROWS, MOST_ROWS_A_BYTE * file.stat().st_size):
            raise SourceError(
                f"{file.name} says that it has {parquet.metadata.num_rows:,} rows, more than there "
                "can be in it. Deliver it again."
            )
        names = parquet.schema_arrow.names
        _check_header(file, source, [*map(name_of, names)])
        notes.names |= {*map(name_of, names[:MOST_COMPARED])}
        theirs = {name_of(name): name for name in names}
        taken = [theirs[name_of(name)] for name in columns]
        texts = [
            column.path
            for column in map(parquet.schema.column, range(len(parquet.schema)))
            if column.physical_type == "BYTE_ARRAY" and column.path in taken
        ]
        number = 0
        try:
            # What stands in a row group once may be meant by a million rows of it: read so, a value
            # is held once.
            with pq.ParquetFile(file, **STREAMED, read_dictionary=texts) as once:
                for group in range(parquet.num_row_groups):
                    rows = _batch_rows(file, parquet, group, {*taken})
                    _check_pages(file, parquet, group, {*taken})
                    reader = once if _has_long_words(once, group, texts) else parquet
                    pa.default_memory_pool().release_unused()  # the page that was looked at
                    batches = reader.iter_batches(rows, row_groups=[group], columns=taken)
                    for batch in batches:
                        values = [_values(batch.column(name)) for name in taken]
                        for row in zip(*values, strict=True):
                            number += 1
                            yield number, _whole(dict(zip(columns, row, strict=True)))
        except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
            why = (
                f"{file.name} breaks off after row {number:,} ({type(error).__name__}): is it cut?"
            )
            raise SourceError(why) from error


def _has_long_words(once: Any, group: int, texts: list[str]) -> bool:
    """Whether the words that a row group holds once are too long to be written out for each row."""
    import pyarrow.compute as pc

    for batch in once.iter_batches(1, row_groups=[group], columns=texts) if texts else ():
        for column in batch.columns:
            longest = pc.max(pc.binary_length(column.dictionary)).as_py()
            if longest and longest > LONGEST_WORD:
                return True
        break
    return False


def _check_pages(file: Path, parquet: Any, place: int, names: set[str]) -> None:
    """Raises SourceError where a column's pages unpack to far more than the file's end says, or one
    of them to more than is held at once.
    """
    group = parquet.metadata.row_group(place)
    with file.open("rb") as raw:
        for column in map(group.column, range(group.num_columns)):
            name = column.path_in_schema.partition(".")[0]
            if name not in names:
                continue
            total = largest = 0
            for unpacked in unpacked_sizes(raw, column):
                total, largest = total + unpacked, max(largest, unpacked)
            if total > max(WIDE_GROUP, column.total_uncompressed_size):
                raise SourceError(
                    f"{file.name}: the column {name} of its row group {place + 1} unpacks to more "
                    "than the file says. Deliver the file again."
                )
            if largest > LARGEST_PAGE:
                raise SourceError(
                    f"{file.name}: a page of the column {name} in its row group {place + 1} "
                    f"unpacks to {largest >> 20:,} MiB, more than {LARGEST_PAGE >> 20}. Deliver "
                    "the file again, in smaller pages."
                )


def _batch_rows(file: Path, parquet: Any, place: int, names: set[str]) -> int:
    """How many rows of a row group may be held at once. Raises SourceError."""
    import pyarrow as pa

    group = parquet.metadata.row_group(place)
    unpacked, is_nested = 0, False
    for at in range(group.num_columns):
        column = group.column(at)
        name, *inner = column.path_in_schema.split(".")
        if name not in names:
            continue
        is_nested |= bool(inner)
        unpacked += column.total_uncompressed_size
        most = max(WIDE_GROUP, MOST_TIMES * column.total_compressed_size)
        if column.total_uncompressed_size > most:
            raise SourceError(
                f"{file.name}: the column {name} of its row group {place + 1} unpacks to more than "
                f"{MOST_TIMES} times its size. Deliver the file again."
            )
    fixed = [
        field.type.byte_width
        for field in parquet.schema_arrow
        if field.name in names and pa.types.is_fixed_size_binary(field.type)
    ]
    rows = 64 if is_nested or unpacked > WIDE_GROUP else 10_000
    alike = BATCH_BYTES * group.num_rows // max(1, unpacked)
    return max(1, min(rows, alike, LONGEST * 32 // max(1, sum(fixed))))


def _values(column: Any) -> list[Any]:
    """A batch's column as texts; of what is too long, _TOO_LONG. What is the same in many rows is
    one object in all of them, so that a batch is no larger than what the file holds.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        said = _values(column.dictionary)
        return [None if at is None else said[at] for at in column.indices.to_pylist()]
    kind = column.type
    if (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and column.nbytes > LONGEST:
        # Not compared by Arrow, which imports pandas where it is given a value of Python's.
        too_long = [(length or 0) > LONGEST for length in pc.binary_length(column).to_pylist()]
        if any(too_long):
            return [
                _TOO_LONG if is_long else _text(column[at].as_py())
                for at, is_long in enumerate(too_long)
            ]
    return [_text(value) for value in _plain(column).to_pylist()]


def _whole(row: dict[str, Any]) -> dict[str, str | None] | Broken:
    long = [
        name
        for name, value in row.items()
        if value is _TOO_LONG or (value is not None and len(value) > LONGEST)
    ]
    if not long:
        return row
    rest = {name: value for name, value in row.items() if name not in long}
    return Broken(
        f"{', '.join(long)} is longer than {LONGEST:,} characters", json.dumps(rest)[:2000]
    )


def _plain(column: Any) -> Any:
    """A column without what Python's types cannot hold: nanoseconds, and years beyond 9999. Times
    and whole numbers become text at once.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_temporal(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string())
    return column


def _text(value: Any) -> str | None:
    """A typed value as its text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:  # not a number: how some tools write "nothing"
            return None
        # Above, a float stands for several whole numbers: repr shows that it was one.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False, default=str)
