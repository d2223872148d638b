"""Which rule takes a stage, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the backend needs apache-tvm")

import tvm
from tvm import te, tirx, topi

from edgekit.lowering.tvm.schedule import schedule
from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.function import Result, schedule_program
from edgekit.lowering.tvm.schedule.pack import Pack
from edgekit.lowering.tvm.schedule.rules.table import load_rules
from edgekit.lowering.tvm.schedule.stage import Declined, Program, read
from edgekit.lowering.tvm.schedule.tile import Work, candidates

AVX2 = Cpu(256, 16, False)


def program_of(*tensors: te.Tensor) -> Program:
    program = read(te.create_prim_func(tensors, index_dtype_override="int64"))
    assert isinstance(program, Program)
    return program


def result_of(*tensors: te.Tensor, constants: tuple[int, ...] = ()) -> Result:
    return schedule_program(program_of(*tensors), frozenset(constants), AVX2)


def test_order() -> None:
    assert [entry.name for entry in load_rules()] == ["contraction", "reduction", "generic"]


def test_contraction_takes_products_and_packs_constants() -> None:
    x, w = te.placeholder((5, 12), name="x"), te.placeholder((12, 40), name="w")
    assert result_of(x, w, topi.matmul(x, w)).packs == {}
    result = result_of(x, w, topi.matmul(x, w), constants=(1,))
    assert result.rules == ("contraction",)
    assert result.packs[1].shape == (40 // result.packs[1].width, 12, result.packs[1].width)


def test_reduction_takes_sums_along_memory() -> None:
    x = te.placeholder((3, 100), name="x")
    result = result_of(x, topi.sum(x, axis=1))
    assert result.rules == ("reduction",)
    assert dict(result.declined)["contraction"] == "the stage does not sum products"


def _across(x: te.Tensor) -> te.Tensor:
    return topi.sum(x, axis=0)


def _short(x: te.Tensor) -> te.Tensor:
    k = te.reduce_axis((0, 3), name="k")
    return te.compute((3,), lambda i: te.sum(x[i, k], axis=k), name="short")


def _elementwise(x: te.Tensor) -> te.Tensor:
    return te.compute(x.shape, lambda i, j: x[i, j] + 1, name="more")


def _from_one(x: te.Tensor) -> te.Tensor:
    add = te.comm_reducer(lambda a, b: a + b, lambda dtype: tirx.const(1, dtype), name="add")
    k = te.reduce_axis((0, 100), name="k")
    return te.compute((3,), lambda i: add(x[i, k], axis=k), name="from_one")


REASONS = [
    (_across, "contraction", "the stage does not sum products"),
    (_across, "reduction", "no axis that is reduced lies along the memory"),
    (_short, "reduction", "the axis that is reduced is short or of unknown size"),
    (_elementwise, "contraction", "the stage does not sum"),
    (_elementwise, "reduction", "the stage does not reduce"),
    (_from_one, "reduction", "the stage does not reduce with +, *, or an extremum"),
]


@pytest.mark.parametrize(("make", "rule", "reason"), REASONS)
def test_reasons(make: Callable[[te.Tensor], te.Tensor], rule: str, reason: str) -> None:
    x = te.placeholder((3, 100), name="x")
    result = result_of(x, make(x))
    assert result.rules == ("generic",)
    assert dict(result.declined)[rule] == reason


def test_contraction_of_one_number() -> None:
    x = te.placeholder((64,), name="x")
    k = te.reduce_axis((0, 64), name="k")
    result = result_of(x, te.compute((1,), lambda i: te.sum(x[k] * x[k], axis=k), name="square"))
    assert dict(result.declined)["contraction"] == "no axis of the result of known size can be the lanes"


def test_functions_that_are_no_stages() -> None:
    x = te.placeholder((8,), name="x")
    func = te.create_prim_func([x, topi.argmax(x, axis=0)])
    found = read(func)
    assert isinstance(found, Declined)
    assert found.reason.startswith("the block `x_red_temp` ") or "is not one assignment" in found.reason


def test_other_kinds_of_target_are_left_alone() -> None:
    module = tvm.IRModule()
    assert schedule(module, tvm.target.Target("c")).same_as(module)


@pytest.mark.parametrize(
    ("target", "bits", "registers"),
    [
        ({"kind": "llvm", "mcpu": "skylake-avx512"}, 512, 32),
        ({"kind": "llvm", "mcpu": "x86-64-v3"}, 256, 16),
        ({"kind": "llvm", "mcpu": "x86-64"}, 128, 16),
        ({"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a72"}, 128, 32),
        ({"kind": "llvm", "mtriple": "armv7a-linux-gnueabihf"}, 128, 16),
    ],
)
def test_cpu_of_target(target: dict[str, Any], bits: int, registers: int) -> None:
    cpu = Cpu.of(tvm.target.Target(target))
    assert (cpu.vector_bits, cpu.registers) == (bits, registers)


@pytest.mark.parametrize("cpu", [AVX2, Cpu(512, 32, True), Cpu(128, 32, True), Cpu(128, 16, False)])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 3), (13, 1000), (3136, 64)])
def test_tiles_fit_the_result_and_the_registers(cpu: Cpu, rows: int, columns: int) -> None:
    tiles = candidates(Work(rows, columns, 64, "float32", False), cpu)
    assert tiles
    for tile in tiles:
        assert tile.rows <= rows
        assert tile.width <= columns
        assert tile.rows * tile.vectors < cpu.registers


def test_packing_overlaps_at_the_end() -> None:
    source = np.arange(2 * 11).reshape(2, 11)  # (sum, lane)
    packed = Pack((), (2,), 11, 4, ((0, (1, 0)), (0, (0, 1)))).apply(source)
    assert packed.shape == (3, 2, 4)
    for block, start in enumerate((0, 4, 7)):
        np.testing.assert_array_equal(packed[block], source[:, start : start + 4])
