"""Card ids: what the cards have said of who they are, and what an id that is shared holds."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0016"
down_revision = "0015"

FOLDER = Path(__file__).parents[1] / "0016_card_ids"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
