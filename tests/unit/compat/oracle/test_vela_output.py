"""The parsers against what Vela 5.2.0 wrote for small files."""

from __future__ import annotations

import pytest

from edgekit.compat.oracle import vela_output

HEAD = (
    "Original Operator,NNG Operator,Target,Staging Usage,Peak% (Staging),Op Cycles,Network% (cycles),NPU,"
    "SRAM AC,DRAM AC,OnFlash AC,OffFlash AC,MAC Count,Network% (MAC),Util% (MAC),Name\n"
)
LAYERS = HEAD + (
    "Conv2D,Conv2D,NPU,768,16.2,896,9.28,896,192,0,0,480,18432,94.7,16.07,resh\n"
    "Conv2D,Relu,NPU,0,0.0,0,0.0,0,0,0,0,0,0,0.0,100,resh\n"
    "Split,Passthrough,CPU,0,nan,0,100.0,0,0,0,0,0,0,100.0,100.0,cums\n"
)
SUMMARY = "experiment,network,core_clock,sram_memory_used,cycles_total\ndefault,t1,500000000.0,4.625,9647\n"
OUTPUT = """Warning: No memory mode specified. Using a default of Shared_Sram.

Warning (supported operators) operator: DEQUANTIZE, ofm: 'd'
Reason: Unsupported opType

Warning (supported operators) operator: AVERAGE_POOL_2D, ofm: 'pool'
Reason: kernel width: 9 out of range

Kernel constraints:
  - IF padding=VALID:

Warning (supported operators) operator: SPLIT, ofm: 'it's'
Reason: Operation has tensor with unsupported DataType Float32 (x0)

Feature-map dataTypes must be one of {"INT16", "INT8"}
"""
TRACEBACK = """Traceback (most recent call last):
  File "vela", line 8, in <module>
RuntimeError: Compilation failed: Error: HARD_SWISH 'y0' Does not have valid TFLite Semantics.
 - IFM and OFM types must match
   IFM type=INT8 and OFM type=INT16
Failed to parse TFLite file
"""


def test_layers() -> None:
    first, second, third = vela_output.layers(LAYERS)
    assert (first.name, first.op, first.unit, first.cycles, first.macs) == (
        "resh",
        "Conv2D",
        "npu",
        896,
        18432,
    )
    assert first.memory == {"sram": 192, "dram": 0, "on-chip flash": 0, "off-chip flash": 480}
    assert second.op == "Relu"
    assert (third.unit, third.source) == ("cpu", "Split")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        LAYERS.replace(",Target,", ",Where,"),
        LAYERS.replace(",CPU,", ",GPU,"),
        LAYERS.replace(",896,9.28", ",many,9.28"),
    ],
)
def test_a_table_that_is_not_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        vela_output.layers(text)


def test_figures_keep_numbers_only() -> None:
    found = vela_output.figures(SUMMARY)
    assert found == {"core_clock": 5e8, "sram_memory_used": 4.625, "cycles_total": 9647.0}
    with pytest.raises(ValueError, match="2 rows"):
        vela_output.figures(SUMMARY + SUMMARY.splitlines()[1])


def test_reasons_by_tensor() -> None:
    found = vela_output.reasons(OUTPUT)
    assert found["d"] == "Unsupported opType"
    assert found["pool"].startswith("kernel width: 9")
    assert found["it's"].startswith("Operation has tensor with unsupported DataType Float32")
    assert set(found) == {"d", "pool", "it's"}


DATABASE = """<?xml version='1.0' encoding='UTF-8'?>
<debug source="x">
<table name="optimised">
<![CDATA[
"id","source_id","operator","kernel_w"
1,3,"Passthrough",1
2,2,"Conv2D",1
3,2,"Relu",1
]]>
</table>
<table name="source">
<![CDATA[
"id","operator","ext_key"
1,"Abs",0
2,"Conv2D",1
3,"Cumsum",2
]]>
</table>
</debug>
"""


def test_what_became_of_each_op() -> None:
    assert vela_output.kept_by_cpu(vela_output.database(DATABASE)) == [None, False, True]


@pytest.mark.parametrize("old", ['name="source"', '"source_id"', "<![CDATA["])
def test_a_database_that_is_not_one(old: str) -> None:
    with pytest.raises(ValueError, match="database"):
        vela_output.database(DATABASE.replace(old, "other"))


def test_why_it_gave_up() -> None:
    assert "IFM and OFM types must match" in vela_output.failure(TRACEBACK)
    assert "HARD_SWISH 'y0'" in vela_output.failure(TRACEBACK)
    assert vela_output.failure("all is well\n") == ""
