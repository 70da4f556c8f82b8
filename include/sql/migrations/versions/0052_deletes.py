"""Rows that their source has no more, and what a load has changed and taken back."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0052"
down_revision = "0058"

FOLDER = Path(__file__).parents[1] / "0052_deletes"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
