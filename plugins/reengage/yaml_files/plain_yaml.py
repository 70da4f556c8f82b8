"""YAML as a person reads it: what it would read otherwise than it looks is refused, with its line.

A key that stands twice (the second would win), a part that is written once and repeated elsewhere
(a page of them unpacks to gigabytes), NO where Norway is meant.
"""

from typing import Any

import yaml

LONGEST = 1 << 20  # bytes of a file that people write
DEEPEST = 50  # levels of one


class Misread(ValueError):
    """What a YAML file says otherwise than its writer meant, with its line."""


class Loader(yaml.SafeLoader):
    """YAML's safe loader. A day or a number that there is not (2027-02-29) stays text, for whoever
    wants one to refuse it.
    """

    _depth = 0

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._anchors: list[Any] = []

    def compose_document(self) -> yaml.Node | None:
        node = super().compose_document()
        for event in self._anchors:
            raise Misread(
                f"line {_line(event)}: &{event.anchor} marks a part so that it can be repeated (an "
                "anchor of YAML), and is no part of what stands there: take it away, or put a text "
                "that begins with & in quotes"
            )
        return node

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise Misread(
                f"line {_line(event)}: *{event.anchor} repeats what is written elsewhere (an alias "
                "of YAML): write it out"
            )
        if getattr(self.peek_event(), "anchor", None):
            self._anchors.append(self.peek_event())
        if self._depth >= DEEPEST:
            raise Misread(f"line {_line(self.peek_event())}: more than {DEEPEST} levels deep")
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise Misread(f"line {_line(key)}: << is not understood here: write the keys out")
            if not isinstance(key, yaml.ScalarNode):
                raise Misread(f"line {_line(key)}: a key is one word, not a list or more keys")
            if key.tag == BOOL and key.value.lower() not in PLAIN:
                raise Misread(f"line {_line(key)}: {as_read(key.value)}")
            if key.value in lines:
                raise Misread(
                    f"line {_line(key)}: {key.value} stands in line {lines[key.value]} already, "
                    "and only one of the two would count: delete one"
                )
            lines[key.value] = _line(key)
        return super().construct_mapping(node, deep)

    def _or_text(self, node: yaml.ScalarNode) -> Any:
        constructor = yaml.SafeLoader.yaml_constructors[node.tag]
        try:
            return constructor(self, node)
        except ValueError:
            return node.value


class Texts(Loader):
    """For files whose values are another's words: a number or a day stays as it was written (007),
    as do true and false. What YAML alone takes for yes or no is told apart, as Unquoted.
    """

    def _as_written(self, node: yaml.ScalarNode) -> str:
        return str(node.value)

    def _word(self, node: yaml.ScalarNode) -> str:
        return node.value if node.value.lower() in PLAIN else Unquoted(node.value)


class Unquoted(str):
    """A word that YAML does not read as a text: NO, yes, on."""

    __slots__ = ()


def as_read(word: str) -> str:
    """What YAML makes of such a word, and what to write instead."""
    meaning = "yes (true)" if word.lower() in ("yes", "on", "true") else "no (false)"
    return f'YAML reads {word} as {meaning}, no text: write "{word}", in quotes'


BOOL = "tag:yaml.org,2002:bool"
PLAIN = ("true", "false")  # that everybody reads alike
for _kind in ("int", "float", "timestamp"):
    Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", Loader._or_text)
    Texts.add_constructor(f"tag:yaml.org,2002:{_kind}", Texts._as_written)
Texts.add_constructor(BOOL, Texts._word)


def _line(part: Any) -> int:
    return int(part.start_mark.line) + 1
