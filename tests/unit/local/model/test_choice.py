"""The choice of the model from the environment."""

from __future__ import annotations

import pytest

from local.model.choice import ModelChoice
from local.stack import ROOT
from local.template.template import Template
from shared.errors import ModelMisconfigured

TEMPLATE = ROOT / "template.yaml"
DEFAULTS = Template.parameter_defaults(TEMPLATE)


def test_an_empty_environment_chooses_the_scripted_model_and_its_label() -> None:
    choice = ModelChoice.of_environment({"OPENAI_API_KEY": "", "OPENAI_MODEL": "ignored"}, TEMPLATE)
    assert choice == ModelChoice()
    assert choice.scripted
    assert "scripted local model, not an AI" in choice.label


def test_a_key_alone_chooses_openai_and_the_templates_model() -> None:
    choice = ModelChoice.of_environment({"OPENAI_API_KEY": "sk-secret"}, TEMPLATE)
    assert choice == ModelChoice("https://api.openai.com/v1", "sk-secret", DEFAULTS["DefaultModel"])
    assert choice.label == f"{DEFAULTS['DefaultModel']} at api.openai.com/v1, with your key"


@pytest.mark.parametrize(("key", "said"), [("sk-secret", "with your key"), (None, "without a key")])
def test_an_endpoint_works_with_and_without_a_key_and_the_label_hides_the_key(key: str | None, said: str) -> None:
    given = {"OPENAI_BASE_URL": "http://10.0.0.1:8080/v1/", "OPENAI_MODEL": "m", "OPENAI_API_KEY": key or ""}
    choice = ModelChoice.of_environment(given, TEMPLATE)
    assert choice == ModelChoice("http://10.0.0.1:8080/v1", key, "m")
    assert choice.label == f"m at 10.0.0.1:8080/v1, {said}"


def test_what_copying_adds_is_removed_and_a_query_is_kept_and_not_shown() -> None:
    given = {
        "OPENAI_BASE_URL": ' "https://a.example/openai/?api-version=2024-06-01" ',
        "OPENAI_API_KEY": "Bearer sk-secret\n",
        "OPENAI_MODEL": "'m'",
    }
    choice = ModelChoice.of_environment(given, TEMPLATE)
    assert choice == ModelChoice("https://a.example/openai?api-version=2024-06-01", "sk-secret", "m")
    assert choice.label == "m at a.example/openai, with your key"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"OPENAI_API_KEY": "sk\u2013secret"}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "Bearer "}, "OPENAI_API_KEY"),
        ({"OPENAI_BASE_URL": "api.example/v1"}, "OPENAI_BASE_URL"),
    ],
)
def test_a_variable_that_is_not_valid_is_named(given: dict[str, str], named: str) -> None:
    with pytest.raises(ModelMisconfigured, match=named):
        ModelChoice.of_environment(given, TEMPLATE)


def test_a_proxy_for_the_model_that_is_not_valid_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "gopher://proxy.example")
    with pytest.raises(ModelMisconfigured, match="https_proxy"):
        ModelChoice.of_environment({"OPENAI_API_KEY": "sk-secret"}, TEMPLATE)
