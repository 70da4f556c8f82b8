"""A function of your own: it gives records, and everything after is ours.

def read(asked: Asked) -> Iterator[Mapping[str, Any]]:
    for order in my_shop.orders(changed_since=asked.since):
        yield {"id": order.id, "customer": order.customer_id, "changed_at": order.changed_at}
"""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reengage import db
from reengage.connections import Access, Accesses, of_environment
from reengage.errors import ConfigurationError, ReengageError, SourceError
from reengage.ingest.sources import Source
from reengage.ingest.sources.connectors.base import Part
from reengage.ingest.sources.connectors.live import Documents, Live, instant, is_missing, within
from reengage.ingest.sources.records import Broken, Notes, Row


@dataclass(frozen=True)
class Asked:
    """What a function is asked for.

    since, until: the interval, in UTC, the end not included; None: without a bound. Records outside
    it do no harm; one within it that is left out is lost. options: as the YAML says them. access:
    the connection that it names; None: it names none. is_sweep: it is asked which records there are
    (`sweep`): of each its id is enough.
    """

    since: datetime | None
    until: datetime | None
    options: Mapping[str, Any]
    access: Access | None
    is_sweep: bool = False


class Function(Live):
    """A function that the YAML names, module:name."""

    def __init__(self, source: Source, zone: Any, accesses: Accesses = of_environment) -> None:
        super().__init__(source, zone, accesses)
        self.where = str(source.function)

    def ids(self, begin: str | None, notes: Notes) -> Iterator[Row]:
        return self._asked(self._part(begin, None), notes, is_sweep=True)

    def _read(self, part: Part, notes: Notes) -> Iterator[Row]:
        return self._asked(part, notes, is_sweep=False)

    def _asked(self, part: Part, notes: Notes, *, is_sweep: bool) -> Iterator[Row]:
        read, name = self._function(), self.source.connection
        access = self.accesses(name) if name else None
        since, until = (instant(at) if at else None for at in (part.begin, part.end))
        documents = Documents(self, notes)
        asked = Asked(since, until, self.source.options, access, is_sweep)
        for number, record in enumerate(self._told(read, asked), 1):
            if not isinstance(record, Mapping):
                yield number, Broken(f"is no mapping but {type(record).__name__}", "")
                continue
            yield number, documents.row(record)
            if self.source.by_time and not is_missing(at := within(record, self.source.by_time)):
                self._see(at)
        if not is_sweep:
            documents.end()

    def _told(self, read: Any, asked: Asked) -> Iterator[Any]:
        """Its records, and what it raises as an error of the source's."""
        try:
            yield from read(asked)
        except ReengageError:
            raise
        except Exception as error:
            # Not chained: what it says may be of people.
            said = db.redact(str(error))[:200]
            raise SourceError(
                f"{self.where} has failed with {type(error).__name__}: {said}. Mend it, and run "
                "the day again."
            ) from None

    def _function(self) -> Any:
        module, _, name = self.where.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(
                f"The function {self.where} cannot be found ({error}): is its package installed "
                "for Airflow, or in PYTHONPATH?"
            ) from error
