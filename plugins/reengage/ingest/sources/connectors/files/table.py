"""CSV: a header, and the rows under it, as programs and people write them."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from reengage.errors import SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.files.text import without_lines
from reengage.ingest.sources.records import (
    LONGEST,
    MOST_COMPARED,
    Broken,
    Guessed,
    Notes,
    Refused,
    Row,
    check_header,
    name_of,
)
from reengage.spreadsheet import said_delimiter

LONGEST_RECORD = 10_000  # lines; a quote left open would otherwise swallow the rest of the file
LONGEST_HEADER = 50  # lines

csv.field_size_limit(LONGEST)

_TOTALS = re.compile(
    r"\W*(?:(?:grand|sub|general|overall)[\s-]*)?(?:totals?|totale|totali|totales|totaal|totalt|gesamt\w*"
    r"|insgesamt|summen?|summa|sums?|somme|soma|suma|razem|итого?|всего|toplam|celkem|spolu|összesen|yhteensä"
    r"|ukupno|skupaj|σύνολο|合計|総計|合计|总计|總計|합계|총계)(?:\W.*)?",
    re.IGNORECASE | re.DOTALL,
)


_FIGURE = re.compile(r"(?=.*\d)(?!.*[^\W\d_]{4}).*", re.DOTALL)


class _Lines:
    """Lines that can be put back."""

    def __init__(self, lines: Iterator[str | Broken]) -> None:
        self._lines = lines
        self._back: list[str | Broken] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str | Broken:
        return self._back.pop() if self._back else next(self._lines)

    def put_back(self, *lines: str | Broken) -> None:
        self._back += reversed(lines)


class Table:
    """A CSV file: its header, and the rows under it."""

    def __init__(
        self,
        lines: Iterator[str | Broken],
        file: Path,
        source: Source,
        notes: Notes,
        delimiter: str | None = None,
    ) -> None:
        self.lines = _Lines(lines)
        self.file = file
        self.source = source
        self.notes = notes
        self.delimiter = delimiter or source.delimiter
        self.line = 1  # of the file, that comes next
        self._read_header()

    # --- the header

    def _read_header(self) -> None:
        first = self._below_titles(self._first())
        text = "".join([first, *self._rest_of(first)])
        try:
            self.delimiter = self.delimiter or max(",;\t|", key=partial(self._fits, text))
            self._follow(_split(text, self.delimiter))
        except csv.Error as error:
            raise SourceError(f"{self.file.name}: its header cannot be split: {error}.") from error

    def _fits(self, text: str, sign: str) -> tuple[int, int]:
        """How many of the YAML's names a header has where it is split so, and how many in all."""
        names, fields = {*map(name_of, self.source.all_columns)}, _split(text, sign)
        return len(names & {*map(name_of, fields)}), len(fields)

    def _below_titles(self, first: str) -> str:
        """The header's first line, where a report has its title above it: the line with all names,
        if the first has none of them.
        """
        names = len({*map(name_of, self.source.all_columns)})
        above: list[str | Broken] = []
        line: str | Broken | None = first
        with suppress(csv.Error):
            while isinstance(line, str) and len(above) < LONGEST_HEADER:
                found = max(self._fits(line, sign)[0] for sign in self.delimiter or ",;\t|")
                if found == names and above:
                    self.notes.told.append(f"{len(above):,} lines above the header are left out")
                    self.line += len(above)
                    return line
                if found:
                    break
                above.append(line)
                line = next(self.lines, None)
        rest = [*above[1:], *([] if line is None or line is first else [line])]
        self.lines.put_back(*rest)
        return first

    def _first(self) -> str:
        """The header's first line, after blank ones and one that says the delimiter."""
        for line in self.lines:
            self.line += 1
            if isinstance(line, Broken):
                raise SourceError(f"{self.file.name}: its first line {line.reason}.")
            if said := said_delimiter(line):
                self.delimiter = said
            elif line.strip(' \t\r\n\ufeff,;|"'):
                return line
        raise without_lines(self.file, self.notes)

    def _rest_of(self, first: str) -> list[str]:
        """The further lines of a header in which a name is broken in quotes; none where the quote
        is never closed.
        """
        taken: list[str | Broken] = []
        quotes = first.count('"')
        while quotes % 2 and len(taken) < LONGEST_HEADER:
            line = next(self.lines, None)
            if line is None:
                break
            taken.append(line)
            if isinstance(line, Broken):
                break
            quotes += line.count('"')
        rest = [line for line in taken if isinstance(line, str)]
        if quotes % 2:
            self.lines.put_back(*taken)
            return []
        self.line += len(rest)
        return rest

    def _follow(self, header: list[str]) -> None:
        """Read what follows under these names. Raises Refused."""
        names = [name_of(name) for name in header]
        check_header(self.file.name, self.source, names)
        self.notes.names |= {*names[:MOST_COMPARED]} - {""}
        self.wanted = [(name, names.index(name_of(name))) for name in self.source.all_columns]
        self.width = len(header)
        self.last = max((place for _, place in self.wanted), default=0)
        vital = self.source.last_columns
        self.least = max((place for name, place in self.wanted if name in vital), default=0)
        self.needed = [place for name, place in self.wanted if name in self.source.needed_columns]
        # By which a header is known again, in a row that may be one.
        names = [header[place] for _, place in self.wanted]
        self.sign = max((name.strip() for name in names if "\n" not in name), key=len, default="")

    # --- the rows

    def rows(self) -> Iterator[Row]:
        pending: list[str] = []
        no_line: list[Broken] = []
        guesses = self.notes.rows_not_utf8

        def told(row: dict[str, str | None] | Broken) -> Row:
            if isinstance(row, dict) and self.notes.rows_not_utf8 != guesses:
                row = Guessed(row)
            return self.line, row

        def feed() -> Iterator[str]:
            size = 0
            for line in self.lines:
                if isinstance(line, Broken):
                    no_line.append(line)
                    raise csv.Error
                size = len(line) if not pending else size + len(line)
                if len(pending) >= LONGEST_RECORD or (pending and size > LONGEST):
                    self.lines.put_back(line)
                    raise csv.Error
                pending.append(line)
                yield line

        reader = csv.reader(feed(), delimiter=self.delimiter or ",", strict=True)
        while True:
            try:
                fields = next(reader, None)
            except csv.Error:
                for row in self._alone(pending):
                    yield told(row)
                if no_line:
                    yield self.line, no_line.pop()
                    self.line += 1
                pending.clear()
                reader = csv.reader(feed(), delimiter=self.delimiter or ",", strict=True)
                continue
            if fields is None:
                break
            if len(pending) > 1 and (len(fields) != self.width or self._holds_rows(pending)):
                for row in self._alone(pending):
                    yield told(row)
            else:
                if fields and (found := self._record(fields, "".join(pending))) is not None:
                    yield told(found)
                self.line += len(pending)
            guesses = self.notes.rows_not_utf8
            pending.clear()

    def _record(self, fields: list[str], text: str) -> dict[str, str | None] | Broken | None:
        """A row; None for what is none: nothing but delimiters, a total, or a header that comes
        again, under which the rows below it stand.
        """
        if self.sign in text and {name_of(n) for n, _ in self.wanted} <= {*map(name_of, fields)}:
            try:
                self._follow(fields)
            except Refused as error:
                return Broken(f"is a header that cannot be followed: {error}", text)
            self.notes.headers += 1
            return None
        if self._is_none(fields):
            return None
        if len(fields) < self.width and (
            self.least < len(fields) if text[-1:] == "\n" else self.last < len(fields) - 1
        ):
            # Excel leaves out the delimiters of empty cells at a row's end. Where all that a row
            # must say stands there, and has its end, nothing is lost; else the row may be cut.
            fields = [*fields, *[""] * (self.width - len(fields))]
        if not any(map(str.strip, fields[self.width :])):
            fields = fields[: self.width]  # nothing stands in the cells beyond the header's
        if len(fields) != self.width:
            why = f"{len(fields)} field{'s' * (len(fields) != 1)} where the header has {self.width}"
            why += (
                ": is the line cut?" if len(fields) < self.width else ": is a delimiter unquoted?"
            )
            return Broken(why, text)
        if "\x00" in text:
            return Broken("holds NUL bytes", text)
        return {name: fields[place] for name, place in self.wanted}

    def _is_none(self, fields: list[str]) -> bool:
        """Whether it is no row: nothing stands in it, or a total, which `notes` is told of."""
        for place in self.needed:
            said = fields[place].strip() if place < len(fields) else ""
            if said and (said[0].isdigit() or not _TOTALS.fullmatch(said)):
                return False
        said_of_it = [said for said in map(str.strip, fields) if said]
        if not all(_TOTALS.fullmatch(said) or _FIGURE.fullmatch(said) for said in said_of_it):
            return False
        self.notes.totals += bool(said_of_it)
        return True

    def _alone(self, pending: list[str]) -> Iterator[dict[str, str | None] | Broken]:
        """Lines that made no sense together, each on its own; self.line is that of each."""
        for text in pending:
            row: dict[str, str | None] | Broken | None
            try:
                if text.count('"') % 2:
                    row = Broken("a quote is left open", text)
                else:
                    fields = next(
                        csv.reader([text], delimiter=self.delimiter or ",", strict=True), []
                    )
                    row = self._record(fields, text) if fields else None
            except csv.Error as error:
                row = Broken(f"cannot be split: {error}", text)
            if row is not None:
                yield row
            self.line += 1

    def _holds_rows(self, pending: list[str]) -> bool:
        """Whether a quote that was left open has swallowed the rows up to another such quote."""
        inner = [
            len(fields) for fields in csv.reader(pending[1:-1], delimiter=self.delimiter or ",")
        ]
        return self.width > 2 and bool(inner) and set(inner) == {self.width}


def _split(text: str, sign: str) -> list[str]:
    return next(csv.reader(io.StringIO(text), delimiter=sign), [])
