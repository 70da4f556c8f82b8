"""The statements of include/sql: they fit the real schema, and take their clock as a bind."""

import re

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from reengage import db
from reengage.errors import ConfigurationError
from reengage.ingest.sources.clean import TYPED
from reengage.settings import SQL

# The types of binds, as the code passes them, by the end of their names.
TYPES = {
    "as_of": "date",
    "_day": "date",
    "through": "date",
    "today": "date",
    "_on": "date",
    "at": "timestamptz",
    "now": "timestamptz",
    "wall": "timestamptz",
    "end_of_day": "timestamptz",
    "after": "timestamptz",
    "since": "timestamptz",
    "occurred_at": "timestamptz",
    "load_id": "bigint",
    "contact_id": "bigint",
    "file_id": "bigint",
    "claimed_by": "bigint",
    "days": "integer",
    "limit": "integer",
    "batch_size": "integer",
    "senders": "integer",
    "sender": "integer",
    "max_attempts": "integer",
    "size_bytes": "bigint",
    "control_share": "double precision",
}


# The temporary tables that statements of episodes hand to each other, by who makes them.
EPISODE_TABLES = {
    "episode/released": ["released"],
    "episode/open": ["reached"],
    "episode/place_decided": ["climbing", "counted", "placed"],
    "episode/place": ["placed"],
    "episode/touch_by_hits": ["touched"],
    "episode/judge_again": ["followed"],
}


def type_of(bind: str) -> str:
    if bind.startswith(("is_", "has_")):
        return "boolean"
    if bind.endswith("_days") and bind in ("step_days", "within_days"):
        return "integer[]"
    ends = [end for end in TYPES if bind == end or bind.endswith(f"_{end.lstrip('_')}")]
    return TYPES[max(ends, key=len)] if ends else "unknown"


def test_migrations_run_twice_without_a_change(warehouse: sa.Engine) -> None:
    db.migrate(warehouse)


def test_every_statement_fits_the_schema(warehouse: sa.Engine) -> None:
    wrong = {}
    with warehouse.connect() as connection:
        for name in db.names():
            for entity in entities(name):
                try:
                    check(connection, name, entity)
                except psycopg.Error as error:
                    wrong[name, entity] = str(error)
                connection.connection.driver_connection.rollback()
    assert wrong == {}


def entities(name: str) -> list[str]:
    """Those whose rows a statement is tried for: all where it takes the columns of each."""
    text = (SQL / f"{name}.sql").read_text(encoding="utf-8")
    is_of_consents = re.search(r"UPDATE raw\.consent|INNER JOIN raw\.consent", text)
    one = "consent" if is_of_consents else "interaction"
    return list(TYPED) if "entity_columns" in text else [one]


def check(connection: sa.Connection, name: str, entity: str) -> None:
    """Prepare each statement of a file; what it makes for itself is made for it first."""
    text = (SQL / f"{name}.sql").read_text(encoding="utf-8")
    driver = connection.connection.driver_connection
    made = ("staged", "drafted", "corrected", "arrived", "told_code", "FROM missing")
    if any(table in text for table in made):
        make(driver, "raw/stage", f"raw.{entity}", TYPED[entity])
        make(driver, "outbox/stage_drafts")
        make(driver, "core/begin_corrected")
        make(driver, "core/arrive")
        make(driver, "core/match_refunds")
    if re.search(r"\b(kin|person|placed|claimed|touched_card|shared_id|alone)\b", text):
        for needed in (
            "load_cards",
            "weigh_ids",
            "add_alone",
            "begin_kin",
            "begin_people",
            "place_kin",
            "part_contacts",
        ):
            make(driver, f"core/{needed}")
    if "refusal" in text:
        make(driver, "core/hear_load")
    if "FROM missing" in text:
        make(driver, "raw/find_missing", f"raw.{entity}")
    if "counted_day" in text:
        make(driver, "outcome/count_days")
    if "staged_unit" in text:
        make(driver, "outcome/stage_units")
    if name == "cohort/decide":
        make(driver, "cohort/due")
    if name.startswith("episode/"):
        for needed, tables in EPISODE_TABLES.items():
            if re.search(rf"\b({'|'.join(tables)})\b", text):
                make(driver, needed)
    if name.startswith("history/") and name != "history/begin_past":
        make(driver, "history/begin_past")
        make(driver, "episode/close")
    if "uploaded_code" in text:
        make(driver, "outbox/stage_codes")
    given = (
        f"raw.{entity}" if "raw.entity" in text else None,
        TYPED[entity] if "entity_columns" in text else (),
    )
    for clause, _ in db._statements(name, *given):
        compiled = clause.compile(dialect=dialect())
        sql, binds = str(compiled), compiled.positiontup or ()
        if sql.startswith(("DROP", "SET", "ANALYZE", "TRUNCATE")):
            continue
        if sql.startswith("CREATE"):
            make(driver, name, *given)
            continue
        # A page's `after` is the id it ended with.
        known = {"after": "bigint"} if name.startswith("marketer/") else {}
        types = ", ".join(known.get(bind) or type_of(bind) for bind in binds)
        driver.execute(f"PREPARE checked {f'({types})' if types else ''} AS {sql}")
        driver.execute("DEALLOCATE checked")


