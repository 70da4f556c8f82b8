"""Revenue in one currency, and the others beside it."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0021"
down_revision = "0020"

FOLDER = Path(__file__).parents[1] / "0021_figures"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
