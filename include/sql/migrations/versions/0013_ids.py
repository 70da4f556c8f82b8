"""Ids have one spelling, whichever program wrote them: those that are there get it, and merge."""

import logging
from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.engine import Connection

from reengage import db
from reengage.ingest.sources.ids import normal_id

revision = "0013"
down_revision = "0012"

log = logging.getLogger("reengage.migrations")
FOLDER = Path(__file__).parents[1] / "0013_ids"
IDS = 50_000  # at a time


def upgrade() -> None:
    connection = op.get_bind()
    driver: Any = connection.connection.driver_connection
    respelt = _respell(driver)
    if not respelt and not _has_wide_names(driver):
        return
    _run(connection, "2_raw")
    _run(connection, "3_lost")
    while True:
        _run(connection, "4_meet")
        if not driver.execute("SELECT EXISTS(SELECT 1 FROM merging)").fetchone()[0]:
            break
        _run(connection, "5_merge")
    _run(connection, "6_core")
    _run(connection, "7_contacts")
    lost, merged = driver.execute(
        "SELECT (SELECT count(*) FROM lost_row), (SELECT count(*) FROM corrected"
        " INNER JOIN core.contact USING (contact_id) WHERE merged_into IS NOT NULL)"
    ).fetchone()
    log.warning(
        "Ids have one spelling now (no blanks, no .0, e-mail addresses in small letters): %s were "
        "respelt, %s rows turned out to be known ones, %s contacts turned out to be others",
        f"{respelt:,}",
        f"{lost:,}",
        f"{merged:,}",
    )


def _run(connection: Connection, name: str) -> None:
    db.run_script(connection, (FOLDER / f"{name}.sql").read_text(encoding="utf-8"))


def _respell(driver: Any) -> int:
    """Fill the temporary table respelt: each id that is written in another way now, old and new."""
    driver.execute(
        "CREATE TEMPORARY TABLE respelt (old text PRIMARY KEY, new text NOT NULL) ON COMMIT DROP"
    )
    respelt = 0
    with driver.cursor(name="candidates") as candidates:
        candidates.execute((FOLDER / "1_candidates.sql").read_text(encoding="utf-8"))
        while ids := candidates.fetchmany(IDS):
            pairs = [(old, new) for (old,) in ids if (new := _spelling(old)) not in ("", old)]
            with driver.cursor() as writer, writer.copy("COPY respelt FROM STDIN") as rows:
                for pair in pairs:
                    rows.write_row(pair)
            respelt += len(pairs)
    for statement in (
        "ANALYZE respelt",
        "CREATE TEMPORARY TABLE spelling ON COMMIT DROP AS"
        " SELECT DISTINCT respelt.new AS id FROM respelt",
        "ANALYZE spelling",
    ):
        driver.execute(statement)
    return respelt


def _spelling(old: str) -> str:
    """As the loads read it now; what they refuse stays as it is."""
    try:
        return normal_id(old)
    except ValueError:
        return old


def _has_wide_names(driver: Any) -> bool:
    """Whether a source is named in capitals, as a column of the data may do."""
    named = (
        ("core.contact_identity", "source"),
        ("raw.interaction", "contact_source"),
        ("raw.consent", "contact_source"),
    )
    return any(
        driver.execute(
            f"SELECT EXISTS(SELECT 1 FROM {table} WHERE {column} <> lower({column}))"
        ).fetchone()[0]
        for table, column in named
    )
