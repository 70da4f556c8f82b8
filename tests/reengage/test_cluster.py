"""The forms of SQL that a Citus cluster takes, as far as a text can show them. Tables of people are
distributed by contact_id there; temporary tables, CTEs and recordsets are the coordinator's.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from reengage import db, objects
from reengage.settings import SQL

VERSIONS = SQL / "migrations/versions"
PLUGINS = Path("plugins").resolve()

# --- what a SELECT reads --------------------------------------------------------------------------

WORD = re.compile(r"'(?:[^']|'')*'|[A-Za-z_][\w.]*|[()]|[^\s\w]")
SETS = ("UNION", "EXCEPT", "INTERSECT")
AFTER_FROM = ("FROM", "JOIN", "USING")
BEGINS = ("SELECT", "WITH", "VALUES")


@dataclass
class Group:
    """What stands in one pair of parentheses: words, and groups within."""

    items: list["str | Group"] = field(default_factory=list)

    @property
    def is_select(self) -> bool:
        return bool(self.items) and self.items[0] in BEGINS

    def words(self) -> Iterator[str]:
        for item in self.items:
            if isinstance(item, Group):
                yield from item.words()
            else:
                yield item


def tree(statement: str) -> Group:
    stack = [Group()]
    for word in WORD.findall(statement):
        if word == "(":
            stack.append(Group())
        elif word == ")":
            done = stack.pop()
            stack[-1].items.append(done)
        else:
            stack[-1].items.append(word)
    assert len(stack) == 1, statement
    return stack[0]


@dataclass
class Select:
    """One SELECT (or UPDATE, DELETE): what it reads, and the queries that hang on it."""

    names: list[str] = field(default_factory=list)  # tables and views, CTEs, functions
    aliases: set[str] = field(default_factory=set)
    lateral: list[Group] = field(default_factory=list)
    hanging: list[Group] = field(default_factory=list)  # EXISTS (…), or a scalar one
    inner: list[Group] = field(default_factory=list)  # its own parts: subqueries in FROM, CTEs


def selects(group: Group) -> Iterator[Select]:
    """Every SELECT of a statement."""
    parts: list[list[str | Group]] = [[]]
    for item in group.items:
        if item in SETS:
            parts.append([])
        else:
            parts[-1].append(item)
    for items in parts:
        select = _select(items)
        yield select
        for inner in (*select.lateral, *select.hanging, *select.inner):
            yield from selects(inner)


def _select(items: list["str | Group"]) -> Select:
    found = Select()
    for place, item in enumerate(items):
        before = items[place - 1] if place else ""
        if isinstance(item, Group):
            is_read = before in AFTER_FROM
            if before == "LATERAL":
                found.lateral.append(item)
                found.aliases |= _alias(items, place)
            elif item.is_select and (is_read or before in ("AS", "MATERIALIZED", "IN", "ARRAY")):
                found.inner.append(item)
                found.aliases |= _alias(items, place) if is_read else set()
            elif item.is_select:
                found.hanging.append(item)
            else:
                # Parentheses of an expression: what hangs in it hangs on this SELECT.
                nested = _select(item.items)
                found.hanging += nested.hanging
                found.inner += nested.inner
        elif before in AFTER_FROM and item != "LATERAL" and not item.startswith("'"):
            found.names.append(item)
            found.aliases |= _alias(items, place) or {item}
    return found


def _alias(items: list["str | Group"], place: int) -> set[str]:
    for item in items[place + 1 : place + 4]:
        if isinstance(item, str) and item not in ("AS",):
            return {item} if re.fullmatch(r"\w+", item) and not item.isupper() else set()
    return set()


def hangs_on_local_rows(statement: str, people: set[str]) -> bool:
    """Whether a LATERAL, EXISTS or scalar subquery ties rows of a CTE, a temporary table or a
    recordset to those of tables (or views) of people.
    """
    for select in selects(tree(statement)):
        for group in (*select.lateral, *select.hanging):
            read = {*select.names, *(name for inner in selects(group) for name in inner.names)}
            owners = {word.split(".")[0] for word in group.words() if "." in word}
            if owners & select.aliases and read & people and any("." not in name for name in read):
                return True
    return False


# --- the exceptions that stand today, and why ----------------------------------------------------

UNION_OF_JOINS = (
    "joined as a whole, the view would be worked out for everybody: its parts are to be joined one"
    " by one, each grouped by contact"
)
BY_NUMBER = "numbers are looked up across contacts: they are to be read first, and then asked for"
IN_BULK = "to be grouped and joined: of a load, or of a day's contacts"
ONE = "one contact, or a page of them: the coordinator reads it by the way"
AUDIT = "the audit asks in other ways than what it audits"

ON_LOCAL_ROWS = {
    "cohort/due": UNION_OF_JOINS,
    "outbox/claim": UNION_OF_JOINS,
    "episode/mark_returned": UNION_OF_JOINS,
    "story/source_ids": ONE,
    "marketer/contacts": ONE,
    "marketer/replies": ONE,
    "outbox/record_hit": ONE,
    "outbox/insert_receipts": ONE,
    "core/suppress_number": ONE,
    "core.opt_in_phone": ONE,
    "cohort.contact_story": ONE,
    "cohort.waterfall_by_step": ONE,
    "core/count_crowded": BY_NUMBER,
    "core/refuse_shared": BY_NUMBER,
    "core/add_activity": IN_BULK,
    "core/match_refunds": IN_BULK,
    "core/part_contacts": IN_BULK,
    "outbox/judge_hits": IN_BULK,
    "outbox/last_items": IN_BULK,
    "outbox/redeem": IN_BULK,
    "outbox/together": IN_BULK,
    "outcome/add_eligible": IN_BULK,
    "outcome/compare_units": IN_BULK,
    "outcome/count_days": IN_BULK,
    "raw/end_doubts": IN_BULK,
    "maintenance/audit_episodes": AUDIT,
    "maintenance/mend_rows": AUDIT,
}

# Functions that read tables by what they are given.
ALIASES = "the spellings of a number lie on the coordinator"
SERVICE = (
    "what the link service may do to a stop, for one contact or number, it may through this alone"
)
READING = {
    "core.phone_hashes": ALIASES,
    "core.one_number": ALIASES,
    "core.product_of": "products lie on the coordinator",
    "outbox.names_our_code": "codes lie on the coordinator",
    "outbox.said": "one visitor's page",
    "core.opt_out": SERVICE,
    "core.opt_out_phone": SERVICE,
    "core.opt_in_phone": SERVICE,
    "core.pause": SERVICE,
    "core.resume": SERVICE,
}

# The link service reads by key alone, and plans no statement twice: on a cluster it would have to.
PLAN_MODE = {"web/connections.py"}


def texts() -> dict[str, str]:
    """Every statement and object, but for the bare SQL of the benchmarks."""
    found = {
        name: (SQL / f"{name}.sql").read_text(encoding="utf-8")
        for name in db.names()
        if not name.startswith("bench/")
    }
    return found | {made.name: made.text for made in objects.in_order()}


PEOPLE = """
SELECT namespace.nspname || '.' || of_people.relname
FROM pg_class AS of_people
INNER JOIN pg_namespace AS namespace ON of_people.relnamespace = namespace.oid
LEFT JOIN pg_index AS key ON of_people.oid = key.indrelid AND key.indisprimary
INNER JOIN pg_attribute AS attribute
    ON of_people.oid = attribute.attrelid AND attribute.attname = 'contact_id'
