"""Hits: a rule for links that lead away at once, in a revision before the one that uses it."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0025"
down_revision = "0024"

FOLDER = Path(__file__).parents[1] / "0025_browser"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
