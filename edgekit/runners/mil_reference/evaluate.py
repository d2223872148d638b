"""Runs a function of a program, op by op."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.diagnostics import EdgekitError, error
from edgekit.runners.mil_reference import ops  # noqa: F401 - fills the table
from edgekit.runners.mil_reference.call import call, check
from edgekit.runners.mil_reference.program import Block, Constant, Function, Op
from edgekit.runners.mil_reference.refusal import Refusal, require
from edgekit.runners.mil_reference.table import TABLE
from edgekit.runners.mil_reference.types import Runtime

Scope = MutableMapping[str, Runtime]
Watch = Callable[[str, Runtime], None]
"""Is told every name and its value; inside a loop, each time."""

_MOST_TURNS = 20_000
_FAULTS = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
"""What numpy raises for arguments that do not fit."""


def evaluate(function: Function, inputs: Mapping[str, Runtime], watch: Watch) -> dict[str, Runtime]:
    """Runs a function.

    Args:
        function: The function.
        inputs: Values of its inputs, states among them.
        watch: Is told the values.

    Returns:
        The outputs by name.

    Raises:
        EdgekitError: EK503 naming the op that is unknown, refuses its arguments, or gives something else
            than the program declares.
    """
    scope = dict(inputs)
    results = _Evaluator(function.ios, watch).run(function.block, scope)
    return dict(zip(function.block.outputs, results, strict=True))


@dataclass(frozen=True, slots=True)
class _Evaluator:
    ios: int
    watch: Watch

    def run(self, block: Block, scope: Scope) -> tuple[Runtime, ...]:
        for op in block.ops:
            for output, value in zip(op.outputs, self._guarded(op, scope), strict=True):
                scope[output.name] = value
                self.watch(output.name, value)
        return tuple(scope[name] for name in block.outputs)

    def _guarded(self, op: Op, scope: Scope) -> tuple[Runtime, ...]:
        try:
            results = self._results(op, scope)
            require(
                len(results) == len(op.outputs),
                f"it gives {len(results)} results, the program takes {len(op.outputs)}",
            )
            for output, value in zip(op.outputs, results, strict=True):
                check(value, output.type)
        except Refusal as refusal:
            raise _refused(op, str(refusal)) from refusal
        except _FAULTS as fault:
            raise _refused(op, f"{type(fault).__name__}: {' '.join(str(fault).split())[:500]}") from fault
        return results

    def _results(self, op: Op, scope: Scope) -> tuple[Runtime, ...]:
        given = {
            name: [a.value if isinstance(a, Constant) else scope[a.name] for a in arguments]
            for name, arguments in op.inputs.items()
        }
        if op.type == "cond":
            return self._cond(op, given, scope)
        if op.type == "while_loop":
            return self._while(op, given, scope)
        require(not op.blocks, "it has blocks, which such an op does not take")
        row = TABLE.find(op.type, self.ios)
        if row is None:
            raise Refusal(f"there is no such op for iOS {self.ios}, or it is not supported")
        return call(row, given)

    def _cond(self, op: Op, given: Mapping[str, list[Runtime]], scope: Scope) -> tuple[Runtime, ...]:
        require(set(given) == {"pred"}, "it takes `pred` and nothing else")
        require(len(op.blocks) == 2, f"it has {len(op.blocks)} blocks instead of 2")
        return self.run(op.blocks[0 if _truth(given["pred"]) else 1], ChainMap({}, scope))

    def _while(self, op: Op, given: Mapping[str, list[Runtime]], scope: Scope) -> tuple[Runtime, ...]:
        require(set(given) == {"loop_vars"}, "it takes `loop_vars` and nothing else")
        require(len(op.blocks) == 2, f"it has {len(op.blocks)} blocks instead of 2")
        test, body = op.blocks
        values = tuple(given["loop_vars"])
        for _ in range(_MOST_TURNS):
            if not _truth(self.run(test, self._inner(test, values, scope))):
                return values
            values = self.run(body, self._inner(body, values, scope))
        raise Refusal(f"it does not end within {_MOST_TURNS} turns")

    def _inner(self, block: Block, values: tuple[Runtime, ...], scope: Scope) -> Scope:
        require(
            len(values) == len(block.inputs), f"a block takes {len(block.inputs)} values, not {len(values)}"
        )
        own: dict[str, Any] = {}
        for named, value in zip(block.inputs, values, strict=True):
            check(value, named.type)
            own[named.name] = value
            self.watch(named.name, value)
        return ChainMap(own, scope)


def _truth(values: Any) -> bool:
    require(len(values) == 1, f"the condition has {len(values)} values instead of one")
    (value,) = values
    if not isinstance(value, np.ndarray) or value.size != 1 or value.dtype != np.bool_:
        raise Refusal("the condition is no bool")
    return bool(value.reshape(-1)[0])


def _refused(op: Op, why: str) -> EdgekitError:
    return error(
        "EK503",
        f"the op `{op.name}` ({op.type}) cannot be evaluated: {why}",
        data={"runtime": "mil-reference", "op": op.name, "type": op.type},
    )
