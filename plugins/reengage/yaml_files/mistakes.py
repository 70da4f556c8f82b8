"""What is wrong with a YAML file that a person wrote, in words they can act on: where it is, what
stands there, and what to write instead.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

MOST_SHOWN = 60  # characters of what somebody wrote
OURS = ("version", "mapping_hash")  # in a model, and in no file


def explain(
    error: ValidationError, text: str | None = None, model: type[BaseModel] | None = None
) -> str:
    """A pydantic error as sentences a person can act on. text: the YAML it is about, for the lines;
    model: what it should have been, for the keys that may stand there.
    """
    root = yaml.compose(text, yaml.SafeLoader) if text else None
    found = [
        _Mistake(e, root, text or "", model)
        for e in error.errors()
        if e["type"] != "default_factory_not_called"  # follows from another
    ]
    meant = {(one.parent, one.near) for one in found if one.near}
    # A key that is misspelt is not missing as well.
    told = [one for one in found if not (one.kind == "missing" and (one.parent, one.key) in meant)]
    told.sort(key=lambda one: one.line or 0)
    return "is not usable:\n" + "\n".join(dict.fromkeys(f"  {one.said()}" for one in told))


def explain_yaml(error: Exception, path: Path) -> str:
    """Why a file is no YAML, or cannot be read at all, as a sentence with its line."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not saved as UTF-8: save it again, as plain text with the encoding UTF-8"
    if isinstance(error, OSError):
        return f"{(error.strerror or 'it cannot be opened').lower()}"
    if isinstance(error, yaml.reader.ReaderError):
        line = path.read_text(encoding="utf-8").count("\n", 0, error.position) + 1
        return f"line {line}: there is a character that cannot be seen; delete it"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    noticed = error.problem_mark.line + 1
    begun = error.context_mark.line + 1 if error.context_mark else noticed
    if opened := _open_quote(path.read_text(encoding="utf-8"), noticed):
        return f"line {opened}: a quotation mark begins here, and its end is missing"
    for sign, where, plain in _YAML:
        if re.search(sign, f"{error.context or ''}; {error.problem or ''}"):
            return f"line {begun if where == 'begin' else noticed}: {plain}"
    return f"line {noticed}: this is no YAML ({error.problem})"


def _open_quote(text: str, noticed: int) -> int:
    """The line of the last text in quotes before a mistake was noticed, if it runs on over the end
    of its line: its end is missing, most likely. 0 for none.
    """
    found = 0
    try:
        for token in yaml.scan(text, yaml.SafeLoader):
            if token.start_mark.line + 1 > noticed:
                break
            if isinstance(token, yaml.ScalarToken) and token.style in ("'", '"'):
                runs_on = token.end_mark.line > token.start_mark.line
                found = token.start_mark.line + 1 if runs_on else 0
    except yaml.YAMLError:
        pass
    return found


# Of the parser's words: whether its line is where something begins, or where it was noticed.
_YAML = (
    (r"'\\t'", "here", "there is a tab: indent with blanks instead"),
    (r"'\[' |flow sequence", "begin", "the [ is not closed: write ] behind the last of the list"),
    (
        r"flow mapping",
        "begin",
        "the { is not closed, or a comma is missing: write {key: value, other: value}",
    ),
    (r"quoted scalar.*unexpected end", "begin", "the quotation mark is not closed"),
    (r"unknown escape", "here", 'a \\ within "…" has a meaning of its own: write it twice, \\\\'),
    (
        r"mapping values are not allowed",
        "here",
        "a colon is where none can be: put a text that holds one in quotes, and see whether the "
        "lines around are indented alike",
    ),
    (
        r"cannot start any token|undefined alias|could not determine a constructor|unhashable|"
        r"alias|scanning an anchor|expected alphabetic",
        "here",
        "a text that begins with one of @ ` % & * ! { [ | > needs quotes",
    ),
    (r"could not find expected ':'", "begin", "behind a key a colon is missing: `key: value`"),
    (
        r"expected <block end>|expected the node content|block mapping|block collection",
        "here",
        "this line is indented otherwise than those it belongs with, or a quotation mark is within "
        "a text",
    ),
    (r"expected a single document", "here", "--- begins a second document: delete it"),
)


