"""Progress is told where somebody looks: on the terminal, and in the log."""

import io
import logging

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


def test_how_long_it_took_is_said_with_how_fast_that_was() -> None:
    assert progress.pace(4_000, 8.0) == "8.0 s (500 a second)"
    assert progress.pace(0, 8.0) == "8.0 s"
