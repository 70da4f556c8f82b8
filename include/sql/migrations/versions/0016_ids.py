"""Ids have one spelling, whichever program wrote them."""

revision = "0016"
down_revision = "0012"


def upgrade() -> None:
    pass
