"""`reengage day` under a policy that has a person asked, as that person runs it."""

from collections import Counter
from pathlib import Path

from test_day import AS_OF, Data, Home, data, done, homes

__all__ = ["data", "homes"]


def answered(home: Home, approve: str, code: int = 0) -> tuple[str, str]:
    return done(home.popen("day", "--as-of", AS_OF.isoformat(), "--approve", approve), code)


def test_a_day_waits_for_its_answer_and_takes_it(homes: dict[str, Home], data: Data) -> None:
    home = homes["tokyo"]
    _, refused = answered(home, "yes", code=1)
    assert "approval: never" in refused and not (home.folder / "postgres").exists()

    file = Path(home.environment["REENGAGE_POLICY"])
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("approval: never", "approval: always"), encoding="utf-8")

    shown, waits = done(home.day(), code=1)
    assert "to be written to" in shown and "Gates" in shown
    assert f"make day AS_OF={AS_OF} APPROVE=yes" in waits and "APPROVE=no" in waits
    assert home.accepted() == Counter()
    query = "SELECT DISTINCT status::text FROM outbox.message"
    assert home.fetch(query) == [("draft",)]

    answered(home, "no")
    assert home.accepted() == Counter() and home.fetch(query) == [("cancelled",)]
