"""The clock of a home that plays the past."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0027"
down_revision = "0026"

FOLDER = Path(__file__).parents[1] / "0027_clock"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
