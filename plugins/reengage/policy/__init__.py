"""The policy: include/journey.yaml, read, checked, and asked questions. Every stage reads it."""

from reengage.policy.brand import Brand, Palette, contrast
from reengage.policy.effect import Effect
from reengage.policy.gates import Gates
from reengage.policy.model import Policy
from reengage.policy.reading import read_policy
from reengage.policy.sending import Caps, ConsentClock, Hours, PlaceHours, WarmUp
from reengage.policy.steps import Contest, CouponOffer, Question, Step, Variant
from reengage.policy.thresholds import Behaviour, Rhythm, Thresholds
from reengage.policy.values import Country, Kind, TimeZone, Words, time_zone

__all__ = [
    "Behaviour",
    "Brand",
    "Caps",
    "ConsentClock",
    "Contest",
    "Country",
    "CouponOffer",
    "Effect",
    "Gates",
    "Hours",
    "Kind",
    "Palette",
    "PlaceHours",
    "Policy",
    "Question",
    "Rhythm",
    "Step",
    "Thresholds",
    "TimeZone",
    "Variant",
    "WarmUp",
    "Words",
    "contrast",
    "read_policy",
    "time_zone",
]
