"""A process in which somebody types one command after another, in one home: a fraction of the time
that a process for each would take, most of which is Airflow's import.

Told on stdin, a JSON object a line: {"arguments": of reengage, "environment": for this command
alone}; answers on stdout, a JSON object a line: its exit code and what it said.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import patience

TESTS = Path(__file__).parents[1]


class Typist:
    """Such a process, with the environment given, in a folder. program: the file that it runs."""

    def __init__(
        self, environment: dict[str, str], folder: Path, program: str = __file__, *given: str
    ) -> None:
        self._log = folder / "typist.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", program, *given],
                env={**environment, "PYTHONPATH": str(TESTS)},
                cwd=folder,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def begin(self, *arguments: str, **environment: str) -> None:
        """Type a command, and do not wait for its end."""
        assert self._process.stdin
        told = {"arguments": arguments, "environment": environment}
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """How the command begun came out: its exit code, and what it said."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(self._log.read_text(encoding="utf-8", errors="replace")[-3000:])
        came = json.loads(line)
        return came["code"], came["said"]

    def type(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Type a command, and see how it comes out."""
        self.begin(*arguments, **environment)
        return self.end()

    def most_memory(self) -> int:
        """The most that the process has had so far, in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024

    def leave(self) -> None:
        """Nothing more is typed."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(patience.SECONDS)
        finally:
            self._process.kill()
            self._process.stdout.close()


def said(arguments: list[str]) -> dict[str, Any]:
    """A command's exit code, and what it wrote to the terminal."""
    from reengage import cli

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


def main() -> None:
    """Type it all."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else is printed is no answer
    for line in sys.stdin:
        told = json.loads(line)
        before = {name: os.environ.get(name) for name in told["environment"]}
        os.environ |= told["environment"]
        answers.write(json.dumps(said(told["arguments"])) + "\n")
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


if __name__ == "__main__":
    main()
