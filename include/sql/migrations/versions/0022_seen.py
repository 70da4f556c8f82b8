"""What was ever seen of a source."""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"

FOLDER = Path(__file__).parents[1] / "0022_seen"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        op.get_bind().connection.driver_connection.execute(file.read_text(encoding="utf-8"))
