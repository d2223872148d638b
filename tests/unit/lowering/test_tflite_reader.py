"""Reading `.tflite` files back: our own, the corpus's, and damaged ones."""

from __future__ import annotations

import collections
import random
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.ir import Quant
from edgekit.lowering.ledger import Subgraph, Value
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.emit import Signature, emit
from edgekit.tflite.reader import read_tflite


def branch(name: str, kind: str) -> Subgraph:
    b = TFLiteBuilder()
    x = b.value(np.float32, (2, 3))
    return b.finish(name, [x], [b.unary(kind, x)])


def example() -> bytes:
    """A file with options, a nested graph, a dynamic size, quantisation and narrow constants."""
    b = TFLiteBuilder()
    x, flag = b.value(np.float32, (None, 3)), b.value(bool, ())
    y = b.binary("ADD", x, b.const(np.arange(3, dtype=np.float32)))
    z = b.value(np.float32, (2, 3))
    b.append(
        "IF",
        [flag, y],
        [z],
        {"then_subgraph_index": branch("yes", "RELU"), "else_subgraph_index": branch("no", "ABS")},
    )
    wide = b.cast(z, np.int32)
    q = Value(
        np.dtype(np.int8), (4,), np.arange(4, dtype=np.int8), Quant((0.5, 2.0, 1.0, 0.25), (0, 1, 2, 3), 0)
    )
    narrow = b.const(np.asarray([1, -8, 7], np.int8).astype(ml_dtypes.int4))
    packed = b.op("GATHER", [q, b.ints([0])], {"axis": 0, "batch_dims": 0}, dtype=np.int8, shape=(1,))
    same = b.cast(narrow, np.int8)
    kept = b.op(
        "CAST",
        [narrow],
        {"in_data_type": narrow.dtype, "out_data_type": np.dtype(np.int8)},
        dtype=np.int8,
        shape=(3,),
    )
    graph = b.finish("main", [x, flag], [wide, packed, kept])
    assert same.data is not None
    _, payload = emit(graph, Signature(("x", "flag"), ("wide", "packed", "kept")))
    return payload


def test_what_is_written_is_read_back() -> None:
    lowered = read_tflite(example())
    ops = {op.op: op for op in lowered.main.ops}
    assert [op.op for op in lowered.main.ops] == ["ADD", "IF", "CAST", "GATHER", "CAST"]
    assert [lowered.main.names[v] for v in lowered.main.inputs] == ["x", "flag"]
    assert lowered.main.inputs[0].shape == (None, 3)
    assert ops["ADD"].attrs["fused_activation_function"] == "NONE"
    assert ops["IF"].attrs["then_subgraph_index"].ops[0].op == "RELU"
    assert ops["IF"].attrs["else_subgraph_index"].ops[0].op == "ABS"
    assert ops["GATHER"].inputs[0].quant == Quant((0.5, 2.0, 1.0, 0.25), (0, 1, 2, 3), 0)
    assert ops["CAST"].attrs["out_data_type"] == np.int8
    np.testing.assert_array_equal(ops["CAST"].inputs[0].data.astype(np.int8), [1, -8, 7])


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0" * 64, b"x" * 1000, b"\x10\0\0\0TFL3" + b"\xff" * 64])
def test_garbage_is_refused(content: bytes) -> None:
    with pytest.raises(EdgekitError) as caught:
        read_tflite(content)
    assert caught.value.diagnostics[0].code in ("EK102", "EK113")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match="EK101"):
        read_tflite(tmp_path / "nothing.tflite")


def test_damaged_files_are_read_or_refused_but_never_hang() -> None:
    good, rng = example(), random.Random(3)
    outcomes: collections.Counter[str] = collections.Counter()
    start = time.monotonic()
    for _ in range(400):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 12)):
            bad[rng.randrange(8, len(bad))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        if rng.random() < 0.3:
            del bad[rng.randrange(8, len(bad)) :]
        try:
            read_tflite(bytes(bad))
            outcomes["read"] += 1
        except EdgekitError as error:
            outcomes[error.diagnostics[0].code] += 1
    assert outcomes["EK113"] > 50
    assert outcomes["read"] > 10
    assert time.monotonic() - start < 60


@pytest.mark.corpus
def test_every_tflite_file_of_the_corpus_is_read(corpus: Path) -> None:
    files = sorted(corpus.rglob("*.tflite"))
    assert files
    for file in files:
        lowered = read_tflite(file)
        assert lowered.main.ops, file.name
        assert all(v in lowered.main.names for op in lowered.main.ops for v in op.outputs)
