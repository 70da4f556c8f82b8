"""A local SMS provider that texts nobody, and simulated people who react to it."""

from reengage_local.sandbox.recipients import Recipients, SandboxError, last_link
from reengage_local.sandbox.server import Faults, RefusedNumber, connection, create_sandbox

__all__ = [
    "Faults",
    "Recipients",
    "RefusedNumber",
    "SandboxError",
    "connection",
    "create_sandbox",
    "last_link",
]
