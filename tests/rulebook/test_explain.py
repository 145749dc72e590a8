"""Every name that a report or a provisioning file may contain is explained."""

from __future__ import annotations

import itertools

import pytest

from sipaudit.errors import InputError
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.values import Assumption, Reason, Severity
from sipaudit.report import rulebook
from sipaudit.rulebook.facts import FACTS
from sipaudit.rulebook.facts import SETTINGS as IN_TEXTS
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.terms import Glossary, Term, load_terms, pack_terms
from sipaudit.settings.catalogue import DNS_CACHE, SETTINGS

PACK = load_pack()
TERMS = load_terms()
GLOSSARY = Glossary((*pack_terms(PACK), *TERMS))
# The ids are stable (reference-model.md 5), so a text may name a rule that does not exist yet.
RULE_IDS = {
    "signalling-to-unregistered-server", "registration-without-expiry", "signalling-after-expiry",
    "deregistration-at-failover", "unexpected-re-registration", "signalling-to-failed-server",
    "accepted-from-failed-server", "failover-without-failure", "failover-skipped-server", "failover-missing",
    "premature-failback", "overdue-failback", "failback-during-call", "failback-without-registration",
    "failback-probe-registration", "failback-retried-too-often", "primary-not-tried-first", "secondary-abandoned",
    "credentials-to-wrong-server", "flapping",
}
REQUIREMENTS = [f"{letter}{number}" for letter, most in (("C", 10), ("F", 13), ("B", 8))
                for number in range(1, most + 1)]
CODES = [
    *map(str, (100, 180, 181, 182, 183, 200, 202, 301, 302, 305, 400, 401, 403, 404, 407, 408, 420, 421, 422, 423)),
    *map(str, (480, 481, 482, 483, 484, 486, 487, 488, 489, 491, 500, 501, 502, 503, 504, 513, 580, 600, 603)),
    "604", "606", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx",
]
WORDS = [
    "AOR", "binding", "Contact", "failover", "fallback", "failback", "try", "regime", "T0", "grace", "primary",
    "secondary", "working server", "server entry", "move", "dialog", "transaction", "branch", "retransmission", "idle",
    "boot", "TTL", "SRV", "tolerance", "severity", "Timer B", "Timer F", "challenger", "dns_ttl", "tap", "HEP", "NAPTR",
    "outbound proxy", "group", "label", "minutes", "first_packet", "blind_s", "lag_s", "interface_drops",
    "sources_away", "emergency call", "forking", "Lync", "PRACK", "provisioning", "Request-URI", "shared line", "tag",
]
COLUMNS = ["phone", "line", "firmware", "entry", "works with", "calls", "moves", "regime", "mode", "group", "kind",
           "cause", "server", "priority"]   # of the tables that `phones` prints
MEASURED = sorted(set(FACTS) - {"clause"})   # not `clause`: the requirement is in `basis`
LINE = ["working", "tries", "registrations", "call_spans", "settings"]
FIELDS = ["basis", "also", "declare", "confidence", "facts", "assumptions", "reached", "origin", "expected", "observed"]

SAID = [   # the closed lists of a report (contract.md 3)
    "failover", "failback", "fallback", "unknown", "timeout", "icmp", "refused", "reset", "tls", "dns", "503",
    "other-response", "newRequests", "DNSTTL", "registration", "duration", "answered", "abandoned", "expired",
    "invalidated", "deregistered", "replaced", "explicit", "inherited", "default", "ambiguous",
    "time_to_detect_p50", "time_to_recover_max", "lines_moved", "lines_stayed", "registrations_lost", "calls_lost",
    "calls_failed", "emergency_failed", "register_rate_median", "register_rate_peak", "responses_503", "mid_life",
    "truncated", "undecoded", "link-type-147", "ethertype-0x88cc", "duplicates", "snaplen_cut", "clock_steps",
    "malformed", "one_way", "encrypted", "loss", "kernel_drops", "tcp_gaps", "missing_halves", "estimate", "content",
]


