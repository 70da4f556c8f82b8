"""The forms of a landing page, as somebody fills them in."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import urlsplit

# What a page asks for: the press that ends its form, the first that there is.
ACTS = ("answers", "enter", "confirm")


def beacon_path(page: str) -> str:
    """What a browser asks for when a hand is on a landing page; '' where the page says nothing."""
    found = re.search(r'url\("(/[^"]+)"\)', page)
    return found[1] if found else ""


class _Field(NamedTuple):
    """A field of a form. kind: radio, checkbox, hidden, textarea, button, …"""

    name: str
    kind: str
    value: str
    is_required: bool


class _Forms(HTMLParser):
    """The forms of a page: action and named fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, list[_Field]]] = []
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), []))
            self._open = True
        elif self._open and tag in ("input", "button", "textarea") and given.get("name"):
            kind = given.get("type", "text") if tag == "input" else tag
            self.forms[-1][1].append(
                _Field(given["name"], kind, given.get("value", ""), "required" in given)
            )

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def opt_out_form(page: str, path: str) -> tuple[str, dict[str, str]]:
    """Where a landing page's opt-out button posts to, and with which fields. Without such a form
    on the page, {path}/opt-out with none.
    """
    for action, fields in _Forms(page).forms:
        target = urlsplit(action).path
        if target.rstrip("/").endswith("opt-out"):
            base = path.rsplit("/", 1)[0]
            absolute = target if target.startswith("/") else f"{base}/{target}"
            return absolute, {field.name: field.value for field in fields}
    return f"{path}/opt-out", {}


def filled_form(
    page: str, chance: Callable[[str], float]
) -> tuple[str, list[tuple[str, str]]] | None:
    """What a page asks for, as somebody fills it in: where it posts to, and the fields; None where
    it asks for nothing.

    One of the options of a question, whatever must be ticked, and no words but where there must be
    some. chance: a number in [0, 1) for a field's name.
    """
    forms = {action.rsplit("/", 1)[-1]: (action, fields) for action, fields in _Forms(page).forms}
    found = next((forms[act] for act in ACTS if act in forms), None)
    if found is None:
        return None
    action, fields = found
    options: dict[str, list[_Field]] = {}
    for field in fields:
        if field.kind != "button":
            options.setdefault(field.name, []).append(field)
    filled = []
    for name, fields in options.items():
        chosen = fields[int(chance(name) * len(fields))]
        if chosen.kind == "textarea":
            if chosen.is_required:
                filled.append((name, "It is all fine."))
        else:
            filled.append((name, chosen.value))
    return action, filled
