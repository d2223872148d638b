"""The one table of EK codes: a code, its title, and the exit code it leads to.

`explain/<code>.md` beside this file says what each means, why, with an example and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.diagnostics.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of the table.

    Attributes:
        id: `EK` and three digits; the first digit is the family.
        title: A short lower-case sentence.
        exit_code: What the process exits with when an error of this code ends it.
    """

    id: str
    title: str
    exit_code: ExitCode


def _table(*rows: tuple[str, str, ExitCode]) -> dict[str, Code]:
    return {id_: Code(id_, title, exit_code) for id_, title, exit_code in rows}


_NO = ExitCode.DOES_NOT_HOLD
_USAGE = ExitCode.USAGE
_AWAY = ExitCode.UNAVAILABLE

CODES: dict[str, Code] = _table(
    # 1xx: model and import
    ("EK101", "the file does not exist or cannot be opened", _USAGE),
    ("EK102", "the format of the file is not recognised", _USAGE),
    ("EK103", "the model file is truncated or corrupt", _USAGE),
    ("EK104", "the graph is not valid", _USAGE),
    ("EK105", "external data is missing or too short", _USAGE),
    ("EK106", "external data lies outside the folder of the model", _USAGE),
    ("EK107", "the model is too large to process", _USAGE),
    ("EK108", "the opset is not supported", _USAGE),
    ("EK109", "op of an unknown domain", _NO),
    ("EK110", "the PyTorch model cannot be built or exported", _USAGE),
    ("EK111", "loading the file would run code from it", _USAGE),
    ("EK112", "the Keras model cannot be loaded or exported", _USAGE),
    ("EK113", "the TFLite file is not valid", _USAGE),
    ("EK114", "types or shapes of the graph contradict each other", _USAGE),
    ("EK115", "the kind of value is not supported", _NO),
    ("EK116", "the TFLite op has no form in the hub", _NO),
    # 2xx: target, plugin, configuration
    ("EK201", "two plugins register the same name", _USAGE),
    ("EK202", "the configuration is not valid", _USAGE),
    ("EK203", "a plugin cannot be loaded", _USAGE),
    ("EK204", "unknown name", _USAGE),
    ("EK205", "the command line is not valid", _USAGE),
    ("EK206", "the tuning log is damaged or does not apply", _USAGE),
    ("EK207", "the target descriptor is not valid", _USAGE),
    ("EK208", "there is no such target", _USAGE),
    ("EK209", "the baseline or a waiver is not valid", _USAGE),
    ("EK211", "the wrapping contract is not valid", _USAGE),
    # 3xx: op and lowering
    ("EK301", "the op is not known", _NO),
    ("EK302", "the op cannot be expressed in the backend", _NO),
    ("EK303", "the backend has no kernel for this dtype", _NO),
    ("EK304", "only an approximation is possible", _NO),
    ("EK305", "a dynamic shape cannot be expressed in the backend", _NO),
    ("EK306", "the opset of the artifact cannot be reached", _NO),
    ("EK307", "the artifact would be larger than its format allows", _NO),
    ("EK310", "an op falls back to the CPU", _NO),
    ("EK311", "an op runs nowhere on the target", _NO),
    ("EK312", "it cannot be told where an op runs", _NO),
    ("EK313", "the model does not fit into the target's memory", _NO),
    ("EK314", "a target cannot judge the model", _NO),
    ("EK315", "a fix changes the outputs of the model", _NO),
    # 4xx: quantisation
    ("EK401", "part of a quantised model stays in float", _NO),
    ("EK402", "the model cannot be computed in integers alone", _NO),
    ("EK403", "the model cannot be quantised", _NO),
    # 5xx: runner and device
    ("EK501", "a package that this needs is not installed", _AWAY),
    ("EK502", "the runtime died", _AWAY),
    ("EK503", "the runtime refuses the model", _NO),
    ("EK504", "the runtime did not answer in time", _AWAY),
    ("EK505", "the input data does not fit the model", _USAGE),
    ("EK506", "the output cannot be written", _USAGE),
    ("EK507", "the artifact cannot be read", _USAGE),
    ("EK520", "the trace cannot be read", _USAGE),
    ("EK521", "the vendor's tool refuses the file", _NO),
    ("EK522", "the answer of the vendor's tool cannot be understood", _AWAY),
    ("EK523", "the vendor's compiler leaves ops off the accelerator", _NO),
    ("EK524", "the target's table and the vendor's compiler disagree", _NO),
    ("EK525", "the machine lacks what the artifact needs", _AWAY),
    # 6xx: consistency
    ("EK601", "the artifact differs from the source model", _NO),
    ("EK602", "the artifact was not verified", ExitCode.NOTHING_CHECKED),
    ("EK603", "an output is missing", _NO),
    ("EK604", "the trace is not complete", _NO),
    ("EK605", "nothing of the trace can be compared", ExitCode.NOTHING_CHECKED),
    ("EK610", "a stage on the device differs from the contract", _NO),
    # 9xx: internal
    ("EK901", "bug in edgekit", ExitCode.BUG),
)
