"""Time zones: those of a country, and those that a number may be in."""

from collections.abc import Mapping
from functools import lru_cache
from zoneinfo import available_timezones

import phonenumbers
from babel.core import get_global
from phonenumbers import timezone as phone_zones
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX


@lru_cache(maxsize=4096)
def canonical(zone: str) -> str:
    """The name of a zone for which another is in use: America/New_York for US/Eastern."""
    aliases: Mapping[str, str] = get_global("zone_aliases")
    return aliases.get(zone, zone)


def territory_of(zone: str) -> str | None:
    """The country of a zone; None for one that is new to Babel."""
    territories: Mapping[str, str] = get_global("zone_territories")
    return territories.get(canonical(zone))


@lru_cache(maxsize=4096)
def is_zone(name: str) -> bool:
    """Whether somebody can live in a zone: UTC is what exports write where they know none."""
    return name in zone_names() and territory_of(name) != "ZZ"


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    # Kept: each call looks through the folders of the time zones. This machine's is no place.
    return frozenset(available_timezones() - {"localtime"})


@lru_cache(maxsize=512)
def zones_of_country(country: str) -> tuple[str, ...]:
    known = zone_names()
    territories: Mapping[str, str] = get_global("zone_territories")
    return tuple(sorted(z for z, where in territories.items() if where == country and z in known))


@lru_cache(maxsize=8192)
def narrowed(candidates: tuple[str, ...], country: str | None) -> tuple[str, ...]:
    here = set(zones_of_country(country)) if country and len(candidates) > 1 else set()
    return tuple(z for z in candidates if z in here) or candidates


def zones_of_phone(phone_e164: str) -> tuple[str, ...]:
    if phone_e164.startswith("+1"):
        # North American mobiles have their city's prefix: the table says it all, ten times faster
        # than by way of the number's type.
        digits = phone_e164[1:]
        for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
            if found := TIMEZONE_DATA.get(digits[:length]):
                return tuple(found)
    try:
        number = phonenumbers.parse(phone_e164)
    except phonenumbers.NumberParseException:
        return ()
    return tuple(
        zone for zone in phone_zones.time_zones_for_number(number) if zone != "Etc/Unknown"
    )
