"""A file of YAML, read: what cannot be read, or says what YAML would read otherwise, is refused."""

from pathlib import Path
from typing import Any

import yaml

from reengage.errors import ConfigurationError
from reengage.yaml_files.plain_yaml import LONGEST, Loader, Misread
from reengage.yaml_files.syntax import explain_yaml


def read_yaml(path: Path, what: str, loader: type[Loader] = Loader) -> tuple[str, Any]:
    """The text of a YAML file, and what it says. what: for people, "policy".

    Raises ConfigurationError for one that cannot be read, is no YAML, or says what YAML would read
    otherwise (plain_yaml).
    """
    text = read_text(path, what)
    return text, parse(path, text, what, loader)


def read_text(path: Path, what: str) -> str:
    """The text of a YAML file. Raises ConfigurationError where there is none to read."""
    try:
        if (size := path.stat().st_size) > LONGEST:
            raise Misread(f"it has {size:,} bytes, and such a file has at most {LONGEST:,}")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: Misread, or no UTF-8
        raise _unreadable(path, what, error) from error


def parse(path: Path, text: str, what: str, loader: type[Loader]) -> Any:
    """What the text of a YAML file says. Raises ConfigurationError as read_yaml does."""
    try:
        return yaml.load(text, loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: Misread
        raise _unreadable(path, what, error) from error


def _unreadable(path: Path, what: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"The {what} {path} cannot be read: {explain_yaml(error, path)}.")
