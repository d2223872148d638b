"""Everything from a bare Python 3.11 and pip: `python3 scripts/dev.py demo` and `... test`.

Uses the standard library alone. It makes a virtual environment (`.venv` beside the repository's
files, or `$EDGEKIT_VENV`), installs edgekit into it at the pinned versions, and runs the command.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("EDGEKIT_VENV", ROOT / ".venv"))
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
DEMO_MODEL = ROOT / "golden" / "models" / "digits_cnn_torch" / "model.onnx"


def run(*command: str | Path, **options: object) -> int:
    print("$", *(str(c).replace(f"{ROOT}/", "") for c in command), flush=True)
    return subprocess.run([str(c) for c in command], cwd=ROOT, check=False, **options).returncode  # type: ignore[call-overload]


def install(*extras: str) -> None:
    """Installs edgekit with extras, once for each state of the pins."""
    if not (3, 11) <= sys.version_info < (3, 14):
        sys.exit(f"edgekit needs Python 3.11 to 3.13; this is {sys.version.split()[0]}")
    pins = (ROOT / "constraints.txt").read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    stamp = VENV / f"edgekit-{'-'.join(('base', *extras))}-{hashlib.sha256(pins).hexdigest()[:16]}"
    if stamp.exists():
        return
    if not (BIN / "python").exists():
        print(f"making a virtual environment in {VENV}", flush=True)
        venv.create(VENV, with_pip=True)
    wanted = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    start = time.monotonic()
    pip = (BIN / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    if run(*pip, "--constraint", ROOT / "constraints.txt", "--editable", wanted):
        sys.exit("the installation failed; the lines above say why")
    stamp.touch()
    print(f"installed in {time.monotonic() - start:.0f} s", flush=True)


def demo(args: argparse.Namespace) -> int:
    """Converts a shipped model to TFLite, verifies it, and writes the report."""
    install()
    out = ROOT / "out" / "demo"
    report = ROOT / "out" / "demo.html"
    return run(BIN / "edgekit", "convert", DEMO_MODEL, "--output", out, "--html", report)


def test(args: argparse.Namespace) -> int:
    """Runs the linters, the type checker, the import contracts and the tests."""
    install("dev", *([] if args.light else ["torch", "keras", "coreml", "tvm", "npu", "images"]))
    checks = (
        [BIN / "ruff", "check", "."],
        [BIN / "ruff", "format", "--check", "."],
        [BIN / "mypy"],
        [BIN / "lint-imports"],
        [BIN / "python", "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q", *args.pytest],
    )
    # as many workers as cores: threads of NumPy's BLAS would only wait for each other
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    failed = [check for check in checks if run(*check, env=alone)]
    for check in failed:
        print("failed:", *(Path(c).name if isinstance(c, Path) else c for c in check[:3]), flush=True)
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("demo", help=demo.__doc__)
    command.set_defaults(function=demo)
    command = commands.add_parser("test", help=test.__doc__)
    command.add_argument(
        "--light", action="store_true", help="leave out the optional packages; their tests skip"
    )
    command.add_argument("pytest", nargs="*", help="passed to pytest")
    command.set_defaults(function=test)
    args = parser.parse_args()
    return int(args.function(args))


if __name__ == "__main__":
    sys.exit(main())
