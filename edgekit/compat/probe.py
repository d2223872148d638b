"""Finds the limits of an op by asking a vendor's tool: every knob of a one-op model is turned alone.

A size is doubled until the tool refuses it, then the last size that it takes is found by bisection. That is
right where there is one limit; a tool that refuses sizes in between is reported as it was met.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.compat.agreement import UNIT, beside
from edgekit.compat.oneop import Draw, Knob, one_op
from edgekit.compat.oneop.campaign import values_of
from edgekit.compat.oneop.model import Meaningless, OneOp
from edgekit.compat.oracle import ACCELERATOR, Oracle
from edgekit.diagnostics import EdgekitError, error
from edgekit.target import Target

MOST = 1 << 17
"""Sizes beyond which no limit is sought."""
TFLITE_OPS: Mapping[str, tuple[str, ...]] = {
    "AveragePool": ("AVERAGE_POOL_2D",),
    "Clip": ("RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"),
    "Concat": ("CONCATENATION",),
    "Conv": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "ConvTranspose": ("TRANSPOSE_CONV",),
    "Gemm": ("FULLY_CONNECTED",),
    "GlobalAveragePool": ("MEAN",),
    "MatMul": ("BATCH_MATMUL", "FULLY_CONNECTED"),
    "MaxPool": ("MAX_POOL_2D",),
    "Max": ("MAXIMUM",),
    "Min": ("MINIMUM",),
    "ReduceMean": ("MEAN",),
    "ReduceSum": ("SUM",),
    "Resize": ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
    "Sigmoid": ("LOGISTIC",),
    "Slice": ("STRIDED_SLICE", "SLICE"),
    "Where": ("SELECT_V2",),
}
"""The TFLite ops that an ONNX op becomes, where the name does not say it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What tool and table say of one model.

    Attributes:
        value: What the knob was turned to.
        taken: Whether the tool puts the op on the accelerator; `None` if it refuses the file.
        reason: Why not, in the tool's words.
        table: The unit that the table names.
    """

    value: Any
    taken: bool | None
    reason: str
    table: str

    @property
    def agrees(self) -> bool | None:
        """Whether the table says the same; `None` if the tool places nothing."""
        return None if self.taken is None else self.taken == (self.table == ACCELERATOR)


@dataclass(frozen=True, slots=True)
class Limit:
    """What was found out about one knob.

    Attributes:
        op: The op.
        knob: The knob.
        answers: Every value that was asked about, in their order.
        sized: Whether it is a size, with a limit.
    """

    op: str
    knob: str
    answers: tuple[Answer, ...]
    sized: bool = False

    @property
    def taken(self) -> list[Any]:
        """The values that the tool takes."""
        return [a.value for a in self.answers if a.taken]

    @property
    def refused(self) -> tuple[Answer, ...]:
        """The answers for values that it does not take."""
        return tuple(a for a in self.answers if a.taken is False)

    @property
    def highest(self) -> int | None:
        """The largest size that is taken, where a larger one is refused."""
        above = [a.value for a in self.refused if self.sized and self.taken and a.value > max(self.taken)]
        return max(self.taken) if above else None

    @property
    def disagreeing(self) -> tuple[Answer, ...]:
        """The answers that the table contradicts."""
        return tuple(a for a in self.answers if a.agrees is False)


@dataclass(slots=True)
class Probe:
    """Asks a tool about models of one op.

    Attributes:
        target: The target whose table is compared.
        oracle: The tool.
        op: TFLite's name of the op.
        asked: How many files the tool was given.
        version: Version of the tool, once it answered.
    """

    target: Target
    oracle: Oracle
    op: str
    asked: int = 0
    version: str = ""
    _known: dict[tuple[str, str], Answer] = field(default_factory=dict)

    def limits(
        self, knobs: tuple[str, ...] = (), progress: Callable[[str], None] | None = None
    ) -> Iterator[Limit]:
        """Turns the knobs one by one.

        Args:
            knobs: Those to turn; all by default.
            progress: Called with the name of each knob.

        Raises:
            EdgekitError: EK204 for an unknown op or knob; EK503 if the tool does not even take the base
                model; EK501 and EK504 as the oracle.
        """
        base = Draw()
        one_op(self.op, base)
        for name in knobs:
            if name not in base.asked:
                known = ", ".join(f"`{k}`" for k in base.asked)
                raise error(
                    "EK204", f"models of `{self.op}` have no knob `{name}`", notes=[f"knobs: {known}"]
                )
        self._base(base)
        for name in knobs or tuple(base.asked):
            if progress is not None:
                progress(f"{self.op} {name}")
            yield self.limit(name, base.asked[name])

    def limit(self, name: str, knob: Knob) -> Limit:
        """Turns one knob."""
        if knob.low is None or knob.high is None:
            values = [knob.base, *values_of(knob)]
            answers = [a for value in values if (a := self.ask(name, value)) is not None]
            return Limit(self.op, name, tuple(answers))
        self._seek(name, knob)
        met = [a for (of, _), a in self._known.items() if of == name]
        return Limit(self.op, name, tuple(sorted(met, key=lambda a: a.value)), sized=True)

    def _seek(self, name: str, knob: Knob) -> None:
        """Doubles a size until the tool refuses it, and bisects."""
        for value in (knob.low, knob.base):
            self.ask(name, int(value or 0))
        good, bad = int(knob.base), None
        while bad is None and good < MOST:
            answer = self.ask(name, good * 2)
            if answer is None:
                return  # there is no such model, or it would be too large
            good, bad = (good * 2, None) if answer.taken else (good, good * 2)
        while bad is not None and bad - good > 1:
            middle = (good + bad) // 2
            answer = self.ask(name, middle)
            if answer is None:
                return
            good, bad = (middle, bad) if answer.taken else (good, middle)

    def _base(self, base: Draw) -> None:
        answer = self.ask("", None)
        if answer is None or not answer.taken:
            said = answer.reason if answer else ""
            what = f"{self.oracle.name} does not take the base model of `{self.op}`"
            raise error("EK503", what, notes=[said] if said else [])

    def ask(self, knob: str, value: Any) -> Answer | None:
        """Asks about one value of a knob; `None` if there is no such model."""
        key = (knob, repr(value))
        if key not in self._known:
            try:
                model = one_op(self.op, Draw(fixed={knob: value} if knob else {}))
                payload = model.to_bytes()
            except (Meaningless, ValueError):
                return None
            self._known[key] = self._answer(model, payload, value)
        return self._known[key]

    def _answer(self, model: OneOp, payload: bytes, value: Any) -> Answer:
        self.asked += 1
        with tempfile.TemporaryDirectory(prefix="edgekit-probe-") as folder:
            path = Path(folder, "model.tflite")
            path.write_bytes(payload)
            try:
                opinion = self.oracle.opinion(path, self.target.id)
                self.version = opinion.version
            except EdgekitError as failure:
                found = failure.diagnostics[0]
                if found.code not in ("EK502", "EK521"):
                    raise
                return Answer(value, None, found.message, "")
        ((told, judged),) = (
            (c.told, c.judged) for c in beside(model.lowered(), self.target, opinion.placements)
        )
        return Answer(value, told.unit == ACCELERATOR, told.reason, UNIT[judged.placement])


def ops_named(name: str) -> tuple[str, ...]:
    """Returns the TFLite ops that a name means: TFLite's own, or that of an ONNX op."""
    if name in TFLITE_OPS:
        return TFLITE_OPS[name]
    snake = "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(name))
    return (name,) if name.isupper() else (snake.upper(),)
