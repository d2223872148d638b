"""Schemes side by side: who beats whom, latency of artifacts in turns, and the picture."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.consistency.pareto import Point, marked
from edgekit.report.describe.pareto import table
from edgekit.report.html.chart import scatter

GOLDEN = Path(__file__).parents[3] / "golden" / "models"


def point(name, size, latency, noise, verdict="verified"):
    return Point(name, size, latency, noise, noise, verdict=verdict)


def test_a_point_is_beaten_by_one_that_is_nowhere_worse():
    points = marked(
        [
            point("float", 400, 1e-3, 0.0),
            point("good", 100, 1e-3, 1e-4),
            point("larger", 120, 1e-3, 1e-4),
            point("faster", 120, 5e-4, 1e-2),
            point("wrong", 1, 1e-6, 0.0, "mismatch"),
            Point("absent", reason="no"),
        ]
    )
    assert [p.scheme for p in points if p.best] == ["float", "good", "faster"]


def test_schemes_of_a_model_are_measured():
    points, artifacts = api.pareto(GOLDEN / "digits_cnn_torch" / "model.onnx", schemes=["int8", "w8"])
    assert [p.scheme for p in points] == ["float", "int8", "w8"] == list(artifacts)
    assert all(p.verdict == "verified" for p in points)
    assert all(p.latency_s is not None and 1e-6 < p.latency_s < 1 for p in points)
    sizes = {p.scheme: p.size for p in points}
    assert sizes["int8"] < sizes["float"] / 2
    assert points[0].noise == 0 < points[1].noise < 1e-2
    assert points[1].task is not None


def test_what_cannot_be_had_is_a_point_with_the_reason():
    graph = helper.make_graph(
        [helper.make_node("Exp", ["x"], ["y"])],
        "exp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    given = {"x": np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 4)}
    points, artifacts = api.pareto(model, schemes=["int8"], calibrate=given)
    assert [p.scheme for p in points] == ["float", "int8"]
    assert list(artifacts) == ["float"]
    assert points[1].size is None
    assert "no op" in points[1].reason
    assert not points[1].best


def shapes(svg, kind):
    tree = ElementTree.fromstring(str(svg))
    return [e for e in tree.iter() if e.tag == kind]


def test_the_picture_has_every_scheme_at_its_place():
    points = marked(
        [point("float", 400, 1e-3, 0.0), point("<b>", 100, 5e-4, 1e-4), point("fast", 50, 2.5e-4, 1e-2)]
    )
    svg = scatter(table(points))
    circles = {c.get("class"): c for c in shapes(svg, "circle")}
    assert len(shapes(svg, "circle")) == 2
    assert set(circles) == {"best"}
    left, right = sorted(float(c.get("cx")) for c in shapes(svg, "circle"))
    rule = next(e for e in shapes(svg, "line") if e.get("class") == "rule")
    origin = float(rule.get("x1"))
    assert (right - origin) / (left - origin) == pytest.approx(2, rel=0.01)  # latencies from zero
    line = next(e for e in shapes(svg, "line") if e.get("class") == "float")
    assert (float(line.get("x1")) - origin) / (left - origin) == pytest.approx(4, rel=0.01)
    high, low = sorted(float(c.get("cy")) for c in shapes(svg, "circle"))
    assert high < low  # 40 dB above 20 dB
    areas = sorted(float(c.get("r")) ** 2 for c in shapes(svg, "circle"))
    assert areas[1] / areas[0] == pytest.approx(2, rel=0.1)
    names = [e.text for e in shapes(svg, "text") if e.get("class") == "name"]
    assert any(text.startswith("<b>,") for text in names)  # escaped in the page


def test_far_latencies_are_shown_in_decades_and_one_scheme_makes_no_picture():
    points = [point("a", 100, 1e-4, 1e-4), point("b", 100, 1e-3, 1e-3), point("c", 100, 1e-2, 1e-2)]
    places = sorted(float(c.get("cx")) for c in shapes(scatter(table(marked(points))), "circle"))
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], rel=0.01)
    assert scatter(table(marked(points[:1]))) is None


def test_the_table_has_decibels_and_milliseconds():
    row = table(marked([point("a", 100, 1e-4, 1e-3)])).rows[0]
    assert row["latency_ms"] == pytest.approx(0.1)
    assert row["sqnr_db"] == pytest.approx(30)
    assert table(marked([point("float", 1, 1e-4, 0.0)])).rows[0]["sqnr_db"] == math.inf
