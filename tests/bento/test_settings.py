"""Settings: defaults that work, and one clear message for a value that does not."""

from pathlib import Path

import pytest

from bento.settings import Settings, SettingsError, load_settings, markdown_table, misspelt


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALENCE_MAX_TEXT_CHARS", "5")
    monkeypatch.setenv("VALENCE_CORS_ORIGINS", "https://a.example, http://localhost:8501/")
    monkeypatch.setenv("VALENCE_CACHE_DIR", "/var/cache/valence")
    monkeypatch.setenv("VALENCE_LANES", "")
    settings = load_settings()
    assert settings.max_text_chars == 5
    assert settings.cors_origins == ("https://a.example", "http://localhost:8501")
    assert settings.cache_dir == Path("/var/cache/valence")
    assert settings.lanes == 0, "an empty variable is one that is not set"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALENCE_LANES", "many"),
        ("VALENCE_LANES", "-1"),
        ("VALENCE_LONG_TEXTS", "drop"),
        ("VALENCE_MODEL_DIGEST", "abc"),
        ("VALENCE_MODEL_VERSION", "v 1\r\nx: y"),
        ("VALENCE_CORS_ORIGINS", "https://a.example,shop"),
        ("VALENCE_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    message = str(error.value)
    assert message.startswith(f"{name}: ")
    assert "Correct or unset it" in message
    assert "\n" not in message


def test_what_is_nearly_a_setting_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "MAX_QEUE_MS",
        "LOGLEVEL",
        "MODELS",
        "LANES",
        "SERVICE_HOST",
        "PORT_3000_TCP",
        "RUN_DIR",
        "IMAGE",
    ):
        monkeypatch.setenv(f"VALENCE_{name}", "1")
    found = misspelt()
    assert found["VALENCE_MAX_QEUE_MS"] == "VALENCE_MAX_QUEUE_MS"
    assert found["VALENCE_LOGLEVEL"] == "VALENCE_LOG_LEVEL"
    assert found["VALENCE_MODELS"] == "VALENCE_MODEL"
    assert len(found) == 3


def test_the_table_has_a_row_and_a_description_for_every_setting() -> None:
    rows = markdown_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [
        f"VALENCE_{name.upper()}" for name in Settings.model_fields
    ]
    assert all(row.count("|") == 4 for row in rows)
    assert all(field.description for field in Settings.model_fields.values())
