"""A typist (typist.py) of README's commands: on the days of the demo that are given as arguments,
and without Airflow's own processes.
"""

import sys
from datetime import date
from typing import Any

import requests
import typist

from reengage_local import demo, up


def without_airflow() -> None:
    """Let `make up` run without Airflow: it opens the link that it names, and ends."""
    named: Any = up._example

    def example(base: str) -> str:
        told = str(named(base))
        link = told.partition("recipient: ")[2].rstrip(")")
        answer = requests.get(link, timeout=300).status_code if link else "not: none is named"
        print(f"The link answers {answer}.")
        return told

    def nothing(*_: object) -> Any:
        return {}

    for name, instead in (
        ("_start", nothing),
        ("_wait", nothing),
        ("_watch", nothing),
        ("_example", example),
    ):
        setattr(up, name, instead)


if __name__ == "__main__":
    demo.DAYS[:] = [date.fromisoformat(day) for day in sys.argv[1:]]
    demo.FIRST = demo.DAYS[0]
    without_airflow()
    typist.main()
