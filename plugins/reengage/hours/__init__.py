"""Where a phone is, and when it may ring there: the law (include/hours.yaml), places, windows."""

from reengage.hours.law import check, read_rules, rules
from reengage.hours.places import Place, places_of
from reengage.hours.windows import allowed_at, allowed_until, allowed_window

__all__ = [
    "Place",
    "allowed_at",
    "allowed_until",
    "allowed_window",
    "check",
    "places_of",
    "read_rules",
    "rules",
]
