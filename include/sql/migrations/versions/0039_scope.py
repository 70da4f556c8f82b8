"""Every suppression says whether it is of the person, the number or the address."""

from pathlib import Path

from alembic import op

from reengage import db

revision = "0039"
down_revision = "0038"

FOLDER = Path(__file__).parents[1] / "0039_scope"


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
