"""What quantisation or compression costs, what was tried to lose less, which layers cost most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.diagnostics import ExitCode
from edgekit.report.model import Column, Kind, Row, Section, Table, Verdict, VerdictStatus

_FORMS = {"float": "float", "simulated": "QDQ, simulated", "executed": "artifact, executed"}
_ACCURACY = (
    Column("output", "output", Kind.NAME),
    Column("form", "form"),
    Column("sqnr_db", "SQNR", Kind.DECIBEL),
    Column("cosine", "cosine", Kind.COSINE),
    Column("max_abs", "max error", Kind.REAL),
    Column("max_lsb", "in LSB", Kind.REAL),
    Column("top1", "same top-1", Kind.SHARE),
    Column("task", "right top-1", Kind.SHARE),
)
_STEPS = (
    Column("what", "tried"),
    Column("taken", "taken", Kind.STATUS),
    Column("drop", "lost", Kind.SHARE),
    Column("noise", "SQNR", Kind.DECIBEL),
    Column("why", "because"),
)
_LAYERS = (
    Column("node", "node", Kind.NAME),
    Column("op", "op", Kind.NAME),
    Column("scope", "scope", Kind.NAME),
    Column("at", "at", Kind.NAME),
    Column("weights", "weights", Kind.DECIBEL),
    Column("activations", "activations", Kind.DECIBEL),
)
_MEASURED = (
    Column("keep", "in float", Kind.NAMES),
    Column("noise", "SQNR then", Kind.DECIBEL),
    Column("drop", "lost then", Kind.SHARE),
)


_COLUMNS = (
    Column("output", "output", Kind.NAME),
    Column("sqnr_db", "SQNR", Kind.DECIBEL),
    Column("cosine", "cosine", Kind.COSINE),
    Column("max_abs", "max error", Kind.REAL),
    Column("range", "range", Kind.REAL),
    Column("top1", "same top-1", Kind.SHARE),
)


def sections(made: Mapping[str, Any]) -> tuple[Section, ...]:
    """Returns the tables on a quantisation.

    Args:
        made: What `api.quantize` puts into the recipe under `quantization`.
    """
    parts = [_accuracy(made)]
    if made["steps"]:
        parts.append(_steps(made))
    if made["apart"]:
        parts.append(_apart(made["apart"]))
    if made["kept"]:
        share = f"{100 * made['weights_kept']:.1f} % of the weights stay in float with these layers"
        parts.append(_layers("kept", "Layers kept in float", made["kept"], share))
    if made["sensitivity"]:
        parts += _ranking(made["sensitivity"])
    return tuple(parts)


def _ranking(layers: Sequence[Mapping[str, Any]]) -> tuple[Table, ...]:
    """Returns what was estimated for all layers, and what was measured for the first of them."""
    estimated = (
        "estimated in one run, all else in float: the signal-to-noise ratio of a layer's result, mean over "
        "channels, when its weights or the activations that it reads are rounded; measured layers come first"
    )
    sets = {tuple(one["keep"]): one for one in layers if one["drop"] is not None}
    rows: tuple[Row, ...] = tuple(
        {"keep": list(keep), "noise": _decibels(one["noise"]), "drop": one["drop"]}
        for keep, one in sets.items()
    )
    measured = "measured, each in a run of its own: what the outputs still lose with these nodes in float"
    parts = (_layers("sensitivity", "Sensitivity of the layers", layers, estimated),)
    if not rows:
        return parts
    return (*parts, Table("sensitivity-measured", "What keeping a layer gains", _MEASURED, rows, measured))


def over_budget(artifact: Artifact) -> Verdict | None:
    """Returns the verdict on an artifact that loses more than was allowed; `None` for any other."""
    budget = artifact.recipe.get("quantization", {}).get("budget")
    if budget is None or budget["holds"]:
        return None
    lost, limit = 100 * budget["drop"], 100 * budget["max_drop"]
    text = f"`{artifact.title}` loses {lost:.2f} %, more than the {limit:g} % allowed"
    return Verdict(VerdictStatus.FAILED, text, ExitCode.DOES_NOT_HOLD)


def _accuracy(made: Mapping[str, Any]) -> Table:
    columns = tuple(
        c
        for c in _ACCURACY
        if c.key in ("output", "form") or any(r[c.key] is not None for r in made["accuracy"])
    )
    order = {form: i for i, form in enumerate(_FORMS)}
    rows = sorted(made["accuracy"], key=lambda r: order[r["form"]])
    names = list(dict.fromkeys(r["output"] for r in rows))
    shown: list[Row] = [
        {**{c.key: r[c.key] for c in columns}, "form": _FORMS[r["form"]]}
        for r in sorted(rows, key=lambda r: names.index(r["output"]))
    ]
    return Table("quantization", "Cost of quantisation", columns, tuple(shown), _basis(made))


def _basis(made: Mapping[str, Any]) -> str:
    judged = made["judged"]
    options = [made["scheme"]] + ([made["method"]] if made["method"] else [])
    options += [f"blocks of {made['block']}"] if made["block"] else []
    options += ["equalised"] if made["equalised"] else []
    options += ["biases corrected"] if made["bias_corrected"] else []
    text = f"{_compared(made)} ({', '.join(options)}); computed by {made['how']}"
    text += f"; the artifact was not run: {judged['problem']}" if judged["problem"] else ""
    return "; ".join((text, *made["notes"]))


def _compared(made: Mapping[str, Any]) -> str:
    judged = made["judged"]
    if not judged["samples"]:
        return "not compared with the float model: there are no samples"
    text = f"against the float model on {judged['samples']} samples"
    if judged["held_out"]:
        return f"{text} that did not calibrate; {made['samples']} {made['source']} samples did"
    return (
        f"{text} of the {made['samples']} {made['source']} samples that calibrated; other data may cost more"
    )


def _steps(made: Mapping[str, Any]) -> Table:
    rows: tuple[Row, ...] = tuple(
        {
            **{k: step[k] for k in ("what", "drop", "why")},
            "noise": _decibels(step["noise"]),
            "taken": "yes" if step["taken"] else "no",
        }
        for step in made["steps"]
    )
    judged = made["judged"]
    note = f"judged on {judged['samples']} samples" + (
        " that did not calibrate"
        if judged["held_out"]
        else " that calibrated too: there are too few to hold some out"
    )
    return Table("steps", "What was tried", _STEPS, rows, note)


def _apart(apart: Sequence[Mapping[str, Any]]) -> Table:
    columns = (Column("node", "node", Kind.NAME), Column("reason", "because"))
    rows: tuple[Row, ...] = tuple({"node": one["node"], "reason": one["reason"]} for one in apart)
    note = "cross-layer equalisation needs one reader and functions with f(c x) = c f(x) up to it"
    return Table("apart", "Layers that equalisation leaves alone", columns, rows, note, detail=True)


def _layers(id: str, title: str, layers: Sequence[Mapping[str, Any]], note: str) -> Table:
    rows: list[Row] = [
        {
            **{key: layer[key] for key in ("node", "op", "scope")},
            **{key: _decibels(layer[key]) for key in ("weights", "activations")},
            "at": f"{Path(layer['file']).name}:{layer['line']}" if layer["file"] else None,
        }
        for layer in layers
    ]
    columns = tuple(c for c in _LAYERS if any(row[c.key] is not None for row in rows))
    return Table(id, title, columns, tuple(rows), note)


def _decibels(noise: float | None) -> float | None:
    """Returns the signal-to-noise ratio that a share of noise is."""
    if noise is None:
        return None
    return math.inf if noise == 0 else -10 * math.log10(noise)


def compression(made: Mapping[str, Any]) -> Table:
    """Returns the table of the artifact with compressed weights against the source model.

    Args:
        made: What `api.convert` puts into the recipe under `compression`.
    """
    note = (
        f"the artifact against the source model on {_samples(made)} samples; {made['weights']} weights "
        f"are compressed, {made['bytes_before']} bytes became {made['bytes']}; other data may cost more"
    )
    return Table("compression", "Cost of compression", _COLUMNS, _rows(made), note)


def _samples(made: Mapping[str, Any]) -> int:
    return made["loss"][0]["samples"] if made["loss"] else 0


def _rows(made: Mapping[str, Any]) -> tuple[Row, ...]:
    return tuple(
        {
            "output": one["tensor"],
            "sqnr_db": one["sqnr_db"],
            "cosine": one["cosine"],
            "max_abs": one["max_abs"],
            "range": None if one["low"] is None or one["high"] is None else one["high"] - one["low"],
            "top1": one["top1"],
        }
        for one in made["loss"]
    )
