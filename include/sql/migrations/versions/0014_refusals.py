"""Refusals: rows of consents that are excluded, or say no, withdraw what was granted."""

import logging
from pathlib import Path

from alembic import op

from reengage import db

revision = "0014"
down_revision = "0013"

log = logging.getLogger("reengage.migrations")
FOLDER = Path(__file__).parents[1] / "0014_refusals"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        heard = db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
    if heard.rowcount > 0:
        log.warning(
            "%s consents were withdrawn by a status that was not heard before: they hold now",
            f"{heard.rowcount:,}",
        )
