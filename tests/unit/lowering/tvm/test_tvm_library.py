"""Libraries: for this machine in a C++ program, for another by what their headers say."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgekit import api
from edgekit.diagnostics import EdgekitError
from edgekit.runners import runner_for

pytest.importorskip("tvm", reason="apache-tvm is not installed")
ROOT = Path(__file__).parents[4]
EM_AARCH64 = 183


def small_model() -> onnx.ModelProto:
    """A convolution and a tanh, with a symbolic batch."""
    weights = np.linspace(-1, 1, 54, dtype=np.float32).reshape(2, 3, 3, 3)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Tanh", ["c"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", 1, ["N", 3, 6, 6])],
        [helper.make_tensor_value_info("y", 1, ["N", 2, 4, 4])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_library_tells_what_it_takes() -> None:
    artifact = api.convert(small_model(), "tvm", verify=False)
    with runner_for("tvm", isolate=False) as runner:
        ports = runner.ports(artifact.files[0].payload)
    [given], [made] = ports.inputs, ports.outputs
    assert (given.name, given.shape, given.dtype) == ("x", (None, 3, 6, 6), np.float32)
    assert (made.name, made.shape) == ("y", (None, 2, 4, 4))


def test_a_conversion_is_verified_and_keeps_origins() -> None:
    artifact = api.convert(small_model(), "tvm")
    assert artifact.verification is not None
    assert artifact.verification.holds, artifact.verification.reason
    assert artifact.recipe["options"]["target"].startswith('{"kind":"llvm"')
    assert all(origin.nodes for origin in artifact.origins.values())


def test_what_is_no_library_is_refused() -> None:
    with runner_for("tvm", isolate=False) as runner, pytest.raises(EdgekitError) as caught:
        runner.ports(b"\x7fELF, but not further")
    assert caught.value.diagnostics[0].code == "EK503"


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_cpp_main_runs_a_library(tmp_path: Path) -> None:
    artifact = api.convert(small_model(), "tvm", verify=False)
    (tmp_path / "small.so").write_bytes(artifact.files[0].read())
    x = np.random.default_rng(1).standard_normal((1, 3, 6, 6), dtype=np.float32)
    x.tofile(tmp_path / "x.bin")
    program = _built_main(tmp_path)
    done = subprocess.run([program, "./small.so", "x.bin"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"output 0: 1 2 4 4\n"
    y = np.fromfile(tmp_path / "output_0.bin", np.float32).reshape(1, 2, 4, 4)
    np.testing.assert_array_equal(y, api.run(artifact, {"x": x}, isolate=False)["y"])
    if platform.machine() == "x86_64" and "amx_int8" not in Path("/proc/cpuinfo").read_text():
        better = api.convert(small_model(), "tvm", options={"cpu": "sapphirerapids"}, verify=False)
        (tmp_path / "small.so").write_bytes(better.files[0].read())
        done = subprocess.run(
            [program, "./small.so", "x.bin"], cwd=tmp_path, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (1, b"the library needs `amx_int8`, which this CPU lacks\n")


def _built_main(folder: Path) -> Path:
    homes = [
        Path(next(iter(importlib.util.find_spec(n).submodule_search_locations))) for n in ("tvm_ffi", "tvm")
    ]
    libraries = [str(home / "lib") for home in homes]
    program = folder / "tvm_main"
    call = [
        "g++",
        "-std=c++17",
        str(ROOT / "device/tvm_main.cpp"),
        f"-I{homes[0]}/include",
        "-o",
        str(program),
    ]
    call += [f"-L{path}" for path in libraries] + [f"-Wl,-rpath,{path}" for path in libraries]
    call += ["-Wl,--no-as-needed", "-ltvm_ffi", "-ltvm_runtime"]
    built = subprocess.run(call, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-2000:]
    return program


def _can_link_for_aarch64() -> bool:
    return (
        shutil.which("aarch64-linux-gnu-gcc") is not None or importlib.util.find_spec("ziglang") is not None
    )


@pytest.mark.skipif(not _can_link_for_aarch64(), reason="needs aarch64-linux-gnu-gcc or ziglang")
def test_a_library_for_aarch64() -> None:
    artifact = api.convert(small_model(), "tvm", options={"triple": "aarch64-linux-gnu"})
    library = artifact.files[0].read()
    assert library[:6] == b"\x7fELF\x02\x01"
    assert struct.unpack_from("<H", library, 18) == (EM_AARCH64,)
    assert b"__tvm_ffi__library_bin" in library
    verdict = artifact.verification
    assert verdict is not None
    assert verdict.verdict == "unverified"
    assert "another machine" in (verdict.reason or "")
    assert any("compiled for this machine agrees" in note for note in verdict.notes)


def test_a_triple_without_a_linker_is_refused() -> None:
    from edgekit.lowering.tvm.link import linker

    if importlib.util.find_spec("ziglang") is not None:
        pytest.skip("ziglang links for every triple")
    with pytest.raises(EdgekitError) as caught:
        linker("riscv64-unknown-nowhere")
    assert caught.value.diagnostics[0].code == "EK501"


def test_a_device_without_code_generator_is_refused() -> None:
    with pytest.raises(EdgekitError) as caught:
        api.convert(small_model(), "tvm", options={"device": "vulkan"}, verify=False)
    assert caught.value.diagnostics[0].code == "EK501"


def test_a_missing_tuning_log_is_refused() -> None:
    with pytest.raises(EdgekitError) as caught:
        api.convert(small_model(), "tvm", options={"tuning_log": "missing.jsonl"}, verify=False)
    assert caught.value.diagnostics[0].code == "EK204"


def test_a_library_says_which_cpu_it_needs() -> None:
    plain, wide = (_needs({"cpu": cpu}) for cpu in ("x86-64", "x86-64-v4"))
    assert plain["features"] == []
    assert {"avx2", "fma", "avx512f"} <= set(wide["features"])
    assert wide["line"] == "flags"


def _needs(options: dict[str, str]) -> Any:
    library = api.convert(
        small_model(), "tvm", options={"triple": "x86_64-linux-gnu", **options}, verify=False
    )
    text = library.files[0].read()
    start = text.index(b'"needs": ') + len(b'"needs": ')
    return json.JSONDecoder().raw_decode(text[start : start + 4096].decode(errors="replace"))[0]


def test_a_library_for_a_better_cpu_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = api.convert(small_model(), "tvm", verify=False)
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu sse2\nFeatures\t: fp\n")
    monkeypatch.setattr("edgekit.runners.tvm.CPUINFO", tmp_path / "cpuinfo")
    with runner_for("tvm", isolate=False) as runner, pytest.raises(EdgekitError) as caught:
        runner.ports(artifact.files[0].payload)
    (problem,) = caught.value.diagnostics
    assert problem.code == "EK525"
    assert problem.data["missing"]
    monkeypatch.setattr("edgekit.runners.tvm.CPUINFO", tmp_path / "missing")  # as on other systems
    with runner_for("tvm", isolate=False) as runner:
        assert runner.ports(artifact.files[0].payload).inputs


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names CPUs of x86-64")
def test_a_generic_library_is_run_and_one_for_a_better_cpu_is_not() -> None:
    generic = api.convert(small_model(), "tvm", options={"cpu": "generic"}).verification
    assert generic is not None
    assert generic.verdict == "verified"
    from edgekit.lowering.tvm.compile import target_of
    from edgekit.lowering.tvm.features import runs_here
    from edgekit.lowering.tvm.options import TvmOptions

    assert runs_here(target_of(TvmOptions(cpu="x86-64")))
    if runs_here(target_of(TvmOptions(cpu="sapphirerapids"))):
        pytest.skip("this machine has all that the test wants to be missing")
    better = api.convert(small_model(), "tvm", options={"cpu": "sapphirerapids"}).verification
    assert better is not None
    assert better.verdict == "unverified"
    assert "cannot run on this one" in (better.reason or "")


ANDROID = "aarch64-linux-android"


def test_android_needs_a_named_ndk(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError) as caught:
        api.convert(small_model(), "tvm", options={"triple": ANDROID}, verify=False)
    assert caught.value.diagnostics[0].code == "EK501"
    assert "--ndk" in (caught.value.diagnostics[0].help or "")
    with pytest.raises(EdgekitError) as caught:
        api.convert(small_model(), "tvm", options={"triple": ANDROID, "ndk": str(tmp_path)}, verify=False)
    assert caught.value.diagnostics[0].code == "EK204"


@pytest.mark.parametrize("triple", [ANDROID, ANDROID + "24"])
def test_the_compiler_of_an_ndk_is_found(triple: str, tmp_path: Path) -> None:
    from edgekit.lowering.tvm.link import linker

    clang = tmp_path / "toolchains/llvm/prebuilt/linux-x86_64/bin" / f"{ANDROID}24-clang"
    clang.parent.mkdir(parents=True)
    clang.touch()
    assert linker(triple, str(tmp_path)) == [str(clang)]


@pytest.mark.parametrize(
    ("device", "words"), [("opencl", b"__kernel void"), ("metal", b"kernel void"), ("cuda", b"__global__")]
)
def test_code_of_a_device_is_compiled_only(device: str, words: bytes) -> None:
    artifact = api.convert(small_model(), "tvm", options={"device": device})
    assert words in artifact.files[0].read()
    verdict = artifact.verification
    assert verdict is not None
    assert verdict.verdict == "unverified"
    assert "compiled only" in (verdict.reason or "")


def test_a_model_that_a_device_does_not_take_is_refused() -> None:
    from edgekit.lowering.tvm.compile import no_code

    [problem] = no_code("opencl", ValueError("\n  InternalError: no\n")).diagnostics
    assert (problem.code, problem.notes) == ("EK503", ("ValueError: InternalError: no",))
