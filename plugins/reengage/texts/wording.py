"""What a text says of somebody or something: names, items, dates and money.

Names and items are other people's data: nothing of theirs may be a link, or break a line.
"""

import html
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.core import get_global
from babel.dates import format_skeleton, format_time
from babel.numbers import get_currency_symbol

from reengage.texts.segments import is_gsm, plain

NAME_LENGTH = 20
ITEM_LENGTH = 30
# Of a name or an item, so much is looked at: the work grows with its square.
LONGEST_SAID = 500
# What exports write where there is no name, and what strangers type to have it sent on.
_NO_NAMES = {
    "null",
    "none",
    "nil",
    "nan",
    "undefined",
    "unknown",
    "anonymous",
    "customer",
    "test",
    "stop",
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "prof",
    "sig",
    "sigra",
    "dott",
    "monsieur",
    "madame",
    "herr",
    "frau",
    "pak",
    "bapak",
    "ibu",
    "guest",
    "cliente",
    "client",
    "kunde",
}
# What may begin in lower case within a name; any other such word is somebody's note about them.
_PARTICLES = {
    "de",
    "da",
    "di",
    "del",
    "della",
    "do",
    "dos",
    "du",
    "la",
    "le",
    "van",
    "von",
    "der",
    "el",
    "al",
    "bin",
    "binti",
    "e",
    "y",
}
_NO_NAME = re.compile(r"[\d/\\@:<>{}|_=]|\w\.\w\w")
# A phone makes a link of what looks like a web or mail address, and a number to call of digits.
_NO_ITEM = re.compile(r"[@<>{}|\\]|://|\bwww\b|\w\.[^\W\d]{2}|\d[\d ()/-]{6,}\d", re.I)


@lru_cache(maxsize=8192)
def first_name(name: str | None) -> str | None:
    """A first name as a letter would write it, at most 20 characters; None if it is no name.

    Only letters, spaces, hyphens, apostrophes and full stops stay. A name in one case is put in
    title case (MARY-ANN, o'neil), one in mixed case is left (LaToya). What holds digits, a slash,
    a web address or a placeholder is no name: nobody gets a stranger's link from us. Nor is a
    single letter; and what begins in lower case after a name is a note (Piero non chiamare).
    """
    said = (name or "")[:LONGEST_SAID]
    name = plain(" ".join(unicodedata.normalize("NFKC", said).split()))
    if _NO_NAME.search(name) or name.casefold().strip(".") in _NO_NAMES:
        return None
    kept = "".join(c for c in name if c in " -'." or unicodedata.category(c)[0] in "LM")
    first, *more = kept.split() or [""]
    if not first[:1].islower() and any(w.islower() and w not in _PARTICLES for w in more):
        kept = first
    name = _cut(kept, NAME_LENGTH).strip(" -'")
    letters = [char for char in name if char.isalpha()]
    if not letters or (len(letters) == 1 and ord(letters[0]) < 0x1100):
        return None
    if name.islower() or (name.isupper() and len(name) > 2):
        # A capital begins each part, after an apostrophe only where one letter stands before it.
        name = re.sub(
            r"(?:(?<=^)|(?<=[ .-])|(?<=\b\w'))\w", lambda first: first[0].title(), name.lower()
        )
    return name


@lru_cache(maxsize=8192)
def item_name(name: str | None) -> str | None:
    """An item's name as a text can hold it, at most 30 characters; None if none can.

    Control characters go, HTML's entities become what they stand for. What holds a web or mail
    address, markup or a telephone number is no name.
    """
    text = unicodedata.normalize("NFC", html.unescape((name or "")[:LONGEST_SAID]))
    text = plain(" ".join("".join(c if c.isprintable() else " " for c in text).split()))
    if _NO_ITEM.search(text) or text.casefold() in _NO_NAMES:
        return None
    text = _cut(text, ITEM_LENGTH).strip(" -'\",;:/&+(")
    return text if any(char.isalpha() for char in text) else None


def _cut(text: str, length: int) -> str:
    """The words that fit a length; of a first word that is longer, its beginning."""
    words = text.split()
    while len(words) > 1 and len(" ".join(words)) > length:
        words.pop()
    return " ".join(words)[:length]


# -------------------------------------------------------------------------------- dates and money


@lru_cache(maxsize=256)
def _is_latin(locale: Locale) -> bool:
    """Whether a language is written in letters that GSM-7 has, nearly all: a text in another one
    is UCS-2 whatever is in it.
    """
    likely: Mapping[str, str] = get_global("likely_subtags")
    return "_Latn" in likely.get(locale.language, "")


@lru_cache(maxsize=4096)
def day(on: date, locale: Locale, *, with_year: bool) -> str:
    """A date as the locale writes it: Dec 31, 31 dic; in figures (03/08) where the name of the
    month (août) would more than double the cost of a text that GSM-7 can hold.
    """
    text = plain(format_skeleton("yMMMd" if with_year else "MMMd", on, locale=locale))
    if _is_latin(locale) and not is_gsm(text):
        text = plain(format_skeleton("yMd" if with_year else "Md", on, locale=locale))
    return text


def moment(at: datetime, zone: ZoneInfo, locale: Locale, *, with_year: bool) -> str:
    """A day and its hour, on the clock of a zone: Dec 3, 6:00 PM. at: aware."""
    local = at.astimezone(zone)
    hour = plain(format_time(local, "short", tzinfo=zone, locale=locale))
    pattern: str = locale.datetime_formats["short"]
    return pattern.format(hour, day(local.date(), locale, with_year=with_year))


def zone_of(name: str | None, default: ZoneInfo) -> ZoneInfo:
    """A contact's time zone, or the default where it is not known."""
    return ZoneInfo(name) if name in _zones() and name else default


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def money(text: str, currency: str, locale: Locale) -> str:
    """Money or percent that a locale has written, for a text: with the currency's code where its
    sign (₩) would more than double the cost of a text that GSM-7 can hold.
    """
    text = plain(text)
    if not _is_latin(locale) or is_gsm(text):
        return text
    sign = plain(get_currency_symbol(currency, locale))
    return " ".join(text.replace(sign, f" {currency} ").split())
