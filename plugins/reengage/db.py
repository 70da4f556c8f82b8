"""The warehouse: connections, the statements of include/sql, and COPY."""

import functools
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult, Engine, make_url

from reengage.errors import ConfigurationError
from reengage.settings import SQL, warehouse_url


def engine(url: str | None = None) -> Engine:
    """The warehouse's engine, one a process and address. A connection that a restart of the
    server has cut is noticed and made anew. Sessions run in UTC: dates are made from an explicit
    zone, never from the session's.
    """
    return _engine(url or warehouse_url())


# A lost host is noticed within a minute, and its locks are let go: without these a session whose
# machine is gone lives for hours. Whoever names one in the connection is obeyed.
PATIENCE = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
SERVER_PATIENCE = (
    "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 "
    "-c tcp_user_timeout=50000"
)


@functools.cache
def _engine(url: str) -> Engine:
    address = make_url(url)
    # A day looks up a few thousand of millions by index: the planner's default, made for disks
    # with heads, would rather read whole tables. What the connection says comes after it; but days
    # and times are always told in UTC.
    options = (
        f"-c random_page_cost=1.1 {SERVER_PATIENCE} {address.query.get('options', '')} "
        "-c timezone=UTC"
    )
    return sa.create_engine(
        address.difference_update_query(["options"]),
        pool_pre_ping=True,
        # The session used last: it has its tables and plans at hand, where a new one begins anew.
        pool_use_lifo=True,
        hide_parameters=True,  # an error would print its binds, and a bind may be a number
        connect_args={
            **{name: value for name, value in PATIENCE.items() if name not in address.query},
            "options": options,
            "application_name": "reengage",
        },
    )


@functools.cache
def check_sessions(engine: Engine) -> None:
    """See that a session of ours is one of the server's: claims and loads hold their locks by it.

    Raises ConfigurationError behind a pooler that hands one session of the server to several of
    its clients in turn.
    """
    with engine.connect() as first, engine.connect() as second:
        ours = "SELECT pg_backend_pid()"
        pid = first.execute(sa.text(ours)).scalar_one()
        first.rollback()
        if second.execute(sa.text(ours)).scalar_one() != pid:
            return
    raise ConfigurationError(
        "The warehouse is behind a pooler that gives one session of the server to several clients "
        "(PgBouncer: pool_mode = transaction or statement). The locks that keep anybody from being "
        "texted twice belong to a session. Point the connection reengage_warehouse at the server "
        "itself, or at a pool with pool_mode = session."
    )


ENTITY_TABLES = ("raw.contact", "raw.interaction", "raw.consent", "raw.product")

# What is one thing in SQL: a comment, a text, a name in quotes, a text between dollars, an end of
# a statement. A parser would take a second for what a day runs, in every process.
_PARTS = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)"
    r"|(?<!\w)[Ee]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'"
    r'|"[^"]*"'
    r"|(?P<tag>\$\w*\$).*?(?P=tag)"
    r"|(?P<end>;)"
    r"|\w+|[^\w'\"$;/-]+|.",
    re.DOTALL,
)


def split(text: str) -> list[str]:
    """The statements of an SQL text, without their comments and ends."""
    found = [""]
    for part in _PARTS.finditer(text):
        if part["end"]:
            found.append("")
        else:
            found[-1] += " " if part["comment"] else part[0]
    return [statement.strip() for statement in found if statement.strip()]


# The entity's own columns, of one table (staged.entity_columns), or bare, as INSERT has them.
_COLUMNS = re.compile(r"\b(?:(\w+)\.)?entity_columns\b")


# What stands in for what: (a table or view, the name of a temporary one).
StandIns = tuple[tuple[str, str], ...]


@contextmanager
def stand_in(connection: Connection, stand_ins: StandIns) -> Iterator[None]:
    """Let the statements that run on a connection read and write temporary tables and views in the
    place of others: what they do is of a world of its own. To others than those they may not write
    (ConfigurationError); what else they read is the warehouse's.
    """
    connection.execution_options(stand_ins=stand_ins)
    try:
        yield
    finally:
        connection.execution_options(stand_ins=())


def _stand_ins(connection: Connection) -> StandIns:
    found: StandIns = connection.get_execution_options().get("stand_ins", ())
    return found


def renamed(statement: str, stand_ins: StandIns) -> str:
    """A statement (or the text of a view) over the tables and views that stand in."""
    places = dict(stand_ins)
    return _QUALIFIED.sub(lambda found: places.get(found[0], found[0]), statement)


