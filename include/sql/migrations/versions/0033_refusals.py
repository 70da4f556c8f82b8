"""What a provider refuses, and of whom it is."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0033"
down_revision = "0032"

FOLDER = Path(__file__).parents[1] / "0033_refusals"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
