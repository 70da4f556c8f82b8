"""Any database that SQLAlchemy speaks to, by an Airflow connection: a table, or a query.

Rows come by a cursor of the server's, some at a time, in one statement, which sees the database as
it was when it began: what is changed meanwhile is of the next load. What is asked for by a time has
no upper end but for windows: an order that is changed after the day has a later time, and is of the
day all the same. A row without a time is asked for each time.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reengage import db
from reengage.connections import Access, Accesses, of_environment
from reengage.errors import ConfigurationError, SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.base import Part
from reengage.ingest.sources.connectors.live import Live, instant
from reengage.ingest.sources.records import (
    MOST_COMPARED,
    Notes,
    Refused,
    Row,
    check_header,
    name_of,
    typed_text,
    whole,
)

ROWS_AT_ONCE = 1_000
# Airflow's types of connections, as SQLAlchemy calls them; others are called alike.
DIALECTS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
    "redshift": "redshift+redshift_connector",
}
NULLS_FIRST = {"postgresql", "sqlite", "oracle"}  # who have the words for it; others sort so
# A time without a zone is compared with one of the source's zone: what a change of the clocks may
# make of it, there and back.
CLOCKS = timedelta(hours=3)
# A text, by its first ten characters.
DAYS = timedelta(days=2)
ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T].*)?", re.ASCII | re.DOTALL)


class Sql(Live):
    """A table or a query of a database."""

    is_complete = True

    def __init__(self, source: Source, zone: Any, accesses: Accesses = of_environment) -> None:
        super().__init__(source, zone, accesses)
        self.where = f"{source.connection}, " + (
            f"table {source.table}" if source.table else "the query"
        )

    def _read(self, part: Part, notes: Notes) -> Iterator[Row]:
        return self._asked(part, notes, self.source.all_columns)

    def ids(self, begin: str | None, notes: Notes) -> Iterator[Row]:
        return self._asked(self._part(begin, None), notes, self.source.key_columns)

    def _asked(self, part: Part, notes: Notes, columns: list[str]) -> Iterator[Row]:
        engine = engine_of(self.accesses(str(self.source.connection)))
        try:
            with engine.connect() as connection:
                if engine.dialect.name == "postgresql":
                    connection.execution_options(postgresql_readonly=True)
                yield from self._rows(connection, part, notes, columns)
        except sa.exc.SQLAlchemyError as error:
            # Not chained: what lies under it may quote rows.
            raise SourceError(f"{self.where} cannot be read: {_plainly(error)}") from None
        finally:
            engine.dispose()

    def _rows(
        self, connection: Connection, part: Part, notes: Notes, columns: list[str]
    ) -> Iterator[Row]:
        theirs = self._names(connection, notes)
        cursor_name = self.source.by_time or self.source.by_key
        named = [*columns, *([cursor_name] if cursor_name else [])]
        wanted: list[Any] = [sa.column(theirs[name_of(name)]) for name in named]
        statement = sa.select(*wanted).select_from(self._from())
        if cursor_name:
            statement = self._bounded(connection, statement, wanted[-1], part)
        options = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
        decimal, last = self.source.decimal, None
        with connection.execute(statement, execution_options=options) as result:
            number = 0
            for rows in result.partitions():
                for values in rows:
                    number += 1
                    texts = [
                        value if type(value) is str else typed_text(value, decimal)
                        for value in values[: len(columns)]
                    ]
                    yield number, whole(dict(zip(columns, texts, strict=True)))
                    if cursor_name and values[-1] is not None:
                        last = values[-1]
        if number and cursor_name and last is None:
            notes.told.append(f"no row has a value in {cursor_name}, so all are read each time")
        self._see(last)  # they come in this order

    def _from(self) -> Any:
        if self.source.table:
            schema, _, table = self.source.table.rpartition(".")
            return sa.table(table, schema=schema or None)
        query = str(self.source.query).strip().rstrip(";")
        # A colon is none of our binds. On a line of its own, as it may end in a comment.
        return sa.text("({}\n) reengage_rows".format(query.replace(":", r"\:")))

    def _names(self, connection: Connection, notes: Notes) -> dict[str, str]:
        """The columns that there are, by how their names are compared. Raises Refused."""
        none = sa.select(sa.text("*")).select_from(self._from()).where(sa.false())
        with connection.execute(none) as result:
            names = list(result.keys())
        check_header(self.where, self.source, [name_of(name) for name in names])
        notes.names |= {*map(name_of, names[:MOST_COMPARED])}
        theirs = {name_of(name): name for name in names}
        for key in ("by_time", "by_key"):
            name = getattr(self.source, key)
            if name and name_of(name) not in theirs:
                raise Refused(f"{self.where} has no column {name}, which {key} names.")
        return theirs

    def _bounded(self, connection: Connection, statement: Any, column: Any, part: Part) -> Any:
        """The statement for a part alone, in the order of its cursor; what has none comes first,
        so that a version that has one has the last word.
        """
        order = column.asc()
        if connection.dialect.name in NULLS_FIRST:
            order = order.nulls_first()
        statement = statement.order_by(order)
        if part.begin is None and part.end is None:
            return statement
        begin, end = self._ends(connection, column, part)
        if begin is None and end is None:
            return statement
        bounds = [column >= begin] if begin is not None else []
        bounds += [column < end] if end is not None else []
        bounded = sa.and_(*bounds)
        return statement.where(bounded if part.end else sa.or_(bounded, column.is_(None)))

    def _ends(self, connection: Connection, column: Any, part: Part) -> tuple[Any, Any]:
        """The interval's ends as the column writes such values, rather wider than narrower. None:
        there is none, as no row has a value. Raises Refused where it can hold no time.
        """
        if self.source.by_key:
            return int(str(part.begin)), None
        least, most = connection.execute(
            sa.select(sa.func.min(column), sa.func.max(column)).select_from(self._from())
        ).one()
        if most is None:
            return None, None
        begin, end = (at and instant(at) for at in (part.begin, part.end))
        if isinstance(most, datetime) and most.tzinfo:
            return begin, end
        if isinstance(most, datetime):
            return (
                begin and begin.astimezone(self.zone).replace(tzinfo=None) - CLOCKS,
                end and end.astimezone(self.zone).replace(tzinfo=None) + CLOCKS,
            )
        if isinstance(most, date):
            return begin and (begin - DAYS).date(), end and (end + DAYS).date()
        if isinstance(most, str) and ISO.fullmatch(least) and ISO.fullmatch(most):
            return begin and str((begin - DAYS).date()), end and str((end + DAYS).date())
        raise Refused(
            f"{self.where}: {self.source.by_time} holds what is no time, so what is new cannot be "
            "told by it. Name another column in by_time, or make a time of it in a query."
        )


def engine_of(access: Access) -> Engine:
    """The database of a connection. Raises ConfigurationError where its driver is not installed."""
    extra = dict(access.extra)
    kind = str(extra.get("sqlalchemy_scheme") or DIALECTS.get(access.conn_type, access.conn_type))
    query = dict(extra.get("sqlalchemy_query") or {})
    options: dict[str, Any] = {}
    if kind.startswith("postgresql"):
        known = {*db.PATIENCE, "sslmode", "sslrootcert", "sslcert", "sslkey", "options"}
        query |= {key: str(value) for key, value in extra.items() if key in known}
        options = {key: value for key, value in db.PATIENCE.items() if key not in query}
    is_file = kind.startswith(("sqlite", "duckdb"))
    url = sa.URL.create(
        kind,
        username=access.login or None,
        password=access.password or None,
        host=None if is_file else access.host or None,
        port=access.port,
        database=(access.host or access.schema) if is_file else access.schema or None,
        query=query,
    )
    try:
        return sa.create_engine(
            url, poolclass=sa.pool.NullPool, hide_parameters=True, connect_args=options
        )
    except (ImportError, sa.exc.ArgumentError) as error:
        raise ConfigurationError(
            f"The connection {access.name} is of the type {access.conn_type or '(none)'}, and "
            f"SQLAlchemy has no {kind} here ({type(error).__name__}): install its driver, or say "
            "another in the connection's extra, as sqlalchemy_scheme."
        ) from None


def _plainly(error: sa.exc.SQLAlchemyError) -> str:
    """What a database says of an error, in one line, without what may be somebody's."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    first = db.redact(re.sub(r"'[^']*'", "'…'", said[0]))[:200] if said else type(error).__name__
    return f"{first}. Is the connection right, and may its user read there?"
