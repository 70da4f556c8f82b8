"""A typist (typist.py) whose days note in a file, whenever a source has been read, the most memory
that their process has had: a JSON object a source.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import typist

from reengage.ingest.sources import load

MIB = 2**20


def note_memory(file: Path) -> None:
    """Let whatever reads a source say so."""
    read = load.load_named

    def load_named(*given: Any) -> Any:
        loaded = read(*given)
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        with file.open("a", encoding="utf-8") as notes:
            notes.write(json.dumps({"source": given[1], "mib": int(found[1]) * 1024 // MIB}) + "\n")
        return loaded

    load.load_named = load_named


if __name__ == "__main__":
    note_memory(Path(sys.argv[1]))
    typist.main()
