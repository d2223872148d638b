"""Where a model would run, what the vendor says of that, and rewrites that help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.api.common import Progress, no_collection
from edgekit.api.loading import load
from edgekit.diagnostics import error
from edgekit.ir import Model

if TYPE_CHECKING:
    from edgekit.compat.agreement import Agreement
    from edgekit.compat.candidate import Candidate
    from edgekit.compat.check import Compatibility
    from edgekit.consistency.proof import Proof


def check(
    source: Any,
    target: str | Path | Sequence[str | Path] | None = None,
    *,
    folders: Sequence[Path] = (),
    what_if: Mapping[str, Sequence[int]] | None = None,
    allow_approximate: bool = False,
    io_layout: str = "source",
    progress: Progress | None = None,
    **load_options: Any,
) -> Compatibility:
    """Tells where the ops of a model run on targets, by the rules of their toolchains.

    Args:
        source: A `Model`, anything that `load` takes, or a `.tflite` file or an `.mlpackage`, whose own ops
            are then judged. So are those of an `.onnx` file by targets that take ONNX.
        target: Id or path of a descriptor, or several; `None` for all.
        folders: Folders of the project's own descriptors.
        what_if: Sizes that inputs would have, by input name.
        allow_approximate: Take forms that are not exact as supported.
        io_layout: `source` keeps the layout of public inputs and outputs; `nhwc` changes image-like ones.
        progress: Called with the name of each stage as it starts.
        load_options: Passed to `load`.

    Returns:
        One result for each target. A float model is judged by a target for integers only as if it were
        quantised by the target's scheme, with assumed ranges; the result's `view.notes` say so.

    Raises:
        EdgekitError: EK1xx for a bad model, EK207 and EK208 for targets that cannot be read.
    """
    from edgekit.compat.check import check as judge_all
    from edgekit.compat.targets import all_targets, cpus_of
    from edgekit.compat.targets import target as load_target

    step = progress or (lambda stage: None)
    wanted = [target] if isinstance(target, str | Path) else target
    step("targets")
    chosen = all_targets(folders) if wanted is None else [load_target(t, folders) for t in wanted]
    cpus = cpus_of(chosen, folders)
    with no_collection():
        step("import")
        candidate = _candidate(source, load_options, allow_approximate, io_layout)
        if what_if:
            candidate = candidate.resized(what_if)
        step("judge")
        return judge_all(candidate, chosen, cpus)


def agree(
    found: Compatibility, oracle: str, *, program: str | None = None, progress: Progress | None = None
) -> tuple[Agreement, ...]:
    """Asks a vendor's compiler about a model that was checked, and compares.

    Args:
        found: What `check` gave.
        oracle: `vela` or `qnn`.
        program: Path of the tool; else its variable (such as `EDGEKIT_VELA`), the PATH and this Python are
            searched.
        progress: Called with the name of each stage as it starts.

    Returns:
        Tool and table side by side, op by op, for each target that judged the model.

    Raises:
        EdgekitError: EK501 if the tool is not installed, EK502 if it dies, EK504 if it does not finish, EK521
            if it refuses the model, EK522 if its answer is not understood, EK205 if it does not compile for
            one of the targets.
    """
    from edgekit.compat.agreement import compare
    from edgekit.compat.oracle import oracle_for

    tool = oracle_for(oracle, program=program)
    if progress:
        progress(oracle)
    file = found.candidate.path
    return tuple(
        compare(r.view.lowered, r.target, tool, file if r.view.form == "file" else None)
        for r in found.results
    )


def fix(
    found: Compatibility,
    only: str | None = None,
    *,
    folders: Sequence[Path] = (),
    progress: Progress | None = None,
) -> tuple[Compatibility, tuple[Proof, ...], Model]:
    """Rewrites what keeps a model off a target, and proves each rewrite by running both models.

    Args:
        found: What `check` said of one target.
        only: The name of the one rewrite to try; all if `None`.
        folders: Folders of the project's own descriptors.
        progress: Called with the name of each stage as it starts.

    Returns:
        What the target says of the rewritten model, one proof for each rewrite that was kept, and the model
        in an opset that ONNX Runtime executes.

    Raises:
        EdgekitError: EK205 unless one target was checked, EK204 for an unknown rewrite, EK202 for a file that
            holds no model.
    """
    from edgekit.compat.check import check as judge_all
    from edgekit.compat.fix import fix as rewrite
    from edgekit.compat.targets import cpus_of
    from edgekit.consistency.proof import prove
    from edgekit.lowering.onnx.emit import executable

    step = progress or (lambda stage: None)
    if len(found.results) != 1:
        raise error("EK205", "a model is fixed for one target", help="name it with `-t`")
    target = found.results[0].target
    cpus = cpus_of([target], folders)
    step("fix")
    fixed = rewrite(found.candidate, target, cpus, only)
    step("prove")
    proofs = prove(fixed)
    again = judge_all(fixed.candidate, [target], cpus) if fixed.applied else found
    return again, proofs, executable(fixed.model)


def _candidate(
    source: Any, load_options: Mapping[str, Any], allow_approximate: bool, io_layout: str
) -> Candidate:
    from edgekit.compat.candidate import OWN_DIALECT, Candidate

    path = Path(source) if isinstance(source, str | Path) else None
    if path is not None and path.suffix.lower() in OWN_DIALECT:
        return Candidate.of_file(path)
    model = source if isinstance(source, Model) else load(source, **load_options)
    return Candidate.of_model(model, allow_approximate=allow_approximate, io_layout=io_layout)
