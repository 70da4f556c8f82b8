"""The views, functions, words and roles of the warehouse: include/sql/objects, a file each.

`objects/core/withdrawal.sql` makes `core.withdrawal`, so that a file is found by the name of what
it makes; no two functions have one name. Every migrate applies them, after its revisions and all in
one transaction: migrations change tables alone. A file comes after those whose names stand in its
SQL.
"""

import graphlib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import Connection, Engine, Row

from reengage import db
from reengage.errors import ConfigurationError
from reengage.settings import SQL

FOLDER = SQL / "objects"


@dataclass(frozen=True)
class Object:
    """A file of objects. name: schema.name; uses: the names of others that its SQL contains."""

    name: str
    text: str
    uses: tuple[str, ...]


def in_order(folder: Path = FOLDER) -> list[Object]:
    """The files of a folder, each after those that it uses. Raises ConfigurationError where some
    use each other.
    """
    texts = {
        f"{file.parent.name}.{file.stem}": file.read_text(encoding="utf-8")
        for file in sorted(folder.glob("*/*.sql"))
    }
    objects = {}
    for name, text in texts.items():
        named = set(re.findall(r"\w+\.\w+", " ".join(db.split(text))))
        objects[name] = Object(name, text, tuple(sorted(texts.keys() & named - {name})))
    order = graphlib.TopologicalSorter({name: made.uses for name, made in objects.items()})
    try:
        return [objects[name] for name in order.static_order()]
    except graphlib.CycleError as error:
        raise ConfigurationError(
            f"{folder}: these objects use each other, so none can be made first: "
            f"{' > '.join(reversed(error.args[1]))}."
        ) from error


def apply(connection: Connection, revision: str, folder: Path = FOLDER) -> bool:
    """Make every object as its file says, in the caller's transaction, and drop what no file makes
    any more; False where the warehouse has them all, as of this revision. What a role may do is
    granted in any case: it may have been made since. The caller holds the lock of migrations.

    An object whose columns or arguments change is dropped and made anew, with those of ours that
    use it; owners and grants are kept. Raises ConfigurationError where something else uses it.
    """
    objects = in_order(folder)
    names = [made.name for made in objects]
    digest = hashlib.sha256("\0".join([revision, *names, *(o.text for o in objects)]).encode())
    applied = {row.name: row.applied for row in db.run(connection, "catalog/applied")}
    if applied == dict.fromkeys(names, digest.hexdigest()):
        for made in objects:
            if made.name.startswith("roles."):
                db.run_script(connection, made.text)
        return False
    gone = applied.keys() - set(names)
    for made in objects:
        _make(connection, made, applied.keys() | set(names))
    set_aside(connection, *sorted(gone))
    db.run(connection, "catalog/note_applied", names=names, applied=digest.hexdigest())
    return True


def follow(engine: Engine) -> bool:
    """Apply the objects to a warehouse to which no revision is new; False where one is, and nothing
    has happened. Alembic, which db.migrate asks for the same, is a quarter of a second of every
    process. Raises ConfigurationError behind a pooler that db.check_sessions refuses.
    """
    db.check_sessions(engine)
    newest = newest_revision()
    with engine.begin() as connection, db.exclusive(connection, "migrate"):
        is_new = not sa.inspect(connection).has_table("reengage_migrations")
        if is_new or db.run(connection, "catalog/revision").scalar() != newest:
            return False
        apply(connection, newest)
        return True


def keep_up(engine: Engine) -> None:
    """Bring a warehouse to the newest schema, whether or not a revision is new to it."""
    if not follow(engine):
        db.migrate(engine)


def newest_revision(folder: Path = SQL / "migrations/versions") -> str:
    """The revision that no other one follows, as its file says."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for file in folder.glob("*.py"):
        for name, revision in _REVISION.findall(file.read_text(encoding="utf-8")):
            (revisions if name == "revision" else followed).add(revision)
    (newest,) = revisions - followed
    return newest


_REVISION = re.compile(r'^(revision|down_revision) = "(\w+)"$', re.MULTILINE)


def set_aside(connection: Connection, *names: str) -> None:
    """Drop views and functions, with those of ours that use them, and keep their owners and grants
    until `apply` makes them anew. A migration that changes a column of a view's table begins so.
    Names that nothing has are passed over.

    Raises ConfigurationError where something that no file makes uses one of them.
    """
    ours = {made.name for made in in_order()}
    ours |= {row.name for row in db.run(connection, "catalog/applied")}
    for name in names:
        _set_aside(connection, name, ours)


def _set_aside(connection: Connection, name: str, ours: set[str]) -> None:
    for user in db.run(connection, "catalog/users_of", name=name).scalars().all():
        if user in ours:
            _set_aside(connection, user, ours)
    db.run(connection, "catalog/keep", name=name)
    for row in _signatures(connection, name):
        _drop(connection, row.kind, row.signature)


def _make(connection: Connection, made: Object, ours: set[str]) -> None:
    driver = _driver(connection)
    if not _is_made(connection, made):
        _set_aside(connection, made.name, ours)
        db.run_script(connection, made.text)
    for statement in db.run(connection, "catalog/kept", name=made.name).scalars().all():
        try:
            with connection.begin_nested():
                driver.execute(statement)
        except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedObject):
            continue  # a column or a role that is no more needs no grant


def _is_made(connection: Connection, made: Object) -> bool:
    """Whether the file could take the place of what stands; with other columns or arguments it
    cannot, and nothing has happened.
    """
    try:
        with connection.begin_nested() as savepoint:
            db.run_script(connection, made.text)
            is_one = len(_signatures(connection, made.name)) <= 1
            if not is_one:
                savepoint.rollback()
            return is_one
    except (
        psycopg.errors.InvalidTableDefinition,
        psycopg.errors.InvalidFunctionDefinition,
        psycopg.errors.AmbiguousFunction,
    ):
        return False


def _signatures(connection: Connection, name: str) -> Sequence[Row[Any]]:
    return db.run(connection, "catalog/signatures", name=name).all()


def _drop(connection: Connection, kind: str, signature: str) -> None:
    """signature: a name with its quotes and arguments, as the catalog writes it."""
    statement = sql.SQL("DROP {} {}").format(sql.SQL(kind), sql.SQL(signature))
    try:
        _driver(connection).execute(statement)
    except psycopg.errors.DependentObjectsStillExist as error:
        raise ConfigurationError(
            f"The {kind.lower()} {signature} is to change, and something that include/sql/objects "
            f"does not make uses it: {error.diag.message_detail} Drop that, run `reengage migrate` "
            "again, and make it anew."
        ) from error


def _driver(connection: Connection) -> Any:
    """The driver's connection."""
    return connection.connection.driver_connection
