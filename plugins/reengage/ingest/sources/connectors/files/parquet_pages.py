"""What the pages of a Parquet file say that they unpack to. A reader trusts them, and takes the
memory, whatever the file's end says of the same column.

https://parquet.apache.org/docs/file-format/data-pages/ (headers in Thrift's compact protocol)
"""

from collections.abc import Iterator
from typing import IO, Any

FEW, MANY = 1 << 9, 1 << 24  # bytes of a header: as a rule, and at most
BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 3, 7, 8, 9, 10, 11, 12
DEEPEST = 8


def unpacked_sizes(file: IO[bytes], column: Any) -> Iterator[int]:
    """How many bytes each page of a column chunk unpacks to, by its own header.

    column: of a row group's metadata. Raises ValueError where a header cannot be read.
    """
    starts = (column.dictionary_page_offset, column.data_page_offset)
    at = min(start for start in starts if start)
    end = at + column.total_compressed_size
    while at < end:
        length, unpacked, packed = _sizes(file, at)
        yield unpacked
        at += length + packed


def _sizes(file: IO[bytes], at: int) -> tuple[int, int, int]:
    """Of the page at an offset: its header's length, and what it unpacks to and takes."""
    for length in (FEW, MANY):
        file.seek(at)
        header = _Header(file.read(length))
        try:
            said = header.sizes()
        except IndexError:
            continue
        if min(said) < 0:
            break
        return header.at, *said
    raise ValueError("a page's header cannot be read")


class _Header:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def sizes(self) -> tuple[int, int]:
        """Fields 2 and 3 of a PageHeader. Raises IndexError where the data ends within it."""
        found = {2: -1, 3: -1}
        field = 0
        while kind := self._byte():
            field = field + (kind >> 4) if kind >> 4 else self._number()
            if field in found:
                found[field] = self._number()
            else:
                self._skip(kind & 15)
        return found[2], found[3]

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("no number")
        return value | byte << shift

    def _number(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _skip(self, kind: int, depth: int = 0, is_element: bool = False) -> None:
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        if kind == BYTE or (kind < BYTE and is_element):
            self.at += 1
        elif BYTE < kind < DOUBLE:
            self._varint()
        elif kind == DOUBLE:
            self.at += 8
        elif kind == BINARY:
            size = self._varint()
            self.at += size
        elif kind in (LIST, SET):
            head = self._byte()
            for _ in range(head >> 4 if head >> 4 < 15 else self._varint()):
                self._skip(head & 15, depth + 1, is_element=True)
        elif kind == MAP:
            if size := self._varint():
                head = self._byte()
                for _ in range(size):
                    self._skip(head >> 4, depth + 1, is_element=True)
                    self._skip(head & 15, depth + 1, is_element=True)
        elif kind == STRUCT:
            while inner := self._byte():
                if not inner >> 4:
                    self._number()
                self._skip(inner & 15, depth + 1)
        elif kind > STRUCT or kind == 0:
            raise ValueError("no kind")
        if self.at > len(self.data):
            raise IndexError
