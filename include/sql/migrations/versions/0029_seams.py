"""Whose stops hold whom: also of a number that several have."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0029"
down_revision = "0028"

FOLDER = Path(__file__).parents[1] / "0029_seams"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
