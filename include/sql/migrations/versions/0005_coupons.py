"""Coupons: pools, windows, who used them."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0005"
down_revision = "0004"

FOLDER = Path(__file__).parents[1] / "0005_coupons"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
