"""Dtypes and shapes of results, as MIL itself infers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.coreml.storage import stored_data
from edgekit.lowering.coreml.tools import mil
from edgekit.lowering.ledger import Shape, Value

Result = tuple[np.dtype[Any], Shape, NDArray[Any] | None]
"""Storage dtype, shape, and the elements where MIL knows them."""


class Inference:
    """Asks the op classes of one deployment target.

    Attributes:
        opset: The op set of MIL, as `coremltools.target`.
    """

    def __init__(self, opset: Any) -> None:
        self.opset = opset
        self._known: dict[Any, list[Result]] = {}

    @property
    def ios(self) -> int:
        """The iOS release of the op set."""
        return int(self.opset.name.removeprefix("iOS"))

    def results(self, op: str, params: Mapping[str, Any]) -> list[Result]:
        """Returns what MIL infers; for operands that it has seen before it is not asked again.

        Args:
            op: MIL's name of the op.
            params: Its operands and parameters by MIL's names; a `Value`, several, or a plain number.

        Raises:
            ValueError: If MIL rejects the op.
        """
        key = _key(op, params)
        if key is None:
            return self._built(op, params)
        if key not in self._known:
            self._known[key] = self._built(op, params)
        return self._known[key]

    def _built(self, op: str, params: Mapping[str, Any]) -> list[Result]:
        """Builds the op in a program that is thrown away."""
        m = mil()
        values = [v for p in params.values() for v in _values(p)]
        variables = dict.fromkeys(v for v in values if v.data is None)
        ports = {f"p{i}": placeholder(v) for i, v in enumerate(variables)} or {
            "p": m.Builder.placeholder((1,))
        }
        with m.Function(ports, opset_version=self.opset) as function:
            known = {v: function.inputs[f"p{i}"] for i, v in enumerate(variables)}
            resolved = {name: self._resolve(p, known) for name, p in params.items()}
            made = getattr(m.Builder, op)(**resolved)
            return [_result(v) for v in (made if isinstance(made, list | tuple) else [made])]

    def _resolve(self, param: Any, known: dict[Value, Any]) -> Any:
        if isinstance(param, Value):
            if param not in known:
                known[param] = constant(param)
            return known[param]
        if isinstance(param, list | tuple) and any(isinstance(p, Value) for p in param):
            return tuple(self._resolve(p, known) for p in param)
        return param


_LARGE = 256
"""Constants of more elements are told apart by their shape alone where something else is not constant."""


def _key(op: str, params: Mapping[str, Any]) -> Any:
    """Returns what decides the results of an op; `None` where that cannot be said in short.

    Operands that are the same value must stay the same. An op on constants alone is computed by MIL, so that
    all elements would count.
    """
    values = [v for p in params.values() for v in _values(p)]
    if not any(v.data is None for v in values) or any(None in v.shape for v in values):
        return None
    order = {v: i for i, v in enumerate(dict.fromkeys(values))}
    parts: list[Any] = [op]
    for name, param in sorted(params.items()):
        if _values(param):
            items = param if isinstance(param, list | tuple) else (param,)
            parts.append((name, type(param), tuple(_sign(p, order) for p in items)))
        else:
            parts.append((name, type(param), repr(param)))
    return tuple(parts)


def _sign(param: Any, order: Mapping[Value, int]) -> Any:
    if not isinstance(param, Value):
        return type(param), repr(param)
    data = None if param.data is None else stored_data(param.data)
    content = data.tobytes() if data is not None and data.size <= _LARGE else data is not None
    return order[param], str(param.dtype), param.shape, content


def placeholder(value: Value) -> Any:
    """Returns a MIL placeholder for a value; sizes known only at run time become symbols."""
    m = mil()
    sizes = [m.get_new_symbol() if d is None else d for d in value.shape]
    return m.Builder.placeholder(shape=sizes, dtype=mil_type(value.dtype), allow_rank0_input=True)


def state(value: Value) -> Any:
    """Returns a MIL placeholder for a state that holds a value."""
    return mil().Builder.state_tensor_placeholder(list(value.shape), mil_type(value.dtype))


def mil_type(dtype: np.dtype[Any]) -> Any:
    """Returns MIL's type for the storage of a dtype."""
    t = mil().types
    return {"f4": t.fp32, "f2": t.fp16, "b1": t.bool}.get(f"{dtype.kind}{dtype.itemsize}", t.int32)


def constant(value: Value) -> Any:
    """Emits a MIL constant into the current block."""
    assert value.data is not None
    data = stored_data(value.data)
    return mil().Builder.const(val=data if data.ndim else data[()])


def _values(param: Any) -> Sequence[Value]:
    if isinstance(param, Value):
        return (param,)
    if isinstance(param, list | tuple):
        return [p for p in param if isinstance(p, Value)]
    return ()


def _result(variable: Any) -> Result:
    m = mil()
    dtype = np.dtype(m.types.nptype_from_builtin(variable.dtype))
    shape = tuple(int(d) if isinstance(d, int | np.integer) else None for d in variable.shape)
    data = None if variable.val is None else np.asarray(variable.val, dtype).reshape(variable.shape)
    return dtype, shape, data
