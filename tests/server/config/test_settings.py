"""What stands in the environment, and what comes of it."""

import pytest

from server.config.settings import Settings


def test_what_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Settings()
    for name, field in Settings.model_fields.items():
        monkeypatch.setenv(str(field.validation_alias or f"RATESGRAPH_{name.upper()}"), "")
    # For these nothing is a word of its own.
    assert Settings() == expected.model_copy(update=dict.fromkeys(["rate_limit", "token_rate_limit"], ""))
