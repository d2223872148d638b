"""Hyperbolic functions and their inverses, accurate for small and large arguments.

Near zero the exponential forms cancel, and LiteRT's LOG has a large relative error near 1: there a
polynomial is used. The polynomials are minimax fits (Remez exchange, relative error) of f(x) / x in
x * x, below float32's rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.polynomial import horner
from edgekit.lowering.tflite.table import lowers

_SINH = (1.0, 0.16666666430, 0.0083333525929, 0.00019835812447, 2.8185239457e-06)
"""For |x| < 1, error 5e-11."""
_ASINH = (
    1.0,
    -0.16666664676,
    0.074998693170,
    -0.044610455442,
    0.029994065342,
    -0.019918952397,
    0.0090920386301,
)
"""For |x| < 0.5, error 5e-11."""
_ATANH = (1.0, 0.33333284873, 0.20003018545, 0.14215798950, 0.11870570611, 0.049850359552, 0.17855488461)
"""For |x| < 0.5, error 1e-9."""
_LN2 = math.log(2)
_LARGEST = 3.4028234663852886e38
"""The largest float32."""


def _log(x: Term) -> Term:
    """LOG with an infinity of its own: without AVX-512, LiteRT's ends at 88.376 = log(2**127.5)."""
    return (x > _LARGEST).where(x, x.log())


def _half_exp(x: Term) -> tuple[Term, Term]:
    """`exp(|x|) / 2` and `exp(-|x|) / 2`; halving the exponent first avoids early overflow."""
    root = (x.abs() * 0.5).exp()
    inverse = 1 / root
    return root * 0.5 * root, inverse * 0.5 * inverse


def _signed(size: Term, x: Term) -> Term:
    return (x < 0).where(-size, size)


def _sinh(x: Term) -> Term:
    up, down = _half_exp(x)
    return (x.abs() >= 1).where(_signed(up - down, x), x * horner(x * x, _SINH))


def _cosh(x: Term) -> Term:
    up, down = _half_exp(x)
    return x.equals(x).where(up + down, x)  # EXP makes 0 of NaN


def _asinh(x: Term) -> Term:
    size = x.abs().maximum(0.5)
    inverse = 1 / size
    far = ((inverse * inverse + 1).sqrt() * 0.5 + 0.5).log() + _log(size * 0.5) + 2 * _LN2
    return (x.abs() >= 0.5).where(_signed(far, x), x * horner(x * x, _ASINH))


def _atanh(x: Term) -> Term:
    far = _log((x + 1) / (1 - x)) * 0.5
    return (x.abs() >= 0.5).where(far, x * horner(x * x, _ATANH))


def _acosh(x: Term) -> Term:
    """`2 atanh(sqrt((x - 1) / (x + 1)))` near 1, else `log(x (1 + sqrt(1 - 1 / x**2)))`."""
    inverse = 1 / x
    far = ((1 - inverse * inverse).sqrt() * 0.5 + 0.5).log() + _log(x * 0.5) + 2 * _LN2
    near = _atanh(((x - 1) / (x + 1)).sqrt()) * 2
    return (x >= 2).where(far, near)


_FORMULAS: dict[str, Callable[[Term], Term]] = {
    "Sinh": _sinh, "Cosh": _cosh, "Asinh": _asinh, "Acosh": _acosh, "Atanh": _atanh,
}  # fmt: skip


@lowers(*_FORMULAS, since=9)
def hyperbolic(b: TFLiteBuilder, n: Op) -> Value:
    """Sinh, Cosh, Asinh, Acosh, Atanh -> EXP or LOG, and a polynomial near zero."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: _FORMULAS[n.type](Term(b, x)).value)
