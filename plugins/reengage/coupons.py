"""Coupons: their codes, what they are worth and how long."""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.numbers import format_currency, format_percent

from reengage.policy import CouponOffer, Policy
from reengage.segments import plain

# Digits and consonants that are not mistaken for one another, read aloud or typed; without
# vowels no code spells a word. An even number of them, as the check needs.
_COUPON = "23456789BCDFGHJKMNPQRSTVWXYZ"


def _luhn(code: str, double: bool) -> int:
    """The Luhn mod N sum of a code, read from its end; `double` says whether to begin doubled."""
    base, total = len(_COUPON), 0
    for char in reversed(code):
        value = _COUPON.index(char) * (2 if double else 1)
        total += value // base + value % base
        double = not double
    return total % base


def new_coupon() -> str:
    """A coupon's code, XXXXX-XXXXX: 9 random characters of 28 and a check character."""
    code = "".join(secrets.choice(_COUPON) for _ in range(9))
    code += _COUPON[-_luhn(code, double=True) % len(_COUPON)]
    return f"{code[:5]}-{code[5:]}"


def is_coupon(code: str) -> bool:
    """Whether a code can be one of ours, whatever its case and hyphens.

    One wrong character, or two neighbours exchanged (but for the alphabet's first and last), is
    found without asking the database.
    """
    code = re.sub(r"[\s-]", "", code).upper()
    return len(code) == 10 and set(code) <= set(_COUPON) and _luhn(code, double=False) == 0


@dataclass(frozen=True, slots=True)
class Coupon:
    """A contact's own coupon. value: percent, or the brand's currency. expires_at: the first
    instant at which it is no longer good; starts_at: the first at which it is, None: at once; both
    aware, in UTC. minimum: what an order must come to, in the brand's currency.
    """

    code: str
    kind: Literal["percent", "value"]
    value: float | Decimal
    expires_at: datetime
    minimum: Decimal | None = None
    starts_at: datetime | None = None

    @classmethod
    def issue(
        cls, offer: CouponOffer, policy: Policy, now: datetime, code: str | None = None
    ) -> "Coupon":
        """A new coupon: good through the end of the brand's day valid_days after today's, for
        valid_hours, or while the sale is on. code: of a pool; None: one of our own.
        """
        starts_at = None
        if offer.sale:
            starts_at = offer.sale.from_.replace(tzinfo=policy.brand.zone).astimezone(UTC)
            expires_at = offer.sale.to.replace(tzinfo=policy.brand.zone)
        elif offer.valid_hours:
            expires_at = now + timedelta(hours=offer.valid_hours)
        else:
            today = now.astimezone(policy.brand.zone).date()
            expires_at = policy.end_of(today + timedelta(days=offer.valid_days or 0))
        return cls(
            code or new_coupon(),
            offer.kind,
            offer.value,
            expires_at.astimezone(UTC),
            None if offer.minimum is None else Decimal(str(offer.minimum)),
            starts_at,
        )

    def last_day(self, zone: ZoneInfo) -> date:
        """The last day, in that zone, on which the coupon is good."""
        return (self.expires_at - timedelta(microseconds=1)).astimezone(zone).date()

    def first_day(self, zone: ZoneInfo) -> date | None:
        """The first day, in that zone, on which the coupon is good; None: it is from the start."""
        return None if self.starts_at is None else self.starts_at.astimezone(zone).date()

    def worth(self, currency: str, locale: Locale) -> str:
        """The value as the locale writes it: 15%, $10, 12,50 €."""
        return _worth(self.kind, Decimal(str(self.value)), currency, locale)

    def least_order(self, currency: str, locale: Locale) -> str | None:
        """The minimum as the locale writes it: $40, 12,50 €; None: there is none."""
        return None if self.minimum is None else _worth("value", self.minimum, currency, locale)


@lru_cache(maxsize=1024)
def _worth(kind: str, value: Decimal, currency: str, locale: Locale) -> str:
    if kind == "percent":
        pattern = locale.percent_formats[None].pattern.replace("#,##0", "#,##0.##")
        text = format_percent(value / 100, format=pattern, locale=locale)
    else:
        pattern = locale.currency_formats["standard"].pattern
        if value == value.to_integral_value():
            pattern = pattern.replace(".00", "")
        text = format_currency(
            value, currency, format=pattern, locale=locale, currency_digits=False
        )
    return plain(text)
