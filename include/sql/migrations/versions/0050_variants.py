"""Two texts or offers of one step, and who was drawn into which."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0050"
down_revision = "0044"

FOLDER = Path(__file__).parents[1] / "0050_variants"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
