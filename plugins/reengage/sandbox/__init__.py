"""A local SMS provider that texts nobody, and simulated people who react to it."""

from reengage.sandbox.recipients import Recipients, SandboxError
from reengage.sandbox.server import Faults, connection, create_sandbox

__all__ = ["Faults", "Recipients", "SandboxError", "connection", "create_sandbox"]
