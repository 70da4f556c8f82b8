"""What a form on a page sends: fields and their values, whoever made the request."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

FORM_BYTES = 64_000
FORM_FIELDS = 200

Form = dict[str, list[str]]


async def _form(request: Request) -> Form:
    """The values of each field of an urlencoded body. Raises HTTPException 400, or 413."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            raise HTTPException(413)
    try:
        return parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_FIELDS)
    except (UnicodeDecodeError, ValueError):
        raise HTTPException(400) from None


Posted = Annotated[Form, Depends(_form)]


# Where a line ends, in whichever way.
LINE_ENDS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
MOST_MARKS = 30  # one after another, on a letter
# What cannot be seen and is yet a part of languages and of emoji: joiners, marks of direction,
# Mongolian's separator.
JOINERS = "\u200c\u200d\u200e\u200f\u061c\u180e"
# Signs of category Cf that are written: before numbers in Arabic, and the like.
WRITTEN = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]")
# Letters of Korean that are blank by themselves.
BLANK = "\u3164\uffa0"
# The flag of a part of a country is a black one, with a name in tags. Elsewhere tags are a text
# that nobody sees.
FLAGS = re.compile("(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f)")


def text_of(value: str) -> str:
    """What a person typed, as a database and a page take it: composed (NFC), lines end with a line
    feed, and what is invisible is there only where languages and emoji need it. Nothing in it turns
    what follows around, or hides in it; no letter has more marks than a language puts there. ''
    where there is nothing to see.
    """
    parts = FLAGS.split(LINE_ENDS.sub("\n", value))  # every second is a flag
    parts[::2] = ("".join(_marked(filter(_is_kept, part))) for part in parts[::2])
    text = unicodedata.normalize("NFC", "".join(parts)).strip()
    return text if any(map(_is_seen, text)) else ""


def _marked(chars: Iterable[str]) -> Iterator[str]:
    """The characters, of a run of marks the first ones: they are sorted by comparing each with each
    (https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format).
    """
    marks = 0
    for char in chars:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= MOST_MARKS:
            yield char


def _is_kept(char: str) -> bool:
    # Controls, formats, halves of a pair, and private signs, which each machine shows differently.
    if unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs"):
        return char in "\n\t" or char in JOINERS or bool(WRITTEN.match(char))
    return char not in BLANK


def _is_seen(char: str) -> bool:
    return not (char.isspace() or char in JOINERS or unicodedata.category(char) == "Mn")
