"""Against the real Vela, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.compat import judge, target
from edgekit.compat.oneop import Draw, one_op
from edgekit.compat.oracle import Opinion, oracle_for
from edgekit.compat.oracle.find import command_for
from edgekit.compat.oracle.vela import TOOL
from edgekit.diagnostics import EdgekitError
from edgekit.lowering.tflite.reader import read_tflite


def _absent() -> bool:
    try:
        command_for(TOOL)
    except EdgekitError:
        return True
    return False


pytestmark = pytest.mark.skipif(_absent(), reason="Vela is not installed and EDGEKIT_VELA does not name it")

CASES = [
    ("CONV_2D", {}, "npu"),
    ("CONV_2D", {"stride_h": 4, "padding": "SAME"}, "cpu"),
    ("CONV_2D", {"stride_h": 4, "padding": "VALID"}, "npu"),
    ("ADD", {"dtype": "int32"}, "npu"),
    ("ADD", {"dtype": "int32", "activation": "RELU"}, "cpu"),
    ("AVERAGE_POOL_2D", {"kernel_w": 9, "padding": "SAME"}, "cpu"),
    ("ARG_MAX", {"channels": 127}, "npu"),
    ("ARG_MAX", {"channels": 128}, "cpu"),
    ("RESIZE_BILINEAR", {"half_pixel_centers": True, "factor": 4}, "cpu"),
    ("SPLIT", {"dtype": "float32"}, "cpu"),
    ("SQRT", {}, "cpu"),
]


def ask(folder: Path, name: str, knobs: dict[str, object]) -> tuple[Opinion, Path]:
    path = folder / "model.tflite"
    path.write_bytes(one_op(name, Draw(fixed=knobs)).to_bytes())
    return oracle_for("vela").opinion(path, "ethos-u55-128"), path


@pytest.mark.parametrize(("name", "knobs", "unit"), CASES)
def test_vela_and_the_table_say_the_same(
    tmp_path: Path, name: str, knobs: dict[str, object], unit: str
) -> None:
    opinion, path = ask(tmp_path, name, knobs)
    (placement,) = opinion.placements
    assert placement.unit == unit
    assert bool(placement.reason) == (unit == "cpu")
    ours = judge(read_tflite(path), target("ethos-u55-128")).ops[0].placement
    assert ours.value == {"npu": "accelerated", "cpu": "fallback"}[unit]


def test_figures_and_compiled_file(tmp_path: Path) -> None:
    opinion, _ = ask(tmp_path, "CONV_2D", {})
    assert opinion.version[0].isdigit()
    assert opinion.figures["cycles_total"] > 0
    assert opinion.layers[0].macs == 12 * 12 * 9 * 4 * 8
    assert opinion.compiled is not None
    assert [op.op for op in read_tflite(opinion.compiled).main.ops] == ["CUSTOM:ethos-u"]


def test_tensors_that_share_a_name(tmp_path: Path) -> None:
    _, path = ask(tmp_path, "SQRT", {})
    path.write_bytes(path.read_bytes().replace(b"y0", b"x0"))
    (placement,) = oracle_for("vela").opinion(path, "ethos-u55-128").placements
    assert (placement.unit, placement.name, placement.op) == ("cpu", "x0", "SQRT")
