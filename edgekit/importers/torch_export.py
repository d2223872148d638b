"""Runs PyTorch's ONNX exporter quietly, and tells where in the user's code it gave up."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import traceback
import warnings
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import onnx_ir as ir

from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, Where, error
from edgekit.importers.origins import frames, is_user_file, user_frame

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")
_INTERNAL_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


def export(
    torch: Any, source: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, dynamic_shapes: Any
) -> tuple[Any, list[Diagnostic]]:
    """Exports a module or an exported program.

    The exporter's own optimiser stays off: it would fuse nodes and keep the origin of one of them.

    Args:
        torch: The module `torch`.
        source: A `torch.nn.Module` or a `torch.export.ExportedProgram`.
        args: Positional example inputs.
        kwargs: Example inputs by name.
        dynamic_shapes: As `torch.export.export` takes them.

    Returns:
        The `torch.onnx.ONNXProgram`, and what the user's code was warned of.

    Raises:
        EdgekitError: EK110 with the op, the scope and the source line, as far as they are known.
    """
    with quiet() as caught:
        try:
            program = torch.onnx.export(
                source,
                args,
                kwargs=None if kwargs is None else dict(kwargs),
                dynamic_shapes=dynamic_shapes,
                dynamo=True,
                optimize=False,
                verbose=False,
            )
        except Exception as failure:
            raise _explained(torch, failure, source) from failure
    return program, _user_warnings(caught)


@contextlib.contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Keeps PyTorch from printing and logging; yields the list that collects warnings."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            yield caught
    finally:
        logging.disable(before)


def _user_warnings(caught: list[warnings.WarningMessage]) -> list[Diagnostic]:
    found: dict[tuple[str, int, str], Diagnostic] = {}
    for warning in caught:
        if issubclass(warning.category, _INTERNAL_WARNINGS) or not is_user_file(warning.filename):
            continue
        text = _first_line(str(warning.message))
        where = Where(file=warning.filename, line=warning.lineno)
        found[(warning.filename, warning.lineno, text)] = Diagnostic(
            "EK110", f"the exporter warns: {text}", Severity.NOTE, where
        )
    return list(found.values())


def _explained(torch: Any, failure: Exception, source: Any) -> EdgekitError:
    """Turns what the exporter raised into a diagnostic."""
    causes = [failure]
    while isinstance(causes[-1].__cause__, Exception):
        causes.append(causes[-1].__cause__)
    for cause in causes:
        for frame in _tracebacks(cause.__traceback__):
            node = frame.tb_frame.f_locals.get("node")
            if isinstance(node, torch.fx.Node) and node.op == "call_function":
                return _no_onnx_form(node, causes[-1])
    captured = type(failure).__name__ != "TorchExportError"
    return _failed(torch, causes[-1], source, captured)


def _no_onnx_form(node: Any, cause: Exception) -> EdgekitError:
    """Builds the error for an op that the exporter cannot translate; all nodes of that op share it."""
    alike = [n for n in node.graph.nodes if n.op == "call_function" and n.target == node.target]
    scope, file, line = _place(node)
    others = []
    for other in alike:
        place = _place(other)
        if other is not node and place not in others and place != (scope, file, line):
            others.append(place)
    return error(
        "EK110",
        f"the op `{node.target}` has no ONNX form",
        where=Where(file=file, line=line, scope=scope, nodes=tuple(n.name for n in alike)),
        notes=[
            f"the exporter says: {_first_line(str(cause))}",
            *(f"also in `{s}` at {f}:{n}" for s, f, n in others),
        ],
        help="express the layer with ops that PyTorch can export to ONNX, or replace it",
        data={"op": str(node.target)},
    )


def _place(node: Any) -> tuple[str | None, str | None, int | None]:
    """Returns scope, file and line of an fx node."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    scope = (stack[-1][0] or None) if stack else None
    return scope, *user_frame(frames(node.meta.get("stack_trace") or ""))


def _failed(torch: Any, cause: Exception, source: Any, captured: bool) -> EdgekitError:
    """Builds the error for a model that raised, or of which no graph or no ONNX can be made."""
    stack = [(f.filename, f.lineno or 0) for f in traceback.extract_tb(cause.__traceback__)]
    file, line = user_frame(stack)
    if file is None:
        file, line = user_frame(frames(str(cause)))
    step = "exported to ONNX" if captured else "captured as a graph"
    return error(
        "EK110",
        f"the model cannot be {step}: {_first_line(str(cause)) or type(cause).__name__}",
        where=Where(file=file, line=line, scope=_scope(torch, cause, source)),
        notes=[f"PyTorch raised `{type(cause).__name__}`"],
        help=None
        if captured
        else "check the example inputs, and replace control flow that depends on values",
    )


def _scope(torch: Any, cause: Exception, source: Any) -> str | None:
    """Returns the path of the innermost module of the user's that was running."""
    if not isinstance(source, torch.nn.Module):
        return None
    names = {id(module): name for name, module in source.named_modules()}
    scope = None
    for frame in _tracebacks(cause.__traceback__):
        owner = frame.tb_frame.f_locals.get("self")
        if id(owner) in names and is_user_file(frame.tb_frame.f_code.co_filename):
            scope = names[id(owner)]
    return scope or None


def _tracebacks(first: TracebackType | None) -> Iterator[TracebackType]:
    while first is not None:
        yield first
        first = first.tb_next


def _first_line(text: str) -> str:
    lines = [line.strip() for line in _TERMINAL_CODES.sub("", text).splitlines() if line.strip()]
    return lines[0].rstrip(".")[:300] if lines else ""


def detach(model: ir.Model) -> None:
    """Copies every tensor, so that later changes of the module do not reach the graph."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            if value.const_value is not None:
                value.const_value = _copy(value.const_value)
        for node in graph:
            for name, attribute in list(node.attributes.items()):
                if attribute.type == ir.AttributeType.TENSOR and not attribute.is_ref():
                    node.attributes[name] = ir.AttrTensor(name, _copy(attribute.as_tensor()))


def _copy(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return ir.Tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=tensor.name)
