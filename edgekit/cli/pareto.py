"""`edgekit quantize --pareto`: every scheme of a backend, side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edgekit.cli.backend_options import check_owners, options_for
from edgekit.cli.console import Console, environment, write_text
from edgekit.cli.convert import PASSED_ON, dialect_of, folder_word, label_text, save, shapes
from edgekit.cli.quantize_flags import take
from edgekit.report import Report, Subject
from edgekit.report.formats import render


def pareto(
    console: Console,
    model: str,
    output: Path | None,
    *,
    backend: str | None,
    target: str | None,
    scheme: str | None,
    input_shapes: tuple[str, ...],
    allow_pickle: bool,
    label_file: Path | None,
    verify: bool,
    **flags: Any,
) -> Report:
    """Quantises a model with every scheme and compares them.

    Args:
        console: Where progress is shown.
        model: What to load.
        output: The folder that gets one folder for each scheme.
        backend: The backend; `None` for the target's.
        target: Id or path of a target, whose demands on scales hold.
        scheme: Must be left out: all are tried.
        input_shapes: Sizes, as `shapes` reads them.
        allow_pickle: Whether files that run code may be loaded.
        label_file: Labels to store.
        verify: Must be on: what does not run has no numbers.
        flags: The options of backends and of quantisation, and those that the Python API takes.
    """
    from edgekit import api
    from edgekit.lowering.backends import file_stem
    from edgekit.report.describe.artifact import REPORT_NAME
    from edgekit.report.describe.pareto import report as describe

    if not verify:
        raise click.UsageError("`--pareto` and `--no-verify` exclude each other")
    if scheme is not None:
        raise click.UsageError("`--pareto` tries every scheme: leave `--scheme` out")
    console.subject = Subject(Path(model).name or model)
    context = click.get_current_context()
    backend = backend or dialect_of(target)
    check_owners(context, backend)
    quantisation = take(context, "int8", flags) or {}
    common = {option: flags.pop(option) for option in PASSED_ON if option != "opset"}
    flags.pop("opset")
    with console.stages() as stage:
        stage("import")
        source = api.load(model, allow_pickle=allow_pickle, input_shapes=shapes(input_shapes))
        points, artifacts = api.pareto(
            source,
            backend,
            target=target,
            progress=stage,
            options=options_for(backend, flags),
            labels=label_text(label_file) if label_file else None,
            **common,
            **{name: value for name, value in quantisation.items() if name != "scheme"},
        )
        stage("write")
        folder = output or Path(f"{file_stem(source)}-{folder_word(backend, target)}-schemes")
        for name, artifact in artifacts.items():
            save(artifact, folder / name)
    report = describe(points, source, folder)
    report = replace(report, environment={**environment(), **report.environment})
    write_text(folder / REPORT_NAME, render(report, "json"))
    return report
