"""Reports of every kind that the renderers must cope with."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.artifact import Delta, Divergence, Evidence, Status, Verification
from edgekit.artifact import Verdict as Known
from edgekit.diagnostics import Diagnostic, ExitCode, Severity, Where
from edgekit.ir import Origin
from edgekit.report import (
    Check,
    Column,
    Fact,
    Facts,
    Kind,
    Prose,
    Report,
    Subject,
    Table,
    Verdict,
    VerdictStatus,
)
from edgekit.report.describe import verification as verdicts

ENVIRONMENT = {"edgekit": "0.1.0", "python": "3.11.7", "onnxruntime": "1.32.0", "ai-edge-litert": "2.3.0"}


def delta(name: str, error: float, limit: float = 1e-4, status: Status = Status.AGREE) -> Delta:
    return Delta(
        name,
        status,
        dtype="float32",
        elements=1000,
        mismatching=0 if status.holds else 17,
        max_abs=error,
        low=-1.0,
        high=3.0,
        limit=limit,
        sqnr_db=123.4 if status.holds else 12.5,
        cosine=0.99999998 if status.holds else 0.91,
        worst_sample=1,
        worst_index=(0, 3),
        reason=None if status.holds else "17 of 1000 elements lie beyond the limit",
    )


def verification(*deltas: Delta, divergence: Divergence | None = None) -> Verification:
    good = all(d.status.holds for d in deltas)
    return Verification(
        Known.VERIFIED if good else Known.MISMATCH,
        Evidence.EXECUTED,
        oracle="onnxruntime 1.32.0",
        runner="litert 2.3.0",
        deltas=deltas,
        samples=4,
        inputs="generated",
        seed=0,
        first_divergence=divergence,
    )


def artifact_sections(nodes: int, prefix: str = "/features/") -> tuple[Facts | Table | Prose, ...]:
    ops = ("Conv", "BatchNormalization", "Relu", "Add", "GlobalAveragePool", "Gemm")
    rows = tuple(
        {
            "node": f"{prefix}{i}/{ops[i % 6]}",
            "op": ops[i % 6],
            "emitted": ["CONV_2D"] if i % 6 < 3 else ["ADD"] if i % 6 == 3 else [],
            "scope": f"features.{i // 6}.conv",
            "at": f"model.py:{20 + i % 9}",
        }
        for i in range(nodes)
    )
    return (
        Facts(
            "artifact",
            "Conversion",
            (
                Fact("source", "source", "mobilenet_v2 (ONNX)"),
                Fact("backend", "backend", "TFLite"),
                Fact("source_nodes", "source nodes", nodes, Kind.COUNT),
                Fact("ops", "ops", nodes // 2, Kind.COUNT),
                Fact("size", "size", 14_012_345, Kind.SIZE),
                Fact("artifact", "artifact", "mobilenet_v2-tflite/mobilenet_v2.tflite", Kind.NAME),
            ),
        ),
        Prose(
            "layout",
            "Layout",
            "1 transpose, proved minimum; 0 with `--io-layout nhwc`; forced by the layout of input `input`",
        ),
        Table(
            "emitted",
            "Ops of the artifact",
            (
                Column("op", "op", Kind.NAME),
                Column("count", "count", Kind.COUNT),
                Column("sources", "made from", Kind.NAMES),
            ),
            (
                {"op": "CONV_2D", "count": 35, "sources": ["Conv", "BatchNormalization", "Relu"]},
                {"op": "DEPTHWISE_CONV_2D", "count": 17, "sources": ["Conv", "BatchNormalization"]},
                {"op": "ADD", "count": 10, "sources": ["Add"]},
                {"op": "TRANSPOSE", "count": 1, "sources": []},
            ),
        ),
        Table(
            "files",
            "Files",
            (
                Column("name", "file", Kind.NAME),
                Column("size", "size", Kind.SIZE),
                Column("sha256", "SHA-256", Kind.NAME),
            ),
            ({"name": "mobilenet_v2.tflite", "size": 14_012_345, "sha256": "9f3c" * 16},),
        ),
        Table(
            "passes",
            "Passes",
            (
                Column("name", "pass", Kind.NAME),
                Column("changed", "changes", Kind.COUNT),
                Column("summary", "what"),
            ),
            (
                {
                    "name": "fuse-batchnorm",
                    "changed": 52,
                    "summary": "fused 52 normalisations into convolutions",
                },
                {"name": "fold-constants", "changed": 0, "summary": "nothing to do"},
            ),
            detail=True,
        ),
        Table(
            "nodes",
            "Source nodes",
            (
                Column("node", "node", Kind.NAME),
                Column("op", "op", Kind.NAME),
                Column("emitted", "became", Kind.NAMES),
                Column("scope", "scope", Kind.NAME),
                Column("at", "at", Kind.NAME),
            ),
            rows,
            "a node that became nothing was folded into a constant, or no output needs it",
            detail=True,
        ),
    )


SUBJECT = Subject("mobilenet_v2", "ONNX", "models/mobilenet_v2.onnx", "ab12" * 16, 14_123_456)


def make_verified(nodes: int = 156) -> Report:
    seen = verification(delta("logits", 4.2e-7), delta("features", 0.0), delta("boxes", 6e-5))
    first, *rest = artifact_sections(nodes)
    return Report(
        "convert",
        SUBJECT,
        verdicts.verdict(seen, "mobilenet_v2.tflite"),
        (first, *verdicts.sections(seen), *rest),
        verdicts.checks(seen),
        environment=ENVIRONMENT,
    )


def make_mismatch(file: str = "model.py") -> Report:
    bad = delta("logits", 0.83, status=Status.DIFFER)
    first = Divergence(
        "/features/3/Softmax_output_0",
        "Softmax",
        Origin(("/features/3/Softmax",), "features.3.act", file, 2),
        bad,
    )
    seen = verification(bad, delta("boxes", 2e-7), divergence=first)
    diagnostic = Diagnostic(
        "EK601",
        "the output `logits` differs from the source model: max error 0.83, limit 0.0001",
        where=Where(file, 2, ("/features/3/Softmax",), "features.3.act"),
        notes=("all inputs of `/features/3/Softmax` agree, its output does not",),
        help="report it with the model; `--backend onnx` may serve meanwhile",
    )
    head, *rest = artifact_sections(40)
    return Report(
        "convert",
        SUBJECT,
        verdicts.verdict(seen, "mobilenet_v2.tflite"),
        (head, *verdicts.sections(seen), *rest),
        verdicts.checks(seen),
        (diagnostic,),
        ENVIRONMENT,
    )


def make_refused(file: str = "model.py") -> Report:
    many = tuple(f"/encoder/layers.{i}/self_attn/really/long/scope/name/FusedThing_{i}" for i in range(40))
    diagnostics = (
        Diagnostic(
            "EK302",
            "`Resize` cannot be lowered to tflite: `coordinate_transformation_mode` is `tf_crop_and_resize`",
            where=Where(file, 2, ("/up/Resize",), "decoder.up"),
            help="export with `align_corners` or `half_pixel`",
        ),
        Diagnostic("EK109", "op `Magic` of the domain `com.example` is not known", where=Where(nodes=many)),
        Diagnostic(
            "EK304",
            "`Erf` is approximated, with an error of up to 1.5e-7",
            Severity.WARNING,
            where=Where(nodes=("/act/Erf",)),
            notes=("LiteRT has no kernel for `Erf`",),
        ),
        Diagnostic("EK602", "the artifact was not verified", Severity.NOTE),
    )
    verdict = Verdict(
        VerdictStatus.FAILED, "convert of `detector.onnx` ended by 2 errors", ExitCode.DOES_NOT_HOLD
    )
    subject = Subject("detector.onnx", path="models/detector.onnx")
    return Report("convert", subject, verdict, diagnostics=diagnostics, environment=ENVIRONMENT)


def make_hostile() -> Report:
    """Names that try to break out of every format."""
    evil = "</script><img src=x onerror=alert(1)>|`*_[a](b)\x1b[31m\n::error::x%0A\u202e&amp;\x00"
    seen = verification(delta(evil, 5.0, status=Status.DIFFER))
    return Report(
        "inspect",
        Subject(evil, evil, evil, "00"),
        Verdict(VerdictStatus.FAILED, evil, ExitCode.DOES_NOT_HOLD),
        (
            Facts("model", "Model", (Fact("a", "a", evil), Fact("b", "b", [evil, evil], Kind.NAMES))),
            Table("ops", "Ops", (Column("op", "op", Kind.NAME),), ({"op": evil},), note=evil),
            *verdicts.sections(seen),
        ),
        (*verdicts.checks(seen), Check(evil, verdicts.checks(seen)[0].status, evil)),
        (Diagnostic("EK302", evil, where=Where(evil, 3, (evil,), evil), notes=(evil,), help=evil),),
        {evil: evil},
    )


def make_empty() -> Report:
    return Report("explain", Subject(""), Verdict(VerdictStatus.OK, "nothing to say"))


MAKERS = {
    "verified": make_verified,
    "mismatch": make_mismatch,
    "refused": make_refused,
    "hostile": make_hostile,
    "empty": make_empty,
}


@pytest.fixture(params=list(MAKERS))
def any_report(request: pytest.FixtureRequest) -> Report:
    return MAKERS[request.param]()


@pytest.fixture
def verified() -> Report:
    return make_verified()


@pytest.fixture
def mismatch() -> Report:
    return make_mismatch()


@pytest.fixture
def hostile() -> Report:
    return make_hostile()


@pytest.fixture
def refused(tmp_path: Path) -> Report:
    source = tmp_path / "model.py"
    source.write_text("def forward(x):\n    return up(x, mode='crop')\n", encoding="utf-8")
    return make_refused(str(source))
