"""Builds small modules of Relax and compares them with and without schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Build = Callable[..., Any]


@pytest.fixture(scope="session")
def target() -> Any:
    """This machine."""
    import tvm

    return tvm.target.Target({"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu()})


@pytest.fixture(scope="session")
def weight() -> Callable[..., Any]:
    """Makes a constant of a module of a seed, a shape and a dtype."""

    from tvm import relax

    def make(seed: int, shape: Sequence[int], dtype: str = "float32") -> Any:
        return relax.const(sample(np.random.default_rng(seed), shape, dtype), dtype)

    return make


@pytest.fixture(scope="session")
def fused(target: Any) -> Callable[..., Any]:
    """Makes a fused module; its first argument gets a builder and the inputs and gives the result."""

    def make(build: Build, inputs: Sequence[tuple[Sequence[Any], str]]) -> Any:
        return _module(build, inputs, target)

    return make


@pytest.fixture(scope="session")
def check(target: Any) -> Callable[..., Any]:
    """Compares a module with its scheduled form on random values; returns the scheduled module.

    Its arguments: `build` as for `fused`; shapes and dtypes of the inputs, where a shape may hold symbolic
    sizes; `sizes`, what those are in this run.
    """

    def compare(
        build: Build, inputs: Sequence[tuple[Sequence[Any], str]], *, sizes: dict[str, int] | None = None
    ) -> Any:
        return _check(build, inputs, target, sizes or {})

    return compare


def _module(build: Build, inputs: Sequence[tuple[Sequence[Any], str]], target: Any) -> Any:
    import tvm
    from tvm import relax

    builder = relax.BlockBuilder()
    given = [relax.Var(f"x{i}", relax.TensorType(list(s), d)) for i, (s, d) in enumerate(inputs)]
    with builder.function("main", given):
        with builder.dataflow():
            result = builder.emit_output(build(builder, *given))
        builder.emit_func_output(result)
    passes = relax.transform
    with target:
        return tvm.transform.Sequential(
            [passes.LegalizeOps(), passes.AnnotateTIROpPattern(), passes.FuseOps(), passes.FuseTIR()]
        )(builder.get())


def run(mod: Any, values: Sequence[NDArray[Any]], target: Any) -> NDArray[Any]:
    """Compiles a module and runs it."""
    import tvm
    from tvm import relax

    with target:
        built = tvm.compile(mod, target=target)
    machine = relax.VirtualMachine(built, tvm.cpu())
    return np.array(machine["main"](*map(tvm.runtime.tensor, values)).numpy())


def sample(rng: np.random.Generator, shape: Sequence[int], dtype: str) -> NDArray[Any]:
    """Makes values of a dtype."""
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith("float"):
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(-100, 100, shape).astype(dtype)


def _check(
    build: Build, inputs: Sequence[tuple[Sequence[Any], str]], target: Any, known: dict[str, int]
) -> Any:
    from edgekit.lowering.tvm.schedule import schedule

    mod = _module(build, inputs, target)
    scheduled = schedule(mod, target)
    assert any(f.attrs.get("tirx.is_scheduled") for f in scheduled.functions.values() if f.attrs)
    rng = np.random.default_rng(3)
    shapes = [[d if isinstance(d, int) else known[d.name] for d in shape] for shape, _ in inputs]
    values = [sample(rng, s, d) for s, (_, d) in zip(shapes, inputs, strict=True)]
    want, got = run(mod, values, target), run(scheduled, values, target)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if want.dtype.kind == "f":
        scale = float(np.abs(want).max(initial=0))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6 * max(scale, 1e-3))
    else:
        np.testing.assert_array_equal(got, want)
    return scheduled
