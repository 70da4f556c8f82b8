"""Where in a YAML document, and in the model of it, a value stands."""

from collections.abc import Iterator
from typing import Any, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

OURS = ("version", "text", "mapping_hash")  # in a model, and in no file


def find(root: yaml.Node | None, loc: list[Any]) -> tuple[int, yaml.Node | None, str]:
    """Line (from 1; 0 without a YAML), node and name of a path into a YAML document. The node is
    None where the path ends above: what is missing has none.
    """
    if root is None:
        return 0, None, ".".join(map(str, loc))
    line, node, names = root.start_mark.line, root, []
    is_there = True
    for at, key in enumerate(loc):
        child = None
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(key)), None)
            if pair is not None:
                names.append(str(key))
                line, child = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            child = node.value[key]
            line = child.start_mark.line
            name = _name_of(child)
            if name or isinstance(child, yaml.MappingNode):
                names.append(name or str(key + 1))
        if child is None:
            # What is missing; else the name of one of several kinds that a value may have.
            if at == len(loc) - 1:
                is_there = False
                names.append(str(key))
            continue
        node = child
    return line + 1, node if is_there else None, ".".join(names)


def _name_of(node: yaml.Node) -> str:
    """The name of a part of a list: a step's, a question's."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "name" and isinstance(value, yaml.ScalarNode):
                return str(value.value)
    return ""


def field_at(model: Any, loc: list[Any]) -> FieldInfo | None:
    """The field of a model that a path leads to; None where it leads to none."""
    field: FieldInfo | None = None
    is_name = False  # of an entry, which no model knows
    for key in loc:
        if isinstance(key, int):
            continue
        if is_name:
            is_name = False
            continue
        fields = getattr(model, "model_fields", {})
        by_alias = (f for f in fields.values() if f.alias == key)
        field = fields.get(key) or next(by_alias, None)
        model = model_in(field.annotation) if field else None
        is_name = field is not None and get_origin(field.annotation) is dict
    return field


def type_at(model: Any, loc: list[Any]) -> Any:
    """The annotation at a path; the model itself at its root."""
    if not [key for key in loc if not isinstance(key, int)]:
        return model
    field = field_at(model, loc)
    return field.annotation if field else None


def keys_of(model: Any) -> list[str]:
    """The keys that a part of a file may have."""
    fields: dict[str, FieldInfo] = getattr(model, "model_fields", {})
    return [field.alias or name for name, field in fields.items() if name not in OURS]


def homes_of(model: Any, key: str) -> list[str]:
    """Where else in a model a key stands."""
    return [where for where, name in _keys(model) if name == key and where]


def _keys(model: Any, where: str = "") -> Iterator[tuple[str, str]]:
    for name, field in getattr(model, "model_fields", {}).items():
        known = field.alias or name
        yield where, known
        yield from _keys(model_in(field.annotation), f"{where}.{known}" if where else known)


def model_in(annotation: Any) -> Any:
    """The model in an annotation such as tuple[Step, ...] or Rhythm | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = getattr(annotation, "__args__", ())
    return next((model for part in inner if (model := model_in(part)) is not None), None)
