"""Builds, runs, saves and imports Keras models in one process: TensorFlow takes seconds to start.

Run as a script by `test_keras_zoo.py`: `python keras_zoo.py FOLDER [CORPUS]`. For each model it leaves
`FOLDER/<name>/answer.json` (what the import's child process answers), `model.onnx` and `data.npz` with
inputs and the outputs that Keras itself computes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from edgekit.importers.keras_process import QUIET

os.environ.update(QUIET)

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from edgekit.diagnostics import EdgekitError
from edgekit.importers.keras_child import worker
from edgekit.importers.keras_files import Kind
from edgekit.importers.keras_process import Job

PACKAGES = {"keras": keras, "tf_keras": tf_keras}
SUFFIX = {"keras": ".keras", "tf_keras": ".h5"}


def cnn(k):
    x = image = k.Input((16, 16, 3), name="image")
    x = k.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="first")(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.ReLU(6.0)(x)
    x = k.layers.DepthwiseConv2D(3, padding="same")(x)
    x = k.layers.SeparableConv2D(8, 3, activation="selu")(x)
    x = k.layers.Conv2D(8, 3, groups=2, name="grouped")(x)
    x = k.layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = k.layers.UpSampling2D(2)(x)
    x = k.layers.GlobalAveragePooling2D()(x)
    return k.Model(image, k.layers.Dense(10, activation="softmax", name="probs")(x))


def recurrent(k):
    """Every op form: outputs of all steps, of the last, states, both directions, backwards."""
    seq = k.Input((7, 6), name="seq")
    x = k.layers.LSTM(5, return_sequences=True)(seq)
    x = k.layers.GRU(4, return_sequences=True)(x)
    x = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True))(x)
    x = k.layers.Bidirectional(k.layers.GRU(3), merge_mode="sum")(x)
    return k.Model(seq, k.layers.Dense(3)(x))


def recurrent_variants(k):
    seq = k.Input((None, 6), name="seq")
    steps = {"return_sequences": True, "go_backwards": True}
    x, h, c = k.layers.LSTM(5, return_state=True, recurrent_activation="hard_sigmoid", **steps)(seq)
    x = k.layers.GRU(4, reset_after=False, activation="relu", **steps)(x)
    x = k.layers.SimpleRNN(4, activation="linear")(x)
    y = k.layers.LSTM(5, use_bias=False)(seq, initial_state=[h, c])
    return k.Model(seq, k.layers.Concatenate(name="both")([x, y]))


def attention(k):
    """Several inputs and outputs, one of them used twice; a nested model."""
    tokens, other = k.Input((10,), dtype="int32", name="tokens"), k.Input((10, 16), name="other")
    e = k.layers.Embedding(11, 16)(tokens)
    x = k.layers.MultiHeadAttention(2, 8)(e, other)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, e]))
    block = k.Sequential([k.Input((160,)), k.layers.Dense(4, activation="gelu", name="d1")], name="block")
    a = k.layers.Dense(2, name="a")(k.layers.GlobalAveragePooling1D()(x))
    b = k.layers.Softmax(name="b")(k.layers.Reshape((5, 32))(x))
    return k.Model([tokens, other], [a, b, block(k.layers.Flatten()(x)), k.layers.Dense(3, name="seq")(x)])


def masked(k):
    """A mask keeps the layer a loop."""
    tokens = k.Input((6,), dtype="int32", name="tokens")
    x = k.layers.Embedding(5, 4, mask_zero=True)(tokens)
    return k.Model(tokens, k.layers.GRU(3, return_sequences=True, name="gru")(x))


def named(k):
    """Dictionaries, an unused input, an input that is an output, a shared layer, a fixed batch."""
    a, b = k.Input(batch_shape=(2, 4), name="a"), k.Input(batch_shape=(2, 4), name="unused")
    shared = k.layers.Dense(4, name="shared")
    return k.Model({"a": a, "unused": b}, {"z": shared(shared(a)), "p": a})


def selection(k):
    """`where` must not multiply the branch that is not taken."""
    x = k.Input((3,), name="x")
    if k is keras:
        return k.Model(x, k.ops.where(x > 0.0, x, k.ops.exp(-200.0 * x)))
    return k.Model(x, tf.where(x > 0.0, x, tf.exp(-200.0 * x)))


def stateful(k):
    x = k.Input(batch_shape=(2, 5, 6), name="x")
    return k.Model(x, k.layers.LSTM(4, stateful=True, name="memory")(x))


def unsupported(k):
    x = k.Input((8, 8, 3), name="x")
    return k.Model(x, k.layers.UpSampling2D(2, interpolation="lanczos3", name="fancy")(x))


MODELS = (cnn, recurrent, recurrent_variants, attention, masked, named, selection, stateful, unsupported)


def main() -> None:
    folder = Path(sys.argv[1])
    for name, run in [*model_cases(), *graph_cases(), *loader_cases()]:
        (folder / name).mkdir()
        run(folder / name)
    for path in corpus_files(Path(sys.argv[2])) if len(sys.argv) > 2 else ():
        target = folder / f"corpus-{path.stem}"
        target.mkdir()
        from_corpus(path, target)


def model_cases() -> Iterator[tuple[str, Callable[[Path], None]]]:
    for package, k in PACKAGES.items():
        for build in MODELS:
            yield f"{package}-{build.__name__}", lambda to, k=k, b=build: from_model(b(k), k.__name__, to)


def from_model(model, package: str, folder: Path) -> None:
    randomise(model)
    inputs = example(model.inputs)
    outputs = PACKAGES[package].tree.flatten if package == "keras" else tf.nest.flatten
    arguments = list(inputs.values())
    if isinstance(getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None)), dict):
        arguments = inputs
    elif len(arguments) == 1:
        arguments = arguments[0]
    results = [] if "stateful" in folder.name else outputs(model(arguments, training=False))
    np.savez(folder / "data.npz", **inputs, **{f"out{i}": r for i, r in enumerate(results)})
    path = folder / f"model{SUFFIX[package]}"
    model.save(path)
    answer(Kind.ARCHIVE if package == "keras" else Kind.HDF5, path, folder)


def graph_cases() -> Iterator[tuple[str, Callable[[Path], None]]]:
    yield "saved-tf_keras", lambda to: from_saved(cnn(tf_keras), to, lambda m, p: m.save(p, save_format="tf"))
    yield "saved-keras", lambda to: from_saved(cnn(keras), to, lambda m, p: m.export(p, verbose=False))
    yield "saved-module", saved_module
    yield "saved-tf1", saved_tf1
    yield "saved-python", saved_python
    yield "frozen", frozen
    for i, content in enumerate((b"\x08\x01", b"\xff" * 64)):
        yield f"damaged-saved-{i}", lambda to, c=content: damaged(to, Kind.SAVED_MODEL, c)
        yield f"damaged-graph-{i}", lambda to, c=content: damaged(to, Kind.GRAPH, c)


def from_saved(model, folder: Path, save: Callable[..., None]) -> None:
    randomise(model)
    inputs = example(model.inputs)
    np.savez(folder / "data.npz", **inputs, out0=model(*inputs.values(), training=False))
    save(model, str(folder / "saved"))
    answer(Kind.SAVED_MODEL, folder / "saved", folder)


class Affine(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.arange(6, dtype=np.float32).reshape(3, 2))

    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x"), tf.TensorSpec([2], name="b")])
    def __call__(self, x, b):
        return {"y": x @ self.w + b, "total": tf.reduce_sum(x)}


def saved_module(folder: Path) -> None:
    x, b = np.ones((4, 3), np.float32), np.array([1, 2], np.float32)
    module = Affine()
    made = module(x, b)
    np.savez(folder / "data.npz", b=b, x=x, out0=made["total"], out1=made["y"])
    tf.saved_model.save(module, str(folder / "saved"))
    answer(Kind.SAVED_MODEL, folder / "saved", folder)


def saved_tf1(folder: Path) -> None:
    v1 = tf.compat.v1
    x_value = np.ones((2, 3), np.float32)
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        w = v1.get_variable("w", [3, 2], use_resource=False)
        y = v1.identity(x @ w, name="dense/y")
        session.run(v1.global_variables_initializer())
        np.savez(folder / "data.npz", x=x_value, out0=session.run(y, {x: x_value}))
        v1.saved_model.simple_save(session, str(folder / "saved"), {"x": x}, {"y": y})
    answer(Kind.SAVED_MODEL, folder / "saved", folder)


def saved_python(folder: Path) -> None:
    module = tf.Module()
    module.run = tf.function(
        lambda x: tf.numpy_function(lambda v: v, [x], tf.float32), input_signature=[tf.TensorSpec([2])]
    )
    tf.saved_model.save(module, str(folder / "saved"))
    answer(Kind.SAVED_MODEL, folder / "saved", folder)


def frozen(folder: Path) -> None:
    value = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [1, 4, 3], name="x")
        made = tf.tanh(tf.nn.relu(x - 3.0, name="block/relu"), name="y")
        with tf.compat.v1.Session() as session:
            np.savez(folder / "data.npz", x=value, out0=session.run(made, {x: value}))
    (folder / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
    answer(Kind.GRAPH, folder / "frozen.pb", folder)


def damaged(folder: Path, kind: Kind, content: bytes) -> None:
    (folder / "saved_model.pb").write_bytes(content)
    answer(kind, folder if kind is Kind.SAVED_MODEL else folder / "saved_model.pb", folder)


def loader_cases() -> Iterator[tuple[str, Callable[[Path], None]]]:
    yield "lambda-keras", lambda to: with_lambda(keras, to)
    yield "lambda-tf_keras", lambda to: with_lambda(tf_keras, to)
    yield "custom", custom
    yield "weights", weights
    yield "hard-sigmoid", hard_sigmoid


def with_lambda(k, folder: Path) -> None:
    x = k.Input((3,), name="x")
    model = k.Model(x, k.layers.Lambda(lambda v: v * 2.0, name="twice")(x))
    path = folder / f"model{SUFFIX[k.__name__]}"
    model.save(path)
    inputs = example(model.inputs)
    np.savez(folder / "data.npz", **inputs, out0=model(*inputs.values()))
    kind = Kind.ARCHIVE if k is keras else Kind.HDF5
    answer(kind, path, folder, allow_code=True)


class Custom(tf_keras.layers.Layer):
    def call(self, x):
        return x + 1.0


def custom(folder: Path) -> None:
    x = tf_keras.Input((3,), name="x")
    tf_keras.Model(x, Custom(name="mine")(x)).save(folder / "model.h5")
    answer(Kind.HDF5, folder / "model.h5", folder)


def weights(folder: Path) -> None:
    cnn(tf_keras).save_weights(folder / "model.h5")
    answer(Kind.HDF5, folder / "model.h5", folder)


def hard_sigmoid(folder: Path) -> None:
    """A file of Keras 2 must keep the slope of Keras 2."""
    x = tf_keras.Input((3,), name="x")
    model = tf_keras.Model(x, tf_keras.layers.Activation("hard_sigmoid")(x))
    inputs = example(model.inputs)
    np.savez(folder / "data.npz", **inputs, out0=model(*inputs.values()))
    model.save(folder / "model.h5")
    answer(Kind.HDF5, folder / "model.h5", folder)


def corpus_files(corpus: Path) -> list[Path]:
    names = ("mlperf_tiny/*.h5", "hand_gesture/*.hdf5", "samplenet_omz/samplenet_tf2")
    return sorted(p for name in names for p in corpus.glob(name))


def from_corpus(path: Path, folder: Path) -> None:
    if path.is_dir():
        function = tf.saved_model.load(str(path)).signatures["serving_default"]
        (name,) = function.structured_input_signature[1]
        inputs = {name: np.random.default_rng(0).random((2, 32, 32, 3), np.float32)}
        results = list(function(**{name: tf.constant(inputs[name])}).values())
        kind = Kind.SAVED_MODEL
    else:
        model = tf_keras.models.load_model(path, compile=False)
        inputs = example(model.inputs)
        table = path.parent / f"{path.stem.removesuffix('_classifier')}.csv"
        if table.exists():  # the real training data, the label first
            rows = np.loadtxt(table, delimiter=",", dtype=np.float32, max_rows=64)
            inputs = dict.fromkeys(inputs, rows[:, 1:])
        results = [model(*inputs.values(), training=False)]
        kind = Kind.HDF5
    np.savez(folder / "data.npz", **inputs, **{f"out{i}": r for i, r in enumerate(results)})
    answer(kind, path, folder)


def randomise(model) -> None:
    """Weights that leave no layer an identity; batch norm variances stay positive."""
    rng = np.random.default_rng(1)
    values = [w + rng.uniform(0.0, 0.1, w.shape).astype(w.dtype) for w in model.get_weights()]
    model.set_weights(values)


def example(tensors) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made = {}
    for tensor in tensors:
        shape = [5 if size is None else size for size in tensor.shape]
        floating = "float" in str(tensor.dtype)
        value = rng.standard_normal(shape) if floating else rng.integers(0, 5, shape)
        made[tensor.name] = value.astype("float32" if floating else "int32")
    return made


def answer(kind: Kind, path: Path, folder: Path, *, allow_code: bool = False) -> None:
    try:
        fields = worker.run(Job(kind, str(path), str(folder), allow_code=allow_code))
    except EdgekitError as failure:
        fields = {"diagnostics": [d.to_dict() for d in failure.diagnostics]}
    (folder / "answer.json").write_text(json.dumps(fields))


if __name__ == "__main__":
    main()
