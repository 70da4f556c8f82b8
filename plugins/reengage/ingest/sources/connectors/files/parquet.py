"""Parquet, read a part of a row group at a time, however much a small file may unpack to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reengage.errors import SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.files.parquet_pages import unpacked_sizes
from reengage.ingest.sources.connectors.files.text import MOST_TIMES
from reengage.ingest.sources.records import (
    LONGEST,
    MOST_COMPARED,
    TOO_LONG,
    Notes,
    Row,
    check_header,
    name_of,
    text_of,
    whole,
)

# So many rows in any case, else so many for each byte, as an id alone takes more.
MOST_ROWS, MOST_ROWS_A_BYTE = 5_000_000, 20
WIDE_GROUP = 128 << 20  # bytes of a row group that is read in small batches
LARGEST_PAGE = 24 << 20  # bytes that unpack at once
# Else a reader holds all pages of a column's row group at once.
STREAMED: Any = {"buffer_size": LONGEST, "pre_buffer": False}
BATCH_BYTES = 2 << 20  # read at once, where the rows of a group are alike
LONGEST_WORD = 4096  # bytes of what a file holds once for many rows


def rows_of(file: Path, source: Source, notes: Notes) -> Iterator[Row]:
    """The rows of a file. Raises SourceError."""
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
        check_header(file.name, source, [*map(name_of, names)])
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
                            yield number, whole(dict(zip(columns, row, strict=True)))
        except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
            why = (
                f"{file.name} breaks off after row {number:,} ({type(error).__name__}): is it cut?"
            )
            raise SourceError(why) from error
        finally:
            pa.default_memory_pool().release_unused()  # it would be kept for another file


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
    """A batch's column as texts; of what is too long, TOO_LONG. What is the same in many rows is
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
                TOO_LONG if is_long else text_of(column[at].as_py())
                for at, is_long in enumerate(too_long)
            ]
    return [text_of(value) for value in _plain(column).to_pylist()]


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
