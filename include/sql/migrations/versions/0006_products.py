"""Products, for what a text can say of them."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0006"
down_revision = "0005"

FOLDER = Path(__file__).parents[1] / "0006_products"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
