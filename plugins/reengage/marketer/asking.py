"""How the page asks the warehouse: read only, within a time, as rows or as CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from reengage import db, spreadsheet
from reengage.errors import ReengageError

CSV_BATCH = 1000

SECONDS_A_STATEMENT = 20


class NoWarehouse(ReengageError):
    """No warehouse is configured, or the embedded server was never started."""


def engine_of(engine_factory: Callable[[], sa.Engine]) -> sa.Engine:
    try:
        return engine_factory()
    except ReengageError as error:
        raise NoWarehouse(str(error)) from error


@contextmanager
def reading(engine_factory: Callable[[], sa.Engine]) -> Iterator[sa.Connection]:
    """A connection that cannot write and sees one state of the data from first to last."""
    with engine_of(engine_factory).connect() as connection:
        connection = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        db.run(connection, "marketer/time_limit", seconds=SECONDS_A_STATEMENT)
        yield connection


def csv_of(
    engine_factory: Callable[[], sa.Engine], statement: str, binds: dict[str, Any], zone: ZoneInfo
) -> Iterator[str]:
    """The result of a statement as CSV (RFC 4180), a thousand rows at a time: memory stays flat.
    The ids in the sources (source_ids, last) are a column for each source.

    It begins with a byte order mark, without which Excel takes UTF-8 for something else.
    """
    with reading(engine_factory) as connection:
        sources = db.run(connection, "story/id_sources").scalars().all()
        connection = connection.execution_options(stream_results=True, max_row_buffer=CSV_BATCH)
        with closing(db.run(connection, statement, **binds)) as result:
            names = list(result.keys())
            own = [name for name in names if name != "source_ids"]
            ids = sources if own != names else []
            yield "\ufeff" + _csv_lines([own + spreadsheet.id_names(ids)])
            for rows in result.partitions(CSV_BATCH):
                yield _csv_lines(
                    [_csv_value(value, zone) for value in row[: len(own)]]
                    + (spreadsheet.id_cells(row.source_ids, ids) if ids else [])
                    for row in rows
                )


def _csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _csv_value(value: Any, zone: ZoneInfo) -> Any:
    """A value for a spreadsheet: times in the brand's zone, and no text that it would execute."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(sep=" ", timespec="seconds")
    return spreadsheet.text(value) if isinstance(value, str) else value
