"""What a past day knew: versions of rows, merges, and policies' texts are kept from here on."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0049"
down_revision = "0048"

FOLDER = Path(__file__).parents[1] / "0049_versions"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
