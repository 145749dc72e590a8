"""What is wrong, or worth knowing, in provisioning files: a value that the pipeline makes a finding of."""

from __future__ import annotations

from msgspec import Struct

from sipaudit.yamlfile.wording import quoted


class Statement(Struct, frozen=True, gc=False):
    """One parameter as a file states it. `name` is the parameter's, `attribute` what the file calls it (another make's
    word for it), `text` its value in the parameter's terms, `layer` how the phone comes to read the file."""

    name: str
    text: str
    file: str
    line: int
    attribute: str
    layer: str = ""

    @property
    def source(self) -> str:
        """`site.cfg:12 voIpProt.server.1.expires`, as reports name where a value comes from."""
        layer = f" ({self.layer})" if self.layer else ""
        return f"{self.file}:{self.line} {self.attribute}{layer}"

    @property
    def said(self) -> str:
        """`voIpProt.server.1.expires=60 in site.cfg:12`, for sentences."""
        return f"{self.attribute}={quoted(self.text)[1:-1]} in {self.file}:{self.line}"


class SettingIssue(Struct, frozen=True):
    """One issue by the id of its rule (reference-model.md 5, `config-*`).

    `statements` are its evidence, the first of them where it stands; `facts` fill the rule's words.
    """

    rule: str
    statements: tuple[Statement, ...]
    facts: dict[str, str] = {}

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        """What makes two of them the same: rule, file, line, attribute and what it says."""
        at = self.statements[0]
        return self.rule, at.file, at.line, at.attribute, at.text
