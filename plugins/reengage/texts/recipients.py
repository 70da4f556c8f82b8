"""Who a text is for, and what it can say of them alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from babel import Locale, UnknownLocaleError

from reengage.texts.wording import first_name, item_name


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who a text is for: language is ISO 639-1, country ISO 3166-1 alpha-2, time_zone IANA.

    item: what they last viewed or bought (item_kind); together: what is often bought with it.
    """

    contact_id: int
    first_name: str | None = None
    last_name: str | None = None
    language: str | None = None
    country: str | None = None
    time_zone: str | None = None
    item: str | None = None
    item_kind: str | None = None
    together: tuple[str, ...] | None = None


class Personal(NamedTuple):
    """What a text says of its contact alone, cleaned."""

    name: str | None
    item: str | None
    item_kind: str | None
    together: tuple[str, ...]

    @classmethod
    def of(cls, contact: Recipient) -> "Personal":
        together = filter(None, map(item_name, contact.together or ()))
        return cls(
            first_name(contact.first_name),
            item_name(contact.item),
            contact.item_kind,
            tuple(together),
        )

    def shorter(self) -> Iterator[tuple[tuple[str, ...], "Personal"]]:
        """This, and what is left of it, each after what was left out: the item, the name, both."""
        yield (), self
        no_item = self._replace(item=None, item_kind=None, together=())
        seen = {self}
        for dropped, personal in (
            (("item",), no_item),
            (("name",), self._replace(name=None)),
            (("item", "name"), no_item._replace(name=None)),
        ):
            # Of a contact without an item, leaving it out leaves out nothing.
            if personal not in seen:
                seen.add(personal)
                yield dropped, personal


@lru_cache(maxsize=256)
def locale_of(language: str, country: str | None) -> Locale:
    """The locale of a language in a country; where no such is known, of the language alone."""
    for name in (f"{language}_{country}", language):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en")
