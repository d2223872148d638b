"""How each backend computes each scheme, and why it does not where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.diagnostics import error
from edgekit.quantize.scheme import SCHEMES, Form, Scheme


@dataclass(frozen=True, slots=True)
class Native:
    """What a backend does with a scheme.

    Attributes:
        how: In words, for reports.
        options: Options of the backend that bring it about.
        block: Elements that share a scale of weights unless the user says otherwise; 0 for a channel.
        has_blocks: Whether the user may choose.
        per_row: Whether activations that are quantised at run time have a range for each image or row.
    """

    how: str
    options: Mapping[str, Any] = field(default_factory=dict)
    block: int = 0
    has_blocks: bool = False
    per_row: bool = False


_INTEGER = Native("integer kernels")
_QDQ = Native(
    "QuantizeLinear and DequantizeLinear around float ops, which ONNX Runtime fuses to integer kernels"
)
_BLOCKS = Native("DequantizeLinear of weights in blocks, float32 arithmetic", block=32, has_blocks=True)
_LITERAL = Native("the same roundings in float arithmetic: exact codes, no integer kernels")
_PRODUCTS = Native("sums of integer products times one float32 scale, else float32 between exact roundings")
_CONSTEXPR = Native(
    "integer weights; from iOS 17 activations by `quantize` and `dequantize`, before as roundings"
)
_STORED = Native("integers behind DEQUANTIZE, one scale per output channel, float32 arithmetic",
                 {"weights": "dequantized"})  # fmt: skip
_NO_WEIGHTS = "its weights are kept in float32: nothing would get smaller"

_SUPPORT: Mapping[str, Mapping[str, Native | str]] = {
    "tflite": {
        "int8": _INTEGER,
        "int8-per-tensor": _INTEGER,
        "uint8": Native("uint8 kernels", {"unsigned": True}),
        "int16x8": Native("int16 kernels with int8 weights and int64 biases, which are plain loops: measured "
                          "10 to 23 times the time of int8 on x86-64"),
        "dynamic": Native("hybrid kernels: int8 products, a range for each image or row of activations",
                          {"weights": "hybrid"}, per_row=True),
        "fp16": Native("float16 weights behind DEQUANTIZE, float32 arithmetic", {"weights": "float16"}),
        "w8": _STORED,
        "w4": _STORED,
    },
    "onnx": {
        "int8": _QDQ,
        "int8-per-tensor": _QDQ,
        "uint8": _QDQ,
        "int16x8": _QDQ,
        "dynamic": Native("DynamicQuantizeLinear with MatMulInteger and ConvInteger, one range per tensor"),
        "fp16": Native("a float16 graph"),
        "w8": _BLOCKS,
        "w4": _BLOCKS,
    },
    "coreml": {
        **dict.fromkeys(("int8", "int8-per-tensor", "uint8"), _CONSTEXPR),
        "int16x8": _LITERAL,
        "dynamic": "Core ML has no op that finds a range at run time",
        "fp16": Native("an fp16 program", {"precision": "fp16"}),
        "w8": _NO_WEIGHTS,
        "w4": _NO_WEIGHTS,
    },
    "tvm": {
        **dict.fromkeys(("int8", "int8-per-tensor", "uint8"), _PRODUCTS),
        "int16x8": _LITERAL,
        "dynamic": "no schedule for integer products with a range found at run time",
        "fp16": "its libraries compute in float32 and keep weights so",
        "w8": _NO_WEIGHTS,
        "w4": _NO_WEIGHTS,
    },
}  # fmt: skip


def schemes_of(backend: str) -> tuple[str, ...]:
    """Returns the names of the schemes that a backend computes."""
    return tuple(name for name, how in _SUPPORT.get(backend, {}).items() if isinstance(how, Native))


def native(backend: str, scheme: Scheme) -> Native:
    """Returns how a backend computes a scheme.

    Raises:
        EdgekitError: EK403 with the reason if it does not; EK204 for a backend without integers.
    """
    if backend not in _SUPPORT:
        raise error("EK204", f"nothing is quantised for the backend `{backend}`")
    how = _SUPPORT[backend][scheme.name]
    if isinstance(how, str):
        can = ", ".join(f"`{name}`" for name in schemes_of(backend))
        raise error("EK403", f"`{backend}` does not compute `{scheme.name}`: {how}", help=f"choose {can}")
    return how


def in_blocks(scheme: Scheme, backend: str, size: int | None) -> Scheme:
    """Returns a scheme with blocks as the user or the backend wants them.

    Args:
        scheme: The scheme.
        backend: The backend.
        size: What the user says; `None` leaves it to the backend.

    Raises:
        EdgekitError: EK403 for blocks that the backend does not compute, EK202 for a scheme without blocks.
    """
    how = native(backend, scheme)
    chosen = scheme.in_blocks(size)
    if size and not how.has_blocks:
        raise error(
            "EK403", f"`{backend}` has no kernel for weights in blocks", help="leave `--block-size` out"
        )
    wanted = how.block if size is None and scheme.form is Form.WEIGHTS else None
    return chosen.in_blocks(wanted)


assert all(set(row) == set(SCHEMES) for row in _SUPPORT.values())
