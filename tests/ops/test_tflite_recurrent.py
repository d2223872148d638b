"""RNN, GRU and LSTM with every option, unrolled and as a loop."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.lowering.tflite.ops import recurrent

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = ["Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Elu", "Softsign", "Softplus", "Affine",
             "ScaledTanh", "ThresholdedRelu"]  # fmt: skip
WITH_ALPHA = ("LeakyRelu", "HardSigmoid", "Elu", "Affine", "ScaledTanh", "ThresholdedRelu")
WITH_BETA = ("HardSigmoid", "Affine", "ScaledTanh")


def case(op, seed):
    """Draws a node: operands (None where left out) and attributes."""
    rng = np.random.default_rng(seed)
    length, batch, size, hidden = (int(rng.choice(c)) for c in ((1, 2, 4), (1, 2, 3), (1, 3), (1, 2, 5)))
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    ways, gates = 2 if direction == "bidirectional" else 1, GATES[op]

    def normal(*shape, likely=1.0):
        return (rng.standard_normal(shape) * 0.5).astype(np.float32) if rng.random() < likely else None

    inputs = [normal(length, batch, size), normal(ways, gates * hidden, size)]
    inputs += [normal(ways, gates * hidden, hidden), normal(ways, 2 * gates * hidden, likely=0.7)]
    inputs.append(rng.integers(1, length + 1, batch, dtype=np.int32) if rng.random() < 0.4 else None)
    inputs.append(normal(ways, batch, hidden, likely=0.5))
    attrs = {"hidden_size": hidden, "direction": direction}
    if op == "LSTM":
        inputs += [normal(ways, batch, hidden, likely=0.5), normal(ways, 3 * hidden, likely=0.4)]
        attrs["input_forget"] = int(rng.random() < 0.2)
    if op == "GRU":
        attrs["linear_before_reset"] = int(rng.integers(2))
    if rng.random() < 0.3:
        attrs["clip"] = float(rng.choice([0.1, 0.5, 3.0]))
    if rng.random() < 0.4:
        names = [str(f) for f in rng.choice(FUNCTIONS, {"RNN": 1, "GRU": 2, "LSTM": 3}[op] * ways)]
        attrs["activations"] = names
        alphas = [float(rng.choice([0.1, 0.5, 1.2])) for f in names if f in WITH_ALPHA]
        betas = [float(rng.choice([0.1, 0.5])) for f in names if f in WITH_BETA]
        attrs |= {"activation_alpha": alphas} if alphas else {}
        attrs |= {"activation_beta": betas} if betas else {}
    while inputs[-1] is None:
        inputs.pop()
    return inputs, attrs


def symbolic(inputs, const, *, length):
    """The axes of the batch, and of the sequence where wanted, by operand."""
    axes = {0: (0, 1) if length else (1,), 4: (0,), 5: (1,), 6: (1,)}
    return {i: a for i, a in axes.items() if i < len(inputs) and inputs[i] is not None and i not in const}


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("seed", range(24))
def test_unrolled(bench, op, seed):
    inputs, attrs = case(op, seed)
    const = [(), (1, 2, 3, 7), (1, 2, 3, 5, 6, 7)][seed % 3]
    const = [i for i in const if i < len(inputs)]
    dynamic = symbolic(inputs, const, length=False) if seed % 2 else ()
    outputs = 3 if op == "LSTM" else 2
    bench.check(op, inputs, attrs, outputs=outputs, const=const, dynamic=dynamic, opset=22, atol=3e-6)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("seed", range(12))
def test_looped(bench, monkeypatch, op, seed):
    monkeypatch.setattr(recurrent, "UNROLLED", 0)
    inputs, attrs = case(op, seed)
    const = [i for i in ((1, 2, 3, 7), (1, 2, 3, 5, 6, 7))[seed % 2] if i < len(inputs)]
    dynamic = symbolic(inputs, const, length=seed % 3 > 0) if seed % 3 else ()
    outputs = 3 if op == "LSTM" else 2
    bench.check(op, inputs, attrs, outputs=outputs, const=const, dynamic=dynamic, opset=22, atol=3e-6)


def test_a_long_sequence_is_a_loop(bench, draw):
    inputs = [draw("float32", 300, 1, 2), draw("float32", 1, 6, 2), draw("float32", 1, 6, 2)]
    assert "WHILE" in bench.emitted("GRU", inputs, {"hidden_size": 2}, const=(1, 2), opset=22)
    bench.check("GRU", inputs, {"hidden_size": 2}, outputs=2, const=(1, 2), opset=22, atol=1e-5)


@pytest.mark.parametrize("op", GATES)
def test_batch_first(bench, draw, op):
    """ONNX Runtime refuses `layout` 1: the same sequence with the axes exchanged is the judge."""
    from onnx.reference import ReferenceEvaluator

    gates = GATES[op]
    inputs = [draw("float32", 2, 3, 4), draw("float32", 1, gates * 5, 4), draw("float32", 1, gates * 5, 5)]
    attrs = {"hidden_size": 5, "layout": 1}

    def reference(model, feed):
        return ReferenceEvaluator(model).run(None, feed)

    bench.check(op, inputs, attrs, outputs=2, const=(1, 2), opset=22, reference=reference, atol=1e-5)


def test_refusals(bench, draw, monkeypatch):
    inputs = [draw("float32", 2, 1, 2), draw("float32", 1, 3, 2), draw("float32", 1, 3, 3)]
    text = bench.refused("RNN", inputs, {"hidden_size": 3, "activations": ["Cosine"]}, opset=22)
    assert "the activation `Cosine`" in text
    monkeypatch.setattr(recurrent, "UNROLLED", 1)
    text = bench.refused("RNN", inputs, {"hidden_size": 3}, opset=22)
    assert "weights computed at run time" in text
