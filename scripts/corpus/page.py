"""Writes the page: what each model became, how far it is off, against whom, and what was left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from corpus.scan import Found, Skipped, Source

Row = dict[str, Any]
Measured = Sequence[tuple[Found, Row]]

_INTRO = """\
# Trained models of others, converted and verified

Every float model in the optional corpus, a folder `shared/corpus` beside the repository, that ONNX Runtime
or TensorFlow can run, converted by `edgekit.convert(path, "tflite")`.
`python scripts/corpus_table.py` writes this page; it finds the models by scanning the folder.

**Error** is the largest absolute error over all elements of all samples as a fraction of the output's
range; the worst output is shown, and the lowest SQNR of all outputs. A model counts as verified if this
error is at most 1e-4 for every output in every comparison below, second opinions apart. On an input where
a model amplifies the rounding of float32, two correct runtimes can differ by more; then the source model
in float64 is the reference, to the same limit, and the verdict says so.
"""
_COMPARISONS = """\
## Against what

*Seeded* inputs are those of `convert` itself: the source model in ONNX Runtime (graph optimisations off)
and the artifact in LiteRT. *Recorded* inputs are real data that lie in the corpus. A model that came from
Keras or TensorFlow is compared with TensorFlow too, so that the import is part of the comparison.
"""
_OPINIONS = """\
## Second opinions

The `.tflite` that the model's authors published, on the same inputs in the same LiteRT. No gate: it need
not be the same network, and often is not: *weights in common* counts the weight tensors of the published
file that are in ours too, to 1e-5 (the weights of an LSTM can be cut into other tensors).
"""
_QUANTISED = """\
## Not float: see quantisation