WHERE
    namespace.nspname IN ('core', 'cohort', 'outbox', 'outcome')
    AND (of_people.relkind = 'v' OR key.indkey[0] = attribute.attnum)
"""


# --- the forms ------------------------------------------------------------------------------------


def test_nothing_more_hangs_on_rows_of_the_coordinator(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        people = set(connection.execute(sa.text(PEOPLE)).scalars())
    assert {"core.contact", "core.stop_elsewhere"} < people
    assert not {"outbox.reply", "core.phone_alias", "outbox.link"} & people
    hanging = {
        name
        for name, text in texts().items()
        if any(hangs_on_local_rows(statement, people) for statement in db.split(text))
    }
    assert hanging == set(ON_LOCAL_ROWS)


def test_what_hangs_on_rows_of_the_coordinator_is_seen() -> None:
    people = {"core.contact", "outbox.message"}
    joined = "LEFT JOIN outbox.message AS message ON due.contact_id = message.contact_id"
    subquery = "(SELECT 1 FROM outbox.message AS message WHERE message.contact_id = due.contact_id)"
    hanging = [
        f"SELECT due.contact_id FROM due CROSS JOIN LATERAL {subquery} AS told",
        f"SELECT due.contact_id FROM due WHERE NOT EXISTS {subquery}",
        f"SELECT coalesce({subquery}, 0) FROM due",
        f"WITH due AS (SELECT 1) SELECT CASE WHEN EXISTS {subquery} THEN 1 END FROM due",
        "SELECT 1 FROM outbox.message AS message WHERE EXISTS"
        " (SELECT 1 FROM due WHERE due.contact_id = message.contact_id)",
        f"SELECT 1 FROM core.contact AS due UNION ALL SELECT 1 FROM due WHERE EXISTS {subquery}",
    ]
    taken = [
        f"SELECT due.contact_id FROM due {joined}",
        f"SELECT due.contact_id FROM core.contact AS due WHERE EXISTS {subquery}",
        "SELECT 1 FROM due WHERE due.contact_id IN (SELECT message.contact_id FROM outbox.message)",
        "SELECT (SELECT max(message.as_of) FROM outbox.message AS message) FROM due",
        "SELECT 1 FROM due CROSS JOIN LATERAL (VALUES (due.contact_id)) AS told",
    ]
    assert [text for text in hanging if not hangs_on_local_rows(text, people)] == []
    assert [text for text in taken if hangs_on_local_rows(text, people)] == []


def test_episodes_are_written_without_lateral() -> None:
    refused = re.compile(r"\bLATERAL\b|\bGROUPING SETS\b")
    found = {name for name, text in texts().items() if refused.search(" ".join(db.split(text)))}
    assert {name for name in found if name.startswith("episode/")} == set()


def test_no_function_takes_a_row_and_few_read_tables(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT function.oid::regprocedure FROM pg_proc AS function"
                " INNER JOIN pg_namespace AS namespace ON function.pronamespace = namespace.oid"
                " CROSS JOIN LATERAL unnest(function.proargtypes) AS taken (type)"
                " INNER JOIN pg_type AS type ON taken.type = type.oid"
                " WHERE namespace.nspname IN ('raw', 'core', 'cohort', 'outbox', 'outcome')"
                " AND type.typtype = 'c'"
            )
        )
        assert rows.scalars().all() == []
    functions = {
        made.name for made in objects.in_order() if "CREATE OR REPLACE FUNCTION" in made.text
    }
    reads = re.compile(r"\b(FROM|JOIN|UPDATE|INTO)\s+\w+\.\w+")
    reading = {name for name in functions if reads.search(" ".join(db.split(texts()[name])))}
    assert reading == set(READING)


def test_there_is_no_trigger_and_no_skip_locked(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        triggers = sa.text("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal")
        assert connection.execute(triggers).scalar_one() == 0
    code = {file.name: file.read_text("utf-8") for file in PLUGINS.rglob("*.py")}
    skipping = {name for name, text in (texts() | code).items() if "SKIP LOCKED" in text.upper()}
    assert skipping == set()


def test_plans_are_made_as_the_server_likes() -> None:
    named = {
        file.relative_to(PLUGINS / "reengage").as_posix()
        for file in PLUGINS.rglob("*.py")
        if "plan_cache_mode" in file.read_text("utf-8")
    }
    assert named == PLAN_MODE


def test_migrations_send_a_statement_at_a_time() -> None:
    whole = []
    for file in [*VERSIONS.glob("*.py"), PLUGINS / "reengage/objects.py"]:
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if call.func.attr != "execute" or not call.args:
                continue
            told = call.args[0]
            text = told.value if isinstance(told, ast.Constant) else ""
            if file_name := re.search(r"\w+\.sql", ast.unparse(told)):
                text = (file.parents[1] / file.stem / file_name[0]).read_text(encoding="utf-8")
            if ("read_text" in ast.unparse(told) and not text) or len(db.split(text)) > 1:
                whole.append(f"{file.name}: {ast.unparse(told)}")
    assert whole == []
