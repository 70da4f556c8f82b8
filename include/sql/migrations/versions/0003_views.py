"""What explains a decision: the words, the day's waterfall, and a contact's story."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0003"
down_revision = "0002"

FOLDER = Path(__file__).parents[1] / "0003_views"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
