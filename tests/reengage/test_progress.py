"""Progress is told where somebody looks: on the terminal, and in the log."""

import io
import logging
import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from reengage import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("screen", [Terminal(), io.StringIO()])
def test_progress_shows_rows_rate_and_time_left(
    screen: io.StringIO, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "screen", screen)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, "reengage"):
        passed = list(progress.progress(range(600), "crm.csv", "rows", 1_000))
    assert passed == list(range(600))
    assert "crm.csv: 512 rows, " in caplog.text and " a second, about " in caplog.text
    assert ("crm.csv" in screen.getvalue()) == screen.isatty()


def test_what_is_slow_is_told_of_as_well(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A few batches, each of which takes its time."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, "reengage"):
        list(progress.progress(range(3), "sending", "batches"))
    assert "sending: 3 batches, " in caplog.text


def test_a_person_at_a_terminal_reads_short_figures() -> None:
    """On a pseudo-terminal, as the process itself draws it."""
    leader, follower = pty.openpty()
    script = (
        "import time\nfrom reengage import progress\n"
        "def rows():\n"
        "    for _ in range(3):\n"
        "        time.sleep(0.6)\n"
        "        yield from range(20_000)\n"
        "list(progress.progress(rows(), 'orders.csv', 'rows', 3_000_000))\n"
    )
    termios.tcsetwinsize(follower, (24, 100))
    subprocess.run([sys.executable, "-c", script], stderr=follower, check=True, timeout=300)
    os.set_blocking(leader, False)
    shown = os.read(leader, 65_536)
    os.close(leader)
    os.close(follower)
    text = shown.decode()
    assert re.search(r"orders\.csv: +1%\|.*\| 40\.0k/3\.00M \[00:\d\d<.*k rows/s\]", text), text
    assert text.endswith("\r"), "and is gone at the end"


def test_how_long_it_took_is_said_with_how_fast_that_was() -> None:
    assert progress.pace(4_000, 8.0) == "8.0 s (500 a second)"
    assert progress.pace(0, 8.0) == "8.0 s"
