"""Recurrent Keras layers as one ONNX op each, instead of the loop that tracing them gives.

While a model is traced, a recurrent layer whose arithmetic an ONNX op
has exactly leaves a marker (a `CudnnRNN` node, never executed) that names its cell; the marker then
becomes LSTM, GRU or RNN. A layer with anything else (a mask, kept state, an unknown activation) is
traced as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

_OPS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "RNN"}
# Gate orders. Keras: LSTM i f c o, GRU z r h. ONNX operator documents: LSTM i o f c, GRU z r h.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}
_ACTIVATIONS: dict[str, tuple[str, float | None, float | None]] = {
    "linear": ("Affine", 1.0, 0.0),
    "relu": ("Relu", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "softplus": ("Softplus", None, None),
    "softsign": ("Softsign", None, None),
    "tanh": ("Tanh", None, None),
}
# max(0, min(1, alpha x + beta)): Keras 2 computed 0.2 x + 0.5, Keras 3 computes relu6(x + 3) / 6.
_HARD_SIGMOID_SLOPE = {"tf_keras": 0.2, "keras": 1.0 / 6.0}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What an ONNX recurrent op needs, for one direction or two.

    Attributes:
        op: LSTM, GRU or RNN.
        units: The hidden size.
        w: Input weights, (directions, gates * units, features).
        r: Recurrent weights, (directions, gates * units, units).
        b: Input biases, then recurrent biases, (directions, 2 * gates * units).
        activations: Name, alpha and beta of each, per direction.
        reset_after: GRU: the reset gate is applied after the recurrent product.
        backwards: The one direction runs from the last step to the first.
    """

    op: str
    units: int
    w: np.ndarray[Any, Any]
    r: np.ndarray[Any, Any]
    b: np.ndarray[Any, Any]
    activations: tuple[tuple[str, float | None, float | None], ...]
    reset_after: bool = False
    backwards: bool = False

    @property
    def directions(self) -> int:
        """1 or 2."""
        return int(self.w.shape[0])


def recurrent_call(layer: Any, package: Any, table: list[Recurrence]) -> Callable[..., Any] | None:
    """Returns what to call instead of the layer's `call`, or `None` to leave the layer alone.

    Args:
        layer: A layer of Keras 3 or tf-keras.
        package: The module `keras` or `tf_keras` that the layer belongs to.
        table: Where markers register what they stand for.
    """
    layers = package.layers
    if type(layer) is layers.Bidirectional:
        return _bidirectional_call(layer, package, table)
    if type(layer) in (layers.LSTM, layers.GRU, layers.SimpleRNN, layers.RNN):
        return _single_call(layer, package, table)
    return None


def _single_call(layer: Any, package: Any, table: list[Recurrence]) -> Callable[..., Any] | None:
    found = _recurrence(layer.cell, package, backwards=layer.go_backwards)
    if found is None or layer.stateful or getattr(layer, "time_major", False):
        return None
    original = layer.call

    def call(sequences: Any, *args: Any, **kwargs: Any) -> Any:
        extra = args or any(kwargs.get(k) is not None for k in ("mask", "constants"))
        if extra or not _is_plain(sequences):
            return original(sequences, *args, **kwargs)
        import tensorflow as tf

        initial_state = kwargs.get("initial_state")
        states = None if initial_state is None else [tf.expand_dims(s, 0) for s in _listed(initial_state)]
        y, finals = _mark(found, sequences, states, table)
        finals = [tf.squeeze(s, 0) for s in finals]
        if layer.go_backwards and layer.return_sequences:
            y = y[:, ::-1]  # ONNX orders the outputs by time, Keras by when they were computed
        output = y if layer.return_sequences else finals[0]
        return [output, *finals] if layer.return_state else output

    return call


