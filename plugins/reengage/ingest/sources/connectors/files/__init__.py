"""Files: rows out of CSV, JSON, Parquet and Excel, one at a time.

Nothing here gives up on a file because of a row: what cannot be split into a record comes out as a
Broken row with its reason, and the reading goes on after it. Memory does not grow with the file,
nor with a line, a value or what a small file unpacks to. A file whose names are not those of the
YAML is refused whole: what it says, read without one of them, would be something else.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from reengage.connections import Accesses, of_environment
from reengage.errors import SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.base import Connector, Part, Stamp
from reengage.ingest.sources.connectors.files import excel, folders, objects, parquet
from reengage.ingest.sources.connectors.files.packed import (
    BROKEN,
    SUFFIXES,
    is_packed_twice,
    opened,
)
from reengage.ingest.sources.connectors.files.remote import Remote
from reengage.ingest.sources.connectors.files.table import Table
from reengage.ingest.sources.connectors.files.text import decoded, is_document, lines_of, pieces_of
from reengage.ingest.sources.places import is_address
from reengage.ingest.sources.records import Empty, Notes, Refused, Row

# What is often delivered as a table, and is none, by the bytes that it begins with.
NO_TABLES = {
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel, or one with a password: save it as .xlsx, "
    "without one",
    b"%PDF": "a PDF: export the data as CSV",
}


class Files(Connector):
    """The files that a source's path means, here or elsewhere; each is a part."""

    def __init__(self, source: Source, zone: ZoneInfo, accesses: Accesses = of_environment) -> None:
        super().__init__(source, zone, accesses)
        self.where = source.path
        self._elsewhere = Remote(source, accesses) if is_address(source.path) else None

    def parts(self, before: str | None, now: datetime) -> list[Part]:
        if self._elsewhere:
            found = self._elsewhere.find()
        else:
            found = [Part(str(path), path.name) for path in folders.find(self.source)]
        # The newest of snapshots says all that there is.
        return found[-1:] if self.source.deletes == "snapshot" else found

    def stamp(self, part: Part, now: datetime) -> Stamp:
        if self._elsewhere:
            return self._elsewhere.stamp(part, now)
        try:
            stat = Path(part.address).stat()
        except OSError as error:  # it was there a moment ago
            raise SourceError(f"{part.name} went away while it was to be read") from error
        return Stamp(stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def read(self, part: Part, notes: Notes) -> Iterator[Row]:
        if self._elsewhere is None:
            yield from read(Path(part.address), self.source, notes)
            return
        with self._elsewhere.here(part) as file:
            yield from read(file, self.source, notes)

    def about_rows(self, part: Part) -> int | None:
        return None if self._elsewhere else about_rows(Path(part.address), self.source)

    def left_out(self) -> list[str]:
        if self._elsewhere:
            return self._elsewhere.left_out
        return [path.name for path in folders.left_out(self.source)]


def read(file: Path, source: Source, notes: Notes) -> Iterator[Row]:
    """The file's rows with their line (Parquet: row) numbers from 1: {column: text or None}.

    Raises SourceError for what concerns the whole file: empty, unreadable, or (Refused) without a
    column that the source names. A file that breaks off in the middle ends early, and `notes` says
    where.
    """
    if home := folders.leads_out(file, source):
        raise Refused(
            f"{file.name} is not read: it leads out of {home}, by a link or by `..`. Put the file "
            "itself there, or write where it really is as the source's `path`."
        )
    if file.is_dir():
        raise SourceError(f"The folder {file} cannot be listed: let this user read it.")
    kind = folders.format_of(file, source)
    try:
        if file.stat().st_size == 0:
            raise Empty(f"{file.name} is empty.")
        with file.open("rb") as head:
            begins = head.read(8)
        if what := next((what for sign, what in NO_TABLES.items() if begins.startswith(sign)), ""):
            raise SourceError(f"{file.name} is {what}.")
        if kind is None:
            opened(file).close()  # an archive says better what is wrong
            raise SourceError(
                f"{file.name}: cannot tell its format from its name; say `format: csv`, jsonl, "
                "parquet or excel in the source."
            )
        if kind in ("parquet", "excel") and is_packed_twice(file):
            raise SourceError(
                f"{file.name} holds what is packed in itself, and is not read out of it: deliver "
                "that as it is."
            )
        if kind == "parquet":
            yield from parquet.rows_of(file, source, notes)
            return
        if kind == "excel":
            yield from excel.rows_of(file, source, notes)
            return
        with opened(file) as raw, decoded(raw, source.encoding) as text:
            if kind == "csv":
                lines = lines_of(text, raw, file, source, notes)
                yield from Table(lines, file, source, notes).rows()
            elif is_document(text, source):
                pieces = pieces_of(text, raw, file, source, notes)
                yield from objects.objects_of(pieces, file, source, notes)
            else:
                yield from objects.objects_of(
                    lines_of(text, raw, file, source, notes), file, source, notes
                )
    except (OSError, *BROKEN) as error:
        raise SourceError(f"{file.name} cannot be read: {error}.") from error


def about_rows(file: Path, source: Source) -> int | None:
    """About how many rows a file has, for the time left: known of Parquet, judged by the first
    lines of plain text, not known of a zipped file.
    """
    try:
        if folders.leads_out(file, source):
            return None
        if folders.format_of(file, source) == "parquet":
            import pyarrow.parquet as pq

            return int(pq.read_metadata(file).num_rows)
        with file.open("rb") as raw:
            head = raw.read(1 << 16)
        lines = head.count(b"\n")
        is_packed = file.suffix.lower() in SUFFIXES or b"\0" in head
        return None if is_packed or not lines else file.stat().st_size * lines // len(head)
    except (OSError, ValueError):
        return None  # whoever reads it says why
