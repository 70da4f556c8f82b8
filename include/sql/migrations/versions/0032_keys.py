"""Which keys the numbers are hashed with, and which hashes are of one number."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0032"
down_revision = "0031"

FOLDER = Path(__file__).parents[1] / "0032_keys"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
