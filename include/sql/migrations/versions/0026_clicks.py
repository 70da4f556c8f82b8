"""Clicks: verdicts that may be unsure, and outcomes and words that follow them."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0026"
down_revision = "0025"

FOLDER = Path(__file__).parents[1] / "0026_clicks"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
