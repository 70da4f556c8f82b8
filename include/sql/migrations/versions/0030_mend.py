"""Mend what earlier upgrades left: what came in under ids that got another spelling and went to
another contact, stops that stayed with one part, coupons of what was given back, and orders that a
refund of a day to come had replaced.
"""

import logging
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from reengage import db

revision = "0030"
down_revision = "0029"

FOLDER = Path(__file__).parents[1] / "0030_mend"

log = logging.getLogger("reengage.migrations")


def upgrade() -> None:
    for file in sorted(FOLDER.glob("*.sql")):
        db.run_script(op.get_bind(), file.read_text(encoding="utf-8"))
    told = op.get_bind().execute(sa.text("SELECT * FROM told")).one()
    for count, what in (
        (told.interactions, "interactions go to the contact whose id they came in under"),
        (told.consents, "consents go to the contact whose id they came in under"),
        (told.stops, "withdrawals that no row accounts for hold all who may have said them"),
        (told.orders, "orders stand again until the day on which they are given back"),
        (told.coupons, "coupons are not taken for used by what was given back whole"),
    ):
        if count:
            log.warning("%s %s", f"{count:,}", what)
