"""`make simulate`, small: worlds of known effect through the real tables. Its chance is the same
each time, so it comes out the same.
"""

from functools import partial

import pytest

from reengage.cli import main
from reengage.errors import ConfigurationError
from reengage.outcome import comparison, intervals
from reengage_local import simulate
from reengage_local.simulate import NotHonest, run_simulation

# Whoever comes after it finds the run's server where they look for it.
pytestmark = pytest.mark.usefixtures("server")


def test_what_is_said_of_an_effect_is_true_as_often_as_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = run_simulation(60)
    assert found.nothing.worlds == found.something.worlds == 60
    # It tells something: what is there is mostly seen, and what is not is not.
    assert found.something.seen > 35 > 12 > found.nothing.seen
    assert found.nothing.naive_seen_ever > found.nothing.missed_ever
    said = capsys.readouterr().out
    assert "! " not in said
    assert said.count(" % (") == len(found.checks())


def test_an_interval_that_is_too_sure_is_found_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    too_sure = partial(intervals.newcombe, level=0.5)
    monkeypatch.setattr(comparison.intervals, "newcombe", too_sure)
    with pytest.raises(NotHonest, match="holds the truth"):
        run_simulation(simulate.LEAST)
    assert "! " in capsys.readouterr().out


def test_how_many_worlds_is_a_number_of_some_size(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="WORLDS is how many"):
        run_simulation(3)
    assert main(["simulate", "--worlds", "many"]) == 1
    assert "WORLDS is a number" in capsys.readouterr().err
