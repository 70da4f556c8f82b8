"""Pages: all that one shows is asked for at once, and a beacon tells a hand from a fetch."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0010"
down_revision = "0009"

FOLDER = Path(__file__).parents[1] / "0010_pages"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
