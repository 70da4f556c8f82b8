"""The statements of include/sql: they prepare against the real schema, and take their clock."""

import re

import pytest
import sqlalchemy as sa
from reengage import db
from reengage.errors import ConfigurationError
from reengage.settings import SQL


def test_migrations_run_twice_without_a_change(warehouse: sa.Engine) -> None:
    db.migrate(warehouse)


def test_no_statement_reads_the_wall_clock() -> None:
    clock = re.compile(
        r"\b(now\(\)|current_date|current_timestamp|clock_timestamp|localtime)", re.I
    )
    for file in SQL.rglob("*.sql"):
        assert not clock.search(file.read_text(encoding="utf-8")), file


def test_a_bind_that_a_statement_does_not_take_is_refused(warehouse: sa.Engine) -> None:
    with (
        warehouse.begin() as connection,
        pytest.raises(ConfigurationError, match="no statement nowhere/nothing"),
    ):
        db.run(connection, "nowhere/nothing")
