"""Runs an artifact in the terms of its source model: names, layout, dtypes."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgekit.artifact import Artifact, Binding
from edgekit.diagnostics import error
from edgekit.ir import Quant, TensorSpec
from edgekit.runners.base import Array, Payload, Port, Runner, check_inputs
from edgekit.runners.labels import scores
from edgekit.runners.pictures import to_pixels
from edgekit.runners.table import runner_for


def run_artifact(
    artifact: Artifact,
    inputs: Mapping[str, Array],
    runner: Runner | None = None,
    *,
    intermediates: Sequence[str] = (),
) -> dict[str, Array]:
    """Runs an artifact once; see `ArtifactRunner`.

    Args:
        artifact: The artifact.
        inputs: One array for each input of the source model.
        runner: What runs it; by default an isolated runner of its backend.
        intermediates: Further tensors of the source model to return.

    Returns:
        As `ArtifactRunner.run`.
    """
    with ArtifactRunner(artifact, runner) as running:
        return running.run(inputs, intermediates=intermediates)


def feed_of(artifact: Artifact, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Returns what an artifact takes for inputs of its source model, by its own names.

    Raises:
        EdgekitError: EK505 naming everything wrong with the inputs.
    """
    given = check_inputs([_port(spec) for spec in artifact.inputs], inputs)
    return {
        binding.tensor: to_artifact(given[spec.name], spec, binding)
        for spec, binding in zip(artifact.inputs, artifact.input_bindings, strict=True)
    }


