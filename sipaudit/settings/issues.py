"""Issues of provisioning files, as values from which the pipeline makes findings."""

from __future__ import annotations

from msgspec import Struct

from sipaudit.yamlfile.wording import quoted


class Statement(Struct, frozen=True, gc=False):
    """One parameter as a file states it. `name`: the parameter's name; `attribute`: its name in the file (which may be
    another vendor's word); `text`: its value in the parameter's terms; `layer`: how the phone comes to read the
    file."""

    name: str
    text: str
    file: str
    line: int
    attribute: str
    layer: str = ""

    @property
    def source(self) -> str:
        """`site.cfg:12 voIpProt.server.1.expires`, the form in which reports name the source of a value."""
        layer = f" ({self.layer})" if self.layer else ""
        return f"{self.file}:{self.line} {self.attribute}{layer}"

    @property
    def said(self) -> str:
        """`voIpProt.server.1.expires=60 in site.cfg:12`, for sentences."""
        return f"{self.attribute}={quoted(self.text)[1:-1]} in {self.file}:{self.line}"


class SettingIssue(Struct, frozen=True):
    """One issue, with the id of its rule (reference-model.md 5, `config-*`).

    `statements` are its evidence, the first one its location; `facts` fill in the rule's text.
    """

    rule: str
    statements: tuple[Statement, ...]
    facts: dict[str, str] = {}

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        """The identity of an issue: rule, file, line, attribute and value."""
        at = self.statements[0]
        return self.rule, at.file, at.line, at.attribute, at.text
