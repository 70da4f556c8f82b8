"""include/journey.yaml, read and checked."""

import functools
import hashlib
from pathlib import Path

from pydantic import ValidationError

from reengage.errors import ConfigurationError
from reengage.policy.model import Policy
from reengage.settings import settings
from reengage.yaml_files.mistakes import explain
from reengage.yaml_files.plain_yaml import Loader
from reengage.yaml_files.reading import parse, read_text


def read_policy(path: Path | None = None) -> Policy:
    """The policy of this installation, or of the file given.

    Raises ConfigurationError: the file, the line, what is wrong and what is allowed.
    """
    path = path or settings().policy
    return _policy(path, read_text(path, "policy"))


@functools.lru_cache(maxsize=8)
def _policy(path: Path, text: str) -> Policy:
    """What a policy's text says. Kept, as every task reads the policy and few are changed."""
    content = parse(path, text, "policy", Loader)
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"The policy {path} says nothing in `key: value`: see include/journey.yaml."
        )
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    try:
        return Policy.model_validate({"version": version, "text": text, **content})
    except ValidationError as error:
        raise ConfigurationError(f"The policy {path} {explain(error, text, Policy)}") from error
