"""What a form on a page sends: fields and their values, whoever made the request."""

import re
import unicodedata
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


def text_of(value: str) -> str:
    """What a person typed, as a database takes it: lines end with a line feed, and nothing in it
    is invisible but that and tabs.
    """
    value = unicodedata.normalize("NFC", re.sub(r"\r\n?", "\n", value))
    kept = (c for c in value if c in "\n\t\u200d" or unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(kept).strip()
