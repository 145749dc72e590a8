"""The glossary: settings, requirements, response codes and terms in plain words; and rules and incident kinds, by their
own documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.errors import InputError
from sipaudit.rulebook.incident_file import say
from sipaudit.rulebook.pack import read_file
from sipaudit.rulebook.rule_file import DOCUMENTATION
from sipaudit.rulebook.rules import IncidentKind, Rule, RulePack
from sipaudit.yamlfile.wording import quoted, suggestion

KINDS = {
    "settings": "setting", "requirements": "requirement", "codes": "SIP response", "words": "term",
    "reasons": "why a check was not decided", "assumptions": "assumption",
}
INCIDENT = "incident kind"
KEYS = ("title", "says", "do", "see", "also")
_CODE = re.compile(r"([1-6])[0-9][0-9]")
_NUMBER = re.compile(r"-(?:0x)?[0-9a-f]*[0-9][0-9a-f]*$")
_INDEX = re.compile(r"\.[0-9]+(?=\.)")
_GAPS = re.compile(r"[\s_-]+")


class Term(Struct, frozen=True):
    """One explained word. `title`: one line; `do`: what to do about it ("" if nothing); `see`: names of related terms;
    `also`: other spellings of the name."""

    name: str
    kind: str
    title: str
    says: str
    do: str = ""
    see: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


def terms_folder() -> Path:
    return Path(__file__).parent / "terms"


def load_terms() -> tuple[Term, ...]:
    """All explained words, in file order. Raises InputErrors."""
    return tuple(term for name, kind in KINDS.items() for term in _read(terms_folder() / f"{name}.yaml", kind))


def _read(path: Path, kind: str) -> Iterator[Term]:
    items = read_file(path)
    for name in items.node.items:
        fields = items.mapping(name, "{title: TEXT, says: TEXT}")
        fields.keys(KEYS, ("do", "see", "also"))
        yield Term(name, kind, fields.text("title"), fields.text("says"), fields.text("do"),
                   tuple(fields.texts("see", "[F6]")), tuple(fields.texts("also", "[binding]")))
    items.problems.raise_any()


def pack_terms(pack: RulePack) -> Iterator[Term]:
    """The rules and incident kinds of a pack as terms."""
    for rule in pack.of_lines:
        yield _documented(rule, f"rule, {' or '.join(rule.levels)}", see=rule.basis)
    for kind in pack.incidents:
        yield _documented(kind, INCIDENT, f"Start: {say(kind.starts, kind.thresholds)}",
                          f"End: {say(kind.ends, kind.thresholds)}")


def _documented(one: Rule | IncidentKind, kind: str, *more: str, see: tuple[str, ...] = ()) -> Term:
    """A term made from documentation, with the sentences `more` in the middle."""
    said = one.documentation
    limits = (f"{DOCUMENTATION[key]}: {said[key]}" for key in ("false_positives", "misses") if said.get(key))
    parts = [said.get("what"), said.get("why"), *more, *limits]
    return Term(one.id, kind, one.title, "\n".join(filter(None, parts)), said.get("fix", ""), see)


class Glossary:
    """Finds terms by the name, spelling or parameter that a user types."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        self._by_name: dict[str, list[Term]] = {}
        for term in self.terms:
            for name in dict.fromkeys(map(_plain, (term.name, *term.also))):
                self._by_name.setdefault(name, []).append(term)

    def find(self, text: str) -> list[Term]:
        """The terms of this name, several if it has several meanings; their `see` is limited to terms known here.
        Raises InputError with the nearest name."""
        words = text.split()
        found = (self._by_name.get(_plain(text)) or self._of_code(words[0] if words else "") or
                 self._by_name.get(_NUMBER.sub("-n", _plain(text))) or self._of_parameter(text) or
                 self._by_name.get(_plain(text).removesuffix("s")))
        if found:
            return [replace(term, see=tuple(name for name in term.see if _plain(name) in self._by_name))
                    for term in found]
        names = [name for term in self.terms for name in (term.name, *term.also)]
        raise InputError(f"nothing is known of {quoted(text)}", fix=suggestion(
            " ".join(words), names, otherwise="`sipaudit explain` alone lists what is explained"))

    def _of_code(self, word: str) -> list[Term]:
        """The term of a response code, whatever text follows it; for a code without its own term, that of its class."""
        code = _CODE.fullmatch(word)
        return [] if code is None else self._by_name.get(word) or self._by_name.get(f"{code[1]}xx", [])

    def _of_parameter(self, text: str) -> list[Term]:
        """A setting by its full name in the provisioning file, `reg.1.server.1.failOver.failBack.mode`; or by its group
        if that has one term, `dns.cache.A.1.ttl`."""
        plain = _INDEX.sub(".x", _plain(text))
        settings = [name for name, terms in self._by_name.items()
                    if any(term.kind == KINDS["settings"] for term in terms)]
        ends = [name for name in settings if f".{plain}".endswith("." + name)]
        groups = [name for name in settings if "." in name and plain.startswith(name + ".")]
        return self._by_name[max(ends or groups, key=len)] if ends or groups else []


def _plain(text: str) -> str:
    """A name in the form for comparison: case is ignored, and blanks, dashes and underscores are equal."""
    return _GAPS.sub("-", text.strip()).casefold()