These models hold quantise and dequantise ops. They are converted as they are: float ops between exact
quantise and dequantise steps. One rounding that falls the other way in one of thousands of intermediate
elements is a whole step there, so an output can be off by more than float rounding explains.
"""


def write(folder: Path, measured: Measured, skipped: Iterable[Skipped], sources: Mapping[str, Source]) -> str:
    """Returns the page in Markdown.

    Args:
        folder: The corpus; paths are shown relative to it.
        measured: The models with what `measure` said of each.
        skipped: Models that were not tried.
        sources: Where files come from, by path below the folder.
    """
    floats = [(m, row) for m, row in measured if "failure" not in row and not row["quantised"]]
    quantised = [(m, row) for m, row in measured if "failure" not in row and row["quantised"]]
    failed = [Skipped(m.path, _failure(row)) for m, row in measured if "failure" in row]
    parts = [
        _INTRO,
        _tally(floats, failed),
        _table(_CONVERTED, (_converted(folder, m, row) for m, row in floats)),
        _COMPARISONS,
        _table(_COMPARED, (r for m, row in floats for r in _compared(folder, m, row))),
        _notes(folder, floats),
        _OPINIONS,
        _table(_OPINION, (_opinion(folder, m, row) for m, row in floats if row["opinion"])),
        _QUANTISED,
        _table(_COMPARED, (r for m, row in quantised for r in _compared(folder, m, row))),
        _notes(folder, quantised),
        "## Left out\n",
        _left_out(folder, [*failed, *skipped]),
        "## Sources\n",
        _table(_SOURCE, (_source(folder, m, sources) for m, _ in measured)),
        _versions(),
    ]
    return "\n".join(part for part in parts if part)


_CONVERTED = ("model", "from", "nodes → ops", "layout", "error", "SQNR", "verdict", "seconds")
_COMPARED = ("model", "inputs", "reference", "samples", "worst output", "error", "SQNR", "verdict")
_OPINION = ("model", "beside", "samples", "worst output", "error", "SQNR", "weights in common")
_SOURCE = ("model", "repository", "commit", "licence")


def _tally(floats: Measured, failed: Sequence[Skipped]) -> str:
    good = sum(verified(row) for _, row in floats)
    text = f"**{good} of {len(floats)} float models are converted and verified.**"
    return f"{text} {len(failed)} could not be converted: see below.\n" if failed else f"{text}\n"


def _verdict(row: Row) -> str:
    if all(c["holds"] for c in row["comparisons"]):
        return "verified"
    # What `convert` says itself stands; the others may be settled by exact arithmetic.
    if row["comparisons"][0]["holds"] and row["exact"] and row["exact"]["holds"]:
        return "verified in float64"
    return "**not verified**"


def verified(row: Row) -> bool:
    """Whether a model is converted and every comparison of it holds."""
    return "failure" not in row and _verdict(row).startswith("verified")


def _converted(folder: Path, model: Found, row: Row) -> Iterator[str]:
    outputs = [o for c in row["comparisons"] for o in c["outputs"]]
    if row["exact"] and verified(row):
        outputs = [o for c in (*row["comparisons"], row["exact"]) if c["holds"] for o in c["outputs"]]
    yield _name(folder, model.path)
    yield f"{model.format} ({row['loader']})" if row["loader"] else model.format
    yield f"{sum(row['nodes'].values())} → {sum(row['ops'].values())}"
    yield row["certificate"]
    yield from _numbers(outputs)
    yield _verdict(row)
    yield f"{sum(row['seconds'].values()):.1f}"


def _compared(folder: Path, model: Found, row: Row) -> Iterator[Iterator[str]]:
    for comparison in row["comparisons"]:
        yield _comparison(folder, model, comparison)
    if row["exact"]:
        yield _comparison(folder, model, row["exact"])


def _comparison(folder: Path, model: Found, comparison: Row) -> Iterator[str]:
    yield _name(folder, model.path)
    yield comparison["inputs"]
    yield comparison["oracle"] or "none"
    yield str(comparison["samples"])
    yield _worst_name(comparison["outputs"])
    yield from _numbers(comparison["outputs"])
    verdict = comparison.get("verdict", "verified" if comparison["holds"] else "mismatch")
    yield str(verdict) if comparison["holds"] else f"**{verdict}**"


def _opinion(folder: Path, model: Found, row: Row) -> Iterator[str]:
    opinion = row["opinion"]
    yield _name(folder, model.path)
    yield opinion["oracle"]
    yield str(opinion["samples"])
    yield _worst_name(opinion["outputs"])
    yield from _numbers(opinion["outputs"])
    same, count = opinion["weights"]
    yield f"{same} of {count}"


def _source(folder: Path, model: Found, sources: Mapping[str, Source]) -> Iterator[str]:
    yield _name(folder, model.path)
    source = sources.get(model.path.relative_to(folder).as_posix())
    yield from (source.repository, source.commit[:12], source.license) if source else ("unknown", "", "")


def _numbers(outputs: Sequence[Row]) -> tuple[str, str]:
    """Returns the largest error and the lowest SQNR; an output without a number is the worst."""
    if not outputs:
        return "not compared", ""
    worst = max(outputs, key=_error)["relative"]
    ratios = [o["sqnr_db"] for o in outputs if o["sqnr_db"] is not None]
    lowest = f"{min(ratios):.0f} dB" if ratios and min(ratios) < float("inf") else "exact" if ratios else ""
    return "no number" if worst is None else f"{worst:.1e}" if worst else "0", lowest


def _worst_name(outputs: Sequence[Row]) -> str:
    return f"`{max(outputs, key=_error)['name']}`" if outputs else ""


def _error(output: Row) -> float:
    return float("inf") if output["relative"] is None else float(output["relative"])


def _notes(folder: Path, measured: Measured) -> str:
    lines = []
    for model, row in measured:
        for comparison in row["comparisons"]:
            about = f"- {_name(folder, model.path)}, {comparison['inputs']}"
            texts = [comparison.get("reason"), comparison.get("first") and f"first at {comparison['first']}"]
            lines += [f"{about}: {text}" for text in (*texts, *comparison["notes"]) if text]
        if row["exact"]:
            error = _numbers(row["exact"]["source"])[0]
            lines.append(f"- {_name(folder, model.path)}: ONNX Runtime itself is off by {error} from float64")
    return "\n".join([*lines, ""]) if lines else ""


def _left_out(folder: Path, skipped: Sequence[Skipped]) -> str:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for entry in skipped:
        by_reason[entry.reason].append(_name(folder, entry.path))
    lines = [f"- {reason}: {', '.join(names)}" for reason, names in by_reason.items()]
    return "\n".join([*lines, ""]) if lines else "Nothing.\n"


def _failure(row: Row) -> str:
    failure = row["failure"]
    notes = "; ".join(failure.get("notes", ()))
    return f"**{failure['code']}** {failure['text']}" + (f" ({notes})" if notes else "")


def _versions() -> str:
    names = ("onnxruntime", "ai-edge-litert", "tensorflow", "tf-keras", "tf2onnx")
    return "Versions: " + ", ".join(f"{name} {version(name)}" for name in names) + ".\n"


def _name(folder: Path, path: Path) -> str:
    return f"`{path.relative_to(folder).as_posix()}`"


def _table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines] + [""])
