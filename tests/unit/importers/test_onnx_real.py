"""Real models, and ONNX's own test models: each loads whole, or is refused with a reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.importers import load
from edgekit.ir import Model, origin_of

LIGHT = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))


def assert_whole(model: Model) -> None:
    ids = [origin_of(node).nodes for node in model.ir.graph.all_nodes()]
    assert all(ids)
    assert "" in model.ir.opset_imports
    assert not {v.name for v in model.ir.graph.inputs} & set(model.ir.graph.initializers)


@pytest.mark.parametrize("path", LIGHT, ids=lambda p: p.stem)
def test_light_models(path: Path) -> None:
    model = load(path)
    assert_whole(model)
    ids = [origin_of(node).nodes for node in model.ir.graph.all_nodes()]
    assert len(set(ids)) == len(ids)


@pytest.mark.corpus
def test_corpus(corpus: Path) -> None:
    """The imported graph computes what the file does."""
    paths = sorted(corpus.glob("**/*.onnx"))
    assert paths
    for path in paths:
        model = load(path)
        assert_whole(model)
        feeds = {
            s.name: np.random.default_rng(0).random(
                [d if isinstance(d, int) else 1 for d in s.shape or ()], s.dtype
            )
            for s in model.inputs
            if s.dtype == np.float32
        }
        for a, b in zip(run(str(path), feeds), run(model.to_proto().SerializeToString(), feeds), strict=True):
            np.testing.assert_array_equal(a, b)


def run(model: str | bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return list(onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"]).run(None, feeds))


@pytest.mark.conformance
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_node_cases_of_onnx() -> None:
    """Nothing is refused but values that are not tensors, and opsets from before 2018."""
    from onnx.backend.test.case.node import collect_testcases

    refused: Counter[str] = Counter()
    cases = collect_testcases(None)
    for case in cases:
        try:
            assert_whole(load(case.model))
        except EdgekitError as error:
            refused.update(d.code for d in error.diagnostics[:1])
    assert len(cases) > 1800
    assert set(refused) <= {"EK108", "EK115"}
    assert refused.total() < 40
