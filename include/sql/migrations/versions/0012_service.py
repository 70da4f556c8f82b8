"""The link service: a role of its own, and contests without their secret."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0012"
down_revision = "0011"

FOLDER = Path(__file__).parents[1] / "0012_service"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
