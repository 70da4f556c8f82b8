"""Web: what the public service keeps."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0008"
down_revision = "0007"

FOLDER = Path(__file__).parents[1] / "0008_web"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
