"""What a text costs: its encoding and its segments, as handsets and carriers count them."""

import re
import unicodedata
from typing import Literal, NamedTuple

Encoding = Literal["GSM-7", "UCS-2"]

# 3GPP TS 23.038, 6.2.1: the default alphabet, and the extension table that costs an escape more.
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")


def is_gsm(text: str) -> bool:
    """Whether GSM-7 can hold a text."""
    return all(char in GSM_BASIC or char in GSM_EXTENSION for char in text)


class Size(NamedTuple):
    """What a text costs. units: septets of GSM-7, or UTF-16 units of UCS-2."""

    encoding: Encoding
    segments: int
    units: int


def segments(text: str) -> Size:
    """The encoding, segments and units of a text as handsets and carriers count them.

    One segment holds 160 septets or 70 UTF-16 units; each of several holds 153 or 67, and an
    escaped character or a surrogate pair is never split between two. The empty text is one
    segment of 0 units.
    """
    encoding: Encoding
    if GSM_BASIC.issuperset(text):
        # Every character is one septet, so nothing can straddle a boundary.
        units = len(text)
        return Size("GSM-7", 1 if units <= 160 else -(-units // 153), units)
    if is_gsm(text):
        encoding, single, part = "GSM-7", 160, 153
        costs = [2 if char in GSM_EXTENSION else 1 for char in text]
    else:
        encoding, single, part = "UCS-2", 70, 67
        costs = [2 if ord(char) > 0xFFFF else 1 for char in text]
    units = sum(costs)
    if units <= single:
        return Size(encoding, 1, units)
    count, room = 1, part
    for cost in costs:
        if cost > room:
            count, room = count + 1, part
        room -= cost
    return Size(encoding, count, units)


# What editors put in by themselves, and would more than double the cost of a text by UCS-2.
_PLAIN = str.maketrans(
    dict.fromkeys("’‘‚‛′‵ʼ´`‹›", "'")
    | dict.fromkeys("“”„‟″«»", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")
    | dict.fromkeys("\t\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008", " ")
    | dict.fromkeys("\u2009\u200a\u202f\u205f\u3000", " ")
    | dict.fromkeys("\xad\u200b\u2060\ufeff", "")
    | dict.fromkeys("\r\u2028\u2029", "\n")
    | {"…": "...", "•": "*", "×": "x"}
)


def plain(text: str) -> str:
    """The text with what forces UCS-2 for looks alone (curly quotes, long dashes, no-break spaces)
    written plainly, and no space or line that nobody sees.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).translate(_PLAIN)
    return re.sub(r" *\n *", "\n", re.sub(r" {2,}", " ", text)).strip()
