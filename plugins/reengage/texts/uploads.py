"""A file of codes, added to a pool of coupons."""

import csv
import re
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

from sqlalchemy.engine import Engine

from reengage import db
from reengage.errors import ConfigurationError, SourceError
from reengage.progress import progress
from reengage.spreadsheet import said_delimiter

# A code is typed, and sent in a text: letters, digits, and the signs that break it up.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,38}[A-Za-z0-9]")
# What heads a column of codes in the languages of the texts, without spaces, hyphens and
# underscores. Another word is one where the codes below it look otherwise.
_HEADINGS = frozenset(
    {
        "code",
        "codes",
        "coupon",
        "coupons",
        "couponcode",
        "couponcodes",
        "voucher",
        "vouchers",
        "vouchercode",
        "promocode",
        "promocodes",
        "codice",
        "codici",
        "buono",
        "buoni",
        "codepromo",
        "codespromo",
        "bon",
        "kode",
        "kupon",
        "kodekupon",
        "kodepromo",
        "코드",
        "쿠폰",
        "쿠폰코드",
        "gutschein",
        "gutscheine",
        "gutscheincode",
        "gutscheincodes",
        "código",
        "códigos",
        "codigo",
        "codigos",
        "cupón",
        "cupones",
        "cupon",
    }
)


HEADER_SAMPLE = 1000  # codes that a first line is compared with
TITLE_LINES = 5  # among which a header is looked for


@dataclass
class Upload:
    """What a file of codes came to. headers: their lines, from 1; refused: (line; why), without the
    codes.
    """

    headers: list[int] = field(default_factory=list)
    rows: int = 0
    new: int = 0
    known: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0

    @property
    def is_in_vain(self) -> bool:
        """Whether the file holds not one code that its pool has now."""
        return not (self.new or self.known)

    def lines(self, file: str, most: int = 20) -> list[str]:
        """For a terminal, with the first `most` refused lines."""
        out = [f"{file}, line {line}: {why}" for line, why in self.refused[:most]]
        if len(self.refused) > most:
            out.append(f"… and {len(self.refused) - most:,} more lines")
        if self.headers:
            places = ", ".join(str(line) for line in self.headers[:most])
            out.append(
                f"Taken for a header, and left out: line {places}. If it is a code, put it "
                "further down, or write another one: nobody should be sent a header."
            )
        rate = f"{self.rows / self.seconds:,.0f} a second" if self.seconds else "at once"
        out.append(
            f"{self.rows:,} rows, {rate}: {self.new:,} new, {self.known:,} known already, "
            f"{len(self.refused):,} refused."
        )
        return out


def upload(engine: Engine, pool: str, file: Path, now: datetime) -> Upload:
    """Add the codes of a CSV file, one a line, to a pool. A line that says "code", in the
    languages of the texts, or a first one that looks like none of the codes below it, is a header:
    one code too few costs nothing, a customer who is sent a header does. Twice: all are known.

    now: aware. Raises SourceError for a file that cannot be read, and ConfigurationError for a pool
    that a policy could not name.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", pool):
        raise ConfigurationError(
            f"A pool is named in small letters, digits and underscores, like spring_2026; "
            f"{pool!r} is not."
        )
    began, result = time.monotonic(), Upload()
    try:
        with (
            file.open(encoding="utf-8-sig", errors="replace", newline=None) as stream,
            engine.begin() as connection,
            db.exclusive(connection, "coupon pools"),
        ):
            db.run(connection, "outbox/stage_codes")
            lines = progress(_codes(stream, result), f"codes of {file.name}", "rows")
            db.copy(connection, "uploaded_code", ("line", "code"), lines)
            for row in db.run(connection, "outbox/add_codes", pool=pool, at=now):
                if row.verdict == "new":
                    result.new = row.codes
                elif row.verdict == "known":
                    result.known = row.codes
                else:
                    result.refused.append((row.line, _REFUSED[row.verdict].format(row)))
            db.analyze_grown(connection, outbox__pool_code=result.new)
    except OSError as error:
        raise SourceError(f"The codes cannot be read: {error}.") from error
    result.refused.sort()
    result.seconds = time.monotonic() - began
    return result


_REFUSED = {
    "other_pool": "the pool {0.other_pool} has this code",
    "issued": "this code was given to a customer already",
    "repeated": "the same code as in line {0.first_line}",
}


def _codes(lines: Iterator[str], result: Upload) -> Iterator[tuple[int, str]]:
    """The lines that hold a code, by number; the others are counted as refused."""
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    delimiter = None
    head = list(islice(numbered, 1))
    if head and (delimiter := said_delimiter(head[0][1])):
        head = []
    cells = ((number, _cells(line, delimiter)) for number, line in chain(head, numbered))
    sample = list(islice(cells, HEADER_SAMPLE))
    headers = _headers([found for _, found in sample])
    for place, (number, found) in enumerate(chain(sample, cells)):
        # Anywhere, as where one file was put below another.
        if place in headers or _is_heading(found):
            result.headers.append(number)
            continue
        result.rows += 1
        if len(found) > 1:
            result.refused.append((number, f"{len(found)} columns, and one is wanted"))
        elif not _is_code(found):
            result.refused.append(
                (number, "no code: 4 to 40 letters (A to Z) and digits, with - _ . between them")
            )
        else:
            yield number, found[0]


def _cells(line: str, delimiter: str | None) -> list[str]:
    """What a line holds, but for what is empty. delimiter: what the file says it is."""
    if not re.search(r"[,;\t|\"]", line):
        return [line.strip()]
    sign = delimiter or next((sign for sign in ";\t|" if sign in line), ",")
    row = next(csv.reader([line.strip()], delimiter=sign), [])
    return [cell.strip() for cell in row if cell.strip()]


def _word(cell: str) -> str:
    return re.sub(r"[\s_-]", "", unicodedata.normalize("NFC", cell)).lower()


def _is_heading(cells: list[str]) -> bool:
    """Whether it is a word that heads a column of codes, wherever it stands."""
    return len(cells) == 1 and _word(cells[0]) in _HEADINGS


def _headers(lines: list[list[str]]) -> set[int]:
    """The places of the headers among the first lines: a title may stand above one."""
    headers = set[int]()
    for place in reversed(range(min(len(lines), TITLE_LINES))):
        below = [cells for n, cells in enumerate(lines) if n > place and n not in headers]
        if _is_header(lines[place], below):
            headers.add(place)
    # What looks like one below a code is a code.
    first = next(
        (n for n, cells in enumerate(lines) if n not in headers and _is_code(cells)), len(lines)
    )
    return {place for place in headers if place < first}


def _is_code(cells: list[str]) -> bool:
    return len(cells) == 1 and _CODE.fullmatch(cells[0]) is not None


def _is_header(cells: list[str], below: list[list[str]]) -> bool:
    """Whether the first line's cells head a column of codes, whose first lines are below."""
    if _is_heading(cells):
        return True
    codes = [found[0] for found in below if _is_code(found)]
    if len(cells) != 1 or not codes or any(char.isdigit() for char in cells[0]):
        return False
    if any(heading in _word(cells[0]) for heading in _HEADINGS if len(heading) > 3):
        return True
    lengths = {len(code) for code in codes}
    return (
        all(any(char.isdigit() for char in code) for code in codes)
        or (cells[0] != cells[0].upper() and all(code == code.upper() for code in codes))
        or (len(codes) > 1 and len(lengths) == 1 and len(cells[0]) not in lengths)
    )
