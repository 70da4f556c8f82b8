"""Answers and entries in a contact's story."""

from pathlib import Path

from alembic import op

revision = "0037"
down_revision = "0036"

FOLDER = Path(__file__).parents[1] / "0037_story"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        op.get_bind().connection.driver_connection.execute(file.read_text(encoding="utf-8"))
