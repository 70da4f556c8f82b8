"""What of include/sql/objects stands in the warehouse."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0038"
down_revision = "0034"

FOLDER = Path(__file__).parents[1] / "0038_objects"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
