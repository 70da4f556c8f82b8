"""Part the contacts that two cards of one source were joined into by an id that they share."""

import logging
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from reengage import db

revision = "0017"
down_revision = "0016"

FOLDER = Path(__file__).parents[1] / "0017_parting"

log = logging.getLogger(__name__)


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
    told = op.get_bind().execute(sa.text("SELECT * FROM told")).one()
    if told.contacts:
        log.warning(
            "%s contacts were several cards of one source, joined by an id that they share: parted "
            "into %s, with %s interactions, %s consents and %s stops that go with the new ones",
            *told,
        )
