"""Processes of a test's own, which begin with everything imported: a process that imports a test's
module by itself takes a second for it.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import sys
from multiprocessing.context import ForkServerContext

import pytest

OF_TESTS = ("test_outbox", "test_rate")


def context() -> ForkServerContext:
    """What makes such processes, each of which runs a function of one of these modules."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([*OF_TESTS, "psycopg", "reengage_local.sandbox"])
    with pytest.MonkeyPatch.context() as patch:
        # The server looks for modules where a new process of Python does.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        multiprocessing.forkserver.ensure_running()
    return forks
