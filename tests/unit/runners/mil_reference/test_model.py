from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.runners import ALL_INTERMEDIATES, runner_for
from edgekit.runners.coreml import CoreMlRunner
from edgekit.runners.mil_reference.model import MilModel

from .conftest import IMAGE, by_loops, edited


def refusal(path: Path, inputs: dict[str, Any], **options: Any) -> Any:
    with pytest.raises(EdgekitError) as error:
        MilModel(path, **options).run(inputs)
    return error.value.diagnostics[0]


def test_a_network_gives_what_loops_give(cnn: Path) -> None:
    wanted = by_loops(IMAGE)
    results = MilModel(cnn).run({"x": IMAGE}, None)
    assert next(iter(results)) == "probabilities"
    for name, array in wanted.items():
        assert results[name].dtype == np.float32
        np.testing.assert_allclose(results[name], array, rtol=1e-5, atol=1e-6)


def test_in_half_precision_every_result_is_rounded(half_cnn: Path) -> None:
    results = MilModel(half_cnn).run({"x": IMAGE}, None)
    inner = {name: array for name, array in results.items() if name.endswith("_fp16")}
    assert {"conv_cast_fp16", "dense_cast_fp16"} <= set(inner)
    assert all(array.dtype == np.float16 for array in inner.values())
    # These taps and pixels are exact in float16, so that the convolution is too.
    np.testing.assert_array_equal(inner["conv_cast_fp16"], by_loops(IMAGE)["conv"].astype(np.float16))
    np.testing.assert_allclose(results["probabilities"], by_loops(IMAGE)["probabilities"], atol=2e-3)


def test_the_runner_names_itself_and_shows_intermediates_in_a_child(cnn: Path) -> None:
    with runner_for("coreml") as runner:
        ports = runner.ports(cnn)
        results = runner.run(cnn, {"x": IMAGE}, intermediates=ALL_INTERMEDIATES)
        assert runner.name == "mil-reference"
        assert runner.caveat is not None
        assert "not by Core ML" in runner.caveat
    assert [(p.name, p.shape) for p in ports.inputs] == [("x", (1, 1, 6, 6))]
    assert {"conv", "relu", "pool", "mean", "flat", "dense"} <= set(results)
    assert not any(name.endswith("_strides_0") for name in results), "constants are not asked for"


def test_every_named_value_can_be_asked_for(cnn: Path) -> None:
    runner = CoreMlRunner()
    results = runner.run(cnn, {"x": IMAGE}, intermediates=["flat", "conv_strides_0", "nothing"])
    assert list(results) == ["probabilities", "conv_strides_0", "flat"]
    assert results["conv_strides_0"].tolist() == [2, 2]


@pytest.mark.parametrize("inside", ["Manifest.json", "Data/com.apple.CoreML/weights/weight.bin"])
def test_a_file_in_the_package_stands_for_it(cnn: Path, inside: str) -> None:
    assert MilModel(cnn / inside).ports == MilModel(cnn).ports


def test_inputs_are_checked(cnn: Path) -> None:
    assert refusal(cnn, {"x": IMAGE[:, :, 1:]}).code == "EK505"
    assert refusal(cnn, {"y": IMAGE}).code == "EK505"


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, {}).code == "EK507"
    assert refusal(tmp_path / "missing.mlpackage", {}).code == "EK507"
    with pytest.raises(EdgekitError) as error:
        CoreMlRunner().ports(b"bytes")
    assert error.value.diagnostics[0].code == "EK507"


