"""What a first week costs: the key of a hash is told without a call for each."""

from pathlib import Path

from alembic import op

revision = "0035"
down_revision = "0034"

FOLDER = Path(__file__).parents[1] / "0035_week"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        op.get_bind().connection.driver_connection.execute(file.read_text(encoding="utf-8"))
