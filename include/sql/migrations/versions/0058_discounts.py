"""What coupons took off the orders of those who are compared."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0058"
down_revision = "0051"

FOLDER = Path(__file__).parents[1] / "0058_discounts"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