def test_a_changed_file_is_read_anew(cnn: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(cnn, tmp_path / "copy.mlpackage")
    runner = CoreMlRunner()
    before = runner.run(copy, {"x": IMAGE})["probabilities"]
    weights = copy / "Data/com.apple.CoreML/weights/weight.bin"
    data = bytearray(weights.read_bytes())
    data[-4:] = np.float32(9).tobytes()
    weights.write_bytes(data)
    after = runner.run(copy, {"x": IMAGE})["probabilities"]
    assert not np.array_equal(before, after)


def test_branches_and_loops(save: Callable[..., Path]) -> None:
    from coremltools.converters.mil import Builder as mb

    def build(x: Any) -> Any:
        total = mb.reduce_sum(x=x, axes=[0], keep_dims=False)
        chosen = mb.cond(
            pred=mb.greater(x=total, y=0.0),
            _true_fn=lambda: mb.add(x=x, y=1.0, name="plus"),
            _false_fn=lambda: mb.mul(x=x, y=-2.0, name="times"),
        )
        looped = mb.while_loop(
            _cond=lambda i, v: mb.less(x=i, y=3),
            _body=lambda i, v: (mb.add(x=i, y=1), mb.mul(x=v, y=2.0, name="doubled")),
            loop_vars=(0, chosen),
        )
        return mb.identity(x=looped[1], name="y")

    model = MilModel(save(build, {"x": (2,)}))
    up = model.run({"x": np.array([1, 2], np.float32)}, None)
    assert up["y"].tolist() == [16, 24]
    assert up["plus"].tolist() == [2, 3]
    assert up["doubled"].tolist() == [16, 24], "of a loop the last turn is shown"
    assert "times" not in up
    assert model.run({"x": np.array([-1, -2], np.float32)})["y"].tolist() == [16, 32]


def test_a_loop_that_does_not_end_is_ended(
    save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from coremltools.converters.mil import Builder as mb

    def build(x: Any) -> Any:
        return mb.while_loop(
            _cond=lambda v: mb.less(x=mb.reduce_max(x=v, axes=[0]), y=5.0),
            _body=lambda v: (mb.mul(x=v, y=1.0),),
            loop_vars=(x,),
        )

    monkeypatch.setattr("edgekit.runners.mil_reference.evaluate._MOST_TURNS", 50)
    found = refusal(save(build, {"x": (2,)}), {"x": np.zeros(2, np.float32)})
    assert found.code == "EK503"
    assert "does not end" in found.message


def test_pictures_come_red_first_and_the_program_gets_its_own_order(
    ct: Any, save: Callable[..., Path]
) -> None:
    from coremltools.converters.mil import Builder as mb

    image = ct.ImageType(
        name="x", shape=(1, 3, 2, 2), scale=0.5, bias=[1, 2, 3], color_layout=ct.colorlayout.BGR
    )
    path = save(lambda x: mb.identity(x=x, name="y"), {"x": (1, 3, 2, 2)}, inputs=[image])
    model = MilModel(path)
    (port,) = model.ports.inputs
    assert (port.dtype, port.shape) == (np.uint8, (1, 3, 2, 2))
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2)
    wanted = pixels[:, ::-1].astype(np.float32) / 2 + np.array([1, 2, 3], np.float32).reshape(3, 1, 1)
    (found,) = model.run({"x": pixels}).values()
    np.testing.assert_array_equal(found, wanted)


def test_images_that_are_outputs_are_bounded(save: Callable[..., Path], tmp_path: Path) -> None:
    from coremltools.converters.mil import Builder as mb

    def declare(spec: Any) -> None:
        image = spec.description.output[0].type.imageType
        image.height, image.width, image.colorSpace = 1, 3, image.GRAYSCALE

    path = edited(save(lambda x: mb.mul(x=x, y=100.0, name="y"), {"x": (1, 1, 1, 3)}), tmp_path, declare)
    found = MilModel(path).run({"x": np.array([[[[-1, 1.234, 3]]]], np.float32)})["y"]
    assert found.dtype == np.uint8
    assert found.tolist() == [[[[0, 123, 255]]]]


@pytest.mark.parametrize("labels", [["cat", "dog", "cow"], [7, 8, 9]])
def test_a_classifier_gives_a_label_and_probabilities(
    ct: Any, save: Callable[..., Path], labels: Any
) -> None:
    from coremltools.converters.mil import Builder as mb

    path = save(
        lambda x: mb.softmax(x=x, axis=-1), {"x": (1, 3)}, classifier_config=ct.ClassifierConfig(labels)
    )
    model = MilModel(path)
    label, scores, names = model.run({"x": np.log(np.array([[1, 6, 3]], np.float32))}).values()
    assert names.tolist() == list(map(str, labels))
    assert label.item() == labels[1]
    assert label.shape == ()
    np.testing.assert_allclose(scores, [0.1, 0.6, 0.3], rtol=1e-6)


def test_listed_shapes(ct: Any, save: Callable[..., Path]) -> None:
    from coremltools.converters.mil import Builder as mb

    shapes = ct.EnumeratedShapes(shapes=[[1, 2], [1, 4]], default=[1, 2])
    path = save(
        lambda x: mb.reduce_sum(x=x, axes=[1], name="y"),
        {"x": (1, ct.converters.mil.mil.get_new_symbol())},
        inputs=[ct.TensorType(name="x", shape=shapes)],
    )
    model = MilModel(path)
    assert model.ports.inputs[0].shape == (1, None)
    assert model.run({"x": np.ones((1, 4), np.float32)})["y"].tolist() == [4]
    assert refusal(path, {"x": np.ones((1, 3), np.float32)}).code == "EK505"


def test_ranges_of_shapes(ct: Any, save: Callable[..., Path]) -> None:
    from coremltools.converters.mil import Builder as mb

    path = save(
        lambda x: mb.add(x=x, y=1.0, name="y"),
        {"x": (ct.converters.mil.mil.get_new_symbol(), 2)},
        inputs=[ct.TensorType(name="x", shape=(ct.RangeDim(1, 3, default=2), 2))],
    )
    model = MilModel(path)
    assert model.run({"x": np.zeros((3, 2), np.float32)})["y"].tolist() == [[1, 1]] * 3
    assert refusal(path, {"x": np.zeros((4, 2), np.float32)}).code == "EK505"


def test_a_size_that_only_data_tell(save: Callable[..., Path]) -> None:
    from coremltools.converters.mil import Builder as mb

    model = MilModel(save(lambda x: mb.non_zero(x=x, name="y"), {"x": (4,)}))
    assert model.ports.outputs[0].shape is None
    assert model.run({"x": np.array([0, 1, 0, 2], np.float32)})["y"].tolist() == [[1], [3]]


@pytest.mark.parametrize(("dtype", "ios"), [(np.float16, 16), (np.int32, 16), (np.float32, 15)])
def test_dtypes_of_ports(save: Callable[..., Path], dtype: Any, ios: int) -> None:
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import types

    kind = types.numpy_type_to_builtin_type(dtype)
    model = MilModel(save(lambda x: mb.mul(x=x, y=x, name="y"), {"x": (3,)}, ios=ios, dtypes={"x": kind}))
    assert [p.dtype for p in (*model.ports.inputs, *model.ports.outputs)] == [dtype, dtype]
    assert model.run({"x": np.array([1, 2, 3], dtype)})["y"].tolist() == [1, 4, 9]


def test_states_start_at_zero_in_every_run(save: Callable[..., Path], ct: Any) -> None:
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import types
    from coremltools.converters.mil.mil.ops.defs.iOS18 import states  # noqa: F401

    @mb.program(
        input_specs=[mb.TensorSpec((2,), dtype=types.fp16), mb.StateTensorSpec((2,), dtype=types.fp16)],
        opset_version=ct.target.iOS18,
    )
    def program(x: Any, memory: Any) -> Any:
        held = mb.read_state(input=memory)
        mb.coreml_update_state(state=memory, value=mb.add(x=held, y=x))
        return mb.mul(x=mb.read_state(input=memory), y=mb.add(x=held, y=np.float16(3)), name="y")

    converted = ct.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS18,
        skip_model_load=True,
        pass_pipeline=ct.PassPipeline.EMPTY,
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        converted.save(f"{folder}/m.mlpackage")
        model = MilModel(Path(folder, "m.mlpackage"))
        for _ in range(2):
            assert model.run({"x": np.array([1, 2], np.float16)})["y"].tolist() == [3, 6]


def test_functions_of_one_package(ct: Any, save: Callable[..., Path], tmp_path: Path) -> None:
    from coremltools.converters.mil import Builder as mb

    description = ct.utils.MultiFunctionDescriptor()
    builds = {
        "double": lambda x: mb.mul(x=x, y=2.0, name="y"),
        "triple": lambda x: mb.mul(x=x, y=3.0, name="y"),
    }
    for name, build in builds.items():
        path = save(build, {"x": (2,)}, ios=18)
        description.add_function(str(path), src_function_name="main", target_function_name=name)
    description.default_function_name = "triple"
    target = tmp_path / "both.mlpackage"
    ct.utils.save_multifunction(description, str(target))
    x = {"x": np.array([1, 2], np.float32)}
    assert MilModel(target).run(x)["y"].tolist() == [3, 6]
    assert CoreMlRunner(function="double").run(target, x)["y"].tolist() == [2, 4]
    assert refusal(target, x, function="half").code == "EK507"


def test_compressed_weights(ct: Any, cnn: Path, tmp_path: Path) -> None:
    model = ct.models.MLModel(str(cnn), skip_model_load=True)
    config = ct.optimize.coreml.OptimizationConfig(
        ct.optimize.coreml.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0)
    )
    ct.optimize.coreml.linear_quantize_weights(model, config).save(str(tmp_path / "q.mlpackage"))
    found = MilModel(tmp_path / "q.mlpackage").run({"x": IMAGE})["probabilities"]
    exact = by_loops(IMAGE)["probabilities"]
    assert 0 < np.abs(found - exact).max() < 0.02


@pytest.mark.parametrize("inside", ["", "Data/com.apple.CoreML/model.mlmodel"])
def test_weights_count_for_the_memory_that_a_child_may_use(cnn: Path, inside: str) -> None:
    from edgekit.runners.isolated import _reach

    weights = (cnn / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    model = (cnn / "Data/com.apple.CoreML/model.mlmodel").stat().st_size
    assert _reach(cnn / inside) >= weights + model
