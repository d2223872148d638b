"""Options are read strictly: an unknown name or a bad value is an error that names the choices."""

from __future__ import annotations

import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.lowering.coreml.options import TARGETS, CoreMlOptions, parse


def refused(options: dict[str, object]) -> str:
    with pytest.raises(EdgekitError) as caught:
        parse(options)
    first = caught.value.diagnostics[0]
    return f"{first.code}: {first.message} {first.notes}"


def test_the_defaults():
    assert parse({}) == CoreMlOptions()
    assert parse({}).precision == "fp16"


def test_systems_of_one_year_share_an_op_set():
    names = ("iOS16", "macOS13", "watchOS9", "tvOS16")
    assert {parse({"minimum_deployment_target": n}).opset for n in names} == {"iOS16"}
    assert set(TARGETS.values()) == {"iOS15", "iOS16", "iOS17", "iOS18"}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"precison": "fp16"}, "EK202: `precison` is not an option of the Core ML backend"),
        ({"precision": "int8"}, "EK204: `precision` is `int8` ('choices: `fp16`, `fp32`, `mixed`',)"),
        ({"minimum_deployment_target": "iOS13"}, "EK204: `minimum_deployment_target` is `iOS13`"),
        ({"precision": "fp16", "keep_fp32": ["softmax"]}, "it needs `mixed`"),
        ({"image_input": {"scale": 2}}, "needs the `name`"),
        ({"image_input": {"name": "x", "bias": [1, 2]}}, "has 2 numbers"),
        ({"image_input": {"name": "x", "colour": "CMYK"}}, "`RGB`, `BGR`, `GRAYSCALE`"),
        ({"image_input": {"name": "x", "scale": 0}}, "no pixel would have any effect"),
        ({"image_input": [{"name": "x"}, {"name": "x"}]}, "names an input twice"),
        ({"classifier": {"label": "c"}}, "needs the `output`"),
        ({"state": ["x"]}, "not a table"),
        ({"compress_weights": {"kind": "int4"}, "minimum_deployment_target": "iOS17"}, "need iOS18"),
        ({"compress_weights": {"kind": "prune", "block": 8}}, "takes no `block`"),
        ({"image_input": {"name": "x", "size": 2}}, "EK202: `size` is not a field of `image_input`"),
        ({"enumerated": {"x": [[1, 0]]}}, "not a size"),
        ({"ranges": {"x": {"0": [3, 1]}}}, "a lowest and a highest size"),
        ({"compress_weights": "zip"}, "EK204: `compress_weights` is `zip`"),
        ({"compress_weights": {"kind": "prune", "sparsity": 2.0}}, "not between 0 and 1"),
        ({"compress_weights": "int8", "minimum_deployment_target": "iOS15"}, "need iOS16"),
        ({"metadata": {"autor": "me"}}, "EK202: `autor` is not a field of `metadata`"),
    ],
)
def test_bad_options_are_refused_with_the_choices(options, text):
    assert text in refused(options)


def test_nested_options_are_read():
    options = parse(
        {
            "image_input": {"name": "x", "scale": 0.5, "bias": 1, "colour": "bgr"},
            "ranges": {"x": {"0": [1, 8]}},
            "enumerated": {"y": [[1, 3], [2, 3]]},
            "compress_weights": {"kind": "palettize", "bits": 4},
            "keep_fp32": ["softmax"],
        }
    )
    (image,) = options.image_inputs
    assert image.scale == (0.5, 0.5, 0.5)
    assert image.bias == (1.0, 1.0, 1.0)
    assert options.ranges == {"x": {0: (1, 8)}}
    assert options.enumerated == {"y": ((1, 3), (2, 3))}
    assert options.precision == "mixed"
