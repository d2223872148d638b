# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["edgekit[keras]", "pillow"]
# ///
"""Convert and verify every model of the optional corpus, and write docs/corpus.md.

Each model is measured in a process of its own with a time limit. Exits 1 if a float model is not verified.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from corpus import page, scan
from corpus.measure import measure

from edgekit.importers.keras_process import QUIET

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
PAGE = ROOT / "docs" / "corpus.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of the models")
    parser.add_argument("--output", type=Path, default=PAGE, help="page to write")
    parser.add_argument("--only", metavar="TEXT", help="only print the results of paths with TEXT in them")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds per model")
    parser.add_argument("--one", nargs=2, type=Path, metavar=("MODEL", "JSON"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.corpus.is_dir():
        parser.error(f"the optional model corpus is not at `{options.corpus}`")
    if options.one:
        model, target = options.one
        target.write_text(json.dumps(measure(options.corpus, model)))
        return 0
    measured = []
    for model in scan.models(options.corpus):
        if options.only and options.only not in str(model.path.relative_to(options.corpus)):
            continue
        row = _measured(options.corpus, model.path, options.timeout)
        measured.append((model, row))
        print(_line(model.path, row), flush=True)
    if options.only:
        print(json.dumps([row for _, row in measured], indent=1))
    else:
        others, sources = scan.skipped(options.corpus), scan.sources(options.corpus)
        options.output.write_text(page.write(options.corpus, measured, others, sources))
    return 0 if all(row.get("quantised") or page.verified(row) for _, row in measured) else 1


def _measured(folder: Path, model: Path, timeout: float) -> dict[str, Any]:
    """Measures one model in a child process; what goes wrong there becomes a failure in the table."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "row.json"
        command = [sys.executable, __file__, "--corpus", folder, "--one", model, target]
        environment = os.environ | QUIET
        child = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # with the processes that it started
            child.wait()
            return _failure(f"it took longer than {timeout:g} s")
        if child.returncode or not target.exists():
            return _failure(f"the process ended with {child.returncode}")
        row: dict[str, Any] = json.loads(target.read_text())
        return row


def _failure(text: str) -> dict[str, Any]:
    return {"failure": {"code": "no result", "text": text}}


def _line(model: Path, row: dict[str, Any]) -> str:
    if "failure" in row:
        return f"{model.name}: {row['failure']['code']} {row['failure']['text']}"
    kind = "quantised" if row["quantised"] else "float"
    return f"{model.name}: {kind}, {'verified' if page.verified(row) else 'NOT VERIFIED'}"


if __name__ == "__main__":
    sys.exit(main())
