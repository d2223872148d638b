"""The C writer: its size, its warnings, and its bytes, which are those of the Python writer."""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edgekit.ir import Quant
from edgekit.trace import Header, Level, TraceWriter, read_trace, sqnr_db
from edgekit.trace.dtypes import DTYPES
from edgekit.trace.framing import from_lines
from edgekit.trace.writer import FRAMINGS

ROOT = Path(__file__).parents[2]
DEVICE = ROOT / "device"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
CORES = {"cortex-m0plus": "cortex_m0plus", "cortex-m4": "cortex_m4"}
CORE_LIMIT = 1024
"""Bytes of text that the whole core may take, every function of it."""

HOST = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
ARM = shutil.which("arm-none-eabi-gcc")
needs_host = pytest.mark.skipif(HOST is None, reason="no C compiler for this machine")
needs_arm = pytest.mark.skipif(ARM is None, reason="arm-none-eabi-gcc is not installed")
needs_zig = pytest.mark.skipif(
    find_spec("ziglang") is None, reason="the extra `tvm` (ziglang) is not installed"
)
ALL = '#define EKT_API\n#include "edgekit_trace_levels.h"\n#include "edgekit_trace_sinks.h"\n'
CORE = '#define EKT_API\n#include "edgekit_trace.h"\n'


