"""What a provider tells, read item by item, whatever its type."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

# How an entry of a log that is not as its description says fails to be read.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)

LONGEST_ID = 200  # of what the warehouse's indexes hold

MOST_SEGMENTS = 1000


def said(value: Any) -> str:
    """A value as text that the warehouse takes: of none empty, of another type its JSON."""
    if not isinstance(value, str):
        is_number = isinstance(value, Decimal)
        value = "" if value is None else value if is_number else _as_json(value)
    return str(value).replace("\0", "").encode(errors="replace").decode()


def _as_json(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True, ensure_ascii=False)


def named(value: Any, item: Any) -> str:
    """An id as the provider gives it; where it gives none, a hash of the item."""
    name = said(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if name and len(name) <= LONGEST_ID:
        return name
    text = _as_json(item)
    return f"unnamed-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}"


def message_named(value: Any) -> str:
    """The id of a message in a receipt. Raises ValueError where there is none."""
    name = said(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not name or len(name) > LONGEST_ID:
        raise ValueError("no id")
    return name


def when(read: Callable[[Any], datetime], *values: Any) -> datetime | None:
    """The first of the times that can be read, and has a zone."""
    for value in values:
        try:
            at = read(value)
            if at.tzinfo is not None and at.year < 9999:
                return at
        except (TypeError, ValueError, AttributeError, OverflowError):
            continue
    return None


def count_of(value: Any) -> int | None:
    """How many segments; None where that is not told, or not yet ("0")."""
    try:
        count = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 < count <= MOST_SEGMENTS else None


def amount_of(value: Any) -> Decimal | None:
    """What a message costs; None where that is not told."""
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        return None
    return abs(amount) if amount.is_finite() and abs(amount) < 10**6 else None
