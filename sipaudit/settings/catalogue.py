"""The settings of a phone that matter for failover: names, values as in the provisioning file, defaults.

Ranges and defaults: reference-model.md 2 and the vendor's guides. A setting without a default here stays unknown until
it is stated: whether it exists, and what it then means, depends on the firmware.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from sipaudit.model.settings import FAILOVER, LineSettings, Mode, Origin, Setting, Value
from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.wording import quoted, suggestion

WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,9})")


class SettingType(Struct, frozen=True, gc=False):
    """The valid values of a setting: one of `words`, a whole number from `low` to `high`, or otherwise any text."""

    words: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    unit: str = ""
    default: Value | None = None

    def read(self, text: str) -> Value | None:
        """The value of a text, None if it is not valid."""
        if self.words:
            return text if text in self.words else None
        if self.low is None or self.high is None:
            return text
        return int(text) if WHOLE.fullmatch(text) and self.low <= int(text) <= self.high else None

    def advice(self, text: str) -> str:
        """What to write instead of an invalid text."""
        if self.words:
            return suggestion(text, self.words)
        if (self.low, self.high) == (0, 1):
            return "write 0 or 1"
        return f"write a whole number from {self.low} to {self.high}{self.unit}"


def _flag(default: int | None = None) -> SettingType:
    return SettingType(low=0, high=1, default=default)


def _seconds(low: int, high: int, default: int | None = None) -> SettingType:
    return SettingType(low=low, high=high, unit=" seconds", default=default)


_TEXT = SettingType()
_SHORT = SettingType(low=0, high=65535)

SETTINGS: dict[str, SettingType] = {
    "reRegisterOn": _flag(0),
    "failRegistrationOn": _flag(0),
    "onlySignalWithRegistered": _flag(1),
    "failBack.mode": SettingType(words=tuple(mode.value for mode in Mode), default=Mode.NEW_REQUESTS.value),
    "failBack.timeout": _seconds(0, 65535, 3600),
    "address": _TEXT,
    "port": _SHORT,
    "transport": SettingType(words=("DNSnaptr", "TCPpreferred", "UDPOnly", "TLS", "TCPOnly")),
    "expires": _seconds(10, 2147483647, 3600),
    "expires.overlap": _seconds(5, 65535, 60),
    "register": _flag(1),
    "retryTimeOut": SettingType(low=0, high=65535, unit=" milliseconds", default=0),
    "retryMaxCount": SettingType(low=0, high=20, default=3),
    "registerRetry.baseTimeOut": _seconds(10, 120, 60),
    "registerRetry.maxTimeOut": _seconds(60, 1800, 60),
    "tcpFastFailover": _flag(),
    "useOutboundProxy": _flag(1),
    "outboundProxy.address": _TEXT,
    "authOptimizedInFailover": _flag(0),
    "failoverOn503Response": _flag(),
    "concurrentRegistration": _flag(0),
    "specialInterop": _TEXT,
}

DEFAULTS: dict[str, Value] = {name: kind.default for name, kind in SETTINGS.items() if kind.default is not None}
_DEFAULT_SETTINGS = {name: Setting(value, None, Origin.DEFAULT) for name, value in DEFAULTS.items()}

_TTL = _seconds(300, 1 << 29)
DNS_CACHE: dict[str, dict[str, SettingType]] = {
    "A": {"name": _TEXT, "ttl": _TTL, "address": _TEXT},
    "SRV": {"name": _TEXT, "ttl": _TTL, "priority": _SHORT, "weight": _SHORT, "port": _SHORT, "target": _TEXT},
    "NAPTR": {
        "name": _TEXT,
        "ttl": _TTL,
        "order": _SHORT,
        "preference": _SHORT,
        "flags": _TEXT,
        "service": _TEXT,
        "regexp": _TEXT,
        "replacement": _TEXT,
    },
}
_DNS_CACHE_NAME = re.compile(r"dns\.cache\.(A|SRV|NAPTR)\.(?:[1-9]|1[0-2])\.([a-z]+)")


def setting_type(name: str) -> SettingType | None:
    """The type of the setting of this name, None if there is no such setting."""
    cached = _DNS_CACHE_NAME.fullmatch(name)
    return DNS_CACHE[cached[1]].get(cached[2]) if cached else SETTINGS.get(name)


def known_setting(name: str, problems: Problems, line: int | None, where: str) -> SettingType | None:
    """The type of the setting, None (and a problem) if there is no such setting."""
    kind = setting_type(name)
    if kind is None:
        problems.add(line, f"{where}: there is no setting {quoted(name)}", _name_advice(name))
    return kind


def read_setting(name: str, text: str, problems: Problems, line: int | None, where: str) -> Setting | None:
    """One stated setting, None (and a problem) if its name or value is not valid."""
    kind = known_setting(name, problems, line, where)
    if kind is None:
        return None
    value = kind.read(text)
    if value is None:
        problems.add(line, f"{where}: {name} cannot be {quoted(text)}", kind.advice(text))
        return None
    return Setting(value, where if line is None else f"{problems.file}:{line} {where}", Origin.EXPLICIT)


def _name_advice(name: str) -> str:
    if name.startswith("dns.cache"):
        return "write dns.cache.A.N.*, dns.cache.SRV.N.* or dns.cache.NAPTR.N.* with N from 1 to 12"
    return suggestion(name, SETTINGS)


def parse_set(texts: Iterable[str], option: str = "--set") -> dict[str, Setting]:
    """The settings of `suffix=value` texts, as given to `option`. Raises InputErrors with everything that is wrong,
    including two values for one name."""
    problems = Problems(None)
    settings: dict[str, Setting] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not value:
            problems.add(None, f"{option}: {quoted(text)} gives no value", "write suffix=value, as reRegisterOn=1")
            continue
        setting = read_setting(name, value, problems, None, option)
        if setting is not None and settings.setdefault(name, setting) != setting:
            problems.add(None, f"{option}: {name} is given two values", "name the one that counts")
    problems.raise_any()
    return settings


def declared_block(stated: dict[str, Setting], unread: str | None = None) -> LineSettings:
    """The settings of a declared block: each one that it omits has its default (reference-model.md 4). If `unread`
    names a part of the block that is not available, that part may state any of the omitted ones: then they are unknown,
    as for a line without a declaration."""
    if unread is None:
        return LineSettings({**_DEFAULT_SETTINGS, **stated}, declared=True)
    return LineSettings({**dict.fromkeys(FAILOVER, Setting(None, unread, Origin.UNKNOWN)), **stated})


def in_force(base: LineSettings, over: Sequence[dict[str, Setting]]) -> LineSettings:
    """`base` with later layers over it, suffix by suffix, and then the settings that others force (C4)."""
    values = dict(base.values)
    for layer in over:
        values |= layer
    re_register = values.get("reRegisterOn")
    if re_register is not None:
        values |= _forced(re_register, values.get("authOptimizedInFailover"))
    return LineSettings(values, base.declared)


def _forced(re_register: Setting, own: Setting | None) -> dict[str, Setting]:
    """reRegisterOn=1 forces authOptimizedInFailover=1 (C4); if the former may be 1, so may the latter."""
    source = f"{re_register.source or 'default'}: forced by reRegisterOn=1"
    if re_register.value == 1:
        return {"authOptimizedInFailover": Setting(1, source, re_register.origin)}
    if re_register.value is not None or own is None or own.value == 1:
        return {}
    if re_register.origin is Origin.AMBIGUOUS and own.value == 0:
        return {"authOptimizedInFailover": Setting(None, source, Origin.AMBIGUOUS, (0, 1))}
    return {"authOptimizedInFailover": Setting(None, source, Origin.UNKNOWN)}
