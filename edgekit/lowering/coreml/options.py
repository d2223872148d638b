"""Options of the Core ML backend, as `Recipe.options` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.diagnostics import error
from edgekit.lowering.coreml.option_types import (
    TARGETS,
    Classifier,
    Compression,
    CoreMlOptions,
    ImageInput,
)
from edgekit.lowering.coreml.reading import choice, fields, items, mapping, number, unknown, whole

PRECISIONS = ("fp16", "fp32", "mixed")
COLOURS = ("RGB", "BGR", "GRAYSCALE", "GRAYSCALE_FLOAT16")
COMPRESSIONS = ("palettize", "int8", "int4", "prune")
MODES = ("kmeans", "uniform")
METADATA = ("author", "license", "description", "version")
NAMES = (
    *("minimum_deployment_target", "precision", "keep_fp32", "image_input", "classifier", "state"),
    *("enumerated", "ranges", "compress_weights", "metadata"),
)


def parse(options: Mapping[str, Any]) -> CoreMlOptions:
    """Reads the options of a recipe.

    Args:
        options: JSON types, by name.

    Raises:
        EdgekitError: EK202 for an unknown name, EK204 for a value that is none of the choices.
    """
    for name in options:
        if name not in NAMES:
            raise unknown("option of the Core ML backend", name, NAMES)
    given = dict(options)
    target = str(given.get("minimum_deployment_target", "iOS18"))
    precision = str(given.get("precision", "mixed" if given.get("keep_fp32") else "fp16"))
    choice("minimum_deployment_target", target, TARGETS)
    choice("precision", precision, PRECISIONS)
    keep = tuple(map(str, items("keep_fp32", given.get("keep_fp32", ()))))
    if keep and precision != "mixed":
        raise error("EK204", f"`keep_fp32` has no effect with the precision `{precision}`, it needs `mixed`")
    parsed = CoreMlOptions(
        target,
        precision,
        keep,
        _images(given.get("image_input")),
        _classifier(given.get("classifier")),
        {str(k): str(v) for k, v in mapping("state", given.get("state", {})).items()},
        _enumerated(given.get("enumerated", {})),
        _ranges(given.get("ranges", {})),
        _compression(given.get("compress_weights")),
        {k: str(v) for k, v in fields("metadata", given.get("metadata", {}), METADATA).items()},
    )
    _check_target(parsed)
    return parsed


def _check_target(options: CoreMlOptions) -> None:
    """Refuses what the deployment target does not have.

    Raises:
        EdgekitError: EK204.
    """
    compression = options.compress_weights
    half_grey = any(image.colour == "GRAYSCALE_FLOAT16" for image in options.image_inputs)
    needs = {
        "compressed weights": 16 if compression else 0,
        "weights in blocks, groups, int4 or 3 bits": 18 if compression and _is_new(compression) else 0,
        "an image of `GRAYSCALE_FLOAT16`": 16 if half_grey else 0,
        "a state": 18 if options.states else 0,
    }
    for what, ios in needs.items():
        if options.ios < ios:
            verb = "need" if what.startswith(("compressed", "weights")) else "needs"
            raise error("EK204", f"{what} {verb} iOS{ios} or a later deployment target")


def _is_new(wanted: Compression) -> bool:
    return (
        wanted.block is not None or wanted.kind == "int4" or (wanted.kind == "palettize" and wanted.bits == 3)
    )


def _images(given: Any) -> tuple[ImageInput, ...]:
    if given is None:
        return ()
    images = tuple(map(_image, given if isinstance(given, list | tuple) else [given]))
    names = [image.name for image in images]
    if len(set(names)) < len(names):
        raise error("EK204", "`image_input` names an input twice")
    return images


def _image(given: Any) -> ImageInput:
    found = fields("image_input", given, ("name", "scale", "bias", "colour"))
    if "name" not in found:
        raise error("EK204", "`image_input` needs the `name` of an input")
    colour = str(found.get("colour", "RGB")).upper()
    choice("image_input.colour", colour, COLOURS)
    scale = _by_channel("scale", found.get("scale", 1.0), colour)
    if 0.0 in scale:
        raise error("EK204", "`image_input.scale` is 0: no pixel would have any effect")
    return ImageInput(str(found["name"]), scale, _by_channel("bias", found.get("bias", 0.0), colour), colour)


def _by_channel(what: str, raw: Any, colour: str) -> tuple[float, ...]:
    channels = ImageInput("", colour=colour).channels
    where = f"image_input.{what}"
    numbers = [raw] * channels if isinstance(raw, int | float) else items(where, raw)
    if len(numbers) != channels:
        raise error("EK204", f"`{where}` has {len(numbers)} numbers, {colour} has {channels} channels")
    return tuple(number(where, v) for v in numbers)


def _classifier(given: Any) -> Classifier | None:
    if given is None or isinstance(given, str):
        return Classifier(given) if given else None
    found = fields("classifier", given, ("output", "label"))
    if "output" not in found:
        raise error("EK204", "`classifier` needs the `output` whose scores get labels")
    return Classifier(**{k: str(v) for k, v in found.items()})


def _enumerated(given: Any) -> dict[str, tuple[tuple[int, ...], ...]]:
    shapes = {
        str(name): tuple(
            tuple(whole("enumerated", d) for d in items("enumerated", s)) for s in items("enumerated", v)
        )
        for name, v in mapping("enumerated", given).items()
    }
    for name, alternatives in shapes.items():
        if not 1 <= len(alternatives) <= 128:
            raise error(
                "EK204", f"`enumerated` has {len(alternatives)} shapes for `{name}`, Core ML takes 1 to 128"
            )
    return shapes


def _ranges(given: Any) -> dict[str, dict[int, tuple[int, int]]]:
    return {
        str(name): {int(axis): _range(name, span) for axis, span in mapping("ranges", axes).items()}
        for name, axes in mapping("ranges", given).items()
    }


def _range(name: str, span: Any) -> tuple[int, int]:
    ends = [whole("ranges", d) for d in items("ranges", span)]
    if len(ends) != 2 or ends[0] > ends[1]:
        raise error("EK204", f"`ranges` of `{name}` needs a lowest and a highest size, not {span!r}")
    return ends[0], ends[1]


def _compression(given: Any) -> Compression | None:
    if given is None:
        return None
    known = ("kind", "bits", "sparsity", "block", "mode", "threshold")
    found = {"kind": given} if isinstance(given, str) else fields("compress_weights", given, known)
    kind, mode = str(found.get("kind")), str(found.get("mode", "kmeans"))
    choice("compress_weights", kind, COMPRESSIONS)
    choice("compress_weights.mode", mode, MODES)
    bits = whole("compress_weights.bits", found.get("bits", 8))
    choice("compress_weights.bits", bits, (1, 2, 3, 4, 6, 8))
    sparsity = number("compress_weights.sparsity", found.get("sparsity", 0.5))
    if not 0 < sparsity < 1:
        raise error("EK204", f"`compress_weights.sparsity` is {sparsity}, not between 0 and 1")
    block = None if found.get("block") is None else whole("compress_weights.block", found["block"])
    if block is not None and kind == "prune":
        raise error("EK204", "`prune` takes no `block`")
    threshold = whole("compress_weights.threshold", found.get("threshold", 2048))
    return Compression(kind, bits, sparsity, block, mode, threshold)
