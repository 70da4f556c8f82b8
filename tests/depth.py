"""How deep the property tests look: `make soak` looks twenty times as deep as `make test`, or
TIMES as deep where it is told so, and CI, whose machines are small, half as deep.
"""

import os

from hypothesis import HealthCheck, settings

DEEPER = int(os.environ.get("REENGAGE_SOAK") or 0)
IS_SOAK = DEEPER > 0
IS_CI = bool(os.environ.get("CI"))
USUAL = 100


def examples(usual: int) -> int:
    """How many examples hypothesis tries."""
    if IS_SOAK:
        return usual * DEEPER
    return (usual + 1) // 2 if IS_CI else usual


# On a busy machine an example takes as long as it takes: slowness shows no defect. And a warehouse
# that examples share is emptied by the test that they are of.
settings.register_profile(
    "busy",
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
    max_examples=examples(USUAL),
    derandomize=False,
)
