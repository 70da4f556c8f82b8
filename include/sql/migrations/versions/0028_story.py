"""Answers and entries in a contact's story."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0028"
down_revision = "0027"

FOLDER = Path(__file__).parents[1] / "0028_story"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
