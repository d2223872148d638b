"""PyTorch: a live module, an exported program, a `.pt2` archive, or a pickled module."""

from __future__ import annotations

import contextlib
import inspect
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from edgekit.diagnostics import Diagnostic, Severity, Where, error
from edgekit.importers import files, hub_form, pt2_archive, torch_export, torch_package
from edgekit.importers.onnx_checks import Findings
from edgekit.importers.registry import Request, imports, is_live
from edgekit.ir import Model


def _is_torch(value: Any) -> bool:
    return is_live(value, "torch.nn", "Module") or is_live(value, "torch.export", "ExportedProgram")


@imports(
    "torch",
    suffixes=(".pt2", ".pt", ".pth"),
    accepts=_is_torch,
    options=("example_inputs", "dynamic_shapes"),
)
def load_torch(request: Request) -> Model:
    """Imports a PyTorch model through `torch.onnx.export`."""
    path = request.path
    if path is not None:
        files.require_file(path)
    torch = torch_package.require()
    with torch_export.quiet():
        source = request.source if path is None else _read(torch, path, request.allow_pickle)
    with _evaluation_mode(torch, source) as notes:
        args, kwargs = _example_inputs(torch, source, request)
        program, warned = torch_export.export(torch, source, args, kwargs, request.dynamic_shapes)
    graph: ir.Model = program.model
    torch_export.detach(graph)
    if isinstance(source, torch.nn.Module):
        graph.graph.name = type(source).__name__
    _name_outputs(torch, program)
    findings = Findings(str(path) if path else None)
    hub_form.bring(graph, findings)
    diagnostics = (*findings.diagnostics(), *notes, *warned)
    sha256 = files.sha256_of(path) if path else None
    return Model(graph, source="torch", path=path, sha256=sha256, diagnostics=diagnostics)


def _read(torch: Any, path: Path, allow_pickle: bool) -> Any:
    if path.suffix.lower() == ".pt2":
        return pt2_archive.read(torch, path, allow_pickle=allow_pickle)
    return _read_pickle(torch, path, allow_pickle)


def _read_pickle(torch: Any, path: Path, allow_pickle: bool) -> Any:
    """Loads a `.pt` or `.pth` file: a whole pickled module, or only its weights."""
    where = Where(file=str(path))
    if _is_torchscript(path):
        raise error(
            "EK110",
            f"`{path}` is a TorchScript archive, which PyTorch cannot export to ONNX",
            where=where,
            help="export the module that it was made from, with `torch.export.save` or by a factory",
        )
    try:
        # Safe: builds tensors and plain containers, and refuses everything else.
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as refusal:
        if not _is_torch_file(path):
            raise files.unlike(path, files.head(path), "a PyTorch file") from refusal
        if not allow_pickle:
            raise error(
                "EK111",
                f"`{path}` is a pickle: loading it runs code stored in it",
                where=where,
                help="export it with `torch.export.save`, name a factory (`module:function`), "
                "or pass `--allow-pickle` when you trust the file",
            ) from refusal
        content = _unpickle(torch, path, where)
    if isinstance(content, torch.nn.Module):
        return content
    kind = "only weights" if isinstance(content, Mapping) else f"a `{type(content).__name__}`"
    raise error(
        "EK110",
        f"`{path}` holds {kind}, not a model",
        where=where,
        help="name a factory (`module:function`) that builds the module and loads the weights",
    )


def _unpickle(torch: Any, path: Path, where: Where) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as failure:
        raise error(
            "EK110",
            f"`{path}` cannot be unpickled: {type(failure).__name__}",
            where=where,
            notes=[str(failure)[:300]],
            help="the classes of the model must be importable; a factory (`module:function`) is safer",
        ) from failure


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _is_torch_file(path: Path) -> bool:
    """Says whether a file begins like what `torch.save` writes: a zip archive or a bare pickle."""
    return files.head(path, 4).startswith((b"PK\x03\x04", b"\x80"))


@contextlib.contextmanager
def _evaluation_mode(torch: Any, source: Any) -> Iterator[list[Diagnostic]]:
    """Exports dropout and normalisation as they act in use; the module is left as it was."""
    training = [m for m in source.modules() if m.training] if isinstance(source, torch.nn.Module) else []
    notes = []
    if training:
        source.eval()
        message = "the module was in training mode and is imported in evaluation mode"
        notes.append(Diagnostic("EK110", message, Severity.NOTE))
    try:
        with torch.no_grad():
            yield notes
    finally:
        for module in training:
            module.training = True


def _example_inputs(
    torch: Any, source: Any, request: Request
) -> tuple[tuple[Any, ...], Mapping[str, Any] | None]:
    given = request.example_inputs
    if not isinstance(source, torch.nn.Module):
        if given is not None or request.dynamic_shapes is not None:
            raise error("EK202", "an exported program has its inputs and shapes already")
        return (), None
    if given is None:
        raise error(
            "EK110",
            "a PyTorch module needs example inputs",
            help="pass `example_inputs`, or let the factory return `(module, example_inputs)`",
        )
    if isinstance(given, Mapping):
        order = list(inspect.signature(source.forward).parameters)
        return (), dict(
            sorted(given.items(), key=lambda i: order.index(i[0]) if i[0] in order else len(order))
        )
    return (tuple(given) if isinstance(given, tuple | list) else (given,)), None


def _name_outputs(torch: Any, program: Any) -> None:
    """Gives outputs that the model returns by name (in a mapping) that name."""
    pytree = torch.utils._pytree
    spec = program.exported_program.call_spec.out_spec
    paths, _ = pytree.tree_flatten_with_path(pytree.tree_unflatten(list(range(spec.num_leaves)), spec))
    graph = program.model.graph
    outputs = list(graph.outputs)
    if len(paths) != len(outputs) or not all(isinstance(p[0], pytree.MappingKey) for p, _ in paths if p):
        return
    named = {v.name: v for node in graph for v in node.outputs}
    fixed = {v.name for v in (*graph.inputs, *graph.initializers.values())}
    for path, index in paths:
        value, name = outputs[index], "_".join(_key(k) for k in path)
        owner = named.get(name)
        if not path or value.producer() is None or outputs.count(value) > 1 or name in fixed:
            continue  # the value has another name to keep, or the name another owner
        if owner is not None and owner is not value:
            owner.name, named[value.name] = value.name, owner
        value.name, named[name] = name, value


def _key(key: Any) -> str:
    return str(next(getattr(key, a) for a in ("key", "idx", "name") if hasattr(key, a)))
