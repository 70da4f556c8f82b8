"""What the link service may do: no more than it needs, stops and breaks through functions."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0034"
down_revision = "0033"

FOLDER = Path(__file__).parents[1] / "0034_role"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
