"""Cubic interpolation by a linear one."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, make_attr


@advises(
    "Resize",
    name="cubic-to-linear",
    what="cubic Resize becomes linear",
    claim=Claim.INEXACT,
    training='call `torch.nn.functional.interpolate` with `mode="bilinear"` in place of "bicubic"',
)
def to_linear(maker: Maker) -> bool:
    """Takes the mode only; coordinates stay as they are."""
    node = maker.node
    if attribute(node, "mode", "nearest") != "cubic":
        return False
    node.attributes["mode"] = make_attr("mode", "linear")
    for name in ("cubic_coeff_a", "exclude_outside"):
        node.attributes.pop(name, None)
    return True
