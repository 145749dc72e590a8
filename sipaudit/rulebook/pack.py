"""Reading rule packs.  The keys of a rule file stand in a fixed order; all errors of a pack are raised together,
each with file and line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sipaudit.errors import InputError, InputErrors
from sipaudit.model.expectations import EXPECTATIONS
from sipaudit.model.observations import Verdict
from sipaudit.model.values import Severity
from sipaudit.rulebook.conditions import FACTS, Condition, ConditionError, nearest
from sipaudit.rulebook.rules import Rule, Wording
from sipaudit.rulebook.wording import SETTING_FACTS, unknown_names
from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.tree import Mapping, Node, Scalar, Sequence, read_tree

KEYS = ("id", "title", "severity", "basis", "on", "when", "message", "documentation")
OPTIONAL = frozenset({"when"})
MESSAGE_KEYS = frozenset({"when", "expected", "observed"})
DOCUMENTATION_KEYS = ("what", "why", "false_positives", "misses", "fix")
TEST_SUFFIX = ".test.yaml"
SETTINGS_RULES = "config-"  # rules about provisioning files: found by id, they select nothing


def pack_folder() -> Path:
    """Where the rules that ship with the program lie: inside the wheel, in a checkout beside the package."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "rules"
    return inside if inside.is_dir() else package.parent / "rules"


def load_pack(folder: Path | None = None) -> tuple[Rule, ...]:
    """All rules below `folder` (default: those that ship), by id. Raises InputErrors with every fault found.

    Conditions of a folder that was named are checked now, so that a typing error cannot hide until an outage; those
    of the pack that ships were checked by its tests.
    """
    top = folder or pack_folder()
    files = sorted(path for path in top.rglob("*.yaml") if not path.name.endswith(TEST_SUFFIX))
    if not files:
        raise InputError("no rule files here", fix="reinstall sipaudit: its rules are missing", file=str(top))
    rules: dict[str, Rule] = {}
    errors: list[InputError] = []
    for path in files:
        try:
            rule = read_rule(path, check=folder is not None)
        except InputErrors as error:
            errors += error.errors
            continue
        if rule.id in rules:
            errors.append(InputError(f"the rule {rule.id!r} stands in {rules[rule.id].file}, too",
                                     fix="give one of them another id", file=str(path)))
        rules[rule.id] = rule
    if errors:
        raise InputErrors(errors)
    return tuple(rules[name] for name in sorted(rules))


def read_rule(path: Path, *, check: bool = True) -> Rule:
    """One rule file; `check` compiles its conditions at once. Raises InputErrors."""
    problems = Problems(str(path))
    root = read_tree(path.read_bytes(), problems)
    if not isinstance(root, Mapping):
        problems.stop(1, "a rule file holds a mapping", "begin it with `id:`")
    rule = _Parser(path, problems, check).rule(root)
    problems.raise_any()
    return rule


