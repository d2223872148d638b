"""What the configuration stored in a Keras file would make Keras run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Parts of the public and internal Keras packages that a model's configuration may name. Everything else,
# `keras.utils` or `os` alike, holds functions that a hostile file could call.
_MODELING = frozenset(
    {
        *("activations", "constraints", "initializers", "regularizers"),
        *("dtype_policies", "mixed_precision", "quantizers"),
        *("applications", "engine", "layers", "losses", "metrics", "models", "ops", "optimizers", "random"),
    }
)
_PACKAGES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")
_UNUSED = frozenset({"compile_config", "training_config", "build_config"})
"""Keys whose values are never deserialised: models are loaded without their training state."""


@dataclass(frozen=True, slots=True)
class StoredCode:
    """One place where loading would run code that does not come with Keras.

    Attributes:
        what: What it is, for messages, such as "a `Lambda` layer".
        layer: The name of the layer that holds it, if known.
    """

    what: str
    layer: str | None


def stored_code(config: Any) -> list[StoredCode]:
    """Finds the code that deserialising a configuration would run.

    Args:
        config: The parsed JSON of a model, as Keras 2 or Keras 3 writes it.

    Returns:
        One entry per Lambda layer, pickled function or class from outside Keras, in order.
    """
    return list(_walk(config, None))


def activation_names(config: Any) -> set[str]:
    """Returns every string that the configuration uses as an activation."""
    if isinstance(config, list):
        return set().union(*map(activation_names, config))
    if not isinstance(config, dict):
        return set()
    names = {v for k, v in config.items() if k.endswith("activation") and isinstance(v, str)}
    return names.union(*map(activation_names, config.values()))


def layer_of_class(config: Any, class_name: str) -> str | None:
    """Returns the name of the first layer of a class, or `None`."""
    if isinstance(config, dict):
        name = _layer_name(config) if config.get("class_name") == class_name else None
        return name or layer_of_class(list(config.values()), class_name)
    if isinstance(config, list):
        return next(filter(None, (layer_of_class(item, class_name) for item in config)), None)
    return None


def _walk(value: Any, layer: str | None) -> Iterator[StoredCode]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, layer)
    elif isinstance(value, dict):
        layer = _layer_name(value) or layer
        what = _code_of(value)
        if what is not None:
            yield StoredCode(what, layer)
            return
        for key, item in value.items():
            if key not in _UNUSED:
                yield from _walk(item, layer)


def _layer_name(value: dict[str, Any]) -> str | None:
    config = value.get("config")
    name = config.get("name") if isinstance(config, dict) and "class_name" in value else None
    return name if isinstance(name, str) else None


def _code_of(value: dict[str, Any]) -> str | None:
    name, module = value.get("class_name"), value.get("module")
    if not isinstance(name, str):
        return None
    if name == "Lambda":
        return "a `Lambda` layer"
    if name == "__lambda__":
        return "a stored Python function"
    if not isinstance(module, str) or _is_modeling(module, name):
        return None
    what = value.get("config") if name == "function" else name
    return f"`{module}.{what}`"


def _is_modeling(module: str, name: str) -> bool:
    if module == "builtins":  # a plain Python type, or a function that Keras finds by name
        return name in {"function", "dict", "list", "tuple", "set", "slice", "type", "NoneType"}
    package = next((p for p in _PACKAGES if module == p or module.startswith(f"{p}.")), None)
    if package is None:
        return False
    inner = [p for p in module.removeprefix(package).split(".") if p and p not in ("src", "api", "_tf_keras")]
    return not inner or inner[0] in _MODELING
