"""Options of the TVM backend: what exists is read, everything else is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.lowering.backends import Recipe, stand_in_for
from edgekit.lowering.tvm.options import TvmOptions


def test_given_options_are_read() -> None:
    options = TvmOptions.of({"triple": "aarch64-linux-gnu", "cpu": "cortex-a72", "opt_level": 2})
    assert (options.triple, options.cpu, options.opt_level) == ("aarch64-linux-gnu", "cortex-a72", 2)
    assert not options.is_host
    assert TvmOptions.of({}).is_host


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tripel": "x"}, "no option `tripel`"),
        ({"device": "npu"}, "no device `npu`"),
        ({"opt_level": 7}, "`opt_level`"),
        ({"opt_level": True}, "`opt_level`"),
        ({"triple": 3}, "`triple`"),
        ({"cpu": ""}, "`cpu`"),
    ],
)
def test_bad_options_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(EdgekitError) as caught:
        TvmOptions.of(given)
    [problem] = caught.value.diagnostics
    assert problem.code == "EK204"
    assert words in problem.message


def test_only_libraries_for_other_machines_have_a_stand_in() -> None:
    assert stand_in_for("tvm", Recipe()) is None
    assert stand_in_for("tflite", Recipe()) is None
    other = stand_in_for("tvm", Recipe(options={"triple": "aarch64-linux-gnu", "opt_level": 1}))
    assert other is not None
    assert TvmOptions.of(other.options).is_host
    assert TvmOptions.of(other.options).opt_level == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"triple": "nonsense-none"}, "no architecture `nonsense`"),
        ({"cpu": "nosuchcpu"}, "no CPU `nosuchcpu`"),
        ({"triple": "aarch64-linux-gnu", "cpu": "skylake"}, "no CPU `skylake`"),
    ],
)
def test_machines_that_llvm_does_not_know(options, text):
    pytest.importorskip("tvm", reason="apache-tvm is not installed")
    from edgekit.diagnostics import EdgekitError
    from edgekit.lowering.tvm.compile import target_of
    from edgekit.lowering.tvm.options import TvmOptions

    with pytest.raises(EdgekitError) as caught:
        target_of(TvmOptions.of(options))
    assert caught.value.diagnostics[0].code == "EK204"
    assert text in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    "triple", ["aarch64-linux-gnu", "armv7a-linux-gnueabihf", "x86_64-linux-gnu", "thumbv7em-none-eabi"]
)
def test_machines_that_llvm_knows(triple):
    pytest.importorskip("tvm", reason="apache-tvm is not installed")
    from edgekit.lowering.tvm.compile import target_of
    from edgekit.lowering.tvm.options import TvmOptions

    assert target_of(TvmOptions.of({"triple": triple})).kind.name == "llvm"
