"""JSON: an object a line, or the rows of a document."""

import json
from collections.abc import Iterator
from pathlib import Path

from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.files.text import without_lines
from reengage.ingest.sources.records import (
    Broken,
    Guessed,
    Keys,
    Notes,
    Row,
    object_of,
    said_twice,
    text_of,
)

_loads = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=object_of).decode


def objects_of(
    lines: Iterator[str | Broken], file: Path, source: Source, notes: Notes
) -> Iterator[Row]:
    """The rows in the texts of JSON objects. Raises Refused."""
    columns, keys = source.all_columns, Keys(source, file.name)
    lines_read = guesses = 0
    for number, line in enumerate(lines, 1):
        if isinstance(line, Broken):
            lines_read += 1
            yield number, line
            continue
        line = line.strip().removeprefix("\ufeff")
        if not line:
            continue
        lines_read += 1
        try:
            said = _loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            yield number, Broken(f"is not JSON: {why}", line)
            continue
        if not isinstance(said, dict):
            yield number, Broken("is no JSON object", line)
            continue
        keys.look(said)
        if twice := said_twice(said, columns):
            yield number, Broken(twice, line)
            continue
        try:
            row = {name: text_of(said.get(name)) for name in columns}
        except RecursionError:  # what could just be read cannot always be written
            yield number, Broken("is not JSON: nested too deeply", line)
            continue
        yield number, row if notes.rows_not_utf8 == guesses else Guessed(row)
        guesses = notes.rows_not_utf8
    if not lines_read:
        raise without_lines(file, notes)
    keys.tell(notes)
