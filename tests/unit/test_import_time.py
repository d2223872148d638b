"""What is imported before anything is done: start-up stays fast because little is imported."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import edgekit

PACKAGE = Path(edgekit.__file__).parent
HEAVY = frozenset(
    (
        *("ai_edge_litert", "coremltools", "ethosu", "hls4ml", "keras", "onnxruntime", "onnxscript"),
        *("tensorflow", "tf2onnx", "tf_keras", "torch", "tvm"),
    )
)
NAMED_BY = {"lowering/tvm/adapter.py": frozenset(("tvm",))}
"""Modules whose only purpose is to give the names of one library."""
SLOW = HEAVY | {
    "flatbuffers",
    "jinja2",
    "ml_dtypes",
    "numpy",
    "onnx",
    "onnx_ir",
    "pydantic",
    "rich",
    "safetensors",
}
HELP = frozenset({"edgekit", "edgekit.cli", "edgekit.cli.exit", "edgekit.cli.main"})

PROBE = """
import json, sys
sys.argv = ["edgekit", *json.loads(sys.argv[1])]
before = set(sys.modules)
from edgekit.cli.main import main
try:
    main()
except SystemExit as ending:
    code = ending.code
sys.stdout.flush()
print()
print(json.dumps({"code": code, "modules": sorted(set(sys.modules) - before)}))
"""


def imported(*arguments: str) -> set[str]:
    """Returns the modules that a command line imports, in a fresh interpreter."""
    child = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(arguments)], capture_output=True, text=True, check=True
    )
    answer = json.loads(child.stdout.splitlines()[-1])
    assert answer["code"] == 0, child.stderr
    return set(answer["modules"])


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("arguments", [("--help",), ()])
def test_help_imports_click_and_four_modules_of_ours(arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments)
    assert {m for m in modules if m.partition(".")[0] == "edgekit"} == HELP
    assert packages(modules) - set(sys.stdlib_module_names) == {"click", "edgekit"}


@pytest.mark.parametrize(
    "arguments",
    [
        *(("inspect", "--help"), ("convert", "--help"), ("run", "--help"), ("doctor", "--help")),
        *(("explain", "EK901"), ("explain", "--json"), ("--version",)),
    ],
)
def test_help_of_commands_and_explanations_import_nothing_slow(arguments: tuple[str, ...]) -> None:
    assert packages(imported(*arguments)) & SLOW == set()


def test_importing_the_package_imports_nothing_slow() -> None:
    code = "import sys; before = set(sys.modules); import edgekit; print(*sorted(set(sys.modules) - before))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(child.stdout.split())
    assert packages(modules) - set(sys.stdlib_module_names) == {"edgekit"}
    assert modules & HELP == {"edgekit"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_on_use_never_with_a_module(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = NAMED_BY.get(path.relative_to(PACKAGE).as_posix(), frozenset())
    assert {name for name in _top_level_imports(tree) if name in HEAVY} == own


def test_what_names_a_library_is_itself_imported_on_use() -> None:
    """Only the backend that is asked for imports such a module."""
    code = "import sys, edgekit.api, edgekit.lowering.backends, edgekit.runners, edgekit.cli.convert; "
    code += "print(*sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert packages(set(child.stdout.split())) & HEAVY == set()


def _top_level_imports(tree: ast.Module) -> set[str]:
    """Returns the packages imported outside functions and outside `if TYPE_CHECKING`."""
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending += ast.iter_child_nodes(node)
    return found
