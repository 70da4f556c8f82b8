"""Unknown: how many rows of a load name nobody known."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0015"
down_revision = "0014"

FOLDER = Path(__file__).parents[1] / "0015_unknown"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
