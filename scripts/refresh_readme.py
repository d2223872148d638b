"""Runs the README's console blocks and writes what they print into it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
LAUNCHER = [sys.executable, "-c", "from edgekit.cli.main import main; main()"]


def printed(command: str, folder: str) -> str:
    arguments = command.removeprefix("edgekit").split()
    env = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [*LAUNCHER, *arguments], cwd=folder, capture_output=True, text=True, check=False, env=env
    )
    if done.returncode == 0:
        return done.stdout.rstrip()
    text = (done.stderr + done.stdout).replace(f"{Path(folder).resolve()}/", "")
    return f"{text.rstrip()}\n[exit {done.returncode}]"


def main() -> int:
    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "golden").symlink_to(ROOT / "golden")
        for name, code in re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", text, re.S | re.M):
            Path(folder, name).write_text(f"# {name}\n{code}")
        text = re.sub(
            r"^```console\n\$ ([^\n]*)\n.*?^```$",
            lambda m: f"```console\n$ {m[1]}\n{printed(m[1], folder)}\n```",
            text,
            flags=re.S | re.M,
        )
    README.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
