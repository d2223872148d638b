"""A target's op table with the functions of its rules in place, ready to judge many ops."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, OpVerdict, Placement, Reason
from edgekit.compat.rules import rules
from edgekit.target import Basis, OpEntry, Otherwise, Outcome, RuleUse, Source, Target
from edgekit.target.identity import Same

_NOT_ASKED = object()


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One op of a table; the same object wherever targets share it, so that it judges an op only once.

    Attributes:
        uses: The rules that must hold, those for every op first.
        meanings: What each of them asks; those that ask the same share the answer for an op.
        basis: What the row rests on.
        source: The key of its source.
        failing: Where the op goes if a rule fails.
        sources: The sources of the descriptor, by key.
    """

    uses: tuple[RuleUse, ...]
    meanings: tuple[str, ...]
    basis: Basis
    source: str
    failing: Placement
    sources: Mapping[str, Source]

    def judge(self, op: Facts) -> OpVerdict:
        """Returns the verdict of an op, with every rule that fails or cannot be decided."""
        verdict = op.verdicts.get(self)
        if verdict is None:
            verdict = op.verdicts[self] = self._judged(op)
        return verdict

    def _judged(self, op: Facts) -> OpVerdict:
        found: list[tuple[RuleUse, Finding]] = []
        for use, meaning in zip(self.uses, self.meanings, strict=True):
            finding = op.findings.get(meaning, _NOT_ASKED)
            if finding is _NOT_ASKED:
                finding = op.findings[meaning] = check(use, op)
            if finding is not None:
                found.append((use, finding))
        if not found:
            return OpVerdict(Placement.ACCELERATED, (), self.basis, self.source)
        reasons = sorted((self._reason(*pair) for pair in found), key=lambda r: r.outcome is Outcome.UNKNOWN)
        failed = reasons[0].outcome is Outcome.FAIL
        placement = self.failing if failed else Placement.UNKNOWN
        return OpVerdict(placement, tuple(reasons), self.basis, self.source)

    def _reason(self, use: RuleUse, finding: Finding) -> Reason:
        key = use.source or self.source
        return Reason(
            use.rule or "any-of",
            finding.outcome,
            use.message or sentence(use),
            finding.got,
            use.basis or self.basis,
            self.sources.get(key),
            key,
            use.note,
        )


class Table:
    """The rows of a target.

    Attributes:
        target: Whose rows they are.
        rows: By op.
        unlisted: The verdict of an op that is not in the table.
        failing: Where an op goes that is not taken.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.rows = {name: _row(target, entry) for name, entry in target.ops.items()}
        self.unlisted = _unlisted(target)
        self.failing = _placement(target.fallback)

    def judge(self, op: Facts) -> OpVerdict:
        """Returns the verdict of an op."""
        row = self.rows.get(op.name)
        return self.unlisted if row is None else row.judge(op)


def _row(target: Target, entry: OpEntry) -> Row:
    rules = tuple(Same(use) for use in target.rules)
    key = entry.source or target.source
    basis = entry.basis or target.basis
    failing = _placement(entry.fallback or target.fallback)
    return _shared_row(Same(entry), rules, basis, key, failing, tuple(target.sources.items()))


@lru_cache(maxsize=8192)
def _shared_row(
    entry: Same,
    rules: tuple[Same, ...],
    basis: Basis,
    key: str,
    failing: Placement,
    sources: tuple[tuple[str, Source], ...],
) -> Row:
    written: OpEntry = entry.value
    general = tuple(use.value for use in rules)
    uses = (*general, *_dtypes(written), *written.rules) if written.accelerated else (_NEVER,)
    return Row(uses, tuple(_meaning(Same(use)) for use in uses), basis, key, failing, dict(sources))


_NEVER = RuleUse(rule="never")
"""What an op fails that the accelerator does not know."""


def _dtypes(entry: OpEntry) -> tuple[RuleUse, ...]:
    return () if entry.dtypes is None else (RuleUse(rule="dtype-in", params={"dtypes": entry.dtypes}),)


def _placement(otherwise: Otherwise) -> Placement:
    return Placement.FALLBACK if otherwise is Otherwise.CPU else Placement.UNSUPPORTED


def _unlisted(target: Target) -> OpVerdict:
    known = target.unlisted == "fallback"
    reason = Reason(
        "unlisted",
        Outcome.FAIL if known else Outcome.UNKNOWN,
        f"the op is not in the table of {target.toolchain.name} {target.toolchain.version}",
        "not listed",
        target.basis,
        target.sources.get(target.source),
        target.source,
    )
    placement = _placement(target.fallback) if known else Placement.UNKNOWN
    return OpVerdict(placement, (reason,), target.basis, target.source)


@lru_cache(maxsize=8192)
def _meaning(use: Same) -> str:
    """Returns what a use of a rule asks, without what is said beside it."""
    fields = {"rule", "params", "any_of", "when", "unless", "outcome"}
    text: str = use.value.model_dump_json(include=fields, exclude_defaults=True)
    return sys.intern(text)


def check(use: RuleUse, op: Facts) -> Finding | None:
    """Evaluates a use of a rule: its conditions, its alternatives, its outcome.

    A condition that cannot be decided leaves a rule that does not hold undecided.
    """
    finding: Finding | None = (
        _alternatives(use, op) if use.any_of else rules()[use.rule].check(op, **use.params)
    )
    if finding is None:
        return None
    applies = _applies(use, op)
    if applies is False:
        return None
    if applies is None or use.outcome is Outcome.UNKNOWN:
        return Finding(Outcome.UNKNOWN, finding.got)
    return finding


def _applies(use: RuleUse, op: Facts) -> bool | None:
    """Tells whether the conditions let a rule count; `None` if they cannot be decided."""
    wanted = _all(use.when, op) if use.when else True
    spared = _all(use.unless, op) if use.unless else False
    if wanted is False or spared is True:
        return False
    return None if wanted is None or spared is None else True


def _all(uses: tuple[RuleUse, ...], op: Facts) -> bool | None:
    outcomes = {finding.outcome for use in uses if (finding := check(use, op)) is not None}
    if Outcome.FAIL in outcomes:
        return False
    return None if outcomes else True


def _alternatives(use: RuleUse, op: Facts) -> Finding | None:
    """Holds if one branch holds; else names what each branch misses."""
    missed: list[Finding] = []
    for branch in use.any_of:
        found = [finding for one in branch if (finding := check(one, op)) is not None]
        if not found:
            return None
        missed.append(next((f for f in found if f.outcome is Outcome.FAIL), found[0]))
    outcome = Outcome.FAIL if all(f.outcome is Outcome.FAIL for f in missed) else Outcome.UNKNOWN
    return Finding(outcome, " and ".join(dict.fromkeys(f.got for f in missed)))


def sentence(use: RuleUse) -> str:
    """Returns what a use of a rule asks for, conditions included."""
    if use.any_of:
        text = ", or ".join(" and ".join(map(sentence, branch)) for branch in use.any_of)
    else:
        text = rules()[use.rule].sentence_for(use.params)
    if use.when:
        text += f" where {' and '.join(map(sentence, use.when))}"
    if use.unless:
        text += f", unless {' and '.join(map(sentence, use.unless))}"
    return text
