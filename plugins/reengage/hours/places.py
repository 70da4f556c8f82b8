"""Where a phone is, as far as its number, its zone and its country tell."""

from functools import lru_cache
from typing import NamedTuple

from reengage.hours.law import Rules, rules
from reengage.hours.zones import (
    canonical,
    is_zone,
    narrowed,
    territory_of,
    zones_of_country,
    zones_of_phone,
)


class Place(NamedTuple):
    """Where a phone may be. country: ISO 3166-1 alpha-2; state: its ISO 3166-2 code without the
    country (FL); either None where it cannot be told.
    """

    zone: str
    country: str | None
    state: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What its rules stand under: the country, and the state of it."""
        if self.country is None:
            return ()
        return (self.country, f"{self.country}-{self.state}") if self.state else (self.country,)

    def __str__(self) -> str:
        return f"{self.zone} ({self.keys[-1]})" if self.keys else self.zone


def places_of(
    phone_e164: str | None, time_zone: str | None, country: str | None, default_zone: str
) -> tuple[Place, ...]:
    """Where a contact may be, at least one place: in the zone on record, else in every candidate
    zone of the number (narrowed to the contact's country, where some lie in it), else in those of
    the country, else in the default, which is the brand's.

    A number says where it was given out, not where its owner is: hence all candidates. For the
    same reason a state is the zone's own where it has one, and the number's beside it where they
    differ; the number's alone where the zone tells none; and None where neither does.
    """
    known = rules()
    zones: tuple[str, ...] = ()
    if time_zone and is_zone(time_zone):
        zones = (time_zone,)
    elif phone_e164:
        zones = narrowed(zones_of_phone(phone_e164), country)
    zones = zones or (zones_of_country(country) if country else ()) or (default_zone,)
    area = phone_e164[2:5] if phone_e164 and phone_e164.startswith("+1") else ""
    return _places(zones, known.by_area_code.get(area, ()), country, known)


@lru_cache(maxsize=16384)
def _places(
    zones: tuple[str, ...], of_number: tuple[str, ...], country: str | None, known: Rules
) -> tuple[Place, ...]:
    places = []
    for zone in zones:
        of_zone = known.by_zone.get(canonical(zone), ())
        where = of_zone[0].partition("-")[0] if of_zone else territory_of(zone) or country
        near = tuple(key for key in of_number if key.partition("-")[0] == where)
        # Of a zone's several states (Toronto's are two) the number's is the one.
        keys = [key for key in of_zone if key in near] or [*of_zone, *near]
        states: list[str | None] = [key.partition("-")[2] for key in keys]
        places += [Place(zone, where, state) for state in states or [None]]
    return tuple(dict.fromkeys(places))
