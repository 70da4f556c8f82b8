"""Packed files, told by their first bytes: a stream of what is in them, unpacked as it is read."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from reengage.errors import SourceError

ZIPPED, PARQUET = b"PK\x03\x04", b"PAR1"
# By which a name says how it is packed, beside what is in it: orders.csv.gz.
SUFFIXES = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip"})
# What is raised where something packed breaks off, or is something else after all.
BROKEN = (
    *(EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, UnicodeError),
    NotImplementedError,  # of a zip of a later kind
)


def opened(file: Path) -> IO[bytes]:
    """What a file holds, unpacked where it is packed. It can be read again from its beginning.

    Raises SourceError where that is not one file, or has a password.
    """
    with file.open("rb") as probe:
        begins = probe.read(6)
    found = next((how for sign, how in _BY_SIGN.items() if begins.startswith(sign)), None)
    return found(file) if found else file.open("rb")


def is_packed_twice(file: Path) -> bool:
    """Whether a workbook or Parquet, which are packed in themselves, is packed once more."""
    try:
        with opened(file) as inner, file.open("rb") as outer:
            return inner.read(4) in (ZIPPED, PARQUET) and outer.read(4) != PARQUET
    except (SourceError, OSError, *BROKEN):
        return False  # a workbook is no archive of one file


def name_within(file: Path) -> str:
    """The name of what a file holds, by which its format is told."""
    name = file.name
    if file.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(file) as parts:
                return Path(_only(file, parts).filename).name
        except (OSError, SourceError, *BROKEN):
            pass  # whoever reads it says why
    while (suffix := Path(name).suffix) and suffix.lower() in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _only(file: Path, parts: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one file of an archive, without what macOS puts beside it."""
    files = [
        part
        for part in parts.infolist()
        if not part.is_dir() and not part.filename.startswith("__MACOSX/")
    ]
    if any(part.filename == "xl/workbook.xml" for part in files):
        raise SourceError(
            f"{file.name} is a workbook of Excel: name it .xlsx, or say `format: excel`."
        )
    if len(files) != 1:
        raise SourceError(
            f"{file.name} holds {len(files):,} files: pack one a zip, or deliver them unpacked."
        )
    return files[0]


def _unzipped(file: Path) -> IO[bytes]:
    parts = zipfile.ZipFile(file)
    only = _only(file, parts)
    if only.flag_bits & 1:
        raise SourceError(f"{file.name} has a password: deliver it without one.")
    try:
        return parts.open(only)
    except NotImplementedError:
        raise SourceError(f"{file.name} is packed in a way that is not read: use gzip.") from None


class _Zstandard(io.RawIOBase):
    """A Zstandard stream of Arrow's, which knows how much it has unpacked and can begin again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begin()

    def _begin(self) -> None:
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(pa.OSFile(str(self._file)), "zstd")
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        try:
            piece = self._stream.read(len(into))
        except OSError as error:
            raise EOFError("the stream ends, or is broken") from error
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if (offset, whence) == (self._at, io.SEEK_SET) or (offset, whence) == (0, io.SEEK_CUR):
            return self._at
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("only from the beginning")
        self._stream.close()
        self._begin()
        return 0

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


_BY_SIGN: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b": lambda file: cast(IO[bytes], gzip.GzipFile(file)),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": lambda file: io.BufferedReader(_Zstandard(file)),
    ZIPPED: _unzipped,
}
