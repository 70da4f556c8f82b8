"""The files connector: rows out of CSV, JSON Lines and Parquet, gz too, one at a time.

Nothing here gives up on a file because of a row: what cannot be split into a record comes out as a
Broken row with its reason, and the reading goes on after it. Memory does not grow with the file.
"""

import csv
import glob
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from reengage import db
from reengage.errors import SourceError
from reengage.sources import Source

csv.field_size_limit(1 << 20)

FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
           ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet"}  # fmt: skip
NOT_UTF8 = re.compile("[\udc80-\udcff]")
LONGEST_RECORD = 10_000  # lines; a quote left open would otherwise swallow the rest of the file


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that is no record, with why, and what could be read of it."""

    reason: str
    text: str

    @property
    def record(self) -> str:
        """As JSON, without what PostgreSQL cannot hold."""
        text = self.text.rstrip("\r\n")[:2000].replace("\x00", "�")
        return json.dumps({"line": text.encode("utf-8", "replace").decode()})


Row = tuple[int, dict[str, str | None] | Broken]


@dataclass
class Notes:
    """What is to be said about a file as a whole, filled in while it is read."""

    rows_not_utf8: int = 0
    problem: str | None = None

    def text(self) -> str | None:
        parts = [self.problem] if self.problem else []
        if self.rows_not_utf8:
            parts.append(f"{self.rows_not_utf8:,} rows are not UTF-8: read as Windows-1252")
        return "; ".join(parts) or None


def find(source: Source) -> list[Path]:
    """The source's files, oldest first, so that the newest has the last word: a file, all of a
    folder, or a glob's.
    """
    path = Path(source.path)
    if path.is_dir():
        found = [
            file
            for file in path.rglob("*")
            if file.is_file() and not file.name.startswith((".", "_")) and _format(file, source)
        ]
    elif path.is_file():
        found = [path]
    else:
        names = glob.glob(source.path, recursive=True)  # noqa: PTH207
        found = [Path(name) for name in names if _is_file(name)]
    return sorted(found, key=_age)


def _age(file: Path) -> tuple[int, str]:
    try:
        return file.stat().st_mtime_ns, str(file)
    except OSError:  # gone since: whoever reads it says so
        return 0, str(file)


def _is_file(name: str) -> bool:
    return Path(name).is_file()


def _format(file: Path, source: Source) -> str | None:
    suffixes = [s.lower() for s in file.suffixes if s.lower() != ".gz"]
    return source.format or (FORMATS.get(suffixes[-1]) if suffixes else None)


def read(file: Path, source: Source, notes: Notes) -> Iterator[Row]:
    """The file's rows with their line (Parquet: row) numbers from 1: {column: text or None}.

    Raises SourceError for what concerns the whole file: empty, unreadable, or without a column
    that the source names. A file that breaks off in the middle ends early, and `notes` says where.
    """
    kind = _format(file, source)
    if kind is None:
        raise SourceError(
            f"{file.name}: cannot tell its format from its name; say `format: csv`, jsonl or "
            "parquet in the source."
        )
    try:
        if file.stat().st_size == 0:
            raise SourceError(f"{file.name} is empty.")
        if kind == "parquet":
            yield from _parquet(file, source)
            return
        with _open(file) as raw:
            text = _decoded(raw)
            yield from (_csv if kind == "csv" else _jsonl)(text, file, source, notes)
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise SourceError(f"{file.name} cannot be read: {error}.") from error


def _named(header: list[str]) -> str:
    """A header for a message. Where it is a row of somebody's data, nothing of it is told."""
    if all(re.fullmatch(r"[^\W\d][^@+]{0,60}", name) or not name for name in header):
        return db.redact(", ".join(header))[:500]
    return "what looks like data, no names of columns"


def about_rows(file: Path, source: Source) -> int | None:
    """About how many rows a file has, for the time left: known of Parquet, judged by the first
    lines of plain text, not known of a zipped file.
    """
    try:
        if _format(file, source) == "parquet":
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


def _open(file: Path) -> IO[bytes]:
    with file.open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    return gzip.open(file, "rb") if zipped else file.open("rb")  # type: ignore[return-value]


def _decoded(raw: IO[bytes]) -> io.TextIOWrapper:
    head = raw.peek(4)[:4] if hasattr(raw, "peek") else b""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    # Bytes that are not UTF-8 survive as lone surrogates, until their line is looked at.
    return io.TextIOWrapper(raw, encoding=encoding, errors="surrogateescape")