class ArtifactRunner:
    """Runs an artifact on inputs of its source model; a context manager that keeps it loaded."""

    def __init__(self, artifact: Artifact, runner: Runner | None = None, **options: Any) -> None:
        """Prepares the artifact.

        Args:
            artifact: The artifact.
            runner: What runs it, which stays the caller's to close; by default one of its own.
            options: As `runner_for`, for a runner of its own.

        Raises:
            EdgekitError: EK204 if no runner runs the artifact's backend.
        """
        self._artifact = artifact
        self._runner = runner_for(artifact.backend, **options) if runner is None else runner
        self._owns_runner = runner is None
        self._files = contextlib.ExitStack()
        self._payload: Payload | None = None

    @property
    def runtime(self) -> str:
        """Name and version of what runs the artifact."""
        return f"{self._runner.name} {self._runner.version}"

    @property
    def caveat(self) -> str | None:
        """What the run says less about a device than its own runtime would; see `Runner`."""
        return self._runner.caveat

    def run(self, inputs: Mapping[str, Array], *, intermediates: Sequence[str] = ()) -> dict[str, Array]:
        """Runs the artifact once.

        Args:
            inputs: One array for each input of the source model, in its names, layout and dtypes. An
                input that the artifact keeps as a state may be absent: it is zeros then.
            intermediates: Further tensors of the source model, by their names there.

        Returns:
            The source model's outputs in its order, then the labels that a classifier names, then the
            intermediates that can be observed, in the source model's names and layout; the outputs in
            its dtypes too.

        Raises:
            EdgekitError: EK505 naming everything wrong with the inputs; else as `Runner.run`.
        """
        artifact = self._artifact
        feed = feed_of(artifact, self._with_states(inputs))
        wanted = {name: b for name in intermediates if (b := artifact.tensor_map.get(name)) is not None}
        results = self._runner.run(
            self._loaded(), feed, intermediates=sorted({b.tensor for b in wanted.values()})
        )
        outputs = {
            spec.name: _output(results, spec, binding)
            for spec, binding in zip(artifact.outputs, artifact.output_bindings, strict=True)
        }
        observed = {
            name: to_source(results[binding.tensor], binding)
            for name, binding in wanted.items()
            if name not in outputs and binding.tensor in results
        }
        return outputs | self._labels(results) | observed

    def _with_states(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Adds zeros for states that are not given: the first step."""
        zeros = {
            spec.name: np.zeros([d if isinstance(d, int) else 1 for d in spec.shape or ()], spec.dtype)
            for spec, binding in zip(self._artifact.inputs, self._artifact.input_bindings, strict=True)
            if binding.state
        }
        return zeros | dict(inputs)

    def _labels(self, results: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the labels that classifiers name, under the names of their outputs in the artifact."""
        named = [b.classes.label for b in self._artifact.output_bindings if b.classes is not None]
        return {label: results[label].astype(str) for label in named}

    def start(self) -> None:
        """Starts the runtime; it boots while the caller does other things."""
        if self._owns_runner:
            self._runner.__enter__()

    def close(self) -> None:
        """Releases the artifact; see `Runner.close`."""
        self.__exit__(None, None, None)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._payload = None
        with self._files:
            if self._owns_runner:
                self._runner.__exit__(kind, raised, trace)

    def _loaded(self) -> Payload:
        if self._payload is None:
            self._payload = self._files.enter_context(payload_of(self._artifact))
        return self._payload


@contextlib.contextmanager
def payload_of(artifact: Artifact) -> Iterator[Payload]:
    """Gives what a runner takes: the contents of a single file, or a file with the others beside it.

    Yields:
        A `Payload` that is valid inside the block.
    """
    files = artifact.files
    first = artifact.model_file.payload
    if len(files) == 1 or all(
        isinstance(f.payload, Path)
        and isinstance(first, Path)
        and f.payload == _root(artifact, first) / f.name
        for f in files
    ):
        yield first
        return
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        for file in files:
            path = Path(folder, file.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(file.payload, bytes):
                path.write_bytes(file.payload)
            else:
                shutil.copyfile(file.payload, path)  # no link: runtimes refuse data that leads away
        yield Path(folder, artifact.model_file.name)


def _root(artifact: Artifact, model: Path) -> Path:
    """Returns the folder of the artifact whose model file lies at a path."""
    return model.parents[artifact.model_file.name.count("/")]


def to_artifact(array: Array, spec: TensorSpec, binding: Binding) -> Array:
    """Brings an input of the source model into the artifact's layout and dtype.

    Raises:
        EdgekitError: EK505 if a value has no place in the artifact's dtype or among pixels.
    """
    permuted = array if binding.perm is None else array.transpose(binding.perm)
    if binding.boxed:
        permuted = permuted.reshape(1)
    if binding.picture is not None:
        return np.asarray(to_pixels(permuted, binding.picture, spec.name), order="C")
    if binding.quant is not None:
        return np.asarray(_codes(permuted, binding.quant, binding.dtype), order="C")
    if permuted.dtype == binding.dtype:
        return np.asarray(permuted, order="C")
    if _holds_bits(binding.dtype, permuted.dtype):
        return np.asarray(permuted, order="C").view(binding.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = permuted.astype(binding.dtype)
    if not _survives(permuted, cast):
        raise error(
            "EK505",
            f"the input `{spec.name}` holds values that the artifact cannot take as {binding.dtype}",
            notes=(f"the source model takes {spec.dtype}",),
        )
    return np.asarray(cast, order="C")


def to_source(array: Array, binding: Binding) -> Array:
    """Brings a tensor of the artifact back into the source model's layout, as reals where it has those.

    Raises:
        EdgekitError: EK507 if the tensor does not have the rank that the binding says.
    """
    if binding.boxed:
        if array.shape != (1,):
            raise error("EK507", f"the tensor `{binding.tensor}` of the artifact does not hold one number")
        return array.reshape(())
    if binding.quant is not None:
        array = _reals(array, binding.quant)
    if binding.shift:
        array = array.astype(np.int32) + binding.shift
    if binding.perm is None:
        return array
    if len(binding.perm) != array.ndim:
        raise error(
            "EK507",
            f"the tensor `{binding.tensor}` of the artifact has rank {array.ndim}, "
            f"its binding says {len(binding.perm)}",
        )
    return array.transpose(np.argsort(binding.perm))


def _codes(array: Array, quant: Quant, dtype: np.dtype[Any]) -> Array:
    """Quantises per tensor: half to even, saturated."""
    limits = np.iinfo(dtype)
    code = np.rint(array.astype(np.float32) / np.float32(quant.scale[0])) + quant.zero_point[0]
    return np.asarray(np.clip(code, limits.min, limits.max), dtype)


def _reals(array: Array, quant: Quant) -> Array:
    offset = array.astype(np.float32) - np.float32(quant.zero_point[0])
    return np.asarray(offset * np.float32(quant.scale[0]))


def _as(array: Array, dtype: np.dtype[Any]) -> Array:
    """Gives an output the source's dtype; text, and what the source does not type, stays as it is."""
    if dtype.kind == "O":
        return array
    if _holds_bits(array.dtype, dtype):
        return np.ascontiguousarray(array).view(dtype)
    return array.astype(dtype, copy=False)


def _holds_bits(stored: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    """Tells whether an artifact keeps a float that its runtime does not know as its bits."""
    if dtype.name == "bfloat16":
        return stored == np.uint16
    return stored == np.uint8 and dtype.name.startswith(("float4", "float6", "float8"))


def _survives(before: Array, after: Array) -> bool:
    """Tells whether a cast loses at most precision, never a value's magnitude."""
    if before.dtype.kind in "iub":
        return bool(np.array_equal(after.astype(before.dtype), before))
    return bool(np.array_equal(np.isfinite(before), np.isfinite(after)))


def _output(results: Mapping[str, Array], spec: TensorSpec, binding: Binding) -> Array:
    found = _present(results, binding, spec.name)
    if binding.classes is not None:
        return _as(scores(results, binding, spec), spec.dtype)
    return _as(to_source(found, binding), spec.dtype)


def _present(results: Mapping[str, Array], binding: Binding, name: str) -> Array:
    if binding.tensor not in results:
        raise error(
            "EK603",
            f"the artifact does not give the output `{name}`",
            notes=(f"its tensor `{binding.tensor}` is not among {', '.join(map(repr, results))}",),
        )
    return results[binding.tensor]


def _port(spec: TensorSpec) -> Port:
    shape = None if spec.shape is None else tuple(d if isinstance(d, int) else None for d in spec.shape)
    return Port(spec.name, spec.dtype, shape)
