"""Sending: the pace that senders share, and what providers said."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0007"
down_revision = "0006"

FOLDER = Path(__file__).parents[1] / "0007_sending"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
