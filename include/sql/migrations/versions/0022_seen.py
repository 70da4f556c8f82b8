"""What was ever seen of a source."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0022"
down_revision = "0021"

FOLDER = Path(__file__).parents[1] / "0022_seen"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
