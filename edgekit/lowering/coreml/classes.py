"""Class labels of a classifier: read, and held against the output that they name."""

from __future__ import annotations

import math

from edgekit.artifact import Classes
from edgekit.diagnostics import Diagnostic, Severity, error
from edgekit.ir import Model, TensorSpec
from edgekit.lowering.coreml.option_types import CoreMlOptions
from edgekit.lowering.ledger import Subgraph, Value

_PROBABILITIES = ("softmax", "sigmoid", "cast", "identity", "reshape", "squeeze")


def classes_of(model: Model, options: CoreMlOptions, labels: str | None) -> Classes | None:
    """Returns the labels of the classifier that the options ask for.

    Args:
        model: The source model.
        options: The options.
        labels: The text of the label file, one label per line.

    Raises:
        EdgekitError: EK204 if there are no labels, not as many as classes, two alike, or if the output is
            not a vector of scores.
    """
    wanted = options.classifier
    if wanted is None:
        return None
    if labels is None:
        raise error("EK204", "a classifier needs class labels", help="give them with `--label-file`")
    names = tuple(line.strip() for line in labels.splitlines())
    while names and not names[-1]:
        names = names[:-1]
    spec = next(s for s in model.outputs if s.name == wanted.output)
    count = _classes(spec)
    if len(names) != count:
        raise error(
            "EK204",
            f"the label file has {len(names)} labels, the output `{spec.name}` has {count} classes",
            help="a label `background` in front is a frequent cause" if len(names) == count + 1 else None,
        )
    _check_distinct(names)
    return Classes(wanted.label, names)


def scores_note(main: Subgraph, output: Value, name: str) -> tuple[Diagnostic, ...]:
    """Says that what the package calls probabilities are scores, where no softmax makes them."""
    makers = {value: op for op in main.ops for value in op.outputs}
    value: Value | None = output
    while value in makers and makers[value].op in _PROBABILITIES:
        if makers[value].op in ("softmax", "sigmoid"):
            return ()
        value = makers[value].inputs[0]
    message = f"the numbers of `{name}` are scores, not probabilities: no softmax makes them"
    return (Diagnostic("EK304", message, Severity.NOTE, help="the label is right all the same"),)


def _classes(spec: TensorSpec) -> int:
    sizes = [size for size in spec.shape or () if size != 1]
    if spec.shape is None or len(sizes) > 1 or not all(isinstance(s, int) for s in sizes):
        shape = "unknown" if spec.shape is None else str(list(spec.shape))
        raise error(
            "EK204",
            f"the output `{spec.name}` of shape {shape} is no vector of scores",
            help="fix a batch that the model leaves open with `--input-shape`",
        )
    if spec.dtype.kind != "f":
        raise error("EK204", f"the output `{spec.name}` is {spec.dtype}, scores are floats")
    return math.prod(s for s in spec.shape if isinstance(s, int))


def _check_distinct(names: tuple[str, ...]) -> None:
    """Refuses labels that would be one entry of a dictionary."""
    lines: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name:
            raise error("EK204", f"line {number} of the label file is empty")
        if name in lines:
            raise error(
                "EK204",
                f"the label `{name}` stands on the lines {lines[name]} and {number} of the label file",
                help="a dictionary holds each label once: make them distinct",
            )
        lines[name] = number
