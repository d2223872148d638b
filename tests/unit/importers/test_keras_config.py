"""What a stored Keras configuration would run."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.importers.keras_config import StoredCode, activation_names, layer_of_class, stored_code


def layer(class_name: str, name: str, **fields: Any) -> dict[str, Any]:
    config = {"name": name, **fields.pop("config", {})}
    return {"class_name": class_name, "config": config, **fields}


def model(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Functional", "module": "keras", "config": {"name": "m", "layers": list(layers)}}


@pytest.mark.parametrize(
    ("module", "class_name"),
    [
        ("keras.layers", "Conv2D"),
        ("keras.src.models.functional", "Functional"),
        ("keras.src.layers.core.tf_op_layer", "TFOpLambda"),
        ("tf_keras.src.engine.functional", "Functional"),
        ("tensorflow.python.keras.layers", "Dense"),
        ("keras", "DTypePolicy"),
        ("builtins", "function"),
        (None, "Dense"),
    ],
)
def test_what_comes_with_keras_is_no_code(module: str | None, class_name: str) -> None:
    assert stored_code(model(layer(class_name, "a", module=module))) == []


@pytest.mark.parametrize(
    ("module", "class_name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("keras.utils", "get_file"),
        ("keras.src.utils.python_utils", "func_load"),
        ("keras_hub.layers", "Something"),
        ("kerasx", "Dense"),
        ("__main__", "Mine"),
    ],
)
def test_everything_else_is_code(module: str, class_name: str) -> None:
    found = stored_code(model(layer("Dense", "a"), layer(class_name, "b", module=module)))
    assert found == [StoredCode(f"`{module}.{class_name}`", "b")]


def test_lambda_layers_and_pickled_functions_name_their_layer() -> None:
    pickled = {"class_name": "__lambda__", "config": {"value": ["4wEA", None, None]}}
    found = stored_code(
        model(
            layer("Lambda", "twice", config={"function": ["4wEA", None, None]}),
            layer("Dense", "d", config={"activation": pickled}),
        )
    )
    assert found == [StoredCode("a `Lambda` layer", "twice"), StoredCode("a stored Python function", "d")]


def test_function_from_elsewhere_is_named_by_its_config() -> None:
    activation = {"class_name": "function", "module": "shutil", "config": "rmtree"}
    assert stored_code(model(layer("Dense", "d", config={"activation": activation}))) == [
        StoredCode("`shutil.rmtree`", "d")
    ]


def test_training_configuration_is_not_looked_at() -> None:
    config = model(layer("Dense", "d"))
    config["compile_config"] = {"loss": {"class_name": "function", "module": "mine", "config": "loss"}}
    assert stored_code(config) == []


def test_nested_models_are_walked() -> None:
    inner = model(layer("Lambda", "deep"))
    assert [f.layer for f in stored_code(model(layer("Dense", "d"), inner))] == ["deep"]


def test_activations_and_layers_of_a_class_are_found() -> None:
    config = model(
        layer("LSTM", "memory", config={"activation": "tanh", "recurrent_activation": "hard_sigmoid"}),
        layer("Mine", "special"),
    )
    assert activation_names(config) == {"tanh", "hard_sigmoid"}
    assert layer_of_class(config, "Mine") == "special"
    assert layer_of_class(config, "Other") is None
