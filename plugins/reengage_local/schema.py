"""`make schema`: include/sql/schema.sql, today's tables as a migrated warehouse has them.

What a column is for is written beside it in the migration that made it; here it is put beside it
again. psql can run the file, too: it makes an empty warehouse without a migration.
"""

import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reengage import db, objects
from reengage.settings import SQL, settings
from reengage_local.postgres import EmbeddedServer

FILE = SQL / "schema.sql"
SCHEMAS = ["raw", "core", "cohort", "outbox", "outcome", "history"]
WIDTH = 100
HEAD = """\
-- Today's schema. `make schema` makes this file from a migrated warehouse, and a test compares: to
-- change a table, write a migration; a view or a function, its file in include/sql/objects.
-- `psql -f include/sql/schema.sql` makes the same, in an empty database, for a look.
"""


def write_schema() -> None:
    """Write include/sql/schema.sql. Raises ServerError where no server can be started."""
    with _migrated() as engine, engine.connect() as connection:
        FILE.write_text(text(connection), encoding="utf-8")


@contextmanager
def _migrated() -> Iterator[Engine]:
    """A new, empty, migrated database on the home's server, gone again at the end."""
    server = EmbeddedServer(settings().home)
    server.start()
    url = sa.make_url("postgresql+psycopg" + server.dsn("postgres").removeprefix("postgresql"))
    name = f"schema_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine = db.engine(url.set(database=name).render_as_string(hide_password=False))
    try:
        db.migrate(engine)
        yield engine
    finally:
        engine.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}"')


def text(connection: Connection) -> str:
    """The schema of a migrated warehouse as SQL, the same whichever server and owner it has."""
    remarks = _remarks()
    parts = [HEAD, "".join(f"CREATE SCHEMA {schema};\n" for schema in SCHEMAS)]
    values: dict[str, list[str]] = {}
    for row in db.run(connection, "catalog/types", schemas=SCHEMAS):
        values.setdefault(row.name, []).append(row.value)
        if row.remark:
            remarks[row.name] = row.remark
    parts += [_enum(name, labels, remarks) for name, labels in values.items()]
    rest = [made.name for made in objects.in_order()]
    for table in db.run(connection, "catalog/tables", schemas=SCHEMAS).all():
        needed = [name for name in rest if name in table.uses]
        parts += [_include(needed)] * bool(needed) + [_table(connection, table, remarks)]
        rest = [name for name in rest if name not in needed]
    return "\n".join([*parts, _include(rest)])


def _include(names: Iterable[str]) -> str:
    return "".join(f"\\ir objects/{name.replace('.', '/')}.sql\n" for name in names)


def _enum(name: str, labels: list[str], remarks: dict[str, str]) -> str:
    lines = [("'{}'".format(label.replace("'", "''")), f"{name}.{label}") for label in labels]
    return f"{_above(name, remarks)}CREATE TYPE {name} AS ENUM (\n{_list(lines, remarks)});\n"


def _table(connection: Connection, table: sa.Row[Any], remarks: dict[str, str]) -> str:
    lines = []
    for kind in ("columns", "constraints"):
        for row in db.run(connection, f"catalog/{kind}", table_id=table.table_id):
            key = f"{table.name}.{row.name if kind == 'columns' else row.definition}"
            if row.remark:
                remarks[key] = row.remark
            lines.append((row.definition, key))
    if table.remark:
        remarks[table.name] = table.remark
    made = f"CREATE TABLE {table.name} (\n{_list(lines, remarks)})"
    made = f"{_above(table.name, remarks)}{made}{' ' * bool(table.options)}{table.options};\n"
    for row in db.run(connection, "catalog/indexes", table_id=table.table_id):
        if row.remark:
            remarks[row.name] = row.remark
        # A partitioned table's is for its partitions, too: those that it does not have yet.
        definition = row.definition.replace(" USING btree ", " ").replace(" ON ONLY ", " ON ")
        made += f"{_above(row.name, remarks)}{definition};\n"
    return made


def _above(name: str, remarks: dict[str, str], indent: str = "") -> str:
    """The remark on something, as comments above it."""
    words, lines = remarks.get(name, "").split(), [""]
    for word in words:
        if len(f"{indent}-- {lines[-1]} {word}") > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "".join(f"{indent}-- {line}\n" for line in lines if line)


def _list(lines: list[tuple[str, str]], remarks: dict[str, str]) -> str:
    """Lines between parentheses, each with its remark behind it, or above it where too long."""
    made = ""
    for place, (line, name) in enumerate(lines):
        line = f"    {line}{',' if place < len(lines) - 1 else ''}"
        behind = f"{line}  -- {remarks.get(name, '')}"
        is_short = name in remarks and len(behind) <= WIDTH
        made += f"{behind}\n" if is_short else f"{_above(name, remarks, '    ')}{line}\n"
    return made


# What opens a statement whose parts have remarks, and what such a part begins with.
_OPENS = re.compile(r"(CREATE TABLE|ALTER TABLE|CREATE TYPE|ALTER TYPE) ([\w.]+)")
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (\w+) ON (\w+)\.")
_PART = re.compile(r"(?:^ +|ADD COLUMN |ADD VALUE |^ADD COLUMN )(?:'([^']+)'|([a-z]\w*) )")


def _remarks() -> dict[str, str]:
    """What the migrations say, in their comments, of each type, value, table, column and index: by
    schema.name, and schema.name.part.
    """
    found: dict[str, str] = {}
    for file in sorted((SQL / "migrations").glob("*/*.sql")):
        owner, last = "", ""
        above: list[str] = []
        for line in file.read_text(encoding="utf-8").splitlines():
            code, _, remark = line.partition("-- ")
            if not code.strip():
                if remark and last and len(code) > 8:  # a remark behind a part goes on below it
                    found[last] += f" {remark}"
                else:
                    above = [*above, remark] if remark else []
                continue
            keys = []
            if opened := _OPENS.match(code):
                owner = opened[2]
                keys = [owner] * opened[1].startswith("CREATE")
            elif index := _INDEX.match(code):
                owner, keys = "", [f"{index[2]}.{index[1]}"]
            if owner:
                keys += [f"{owner}.{part[1] or part[2]}" for part in _PART.finditer(code)]
            last = keys[-1] if keys else ""
            if remark and code.startswith(("ALTER", "ADD")):
                above = []  # it is of the statement as a whole
            if said := " ".join([*above, *([remark] if remark else [])]):
                found |= dict.fromkeys(keys[:1], said)
            above = []
            owner = "" if code.rstrip().endswith(";") else owner
    return found