_QUALIFIED = re.compile(r"\b[a-z_]+\.[a-z_]+\b(?!\.)")
_WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|TRUNCATE)\s+(\w+\.\w+)")


def _among_stand_ins(name: str, statement: str, stand_ins: StandIns) -> str:
    if not stand_ins:
        return statement
    found = renamed(statement, stand_ins)
    if written := _WRITES.search(found):
        raise ConfigurationError(
            f"{name}.sql would write to {written[1]}, for which nothing stands in here."
        )
    return found


@functools.cache
def _statements(
    name: str, table: str | None, columns: tuple[str, ...] = (), stand_ins: StandIns = ()
) -> tuple[tuple[sa.TextClause, frozenset[str]], ...]:
    file = SQL / f"{name}.sql"
    if not file.is_file():
        raise ConfigurationError(f"There is no statement {name}: {file} does not exist.")
    bare = split(file.read_text(encoding="utf-8"))
    if any("raw.entity" in statement for statement in bare) != (table in ENTITY_TABLES):
        raise ConfigurationError(f"{name}.sql: table must be one of {ENTITY_TABLES}, or not given.")
    if any(_COLUMNS.search(statement) for statement in bare) != bool(columns):
        raise ConfigurationError(f"{name}.sql: columns are given where entity_columns is, only.")
    clauses = [
        sa.text(
            _COLUMNS.sub(
                partial(_named, columns),
                _among_stand_ins(name, statement, stand_ins).replace("raw.entity", table or ""),
            )
        )
        for statement in bare
    ]
    return tuple((clause, frozenset(clause._bindparams)) for clause in clauses)


def _named(columns: tuple[str, ...], placed: re.Match[str]) -> str:
    from psycopg import sql

    of = [placed[1]] if placed[1] else []
    return ", ".join(sql.Identifier(*of, column).as_string() for column in columns)


def run(
    connection: Connection,
    name: str,
    table: str | None = None,
    columns: tuple[str, ...] = (),
    /,
    **binds: Any,
) -> CursorResult[Any]:
    """Run include/sql/<name>.sql with its named binds; the result of its last statement.

    A statement that is the same for all entities (raw.contact, raw.interaction, …) is written for
    raw.entity; `table` says which of them is meant, and `columns` what its entity_columns are. A
    file of several statements runs in the caller's transaction. A bind that the file does not use
    is a mistake (ConfigurationError), as is a missing one.
    """
    statements = _statements(name, table, columns, _stand_ins(connection))
    used = frozenset().union(*(names for _, names in statements))
    if used != binds.keys():
        raise ConfigurationError(f"{name}.sql takes {sorted(used)}, but was given {sorted(binds)}.")
    for clause, names in statements:
        result = connection.execute(clause, {key: binds[key] for key in names})
    return result


def stream(
    connection: Connection, name: str, rows_at_once: int, **binds: Any
) -> Iterator[Sequence[Any]]:
    """The rows of include/sql/<name>.sql, one statement, some at a time: memory stays flat. Others
    may run in the same transaction meanwhile.
    """
    ((clause, _),) = _statements(name, None, (), _stand_ins(connection))
    options = {"stream_results": True, "max_row_buffer": rows_at_once}
    with connection.execute(clause, binds, execution_options=options) as result:
        yield from result.partitions(rows_at_once)


def run_script(connection: Connection, text: str) -> Any:
    """Run statements that take no binds, one after the other, in the caller's transaction: a
    cluster takes no two at once. The driver's cursor after the last of them.
    """
    driver: Any = connection.connection.driver_connection
    for statement in split(text):
        cursor = driver.execute(statement)
    return cursor


def names() -> list[str]:
    """The names of all statements: stage/statement. What makes the schema is none of them."""
    return sorted(
        str(file.relative_to(SQL).with_suffix(""))
        for file in SQL.rglob("*.sql")
        if not {"migrations", "objects"} & set(file.relative_to(SQL).parts) and file.parent != SQL
    )