def compiled(folder: Path, compiler: list[str], source: str, suffix: str) -> Path:
    """Compiles a text with the headers; fails the test with what the compiler says."""
    file, out = folder / f"unit{suffix}", folder / "unit.o"
    file.write_text(source)
    done = subprocess.run(
        [*compiler, *WARNINGS, f"-I{DEVICE}", "-c", str(file), "-o", str(out)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return out


@needs_host
@pytest.mark.parametrize("source", [CORE, ALL], ids=["core", "all"])
@pytest.mark.parametrize(("standard", "suffix"), [("c99", ".c"), ("c++17", ".cpp")])
def test_headers_compile_without_a_warning(tmp_path: Path, source: str, standard: str, suffix: str) -> None:
    compiler = HOST if suffix == ".c" else (shutil.which("c++") or shutil.which("g++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    compiled(tmp_path, [compiler, f"-std={standard}"], source, suffix)


@needs_host
def test_headers_compile_without_a_warning_where_nothing_is_used(tmp_path: Path) -> None:
    compiled(tmp_path, [str(HOST), "-std=c99"], ALL.partition("\n")[2], ".c")


@needs_arm
@pytest.mark.parametrize("core", sorted(CORES))
def test_core_is_below_one_kilobyte_by_gcc(tmp_path: Path, core: str) -> None:
    out = compiled(tmp_path, [str(ARM), "-std=c99", "-Os", "-mthumb", f"-mcpu={core}"], CORE, ".c")
    size = shutil.which("arm-none-eabi-size")
    assert size is not None
    lines = subprocess.run([size, str(out)], capture_output=True, text=True, check=True).stdout.splitlines()
    text, data, bss = (int(n) for n in lines[1].split()[:3])
    assert text < CORE_LIMIT
    assert data == bss == 0


@needs_zig
@pytest.mark.parametrize("core", sorted(CORES))
def test_core_compiles_for_bare_metal_by_clang(tmp_path: Path, core: str) -> None:
    zig = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        "thumb-freestanding-eabi",
        f"-mcpu={CORES[core]}",
    ]
    compiled(tmp_path, [*zig, "-std=c99", "-Oz", "-g0"], CORE, ".c")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if HOST is None:
        pytest.skip("no C compiler for this machine")
    out = tmp_path_factory.mktemp("c") / "round_trip"
    source = Path(__file__).with_name("round_trip.c")
    command = [HOST, "-std=gnu99", "-O1", *WARNINGS, f"-I{DEVICE}", str(source), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def ramp() -> np.ndarray:
    values = np.arange(1000, dtype=np.float32) / np.float32(8) - np.float32(50)
    values[3] = np.nan
    return values


def expected(framing: str, *, summaries: bool) -> bytes:
    """Returns what the Python writer makes of the tensors of `round_trip.c`."""
    stream = io.BytesIO()
    header = Header(168_000_000, {"device": "round trip", "clock": "ticks"})
    writer = TraceWriter(stream, header, framing=framing)
    for name, dtype in DTYPES.items():
        writer.add(name, np.zeros((1, 3), dtype))
    codes = np.array([-128, 0, 1, 127], np.int8).reshape(1, 2, 2)
    quant = Quant((0.5, 0.25), (0, -3), 2)
    time = (1, (1 << 40) + 5)
    writer.add("codes", codes, stage="quantise", sample=70_000, layout="HWC", quant=quant, time=time)
    writer.add("ramp", ramp(), stage="model")
    writer.add("ramp", ramp(), stage="model", level=Level.HASH)
    writer.add("ramp", ramp(), stage="model", level=Level.SAMPLE, stride=7)
    if summaries:
        writer.add("ramp", ramp(), stage="model", level=Level.STATS)
        writer.add("ramp", ramp(), stage="model", level=Level.SKETCH)
        writer.end()
    return stream.getvalue()


@pytest.mark.parametrize("framing", sorted(FRAMINGS))
def test_c_writes_the_bytes_of_python_to_a_file(program: Path, framing: str, tmp_path: Path) -> None:
    file = tmp_path / "x.ekt"
    subprocess.run([program, framing, "file", file], check=True)
    exact = expected(framing, summaries=False)  # sums of the summaries are rounded in another order
    assert file.read_bytes()[: len(exact)] == exact
    check(file.read_bytes())


@pytest.mark.parametrize("framing", sorted(FRAMINGS))
def test_c_writes_through_a_socket(program: Path, framing: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        received = bytearray()

        def receive() -> None:
            peer, _ = server.accept()
            with peer:
                while piece := peer.recv(1000):
                    received.extend(piece)

        thread = threading.Thread(target=receive)
        thread.start()
        subprocess.run([program, framing, "tcp", str(server.getsockname()[1])], check=True)
        thread.join(20)
    check(bytes(received))


def test_c_writes_lines_into_a_log(program: Path) -> None:
    log = subprocess.run([program, "lines", "stdout", "-"], check=True, capture_output=True).stdout
    assert all(line.startswith(b"EKT:") and len(line) <= 68 for line in log.splitlines())
    assert b"".join(from_lines([log], 1 << 20)) == b"".join(from_lines([expected_log(log)], 1 << 20))
    check(b"boot\n" + log + b"done\n")


def expected_log(log: bytes) -> bytes:
    """Returns the log with noise between its lines, which must not matter."""
    return b"".join(b"12:00 I app " + line + b"\nnoise\n" for line in log.splitlines())


def test_a_full_disk_is_reported_to_the_caller(program: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    assert subprocess.run([program, "plain", "file", "/dev/full"]).returncode == 1


def check(payload: bytes) -> None:
    trace = read_trace(payload)
    assert trace.complete
    assert trace.header is not None
    assert trace.header.hz == 168_000_000
    stats, sketched = trace.records[-2:]
    true = ramp()
    finite = true[np.isfinite(true)].astype(float)
    assert stats.stats is not None
    assert (stats.stats.low, stats.stats.high) == (finite.min(), finite.max())
    assert stats.stats.mean == pytest.approx(finite.mean(), rel=1e-5)
    assert stats.stats.rms == pytest.approx(np.sqrt(np.mean(finite**2)), rel=1e-5)
    assert stats.nonfinite == sketched.nonfinite == 1
    assert sketched.sketch is not None
    assert sqnr_db(true, sketched.sketch) > 120


def test_half_precision_is_converted_exactly(tmp_path: Path) -> None:
    if HOST is None:
        pytest.skip("no C compiler for this machine")
    source = tmp_path / "half.c"
    source.write_text(
        '#define EKT_API\n#include "edgekit_trace_levels.h"\n#include <stdio.h>\n'
        "int main(void) { uint32_t i; for (i = 0; i < 65536u; i++) { uint16_t h = (uint16_t)i;"
        " float f = ekt_element(&ekt_float16, &h, 0); fwrite(&f, 4, 1, stdout); } return 0; }\n"
    )
    out = tmp_path / "half"
    subprocess.run([HOST, "-std=c99", f"-I{DEVICE}", str(source), "-o", str(out)], check=True)
    found = np.frombuffer(subprocess.run([out], check=True, capture_output=True).stdout, np.float32)
    true = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
    assert np.array_equal(found, true, equal_nan=True)
