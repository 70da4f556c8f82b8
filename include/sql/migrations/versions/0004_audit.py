"""What the weekly audit found."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0004"
down_revision = "0003"

FOLDER = Path(__file__).parents[1] / "0004_audit"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