@dataclass
class _Mistake:
    """One of pydantic's errors, with its place in the YAML."""

    error: Any
    root: yaml.Node | None
    text: str
    model: type[BaseModel] | None

    def __post_init__(self) -> None:
        self.kind: str = self.error["type"]
        self.limits: dict[str, Any] = self.error.get("ctx", {})
        loc = [part for part in self.error["loc"] if part != "[key]"]
        self.is_key = len(loc) < len(self.error["loc"])
        self.key = str(loc[-1]) if loc else ""
        self.parent = tuple(loc[:-1])
        message = self.error["msg"].removeprefix("Value error, ")
        if not loc and (about := re.match(r"([a-z_]+(?:\.[a-z_]+)*)\b", message)):
            # What is wrong with the whole begins with the key that it is about.
            loc = about[1].split(".")
        self.line, self.node, self.place = _find(self.root, loc)
        if not self.error["loc"]:
            self.place = ""
        self.field = _field(self.model, loc)
        owner = _model_in(_field_type(self.model, loc[:-1])) if self.model else None
        self.allowed = _names(owner)
        self.near = ""
        if self.kind == "missing" and len(loc) == 1:
            self.line = 0
        if self.kind == "extra_forbidden":
            self.homes = [home for home in _homes(self.model, self.key) if home != self.parent]
            likeness = 0.9 if self.homes else 0.65
            self.near = next(iter(get_close_matches(self.key, self.allowed, 1, likeness)), "")

    def said(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        place = f"{self.place}: " if self.place else ""
        said = f" (it says {self.written})" if self.written and self.kind != "missing" else ""
        return f"{where}{place}{self._what()}{said}"

    @property
    def written(self) -> str:
        """What stands there, as it was written; '' for what is more than a value."""
        if self.is_key or self.kind == "extra_forbidden" or not self.error["loc"]:
            return ""
        value = self.error["input"]
        if self.node is not None:
            shown = self.text[self.node.start_mark.index : self.node.end_mark.index].strip()
            is_long = "\n" in shown or isinstance(self.node, yaml.MappingNode)
            return "" if is_long else _clipped(shown or "nothing")
        if self.root is not None or isinstance(value, dict | list | tuple | BaseModel):
            return ""
        return _clipped("nothing" if value is None else str(value))

    @property
    def _value(self) -> str:
        """What stands there, without quotes."""
        if self.node is not None:
            is_one = isinstance(self.node, yaml.ScalarNode)
            return str(self.node.value).strip() if is_one else ""
        value = self.error["input"]
        return str(value).strip() if isinstance(value, str | int | float) else ""

    @property
    def _example(self) -> str:
        if self.field is None:
            return ""
        options = get_args(self.field.annotation)
        is_choice = get_origin(self.field.annotation) is Literal
        examples = self.field.examples or (options if is_choice else ())
        return str(examples[0]) if examples else ""

    def _what(self) -> str:
        kind, value = self.kind, self.error["input"]
        wants = _wanted(kind)
        like = f", like {self._example}" if self._example and "like" not in wants else ""
        if kind == "extra_forbidden":
            return self._unknown()
        if kind == "missing":
            return "is missing" + (f": write `{self.key}: {self._example}`" if like else "")
        if kind == "value_error":
            return str(self.error["msg"]).removeprefix("Value error, ")
        if kind == "yes_no":
            return f"YAML takes this for true or false: {self._no_yes(like)}"
        if self.is_key:
            return "this key is none that can stand here"
        if value is None and wants:
            has_default = self.field is not None and not self.field.is_required()
            return f"is empty: write {wants}{like}" + (
                ", or take the line away" if has_default else ""
            )
        if isinstance(value, list | tuple) and wants and not kind.startswith(("tuple", "list")):
            return f"write {wants}{like}, not a list"
        if isinstance(value, dict) and wants and not kind.startswith(("dict", "model")):
            return f"write {wants}{like}, and no keys below it"
        return self._bounds() or self._remedy(wants, like) or _plain(self.error["msg"])

    def _unknown(self) -> str:
        said = "no such key"
        if self.near:
            said += f"; you may mean {self.near}"
        elif self.homes:
            said += f" here; {self.key} stands below {' or '.join(self.homes[:3])}"
        return said + (f"; allowed are {', '.join(self.allowed)}" if self.allowed else "")

    def _bounds(self) -> str:
        """A number out of its bounds, a text or list that is too short or too long."""
        limits = self.limits
        least = limits.get("ge", limits.get("gt"))
        most = limits.get("le", limits.get("lt"))
        if most is not None:
            if most == 1 and 1 < float(self.error["input"]) <= 100:
                return f"write the share as a part of 1: {_part(self.error['input'])}"
            return f"must be {'at most' if 'le' in limits else 'less than'} {most:g}"
        if least is not None:
            return f"must be {'at least' if 'ge' in limits else 'more than'} {least:g}"
        if (short := limits.get("min_length")) is not None:
            return f"write {'at least one' if short == 1 else f'{short} or more'}"
        if (long := limits.get("max_length")) is not None:
            return f"is too long: at most {long}"
        return ""

    def _no_yes(self, like: str) -> str:
        """What to write instead of a yes, no, on or off that no field takes."""
        annotation = self.field.annotation if self.field else None
        if annotation is str:
            return f'write it in quotes: "{self._value}"'
        if get_origin(annotation) is Literal:
            return f"write one of {', '.join(get_args(annotation))}"
        return f"write a value{like}"

    def _remedy(self, wants: str, like: str) -> str:
        """What to write instead of something of another kind."""
        kind, value = self.kind, self._value
        if kind == "literal_error":
            options = re.findall(r"'([^']*)'", self.limits["expected"])
            near = next(iter(get_close_matches(value.lower(), options, 1)), "")
            meant = f"; you may mean {near}" if near else ""
            return f"write {'one of ' if options[1:] else ''}{', '.join(options)}{meant}"
        if kind.startswith(("int", "float", "finite", "decimal")):
            is_whole = kind.startswith("int")
            plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", value) if is_whole else value
            number = _number(plain, is_share=self._is_share)
            if number and is_whole and not number.lstrip("-").isdigit():
                number = f"{round(float(number))}"
            return f"write {wants}: {number}" if number else f"write {wants}{like}"
        if kind.startswith("time"):
            hour = clock_time(value)
            return f'write the hour in quotes: "{hour}"' if hour else f"write {wants}{like}"
        if kind.startswith("date"):
            return self._day(wants)
        if kind == "string_pattern_mismatch":
            return f"is not written as it has to be{like}"
        if kind.startswith("string"):
            return f'write it in quotes: "{value}"' if value else f"write {wants}{like}"
        if kind.startswith(("tuple", "list", "set")):
            return f"write a list: [{value}]" if value else "write a list: a - before each of it"
        if kind.startswith(("dict", "model", "mapping")):
            names = _names(_model_in(self.field.annotation)) if self.field else []
            return "write its keys below it" + (f": {', '.join(names)}" if names else "")
        if kind.startswith("bool"):
            return "write true or false"
        return ""

    @property
    def _is_share(self) -> bool:
        """Whether the field's numbers are parts of 1."""
        tops = [
            getattr(m, "le", getattr(m, "lt", None)) for m in getattr(self.field, "metadata", ())
        ]
        return 1 in tops

    def _day(self, wants: str) -> str:
        value = self._value
        if day := calendar_day(value):
            time = " 00:00" if self.kind.startswith("datetime") else ""
            return f"write the day as year-month-day: {day}{time}"
        if re.match(r"\d{4}-\d{2}-\d{2}", value):
            if self.kind == "date_from_datetime_inexact":
                return f"write the day alone: {value[:10]}"
            return "there is no such day"
        return f"write {wants}"


def _wanted(kind: str) -> str:
    """What a field of an error of this kind takes."""
    for start, wants in (
        ("int", "a whole number"),
        (("float", "finite", "decimal"), "a number"),
        ("bool", "true or false"),
        ("string", "a text"),
        ("time", "an hour in quotes"),
        ("datetime", "a day and a time, like 2026-11-27 00:00"),
        ("date", "a day, like 2027-12-31"),
        (("tuple", "list", "set"), "a list"),
        (("dict", "model", "mapping"), "its keys below it"),
        ("literal", "one value"),
    ):
        if kind.startswith(start):
            return wants
    return ""


def _part(number: Any) -> str:
    """Percent as a part of 1: 10 is 0.10."""
    part = f"{float(number) / 100:.6f}".rstrip("0")
    return part + "0" * max(0, 4 - len(part))


def _number(value: str, *, is_share: bool) -> str:
    """The number that somebody meant by 0,10, by 10 % or by 7 days; '' where that is not plain."""
    found = re.fullmatch(r"(-?\d+(?:[.,]\d+)?)\s*(%|percent|[a-z]+)?", value.strip(), re.IGNORECASE)
    if found is None:
        return ""
    if re.fullmatch(r"-?\d{1,3},\d{3}", found[1]):
        return ""  # a thousand, or a one with three places
    number = found[1].replace(",", ".")
    is_percent = found[2] in ("%", "percent") or (is_share and float(number) > 1)
    return _part(number) if is_share and is_percent else number


def clock_time(value: str) -> str:
    """The time of day that somebody meant, as HH:MM; '' where that is not plain."""
    found = re.fullmatch(
        r"(\d{1,2})(?:\s*[:.h]\s*(\d{2})(?::\d{2})?)?\s*(?:h|o.?clock|uhr)?\s*([ap])?\.?(?:m\.?)?",
        value.strip().lower(),
    )
    if found is None:
        return ""
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3]:
        if not 1 <= hour <= 12:
            return ""
        hour = hour % 12 + (12 if found[3] == "p" else 0)
    if (hour, minute) == (24, 0):
        return "23:59"
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else ""


