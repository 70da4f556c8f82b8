"""JSON that has not one object a line: a list of rows, an object that holds one, as programs that
write whole documents and pages of an interface do, and objects that take several lines.

What comes out are the rows' texts, one at a time; memory does not grow with the document, nor with
a row. A row that is no JSON is passed over by its brackets, and the reading goes on after it.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any, NamedTuple, TextIO

MOST_SIGNS = 5_000_000  # brackets and quotes in what is passed over: seconds
MOST_BLANK = 1000  # lines before the first one
_decode = json.JSONDecoder(parse_float=str, parse_int=str).raw_decode
_BLANK = re.compile(r"[\s\ufeff]*")
_BRACKET = re.compile(r'["{}\[\]]')
_END_OF_STRING = re.compile(r'["\\]')
_SCALAR = re.compile(r'[^\s,\]}"]*')


class Row(NamedTuple):
    """What stands for one row, or its beginning where it is too long to be one."""

    text: str
    is_whole: bool = True


class Cut(Exception):
    """The document ends within a list, or what is in it has no end."""


class Unclear(Exception):
    """Which list is meant cannot be told. Says what there is."""


def is_document(stream: TextIO, columns: Collection[str], longest: int) -> bool:
    """Whether a text, read from its beginning, is anything but one object a line."""
    lines = islice(iter(lambda: stream.readline(longest), ""), MOST_BLANK)
    first = next((line for line in lines if line.strip()), "")
    said = first.strip().removeprefix("\ufeff").lstrip()
    if not said.startswith("{"):
        return said.startswith("[")
    try:
        found = json.loads(said)
    except RecursionError:
        return False
    except ValueError:
        if said[-1] in "[{" or (len(first) >= longest and first[-1] != "\n"):
            return True
        second = stream.readline(longest).strip()
        rest = stream.read(longest)
        return second[:1] != "{" and (
            len(rest) == longest or _is_object(f"{said}\n{second}\n{rest}")
        )
    return not found.keys() & {*columns} and _holds_list(found)


def _is_object(text: str) -> bool:
    try:
        return isinstance(_decode(text)[0], dict)
    except (ValueError, RecursionError):
        return False


def _holds_list(value: Any) -> bool:
    """Whether there is a list of objects, or an empty one, in it, or in the objects in it."""
    inner = value.values() if isinstance(value, dict) else ()
    return any(
        not one or isinstance(one[0], dict) if isinstance(one, list) else _holds_list(one)
        for one in inner
    )


class Rows:
    """The rows of a document. columns: the names by which a row is known. longest: of a row, in
    characters. check: is called as the reading goes on, and may raise.
    """

    def __init__(
        self, stream: TextIO, columns: Collection[str], longest: int, check: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._columns = {*columns}
        self._longest = longest
        self._check = check
        self._text, self._at, self._is_read = "", 0, False
        # The list that the rows are in, and the names in the first row of each that they are not.
        self._where: str | None = None
        self._has_rows = False  # beside each other, in no list
        self.others: set[str] = set()

    def __iter__(self) -> Iterator[Row]:
        """Raises Cut and Unclear."""
        while sign := self._next():
            if sign == "[":
                self._at += 1
                yield from self._elements()
            elif sign == "{":
                yield from self._object()
            elif sign in ",;":
                self._at += 1
            else:
                yield self._line()

    # --- the text

    def _fill(self) -> None:
        """Have more than a row's length ahead, unless the text ends before."""
        while not self._is_read and len(self._text) - self._at <= self._longest:
            self._check()
            more = self._stream.read(self._longest)
            self._is_read = not more
            self._text, self._at = self._text[self._at :] + more, 0

    def _next(self) -> str:
        """The next sign that is no blank; "" at the end."""
        while True:
            self._fill()
            if blank := _BLANK.match(self._text, self._at):
                self._at = blank.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_read:
                return ""

    def _value(self) -> tuple[Any, int] | None:
        """The value that begins here, and where it ends; None where it is none, or too long."""
        self._fill()
        try:
            value, end = _decode(self._text, self._at)
        except (ValueError, RecursionError):
            return None
        return (value, end) if end - self._at <= self._longest else None

    def _row(self) -> Row:
        """The value that begins here, whatever it is, and go on behind it."""
        if found := self._value():
            begin, self._at = self._at, found[1]
            return Row(self._text[begin : self._at])
        head, size = self._skip()
        return Row(head, size <= self._longest)

    def _line(self) -> Row:
        """What stands where no value may begin."""
        end = self._text.find("\n", self._at, self._at + self._longest)
        begin, self._at = self._at, (end if end >= 0 else min(len(self._text), self._at + 2000))
        return Row(self._text[begin : self._at])

    def _skip(self, depth: int = 0) -> tuple[str, int]:
        """Pass over a value by its brackets and quotes, so many of which are open: its beginning,
        and how long it is.
        """
        head, size, in_string, signs = "", 0, False, 0
        while True:
            self._fill()
            end = None
            place = self._at
            while end is None:
                signs += 1
                if signs > MOST_SIGNS:
                    raise Cut
                found = (_END_OF_STRING if in_string else _BRACKET).search(self._text, place)
                if found is None or (found[0] == "\\" and found.end() >= len(self._text)):
                    break
                place = found.end()
                if found[0] == "\\":
                    place += 1
                elif found[0] == '"':
                    in_string = not in_string
                else:
                    depth += 1 if found[0] in "{[" else -1
                if depth <= 0 and not in_string:
                    end = place
            # A backslash at the very end waits for what it stands before.
            is_open = end is None and found is not None and not self._is_read
            stop = found.start() if is_open and found else len(self._text) if end is None else end
            if size <= self._longest:
                head += self._text[self._at : stop]
            size += stop - self._at
            self._at = stop
            if end is not None:
                return head, size
            if self._is_read and self._at >= len(self._text):
                raise Cut

    # --- what is in it

    def _elements(self) -> Iterator[Row]:
        """Of a list that is open already."""
        while sign := self._next():
            if sign == "]":
                self._at += 1
                return
            if sign == ",":
                self._at += 1
            elif sign in '{["':
                yield self._row()
            else:
                yield self._scalar()
        raise Cut

    def _scalar(self) -> Row:
        found = _SCALAR.match(self._text, self._at)
        begin, self._at = self._at, max(found.end() if found else 0, self._at + 1)
        return Row(self._text[begin : self._at])

    def _object(self) -> Iterator[Row]:
        """An object that is a row, or holds them."""
        found = self._value()
        if found is None:
            is_row = self._has_rows
        else:
            is_row = bool(self._columns & found[0].keys()) or not _holds_list(found[0])
        if not is_row:
            yield from self._within()
            return
        if self._where is not None:
            raise Unclear(f"rows are in its list {self._where}, and beside it")
        self._has_rows = True
        yield self._row()

    def _within(self) -> Iterator[Row]:
        """The rows of the list within an object, however deep in objects it is."""
        path: list[str] = []
        name = ""
        while sign := self._next():
            if sign == "{":
                path.append(name)
                self._at += 1
            elif sign == "}":
                path.pop()
                self._at += 1
                if not path:
                    return
            elif sign == '"':
                said = self._row().text
                if self._next() == ":":
                    name = said.strip('"')[:60]
                    self._at += 1
            elif sign == "[":
                self._at += 1
                if self._holds_rows(" > ".join([*path[1:], name])):
                    yield from self._elements()
                else:
                    self._skip(depth=1)
            elif sign in ",:":
                self._at += 1
            else:
                self._scalar()
        raise Cut

    def _holds_rows(self, where: str) -> bool:
        """Whether an open list is the rows'. Raises Unclear for a second one."""
        if self._next() != "{":
            return False
        first = self._value()
        if where != self._where and first and not self._columns & first[0].keys():
            self.others |= {*list(first[0])[:100]}
            return False
        if self._where not in (None, where):
            raise Unclear(f"both {self._where} and {where} are lists of rows in it")
        self._where = where
        return True
