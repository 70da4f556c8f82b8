"""Redemption: a use is an order, and a code that an order has used is not given out."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0009"
down_revision = "0008"

FOLDER = Path(__file__).parents[1] / "0009_redemption"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