def calendar_day(value: str) -> str:
    """The day that somebody meant, as YYYY-MM-DD; '' where it may be another, or is none."""
    year_first = re.fullmatch(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})", value)
    year_last = re.fullmatch(r"(\d{1,2})([-./])(\d{1,2})[-./](\d{4})", value)
    if year_first:
        year, month, day = (int(part) for part in year_first.groups())
    elif year_last:
        first, second, year = int(year_last[1]), int(year_last[3]), int(year_last[4])
        # With full stops the day comes first everywhere; else only a number above 12 tells.
        if year_last[2] != "." and first != second and first <= 12 and second <= 12:
            return ""
        day, month = (second, first) if second > 12 else (first, second)
    else:
        return ""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def _plain(message: str) -> str:
    """One of pydantic's sentences that is said by no other here."""
    return re.sub(r"^(Input|Value|String) should", "it should", message)


def _clipped(shown: str) -> str:
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}…"


# --- the place in the YAML ------------------------------------------------------------------------


def _find(root: yaml.Node | None, loc: list[Any]) -> tuple[int, yaml.Node | None, str]:
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


# --- the model ------------------------------------------------------------------------------------


def _field(model: Any, loc: list[Any]) -> FieldInfo | None:
    """The field of a model that a path leads to; None where it leads to none."""
    field: FieldInfo | None = None
    for key in loc:
        if isinstance(key, int):
            continue
        fields = getattr(model, "model_fields", {})
        by_alias = (f for f in fields.values() if f.alias == key)
        field = fields.get(key) or next(by_alias, None)
        model = _model_in(field.annotation) if field else None
    return field


def _field_type(model: Any, loc: list[Any]) -> Any:
    """The annotation at a path; the model itself at its root."""
    if not [key for key in loc if not isinstance(key, int)]:
        return model
    field = _field(model, loc)
    return field.annotation if field else None


def _names(model: Any) -> list[str]:
    """The keys that a part of a file may have."""
    fields: dict[str, FieldInfo] = getattr(model, "model_fields", {})
    return [field.alias or name for name, field in fields.items() if name not in OURS]


def _homes(model: Any, key: str) -> list[str]:
    """Where else in a model a key stands."""
    return [where for where, name in _keys(model) if name == key and where]


def _keys(model: Any, where: str = "") -> Iterator[tuple[str, str]]:
    for name, field in getattr(model, "model_fields", {}).items():
        known = field.alias or name
        yield where, known
        yield from _keys(_model_in(field.annotation), f"{where}.{known}" if where else known)


def _model_in(annotation: Any) -> Any:
    """The model in an annotation such as tuple[Step, ...] or Rhythm | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = getattr(annotation, "__args__", ())
    return next((model for part in inner if (model := _model_in(part)) is not None), None)
