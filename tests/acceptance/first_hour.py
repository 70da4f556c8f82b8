"""A process in which somebody types what README says, one command after another, in one home: a
fraction of the time that a process for each would take, most of which is Airflow's import.

Takes JSON on stdin: {"days": the demo's days to run, "commands": [[command, arguments…], …]}, and
tells on stdout, a JSON object a command: its exit code and what it said.
"""

import json
import os
import sys
import tempfile
from datetime import date
from typing import Any

import requests

from reengage import cli
from reengage.local import demo, up


def said(arguments: list[str]) -> dict[str, Any]:
    """A command's exit code, and what it wrote to the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile("w+b") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        try:
            code = cli.main(arguments)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for kept, number in zip(saved, (1, 2), strict=True):
                os.dup2(kept, number)
                os.close(kept)
        output.seek(0)
        return {"code": code, "said": output.read().decode()}


def without_airflow() -> None:
    """Let `make up` run without Airflow: it opens the link that it names, and ends."""
    named: Any = up._example

    def example(base: str) -> str:
        told = str(named(base))
        link = told.partition("recipient: ")[2].rstrip(")")
        answer = requests.get(link, timeout=10).status_code if link else "not: none is named"
        print(f"The link answers {answer}.")
        return told

    def nothing(*_: object) -> Any:
        return {}

    for name, instead in (("_start", nothing), ("_wait", nothing), ("_watch", nothing),
                          ("_example", example)):  # fmt: skip
        setattr(up, name, instead)


def main() -> None:
    """Type it all."""
    wanted = json.loads(sys.stdin.read())
    demo.DAYS[:] = [date.fromisoformat(day) for day in wanted["days"]]
    demo.FIRST = demo.DAYS[0]
    without_airflow()
    for arguments in wanted["commands"]:
        print(json.dumps(said(arguments)), flush=True)


if __name__ == "__main__":
    main()