def copy(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """COPY rows into a table ("schema.table" or a temporary one), in the caller's transaction."""
    from psycopg import sql

    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(into) as stream:
        # Lines put together here: several times as fast as the driver, value by value.
        lines: list[str] = []
        for row in rows:
            lines.append(_line(row))
            if len(lines) >= COPY_ROWS:
                stream.write("".join(lines))
                lines.clear()
        stream.write("".join(lines))


COPY_ROWS = 500  # at a time
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _line(row: Sequence[Any]) -> str:
    """A row in COPY's text format. Most rows hold nothing that has to be escaped."""
    texts = ["\\N" if v is None else v if type(v) is str else str(v) for v in row]
    line = "\t".join(texts)
    if (
        line.count("\\") != texts.count("\\N")
        or line.count("\t") != len(row) - 1
        or "\n" in line
        or "\r" in line
    ):
        line = "\t".join("\\N" if v is None else str(v).translate(ESCAPED) for v in row)
    return line + "\n"


def analyze(connection: Connection, *tables: str) -> None:
    """Refresh the planner's statistics after many rows were written in one go, and before they are
    read: autovacuum would come minutes later.
    """
    from psycopg import sql

    driver: Any = connection.connection.driver_connection
    for table in tables:
        driver.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(*table.split("."))))


def analyze_grown(connection: Connection, **written: int) -> None:
    """Refresh the statistics of the tables (schema__table) that have grown by more than a tenth of
    what the planner knows of, by the rows given: a fraction of a second each, which an ordinary day
    need not pay.
    """
    stand_ins = _stand_ins(connection)
    grown = {
        renamed(name.replace("__", "."), stand_ins): rows for name, rows in written.items() if rows
    }
    if not grown:
        return
    known = connection.execute(
        sa.text(
            "SELECT name, class.reltuples FROM unnest(CAST(:names AS text[])) AS name"
            " INNER JOIN pg_class AS class ON class.oid = to_regclass(name)"
        ),
        {"names": list(grown)},
    )
    analyze(connection, *(row.name for row in known if grown[row.name] > row.reltuples / 10))


def give_room(connection: Connection) -> None:
    """Let the transaction sort and join in memory what a load brings, in 64 MB a step or what the
    server gives: by its default of 4 MB most of it would go to disk. For a transaction of which
    there is one at a time.
    """
    connection.execute(
        sa.text(
            "SELECT set_config('work_mem', '64MB', TRUE)"
            " WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')"
        )
    )


@contextmanager
def exclusive(connection: Connection, what: str) -> Iterator[None]:
    """Hold the warehouse-wide lock named `what` until the transaction ends: two runs of the same
    step, one of them an orphan, follow each other instead of meeting.
    """
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))"), {"what": what}
    )
    yield


@contextmanager
def shared(connection: Connection, what: str) -> Iterator[None]:
    """Hold the lock named `what` until the transaction ends, beside others who hold it so, and
    never beside one who holds it exclusively.
    """
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:what, 0))"), {"what": what}
    )
    yield


@contextmanager
def alone(engine: Engine, what: str) -> Iterator[Connection]:
    """A transaction that holds the lock named `what` exclusively, as `exclusive` does. It waits for
    those who hold it without making others wait who come meanwhile.
    """
    lock = sa.text("SELECT pg_try_advisory_xact_lock(hashtextextended(:what, 0))")
    while True:
        with engine.begin() as connection:
            if connection.execute(lock, {"what": what}).scalar_one():
                yield connection
                return
        time.sleep(ALONE_SECONDS)


ALONE_SECONDS = 0.2


def migrate(target: Engine, revision: str = "head") -> None:
    """Bring the warehouse to the newest schema, views and functions included (include/sql/objects),
    or only to a revision, with what was of its time. Each revision is its own transaction. Safe to
    run twice, by two at once, and after a kill anywhere. Raises ConfigurationError behind a pooler
    that check_sessions refuses.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    check_sessions(target)
    lock = {"what": "migrate"}
    with target.connect() as keeper, target.connect() as connection:
        # Held by a session of its own, as every revision ends a transaction.
        keeper.execute(sa.text("SELECT pg_advisory_lock(hashtextextended(:what, 0))"), lock)
        keeper.commit()
        try:
            config.attributes["connection"] = connection
            config.attributes["is_newest"] = revision == "head"
            command.upgrade(config, revision)
        finally:
            keeper.execute(sa.text("SELECT pg_advisory_unlock(hashtextextended(:what, 0))"), lock)


def redact(text: str) -> str:
    """The text without what looks like a phone number or an email address."""
    # Each begins where a word does, so that no part of the text is gone through twice.
    text = re.sub(r"(?<![\w.+-])[\w.+-]++@[\w-]++(\.[\w-]++)+", "<email>", text)
    return re.sub(r"\+?\d[\d\s().-]{7,}\d", "<phone>", text)
