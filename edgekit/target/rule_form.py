"""The short forms of rules in a descriptor, brought into the one form that `schema.RuleUse` has.

- static-shape
- stride-range: {low: 1, high: 3}
- kernel-range: {low: 1, high: 8}
  unless: [{padding-is: {modes: [VALID]}}]
  source: manual
- any-of:
    - [{dilation-range: {low: 1, high: 1}}]
    - [{padding-is: {modes: [VALID]}}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.target.tree import PathIn

ASIDE = ("when", "unless", "outcome", "message", "basis", "source", "note")
"""Keys beside the name of a rule."""
ANY_OF = "any-of"


class FormError(ValueError):
    """A rule is not written in one of the forms.

    Attributes:
        path: Where in the value.
    """

    def __init__(self, path: PathIn, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


def canonical(written: Any, path: PathIn = ()) -> dict[str, Any]:
    """Returns the fields of `RuleUse` for a rule as it is written.

    Raises:
        FormError: If it has none of the forms.
    """
    if isinstance(written, str):
        return {"rule": written}
    if not isinstance(written, Mapping):
        raise FormError(path, "a rule is a name, or a name with its parameters")
    names = [key for key in written if key not in ASIDE]
    if len(names) != 1:
        what = "no rule is named" if not names else f"{len(names)} rules in one item: {', '.join(names[:5])}"
        raise FormError(path, f"{what}; begin each rule with a dash of its own")
    name = names[0]
    use = {key: written[key] for key in ASIDE if key in written}
    for key in ("when", "unless"):
        if key in use:
            use[key] = canonical_list(use[key], (*path, key))
    if name == ANY_OF:
        return {"any_of": _alternatives(written[name], (*path, name)), **use}
    params = written[name]
    if params is not None and not isinstance(params, Mapping):
        raise FormError(
            (*path, name), f"the parameters of `{name}` are given by name: `{name}: {{name: value}}`"
        )
    return {"rule": name, "params": dict(params or {}), **use}


def canonical_list(written: Any, path: PathIn) -> list[dict[str, Any]]:
    """Returns the canonical form of a list of rules.

    Raises:
        FormError: If it is not a list, or a rule in it has none of the forms.
    """
    if not isinstance(written, Sequence) or isinstance(written, str):
        raise FormError(path, "a list of rules is expected")
    return [canonical(one, (*path, i)) for i, one in enumerate(written)]


def _alternatives(written: Any, path: PathIn) -> list[list[dict[str, Any]]]:
    if not isinstance(written, Sequence) or isinstance(written, str) or not written:
        raise FormError(path, "`any-of` takes a list of alternatives, each a list of rules")
    return [canonical_list(one, (*path, i)) for i, one in enumerate(written)]
