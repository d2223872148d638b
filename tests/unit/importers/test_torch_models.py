"""PyTorch models: names, origins down to the user's line, and refusals that say where."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import load
from edgekit.ir import Model, origin_of

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("onnxscript", reason="needs the torch extra")
nn = torch.nn

HERE = str(Path(__file__))


def line_of(text: str) -> int:
    """The number of the only line of this file that ends with a marker."""
    lines = Path(__file__).read_text().splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.endswith(f"# {text}")]
    return number


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))

    def forward(self, x):  # type: ignore[no-untyped-def]
        y = self.conv(x)  # line: conv
        return torch.relu(x + y)  # line: add


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), Block(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, 2)

    def forward(self, image, scale):  # type: ignore[no-untyped-def]
        x = self.features(image).mean((2, 3)) * scale
        return {"logits": self.head(x), "pooled": (x, x.sum(-1))}


INPUTS = (torch.ones(1, 3, 8, 8), torch.tensor(2.0))


@torch.library.custom_op("edgekit_test::blur", mutates_args=())
def blur(x: torch.Tensor, size: int) -> torch.Tensor:
    return x * size


@blur.register_fake
def _(x: torch.Tensor, size: int) -> torch.Tensor:
    return torch.empty_like(x)


class Blur(nn.Module):
    def forward(self, x):  # type: ignore[no-untyped-def]
        return torch.ops.edgekit_test.blur(x, 3)  # line: blur


class Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleDict({"gate": Gate()})

    def forward(self, x):  # type: ignore[no-untyped-def]
        return self.inner["gate"](x)


class Gate(nn.Module):
    def forward(self, x):  # type: ignore[no-untyped-def]
        if x.sum() > 0:  # line: gate
            return x
        return -x


def refused(source: object, **options: object) -> Diagnostic:
    with pytest.raises(EdgekitError) as failure:
        load(source, **options)  # type: ignore[arg-type]
    return failure.value.diagnostics[0]


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return Net()


@pytest.fixture(scope="module")
def model(net: nn.Module) -> Model:
    return load(net, example_inputs=INPUTS)


def test_names_of_arguments_and_results(model: Model) -> None:
    assert [s.name for s in model.inputs] == ["image", "scale"]
    assert [s.name for s in model.outputs] == ["logits", "pooled_0", "pooled_1"]
    assert model.source == "torch"
    assert model.name == "Net"


def test_origins_have_scope_and_line(model: Model) -> None:
    place = {origin_of(n).scope: (origin_of(n).file, origin_of(n).line) for n in model.ir.graph}
    assert place["features.1.conv.0"] == (HERE, line_of("line: conv"))
    assert place["features.1.conv.1"] == (HERE, line_of("line: conv"))
    assert place["features.1"] == (HERE, line_of("line: add"))
    assert "head" in place
    ids = [origin_of(n).nodes[0] for n in model.ir.graph]
    assert len(set(ids)) == len(ids)
    assert all(origin_of(n).file == HERE for n in model.ir.graph)


def test_batch_normalisation_is_left_for_the_passes(model: Model) -> None:
    """The exporter's own fusion would lose one of the two origins."""
    assert "BatchNormalization" in [n.op_type for n in model.ir.graph]


def test_module_is_imported_in_evaluation_mode_and_left_as_it_was(net: nn.Module, model: Model) -> None:
    assert "Dropout" not in [n.op_type for n in model.ir.graph]
    assert all(m.training for m in net.modules())
    assert [str(d.severity) for d in model.diagnostics] == ["note"]
    assert "training mode" in model.diagnostics[0].message


def test_values_are_those_of_the_module(net: nn.Module, model: Model) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.to_proto().SerializeToString())
    image = torch.rand(1, 3, 8, 8)
    got = session.run(None, {"image": image.numpy(), "scale": np.array(2.0, np.float32)})
    net.eval()
    try:
        with torch.no_grad():
            want = net(image, torch.tensor(2.0))
    finally:
        net.train()
    flat = [want["logits"], *want["pooled"]]
    for a, b in zip(got, flat, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-6)


def test_later_changes_of_the_module_do_not_reach_the_model() -> None:
    layer = nn.Linear(2, 2)
    model = load(layer, example_inputs=torch.ones(1, 2))
    before = {k: v.const_value.numpy().copy() for k, v in model.ir.graph.initializers.items()}  # type: ignore[union-attr]
    with torch.no_grad():
        layer.weight.zero_()
    for name, value in model.ir.graph.initializers.items():
        assert np.array_equal(value.const_value.numpy(), before[name])  # type: ignore[union-attr]
    assert before["weight"].any()


def test_output_is_clean(net: nn.Module, capfd: pytest.CaptureFixture[str]) -> None:
    load(net, example_inputs=INPUTS)
    refused(Branch(), example_inputs=torch.ones(2, 3))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_unsupported_layer_names_scope_and_line() -> None:
    stem = nn.Sequential(nn.Conv2d(3, 3, 1), Blur(), nn.ReLU(), Blur())
    found = refused(nn.Sequential(stem), example_inputs=torch.ones(1, 3, 4, 4))
    assert found.code == "EK110"
    assert found.message == "the op `edgekit_test.blur.default` has no ONNX form"
    assert found.where.scope == "0.1"
    assert (found.where.file, found.where.line) == (HERE, line_of("line: blur"))
    assert len(found.where.nodes) == 2
    assert any("`0.3`" in note for note in found.notes)


def test_control_flow_on_values_names_scope_and_line() -> None:
    found = refused(Branch(), example_inputs=torch.ones(2, 3))
    assert found.code == "EK110"
    assert found.where.scope == "inner.gate"
    assert (found.where.file, found.where.line) == (HERE, line_of("line: gate"))


def test_example_inputs_that_do_not_fit() -> None:
    found = refused(nn.Linear(4, 2), example_inputs=torch.ones(1, 3))
    assert found.code == "EK110"
    assert found.message.startswith("the model cannot be captured as a graph:")
    assert found.where.file is None  # no line of the user's is to blame


def test_no_example_inputs() -> None:
    found = refused(nn.Linear(4, 2))
    assert found.code == "EK110"
    assert found.help is not None
    assert "example_inputs" in found.help


def test_inputs_by_name_keep_the_order_of_the_arguments(net: nn.Module) -> None:
    model = load(net, example_inputs={"scale": INPUTS[1], "image": INPUTS[0]})
    assert [s.name for s in model.inputs] == ["image", "scale"]


def test_dynamic_shapes_keep_their_names(net: nn.Module) -> None:
    batch = torch.export.Dim("batch")
    inputs = (torch.ones(2, 3, 8, 8), INPUTS[1])
    model = load((net, inputs), dynamic_shapes=({0: batch}, None))
    assert model.inputs[0].shape == ("batch", 3, 8, 8)
    assert model.outputs[0].shape == ("batch", 2)


def test_factory_that_returns_module_and_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_torch_models.py").write_text(
        "import torch\n"
        "class Twice(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x + x\n"
        "def net():\n"
        "    return Twice(), (torch.ones(1, 2),)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_torch_models", raising=False)
    (node,) = load("my_torch_models:net").ir.graph
    assert (origin_of(node).file, origin_of(node).line) == (str(tmp_path / "my_torch_models.py"), 4)


def test_batch_normalisation_goes_into_a_convolution_without_bias() -> None:
    from edgekit.passes import prepare

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    model = load((net.eval(), (torch.randn(1, 3, 8, 8),)))
    assert [n.op_type for n in prepare(model).model.ir.graph] == ["Conv", "Relu"]
