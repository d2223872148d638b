"""`Oracle`: runs the source model: a TFLite file with LiteRT, else with ONNX Runtime or the reference."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import onnx_ir as ir

from edgekit.artifact import hash_file
from edgekit.consistency.original import Original
from edgekit.consistency.samples import Sample
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.runners import Array, Payload, Runner, runner_for

_ORIGINAL = "tflite"
_BACKENDS = ("onnx", "onnx-reference")
_PROTOBUF_LIMIT = 2**31 - 2**24
"""Bytes; a message cannot be larger, and the graph beside the weights needs some."""


class Oracle:
    """The source model, ready to run; a context manager.

    Attributes:
        refusals: What each runtime that could not run it said, by name.
    """

    def __init__(self, model: Model, *, isolate: bool, timeout_s: float, hub: bool = False) -> None:
        """Prepares; nothing runs yet.

        Args:
            model: The source model.
            isolate: Run it in a child process.
            timeout_s: Longest time for one inference, in seconds.
            hub: Run the model as it was imported, whatever file is behind it.
        """
        self._model = model
        self._original = None if hub else Original.of(model)
        self._isolate = isolate
        self._timeout_s = timeout_s
        self._waiting = [_ORIGINAL, *_BACKENDS] if self._original else list(_BACKENDS)
        self._exit = contextlib.ExitStack()
        self._runner: Runner | None = None
        self._payload: Payload | None = None
        self.refusals: dict[str, EdgekitError] = {}

    @property
    def name(self) -> str | None:
        """Name and version of the runtime in use, `None` before there is one and after the last."""
        return None if self._runner is None else f"{self._runner.name} {self._runner.version}"

    @property
    def is_original(self) -> bool:
        """Whether the user's own TFLite file is run."""
        return self._runner is not None and self._runner.name == "litert"

    @property
    def is_slow(self) -> bool:
        """Whether the runtime in use computes in plain Python."""
        return self._runner is not None and self._runner.name == "onnx.reference"

    def next_runtime(self) -> bool:
        """Goes on to the next runtime; tells whether there is one."""
        if not self._waiting:
            self._runner = None
            return False
        backend = self._waiting.pop(0)
        self._payload = None
        runner = runner_for(backend, isolate=self._isolate, timeout_s=self._timeout_s)
        self._runner = self._exit.enter_context(runner)
        return True

    def refused(self, problem: EdgekitError) -> None:
        """Records that the runtime in use cannot run the model."""
        if self._runner is not None:
            self.refusals[self._runner.name] = problem

    def load(self) -> None:
        """Loads the source model into the runtime in use.

        Raises:
            EdgekitError: As `Runner.ports`.
        """
        if self.is_original and self._original is not None:
            self._payload = self._original.path
        elif self._payload is None:
            self._payload = self._exit.enter_context(_payload(self._model, self._own_file()))
        self._in_use().ports(self._payload)

    def run(self, sample: Sample, intermediates: Sequence[str] = ()) -> dict[str, Array]:
        """Runs the source model.

        Args:
            sample: One array per input.
            intermediates: Further tensors to return, where they can be observed.

        Returns:
            Outputs and intermediates by name.

        Raises:
            EdgekitError: As `Runner.run`.
        """
        if self._payload is None:
            self.load()
        assert self._payload is not None
        if self.is_original and self._original is not None:
            return self._original.run(self._in_use(), sample, intermediates)
        return self._in_use().run(self._payload, sample, intermediates=intermediates)

    def _in_use(self) -> Runner:
        if self._runner is None:
            raise RuntimeError("there is no runtime in use")
        return self._runner

    def _own_file(self) -> Path | None:
        """Returns the user's own file if it can be run: the import is then verified too."""
        model = self._model
        path = model.path
        if model.source != "onnx" or path is None or not path.is_file() or hash_file(path) != model.sha256:
            return None
        try:
            ports = self._in_use().ports(path)
        except EdgekitError:
            return None  # the import may have mended it
        same_inputs = {p.name for p in ports.inputs} == {spec.name for spec in model.inputs}
        same_outputs = {p.name for p in ports.outputs} >= {spec.name for spec in model.outputs}
        return path if same_inputs and same_outputs else None

    def __enter__(self) -> Self:
        self.next_runtime()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.__exit__(kind, raised, trace)


@contextlib.contextmanager
def _payload(model: Model, own_file: Path | None) -> Iterator[Payload]:
    if own_file is not None:
        yield own_file
    elif _weight_bytes(model) < _PROTOBUF_LIMIT:
        yield model.to_proto().SerializeToString()
    else:
        with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
            target = Path(folder, "source.onnx")
            ir.save(model.ir, target, external_data="source.data")
            yield target


def _weight_bytes(model: Model) -> int:
    return sum(
        v.const_value.nbytes for v in model.ir.graph.initializers.values() if v.const_value is not None
    )
