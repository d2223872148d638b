"""Gives every imported node its origin: a stable unique id, a scope, and the user's source line."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping

import onnx_ir as ir

from edgekit.ir import Origin, origin_of, set_origin

_SCOPES = "pkg.torch.onnx.name_scopes"
_STACK = "pkg.torch.onnx.stack_trace"
_QUOTED = re.compile(r"'([^']*)'")
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_FRAMEWORK = re.compile(
    r"[/\\](site|dist)-packages[/\\](torch|onnxscript|onnx_ir)[/\\]"
    r"|[/\\]torch[/\\](nn|_|fx|functional|utils|export|onnx)"
    r"|[/\\]lib[/\\]python3\.\d+[/\\](?!site-|dist-)"
)
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")


def assign(model: ir.Model) -> None:
    """Sets the origin of every node of the graph and its subgraphs.

    Nodes of functions get theirs from the call when they are inlined.
    """
    _assign_graph(model.graph, "")


def assign_places(model: ir.Model) -> None:
    """Adds what the metadata of a node says of its place to an origin that lacks it."""
    for node in model.graph.all_nodes():
        origin = origin_of(node)
        scope, file, line = place_of(node)
        if file is not None and file != origin.file:
            set_origin(node, dataclasses.replace(origin, scope=scope or origin.scope, file=file, line=line))


def place_of(node: ir.Node) -> tuple[str | None, str | None, int | None]:
    """Returns scope, file and line of a node, each `None` where the model does not tell."""
    metadata = node.metadata_props
    scope = scope_from_metadata(metadata)
    if scope is None and _STACK not in metadata and node.name:
        scope = scope_from_name(node.name, node.op_type)
    file, line = user_frame(frames(metadata.get(_STACK, "")))
    return scope, file, line


def scope_from_metadata(metadata: Mapping[str, str]) -> str | None:
    """Returns the innermost module of PyTorch's exporter: `features.3.conv`; `None` for the root.

    The list of scopes begins with the root and ends with the op itself.
    """
    scopes = _QUOTED.findall(metadata.get(_SCOPES, ""))
    return (scopes[-2] or None) if len(scopes) >= 2 else None


def scope_from_name(name: str, op_type: str) -> str | None:
    """Returns the scope that a name path tells: `/features/features.3/Conv` is in `features.3`.

    Only a path that ends with the op itself is trusted. A part that continues the one before it with
    a dot replaces it: PyTorch's TorchScript exporter names the members of a container so.
    """
    *parts, last = name.removeprefix("/").split("/")
    if not parts or not all(parts) or re.fullmatch(rf"{re.escape(op_type)}(_\d+)?", last) is None:
        return None
    if not all(re.fullmatch(r"[\w.\-]+", part) for part in parts):
        return None
    kept: list[str] = []
    for part in parts:
        if kept and part.startswith(kept[-1] + "."):
            kept.pop()
        kept.append(part)
    return ".".join(kept)


def frames(stack: str) -> list[tuple[str, int]]:
    """Returns file and line of each frame of a printed stack, outermost first."""
    return [(m["file"], int(m["line"])) for m in _FRAME.finditer(stack)]


def user_frame(stack: Iterable[tuple[str, int]]) -> tuple[str | None, int | None]:
    """Returns the innermost frame of the user's code.

    Args:
        stack: File and line of each frame, outermost first.

    Returns:
        The innermost frame outside of installed packages; where all are inside, the innermost outside
        of the framework (the code of a model from a package); else `None` and `None`.
    """
    own = [f for f in stack if not _FRAMEWORK.search(f[0]) and not f[0].startswith("<")]
    mine = [f for f in own if is_user_file(f[0])]
    candidates = mine or own
    return candidates[-1] if candidates else (None, None)


def is_user_file(file: str) -> bool:
    """Says whether a source file belongs neither to an installed package nor to Python itself."""
    return not (_FRAMEWORK.search(file) or _INSTALLED.search(file) or file.startswith("<"))


def unique_ids(nodes: Iterable[ir.Node]) -> list[str]:
    """Returns an id per node: its name, or `<OpType>_<index>` where that is empty or not unique."""
    nodes = list(nodes)
    count = Counter(node.name for node in nodes)
    taken = {name for name in count if name}
    ids = []
    for index, node in enumerate(nodes):
        if node.name and count[node.name] == 1:
            ids.append(node.name)
            continue
        id_ = f"{node.op_type}_{index}"
        while id_ in taken:
            id_ += "_"
        taken.add(id_)
        ids.append(id_)
    return ids


def subgraphs(node: ir.Node) -> list[tuple[str, ir.Graph]]:
    """Returns the graphs that a node owns, each with the name of its attribute."""
    found: list[tuple[str, ir.Graph]] = []
    for name, attribute in node.attributes.items():
        if attribute.is_ref():
            continue
        if attribute.type == ir.AttributeType.GRAPH:
            found.append((name, attribute.as_graph()))
        elif attribute.type == ir.AttributeType.GRAPHS:
            found.extend((f"{name}[{i}]", graph) for i, graph in enumerate(attribute.as_graphs()))
    return found


def _assign_graph(graph: ir.Graph, prefix: str) -> None:
    for node, id_ in zip(graph, unique_ids(graph), strict=True):
        set_origin(node, Origin((prefix + id_,), *place_of(node)))
        if node.name:
            node.name = id_  # runtimes refuse a name that two nodes have
        for name, inner in subgraphs(node):
            _assign_graph(inner, f"{prefix}{id_}/{name}/")
