"""Holds what the options ask of inputs and outputs against those that the model has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgekit.diagnostics import EdgekitError, error
from edgekit.ir import Model, TensorSpec
from edgekit.lowering.coreml.option_types import CoreMlOptions


def check_requests(model: Model, options: CoreMlOptions) -> None:
    """Refuses options that name what the model does not have, or what cannot be a state.

    Raises:
        EdgekitError: EK204.
    """
    images = [image.name for image in options.image_inputs]
    _known("input", (*options.enumerated, *options.ranges, *images, *options.states), model.inputs)
    classified = [options.classifier.output] if options.classifier else []
    _known("output", (*options.states.values(), *classified), model.outputs)
    inputs = {spec.name: spec for spec in model.inputs}
    outputs = {spec.name: spec for spec in model.outputs}
    for source, result in options.states.items():
        _check_state(inputs[source], outputs[result])
    if len(set(options.states.values())) < len(options.states):
        raise error("EK204", "an output is the state of two inputs")
    both = [name for name in images if name in options.states]
    if both:
        raise error("EK204", f"the input `{both[0]}` cannot be an image and a state")
    if len(options.states) == len(model.inputs) or len(options.states) == len(model.outputs):
        raise error("EK204", "with these states the package has no input or no output left")
    if options.classifier and options.classifier.output in options.states.values():
        raise error("EK204", f"the output `{options.classifier.output}` cannot be a state and have labels")


def _known(side: str, names: Iterable[str], specs: Sequence[TensorSpec]) -> None:
    known = [spec.name for spec in specs]
    for name in names:
        if name not in known:
            listed = ", ".join(f"`{k}`" for k in known)
            raise error("EK204", f"the model has no {side} `{name}`", notes=[f"{side}s: {listed}"])


def _check_state(source: TensorSpec, result: TensorSpec) -> None:
    pair = f"`{source.name}` and `{result.name}`"
    if source.dtype != result.dtype or source.dtype.name not in ("float32", "float16"):
        raise _no_state(pair, f"they are {source.dtype} and {result.dtype}, a state is float")
    if source.shape is None or source.shape != result.shape:
        raise _no_state(pair, f"their shapes are {_text(source)} and {_text(result)}")
    if not source.shape or not all(isinstance(size, int) and size for size in source.shape):
        raise _no_state(pair, f"the shape {_text(source)} is not fixed, a state has at least one axis")


def _no_state(pair: str, why: str) -> EdgekitError:
    return error("EK204", f"{pair} cannot be a state: {why}")


def _text(spec: TensorSpec) -> str:
    return (
        "unknown"
        if spec.shape is None
        else f"[{', '.join('?' if d is None else str(d) for d in spec.shape)}]"
    )
