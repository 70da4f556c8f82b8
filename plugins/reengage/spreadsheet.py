"""Cells of the CSV files that people open in a spreadsheet, and what it writes into one."""

import re
from collections.abc import Mapping, Sequence

# What a spreadsheet would take for a formula when a cell begins with it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

# How a spreadsheet, and who writes for one, says that a cell is text: ="007", '007, and "007".
_FORMULA_TEXT = re.compile(r'=?"((?:[^"]|"")*)"', re.DOTALL)
_MARKED_NUMBER = re.compile(r"'([-+=@]?\d[^']*)'?", re.DOTALL)


def text(value: str) -> str:
    """A text that no spreadsheet executes."""
    return "'" + value if value.lstrip(" ").startswith(FORMULA_STARTS) else value


def unquoted(value: str) -> str:
    """What a cell says that is marked as text: ="007", "007" and '007 are 007. Twice: the same,
    but for quotes within quotes.
    """
    if value[:1] in "='\"":
        if quoted := _FORMULA_TEXT.fullmatch(value):
            return quoted[1].replace('""', '"').strip()
        if marked := _MARKED_NUMBER.fullmatch(value):
            return marked[1].strip()
    return value


def id_names(sources: Sequence[str]) -> list[str]:
    """The columns of a contact's ids in the sources: crm_id, shop_id, …"""
    return [f"{source}_id" for source in sources]


def id_cells(ids: Mapping[str, str] | None, sources: Sequence[str]) -> list[str]:
    """A contact's ids (core.source_ids), a cell for each source."""
    return [text((ids or {}).get(source, "")) for source in sources]


def said_delimiter(line: str) -> str | None:
    """The delimiter that a line of Excel's says (sep=;), None for any other line."""
    match = re.fullmatch(
        r'"?sep=(.)"?[,;\t|]*', line.strip("\r\n \ufeff"), re.IGNORECASE | re.DOTALL
    )
    return match[1] if match else None
