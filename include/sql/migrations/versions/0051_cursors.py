"""How far a load has come in a database or an interface, and from where the next one goes on."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0051"
down_revision = "0050"

FOLDER = Path(__file__).parents[1] / "0051_cursors"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
