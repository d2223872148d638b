"""States: values that a model keeps from one run to the next."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.call import Typed
from edgekit.runners.mil_reference.refusal import Refusal
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import Runtime, State


@evaluates("read_state", since=18)
def read_state(input_: State) -> Typed:
    """Reads a state."""
    return Typed(input_.value, input_.value.dtype)


@evaluates("write_state", since=18)
def write_state(input_: State, data: Runtime) -> tuple[()]:
    """Replaces what a state holds."""
    held = input_.value
    if not isinstance(data, np.ndarray) or data.dtype != held.dtype or data.shape != held.shape:
        raise Refusal(f"the state is {held.dtype}{list(held.shape)}, what is written is not")
    input_.value = data
    return ()
