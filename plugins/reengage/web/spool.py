"""Hits and presses that wait for the warehouse, in a file of this installation.

What was answered is kept: a line is on the disk (fsync) before the visitor reads that it is taken,
and leaves it only after the warehouse has committed it. Each has a key, so that one that got
through after all is not recorded twice. Several workers share the file.
"""

import contextlib
import fcntl
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from reengage.errors import ReengageError
from reengage.progress import progress

log = logging.getLogger(__name__)

OPT_OUT = "opt-out"  # the press that asks for no more texts
MOST_BYTES = 256 * 1024 * 1024
# What presses and opt-outs may fill of it, when fetches, of whatever address, may no more: a fetch
# must not take the place of an answer, nor an answer that of an opt-out.
VIEW_BYTES, PRESS_BYTES = MOST_BYTES // 4 * 2, MOST_BYTES // 4 * 3


# Brings records to the warehouse, and gives back those that must wait for something in it.
Bring = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


class SpoolFull(ReengageError):
    """Nothing more can be kept on the disk."""


class Spool:
    """Files in one folder: hits.jsonl, which grows, and hits-*.jsonl, which are brought back;
    refused.jsonl keeps what the warehouse would not take.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "hits.jsonl"

    def append(self, record: dict[str, Any]) -> None:
        """Keep a record, of what JSON can say; it is on the disk when this returns.

        Raises SpoolFull where the disk, or the spool's share of it, is full.
        """
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        press = record.get("press")
        most = MOST_BYTES if press == OPT_OUT else PRESS_BYTES if press else VIEW_BYTES
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            while True:
                is_new = not self._file.exists()
                descriptor = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    if not self._is_current(descriptor):
                        continue  # it was taken away to be brought back
                    size = os.fstat(descriptor).st_size
                    if self.waiting_bytes + len(line) > most:
                        raise SpoolFull(f"{self._file} is full: the warehouse is away too long.")
                    if size and os.pread(descriptor, 1, size - 1) != b"\n":
                        line = b"\n" + line  # whoever wrote before was killed over it
                    if os.write(descriptor, line) < len(line):  # the disk was full before its end
                        raise SpoolFull(f"{self._file} cannot be written (the disk is full).")
                    os.fsync(descriptor)
                    if is_new:
                        self._sync_folder()
                    return
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise SpoolFull(f"{self._file} cannot be written ({error.strerror}).") from error

    def _sync_folder(self) -> None:
        """See to it that the disk knows the file's name, too."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.fstat(descriptor).st_ino == self._file.stat().st_ino
        except FileNotFoundError:
            return False

    def replay(self, bring: Bring, batch: int = 200) -> int:
        """Bring what waits to the warehouse by `bring`, opt-outs first, else in its order; how many
        records. A batch that raises stays, with all after it; what `bring` gives back waits on.
        Killed anywhere, or twice: what is brought again is known.
        """
        brought = 0
        with self._alone() as is_mine:
            if not is_mine:
                return 0
            # What was set aside first: while it cannot be brought, what comes grows in one file.
            for some in (self._aside, self._set_aside):
                waits = 0
                for file in some():
                    done, left = self._bring(file, bring, batch)
                    brought += done
                    waits += left
                if waits:
                    break
        return brought

    def _bring(self, file: Path, bring: Bring, batch: int) -> tuple[int, int]:
        """Bring a file; how many of its records are brought, and how many wait on."""
        with file.open("rb") as lines:
            total = sum(1 for _ in lines)
        waits: list[dict[str, Any]] = []
        brought = 0
        records = chain(_records(file, is_opt_out=True), _records(file, is_opt_out=False))
        told = progress(records, "spooled hits", "hits", total)
        while some := list(islice(told, batch)):
            waiting = bring(some)
            waits += waiting
            brought += len(some) - len(waiting)
        for record in waits:
            self.append(record)
        file.unlink()
        return brought, len(waits)

    def refuse(self, record: dict[str, Any], why: str) -> None:
        """Keep a record that cannot be brought to the warehouse beside those that can, with why."""
        file = self._folder / "refused.jsonl"
        log.error(
            "A spooled %s could not be recorded (%s): see %s", record.get("press", "hit"), why, file
        )
        line = json.dumps({**record, "why": why}, separators=(",", ":")) + "\n"
        file.touch(0o600)
        with file.open("a") as lines:
            lines.write(line)
            lines.flush()
            os.fsync(lines.fileno())

    @property
    def waiting_bytes(self) -> int:
        """The size of what waits."""
        sizes = 0
        for file in self._folder.glob("hits*.jsonl"):
            with contextlib.suppress(FileNotFoundError):  # it was brought back meanwhile
                sizes += file.stat().st_size
        return sizes

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not any(self._folder.glob("hits*.jsonl"))

    def _aside(self) -> list[Path]:
        """The files that were set aside, the oldest first."""
        return sorted(self._folder.glob("hits-*.jsonl"), key=lambda file: file.stat().st_mtime)

    def _set_aside(self) -> list[Path]:
        """Give the growing file another name, once nobody writes into it."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY)
        except FileNotFoundError:
            return []
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            return [self._file.rename(self._folder / f"hits-{uuid.uuid4().hex}.jsonl")]
        finally:
            os.close(descriptor)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        if self.is_empty:
            yield False
            return
        with (self._folder / "replay.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def _records(file: Path, *, is_opt_out: bool) -> Iterator[dict[str, Any]]:
    """The opt-outs of a file, or the others. Half a line was being written when its worker was
    killed: nobody was told that it is taken.
    """
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip() or (is_opt_out and b"opt" not in line):
                continue
            try:
                record = json.loads(line)
                datetime.fromisoformat(record["at"])
                uuid.UUID(record["hit_key"])
                record["code"].encode("ascii")
            except (ValueError, KeyError, TypeError, AttributeError):
                if not is_opt_out:
                    log.warning("%s, line %s is incomplete, and is left out", file.name, number)
                continue
            if record.pop("is_opting_out", False):  # as it was written before presses had names
                record |= {"press": OPT_OUT, "form": {}}
            if is_opt_out == (record.get("press") == OPT_OUT):
                yield record
