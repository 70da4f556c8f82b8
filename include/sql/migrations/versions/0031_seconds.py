"""How long each load took."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0031"
down_revision = "0030"

FOLDER = Path(__file__).parents[1] / "0031_seconds"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
