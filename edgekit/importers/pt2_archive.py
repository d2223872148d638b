"""`.pt2` archives: what in them would run code when PyTorch loads them, found before it does.

`torch.export.load` unpickles some records without restriction, loads compiled libraries, looks up
functions by the names that the graph gives, and evaluates symbolic sizes as Python. A file in which
none of this can happen loads without a flag.
"""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Where, error
from edgekit.importers import files

_MAX_JSON = 256 * 2**20
_CODE_FOLDERS = ("data/aotinductor/", "data/executorch/", "data/mtia/")
_TARGET = re.compile(
    r"torch\.ops\.(?!_|higher_order)\w+\.(?!__)\w+(\.(?!__)\w+)?"
    r"|torch\.ops\.higher_order\.(cond|while_loop|map_impl|scan|associative_scan|wrap_with_set_grad_enabled)"
    r"|torch\._?sym_\w+"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|math\.(ceil|floor|trunc|sqrt|log2)"
)
"""Names that a graph may call: registered operators, control flow, and arithmetic on sizes."""

_EXPRESSION_CALLS = re.compile(
    "Symbol|Integer|Rational|Float|Add|Mul|Mod|PythonMod|Max|Min|Eq|Ne|Equality|Unequality|Lt|Le|Gt|Ge|"
    "StrictLessThan|LessThan|StrictGreaterThan|GreaterThan|And|Or|Not|ceiling|floor|FloorDiv|CeilDiv|CleanDiv|"
    "ModularIndexing|CeilToInt|FloorToInt|TruncToInt|ToFloat|IntTrueDiv|FloatTrueDiv|Identity"
)
"""Functions of symbolic sizes; powers are left out, for they can be made to take forever."""

_SYMBOL = re.compile(r"[a-z]+\d*|int_oo")


def read(torch: Any, path: Path, *, allow_pickle: bool) -> Any:
    """Loads the exported program of a `.pt2` archive.

    Args:
        torch: The module `torch`.
        path: The file.
        allow_pickle: Load it even when that runs code stored in it.

    Returns:
        The `torch.export.ExportedProgram`.

    Raises:
        EdgekitError: EK102 or EK103 when it is not such an archive, EK111 when it would run code.
    """
    where = Where(file=str(path))
    try:
        reader = torch._C.PyTorchFileReader(str(path))
    except RuntimeError as failure:
        raise files.unlike(path, files.head(path), "a `.pt2` archive") from failure
    if not allow_pickle:
        found = list(dict.fromkeys(_risks(torch, reader)))
        if found:
            raise error(
                "EK111",
                f"loading `{path}` can run code stored in it",
                where=where,
                notes=found[:8],
                help="export the model again, or pass `--allow-pickle` when you trust the file",
            )
    del reader
    try:
        return torch.export.load(path)
    except Exception as failure:
        message = f"`{path}` cannot be loaded as an exported program"
        notes = [f"{type(failure).__name__}: {str(failure)[:300]}"]
        raise error("EK103", message, where=where, notes=notes) from failure


def _risks(torch: Any, reader: Any) -> Iterator[str]:
    """Yields a sentence for every part of an archive that could run code."""
    names = reader.get_all_records()
    if "archive_format" not in names:
        yield "it has the format from before PyTorch 2.8, whose records are pickles"
        return
    for name in names:
        if name.startswith(_CODE_FOLDERS):
            yield f"`{name}` belongs to a compiled library"
        elif name.endswith(".pt") and not _is_plain(torch, reader.get_record(name)):
            yield f"`{name}` is a pickle of more than tensors"
        elif name.startswith(("data/weights/", "data/constants/")) and name.endswith("_config.json"):
            yield from _payload_risks(_json(reader, name))
        elif name.startswith("models/"):
            if b"__enum__" in reader.get_record(name):
                yield f"`{name}` names Python modules to import"
            yield from _graph_risks(_json(reader, name))


def _is_plain(torch: Any, record: bytes) -> bool:
    try:
        torch.load(io.BytesIO(record), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 (whatever the loader refuses is not plain)
        return record == b""
    return True


def _json(reader: Any, name: str) -> Any:
    record = reader.get_record(name)
    if len(record) > _MAX_JSON:
        raise error("EK107", f"the record `{name}` has {len(record)} bytes, {_MAX_JSON} are accepted")
    try:
        return json.loads(record)
    except (ValueError, RecursionError) as failure:
        raise error("EK103", f"the record `{name}` is not valid JSON") from failure


def _payload_risks(config: Any) -> Iterator[str]:
    for values in _objects(config):
        path = values.get("path_name")
        if values.get("use_pickle") or (
            isinstance(path, str) and path.startswith(("custom_obj", "opaque_obj"))
        ):
            yield f"`{path}` is a pickle"


def _graph_risks(model: Any) -> Iterator[str]:
    for values in _objects(model):
        for key in ("target", "as_operator"):
            target = values.get(key)
            if isinstance(target, str) and _is_lookup(target) and not _TARGET.fullmatch(target):
                yield f"the graph calls `{target[:80]}`"
        expression = values.get("expr_str")
        if isinstance(expression, str) and not is_plain_expression(expression):
            yield f"a size is the expression `{expression[:80]}`"


def _is_lookup(target: str) -> bool:
    """Says whether PyTorch resolves a target; other texts are names of inputs and weights."""
    return target.startswith(("torch", "_operator", "math", "#"))


def is_plain_expression(text: str) -> bool:
    """Says whether an expression of sizes is only numbers, symbols and known functions of them."""
    try:
        tree = ast.parse(text, mode="eval")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    calls = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return len(text) < 10_000 and all(_is_plain_part(node, id(node) in calls) for node in ast.walk(tree))


def _is_plain_part(node: ast.AST, called: bool) -> bool:
    if isinstance(node, ast.Name):
        return (_EXPRESSION_CALLS if called else _SYMBOL).fullmatch(node.id) is not None
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool | int | float) or re.fullmatch(r"\w+", str(node.value)) is not None
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name)
    return isinstance(
        node,
        ast.Expression
        | ast.Load
        | ast.keyword
        | ast.UnaryOp
        | ast.USub
        | ast.BinOp
        | ast.Add
        | ast.Sub
        | ast.Mult,
    )


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yields every object in a JSON value."""
    todo = [value]
    while todo:
        current = todo.pop()
        if isinstance(current, dict):
            yield current
            todo.extend(current.values())
        elif isinstance(current, list):
            todo.extend(current)
