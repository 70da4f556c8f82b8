"""How deep the property tests look: `make soak` looks twenty times as deep as `make test`."""

import os

IS_SOAK = bool(os.environ.get("REENGAGE_SOAK"))
DEEPER = 20


def examples(usual: int) -> int:
    """How many examples hypothesis tries."""
    return usual * DEEPER if IS_SOAK else usual
