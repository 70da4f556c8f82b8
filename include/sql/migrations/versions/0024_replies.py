"""Replies that a person reads; one number in several spellings; suppressions of a number."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0024"
down_revision = "0023"

FOLDER = Path(__file__).parents[1] / "0024_replies"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
