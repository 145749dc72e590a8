"""A YAML text as a tree with line numbers, safe to read from any source.

Built from YAML's event stream, not by a loader: nothing is constructed from tags, scalars keep their text as written
(`010` stays `010`), nesting is bounded, and an alias counts with the size of what it stands for, so that a few lines
cannot expand into millions of nodes.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from msgspec import Struct

from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.wording import quoted

MAX_BYTES = 4 << 20
MAX_DEPTH = 24
MAX_NODES = 500_000
MERGE = "<<"

_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")  # YAML 1.1 5.1
_INDENT = re.compile(r"\s*")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scalar(Struct, frozen=True, gc=False):
    """One value as written; `plain`: whether it was not quoted."""

    text: str
    line: int
    plain: bool = True

    @property
    def empty(self) -> bool:
        """Whether the value is empty: no text, `""`, `~` or `null` (an empty value counts as unset, C3)."""
        return self.text in _NULLS if self.plain else not self.text


class Sequence(Struct, frozen=True):
    """A list, and the line where it begins."""

    items: tuple[Node, ...]
    line: int


class Mapping(Struct, frozen=True):
    """Keys with their values in file order; `key_lines`: the line of each key."""

    items: dict[str, Node]
    key_lines: dict[str, int]
    line: int


Node = Scalar | Sequence | Mapping


def is_empty(node: Node) -> bool:
    """Whether a node is an empty value, which counts as unset (C3)."""
    return isinstance(node, Scalar) and node.empty


def read_tree(data: bytes, problems: Problems) -> Node | None:
    """The single document of a YAML text, None if it is empty.

    Errors after which reading can continue are added to `problems`; others (not text, not YAML, too large, too deep)
    raise InputErrors at once.
    """
    text = _decode(data, problems)
    builder = _Builder(problems)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.feed(event)
    except yaml.YAMLError as error:
        _refuse(error, text, problems)
    return builder.root


def _decode(data: bytes, problems: Problems) -> str:
    if len(data) > MAX_BYTES:
        problems.stop(None, f"the file is larger than {MAX_BYTES >> 20} MB", "it should be a short YAML text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.stop(data.count(b"\n", 0, error.start) + 1, "this is not UTF-8 text", "save the file as UTF-8")
    found = _NOT_TEXT.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        problems.stop(line, f"the character {found[0]!r} is no text", "remove it: the file must be plain text")
    return text


def _refuse(error: yaml.YAMLError, text: str, problems: Problems) -> None:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if mark is None:
        problems.stop(None, f"not valid YAML: {problem}", "check indentation, quotes and brackets")
    if "nesting depth" in problem:  # newer versions of libyaml have their own limit
        problems.stop(mark.line + 1, f"nested deeper than {MAX_DEPTH} levels", "about five are needed")
    lines = text.split("\n")
    indent = _INDENT.match(lines[mark.line]) if mark.line < len(lines) else None
    tabbed = indent is not None and "\t" in indent[0]
    fix = "indent with spaces, not tabs" if tabbed else "check indentation, quotes and brackets here and above"
    problems.stop(mark.line + 1, f"not valid YAML: {problem}", fix)


class _Open:
    """A collection being read: `key` is the mapping key whose value comes next, `size` the number of nodes with aliases
    expanded."""

    def __init__(self, event: Any) -> None:
        self.anchor: str | None = event.anchor
        self.line: int = event.start_mark.line + 1
        self.mapping = isinstance(event, yaml.MappingStartEvent)
        self.values: list[Node] = []
        self.items: dict[str, Node] = {}
        self.key_lines: dict[str, int] = {}
        self.merges: list[Node] = []
        self.key: Scalar | None = None
        self.size = 1


class _Builder:
    def __init__(self, problems: Problems) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0

    def feed(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if getattr(event, "tag", None) is not None:
            fix = "none is needed: write the plain value"
            self._problems.stop(line, f"the tag {quoted(event.tag)} is not accepted", fix)
        if isinstance(event, yaml.ScalarEvent):
            self._add(Scalar(event.value, line, not event.style), 1, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._add_alias(event.anchor, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._problems.stop(line, "a second YAML document begins here", "the file is one document: remove '---'")

    def _begin(self, event: Any, line: int) -> None:
        if len(self._open) == MAX_DEPTH:
            self._problems.stop(line, f"nested deeper than {MAX_DEPTH} levels", "about five are needed")
        self._open.append(_Open(event))

    def _end(self) -> None:
        done = self._open.pop()
        node: Node = Sequence(tuple(done.values), done.line)
        if done.mapping:
            for merged in done.merges:
                self._merge(done, merged)
            node = Mapping(done.items, done.key_lines, done.line)
        self._add(node, done.size, done.anchor)

    def _add_alias(self, anchor: str | None, line: int) -> None:
        if anchor is None or anchor not in self._anchors:  # unknown, or still open: it would contain itself
            self._problems.stop(line, f"'*{anchor}' has no complete '&{anchor}' above it", "define the anchor first")
        node, size = self._anchors[anchor]
        self._count += size
        if self._count > MAX_NODES:
            self._problems.stop(line, f"aliases unfold to more than {MAX_NODES} values", "write the values out")
        self._add(node, size, None)

    def _add(self, node: Node, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.size += size
        if not parent.mapping:
            parent.values.append(node)
        elif parent.key is None:
            parent.key = self._key(node)
        else:
            self._put(parent, parent.key, node)
            parent.key = None

    def _key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            self._problems.stop(node.line, "a key must be a plain word", "quote it if it begins with [ or {")
        return node

    def _put(self, parent: _Open, key: Scalar, node: Node) -> None:
        if key.text == MERGE and key.plain:
            parent.merges.extend(node.items if isinstance(node, Sequence) else (node,))
        elif key.text in parent.items:
            first = parent.key_lines[key.text]
            self._problems.add(
                key.line, f"the key {quoted(key.text)} is given twice (first on line {first})", "keep one of the two"
            )
        else:
            parent.items[key.text] = node
            parent.key_lines[key.text] = key.line

    def _merge(self, target: _Open, merged: Node) -> None:
        """`<<: *block`: add the keys of the block that the mapping does not have itself."""
        if not isinstance(merged, Mapping):
            self._problems.add(merged.line, "'<<' merges a mapping and nothing else", "give it '*NAME' of a mapping")
            return
        for key, value in merged.items.items():
            if key not in target.items:
                target.items[key] = value
                target.key_lines[key] = merged.key_lines[key]
