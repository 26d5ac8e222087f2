"""Settings, read from environment variables."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.runtime.settings import ModelSettings, RetentionSettings, StorageSettings, StreamSettings


def test_variables_are_converted_to_the_types_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMS_PER_USER", "7")
    monkeypatch.setenv("STREAM_WINDOW_SECONDS", "0.5")
    monkeypatch.setenv("ALLOWED_MODELS", "one, two,,")

    assert StreamSettings.read().streams_per_user == 7
    assert StreamSettings.read().stream_window_seconds == 0.5
    assert ModelSettings.read().allowed_models == ("one", "two")


def test_an_empty_variable_has_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMS_PER_USER", "")

    assert StreamSettings.read().streams_per_user == 5


def test_a_missing_or_invalid_variable_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TABLE_NAME", raising=False)
    with pytest.raises(ValidationError, match="table_name"):
        StorageSettings.read()
    monkeypatch.setenv("MODEL_API", "carrier-pigeon")
    with pytest.raises(ValidationError, match="model_api"):
        ModelSettings.read()


@pytest.mark.parametrize("variable", ["JOB_RETENTION_SECONDS", "FAILED_JOB_RETENTION_SECONDS"])
@pytest.mark.parametrize("seconds", ["0", "86401"])
def test_a_retention_outside_one_second_to_one_day_is_refused(
    variable: str, seconds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, seconds)
    with pytest.raises(ValidationError, match=variable.lower()):
        RetentionSettings.read()
