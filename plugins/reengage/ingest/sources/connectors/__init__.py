"""The connectors by their names. Another one is an entry point of somebody's own package, in the
group `reengage.connectors`: its name, and a subclass of `base.Connector`.
"""

import importlib
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from reengage.errors import ConfigurationError

_HERE = "reengage.ingest.sources.connectors"
OURS = {
    "files": f"{_HERE}.files:Files",
    "sql": f"{_HERE}.sql:Sql",
    "rest": f"{_HERE}.rest:Rest",
    "python": f"{_HERE}.function:Function",
}
GROUP = "reengage.connectors"


@cache
def _others() -> dict[str, Any]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> list[str]:
    """What may be written as `connector`."""
    return [*OURS, *sorted(_others().keys() - OURS.keys())]


def connector_class(name: str) -> Any:
    """The subclass of Connector of that name. Raises ConfigurationError."""
    try:
        if name in OURS:
            module, _, attribute = OURS[name].partition(":")
            return getattr(importlib.import_module(module), attribute)
        return _others()[name].load()
    except (ImportError, AttributeError, KeyError) as error:
        raise ConfigurationError(
            f"The connector {name} cannot be loaded ({error}): is its package installed here? "
            f"There are {', '.join(names())}."
        ) from error


def connect(source: Any, zone: Any, *accesses: Any) -> Any:
    """The connector of a source, a `base.Connector`, by the arguments of that. Nothing is opened
    yet. Raises ConfigurationError.
    """
    return connector_class(source.connector)(source, zone, *accesses)
