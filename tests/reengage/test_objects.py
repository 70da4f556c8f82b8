"""Views, functions, words, grants: the files of include/sql/objects are what a warehouse has."""

import re
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from reengage import db, objects
from reengage.errors import ConfigurationError
from reengage.settings import SQL
from reengage_local import schema
from reengage_local.postgres import EmbeddedServer

SCHEMAS = "('raw', 'core', 'cohort', 'outbox', 'outcome', 'history')"

# What the catalog says of a view or function: how it is made, whose it is, and who may use it.
DEFINITIONS = f"""
SELECT
    namespace.nspname || '.' || view.relname AS name,
    pg_get_viewdef(view.oid) AS definition,
    pg_get_userbyid(view.relowner) AS owner,
    ARRAY(SELECT CAST(acl AS text) FROM unnest(view.relacl) AS acl ORDER BY 1) AS acl
FROM pg_class AS view
INNER JOIN pg_namespace AS namespace ON view.relnamespace = namespace.oid
WHERE view.relkind IN ('v', 'm') AND namespace.nspname IN {SCHEMAS}
UNION ALL
SELECT
    namespace.nspname || '.' || function.proname,
    pg_get_functiondef(function.oid),
    pg_get_userbyid(function.proowner),
    ARRAY(SELECT CAST(acl AS text) FROM unnest(function.proacl) AS acl ORDER BY 1)
FROM pg_proc AS function
INNER JOIN pg_namespace AS namespace ON function.pronamespace = namespace.oid
WHERE namespace.nspname IN {SCHEMAS}
"""
WORDS = "SELECT about, word, label, sentence FROM core.word ORDER BY about, word"
GRANTS = f"""
SELECT
    table_schema || '.' || table_name || '.' || column_name AS name,
    string_agg(privilege_type, ' ' ORDER BY privilege_type) AS privileges
FROM information_schema.column_privileges
WHERE grantee = 'reengage_web' AND table_schema IN {SCHEMAS}
GROUP BY 1
ORDER BY 1
"""

NewWarehouse = Callable[..., AbstractContextManager[sa.Engine]]


def rows(connection: sa.Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(query)]


