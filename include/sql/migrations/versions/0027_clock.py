"""The clock of a home that plays the past."""

from pathlib import Path

from alembic import op

revision = "0027"
down_revision = "0026"

FOLDER = Path(__file__).parents[1] / "0027_clock"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        op.get_bind().connection.driver_connection.execute(file.read_text(encoding="utf-8"))
