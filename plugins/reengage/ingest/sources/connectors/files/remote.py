"""Files that lie elsewhere: in a bucket, on an SFTP server, behind https, wherever fsspec reaches.

A file is brought here whole before it is read, and removed after: what is cut on the way is no
file, and whatever reads files of this machine reads it.
"""

import json
import logging
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from reengage.clock import wall_clock
from reengage.connections import Access, Accesses, is_loopback
from reengage.errors import ConfigurationError, SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.base import Part, Stamp
from reengage.ingest.sources.connectors.files import folders

# Under which names stores tell when a file was written.
_WRITTEN = (
    *("LastModified", "last_modified", "Last-Modified", "mtime", "modify", "updated", "modified"),
    "created",
)

_PREFIX = "reengage-read-"  # of the folders into which files are brought
_LONGEST_READ = 2 * 24 * 3600  # seconds after which nobody reads a file any more

log = logging.getLogger(__name__)
_EVER = datetime.min.replace(tzinfo=UTC)

for chatty in ("botocore", "aiobotocore", "s3fs", "gcsfs", "adlfs", "paramiko", "fsspec"):
    # At their finest they write down what they were given.
    logging.getLogger(chatty).setLevel(logging.WARNING)


class Remote:
    """The files that a source's address means: s3://bucket/orders/*.csv."""

    def __init__(self, source: Source, accesses: Accesses) -> None:
        self.source = source
        self.accesses = accesses
        self._scheme = urlsplit(source.path).scheme
        self._known: dict[str, dict[str, Any]] = {}  # what the store said of each, by its address
        self.left_out: list[str] = []  # names of what a folder holds that may yet be a table

    def find(self) -> list[Part]:
        """The oldest first. Raises SourceError where the store does not answer."""
        _clear()
        with self._asking("cannot be listed"):
            store, root = self._store()
            listed = self._listed(store, root)
            self._known = {store.unstrip_protocol(info["name"]): info for info in listed}
        found = [
            Part(address, PurePosixPath(info["name"]).name) for address, info in self._known.items()
        ]
        dated = {one.address: written(self._known[one.address]) or _EVER for one in found}
        if self.source.deletes == "snapshot" and found[1:] and _EVER in dated.values():
            raise SourceError(
                f"{self.source.path}: which of its {len(found):,} files is the newest, and so all "
                "that there is, is not said there. Let `path` name one file."
            )
        return sorted(found, key=lambda part: (dated[part.address], part.address))

    def stamp(self, part: Part, now: datetime) -> Stamp:
        """Of a store that does not say when a file was written, it is new each time."""
        info = self._known.get(part.address) or self._info(part)
        self._known[part.address] = info
        return Stamp(int(info.get("size") or 0), written(info) or now)

    @contextmanager
    def here(self, part: Part) -> Iterator[Path]:
        """The file on this machine, while the block runs. Raises SourceError."""
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
            file = Path(folder) / part.name
            size = (self._known.get(part.address) or {}).get("size")
            log.info("Bringing %s here%s", part.name, f" ({size:,} bytes)" if size else "")
            with self._asking(f"cannot be read ({part.name})"):
                store, _ = self._store()
                store.get_file(store._strip_protocol(part.address), str(file))
            if size is not None and file.stat().st_size != size:
                raise SourceError(
                    f"{part.name} came with {file.stat().st_size:,} of its {size:,} bytes: the "
                    "next run asks for it again."
                )
            yield file

    def _listed(self, store: Any, root: str) -> list[dict[str, Any]]:
        pattern = PurePosixPath(root).parts
        is_web = self._scheme in ("http", "https")  # where ? begins what is asked for
        magic = {*"*["} if is_web else {*"*?["}
        place = next((at for at, part in enumerate(pattern) if magic & {*part}), len(pattern))
        if place < len(pattern):
            found, wanted = store.glob(root, detail=True), pattern[place:]
        elif self.source.path.endswith("/") or (not is_web and store.isdir(root)):
            found, wanted = store.find(root, detail=True), ()
        else:
            return [store.info(root)]
        files, left_out = [], []
        for info in found.values():
            path = PurePosixPath(info["name"])
            if info.get("type") != "file" or info["name"].endswith("/"):
                continue
            below = path.parts[place:]
            is_tools = any(
                folders.is_tools(name, next((w for w in wanted if fnmatchcase(name, w)), "*"))
                for name in below
            )
            if is_tools:
                continue
            if wanted or folders.is_table(Path(path.name), self.source):
                # A page of links says no more of a file than its name.
                files.append(info if written(info) else store.info(info["name"]))
            elif folders.may_be_table(Path(path.name)):
                left_out.append(path.name)
        self.left_out = left_out
        return files

    def _info(self, part: Part) -> dict[str, Any]:
        with self._asking(f"cannot be read ({part.name})"):
            store, _ = self._store()
            info: dict[str, Any] = store.info(store._strip_protocol(part.address))
            return info

    def _store(self) -> tuple[Any, str]:
        """The store, and the place in it. Opened anew for each file: a server lets go of whoever is
        silent while a long one is read.
        """
        import fsspec

        path, named = self.source.path, self.source.connection
        options = options_of(self._scheme, self.accesses(named)) if named else {}
        if named and self._scheme == "http" and not is_loopback(path):
            raise ConfigurationError(
                f"{path}: what opens it is never sent without encryption. Write https."
            )
        if urlsplit(path).hostname:  # which is a bucket's, too
            options.pop("host", None)
        try:
            fsspec.get_filesystem_class(self._scheme)
        except (ImportError, ValueError) as error:
            raise ConfigurationError(
                f"{path} needs a package where Airflow runs: {error}."
            ) from error
        # Nothing is kept that was listed before, nor what opens the store.
        store, root = fsspec.core.url_to_fs(path, skip_instance_cache=True, **options)
        for walk in ("walk", "_walk"):
            # Else a folder that cannot be listed is one without files.
            if hasattr(store, walk):
                setattr(store, walk, partial(getattr(store, walk), on_error="raise"))
        return store, str(root)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Whatever a store raises, as what it means; its own words may hold what opens it."""
        where = self.source.path
        try:
            yield
        except (ConfigurationError, SourceError):
            raise
        except FileNotFoundError:
            raise SourceError(f"{where} {what}: there is no such file.") from None
        except PermissionError:
            raise SourceError(
                f"{where} {what}: its connection may not. Give it the right to list and to read."
            ) from None
        except Exception as error:
            raise SourceError(
                f"{where} {what} ({type(error).__name__}): does it answer, and is its connection "
                "right? The next run asks again."
            ) from None


def _clear() -> None:
    """Remove what a process that was killed has left here: it is of people."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < wall_clock().timestamp() - _LONGEST_READ:
                shutil.rmtree(folder, ignore_errors=True)


