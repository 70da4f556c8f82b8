"""Append-only files of JSON lines that outlive a kill -9 at any moment."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def append(file: Path, records: Iterable[dict[str, Any]], *, sync: bool = False) -> None:
    """Add records at the end, in one write. sync: return only once the disk has them."""
    block = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        while block:
            block = block[os.write(descriptor, block) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lines(
    file: Path, start: int = 0, end: int | None = None
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(offset, offset after, record) of the whole lines that begin in [start, end)."""
    if not file.exists():
        return
    with file.open("rb") as stream:
        stream.seek(start)
        at = start
        while end is None or at < end:
            line = stream.readline()
            if not line.endswith(b"\n"):
                return
            yield at, at + len(line), json.loads(line)
            at += len(line)


def last_line(file: Path) -> dict[str, Any] | None:
    """The last record; None in an empty or missing file. A record is under 64 KiB."""
    if not file.exists():
        return None
    with file.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 65536))
        whole = [line for line in stream.read().splitlines(keepends=True) if line.endswith(b"\n")]
    record: dict[str, Any] | None = json.loads(whole[-1]) if whole else None
    return record


def end_of_lines(file: Path) -> int:
    """The offset after the last whole line."""
    if not file.exists():
        return 0
    with file.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            stream.seek(start)
            newline = stream.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0


def repair(file: Path) -> None:
    """Cut off a last line without an end: its write was killed, so nobody was told of it."""
    end = end_of_lines(file)
    if file.exists() and end < file.stat().st_size:
        os.truncate(file, end)


def replace(file: Path, content: Any) -> None:
    """Put JSON in the place of a file: a reader, or a rerun, finds the old or the new, whole."""
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps(content), encoding="utf-8")
    aside.replace(file)
