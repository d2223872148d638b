"""Loading descriptors: families, every mistake at once, and paths that lead astray."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.compat import target
from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.target import Basis, Outcome
from tests.unit.target.conftest import BASE, Write


def problems(path: Path | str, *folders: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(EdgekitError) as caught:
        target(path, folders)
    return caught.value.diagnostics


def test_a_plain_descriptor(write: Write) -> None:
    made = target(
        write(
            "chip",
            "  CONV_2D:\n    dtypes: [int8]\n    rules:\n      - static-shape\n"
            "      - stride-range: {high: 3}\n        unless: [{padding-is: {modes: [VALID]}}]\n"
            "        outcome: unknown\n        source: manual\n",
        )
    )
    entry = made.ops["CONV_2D"]
    assert (made.id, entry.dtypes, made.basis) == ("chip", ("int8",), Basis.STATED)
    assert [use.rule for use in entry.rules] == ["static-shape", "stride-range"]
    stride = entry.rules[1]
    assert stride.params == {"high": 3}
    assert stride.unless[0].params == {"modes": ("VALID",)}
    assert stride.outcome is Outcome.UNKNOWN


def test_every_mistake_is_reported_at_its_line_with_a_suggestion(write: Write) -> None:
    path = write(
        "chip",
        "  CONV_2D:\n"  # line 16
        "    rules:\n"
        "      - strides-range: {high: 3}\n"
        "      - stride-range: {hihg: 3}\n"
        "      - kernel-range: {high: three}\n"
        "      - padding-is: {modes: SAME}\n"
        "      - size-range: {of: ifm, axis: $axes, high: 3}\n"
        "  MUL: {dtype: [int8], source: book}\n"
        "colour: red\n",
    )
    rows = [(d.where.line, d.message, d.help) for d in problems(path)]
    assert (18, "there is no rule `strides-range`", "did you mean `stride-range`?") in rows
    assert (19, "the rule `stride-range` has no parameter `hihg`", "did you mean `high`?") in rows
    assert (19, "the rule `stride-range` needs the parameter `high`", None) in rows
    assert (20, "`high` of `kernel-range` is an integer, not `three`", None) in rows
    assert (21, "`modes` of `padding-is` is a list of words, not `SAME`", None) in rows
    assert any(line == 22 and "no constant `axes`" in message for line, message, _ in rows)
    assert (23, "there is no key `ops.MUL.dtype`", "did you mean `dtypes`?") in rows
    assert any(line == 23 and "no source `book`" in message for line, message, _ in rows)
    assert any(line == 24 and "no key `colour`" in message for line, message, _ in rows)
    assert all(d.where.file == str(path) for d in problems(path))
    assert len(rows) == 9


def test_a_rule_of_no_form_does_not_hide_other_mistakes(write: Write) -> None:
    path = write(
        "chip",
        "  SUB:\n    rules:\n      - 7\n      - {a: {}, b: {}}\n      - wrong\n"
        "  MUL: {rules: 3}\ncolour: red\n",
    )
    assert [d.where.line for d in problems(path)] == [18, 19, 20, 21, 22]


def test_keys_given_twice_do_not_hide_other_mistakes(write: Write) -> None:
    path = write("chip", "  SUB: {rules: [no-rule]}\n  SUB:\n  MUL, ADD:\nunlisted: fall\n")
    path.write_text(path.read_text().replace("kind: asic", "kind: asics").replace("unlisted: fallback\n", ""))
    assert [(d.where.line, d.message, d.help) for d in problems(path)] == [
        (
            4,
            "`kind` is not valid: it should be one of `phone`, `asic`, `fpga`, `mcu`, `sbc`, not `asics`",
            "did you mean `asic`?",
        ),
        (15, "there is no rule `no-rule`", None),
        (16, "the key `SUB` is given twice, first in line 15", None),
        (17, "the op `ADD` is named twice, first in line 14", None),
        (
            18,
            "`unlisted` is not valid: input should be `fallback` or `unknown`, not `fall`",
            "did you mean `fallback`?",
        ),
    ]


def test_a_version_is_text(write: Write) -> None:
    path = write("chip")
    path.write_text(path.read_text().replace('version: "1.0"', "version: 1.0"))
    (problem,) = problems(path)
    assert problem.help == 'write it in quotes: "1.0"'


def test_what_is_missing_is_named(write: Write) -> None:
    messages = [
        d.message for d in problems(write("chip", "schema: edgekit.target/1\nid: chip\n", base=False))
    ]
    missing = ("title", "kind", "vendor", "dialect", "toolchain", "sources", "source", "basis", "ops")
    assert set(messages) == {f"the key `{key}` is missing" for key in (*missing, "fallback")}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kind: toaster", "`kind` is not valid"),
        ("schema: edgekit.target/9", "`schema` is not valid"),
        ("id: Chip!", "`id` is not valid"),
        ("sources: {}", "`sources` is not valid"),
        ("ops: {}", "`ops` is not valid"),
        ("ops: [ADD]", "`ops` is not valid"),
        ("toolchain: {name: x, version: 1.0}", "`toolchain.version` is not valid"),
        ("memory: {sram: -1}", "`memory.sram` is not valid"),
        ("rules: static-shape", "a list of rules is expected"),
        ("fallback: gpu", "`fallback` is not valid"),
    ],
)
def test_wrong_values_are_refused(write: Write, line: str, words: str) -> None:
    key = line.split(":")[0]
    kept = [part for part in BASE.format(id="chip").split("\n") if not part.startswith(f"{key}:")]
    if key in ("sources", "ops"):
        kept = [part for part in kept if not part.startswith("  ")]
    path = write("chip", "\n".join([*kept, line]) + "\n", base=False)
    assert any(words in d.message for d in problems(path)), [d.message for d in problems(path)]


def test_a_family_is_extended_key_by_key(write: Write) -> None:
    write(
        "family",
        "  SUB: {dtypes: [int8]}\n  MUL: {dtypes: [int8], rules: [static-shape]}\nabstract: true\n"
        "constants: {wide: 3}\nnote: of the family\nrules: [quantised]\n",
    )
    path = write(
        "chip",
        "schema: edgekit.target/1\nid: chip\nextends: family.yaml\ntitle: The chip\n"
        "constants: {wide: 5}\nmore_rules: [static-shape]\n"
        "sources:\n  log: {title: Log, version: '2', where: here}\n"
        "ops:\n  SUB:\n    source: log\n"
        "  MUL:\n    more_rules: [size-range: {of: ifm, axis: C, high: $wide}]\n"
        "  ADD: null\n  DIV:\n",
        base=False,
    )
    made = target(path)
    assert (made.title, made.abstract, made.note) == ("The chip", False, None)
    assert set(made.ops) == {"SUB", "MUL", "DIV"}
    assert (made.ops["SUB"].dtypes, made.ops["SUB"].source) == (("int8",), "log")
    assert [use.rule for use in made.ops["MUL"].rules] == ["static-shape", "size-range"]
    assert made.ops["MUL"].rules[1].params["high"] == 5
    assert [use.rule for use in made.rules] == ["quantised", "static-shape"]
    assert set(made.sources) == {"manual", "log"}


def test_a_mistake_of_the_family_is_shown_in_its_file(write: Write) -> None:
    family = write("family", "  SUB: {rules: [no-such-rule]}\n")
    path = write(
        "chip",
        "schema: edgekit.target/1\nid: chip\nextends: family.yaml\nops:\n  MUL: {rules: [nor-this]}\n",
        base=False,
    )
    found = [(d.where.file, d.where.line, d.message) for d in problems(path)]
    assert found == [
        (str(path), 1, "the key `title` is missing"),
        (str(path), 5, "there is no rule `nor-this`"),
        (str(family), 16, "there is no rule `no-such-rule`"),
    ]


def test_ours_are_extended_by_id(write: Write) -> None:
    path = write(
        "mine", "schema: edgekit.target/1\nid: mine\nextends: ethos-u55-128\ntitle: Mine\n", base=False
    )
    made = target(path)
    assert made.title == "Mine"
    assert made.ops.keys() == target("ethos-u55-128").ops.keys()
    assert target("mine", (path.parent,)).title == "Mine"


def test_several_ops_in_one_key(write: Write) -> None:
    made = target(write("chip", "  RELU, RELU6 ,TANH: {dtypes: [int8]}\n"))
    assert set(made.ops) == {"ADD", "RELU", "RELU6", "TANH"}
    assert made.ops["RELU"] is made.ops["TANH"]
    (problem,) = problems(write("chip", "  RELU, ADD: {dtypes: [int8]}\n"))
    assert problem.message == "the op `ADD` is named twice, first in line 15"
    assert problem.where.line == 16


@pytest.mark.parametrize(
    "named",
    [
        *("/etc/passwd", "../other.yaml", "sub/../../other.yaml", "~/x.yaml", "file:///etc/passwd"),
        *("other.txt", "..\\other.yaml", "link.yaml", "linked/inner.yaml"),
    ],
)
def test_extends_does_not_lead_out_of_the_folder(tmp_path: Path, write: Write, named: str) -> None:
    outside = tmp_path / "other.yaml"
    outside.write_text(BASE.format(id="other"))
    (tmp_path / "inner.yaml").write_text(BASE.format(id="inner"))
    path = write("sub/chip", f"extends: {named!r}\n")
    (path.parent / "link.yaml").symlink_to(outside)
    (path.parent / "linked").symlink_to(tmp_path)
    (problem,) = problems(path)
    assert problem.code == "EK207"
    assert "leads out of the folder" in problem.message or "there is no" in problem.message
    assert problem.where.line == 16


@pytest.mark.parametrize(
    ("value", "words"), [("[a]", "the id of a target"), ("nothing", "there is no target")]
)
def test_extends_names_a_target(write: Write, value: str, words: str) -> None:
    (problem,) = problems(write("chip", f"extends: {value}\n"))
    assert words in problem.message


def test_circles_end(write: Write) -> None:
    write("a", "extends: b.yaml\n")
    write("b", "extends: c.yaml\n")
    path = write("c", "extends: a.yaml\n")
    (problem,) = problems(path)
    assert problem.message == "`extends` goes round in a circle: c > a > b > c"
    (problem,) = problems(write("self", "extends: self.yaml\n"))
    assert "circle" in problem.message


def test_long_chains_end(write: Write) -> None:
    write("t0")
    for i in range(1, 12):
        write(f"t{i}", f"extends: t{i - 1}.yaml\n")
    (problem,) = problems(Path(write("t11", "extends: t10.yaml\n")))
    assert "more than 8 descriptors" in problem.message


def test_the_id_is_the_name_of_the_file(write: Write) -> None:
    path = write("chip")
    moved = path.rename(path.with_name("other.yaml"))
    (problem,) = problems(moved)
    assert problem.message == "the id `chip` is not the name of its file, `other`"
    assert problem.where.line == 2


def test_unknown_targets_get_a_suggestion() -> None:
    (problem,) = problems("ethos-u55-129")
    assert problem.code == "EK208"
    assert problem.help is not None
    assert "ethos-u55-128" in problem.help
    (problem,) = problems("nowhere/chip.yaml")
    assert problem.code == "EK101"


def test_two_files_of_one_id_in_a_folder(write: Write) -> None:
    path = write("chip")
    write("sub/chip")
    (problem,) = problems("chip", path.parent)
    assert problem.code == "EK208"


def test_a_changed_file_is_read_again(write: Write) -> None:
    path = write("chip")
    assert target(path).title == "A chip"
    path.write_text(path.read_text().replace("A chip", "Another chip"))
    assert target(path).title == "Another chip"


_WORDS = st.sampled_from(
    [
        "rules",
        "ops",
        "ADD",
        "any-of",
        "stride-range",
        "high",
        "when",
        "unless",
        "dtypes",
        "$x",
        "source",
        "id",
    ]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _WORDS | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        _WORDS | st.sampled_from(["memory", "graph", "extends", "constants", "kind"]), _VALUES, max_size=4
    )
)
def test_any_values_give_a_target_or_our_errors(write: Write, values: dict[str, object]) -> None:
    import json

    path = write("chip", "\n".join(f"{k}: {json.dumps(v)}" for k, v in values.items()) + "\n", base=False)
    failure = _failure(path)
    if failure is not None:
        assert {d.code for d in failure.diagnostics} <= {"EK207", "EK208", "EK101"}
        assert all(d.where.file for d in failure.diagnostics)


def _failure(path: Path) -> EdgekitError | None:
    try:
        target(path)
    except EdgekitError as failure:
        return failure
    return None
