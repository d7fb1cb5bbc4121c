"""Ask a judge in another process, and start a new one where it was killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


class Judge:
    """A judging process, to be closed in the end."""

    def __init__(self) -> None:
        """Start it at the first job."""
        self._process: subprocess.Popen[str] | None = None

    def ask(self, job: dict[str, Any]) -> str:
        """Give the verdict on a state; the end of the judge is one."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if line:
            verdict: str = json.loads(line)
            return verdict
        code = process.wait(timeout=30)
        self._end()
        return f"killed the process that opened it: {code}"

    def close(self) -> None:
        """End the process."""
        self._end()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.power.judge"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(timeout=30)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()
