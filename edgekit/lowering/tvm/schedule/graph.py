"""Schedules the functions of a module and packs the constants of their calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.lowering.tvm.adapter import relax, tir, tvm
from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.function import Result, schedule_program
from edgekit.lowering.tvm.schedule.layout import arrange, channels_last
from edgekit.lowering.tvm.schedule.stage import Program, read
from edgekit.lowering.tvm.schedule.workload import workload


def calls(mod: Any) -> dict[str, list[Any]]:
    """Returns the `call_tir` of every function of TIR in a module, by its name; None for other uses."""
    found: dict[str, list[Any]] = {}
    call_tir = tvm.ir.Op.get("relax.call_tir")

    def look(expr: Any) -> None:
        if isinstance(expr, tvm.ir.Call) and expr.op.same_as(call_tir):
            found.setdefault(expr.args[0].name_hint, []).append(expr)

    for func in mod.functions.values():
        if isinstance(func, relax.Function):
            relax.analysis.post_order_visit(func, look)
    return found


def constants_of(sites: list[Any]) -> frozenset[int]:
    """Returns the positions of arguments that are constants in every call."""
    common: set[int] | None = None
    for call in sites:
        here = {i for i, a in enumerate(call.args[1].fields) if isinstance(a, tvm.ir.GenericConst)}
        common = here if common is None else common & here
    return frozenset(common or ())


def programs_of(mod: Any) -> dict[str, Program]:
    """Reads the functions that the graph calls and that have the form of stages; views are none."""
    sites = calls(mod)
    programs: dict[str, Program] = {}
    for var, func in mod.functions.items():
        if not isinstance(func, tir.PrimFunc) or not sites.get(var.name_hint):
            continue
        if relax.analysis.has_reshape_pattern(func):
            continue
        program = read(func)
        if isinstance(program, Program):
            programs[var.name_hint] = program
    return programs


def arranged_programs(mod: Any) -> dict[str, tuple[Program, frozenset[int], int]]:
    """Returns each program in its layout, the positions of its constants and how often it is called."""
    sites = calls(mod)
    programs, _ = arrange(mod, programs_of(mod))
    return {name: (p, constants_of(sites[name]), len(sites[name])) for name, p in programs.items()}


def schedule_functions(mod: Any, cpu: Cpu, decisions: Mapping[str, Mapping[str, Any]]) -> Any:
    """Schedules every function of TIR that reads as stages; the others stay as TVM made them."""
    sites = calls(mod)
    programs, moved = arrange(mod, programs_of(mod))
    results: dict[str, Result] = {}
    for name, program in programs.items():
        constants = constants_of(sites[name])
        decision = decisions.get(workload(program, constants)) if decisions else None
        results[name] = schedule_program(program, constants, cpu, decision)
    return _replaced(mod, results, moved)


def channels_last_type(old: Any) -> Any:
    """Returns the type of a tensor after its channels went last."""
    sizes = list(old.shape.values)
    return relax.TensorType([sizes[p] for p in channels_last(len(sizes))], old.dtype)


def _replaced(mod: Any, results: Mapping[str, Result], moved: frozenset[str]) -> Any:
    """Puts scheduled functions in the place of the originals and packs the constants of their calls.

    The functions get new names: a `GlobalVar` carries the type of its function, which packing changes.
    """
    packed: dict[tuple[Any, Any], Any] = {}
    new: dict[str, Any] = {}
    call_tir = tvm.ir.Op.get("relax.call_tir")

    @relax.expr_functor.mutator
    class Replacer(relax.PyExprMutator):  # type: ignore[misc]
        """Renames the callee and replaces the constants of each call."""

        def visit_call_(self, call: Any) -> Any:
            call = self.visit_expr_post_order(call)
            result = results.get(call.args[0].name_hint) if call.op.same_as(call_tir) else None
            if result is None:
                return call
            name = call.args[0].name_hint
            given = [argument(a, result, i) for i, a in enumerate(call.args[1].fields)]
            types = [channels_last_type(t) for t in call.ty_args] if name in moved else call.ty_args
            return tvm.ir.Call(call.op, [new[name], relax.Tuple(given), *call.args[2:]], call.attrs, types)

    def argument(given: Any, result: Result, position: int) -> Any:
        plan = result.packs.get(position)
        if plan is None:
            return given
        key = (given.value, plan)
        if key not in packed:
            packed[key] = relax.const(plan.apply(given.value.numpy()))
        return packed[key]

    replacer = Replacer(mod)
    for name, result in results.items():
        new[name] = replacer.builder_.add_func(result.func, f"{name}_scheduled")
    for var, func in mod.functions.items():
        if isinstance(func, relax.Function):
            replacer.builder_.update_func(var, replacer.visit_expr(func))
    done = replacer.builder_.get()
    for var in list(done.functions):
        if var.name_hint in results:
            del done[var]
    return done
