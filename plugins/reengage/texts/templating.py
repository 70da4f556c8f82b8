"""Jinja, as the templates of texts are written in it: in a sandbox, without autoescape."""

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import FileSystemLoader, StrictUndefined, meta, nodes
from jinja2.sandbox import SandboxedEnvironment


class Missing(StrictUndefined):
    """What is not known of a contact: false in a condition, but an error in a text."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return self is other

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return self is not other


@lru_cache(maxsize=8)
def environment(folders: tuple[Path, ...]) -> SandboxedEnvironment:
    """Kept, as compiling is half of the loading; a changed file is compiled anew."""
    return SandboxedEnvironment(
        loader=FileSystemLoader(folders), undefined=StrictUndefined, autoescape=False
    )


def state(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


class Parsed(NamedTuple):
    """What a template's text says, whatever the policy. tree: nobody changes it; names: the fields
    that it names; only_writes: see _only_writes, of what is put in last.
    """

    tree: nodes.Template
    names: frozenset[str]
    only_writes: bool


@lru_cache(maxsize=256)
def parsed(text: str, last: frozenset[str]) -> Parsed:
    """A template, parsed: half of what the check of a policy's texts takes."""
    tree = SandboxedEnvironment().parse(text)
    names = frozenset(meta.find_undeclared_variables(tree))
    return Parsed(tree, names, _only_writes(tree, last))


def _only_writes(tree: nodes.Template, names: Collection[str]) -> bool:
    """Whether a template writes these fields where it names them, and does nothing else by them."""
    written = {id(part) for output in tree.find_all(nodes.Output) for part in output.nodes}
    reworked = (
        nodes.FilterBlock,
        nodes.AssignBlock,
        nodes.CallBlock,
        nodes.Macro,
        nodes.Block,
        nodes.Extends,
        nodes.Include,
        nodes.Import,
        nodes.FromImport,
    )
    return not any(map(tree.find, reworked)) and all(
        id(node) in written for node in tree.find_all(nodes.Name) if node.name in names
    )
