"""Who may import whom: CONTRIBUTING's table, held to every module."""

import ast
import functools
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from reengage.settings import PROJECT

PLUGINS = PROJECT / "plugins"
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def table(title: str) -> Iterator[list[str]]:
    """The rows of the table whose first heading this is, without their headings."""
    found = re.search(rf"^\| {title} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", CONTRIBUTING, re.MULTILINE)
    assert found, f"CONTRIBUTING.md has no table of each {title}"
    for line in found[1].splitlines():
        yield [cell.strip() for cell in line.strip("|").split("|")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


ROWS = list(table("package"))
SHARED = frozenset(names(ROWS[0][0]))
MAY_IMPORT = {package: frozenset(names(row[2])) for row in ROWS[1:] for package in names(row[0])}
LIBRARIES = {names(row[0])[0]: tuple(names(row[1])) for row in table("library")}

MODULES = {
    ".".join(file.relative_to(PLUGINS).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PLUGINS.rglob("*.py"))
}


def package_of(module: str) -> str:
    """The table's name of what a module belongs to; "" of the root."""
    root, *rest = module.split(".")
    return root if root != "reengage" else (rest or [""])[0]


@functools.cache
def imported(module: str) -> set[str]:
    """The modules that one imports anywhere in it, in a function and for types, too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports say the whole name"
            assert node.module
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return found - {module}


def test_the_table_names_every_package_and_nothing_else() -> None:
    there = {package_of(module) for module in MODULES} - {""}
    assert there == SHARED | MAY_IMPORT.keys()


def test_a_package_imports_what_stands_above_it_alone() -> None:
    order = [package for row in ROWS for package in names(row[0])]
    for package, others in MAY_IMPORT.items():
        assert {order.index(other) < order.index(package) for other in others} <= {True}, package


@pytest.mark.parametrize("package", sorted(SHARED | MAY_IMPORT.keys()))
def test_a_package_imports_what_the_table_says(package: str) -> None:
    used = {
        package_of(other)
        for module in MODULES
        if package_of(module) == package
        for other in imported(module)
        if other in MODULES
    } - {"", package}
    allowed = MAY_IMPORT.get(package, frozenset())
    assert used - SHARED <= allowed
    assert allowed <= used, "the table allows what nothing uses"


def test_no_modules_import_each_other() -> None:
    ours = {module: imported(module) & MODULES.keys() for module in MODULES}
    try:
        tuple(TopologicalSorter(ours).static_order())
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_where_the_table_says(library: str) -> None:
    users = {
        module
        for module in MODULES
        if library in {other.split(".")[0] for other in imported(module)}
    }
    homes = LIBRARIES[library]
    assert {m for m in users if not any(f"{m}.".startswith(f"{home}.") for home in homes)} == set()
    assert all(any(f"{m}.".startswith(f"{home}.") for m in users) for home in homes)