def definitions(connection: sa.Connection) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for name, *what in rows(connection, DEFINITIONS):
        assert name not in found, f"{name} stands twice"
        found[name] = tuple(what)
    return found


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the objects, to be changed."""
    return Path(shutil.copytree(objects.FOLDER, tmp_path / "objects"))


def apply(engine: sa.Engine, folder: Path, revision: str = "a later one") -> bool:
    with engine.begin() as connection:
        return objects.apply(connection, revision, folder)


def test_a_migrated_warehouse_has_what_the_files_make(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        before = definitions(connection), rows(connection, WORDS), rows(connection, GRANTS)
        for made in objects.in_order():
            connection.connection.driver_connection.execute(made.text)  # type: ignore[union-attr]
        after = definitions(connection), rows(connection, WORDS), rows(connection, GRANTS)
    assert before == after


def test_every_view_and_function_has_a_file_and_every_file_one(warehouse: sa.Engine) -> None:
    data = {"core.word", "roles.reengage_web"}
    with warehouse.connect() as connection:
        made = set(definitions(connection))
        noted = {row.name for row in db.run(connection, "catalog/applied")}
    files = {made.name for made in objects.in_order()}
    assert made == files - data
    assert noted == files


def test_the_first_migrate_after_the_migrations_leaves_views_and_grants_as_they_were(
    new_warehouse: NewWarehouse,
) -> None:
    with new_warehouse("0034") as old, old.connect() as connection:
        before = definitions(connection), rows(connection, WORDS), rows(connection, GRANTS)
        connection.rollback()
        db.migrate(old)
        reworded = {"duplicate_phone", "no_consent"}
        come = {
            "cohort.action",
            "cohort.arm",
            "cohort.gate",
            "core.contact_status",
            "core.suppression_source",
            "raw.load_status",
        }
        words, former = (
            [word for word in found if word[1] not in reworded and word[0] not in come]
            for found in (rows(connection, WORDS), before[1])
        )
        assert words == former
        # Who may read a table reads the columns that migrations since have added.
        since = {("core.suppression.scope", "SELECT")}
        assert set(rows(connection, GRANTS)) == {*before[2], *since}
        now = definitions(connection)
        gone = {"core.is_of_number", "core.last_of"}
        changed = {
            "cohort.contact_story",
            "core.key_prefix",
            "core.kind_by_amount",
            "core.opt_out_phone",
            "core.resting_hash",
            "core.settlement",
            "core.withdrawal",
            "outbox.redemption",
            "outbox.said",
            "outbox.used_code",
        }
        assert before[0].keys() - now.keys() == gone
        kept = before[0].keys() - gone - changed
        assert {name: now[name] for name in kept} == {name: before[0][name] for name in kept}


@pytest.mark.parametrize("revision", ["0034", "0049"])
def test_the_function_that_took_a_row_is_gone_whoever_made_it(
    new_warehouse: NewWarehouse, revision: str
) -> None:
    with new_warehouse(revision) as old:
        with old.begin() as connection:
            # What 0038 and later had as a file, the migrations had made before.
            connection.exec_driver_sql(LAST_OF)
        db.migrate(old)
        with old.connect() as connection:
            assert "core.last_of" not in definitions(connection)
            assert "core.last_on" in definitions(connection)


LAST_OF = """
CREATE OR REPLACE FUNCTION core.last_of(
    activity core.contact_activity, kinds core.interaction_kind[]
) RETURNS date LANGUAGE sql IMMUTABLE AS $$ SELECT activity.last_signal_on $$
"""


def test_an_existing_warehouse_keeps_what_its_views_show(new_warehouse: NewWarehouse) -> None:
    with new_warehouse("0034") as old:
        with old.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO core.contact"
                " (first_source, first_source_contact_id, status, created_on, first_seen_on)"
                " VALUES ('crm', 'C-17', 'active', '2026-01-02', '2026-01-02')"
            )
            connection.exec_driver_sql("UPDATE core.word SET label = 'older' WHERE word = 'due'")
            connection.exec_driver_sql(
                "INSERT INTO core.word VALUES ('cohort.reason', 'x', 'gone')"
            )
        story = "SELECT on_day, what FROM cohort.contact_story"
        with old.connect() as connection:
            before = rows(connection, story)
            assert len(before) == 1
        db.migrate(old)
        with old.connect() as connection:
            assert rows(connection, story) == before
            about = "SELECT word, label FROM core.word WHERE word IN ('due', 'x')"
            assert rows(connection, about) == [("due", "Chosen to be texted")]


def test_nothing_is_made_again_when_nothing_has_changed(warehouse: sa.Engine, own: Path) -> None:
    written = "SELECT oid, CAST(xmin AS text) FROM pg_proc WHERE proname = 'phone_hashes'"
    with warehouse.connect() as connection:
        before = rows(connection, written)
    db.migrate(warehouse)
    with warehouse.connect() as connection:
        assert rows(connection, written) == before
    assert apply(warehouse, own)  # as of another revision: a migration may have made an older one
    assert not apply(warehouse, own)


@pytest.mark.parametrize("migrate", [db.migrate, objects.follow])
def test_what_a_role_may_do_is_granted_by_every_migrate(
    warehouse: sa.Engine, migrate: Callable[[sa.Engine], object]
) -> None:
    """It may have been made after the first one, or have lost its grants with a restored dump."""
    with warehouse.begin() as connection:
        granted = rows(connection, GRANTS)
        connection.exec_driver_sql("REVOKE ALL ON outbox.hit, core.contact FROM reengage_web")
        assert rows(connection, GRANTS) != granted
    migrate(warehouse)
    with warehouse.connect() as connection:
        assert rows(connection, GRANTS) == granted


def test_a_warehouse_to_which_a_revision_is_new_is_left_to_the_migrations(
    new_warehouse: NewWarehouse,
) -> None:
    newest = ScriptDirectory(str(SQL / "migrations")).get_current_head()
    assert objects.newest_revision() == newest
    for revision, is_newest in (("0034", False), (newest, True)):
        with new_warehouse(revision) as made, made.connect() as connection:
            before = definitions(connection)
            connection.rollback()
            assert objects.follow(made) is is_newest
            assert (definitions(connection) != before) is is_newest


def test_an_empty_database_is_left_to_the_migrations(new_warehouse: NewWarehouse) -> None:
    with new_warehouse("0001") as made:
        with made.begin() as connection:
            connection.exec_driver_sql("DROP TABLE reengage_migrations")
        assert not objects.follow(made)


def test_two_migrations_at_once_follow_each_other(new_warehouse: NewWarehouse) -> None:
    with new_warehouse("0034") as old:
        wrong: list[BaseException] = []

        def migrate() -> None:
            try:
                db.migrate(old)
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=migrate) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        with old.connect() as connection:
            noted = {row.applied for row in db.run(connection, "catalog/applied")}
            assert len(noted) == 1


def test_a_view_whose_columns_change_is_made_anew_with_those_that_use_it(
    warehouse: sa.Engine, own: Path
) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql("GRANT SELECT ON core.withdrawal, core.stop_elsewhere TO PUBLIC")
        connection.exec_driver_sql(
            "GRANT SELECT (contact_id, purpose) ON core.withdrawal_of_number TO reengage_web"
        )
        before = definitions(connection)
        granted = rows(connection, GRANTS)
    view = own / "core" / "withdrawal.sql"
    text = view.read_text(encoding="utf-8")
    view.write_text(
        text.replace("SELECT", "SELECT\n    1 AS new_first_column,", 1), encoding="utf-8"
    )
    assert apply(warehouse, own)
    with warehouse.connect() as connection:
        after = definitions(connection)
        assert "new_first_column" in after["core.withdrawal"][0]
        assert {name: what[1:] for name, what in after.items()} == {
            name: what[1:] for name, what in before.items()
        }
        known = dict(rows(connection, GRANTS))
        assert {name: known[name] for name, _ in granted} == dict(granted)
        assert known.keys() - dict(granted).keys() <= {
            name for name in known if name.startswith("core.withdrawal.")
        }


def test_a_function_of_other_arguments_takes_the_place_of_the_old_one(
    warehouse: sa.Engine, own: Path
) -> None:
    with warehouse.connect() as connection:
        before = definitions(connection)
    for name, last in (("pause", "until_on date"), ("key_prefix", "phone_hash text")):
        function = own / "core" / f"{name}.sql"
        text = function.read_text(encoding="utf-8")
        function.write_text(text.replace(last, f"{last}, why text"), encoding="utf-8")
    assert apply(warehouse, own)
    with warehouse.connect() as connection:
        after = definitions(connection)  # each stands once
    for name in ("core.pause", "core.key_prefix"):
        assert "why text" in after[name][0]
        assert after[name][1:] == before[name][1:]


def test_a_function_that_is_made_anew_keeps_its_owner_and_who_may_call_it(
    warehouse: sa.Engine, own: Path
) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql("GRANT CREATE ON SCHEMA core TO reengage_web")
        connection.exec_driver_sql("REVOKE ALL ON FUNCTION core.pause FROM reengage_web")
        connection.exec_driver_sql("ALTER FUNCTION core.resume OWNER TO reengage_web")
        before = definitions(connection)
    for name, argument in (("resume", "channel"), ("pause", "until_on")):
        file = own / "core" / f"{name}.sql"
        text = file.read_text(encoding="utf-8")
        # Another name of an argument: CREATE OR REPLACE refuses it.
        file.write_text(text.replace(f" {argument} ", f" its_{argument} ", 1), encoding="utf-8")
    assert apply(warehouse, own)
    with warehouse.connect() as connection:
        after = definitions(connection)
    assert "its_channel" in after["core.resume"][0]
    assert (
        "SECURITY DEFINER\n SET search_path TO 'pg_catalog', 'pg_temp'" in after["core.resume"][0]
    )
    assert after["core.resume"][1:] == before["core.resume"][1:]
    # The file of the role says what the link service may call: that is given back, and no more.
    assert "PUBLIC" not in str(after["core.pause"]) and "{=" not in str(after["core.pause"])
    assert after["core.pause"][2] == ["reengage=X/reengage", "reengage_web=X/reengage"]


def test_somebody_elses_view_stops_a_change_that_would_end_it(
    warehouse: sa.Engine, own: Path
) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA analyst")
        connection.exec_driver_sql(
            "CREATE VIEW analyst.quiet AS SELECT contact_id FROM core.withdrawal"
        )
    view = own / "core" / "withdrawal.sql"
    text = view.read_text(encoding="utf-8")
    view.write_text(text.replace("SELECT", "SELECT\n    1 AS one,", 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"view analyst\.quiet depends on"):
        apply(warehouse, own)
    with warehouse.connect() as connection:
        assert rows(connection, "SELECT * FROM analyst.quiet") == []
        assert "core.stop_elsewhere" in definitions(connection)
    # Whatever it uses may change inside.
    view.write_text(text + "-- changed\n", encoding="utf-8")
    assert apply(warehouse, own)


def test_what_no_file_makes_any_more_is_dropped(warehouse: sa.Engine, own: Path) -> None:
    (own / "core" / "deeper.sql").write_text(
        "CREATE OR REPLACE VIEW core.deeper AS SELECT contact_id FROM core.shallow;",
        encoding="utf-8",
    )
    (own / "core" / "shallow.sql").write_text(
        "CREATE OR REPLACE VIEW core.shallow AS SELECT contact_id FROM core.contact;",
        encoding="utf-8",
    )
    assert apply(warehouse, own)
    for name in ("deeper", "shallow"):
        (own / "core" / f"{name}.sql").unlink()
    assert apply(warehouse, own)
    with warehouse.connect() as connection:
        assert not {"core.deeper", "core.shallow"} & definitions(connection).keys()
        assert len(list(db.run(connection, "catalog/applied"))) == len(objects.in_order())


def test_a_migration_may_set_aside_what_its_table_holds_in_place(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql("GRANT SELECT ON cohort.contact_story TO reengage_web")
        before = definitions(connection)
    with warehouse.begin() as connection:
        objects.set_aside(connection, "outbox.redemption", "core.not_there")
        assert before.keys() - definitions(connection).keys() == {
            "outbox.redemption",
            "cohort.contact_story",
        }
    with warehouse.begin() as connection:  # another migration, which needs it away too
        objects.set_aside(connection, "outbox.redemption")
    db.migrate(warehouse)
    with warehouse.connect() as connection:
        assert definitions(connection) == before


def test_objects_that_use_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    for name, other in (("a", "b"), ("b", "a"), ("c", "a")):
        (tmp_path / "core" / f"{name}.sql").write_text(
            f"-- core.c\nCREATE OR REPLACE VIEW core.{name} AS SELECT 1 FROM core.{other};",
            encoding="utf-8",
        )
    with pytest.raises(ConfigurationError, match=r"core\.[ab] > core\.[ab] > core\.[ab]\."):
        objects.in_order(tmp_path)


def test_schema_sql_is_current_and_makes_what_the_migrations_make(
    warehouse: sa.Engine, server: EmbeddedServer
) -> None:
    with warehouse.connect() as connection:
        told = schema.text(connection)
        made = definitions(connection), rows(connection, WORDS), rows(connection, GRANTS)
    assert schema.FILE.read_text(encoding="utf-8") == told, "run: make schema"
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(warehouse.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
    subprocess.run(
        [server.programs / "psql", "-qXv", "ON_ERROR_STOP=1", "-f", schema.FILE, server.dsn(name)],
        check=True,
        capture_output=True,
    )
    other = db.engine(warehouse.url.set(database=name).render_as_string(hide_password=False))
    with other.connect() as connection:
        again = schema.text(connection)
        assert re.sub(r"\s*-- .*", "", again) == re.sub(r"\s*-- .*", "", told)
        anew = definitions(connection), rows(connection, WORDS), rows(connection, GRANTS)
    other.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "{name}"')
    assert anew == made
