"""How an id is written, whichever program wrote it: one person, order or product has one spelling.

What spreadsheets, pandas and copying do to ids is undone, but only where it is certain.
"""

import re
import unicodedata

from reengage.spreadsheet import unquoted

# Most ids by far: there is no other way to write them.
PLAIN = re.compile(r"[0-9]+|[A-Za-z_-][0-9A-Za-z_-]*", re.ASCII)
# Soft hyphens, marks of direction and of byte order, blanks of no width.
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# Joiners, which some languages write within a word, mean nothing at its ends.
ENDS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200c\u200d"
# A comma before three zeros is one between thousands.
WHOLE = re.compile(r"(\d+)(?:\.0*|,00?)", re.ASCII)
MARKED = re.compile(r"'([^'\s]+)'?")
FLOAT = re.compile(r"(\d)(?:\.(\d+))?[eE](\+?)(\d{1,3})", re.ASCII)
LONGEST = 1000  # characters of what may be an id: composing letters takes the square of its length
EXACT = 2**53  # a float above it stands for several whole numbers


def normal_id(value: str) -> str:
    """The one spelling of an id, "" where nothing of it is left. Twice: the same.

    Blanks at the ends and what nobody sees are dropped, and what marks a cell as text (="103",
    '103); digits of other scripts and wide letters are the plain ones; a whole number loses its
    `.0`, `,0` or `.`; an e-mail address is in small letters.
    Leading zeros, and case in anything else, stay: they tell people apart.

    Raises ValueError for a number that has lost digits on its way: it may be the id of several;
    and for what is too long to be looked at.
    """
    if len(value) > LONGEST:
        raise ValueError(f"is longer than {LONGEST:,} characters")
    if PLAIN.fullmatch(value):
        return value
    if not value.isascii():
        value = _plain(value).strip(ENDS)
    value = _unmarked(value.strip())
    if whole := WHOLE.fullmatch(value):
        return _exact(whole[1])
    if (number := FLOAT.fullmatch(value)) and (number[2] or number[3]):
        return _exact(_written_out(number[1], number[2] or "", int(number[4])))
    return unicodedata.normalize("NFC", value.lower()) if is_email(value) else value


def _unmarked(value: str) -> str:
    """Without what says that a cell is text, however often it is said."""
    while value[:1] in ("=", "'", '"'):
        plain = unquoted(value)
        if plain == value and (marked := MARKED.fullmatch(value)):
            plain = marked[1]
        if plain == value:
            break
        value = plain
    return value


def is_email(value: str) -> bool:
    """Whether it is written as an e-mail address is: a name, @, and a domain with a dot in it."""
    name, _, domain = value.partition("@")
    return bool(name) and "." in domain[1:-1] and "@" not in domain and value.split() == [value]


def _plain(value: str) -> str:
    """Without what nobody sees, and each character as it is most often written."""
    return "".join(
        " "
        if unicodedata.category(c) == "Zs"
        else str(unicodedata.decimal(c))
        if c.isdecimal()
        else chr(ord(c) - 0xFEE0)
        if "\uff01" <= c <= "\uff5e"
        else c
        for c in unicodedata.normalize("NFC", INVISIBLE.sub("", value))
    )


def _written_out(first: str, rest: str, exponent: int) -> str:
    """1.7850e4 as 17850. 1.785e4 does not say what its last digit was."""
    if len(rest) < exponent or rest[exponent:].strip("0"):
        raise ValueError("is a number that a spreadsheet has shortened: write the id as text")
    return first + rest[:exponent]


def _exact(digits: str) -> str:
    if len(digits) > 16 and int(digits[:40]) > EXACT:
        raise ValueError("is a number too long to be kept exactly: write the id as text")
    return digits
