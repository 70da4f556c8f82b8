"""The kind of every number: those on file are judged here, the others as they come."""

import logging
from pathlib import Path

from alembic import op

from reengage import db
from reengage.ingest.sources.numerals import phone_kind

revision = "0019"
down_revision = "0018"

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parents[1] / "0019_numbers"
AT_ONCE = 10_000


def upgrade() -> None:
    connection = op.get_bind()
    driver = connection.connection.driver_connection
    db.run_script(connection, (FOLDER / "1_numbers.sql").read_text(encoding="utf-8"))
    driver.execute(
        "CREATE TEMPORARY TABLE judged (phone text, kind core.phone_kind) ON COMMIT DROP"
    )
    kinds: dict[str, int] = {}
    with driver.cursor("known_numbers") as known, driver.cursor() as cursor:
        known.execute((FOLDER / "known_numbers.sql").read_text(encoding="utf-8"))
        while phones := [row[0] for row in known.fetchmany(AT_ONCE)]:
            judged = [(phone, phone_kind(phone)) for phone in phones]
            with cursor.copy("COPY judged (phone, kind) FROM STDIN") as stream:
                for row in judged:
                    stream.write_row(row)
            for _, kind in judged:
                kinds[kind] = kinds.get(kind, 0) + 1
    db.run_script(connection, (FOLDER / "2_judged.sql").read_text(encoding="utf-8"))
    if kinds:
        told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
        log.info("The numbers on file, by kind: %s", told)
