"""Two new reasons: a reply that nobody has read, and a number that is somebody else's now."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0023"
down_revision = "0022"

FOLDER = Path(__file__).parents[1] / "0023_reasons"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
