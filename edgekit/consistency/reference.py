"""Chooses the samples of a verification and runs the source model on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgekit.consistency.generate import Bound, Generator, is_integer
from edgekit.consistency.limits import Limits
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.pictures import as_pictures
from edgekit.consistency.samples import Given, Sample, Samples, given_samples, golden_samples
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.runners import Array

FEW, MANY = 4, 24
"""How many samples a large and a small model are run on."""

_SMALL_MODEL = 2_000_000
"""Elements of weights and inputs."""

_REFUSALS = ("EK502", "EK503")


class Unavailable(Exception):  # noqa: N818 - a verdict, not a failure of the program
    """The source model cannot be run; the message says why."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the source model gives.

    Attributes:
        samples: The inputs.
        outputs: The source model's outputs, one mapping per sample.
        seed: The seed of generated inputs.
    """

    samples: Samples
    outputs: tuple[Mapping[str, Array], ...]
    seed: int | None = None


def run_source(
    model: Model,
    oracle: Oracle,
    *,
    given: Given | None,
    count: int | None,
    seed: int,
    limits: Limits | None = None,
) -> Reference:
    """Runs the source model on given, golden or generated samples, in this order of preference.

    Args:
        model: The source model.
        oracle: Runs it; goes on to its next runtime where one refuses.
        given: What the user gives.
        count: How many samples; by default as many as the model's size allows.
        seed: Seed of generated samples.
        limits: What the artifact takes of the source's inputs.

    Raises:
        EdgekitError: EK505 if the samples given do not fit the model; EK501 for a missing package.
        Unavailable: If no runtime can run the source model.
    """
    notes: tuple[str, ...] = ()
    fixed = None
    if given is not None:
        fixed = given_samples(model, given, count)
    elif (golden := golden_samples(model, count or default_count(model))) is not None:
        fixed, notes = (golden, ()) if golden.arrays else (None, golden.notes)
    bounds = limits or Limits()
    if fixed is not None and bounds.pictures:
        fixed = as_pictures(fixed, bounds.pictures)
    while oracle.name is not None:
        try:
            oracle.load()
            if fixed is not None:
                return Reference(fixed, tuple(oracle.run(sample) for sample in fixed.arrays))
            return _on_generated(Generator(model, seed, limits=bounds), oracle, count, notes)
        except EdgekitError as problem:
            code = problem.diagnostics[0].code
            if code == "EK504":
                raise Unavailable(f"the source model takes too long: {_text(problem)}") from problem
            if code not in _REFUSALS:
                raise
            oracle.refused(problem)
            oracle.next_runtime()
    raise Unavailable(
        "no runtime can run the source model: " + "; ".join(map(_text, oracle.refusals.values()))
    )


def default_count(model: Model) -> int:
    """Returns how many samples a model is run on: more for a small one."""
    weights = sum(v.const_value.size for v in model.ir.graph.initializers.values() if v.const_value)
    inputs = 0
    for spec in model.inputs:
        elements = 1
        for size in spec.shape or ():
            elements *= size if isinstance(size, int) else 1
        inputs += elements
    return MANY if weights + inputs <= _SMALL_MODEL else FEW


def _on_generated(
    generator: Generator, oracle: Oracle, count: int | None, notes: tuple[str, ...]
) -> Reference:
    model = generator.model
    if any(spec.shape is None for spec in model.inputs):
        raise Unavailable("the rank of an input is unknown; give inputs to verify with")
    wanted = count or min(default_count(model), FEW if oracle.is_slow else MANY)
    wanted = max(wanted, generator.limits.shapes)
    first = _first_accepted(generator, oracle)
    usual = first.generator.sizes(0, first.inner)
    samples, outputs = [first.sample], [first.outputs]
    refused: dict[str, Bound] = {}
    for number in range(1, wanted):
        sizes = first.generator.sizes(number, first.inner)
        if sizes in refused.values():
            sizes = usual
        sample = first.generator.sample(number, sizes)
        try:
            outputs.append(oracle.run(sample))
        except EdgekitError as problem:
            if problem.diagnostics[0].code not in _REFUSALS or sizes == usual:
                raise
            refused[_differing(sizes, usual, first.generator)] = sizes
            sample = first.generator.sample(number, usual)
            outputs.append(oracle.run(sample))
        samples.append(sample)
    more = tuple(f"the source model itself refuses {what}" for what in sorted(refused))
    if first.generator.integers is not None:
        value = first.generator.integers
        more += (f"integer inputs are all {value}: what they may be could not be inferred",)
    return Reference(Samples("generated", tuple(samples), notes + more), tuple(outputs), generator.seed)


def _differing(sizes: Bound, usual: Bound, generator: Generator) -> str:
    """Returns in words what of the sizes is not as usual."""
    differing = {symbol: size for symbol, size in sizes.items() if size != usual[symbol]}
    if generator.batch_symbols.issuperset(differing):
        return f"a batch of {next(iter(differing.values()))}"
    return "the sizes " + ", ".join(f"{symbol} = {size}" for symbol, size in differing.items())


@dataclass(frozen=True, slots=True)
class _Accepted:
    generator: Generator
    inner: int
    sample: Sample
    outputs: Mapping[str, Array]


def _first_accepted(wanted: Generator, oracle: Oracle) -> _Accepted:
    """Finds sizes and integers that the source model takes.

    Raises:
        EdgekitError: The first refusal, if it takes none.
    """
    has_integers = any(is_integer(spec.dtype) for spec in wanted.model.inputs)
    first_refusal: EdgekitError | None = None
    empty: _Accepted | None = None
    for integers in (None, 1, 0) if has_integers else (None,):
        generator = replace(wanted, integers=integers)
        for inner in generator.inner_sizes():
            sample = generator.sample(0, generator.sizes(0, inner))
            try:
                outputs = oracle.run(sample)
            except EdgekitError as problem:
                if problem.diagnostics[0].code not in _REFUSALS:
                    raise
                first_refusal = first_refusal or problem
                continue
            accepted = _Accepted(generator, inner, sample, outputs)
            if all(array.size for array in outputs.values()):
                return accepted
            empty = empty or accepted
    if empty is not None:
        return empty
    assert first_refusal is not None
    raise first_refusal


def _text(problem: EdgekitError) -> str:
    """Returns the message with the runtime's own first words."""
    first = problem.diagnostics[0]
    return f"{first.message} ({first.notes[0][:300]})" if first.notes else first.message
