"""Text in files: its letters, its lines, and where it breaks off. Memory does not grow with the
file, nor with a line or what a small file unpacks to.
"""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from reengage.errors import SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.files import json_lists
from reengage.ingest.sources.connectors.files.packed import BROKEN
from reengage.ingest.sources.records import LONGEST, Broken, Empty, Notes, Refused, resembling

# What a file may unpack to: so many bytes and lines in any case, else so many times its own size.
MOST_UNPACKED, MOST_LINES, MOST_TIMES = 2 << 30, 100_000, 200
MOST_BLANK = 1_000_000  # lines with nothing in them, one after the other
NOT_DECODED = re.compile("[\udc80-\udcff]")


class Bomb(SourceError):
    """A file that unpacks to far more than there can be in it."""


def decoded(raw: IO[bytes], encoding: str | None) -> io.TextIOWrapper:
    """A file's text. What it begins with (a byte order mark) says more than the YAML. Bytes that
    cannot be read survive as lone surrogates, until their line is looked at.
    """
    head = raw.peek(4)[:4] if hasattr(raw, "peek") else b""
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    elif head[:3] == codecs.BOM_UTF8 or not encoding:
        encoding = "utf-8-sig"
    return io.TextIOWrapper(raw, encoding=encoding, errors="surrogateescape")


def lines_of(
    text: io.TextIOWrapper, raw: IO[bytes], file: Path, source: Source, notes: Notes
) -> Iterator[str | Broken]:
    """The lines of a file, the longest of them as Broken. `notes` is told of those that are not in
    the file's encoding, and where the file breaks off.
    """
    number, most = 0, MOST_TIMES * file.stat().st_size
    blank = 0
    with _breaking_off(file, notes, lambda: f"line {number:,}"):
        for line in iter(partial(text.readline, LONGEST), ""):
            number += 1
            blank = blank + 1 if line == "\n" else 0
            if blank > MOST_BLANK:
                raise Bomb
            if len(line) == LONGEST and line[-1] != "\n":
                yield Broken(f"is longer than {LONGEST:,} characters", line[:2000])
                _skip_line(text, raw, most)
                continue
            if number & 0xFFFF == 0:
                _check_unpacked(raw, most if number > MOST_LINES else max(most, MOST_UNPACKED))
            # Programs that add a byte order mark do so at the head of what was one file each.
            yield _readable(line.lstrip("\ufeff"), source, notes)


def pieces_of(
    text: io.TextIOWrapper, raw: IO[bytes], file: Path, source: Source, notes: Notes
) -> Iterator[str | Broken]:
    """The rows of a JSON document, as lines_of gives those of JSON Lines."""
    number, most = 0, MOST_TIMES * file.stat().st_size

    def check() -> None:
        _check_unpacked(raw, most if number > MOST_LINES else max(most, MOST_UNPACKED))

    found = json_lists.Rows(text, source.all_columns, LONGEST, check)
    with _breaking_off(file, notes, lambda: f"row {number:,}"):
        try:
            for row in found:
                number += 1
                if row.is_whole:
                    yield _readable(row.text, source, notes)
                else:
                    why = f"is longer than {LONGEST:,} characters"
                    yield Broken(why, _readable(row.text[:2000], source, notes))
        except json_lists.Cut:
            notes.problem = f"{file.name} breaks off after row {number:,}: is it cut?"
        except json_lists.Unclear as error:
            raise Refused(
                f"{file.name} is not taken: {error}, and which rows are meant cannot be told. "
                "Deliver one list, or one object a line."
            ) from error
    if not number and found.others:
        missing = sorted(source.needed_columns)
        raise Refused(
            f"{file.name} has no list of rows with the key {' or '.join(missing)}. "
            f"{resembling(missing, sorted(found.others), 'keys')}"
        )


def is_document(text: io.TextIOWrapper, source: Source) -> bool:
    """Whether JSON is anything but one object a line. The text is then at its beginning again."""
    try:
        return json_lists.is_document(text, source.all_columns, LONGEST)
    except BROKEN:
        return False  # the lines before it are read as such
    finally:
        text.seek(0)


@contextmanager
def _breaking_off(file: Path, notes: Notes, place: Callable[[], str]) -> Iterator[None]:
    """Tell `notes` where a file ends before its end."""
    try:
        yield
    except Bomb:
        notes.problem = (
            f"{file.name} is left after {place()}: it unpacks to more than {MOST_TIMES} "
            "times its size, or to blank lines alone. Deliver it again, or unpacked."
        )
    except BROKEN as error:
        notes.problem = f"{file.name} breaks off after {place()} ({error}): is it cut?"


def _readable(text: str, source: Source, notes: Notes) -> str:
    """A line or row with all its letters, as far as its encoding can be told."""
    if text.isascii() or not NOT_DECODED.search(text):
        return text
    if source.encoding:
        notes.rows_not_decoded += 1
        return NOT_DECODED.sub("�", text)
    notes.rows_not_utf8 += 1
    return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def without_lines(file: Path, notes: Notes) -> SourceError:
    return SourceError(notes.problem) if notes.problem else Empty(f"{file.name} is empty.")


def _skip_line(text: io.TextIOWrapper, raw: IO[bytes], most: int) -> None:
    while (more := text.readline(LONGEST)) and more[-1] != "\n":
        _check_unpacked(raw, max(most, MOST_UNPACKED))


def _check_unpacked(raw: IO[bytes], most: int) -> None:
    if raw.tell() > most:
        raise Bomb