def _bidirectional_call(layer: Any, package: Any, table: list[Recurrence]) -> Callable[..., Any] | None:
    forward, backward = layer.forward_layer, layer.backward_layer
    rnns = (package.layers.LSTM, package.layers.GRU, package.layers.SimpleRNN, package.layers.RNN)
    plain = type(forward) is type(backward) and type(forward) in rnns
    if not plain or layer.stateful or forward.go_backwards or not backward.go_backwards:
        return None
    if getattr(forward, "time_major", False) or layer.return_state:
        return None
    found = _both(_recurrence(forward.cell, package), _recurrence(backward.cell, package))
    if found is None:
        return None
    original = layer.call

    def call(sequences: Any, *args: Any, **kwargs: Any) -> Any:
        extra = args or any(kwargs.get(k) is not None for k in ("mask", "initial_state", "constants"))
        if extra or not _is_plain(sequences):
            return original(sequences, *args, **kwargs)
        import tensorflow as tf

        y, finals = _mark(found, sequences, None, table)
        if layer.return_sequences:
            if layer.merge_mode == "concat":
                return y
            ahead, back = tf.split(y, 2, axis=-1)
        else:
            ahead, back = tf.unstack(finals[0], 2)
        return _merge(ahead, back, layer.merge_mode)

    return call


def _merge(ahead: Any, back: Any, mode: str | None) -> Any:
    import tensorflow as tf

    if mode == "concat":
        return tf.concat([ahead, back], axis=-1)
    if mode == "sum":
        return ahead + back
    if mode == "ave":
        return (ahead + back) / 2
    if mode == "mul":
        return ahead * back
    return (ahead, back)


def _is_plain(x: Any) -> bool:
    """Says whether it is a dense float tensor (batch, time, features) that the marker op can carry."""
    import tensorflow as tf

    return isinstance(x, tf.Tensor) and x.shape.rank == 3 and x.dtype in (tf.float32, tf.float16)


def _listed(states: Any) -> list[Any]:
    return list(states) if isinstance(states, list | tuple) else [states]


def _recurrence(cell: Any, package: Any, backwards: bool = False) -> Recurrence | None:
    """Reads a cell; `None` when ONNX has no op for exactly its arithmetic."""
    op = next((o for name, o in _OPS.items() if type(cell) is getattr(package.layers, name)), None)
    if op is None or not cell.built:
        return None
    activations = _cell_activations(cell, op, package)
    if activations is None:
        return None
    kernel, recurrent = np.asarray(cell.kernel), np.asarray(cell.recurrent_kernel)
    gates, units = _GATES[op], int(cell.units)
    bias = np.zeros((2, len(gates) * units), kernel.dtype)
    if cell.use_bias:
        values = np.asarray(cell.bias)
        bias[: 2 if values.ndim == 2 else 1] = values
    columns = np.concatenate([np.arange(g * units, (g + 1) * units) for g in gates])
    return Recurrence(
        op,
        units,
        w=kernel[:, columns].T[np.newaxis],
        r=recurrent[:, columns].T[np.newaxis],
        b=bias[:, columns].reshape(1, -1),
        activations=activations,
        reset_after=bool(getattr(cell, "reset_after", False)),
        backwards=backwards,
    )


def _cell_activations(
    cell: Any, op: str, package: Any
) -> tuple[tuple[str, float | None, float | None], ...] | None:
    inner = _activation(cell.activation, package)
    if op == "RNN":
        return None if inner is None else (inner,)
    gate = _activation(cell.recurrent_activation, package)
    if inner is None or gate is None:
        return None
    return (gate, inner, inner) if op == "LSTM" else (gate, inner)


def _activation(function: Any, package: Any) -> tuple[str, float | None, float | None] | None:
    name = getattr(function, "__name__", "")
    if getattr(package.activations, name, None) is not function:
        return None
    if name == "hard_sigmoid":
        return ("HardSigmoid", _HARD_SIGMOID_SLOPE[package.__name__], 0.5)
    return _ACTIVATIONS.get(name)


def _both(ahead: Recurrence | None, back: Recurrence | None) -> Recurrence | None:
    if ahead is None or back is None or (ahead.op, ahead.units) != (back.op, back.units):
        return None
    if ahead.reset_after != back.reset_after:
        return None
    return Recurrence(
        ahead.op,
        ahead.units,
        w=np.concatenate([ahead.w, back.w]),
        r=np.concatenate([ahead.r, back.r]),
        b=np.concatenate([ahead.b, back.b]),
        activations=ahead.activations + back.activations,
        reset_after=ahead.reset_after,
    )