def _lines(text: io.TextIOWrapper, notes: Notes, file: Path) -> Iterator[str]:
    number = 0
    try:
        for line in text:
            number += 1
            if not line.isascii() and NOT_UTF8.search(line):
                notes.rows_not_utf8 += 1
                line = line.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
            yield line
    except (EOFError, zlib.error, UnicodeDecodeError, gzip.BadGzipFile) as error:
        notes.problem = f"{file.name} breaks off after line {number:,} ({error}): is it cut?"


def _csv(text: io.TextIOWrapper, file: Path, source: Source, notes: Notes) -> Iterator[Row]:
    lines = _lines(text, notes, file)
    first = next(lines, "")
    if not first.strip():
        raise SourceError(notes.problem or f"{file.name} is empty.")
    delimiter = source.delimiter or max(",;\t|", key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    missing = [name for name in source.all_columns if name not in header]
    if missing:
        raise SourceError(
            f"{file.name} has no column {', '.join(missing)}: its header says {_named(header)}."
        )
    wanted = [(name, header.index(name)) for name in source.all_columns]
    width = len(header)

    def record(fields: list[str], line: int, text: str) -> Row:
        if len(fields) != width:
            why = f"{len(fields)} fields where the header has {width}"
            why += ": is the line cut?" if len(fields) < width else ": is a delimiter unquoted?"
            return line, Broken(why, text)
        if "\x00" in text:
            return line, Broken("holds NUL bytes", text)
        return line, {name: fields[place] for name, place in wanted}

    def alone(pending: list[str], start: int) -> Iterator[Row]:
        """Lines that made no sense together, each on its own."""
        for offset, text in enumerate(pending):
            if text.count('"') % 2:
                yield start + offset, Broken("a quote is left open", text)
                continue
            try:
                fields = next(csv.reader([text], delimiter=delimiter, strict=True), [])
            except csv.Error as error:
                yield start + offset, Broken(f"cannot be split: {error}", text)
                continue
            if fields:
                yield record(fields, start + offset, text)

    def holds_rows(pending: list[str]) -> bool:
        """Whether a quote that was left open has swallowed the rows up to another such quote."""
        inner = [len(fields) for fields in csv.reader(pending[1:-1], delimiter=delimiter)]
        return width > 2 and bool(inner) and set(inner) == {width}

    pending: list[str] = []

    def feed() -> Iterator[str]:
        for line in lines:
            if len(pending) >= LONGEST_RECORD:
                raise csv.Error("a quote is left open")
            pending.append(line)
            yield line

    line = 2
    feeding = feed()
    reader = csv.reader(feeding, delimiter=delimiter, strict=True)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error:
            yield from alone(pending, line)
            line += len(pending)
            pending.clear()
            feeding = feed()
            reader = csv.reader(feeding, delimiter=delimiter, strict=True)
            continue
        if fields is None:
            break
        if len(pending) > 1 and (len(fields) != width or holds_rows(pending)):
            yield from alone(pending, line)
        elif fields:  # a blank line is no row
            yield record(fields, line, "".join(pending))
        line += len(pending)
        pending.clear()


def _jsonl(text: io.TextIOWrapper, file: Path, source: Source, notes: Notes) -> Iterator[Row]:
    empty = True
    for number, line in enumerate(_lines(text, notes, file), 1):
        if not line.strip():
            continue
        empty = False
        try:
            said = json.loads(line, parse_float=str, parse_int=str)
        except (json.JSONDecodeError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            yield number, Broken(f"is not JSON: {why}", line)
            continue
        if not isinstance(said, dict):
            yield number, Broken("is no JSON object", line)
            continue
        yield number, {name: _text(said.get(name)) for name in source.all_columns}
    if empty:
        raise SourceError(notes.problem or f"{file.name} is empty.")


def _parquet(file: Path, source: Source) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(file)
    except pa.ArrowException as error:
        raise SourceError(f"{file.name} is no whole Parquet file: is it cut? ({error})") from error
    with parquet:
        header = parquet.schema_arrow.names
        missing = [name for name in source.all_columns if name not in header]
        if missing:
            raise SourceError(
                f"{file.name} has no column {', '.join(missing)}: it has {_named(header)}."
            )
        number = 0
        try:
            for batch in parquet.iter_batches(10_000, columns=source.all_columns):
                table = pa.table(
                    [_plain(column) for column in batch.columns], names=batch.schema.names
                )
                for row in table.to_pylist():
                    number += 1
                    yield number, {name: _text(value) for name, value in row.items()}
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            why = (
                f"{file.name} breaks off after row {number:,} ({type(error).__name__}): is it cut?"
            )
            raise SourceError(why) from error


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
