"""The journey's rules: dormancy by behaviour and pace, what gates said, and the day's state."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0002"
down_revision = "0001"

FOLDER = Path(__file__).parents[1] / "0002_journey"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
