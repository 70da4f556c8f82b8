"""Values of enums that the next revisions use."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0018"
down_revision = "0017"

FOLDER = Path(__file__).parents[1] / "0018_values"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
