"""Refunds, codes among others, and what an order of nothing is."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0020"
down_revision = "0019"

FOLDER = Path(__file__).parents[1] / "0020_refunds"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
