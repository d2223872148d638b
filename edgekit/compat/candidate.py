"""What is checked: a model, or a file of a backend, seen in the dialect of a target.

A model is lowered once for each dialect and form, however many targets judge it. A file that is in the
dialect of the target already is read and not lowered: its own ops are judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit.compat import forms
from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.importers import load
from edgekit.ir import Model, Origin, origin_of
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph
from edgekit.lowering.op import LowerOptions
from edgekit.passes.decompose import expand
from edgekit.passes.pipeline import FOLD_LIMIT_BYTES, prepare

OWN_DIALECT = {".tflite": "tflite", ".mlpackage": "coreml"}
"""Files of a backend that nothing is lowered from."""


@dataclass(frozen=True, slots=True)
class SourceNode:
    """A node of the user's model.

    Attributes:
        name: Its id.
        op: Its op type.
        origin: Scope and line where they are known.
    """

    name: str
    op: str
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A model in a dialect.

    Attributes:
        dialect: Whose names the ops have.
        form: `file` for a file's own ops, `float`, `quantised`, or the scheme that was assumed.
        lowered: The ops.
        nodes: Every source node, in order, also those that no op computes.
        notes: What was assumed, for the report.
    """

    dialect: str
    form: str
    lowered: Lowered
    nodes: tuple[SourceNode, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Candidate:
    """A model to check.

    Attributes:
        name: A short name.
        path: The file, where there is one.
        model: The model in the hub IR; `None` for a file that is read only.
        own: The dialect of the file itself; `None` for one that must be lowered.
        allow_approximate: Take forms that are not exact as they are.
        io_layout: Layout of public inputs and outputs, as `convert` takes it.
    """

    name: str
    path: Path | None = None
    model: Model | None = None
    own: str | None = None
    allow_approximate: bool = False
    io_layout: str = "source"
    _views: dict[tuple[str, str | None], View] = field(default_factory=dict)
    _prepared: Model | None = None
    _quantised: dict[str, Model] = field(default_factory=dict)
    _imported: Candidate | None = None

    @classmethod
    def of_model(
        cls, model: Model, *, allow_approximate: bool = False, io_layout: str = "source"
    ) -> Candidate:
        """Makes the candidate of an imported model; an ONNX file keeps its own ops for ONNX targets."""
        is_file = model.source == "onnx" and model.path is not None and model.path.suffix.lower() == ".onnx"
        own = "onnx" if is_file else None
        return cls(model.name, model.path, model, own, allow_approximate, io_layout)

    @classmethod
    def of_file(cls, path: Path) -> Candidate:
        """Makes the candidate of a `.tflite` file or an `.mlpackage`.

        Raises:
            EdgekitError: EK101 if it does not exist.
        """
        if not path.exists():
            raise error("EK101", f"`{path}` does not exist", where=Where(file=str(path)))
        return cls(path.stem, path, None, OWN_DIALECT[path.suffix.lower()])

    def view(self, dialect: str, scheme: str | None = None) -> View:
        """Returns the ops in a dialect; made once.

        Args:
            dialect: `tflite`, `onnx` or `coreml`.
            scheme: The scheme that a float model is quantised by, where a target takes integers only.

        Raises:
            EdgekitError: EK204 if a file cannot be seen in the dialect, else as the lowering.
        """
        if self.model is not None and scheme is not None and forms.is_quantised(self.model):
            scheme = None
        key = (dialect, scheme)
        if key not in self._views:
            self._views[key] = self._made(dialect, scheme)
        return self._views[key]

    def _made(self, dialect: str, scheme: str | None) -> View:
        if self.model is None:
            return self._of_file(dialect, scheme)
        if self.own == dialect and scheme is None:
            return _onnx_file(self.model)
        notes: tuple[str, ...] = ()
        model, form = self._simplified(), "quantised" if forms.is_quantised(self.model) else "float"
        if scheme is not None:
            try:
                model, form = self._quantised_by(scheme), scheme
                notes = (
                    f"float model, judged as `{scheme}` with integer inputs and outputs and assumed ranges; "
                    "`edgekit quantize` makes the real one",
                )
            except EdgekitError as failure:
                notes = (f"judged in float: {failure.diagnostics[0].message}",)
        options = LowerOptions(
            allow_approximate=self.allow_approximate,
            io_layout=self.io_layout,
            integer_io=form == scheme,
            keep_refused=True,
        )
        lowered = _LOWER[dialect](model, options)
        return View(dialect, form, lowered, source_nodes(self.model), notes)

    def _of_file(self, dialect: str, scheme: str | None) -> View:
        if dialect != self.own and (imported := self.as_model()) is not None:
            return imported.view(dialect, scheme)
        if dialect != self.own or self.path is None:
            raise error(
                "EK204",
                f"`{self.name}` holds {self.own} ops, and the target takes {dialect}",
                help="check the model that the file was made from",
            )
        lowered = _READ[dialect](self.path)
        main = named_by_results(lowered.main)
        floats = scheme is not None and not any(v.quant for op in main.ops for v in op.outputs)
        note = "the file computes in float; quantise the model that it was made from"
        return View(dialect, "file", replace(lowered, main=main), _op_nodes(main), (note,) if floats else ())

    def as_model(self) -> Candidate | None:
        """Returns the candidate with a model in the hub IR; `None` for a file that cannot be imported."""
        if self.model is not None:
            return self
        if self.own != "tflite" or self.path is None:
            return None
        if self._imported is None:
            self._imported = Candidate.of_model(load(self.path), io_layout=self.io_layout)
        return self._imported

    def _simplified(self) -> Model:
        if self._prepared is None:
            assert self.model is not None
            self._prepared = prepare(self.model).model
        return self._prepared

    def _quantised_by(self, scheme: str) -> Model:
        if scheme not in self._quantised:
            self._quantised[scheme] = forms.assumed_quantised(self._simplified(), scheme)
        return self._quantised[scheme]

    def resized(self, shapes: Mapping[str, Sequence[int]]) -> Candidate:
        """Returns the same model with other sizes of its inputs.

        Raises:
            EdgekitError: EK202 for an unknown input, or a file whose sizes are fixed.
        """
        if self.model is None:
            raise error("EK202", f"the sizes of `{self.name}` are fixed in the file")
        return replace(
            self, model=forms.resized(self.model, shapes), _views={}, _prepared=None, _quantised={}
        )


def source_nodes(model: Model) -> tuple[SourceNode, ...]:
    """Returns the nodes of the user's model, each once; constants are none.

    An op of a TFLite file is several nodes of the hub IR; its name says which op it is.
    """
    found: dict[str, SourceNode] = {}
    for node in model.ir.graph:
        if node.op_type != "Constant":
            origin = origin_of(node)
            name = origin.nodes[0] if origin.nodes else node.name or ""
            op = name.partition("#")[0] if model.source == "tflite" else node.op_type
            found.setdefault(name, SourceNode(name, op, origin))
    return tuple(found.values())


def named_by_results(main: Subgraph) -> Subgraph:
    """Gives each op without an origin the name of its first result."""
    return replace(main, ops=tuple(_named(op, main, i) for i, op in enumerate(main.ops)))


def _named(op: Emitted, main: Subgraph, index: int) -> Emitted:
    if op.origin.nodes:
        return op
    name = main.names.get(op.outputs[0]) if op.outputs else None
    return replace(op, origin=Origin((name or f"{op.op}_{index}",)))


def _op_nodes(main: Subgraph) -> tuple[SourceNode, ...]:
    return tuple(SourceNode(op.origin.nodes[0], op.op, op.origin) for op in main.ops)


def _onnx_file(model: Model) -> View:
    """The ops of an ONNX file: in their newest form, what is constant folded as every compiler does it."""
    from edgekit.lowering.onnx.ledger import onnx_ledger
    from edgekit.passes import dead_code, inline_functions, lift_constants, normalise

    work = model.ir.clone()
    inline_functions.call(work)
    lift_constants.call(work)
    normalise.call(work, FOLD_LIMIT_BYTES)
    dead_code.call(work)
    lowered = onnx_ledger(replace(model, ir=work))
    return View("onnx", "file", replace(lowered, main=named_by_results(lowered.main)), source_nodes(model))


def _tflite(model: Model, options: LowerOptions) -> Lowered:
    from edgekit.lowering.tflite import lower_tflite

    return lower_tflite(model, expand, options)


def _onnx(model: Model, options: LowerOptions) -> Lowered:
    from edgekit.lowering.onnx.ledger import onnx_ledger, with_integer_ports

    lowered = onnx_ledger(model)
    return replace(lowered, main=with_integer_ports(lowered.main)) if options.integer_io else lowered


def _coreml(model: Model, options: LowerOptions) -> Lowered:
    from edgekit.lowering.coreml.backend import lower_coreml
    from edgekit.lowering.coreml.options import parse
    from edgekit.lowering.coreml.tools import quiet

    with quiet():
        return forms.halved(lower_coreml(model, parse({}), options))


def _read_tflite(path: Path) -> Lowered:
    from edgekit.lowering.tflite.reader import read_tflite

    return read_tflite(path)


def _read_mlpackage(path: Path) -> Lowered:
    from edgekit.compat.mlpackage import read_mlpackage

    return read_mlpackage(path)


_LOWER = {"tflite": _tflite, "onnx": _onnx, "coreml": _coreml}
_READ = {"tflite": _read_tflite, "coreml": _read_mlpackage}
