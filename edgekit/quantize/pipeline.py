"""A prepared float model becomes a QDQ model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx_ir as ir

from edgekit.diagnostics import error
from edgekit.ir import Model
from edgekit.passes import unique_names
from edgekit.passes.edit import is_constant
from edgekit.passes.report import PassReport
from edgekit.quantize import hard_sigmoid, insert
from edgekit.quantize.calibration import Ranges
from edgekit.quantize.groups import Groups
from edgekit.quantize.roles import Roles
from edgekit.quantize.scheme import Scheme, scheme_named

_QUANTISED = frozenset(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"))


@dataclass(frozen=True, slots=True)
class Plan:
    """A float model, ready to be observed and quantised.

    Attributes:
        model: The model, in the form that is quantised.
        reports: What was changed for it.
    """

    model: Model
    reports: tuple[PassReport, ...]

    @classmethod
    def of(cls, prepared: Model) -> Plan:
        """Prepares a model for quantisation; the one given is not changed.

        Args:
            prepared: A model after `passes.prepare`.

        Raises:
            EdgekitError: EK403 if it is quantised already.
        """
        if any(n.op_type in _QUANTISED for n in ir.traversal.RecursiveGraphIterator(prepared.ir.graph)):
            raise error(
                "EK403", "the model is quantised already", help="convert it as it is: `edgekit convert`"
            )
        work = prepared.ir.clone()
        return cls(replace(prepared, ir=work), (hard_sigmoid.call(work), unique_names.call(work)))


def observed_names(plan: Plan) -> list[str]:
    """Returns the tensors whose ranges are needed."""
    graph = plan.model.ir.graph
    return [
        v.name
        for v in Groups.of(graph, Roles.of(graph, scheme_named("int8")))
        if v.name and not is_constant(v)
    ]


def quantize(
    plan: Plan, scheme: Scheme, ranges: Ranges, keep: frozenset[str] = frozenset()
) -> tuple[Model, tuple[PassReport, ...]]:
    """Puts QuantizeLinear and DequantizeLinear into a model.

    Args:
        plan: The float model.
        scheme: The scheme.
        ranges: The range of each tensor of `observed_names`.
        keep: Names of nodes of the plan's model that stay in float. A Relu or Clip that an op takes in
            stays with it, and the other way round.

    Returns:
        The QDQ model, and what the passes changed.

    Raises:
        EdgekitError: EK403 if there is nothing to quantise, EK204 if no node has a name of `keep`.
    """
    work = plan.model.ir.clone()
    report = insert.call(work, scheme, ranges, keep)
    if not report.changed:
        raise error("EK403", "no op of the model has an integer form")
    return replace(plan.model, ir=work), (*plan.reports, report)