@pytest.mark.parametrize("name", [
    *SAID, *SETTINGS, *(f"dns.cache.{kind}" for kind in DNS_CACHE), *REQUIREMENTS, *Regime, *Mode, *Reason, *Assumption,
    *Severity, *CODES, *WORDS, *FIELDS, *COLUMNS, *LINE, *MEASURED,
    *(rule.id for rule in (*PACK.rules, *PACK.settings)), *(kind.id for kind in PACK.incidents),
], ids=str)
def test_is_explained(name: str) -> None:
    assert all(len(term.says) > 15 and len(term.title) > 5 for term in GLOSSARY.find(name))


def test_texts_of_rules_may_name_every_setting() -> None:
    assert set(SETTINGS) == IN_TEXTS


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_related_terms_exist(term: Term) -> None:
    for name in set(term.see) - RULE_IDS:
        assert GLOSSARY.find(name)


def test_related_terms_that_are_not_known_here_are_not_named() -> None:
    glossary = Glossary([Term("F6", "requirement", "t", "s", see=("F7", "R1")), Term("R1", "requirement", "t", "s")])
    (term,) = glossary.find("F6")
    assert term.see == ("R1",)


def test_a_rule_explains_itself_with_what_to_do() -> None:
    (term,) = GLOSSARY.find("premature-failback")
    assert term.kind == "rule, error"
    assert "When it may be wrong: " in term.says
    assert term.do.startswith("Compare failBack.mode")


def test_what_a_rule_says_stands_in_paragraphs() -> None:
    for name, parts in (("premature-failback", ("When it may be wrong: A", "What it does not see: O", "What to do: C")),
                        ("server-outage", ("Start: When 2", "End: With", "When it may be wrong: A"))):
        lines = rulebook.explained(GLOSSARY.find(name), 100, False).splitlines()
        assert [part for part in parts if not any(line.startswith(part) for line in lines)] == []


def test_an_incident_kind_says_its_thresholds() -> None:
    (term,) = GLOSSARY.find("overload")
    assert "5 or more responses 503 within 10 s" in term.says


@pytest.mark.parametrize(("typed", "name"), [
    ("f6", "F6"), ("  server   ENTRY ", "server entry"), ("server-entry", "server entry"), ("refresh", "renewal"),
    ("503 Service Unavailable", "503"), ("499", "4xx"), ("699 Odd", "6xx"),
    ("reg.1.server.2.failOver.failBack.timeout", "failBack.timeout"),
    ("voIpProt.SIP.outboundProxy.failOver.reRegisterOn", "reRegisterOn"),
    ("reg.1.server.1.expires.overlap", "expires.overlap"), ("reg.3.server.1.address", "address"),
    ("reg.3.outboundProxy.address", "outboundProxy.address"), ("reg.3.address", "reg.x.address"),
    ("dns.cache.A.1.ttl", "dns.cache"), ("link-type-147", "undecoded"), ("ethertype-0x88CC", "undecoded"),
    ("servers", "server"), ("moves", "move"), ("Timer b", "Timer B"), ("times", "times"),
])
def test_names_are_found_as_people_type_them(typed: str, name: str) -> None:
    assert [term.name for term in GLOSSARY.find(typed)] == [name]


def test_a_word_with_two_meanings_has_both_explained() -> None:
    assert {term.kind for term in GLOSSARY.find("register")} == {"setting", "term"}


@pytest.mark.parametrize(("typed", "said"), [
    ("premature-failbak", "did you mean 'premature-failback'?"), ("failbck", "did you mean 'failback'?"),
    ("reg.1.server.1.failOver.failBack.timout", "did you mean 'failBack.timeout'?"),
    ("xyzzy", "`sipaudit explain` alone lists"), ("", "`sipaudit explain` alone lists"),
    ("799", "`sipaudit explain` alone lists"), ("x" * 10_000, "`sipaudit explain` alone lists"),
])
def test_an_unknown_word_gets_the_nearest(typed: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        GLOSSARY.find(typed)
    assert said in str(caught.value)


def test_no_term_is_explained_twice() -> None:
    names = [term.name for term in TERMS]
    assert len(names) == len(set(names))
    spellings = list(itertools.chain.from_iterable(term.also for term in TERMS))
    assert len(spellings) == len(set(spellings))
    assert not set(spellings) & set(names)
