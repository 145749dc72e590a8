"""The parameters of a provisioning file that bear on failover, by their full names.

A file holds hundreds of others, of which nothing is known here and nothing is
said; only a name that is nearly one of these is taken for a misprint.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sipaudit.model.settings import FAILOVER
from sipaudit.settings.catalogue import DNS_CACHE, SETTINGS, SettingType, setting_type

# Suffixes of reg.x.server.y. and voIpProt.server.x., and with failOver. before them of the proxy's prefixes, too.
OF_FAILOVER = (*FAILOVER, "concurrentRegistration")
OF_SERVER = ("address", "port", "transport", "expires", "expires.overlap", "register", "retryTimeOut", "retryMaxCount",
             "registerRetry.baseTimeOut", "registerRetry.maxTimeOut", "useOutboundProxy", "specialInterop")
OF_PROXY = ("address", "port", "transport")
# Settings that a line has once: the name for the line, and the name for the whole phone.
OF_LINE = {
    "authOptimizedInFailover": ("auth.optimizedInFailover", "voIpProt.SIP.authOptimizedInFailover"),
    "tcpFastFailover": ("tcpFastFailover", "voIpProt.SIP.tcpFastFailover"),
    "failoverOn503Response": (None, "voIpProt.SIP.failoverOn503Response"),
}
FAMILIES = ("reg", "voipprot", "dns")   # first words of these names, in lower case
ALIKE = 0.8                             # how like one word of a name must be to that of another to be a misprint of it
LONGEST = 120
MOST_GUESSES = 500   # misprints of one file that are looked at: all of a real one
LISTS = ("CONFIG_FILES", "OVERRIDES_DIRECTORY")  # of a master file; for one model with _SPIP650 behind
LIST_NAMES = re.compile(rf"(?:{'|'.join(LISTS)})(?:_[A-Za-z0-9_]{{1,32}})?")
# Numbers that a dial plan sends to servers of their own; of the whole phone, or of one line (research/polycom.md 6).
EMERGENCY = re.compile(r"dialplan\.(?:[0-9]{1,2}\.)?routing\.emergency\.[0-9]{1,2}\.value")

_TEXT = SettingType()
_INDEX = re.compile(r"(?<=\.)[1-9][0-9]?(?=\.|$)")


def _known() -> dict[str, SettingType]:
    servers = ("reg.N.server.N.", "voIpProt.server.N.")
    proxies = ("reg.N.outboundProxy.", "voIpProt.SIP.outboundProxy.")
    known = {prefix + suffix: SETTINGS[suffix] for prefix in servers for suffix in OF_SERVER}
    known |= {prefix + suffix: SETTINGS[suffix] for prefix in proxies for suffix in OF_PROXY}
    known |= {f"{prefix}failOver.{suffix}": SETTINGS[suffix]
              for prefix in (*servers, *proxies) for suffix in OF_FAILOVER}
    for name, (of_line, of_phone) in OF_LINE.items():
        known |= {of_phone: SETTINGS[name]} | ({f"reg.N.{of_line}": SETTINGS[name]} if of_line else {})
    known |= {f"dns.cache.{kind}.N.{field}": of for kind, fields in DNS_CACHE.items() for field, of in fields.items()}
    # the vendor's own pages spell this one both ways
    known |= {f"{prefix}registerRetry.maxTimeout": SETTINGS["registerRetry.maxTimeOut"] for prefix in servers}
    return known | {"reg.N.address": _TEXT}


KNOWN = _known()
# A name in any case; also without its failOver., which the parameters beside it do not have.
_FOLDED = {name.replace("failOver.", "").casefold(): name for name in KNOWN} | {name.casefold(): name for name in KNOWN}
_BY_SHAPE: dict[int, list[list[str]]] = {}
for _name in KNOWN:
    _BY_SHAPE.setdefault(_name.count("."), []).append(_name.split("."))


@lru_cache(maxsize=16384)
def parameter_type(name: str) -> SettingType | None:
    """What the parameter may be, None when it is none of ours."""
    if name.startswith("dns."):
        return setting_type(name)  # the static cache has twelve places
    return KNOWN.get(_INDEX.sub("N", name)) if len(name) <= LONGEST else None


def meant(name: str, guessed: set[str]) -> str | None:
    """The parameter that a name which is none was most likely to be, None when it is nothing of ours at all.

    `guessed` are the names of the same file, without their numbers, that were looked at: each costs milliseconds, and
    a file may hold tens of thousands.
    """
    if len(name) > LONGEST or name.partition(".")[0].casefold() not in FAMILIES:
        return None
    shape = _INDEX.sub("N", name)
    if len(guessed) < MOST_GUESSES:
        guessed.add(shape)
    if shape not in guessed:
        return None
    indices = _INDEX.findall(name)
    found = _meant(shape)
    for index in indices if found is not None else ():
        found = re.sub(r"(?<=\.)N(?=\.|$)", index, found or "", count=1)
    return found


@lru_cache(maxsize=4096)
def _meant(shape: str) -> str | None:
    """`shape` is a name with N for its numbers."""
    if shape in KNOWN:
        return None  # dns.cache.A.13: a place that the cache does not have
    by_case = _FOLDED.get(shape.casefold())
    if by_case is not None:
        return by_case
    words = shape.split(".")
    for name in _BY_SHAPE.get(len(words) - 1, ()):
        wrong = [(word, right) for word, right in zip(words, name, strict=True) if word.casefold() != right.casefold()]
        if len(wrong) == 1 and _misprint(*wrong[0]):
            return ".".join(name)
    if "failover" in (word.casefold() for word in words):
        from difflib import get_close_matches  # deferred: most runs have no parameter that is unknown

        return next(iter(get_close_matches(shape, KNOWN, n=1)), None)
    return None


def _misprint(word: str, right: str) -> bool:
    """Numbers and single letters are no misprints of each other: SRV is not A."""
    if min(len(word), len(right)) < 4:
        return False
    from difflib import SequenceMatcher

    return SequenceMatcher(None, word.casefold(), right.casefold()).ratio() >= ALIKE
