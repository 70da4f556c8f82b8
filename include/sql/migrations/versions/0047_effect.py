"""What the messages have caused: who was drawn into which group, and what became of them."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0047"
down_revision = "0039"

FOLDER = Path(__file__).parents[1] / "0047_effect"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
