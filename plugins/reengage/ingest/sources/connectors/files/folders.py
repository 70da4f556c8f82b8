"""Which files a source's path means, without what tools keep beside them.

A name that the YAML writes out is taken as it stands. What only a wildcard or a folder brings is
left out where it is a tool's: half-written parts of a job, its log, copies that an editor keeps.

Whoever delivers files may write in that folder, and nowhere else: what is reached from there by a
link is not theirs to show, and is never opened.
"""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.files import packed

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
}

# Tables that are packed, or in a form that is not read: whoever reads the file says which.
PACKED = {
    *(
        ".zip",
        ".7z",
        ".rar",
        ".tar",
        ".tgz",
        ".bz2",
        ".xz",
        ".zst",
        ".lz4",
        ".br",
        ".gz",
        ".gpg",
        ".pgp",
    ),
    *(".xls", ".xlsb", ".ods", ".numbers", ".avro", ".orc", ".feather", ".arrow"),
}
# What lies beside tables and is none.
NOTES = {
    *(
        ".md",
        ".log",
        ".sql",
        ".yaml",
        ".yml",
        ".ini",
        ".db",
        ".html",
        ".pdf",
        ".doc",
        ".docx",
        ".lock",
    ),
    *(
        ".md5",
        ".sha1",
        ".sha256",
        ".sig",
        ".asc",
        ".ctl",
        ".done",
        ".ok",
        ".ready",
        ".py",
        ".sh",
        ".xsd",
    ),
}
# Of Spark, Delta and macOS (_temporary, _delta_log, _SUCCESS, .part.crc, __MACOSX), notebooks and
# everything hidden (.ipynb_checkpoints, .git), Office's locks (~$orders.xlsx), NAS and Windows bins
# (@eaDir, #recycle, $RECYCLE.BIN). A partition (_day=2026-05-19) is data.
TOOLS = re.compile(r"[.~@#$]|_[^=]*$")
ALL = ["**", "*"]  # of a folder
# Iceberg keeps its log in files among which the data lies.
UNFINISHED = (
    ".metadata.json",
    ".crc",
    ".tmp",
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    "._copying_",
    ".swp",
    ".bak",
    "~",
)


def find(source: Source) -> list[Path]:
    """The source's files, oldest first, so that the newest has the last word: a file, all of a
    folder whose names say a format, or a glob's. A folder that may not be listed, and what leads
    out of the source's folder, is among them, for whoever reads it to say so.
    """
    home, parts = _home(source)
    found = _matching(home, parts, os.path.realpath(home))
    if parts == ALL:
        found = (file for file in found if file.is_dir() or is_table(file, source))
    return sorted(dict.fromkeys(found), key=_age)


def left_out(source: Source) -> list[Path]:
    """What of a folder is not taken, as its name says no format, and may yet be a table."""
    home, parts = _home(source)
    if parts != ALL:
        return []
    found = _matching(home, parts, os.path.realpath(home))
    return [
        file
        for file in found
        if file.is_file() and not is_table(file, source) and may_be_table(file)
    ]


def may_be_table(file: Path) -> bool:
    """Whether a name that says no format may yet be a table's."""
    return file.suffix.lower() not in {"", *NOTES}


def leads_out(file: Path, source: Source) -> Path | None:
    """The folder that a source's files are in, where this one is reached from there and lies
    elsewhere: by a link, of its own or of a folder between, or by `..`. None: it stays inside.
    """
    home, _ = _home(source)
    is_below = file.is_relative_to(home)
    return home if is_below and not _is_in(file, os.path.realpath(home)) else None


def _home(source: Source) -> tuple[Path, list[str]]:
    """The folder that a source's path writes out, and the rest of the path: what is looked for in
    it. How that folder is reached is the YAML's own matter.
    """
    path = Path(source.path)
    if path.is_dir():
        return path, ALL
    home, parts = Path(path.anchor or "."), list(path.relative_to(path.anchor).parts)
    # A folder may be called [2026]: what is there by that very name is meant.
    while len(parts) > 1 and (parts[0] == ".." or _exists(home / parts[0])):
        home /= parts.pop(0)
    return home, parts


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # whoever lists the folder says so
        return False


def _is_in(path: Path, home: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(home)


def format_of(file: Path, source: Source) -> str | None:
    """csv, jsonl, parquet or excel: as the source says, else as the name of the file does, or of
    what is packed in it; None: none of them.
    """
    return source.format or FORMATS.get(Path(packed.name_within(file)).suffix.lower())


def is_table(file: Path, source: Source) -> bool:
    """Whether a name in a folder is of a table, be it one that is not read."""
    return format_of(file, source) is not None or file.suffix.lower() in PACKED


def _age(file: Path) -> tuple[int, str]:
    try:
        return file.stat().st_mtime_ns, str(file)
    except OSError:  # gone since: whoever reads it says so
        return 0, str(file)


def _matching(
    base: Path, parts: list[str], home: str, above: frozenset[str] = frozenset()
) -> Iterator[Path]:
    """The files below base that the parts of a glob lead to. home: the real folder that is not
    left. above: the real folders that ** has come through, so that a link back up is not followed
    for ever.
    """
    part, *rest = parts
    if not _is_in(base, home):
        yield base
        return
    if part != "**" and (part == ".." or _exists(base / part)):
        yield from _down(base / part, rest, home, above)
        return
    if part != "**" and not re.search(r"[*?[]", part):
        return
    try:
        names = sorted(entry.name for entry in base.iterdir())
    except NotADirectoryError:
        return
    except OSError:
        yield base
        return
    if part == "**":
        real = os.path.realpath(base)
        if real in above:
            return
        yield from _matching(base, rest or ["*"], home)
        for name in names:
            if (base / name).is_dir() and not is_tools(name, "*"):
                yield from _matching(base / name, parts, home, above | {real})
        return
    for name in names:
        fits = fnmatchcase(name, part) or fnmatchcase(name, part.replace("[", "[[]"))
        if fits and not is_tools(name, part):
            yield from _down(base / name, rest, home, above)


def _down(path: Path, rest: list[str], home: str, above: frozenset[str]) -> Iterator[Path]:
    if rest:
        yield from _matching(path, rest, home, above)
    elif path.is_file():
        yield path


def is_tools(name: str, pattern: str) -> bool:
    """Whether a name is a tool's, and the pattern does not ask for such names itself."""
    if TOOLS.match(name) and not pattern.startswith(name[0]):
        return True
    low = name.lower()
    return any(low.endswith(end) and not pattern.lower().endswith(end) for end in UNFINISHED)
