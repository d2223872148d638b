"""Right artifacts are verified; each kind of wrong one is caught, and for the right reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import save_file

from edgekit import api
from edgekit.artifact import Artifact, ArtifactFile, Binding, Evidence, Source, Status, Verdict, Verification
from edgekit.consistency import verdict_diagnostics, verify
from edgekit.diagnostics import EdgekitError, ExitCode
from edgekit.ir import Model

node = helper.make_node
Make = Callable[..., Any]
WEIGHTS = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
NET_IO = {"x": ("FLOAT", ["N", 4])}, {"y": ("FLOAT", ["N", 3])}


def net(weights: np.ndarray = WEIGHTS, act: str = "Tanh") -> tuple[Any, ...]:
    nodes = [
        node("MatMul", ["x", "w"], ["a"], name="fc"),
        node(act, ["a"], ["b"], name="act"),
        node("Mul", ["b", "two"], ["y"], name="scale"),
    ]
    return nodes, *NET_IO, {"w": weights, "two": np.float32(2)}


def codes(verification: Verification) -> list[str]:
    return [d.code for d in verdict_diagnostics(verification)]


def check(model: Model, artifact: Artifact, **options: Any) -> Verification:
    return verify(model, artifact, **{"isolate": False, **options})


def test_the_same_model_is_verified(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    model = make_model(*net())
    found = check(model, make_artifact(model, make_proto(*net())))
    assert (found.verdict, found.evidence, found.holds) == (Verdict.VERIFIED, Evidence.EXECUTED, True)
    assert (found.inputs, found.seed, found.samples) == ("generated", 0, 24)
    assert found.oracle == f"onnxruntime {found.oracle.split()[1]}"
    assert [(d.tensor, d.status, d.max_abs) for d in found.deltas] == [("y", Status.AGREE, 0.0)]
    assert found.deltas[0].elements == sum((1, 2, 3) * 8) * 3
    assert codes(found) == []


def test_verdicts_do_not_depend_on_isolation(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    model = make_model(*net())
    artifact = make_artifact(model, make_proto(*net(WEIGHTS * 1.001)))
    assert check(model, artifact, samples=4) == verify(model, artifact, samples=4)


def test_wrong_weights_are_a_mismatch_at_the_first_node(
    make_model: Make, make_proto: Make, make_artifact: Make
) -> None:
    model = make_model(*net())
    wrong = WEIGHTS.copy()
    wrong[2, 1] += 0.01
    found = check(model, make_artifact(model, make_proto(*net(wrong))))
    assert found.verdict is Verdict.MISMATCH
    assert found.first_divergence is not None
    assert (found.first_divergence.tensor, found.first_divergence.origin.nodes) == ("a", ("fc",))
    (diagnostic,) = verdict_diagnostics(found)
    assert (diagnostic.code, diagnostic.exit_code) == ("EK601", ExitCode.DOES_NOT_HOLD)
    assert diagnostic.where.nodes == ("fc",)
    assert any("first node that differs is `fc`" in n for n in diagnostic.notes)


def test_a_wrong_op_in_the_middle_is_named(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    model = make_model(*net())
    found = check(model, make_artifact(model, make_proto(*net(act="Sigmoid"))))
    assert found.first_divergence is not None
    assert found.first_divergence.origin.nodes == ("act",)


def test_a_mistake_that_only_larger_batches_show_is_found(
    make_model: Make, make_proto: Make, make_artifact: Make
) -> None:
    io = {"x": ("FLOAT", ["N", 4])}, {"y": ("FLOAT", ["N", 4])}
    model = make_model([node("Neg", ["x"], ["y"])], *io)
    nodes = [
        node("ReduceMean", ["x", "zero"], ["m"]),
        node("Sub", ["m", "x"], ["d"]),
        node("Sub", ["d", "m"], ["y"]),
    ]
    close = check(model, make_artifact(model, make_proto(nodes, *io, {"zero": np.array([0])})))
    assert close.verdict is Verdict.VERIFIED
    first = [node("Gather", ["x", "zero"], ["m"]), node("Neg", ["m"], ["e"]), node("Mul", ["x", "o"], ["z"])]
    nodes = [*first, node("Add", ["e", "z"], ["y"])]
    constants = {"zero": np.array([0]), "o": np.float32(0)}
    found = check(model, make_artifact(model, make_proto(nodes, *io, constants)))
    assert found.verdict is Verdict.MISMATCH
    assert found.deltas[0].worst_sample is not None


def test_the_users_tolerance_decides(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    model = make_model(*net())
    artifact = make_artifact(model, make_proto(*net(WEIGHTS * 1.001)))
    assert check(model, artifact).verdict is Verdict.MISMATCH
    assert check(model, artifact, tolerance=0.01).verdict is Verdict.VERIFIED
    assert check(model, artifact, tolerance={"y": 0.01}).verdict is Verdict.VERIFIED
    assert check(model, artifact, tolerance={"other": 0.01}).verdict is Verdict.MISMATCH


def test_inputs_that_the_user_gives(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    model = make_model(*net())
    artifact = make_artifact(model, make_proto(*net()))
    found = check(model, artifact, inputs={"x": np.ones((5, 4), np.float32)})
    assert (found.inputs, found.seed, found.samples) == ("given", None, 3)
    with pytest.raises(EdgekitError, match="EK505"):
        check(model, artifact, inputs={"x": np.ones((5, 9), np.float32)})


def test_golden_samples_are_preferred(make_proto: Make, make_artifact: Make, tmp_path: Path) -> None:
    onnx.save(make_proto(*net()), tmp_path / "m.onnx")
    save_file({"x": np.ones((8, 4), np.float32)}, tmp_path / "samples.safetensors")
    model = api.load(tmp_path / "m.onnx")
    found = check(model, make_artifact(model, make_proto(*net())), samples=4)
    assert (found.inputs, found.samples, found.seed) == ("golden", 4, None)


def test_the_users_own_file_is_the_reference(make_proto: Make, make_artifact: Make, tmp_path: Path) -> None:
    """A mistake of the import must not hide: the graph in memory is not what is compared with."""
    onnx.save(make_proto(*net()), tmp_path / "m.onnx")
    model = api.load(tmp_path / "m.onnx")
    spoilt = replace(model, ir=api.load(make_proto(*net(WEIGHTS * 2))).ir)
    artifact = make_artifact(model, make_proto(*net(WEIGHTS * 2)))
    assert check(spoilt, artifact).verdict is Verdict.MISMATCH


def test_an_artifact_that_does_not_run_is_a_mismatch(
    make_model: Make, make_proto: Make, make_artifact: Make
) -> None:
    model = make_model(*net())
    broken = replace(
        make_artifact(model, make_proto(*net())), files=(ArtifactFile.of("m.onnx", b"no model"),)
    )
    found = check(model, broken)
    assert found.verdict is Verdict.MISMATCH
    assert "does not run" in (found.reason or "")
    assert [d.status for d in found.deltas] == [Status.MISSING]
    assert codes(found) == ["EK603"]


def test_an_artifact_with_a_fixed_batch_does_not_stand_for_a_free_one(
    make_model: Make, make_proto: Make, make_artifact: Make
) -> None:
    model = make_model(*net())
    nodes, _, _, constants = net()
    fixed = make_proto(nodes, {"x": ("FLOAT", [1, 4])}, {"y": ("FLOAT", [1, 3])}, constants)
    found = check(model, make_artifact(model, fixed))
    assert found.verdict is Verdict.MISMATCH
    assert "[1, 4]" in (found.reason or "")


def test_a_missing_output_is_a_mismatch(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    io = {"x": ("FLOAT", [2])}, {"y": ("FLOAT", [2]), "z": ("FLOAT", [2])}
    model = make_model([node("Neg", ["x"], ["y"]), node("Abs", ["x"], ["z"])], *io)
    less = make_proto([node("Neg", ["x"], ["y"])], io[0], {"y": ("FLOAT", [2])})
    assert codes(check(model, make_artifact(model, less))) == ["EK603"]


def test_random_outputs_cannot_be_verified(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    io = {"x": ("FLOAT", [2])}, {"y": ("FLOAT", [2]), "z": ("FLOAT", [2])}
    arguments = [node("RandomUniformLike", ["x"], ["y"]), node("Neg", ["x"], ["z"])], *io
    model = make_model(*arguments)
    found = check(model, make_artifact(model, make_proto(*arguments)))
    assert found.verdict is Verdict.UNVERIFIED
    assert [d.status for d in found.deltas] == [Status.NOT_COMPARABLE, Status.AGREE]
    (diagnostic,) = verdict_diagnostics(found)
    assert (diagnostic.code, diagnostic.exit_code) == ("EK602", ExitCode.NOTHING_CHECKED)
    only = make_model([node("RandomUniformLike", ["x"], ["y"])], io[0], {"y": ("FLOAT", [2])})
    assert check(only, make_artifact(only, make_proto(*arguments))).verdict is Verdict.UNVERIFIED


def test_the_reference_evaluator_steps_in(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    """ONNX Runtime has no Identity on 4-bit integers."""
    kinds = {"x": ("INT4", [5])}, {"y": ("FLOAT", [5])}
    model = make_model([node("Identity", ["x"], ["t"]), node("Cast", ["t"], ["y"], to=1)], *kinds)
    found = check(model, make_artifact(model, make_proto([node("Cast", ["x"], ["y"], to=1)], *kinds)))
    assert found.verdict is Verdict.VERIFIED
    assert (found.oracle or "").startswith("onnx.reference")
    assert "onnxruntime refuses the source model" in found.notes
    assert found.samples == 4


def test_a_source_that_nothing_can_run_is_never_a_pass(
    make_model: Make, make_proto: Make, make_artifact: Make
) -> None:
    kinds = {"x": ("FLOAT", [2])}, {"y": ("FLOAT", [2])}
    model = make_model([node("NoSuchOp", ["x"], ["y"], domain="com.example")], *kinds)
    found = check(model, make_artifact(model, make_proto([node("Neg", ["x"], ["y"])], *kinds)))
    assert found.verdict is Verdict.UNVERIFIED
    assert "no runtime can run the source model" in (found.reason or "")
    assert codes(found) == ["EK602"]


def test_sizes_are_found_that_the_source_accepts(
    make_model: Make, make_proto: Make, make_artifact: Make
) -> None:
    """The reshape takes 128 elements only, and the source refuses any other batch than one."""
    arguments = (
        [node("Reshape", ["x", "s"], ["y"])],
        {"x": ("FLOAT", ["N", "T"])},
        {"y": ("FLOAT", [1, 128])},
        {"s": np.array([1, 128])},
    )
    model = make_model(*arguments)
    found = check(model, make_artifact(model, make_proto(*arguments)), samples=3)
    assert (found.verdict, found.samples) == (Verdict.VERIFIED, 3)
    assert [n for n in found.notes if "refuses a batch" in n] == [
        "the source model itself refuses a batch of 2",
        "the source model itself refuses a batch of 3",
    ]


def test_integers_whose_range_is_hidden_fall_back_to_one_value(
    make_model: Make, make_proto: Make, make_artifact: Make
) -> None:
    arguments = (
        [node("Mul", ["x", "k"], ["i"]), node("Gather", ["w", "i"], ["y"])],
        {"x": ("INT64", [3])},
        {"y": ("FLOAT", [3])},
        {"w": np.arange(4, dtype=np.float32), "k": np.array(100)},
    )
    model = make_model(*arguments)
    found = check(model, make_artifact(model, make_proto(*arguments)))
    assert found.verdict is Verdict.VERIFIED
    assert any("integer inputs are all 0" in n for n in found.notes)


def test_ties_are_told_from_mistakes(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    def arguments(scale: float, **last: int) -> tuple[Any, ...]:
        nodes = [node("Mul", ["x", "k"], ["s"]), node("ArgMax", ["s"], ["y"], axis=1, keepdims=0, **last)]
        return nodes, {"x": ("FLOAT", [1, 6])}, {"y": ("INT64", [1])}, {"k": np.float32(scale)}

    model = make_model(*arguments(0.0))  # all scores are equal
    tied = check(model, make_artifact(model, make_proto(*arguments(0.0, select_last_index=1))))
    assert (tied.verdict, tied.deltas[0].status) == (Verdict.VERIFIED, Status.TIE)
    model = make_model(*arguments(1.0))
    assert check(model, make_artifact(model, make_proto(*arguments(-1.0)))).verdict is Verdict.MISMATCH


def test_dead_outputs_are_noted(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    arguments = [node("Mul", ["x", "k"], ["y"])], *NET_IO, {"k": np.float32(0)}
    arguments[2]["y"] = ("FLOAT", ["N", 4])
    model = make_model(*arguments)
    (delta,) = check(model, make_artifact(model, make_proto(*arguments))).deltas
    assert "do not exercise it" in delta.notes[0]


def test_a_slow_source_is_unverified(make_model: Make, make_proto: Make, make_artifact: Make) -> None:
    body = helper.make_graph(
        [node("Add", ["v", "one"], ["w"]), node("Identity", ["c"], ["d"])],
        "body",
        [helper.make_tensor_value_info(*i) for i in (("i", 7, []), ("c", 9, []), ("v", 1, [1]))],
        [helper.make_tensor_value_info(*o) for o in (("d", 9, []), ("w", 1, [1]))],
        [onnx.numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )
    arguments = (
        [node("Loop", ["n", "", "x"], ["y"], body=body)],
        {"x": ("FLOAT", [1])},
        {"y": ("FLOAT", [1])},
        {"n": np.array(2**60)},
    )
    model = make_model(*arguments)
    found = verify(model, make_artifact(model, make_proto(*arguments)), timeout_s=1.5)
    assert found.verdict is Verdict.UNVERIFIED
    assert "too long" in (found.reason or "")


def test_layouts_of_a_tflite_artifact_are_localised(make_model: Make, make_tflite: Make) -> None:
    """The artifact keeps [1, 2, 3] as [1, 3, 2] and its second op is wrong."""
    model = make_model(
        [node("Neg", ["x"], ["t"], name="neg"), node("Exp", ["t"], ["y"], name="exp")],
        {"x": ("FLOAT", [1, 2, 3])},
        {"y": ("FLOAT", [1, 2, 3])},
    )
    f32, perm = np.dtype(np.float32), (0, 2, 1)
    for second, verdict in (("EXP", Verdict.VERIFIED), ("ABS", Verdict.MISMATCH)):
        tensors = dict.fromkeys(("x_t", "t_t", "y_t"), ("FLOAT32", (1, 3, 2), None))
        payload = make_tflite(
            tensors, [("NEG", ["x_t"], ["t_t"]), (second, ["t_t"], ["y_t"])], ["x_t"], ["y_t"]
        )
        artifact = Artifact(
            "tflite",
            (ArtifactFile.of("m.tflite", payload),),
            Source("m", "onnx"),
            model.inputs,
            model.outputs,
            (Binding("x_t", f32, perm),),
            (Binding("y_t", f32, perm),),
            tensor_map={"t": Binding("t_t", f32, perm), "y": Binding("y_t", f32, perm)},
        )
        found = check(model, artifact)
        assert found.verdict is verdict
        if verdict is Verdict.MISMATCH:
            assert found.first_divergence is not None
            assert found.first_divergence.origin.nodes == ("exp",)


def test_a_runtime_that_refuses_the_source_too_says_nothing_of_the_artifact():
    port = [helper.make_tensor_value_info(n, TensorProto.BFLOAT16, [4]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Softsign", ["x"], ["y"])], "g", port[:1], port[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    found = api.convert(model, "onnx").verification
    assert found.verdict is Verdict.UNVERIFIED
    assert "does not run" in found.reason
    assert "onnxruntime refuses the source model" in found.notes
