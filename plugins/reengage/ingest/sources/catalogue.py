"""Ready sources: what a system's exports look like, to copy and to point at one's own files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reengage.errors import ConfigurationError
from reengage.settings import INCLUDE, settings

FOLDER = INCLUDE / "sources/catalogue"
_HEAD = re.compile(r"# (?P<about>.+)\.\n# category: (?P<category>.+)\n# needs: (?P<needs>.+)\n")


@dataclass(frozen=True)
class Ready:
    """A source of the catalogue. about: the system, and what of it; needs: what its owner has to
    have, or to do, for such a file.
    """

    name: str
    about: str
    category: str
    needs: str
    text: str


def ready() -> list[Ready]:
    """All of them, by category and name."""
    found = []
    for file in FOLDER.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        if (head := _HEAD.match(text)) is None:
            raise ConfigurationError(
                f"{file} does not begin with what it is of, its category and what it needs."
            )
        found.append(Ready(file.stem, head["about"], head["category"], head["needs"], text))
    return sorted(found, key=lambda one: (one.category.lower(), one.name))


def listed(word: str = "") -> Iterator[str]:
    """The catalogue in lines, of those in which a word stands. Raises ConfigurationError."""
    every = ready()
    found = [
        one
        for one in every
        if word.lower() in f"{one.name} {one.about} {one.category} {one.needs}".lower()
    ]
    if not found:
        raise ConfigurationError(
            f"No ready source says {word}. There are {', '.join(one.name for one in every)}; any "
            "other is written as docs/sources.md explains."
        )
    width = max(len(one.name) for one in found)
    for one in found:
        yield f"{one.category:8}  {one.name:{width}}  {one.about}"
        yield f"{'':8}  {'':{width}}  needs: {one.needs}"


def copy(name: str) -> Path:
    """Copy one to this installation's sources; where it is then. Raises ConfigurationError, also
    where a file of that name is there already.
    """
    found = next((one for one in ready() if one.name == name), None)
    if found is None:
        raise ConfigurationError(
            f"There is no ready source {name or 'without a name'}: make sources lists them."
        )
    target = settings().sources / f"{name}.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(found.text)
    except FileExistsError:
        raise ConfigurationError(
            f"{target} is there already: edit that one, or take it away first."
        ) from None
    return target
