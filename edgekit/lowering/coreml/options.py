"""Options of the Core ML backend, as `Recipe.options` gives them."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.diagnostics import EdgekitError, error

TARGETS = {
    **{f"iOS{n}": f"iOS{n}" for n in (15, 16, 17, 18)},
    **{f"macOS{n}": f"iOS{n + 3}" for n in (12, 13, 14, 15)},
    **{f"watchOS{n}": f"iOS{n + 7}" for n in (8, 9, 10, 11)},
    **{f"tvOS{n}": f"iOS{n}" for n in (15, 16, 17, 18)},
}
"""The iOS release whose op set a deployment target has, by name."""
PRECISIONS = ("fp16", "fp32", "mixed")
COLOURS = ("RGB", "BGR", "GRAYSCALE")
COMPRESSIONS = ("palettize", "int8", "prune")


@dataclass(frozen=True, slots=True)
class ImageInput:
    """An input that takes an image: `tensor = scale * pixel + bias`, the latter by channel.

    Attributes:
        name: The input of the source model.
        scale: Factor of all channels.
        bias: Added to each channel.
        colour: `RGB`, `BGR` or `GRAYSCALE`.
    """

    name: str
    scale: float = 1.0
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    colour: str = "RGB"


@dataclass(frozen=True, slots=True)
class Compression:
    """How weights are stored.

    Attributes:
        kind: `palettize` (a table of values), `int8` (linear), `prune` (zeros left out).
        bits: Bits of an index into the table.
        sparsity: Fraction of weights that pruning zeroes.
    """

    kind: str
    bits: int = 8
    sparsity: float = 0.5


@dataclass(frozen=True, slots=True)
class CoreMlOptions:
    """What the user wants of a Core ML package.

    Attributes:
        minimum_deployment_target: The oldest system that shall run it.
        precision: `fp16` and `fp32` compute everything so; `mixed` is fp16 but for `keep_fp32`.
        keep_fp32: Types of MIL ops, or names of tensors, computed in fp32 (`mixed`).
        image_input: An input that becomes an image.
        enumerated: Shapes that an input may have, by name; the first is the default.
        ranges: Lowest and highest size of an axis, by input and axis.
        compress_weights: How weights are stored.
        metadata: `author`, `license`, `description`, `version` of the model.
    """

    minimum_deployment_target: str = "iOS18"
    precision: str = "fp16"
    keep_fp32: tuple[str, ...] = ()
    image_input: ImageInput | None = None
    enumerated: Mapping[str, tuple[tuple[int, ...], ...]] = dataclasses.field(default_factory=dict)
    ranges: Mapping[str, Mapping[int, tuple[int, int]]] = dataclasses.field(default_factory=dict)
    compress_weights: Compression | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def opset(self) -> str:
        """The iOS release whose op set is used."""
        return TARGETS[self.minimum_deployment_target]


METADATA = ("author", "license", "description", "version")


def parse(options: Mapping[str, Any]) -> CoreMlOptions:
    """Reads the options of a recipe.

    Args:
        options: JSON types, by name.

    Raises:
        EdgekitError: EK202 for an unknown name, EK204 for a value that is none of the choices.
    """
    known = [f.name for f in dataclasses.fields(CoreMlOptions)]
    for name in options:
        if name not in known:
            raise _unknown("option of the Core ML backend", name, known)
    given = dict(options)
    target = str(given.get("minimum_deployment_target", "iOS18"))
    precision = str(given.get("precision", "mixed" if given.get("keep_fp32") else "fp16"))
    _choice("minimum_deployment_target", target, TARGETS)
    _choice("precision", precision, PRECISIONS)
    keep = tuple(map(str, _list("keep_fp32", given.get("keep_fp32", ()))))
    if keep and precision != "mixed":
        raise error("EK204", f"`keep_fp32` has no effect with the precision `{precision}`, it needs `mixed`")
    if precision == "mixed" and not keep:
        raise error("EK204", "the precision `mixed` needs `keep_fp32`: what shall stay in fp32")
    return CoreMlOptions(
        target,
        precision,
        keep,
        _image(given.get("image_input")),
        _enumerated(given.get("enumerated", {})),
        _ranges(given.get("ranges", {})),
        _compression(given.get("compress_weights"), TARGETS[target]),
        _metadata(given.get("metadata", {})),
    )


def _image(given: Any) -> ImageInput | None:
    if given is None:
        return None
    fields = _fields("image_input", given, ("name", "scale", "bias", "colour"))
    if "name" not in fields:
        raise error("EK204", "`image_input` needs the `name` of an input")
    colour = str(fields.get("colour", "RGB")).upper()
    _choice("image_input.colour", colour, COLOURS)
    channels = 1 if colour == "GRAYSCALE" else 3
    raw = fields.get("bias", 0.0)
    bias = [raw] * channels if isinstance(raw, int | float) else _list("image_input.bias", raw)
    if len(bias) != channels:
        raise error("EK204", f"`image_input.bias` has {len(bias)} numbers, {colour} has {channels} channels")
    scale = _number("image_input.scale", fields.get("scale", 1.0))
    return ImageInput(str(fields["name"]), scale, tuple(_number("image_input.bias", v) for v in bias), colour)


def _enumerated(given: Any) -> dict[str, tuple[tuple[int, ...], ...]]:
    shapes = {
        str(name): tuple(
            tuple(_size("enumerated", d) for d in _list("enumerated", s)) for s in _list("enumerated", v)
        )
        for name, v in _mapping("enumerated", given).items()
    }
    for name, alternatives in shapes.items():
        if not 1 <= len(alternatives) <= 128:
            raise error(
                "EK204", f"`enumerated` has {len(alternatives)} shapes for `{name}`, Core ML takes 1 to 128"
            )
    return shapes


def _ranges(given: Any) -> dict[str, dict[int, tuple[int, int]]]:
    return {
        str(name): {int(axis): _range(name, span) for axis, span in _mapping("ranges", axes).items()}
        for name, axes in _mapping("ranges", given).items()
    }


def _range(name: str, span: Any) -> tuple[int, int]:
    ends = [_size("ranges", d) for d in _list("ranges", span)]
    if len(ends) != 2 or ends[0] > ends[1]:
        raise error("EK204", f"`ranges` of `{name}` needs a lowest and a highest size, not {span!r}")
    return ends[0], ends[1]


def _compression(given: Any, opset: str) -> Compression | None:
    if given is None:
        return None
    fields = (
        {"kind": given}
        if isinstance(given, str)
        else _fields("compress_weights", given, ("kind", "bits", "sparsity"))
    )
    kind = str(fields.get("kind"))
    _choice("compress_weights", kind, COMPRESSIONS)
    if opset == "iOS15":
        raise error("EK204", "compressed weights need iOS16 or a later deployment target")
    bits = _size("compress_weights.bits", fields.get("bits", 8))
    _choice("compress_weights.bits", bits, (1, 2, 4, 6, 8))
    sparsity = _number("compress_weights.sparsity", fields.get("sparsity", 0.5))
    if not 0 < sparsity < 1:
        raise error("EK204", f"`compress_weights.sparsity` is {sparsity}, not between 0 and 1")
    return Compression(kind, bits, sparsity)


def _metadata(given: Any) -> dict[str, str]:
    return {k: str(v) for k, v in _fields("metadata", given, METADATA).items()}


def _fields(where: str, given: Any, known: Sequence[str]) -> dict[str, Any]:
    fields = _mapping(where, given)
    for name in fields:
        if name not in known:
            raise _unknown(f"field of `{where}`", name, known)
    return fields


def _mapping(where: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise error("EK204", f"`{where}` is {given!r}, not a table of names")
    return dict(given)


def _list(where: str, given: Any) -> list[Any]:
    if not isinstance(given, list | tuple):
        raise error("EK204", f"`{where}` is {given!r}, not a list")
    return list(given)


def _number(where: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise error("EK204", f"`{where}` is {given!r}, not a number")
    return float(given)


def _size(where: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise error("EK204", f"`{where}` is {given!r}, not a size")
    return given


def _choice(name: str, given: Any, choices: Any) -> None:
    if given not in choices:
        listed = ", ".join(f"`{c}`" for c in choices)
        raise error("EK204", f"`{name}` is `{given}`", notes=[f"choices: {listed}"])


def _unknown(what: str, name: str, known: Sequence[str]) -> EdgekitError:
    near = difflib.get_close_matches(name, known, 1)
    return error(
        "EK202",
        f"`{name}` is not an {what}" if what[0] in "aeiou" else f"`{name}` is not a {what}",
        notes=[f"known: {', '.join(f'`{k}`' for k in known)}"],
        help=f"did you mean `{near[0]}`" if near else None,
    )