def _mark(found: Recurrence, x: Any, states: list[Any] | None, table: list[Recurrence]) -> tuple[Any, Any]:
    """Adds the marker.

    Args:
        found: What it stands for.
        x: (batch, time, features).
        states: The initial h (and c), each (directions, batch, units); `None` for zeros.
        table: Where the marker finds its cell again; its index is the marker's `seed`.

    Returns:
        The outputs (batch, time, directions * units), and the final states, shaped like `states`.
    """
    import tensorflow as tf

    given = states is not None
    if states is None:
        states = [tf.zeros([found.directions, tf.shape(x)[0], found.units], x.dtype)]
    y, h, c, _ = tf.raw_ops.CudnnRNN(
        input=tf.transpose(x, [1, 0, 2]),
        input_h=states[0],
        input_c=states[-1],
        params=tf.zeros([1], x.dtype),
        rnn_mode={"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_tanh"}[found.op],
        direction="bidirectional" if found.directions == 2 else "unidirectional",
        seed=len(table),
        seed2=int(given),
        is_training=False,
    )
    table.append(found)
    y = tf.ensure_shape(y, [x.shape[1], x.shape[0], found.directions * found.units])
    return tf.transpose(y, [1, 0, 2]), [h, c] if found.op == "LSTM" else [h]


def to_onnx(ctx: Any, node: Any, name: str, found: Recurrence) -> None:
    """Replaces one marker by `op`, and what brings its outputs into the marker's shapes."""
    dtype = ctx.get_dtype(node.output[0])
    time, batch, _ = ctx.get_shape(node.output[0])
    lstm, states = found.op == "LSTM", list(node.input[1:3])
    weights = [ctx.make_const(f"{name}_{part}", getattr(found, part)).output[0] for part in "wrb"]
    inputs = [node.input[0], *weights, ""]
    if node.get_attr_int("seed2"):
        inputs += states if lstm else states[:1]
    outputs, directions, units = list(node.output), found.directions, found.units
    ctx.remove_node(name)
    rnn = ctx.make_node(
        found.op,
        inputs,
        attr=_attributes(found),
        outputs=[f"{name}:Y", outputs[1], *([outputs[2]] if lstm else [])],
        shapes=[[time, directions, batch, units]] + [[directions, batch, units]] * (1 + lstm),
        dtypes=[dtype] * (2 + lstm),
        name=name,
    )
    flat = [time, batch, directions * units]
    if directions == 1:
        axes = ctx.make_const(f"{name}_axes", np.array([1], np.int64)).output[0]
        ctx.make_node(
            "Squeeze",
            [rnn.output[0], axes],
            outputs=outputs[:1],
            shapes=[flat],
            dtypes=[dtype],
            name=f"{name}_squeeze",
        )
        return
    last = ctx.make_node(
        "Transpose",
        rnn.output[:1],
        attr={"perm": [0, 2, 1, 3]},
        shapes=[[time, batch, directions, units]],
        dtypes=[dtype],
        name=f"{name}_transpose",
    )
    shape = ctx.make_const(f"{name}_shape", np.array([0, 0, directions * units], np.int64)).output[0]
    ctx.make_node(
        "Reshape",
        [last.output[0], shape],
        outputs=outputs[:1],
        shapes=[flat],
        dtypes=[dtype],
        name=f"{name}_reshape",
    )


def _attributes(found: Recurrence) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "hidden_size": found.units,
        "direction": "bidirectional"
        if found.directions == 2
        else "reverse"
        if found.backwards
        else "forward",
        "activations": [a for a, _, _ in found.activations],
    }
    # ONNX hands out alphas and betas in order to those activations that take one.
    alphas = [alpha for _, alpha, _ in found.activations if alpha is not None]
    betas = [beta for _, _, beta in found.activations if beta is not None]
    if alphas:
        attributes |= {"activation_alpha": alphas, "activation_beta": betas}
    if found.op == "GRU":
        attributes["linear_before_reset"] = int(found.reset_after)
    return attributes
