"""The scheme that a target asks for."""

from __future__ import annotations

import pytest

from edgekit.compat import target
from edgekit.compat.numerics import scheme_for
from edgekit.diagnostics import EdgekitError


def test_the_user_decides_then_the_target() -> None:
    assert scheme_for(None, None) == "int8"
    assert scheme_for(None, target("ethos-u55-128")) == "int8"
    assert scheme_for("int8-per-tensor", target("ethos-u55-128")) == "int8-per-tensor"
    assert scheme_for("int8", target("esp32-s3")) == "int8"


@pytest.mark.parametrize(("name", "words"), [("esp32-s3", "powers of two"), ("hls4ml-vitis", "no scheme")])
def test_what_no_scheme_does_is_refused(name: str, words: str) -> None:
    with pytest.raises(EdgekitError) as caught:
        scheme_for(None, target(name))
    (problem,) = caught.value.diagnostics
    assert problem.code == "EK202"
    assert words in problem.message