def make(
    driver: psycopg.Connection, name: str, table: str | None = None, columns: tuple[str, ...] = ()
) -> None:
    """The temporary table of a file, empty of meaning but of the right shape."""
    for clause, _ in db._statements(name, table, columns):
        sql = re.sub(r":\b(?<!::)\w+", "NULL", str(clause))
        if sql.startswith(("CREATE UNIQUE INDEX", "CREATE INDEX", "CREATE TEMPORARY VIEW")):
            driver.execute(sql)
        elif sql.startswith(("DROP", "CREATE")):
            table = re.search(r"TABLE (IF EXISTS )?(\w+)", sql)
            assert table
            driver.execute(f"DROP TABLE IF EXISTS {table[2]}")
            if sql.startswith("CREATE"):
                driver.execute(sql)


def test_no_statement_reads_the_wall_clock() -> None:
    clock = re.compile(
        r"\b(now\(\)|current_date|current_timestamp|clock_timestamp|localtime)", re.I
    )
    # The pace that machines keep together: their own clocks differ, and no day depends on it.
    shared = [SQL / f"outbox/pace_{what}.sql" for what in ("book", "hold")]
    for file in {*SQL.rglob("*.sql")} - set(shared):
        assert not clock.search(file.read_text(encoding="utf-8")), file


def test_statements_are_split_and_bare_whatever_their_texts_hold() -> None:
    text = """-- of :nobody; it's a comment
    SELECT 'a; -- b', 'it''s', E'\\'; :c', "a;""b", 1 - 2 / 3 /* ; :d
    'e */, :f;;
    CREATE FUNCTION g() RETURNS text LANGUAGE sql AS $$ SELECT '; -- h' $$;
    DO $i$ BEGIN PERFORM $1; /* $$ */ END $i$ -- the end;"""
    first, second, third = db.split(text)
    assert first.startswith("""SELECT 'a; -- b', 'it''s', E'\\'; :c', "a;""b", 1 - 2 / 3""")
    assert first.endswith(", :f") and ":d" not in first and "nobody" not in first
    assert second.endswith("AS $$ SELECT '; -- h' $$")
    assert third == "DO $i$ BEGIN PERFORM $1; /* $$ */ END $i$"


def test_every_statement_says_what_it_is_for() -> None:
    for name in db.names():
        head = (SQL / f"{name}.sql").read_text(encoding="utf-8").split("\n", 1)[0]
        assert head.startswith("-- ") and len(head) > 12, name


def test_a_bind_that_a_statement_does_not_take_is_refused(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        with pytest.raises(ConfigurationError, match="no statement nowhere/nothing"):
            db.run(connection, "nowhere/nothing")
        with pytest.raises(ConfigurationError, match=r"takes \['as_of'\]"):
            db.run(connection, "cohort/count_day", day="1997-06-30")


def test_a_table_that_is_no_entity_is_refused(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection, pytest.raises(ConfigurationError, match="table must be"):
        db.run(connection, "raw/take_waiting", "core.contact", source="x", as_of=None)


def test_columns_are_named_where_a_statement_takes_them_alone(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        with pytest.raises(ConfigurationError, match="columns are given where"):
            db.run(connection, "raw/stage", "raw.contact")
        with pytest.raises(ConfigurationError, match="columns are given where"):
            db.run(connection, "raw/key_rows", None, ("phone",))
        with pytest.raises(sa.exc.ProgrammingError, match='phone" FROM x does not exist'):
            db.run(connection, "raw/stage", "raw.contact", ('phone" FROM x',))


def test_what_looks_personal_is_redacted() -> None:
    text = db.redact("call +1 212 555 0100 or ann@shop.example, order 4711")
    assert text == "call <phone> or <email>, order 4711"
