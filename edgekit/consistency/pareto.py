"""Schemes side by side: size, latency and what each costs, and which no other beats in all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgekit.artifact import Artifact, Verdict
from edgekit.consistency.samples import Sample
from edgekit.diagnostics import EdgekitError
from edgekit.runners import runner_for
from edgekit.runners.execute import feed_of, payload_of
from edgekit.runners.litert import LiteRtRunner

FEWEST, MOST_S = 21, 1.0
"""Timed runs of an artifact at least; seconds for each that more may take."""


@dataclass(frozen=True, slots=True)
class Point:
    """One scheme.

    Attributes:
        scheme: Its name; `float` for the model as it is.
        size: Bytes of the artifact; `None` if there is none.
        latency_s: Measured median of one inference on one thread; `None` if it was not measured.
        drop: What is lost against the float model, a share; see `accuracy.drop_of`.
        noise: The largest share of noise in the power of an output.
        task: Right answers, where labels are known.
        verdict: The verdict on the artifact.
        reason: Why there is no artifact, or no verdict of `verified`.
        best: Whether no other scheme is at least as good in size, latency and noise, and better in one.
    """

    scheme: str
    size: int | None = None
    latency_s: float | None = None
    drop: float | None = None
    noise: float | None = None
    task: float | None = None
    verdict: str | None = None
    reason: str | None = None
    best: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


def points(
    artifacts: Mapping[str, Artifact], refused: Mapping[str, EdgekitError], sample: Sample | None
) -> tuple[Point, ...]:
    """Returns one point for each scheme.

    Args:
        artifacts: What there is, by scheme, with `api.quantize`'s account in the recipe; `float` has none.
        refused: Why there is none, by scheme.
        sample: What latency is measured on; without one it is not measured.
    """
    able = {n: a for n, a in artifacts.items() if a.backend == "tflite" and _is_verified(a)}
    seconds = latencies(able, sample) if able and sample is not None else {}
    found = [_point(name, artifact, artifacts, seconds.get(name)) for name, artifact in artifacts.items()]
    missing = [Point(name, reason=problem.diagnostics[0].message) for name, problem in refused.items()]
    return marked([*found, *missing])


def _is_verified(artifact: Artifact) -> bool:
    return artifact.verification is not None and artifact.verification.verdict is Verdict.VERIFIED


def _point(name: str, artifact: Artifact, all: Mapping[str, Artifact], latency: float | None) -> Point:
    known = artifact.verification
    point = Point(
        name,
        sum(file.size for file in artifact.files),
        latency,
        verdict=None if known is None else str(known.verdict),
        reason=None if known is None else known.reason,
    )
    made = artifact.recipe.get("quantization")
    if made is not None:
        return replace(
            point, drop=made["drop"], noise=made["noise"], task=_task(made, "executed", "simulated")
        )
    plain = [a.recipe["quantization"] for a in all.values() if "quantization" in a.recipe]
    tasks = [task for one in plain if (task := _task(one, "float")) is not None]
    return replace(point, drop=0.0, noise=0.0, task=tasks[0] if tasks else None)


def _task(made: Mapping[str, Any], *forms: str) -> float | None:
    """Returns the right answers of the worst output in the first form that was run."""
    for form in forms:
        tasks = [r["task"] for r in made["accuracy"] if r["form"] == form and r["task"] is not None]
        if tasks:
            return float(min(tasks))
    return None


def marked(points: Sequence[Point]) -> tuple[Point, ...]:
    """Marks the points that no other beats."""
    return tuple(replace(p, best=_is_whole(p) and not any(_beats(q, p) for q in points)) for p in points)


def _is_whole(point: Point) -> bool:
    return point.size is not None and point.noise is not None and point.verdict != "mismatch"


def _beats(one: Point, other: Point) -> bool:
    if not _is_whole(one):
        return False
    pairs = [(one.size, other.size), (one.noise, other.noise)]
    if one.latency_s is not None and other.latency_s is not None:
        pairs.append((one.latency_s, other.latency_s))
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return all(a <= b for a, b in known) and any(a < b for a, b in known)


def latencies(artifacts: Mapping[str, Artifact], sample: Sample) -> dict[str, float]:
    """Measures TFLite artifacts in LiteRT in this process, on one thread, taking turns.

    Args:
        artifacts: By name. They must have run in a process of their own before: one that aborts would end
            this one.
        sample: One input of the source model.

    Returns:
        The median seconds of one inference, without the copies of inputs and outputs.

    Raises:
        EdgekitError: As `Runner.run`.
    """
    with ExitStack() as stack:
        runs = {}
        for name, artifact in artifacts.items():
            runner = stack.enter_context(runner_for(artifact.backend, isolate=False))
            assert isinstance(runner, LiteRtRunner)
            payload = stack.enter_context(payload_of(artifact))
            runs[name] = (runner, payload, feed_of(artifact, sample))
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for runner, payload, feed in runs.values():
            runner.timed(payload, feed)  # the first run allocates and packs
        order, end = list(runs), time.perf_counter() + MOST_S * len(runs)
        while time.perf_counter() < end or any(len(s) < FEWEST for s in seconds.values()):
            for name in order:
                seconds[name].append(runs[name][0].timed(*runs[name][1:]))
            order.reverse()  # there and back, so that drift of the clock counts for all
        return {name: statistics.median(held) for name, held in seconds.items()}
