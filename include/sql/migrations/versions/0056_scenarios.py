"""What scenarios of past days are compared by."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0056"
down_revision = "0052"

FOLDER = Path(__file__).parents[1] / "0056_scenarios"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
