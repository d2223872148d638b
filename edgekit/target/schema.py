"""What a target descriptor holds. This is a file boundary: the only models here are pydantic's."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

SCHEMA = "edgekit.target/1"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Kind(enum.StrEnum):
    """What sort of thing the target is."""

    PHONE = "phone"
    ASIC = "asic"
    FPGA = "fpga"
    MCU = "mcu"
    SBC = "sbc"


class Basis(enum.StrEnum):
    """What a statement of a descriptor rests on, the strongest first."""

    EXTRACTED = "extracted"
    """Read by machine out of the vendor's tool or source code."""
    OBSERVED = "observed"
    """Seen when running the vendor's tool, or in a file that it wrote."""
    STATED = "stated"
    """Written in the vendor's documentation."""
    COMMUNITY = "community"
    """Found out by users; the vendor says nothing."""
    RECALLED = "recalled"
    """From general knowledge and not checked against a text."""


class Otherwise(enum.StrEnum):
    """Where an op goes that the accelerator does not take."""

    CPU = "cpu"
    NONE = "none"


class Outcome(enum.StrEnum):
    """What a rule that does not hold means for the op."""

    FAIL = "fail"
    UNKNOWN = "unknown"


def _member(kind: type[enum.StrEnum]) -> BeforeValidator:
    """YAML holds text; strict models want the member."""
    choices = ", ".join(f"'{member}'" for member in kind)

    def convert(value: Any) -> Any:
        if isinstance(value, str) and value in set(kind):
            return kind(value)
        raise PydanticCustomError("enum", "it should be one of {expected}", {"expected": choices})

    return BeforeValidator(convert)


KindField = Annotated[Kind, _member(Kind)]
BasisField = Annotated[Basis, _member(Basis)]
OtherwiseField = Annotated[Otherwise, _member(Otherwise)]
OutcomeField = Annotated[Outcome, _member(Outcome)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=80)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, strict=False)]
Strings = Annotated[tuple[str, ...], Field(strict=False)]


class Source(_Strict):
    """Where facts come from.

    Attributes:
        title: What it is, in words.
        version: The version that was read: of the package, the document, or a commit.
        where: URL, or package and path.
        licence: Licence of the source, where it limits what may be done with it.
        note: What to know of it.
    """

    title: Text
    version: Text
    where: Text
    licence: Text | None = None
    note: Text | None = None


class Toolchain(_Strict):
    """Whose rules these are: support belongs to a compiler or runtime and its version, not to a chip.

    Attributes:
        name: Of the compiler or runtime.
        version: The version that the descriptor speaks of.
        options: Options that change placement, by name.
    """

    name: Text
    version: Text
    options: Mapping[str, Any] = Field(default_factory=dict)


class RuleUse(_Strict):
    """A rule with its parameters, as an op table uses it.

    Attributes:
        rule: Name of the rule; empty for `any_of`.
        params: Its parameters.
        any_of: Alternatives, of which one must hold; each is a list of rules that must hold together.
        when: The rule counts only if all of these hold.
        unless: The rule does not count if all of these hold.
        outcome: What it means that the rule does not hold: `fail`, or `unknown` where the vendor says that
            an op *may* be left out.
        message: Replaces the rule's own sentence.
        basis: What the statement rests on; else that of the op.
        source: A key of `sources`; else that of the op.
        note: What to know of it.
    """

    rule: str = ""
    params: Mapping[str, Any] = Field(default_factory=dict)
    any_of: tuple[Annotated[tuple[RuleUse, ...], Field(strict=False)], ...] = Field(default=(), strict=False)
    when: tuple[RuleUse, ...] = Field(default=(), strict=False)
    unless: tuple[RuleUse, ...] = Field(default=(), strict=False)
    outcome: OutcomeField = Outcome.FAIL
    message: Text | None = None
    basis: BasisField | None = None
    source: str | None = None
    note: Text | None = None


class OpEntry(_Strict):
    """What the target says of one op.

    Attributes:
        accelerated: `False` for an op that is known and never runs on the accelerator.
        dtypes: Dtypes of feature maps that are taken; `None` if the source does not say.
        rules: All that must hold for the accelerator to take the op.
        fallback: Where it goes otherwise; `None` for what holds in the whole target.
        basis: What the row rests on; `None` for what holds in the whole target.
        source: A key of `sources`; `None` for what holds in the whole target.
        note: What to know of it.
    """

    accelerated: bool = True
    dtypes: Strings | None = None
    rules: tuple[RuleUse, ...] = Field(default=(), strict=False)
    fallback: OtherwiseField | None = None
    basis: BasisField | None = None
    source: str | None = None
    note: Text | None = None


