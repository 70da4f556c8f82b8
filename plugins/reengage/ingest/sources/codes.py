"""What an order says of coupons, so that the warehouse finds the codes in it (outbox.code_keys)."""

import html
import re
import unicodedata
from urllib.parse import unquote

_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})", re.ASCII)


def spelled_out(said: str) -> str:
    """Its letters and digits as plain ones. Where a program has written signs otherwise
    (TZMPD%2D4QTHR, TZMPD\\u002d4QTHR, TZMPD&#45;4QTHR), what they stand for follows: 10%2BCDF may
    be a discount beside a code that begins with 2.
    """
    plain = unicodedata.normalize("NFKC", said)
    if not re.search(r"[%&\\]", plain):
        return plain
    meant = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), plain)
    meant = unquote(html.unescape(meant)).encode("utf-8", "replace").decode().replace("\x00", " ")
    meant = unicodedata.normalize("NFKC", meant)
    return plain if meant == plain else f"{plain} {meant}"
