"""The texts of rules filled in: `{elapsed}` is a fact in words, `{failBack.timeout}` a setting and its source."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping

from sipaudit.model.settings import LineSettings, Origin, Setting
from sipaudit.rulebook.conditions import FACTS, Fact

NAME = re.compile(r"\{([A-Za-z0-9_.]+)\}")
SECONDS = frozenset({"silent", "elapsed", "earliest", "timeout", "ttl", "expires"})
REGISTERED = {
    "never": "never asked for in this capture", "pending": "still without its 200", "expired": "past its expiry",
}
# The setting names that a text may use (reference-model.md 2).
SETTINGS = frozenset({
    "reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered", "failBack.mode", "failBack.timeout", "expires",
    "expires.overlap", "register", "retryTimeOut", "retryMaxCount",
})


# What the issues of provisioning files tell: the parameter and its value, how often, and what else the rule needs.
SETTING_FACTS = frozenset({"attribute", "value", "detail", "other", "fix"})


def unknown_names(text: str, facts: Container[str] = FACTS) -> Iterator[str]:
    """The names in a text that are neither a fact nor a setting."""
    return (name for name in NAME.findall(text) if name not in facts and name not in SETTINGS)


def fill(text: str, facts: Mapping[str, Fact], settings: LineSettings) -> str:
    """The text with every `{name}` replaced; settings read `failBack.timeout=60 from site.yaml:12 ...`."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in facts:
            return _fact(name, facts[name])
        return _setting(name, settings.get(name))

    return NAME.sub(value, text)


def _fact(name: str, value: Fact) -> str:
    if name == "registered":
        return REGISTERED.get(str(value), str(value))
    if name in SECONDS and isinstance(value, int | float):
        return in_words(value)
    return "unknown" if value is None else str(value)


def in_words(seconds: float) -> str:
    """`59 min`, `3.5 s`: precise below two minutes, rounded above."""
    if seconds < 120:
        return f"{round(seconds, 1):g} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _setting(name: str, setting: Setting) -> str:
    if setting.value is None:
        return f"{name} not known"
    origin = "the default" if setting.origin is Origin.DEFAULT else setting.source or setting.origin
    return f"{name}={setting.value}, {origin}"