class Memory(_Strict):
    """Memory that the target's planner may use, in bytes; `None` where it depends on the board.

    Attributes:
        sram: For activations.
        flash: For weights and code.
        dram: Main memory.
        parameter_cache: On-chip memory for weights.
        arena_alignment: Alignment of tensors in the arena.
        note: What to know of it.
    """

    sram: Count | None = None
    flash: Count | None = None
    dram: Count | None = None
    parameter_cache: Count | None = None
    arena_alignment: Annotated[int, Field(ge=1)] = 16
    note: Text | None = None


class Compute(_Strict):
    """Peaks for estimates of time.

    Attributes:
        clock_hz: Clock of the accelerator.
        macs_per_cycle: Peak multiply-accumulates per cycle, by dtype.
        bandwidth: Bytes per second between the accelerator and the memory that holds the model.
        cpu_macs_per_second: Of the CPU that falls-back ops run on.
        source: A key of `sources`.
        note: What to know of it.
    """

    clock_hz: Amount | None = None
    macs_per_cycle: Mapping[str, Amount] = Field(default_factory=dict)
    bandwidth: Amount | None = None
    cpu_macs_per_second: Amount | None = None
    source: str | None = None
    note: Text | None = None


class Numerics(_Strict):
    """How a model is quantised for the target.

    Attributes:
        scheme: Name of edgekit's scheme (`edgekit quantize --scheme`); `None` where floats run.
        required: Whether only quantised models run.
        activations: Dtypes of activations.
        weights: Dtypes of weights.
        per_channel: Whether weights may have a scale per channel.
        symmetric_weights: Whether zero points of weights must be 0.
        symmetric_activations: Whether those of activations must.
        power_of_two: Whether scales must be powers of two.
        source: A key of `sources`.
        note: What to know of it.
    """

    scheme: str | None = None
    required: bool = False
    activations: Strings = ()
    weights: Strings = ()
    per_channel: bool = True
    symmetric_weights: bool = True
    symmetric_activations: bool = False
    power_of_two: bool = False
    source: str | None = None
    note: Text | None = None


class Target(_Strict):
    """A chip with its toolchain, resolved: nothing is left to inherit.

    Attributes:
        schema_: The schema of the file.
        id: What `-t` takes.
        extends: The id or relative path of the family that this was read on top of.
        abstract: Whether it is only a family to extend.
        title: In words.
        kind: What sort of thing it is.
        vendor: Who makes it.
        dialect: Whose names its ops have: `tflite`, `onnx` or `coreml`.
        toolchain: Compiler or runtime, with version.
        layout: Order of axes that it computes in.
        sources: Where the facts come from, by key.
        source: The source of rows that name none.
        basis: What rows rest on that do not say.
        constants: Values that rules may name as `$name`.
        rules: Hold for every op of the table.
        ops: The table; an op that is not in it goes where `unlisted` says.
        unlisted: `fallback` if the table is complete, `unknown` if it is not.
        fallback: Where ops go that are not taken.
        cpu: The id of the target that judges ops which fall back; `None` where there is none.
        graph: Rules about the placement of the graph as a whole.
        memory: What its planner may use.
        compute: Peaks.
        numerics: How models are quantised for it.
        tolerances: Largest errors accepted against the source model, by metric.
        note: What to know of it.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)

    schema_: Literal["edgekit.target/1"] = Field(alias="schema")
    id: Id
    extends: str | None = None
    abstract: bool = False
    title: Text
    kind: KindField
    vendor: Text
    dialect: Literal["tflite", "onnx", "coreml"]
    toolchain: Toolchain
    layout: Literal["NHWC", "NCHW"] | None = None
    sources: Annotated[Mapping[str, Source], Field(min_length=1)]
    source: str
    basis: BasisField
    constants: Mapping[str, Any] = Field(default_factory=dict)
    rules: tuple[RuleUse, ...] = Field(default=(), strict=False)
    ops: Annotated[Mapping[str, OpEntry], Field(min_length=1)]
    unlisted: Literal["fallback", "unknown"] = "unknown"
    fallback: OtherwiseField
    cpu: str | None = None
    graph: tuple[RuleUse, ...] = Field(default=(), strict=False)
    memory: Memory = Memory()
    compute: Compute = Compute()
    numerics: Numerics = Numerics()
    tolerances: Mapping[str, Amount] = Field(default_factory=dict)
    note: Text | None = None