class _Parser:
    """Turns the tree of one file into a Rule and gathers what is wrong with it."""

    def __init__(self, path: Path, problems: Problems, check: bool) -> None:
        self.path = path
        self.check = check
        self.problems = problems
        self.of_settings = path.stem.startswith(SETTINGS_RULES)

    def rule(self, root: Mapping) -> Rule:
        self._keys(root, KEYS, OPTIONAL if not self.of_settings else {"on", "when"})
        on = self._mapping(root, "on")
        return Rule(
            id=self._id(root), title=self._text(root, "title"), severity=self._severity(root),
            basis=tuple(self._texts(root, "basis")), expectation=self._expectation(on), verdicts=self._verdicts(on),
            when=self._condition(root), message=tuple(self._wordings(root)),
            documentation=self._documentation(root), file=str(self.path),
        )

    def _keys(self, node: Mapping, known: Iterable[str], optional: Iterable[str] = ()) -> None:
        order = list(known)
        for key in node.items:
            if key not in order:
                hint = nearest(key, frozenset(order))
                self.problems.add(node.key_lines[key], f"unknown key {key!r}{hint}", f"use one of {', '.join(order)}")
        for key in order:
            if key not in node.items and key not in optional:
                self.problems.add(node.line, f"the key {key!r} is missing", "add it")

    def _mapping(self, node: Mapping, key: str) -> Mapping:
        value = node.items.get(key)
        if isinstance(value, Mapping):
            return value
        if value is not None:
            self.problems.add(value.line, f"{key!r} must be a mapping", "see the rules that ship with sipaudit")
        return Mapping({}, {}, node.line)

    def _text(self, node: Mapping, key: str) -> str:
        value = node.items.get(key)
        if value is None:
            return ""
        if not isinstance(value, Scalar) or value.empty:
            self.problems.add(value.line, f"{key!r} must be a text", "write a sentence")
            return ""
        return " ".join(value.text.split())

    def _texts(self, node: Mapping, key: str) -> list[str]:
        value = node.items.get(key)
        if isinstance(value, Sequence):
            return [item.text for item in value.items if isinstance(item, Scalar)]
        if value is not None:
            self.problems.add(value.line, f"{key!r} must be a list", "write [F6, B2]")
        return []

    def _id(self, root: Mapping) -> str:
        name = self._text(root, "id")
        if name and name != self.path.stem:
            self.problems.add(root.key_lines["id"], f"the id {name!r} is not the file's name", "rename one of them")
        return name

    def _severity(self, root: Mapping) -> Severity:
        text = self._text(root, "severity")
        if text in set(Severity):
            return Severity(text)
        if text:
            hint = nearest(text, frozenset(Severity))
            self.problems.add(root.key_lines["severity"], f"unknown severity {text!r}{hint}", "info, warning or error")
        return Severity.INFO

    def _expectation(self, on: Mapping) -> str:
        name = self._text(on, "expectation")
        if name and name not in EXPECTATIONS:
            hint = nearest(name, EXPECTATIONS)
            self.problems.add(on.line, f"the model has no expectation {name!r}{hint}", "name one that it has")
        return name

    def _verdicts(self, on: Mapping) -> frozenset[Verdict]:
        known = frozenset(Verdict)
        names = self._texts(on, "verdict")
        for name in names:
            if name not in known:
                self.problems.add(on.line, f"unknown verdict {name!r}{nearest(name, known)}", "see docs/rules.md")
        return frozenset(Verdict(name) for name in names if name in known)

    def _condition(self, node: Mapping) -> Condition | None:
        text = self._text(node, "when")
        if not text:
            return None
        condition = Condition(text)
        try:
            if self.check:
                condition.check()
        except ConditionError as error:
            self.problems.add(node.key_lines["when"], str(error), "see docs/rules.md for the names")
        return condition

    def _wordings(self, root: Mapping) -> Iterable[Wording]:
        value = root.items.get("message")
        items = value.items if isinstance(value, Sequence) else ()
        if value is not None and not items:
            self.problems.add(value.line, "'message' must be a list of wordings", "write `- expected: ...`")
        for item in items:
            wording = self._wording(item)
            if wording is not None:
                yield wording

    def _wording(self, item: Node) -> Wording | None:
        if not isinstance(item, Mapping):
            self.problems.add(item.line, "a wording is a mapping", "give it `expected:` and `observed:`")
            return None
        self._keys(item, sorted(MESSAGE_KEYS), OPTIONAL)
        for key in ("expected", "observed"):
            for name in unknown_names(self._text(item, key), SETTING_FACTS if self.of_settings else FACTS):
                line = item.key_lines.get(key, item.line)
                self.problems.add(line, f"no observation has {{{name}}}", "see docs/rules.md")
        return Wording(self._text(item, "expected"), self._text(item, "observed"), self._condition(item))

    def _documentation(self, root: Mapping) -> dict[str, str]:
        node = self._mapping(root, "documentation")
        self._keys(node, DOCUMENTATION_KEYS)
        return {key: self._text(node, key) for key in DOCUMENTATION_KEYS}
