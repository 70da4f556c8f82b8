"""core.interaction by month of occurred_on: a day's rows, and what writing them costs, keep small
however long the history is.

It holds the table alone until it is done, and needs as much disk again as the table has.
"""

import logging
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from reengage import db, objects
from reengage.progress import progress

revision = "0048"
down_revision = "0047"

FOLDER = Path(__file__).parents[1] / "0048_months"
PAGES_AT_ONCE = 5_000  # some 40 MB

log = logging.getLogger("reengage.migrations")


def upgrade() -> None:
    connection = op.get_bind()
    driver = connection.connection.driver_connection
    users = db.run(connection, "catalog/users_of", name="core.interaction").scalars().all()
    objects.set_aside(connection, *users)
    db.run_script(connection, _sql("1_interaction"))
    table = "core.interaction_of_all_months"
    pages = driver.execute(
        "SELECT pg_relation_size(%s) / current_setting('block_size')::bigint", [table]
    ).fetchone()[0]
    spans = range(0, pages, PAGES_AT_ONCE)
    move = sa.text(_sql("2_move"))
    for first in progress(spans, "interactions by month", "pages of 40 MB", len(spans)):
        connection.execute(move, {"first": first, "after": first + PAGES_AT_ONCE})
    if pages:
        log.info("interactions by month: their indexes are made")
    db.run_script(connection, _sql("3_index"))
    for (statement,) in driver.execute(_sql("4_rights")).fetchall():
        driver.execute(statement)
    driver.execute(f"DROP TABLE {table}")
    driver.execute("ANALYZE core.interaction")


def _sql(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
