"""A prepared float model becomes a QDQ model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx_ir as ir

from edgekit.diagnostics import error
from edgekit.ir import Model
from edgekit.passes import unique_names
from edgekit.passes.edit import is_constant
from edgekit.passes.report import PassReport
from edgekit.quantize import dynamic, half, hard_sigmoid, insert
from edgekit.quantize.calibration import Ranges
from edgekit.quantize.groups import Groups
from edgekit.quantize.roles import Roles
from edgekit.quantize.scheme import Form, Scheme, scheme_named
from edgekit.quantize.support import Native

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
    roles = Roles.of(graph, scheme_named("int8"))
    return [v.name for v in Groups.of(graph, roles) if v.name and not is_constant(v)]


def quantize(
    plan: Plan, scheme: Scheme, ranges: Ranges, keep: frozenset[str] = frozenset()
) -> tuple[Model, tuple[PassReport, ...]]:
    """Puts QuantizeLinear and DequantizeLinear into a model.

    Args:
        plan: The float model.
        scheme: The scheme.
        ranges: The range of each tensor of `observed_names`; of no meaning for a scheme that is not
            calibrated.
        keep: Names of nodes of the plan's model that stay in float. A Relu or Clip that an op takes in
            stays with it, and the other way round.

    Returns:
        The model, and what the passes changed. With `dynamic` only its weights are quantised: see `Forms`.

    Raises:
        EdgekitError: EK403 if there is nothing to quantise, EK204 if no node has a name of `keep`.
    """
    work = plan.model.ir.clone()
    if scheme.form is Form.HALF:
        report = half.call(work, Roles.of(work.graph, scheme, keep))
    else:
        report = insert.call(work, scheme, ranges, keep)
    if not report.changed:
        raise error("EK403", f"no op of the model can be quantised with `{scheme.name}`")
    return replace(plan.model, ir=work), (*plan.reports, report)


@dataclass(frozen=True, slots=True)
class Forms:
    """A quantised model as it is lowered, and as it is computed by definition.

    Attributes:
        lowered: What the backend gets.
        reference: What its artifact must agree with, in ONNX Runtime.
    """

    lowered: Model
    reference: Model

    @classmethod
    def of(cls, quantised: Model, plan: Plan, scheme: Scheme, how: Native, keep: frozenset[str]) -> Forms:
        """Spells out how activations are rounded at run time; all other schemes have one form.

        Args:
            quantised: What `quantize` returned.
            plan: The float model.
            scheme: The scheme.
            how: How the backend computes it.
            keep: As for `quantize`.
        """
        if scheme.form is not Form.DYNAMIC:
            return cls(quantised, quantised)
        graph = plan.model.ir.graph
        names = dynamic.dynamic_nodes(graph, Roles.of(graph, scheme, keep))
        reference = quantised.ir.clone()
        dynamic.simulate(reference, names, per_row=how.per_row)
        lowered = quantised.ir
        if not how.per_row:
            lowered = quantised.ir.clone()
            dynamic.integer_ops(lowered, names)
        return cls(replace(quantised, ir=lowered), replace(quantised, ir=reference))
