"""The stages' schemas and their tables."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

FOLDER = Path(__file__).parents[1] / "0001_foundation"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        # The driver takes a whole script as long as there is no parameter in it.
        op.get_bind().connection.driver_connection.execute(file.read_text(encoding="utf-8"))
