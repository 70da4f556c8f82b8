"""Why a file is no YAML, or cannot be read at all, in words."""

import re
from pathlib import Path

import yaml


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
