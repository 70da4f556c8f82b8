"""Verdicts: what outcomes and figures need to follow hits that are judged again."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0011"
down_revision = "0010"

FOLDER = Path(__file__).parents[1] / "0011_verdicts"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