def options_of(scheme: str, access: Access) -> dict[str, Any]:
    """What fsspec's store of a scheme is opened with, of the fields of an Airflow connection.
    `storage_options` of its extra are taken as they stand, and have the last word.
    """
    options = _OPTIONS.get(scheme, lambda _: {})(access)
    given = access.extra.get("storage_options") or {}
    given = json.loads(given) if isinstance(given, str) else given
    return {name: value for name, value in {**options, **given}.items() if value not in ("", None)}


def _s3(access: Access) -> dict[str, Any]:
    extra = access.extra
    region = extra.get("region_name")
    return {
        "key": access.login,
        "secret": access.password,
        "token": extra.get("aws_session_token"),
        "endpoint_url": extra.get("endpoint_url"),
        "client_kwargs": {"region_name": region} if region else None,
    }


def _gs(access: Access) -> dict[str, Any]:
    key = access.extra.get("keyfile_dict")
    return {
        "token": (json.loads(key) if isinstance(key, str) else key) or access.extra.get("key_path"),
        "project": access.extra.get("project"),
    }


def _azure(access: Access) -> dict[str, Any]:
    names = ("connection_string", "sas_token", "tenant_id", "client_id", "client_secret")
    return {
        "account_name": access.login,
        "account_key": access.password,
        **{name: access.extra.get(name) for name in names},
    }


def _ssh(access: Access) -> dict[str, Any]:
    return {
        "host": access.host,
        "port": access.port,
        "username": access.login,
        "password": access.password,
        "key_filename": access.extra.get("key_file"),
    }


def _http(access: Access) -> dict[str, Any]:
    if not access.password:
        return {}
    said = b64encode(f"{access.login}:{access.password}".encode()).decode()
    how = f"Basic {said}" if access.login else f"Bearer {access.password}"
    return {"headers": {"Authorization": how}}  # of each request: a redirect elsewhere drops it


_OPTIONS: Mapping[str, Callable[[Access], dict[str, Any]]] = {
    **dict.fromkeys(("s3", "s3a"), _s3),
    **dict.fromkeys(("gs", "gcs"), _gs),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), _azure),
    **dict.fromkeys(("sftp", "ssh", "ftp"), _ssh),
    **dict.fromkeys(("http", "https"), _http),
}


def written(info: Mapping[str, Any]) -> datetime | None:
    """When a file was written, in UTC; None: its store does not say."""
    said = next((info[name] for name in _WRITTEN if info.get(name)), None)
    if isinstance(said, int | float):
        return datetime.fromtimestamp(said, UTC)
    if isinstance(said, str):
        try:
            if said[:1].isdigit():  # FTP's has no sign in it
                said = datetime.fromisoformat(f"{said[:8]}T{said[8:]}" if said.isdigit() else said)
            else:
                said = parsedate_to_datetime(said)
        except ValueError:
            return None
    if isinstance(said, datetime):
        return said if said.tzinfo else said.replace(tzinfo=UTC)
    return None
