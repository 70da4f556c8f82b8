"""The stages' schemas and their tables."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0001"
down_revision = None

FOLDER = Path(__file__).parents[1] / "0001_foundation"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
