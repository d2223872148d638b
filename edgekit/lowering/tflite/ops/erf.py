"""The error function."""

from __future__ import annotations

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.polynomial import horner
from edgekit.lowering.tflite.table import lowers

_NEAR = (1.1283791657, -0.37612625824, 0.11283585148, -0.026853811927, 0.0051883276704,
         -0.00080101935004, 7.8538609686e-05)  # fmt: skip
"""erf(x) / x in x * x for |x| < 1; minimax fit (Remez exchange), relative error 1.2e-9."""
_FAR = (0.00018846834876, -1.1295803135, -0.63321639355, -0.10842210256, 0.025210341364,
        -0.0042052852748, 0.00044147274448, -2.1697621140e-05)  # fmt: skip
"""log(1 - erf(x)) for 1 <= x <= 4; minimax fit, error of erf 2.2e-11. Beyond 4, erf is 1 in float32."""


def erf(x: Term) -> Term:
    """The error function of float32."""
    size = x.abs()
    tail = 1 - horner(size.minimum(4), _FAR).exp()
    # EXP makes 0 of NaN: NaN must take the polynomial
    return (size >= 1).where((x < 0).where(-tail, tail), x * horner(x * x, _NEAR))


@lowers("Erf", since=13)
def lower_erf(b: TFLiteBuilder, n: Op) -> Value:
    """Erf -> a polynomial near zero, an exponential of one beyond."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: erf(Term(b, x)).value)
