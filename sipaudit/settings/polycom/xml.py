"""A provisioning file as the list of its attributes, each with its line; safe to read from anyone.

Attribute names count, element names do not (C7): the flat shape, the nested one
of 3.2 and that of 3.3 and later are the same list.  Whatever could make a small
file large (a document type, entities, references to other files) is refused.
"""

from __future__ import annotations

import re
from typing import Any
from xml.sax import SAXParseException  # the parser itself is defusedxml's
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from msgspec import Struct

from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.wording import quoted

MAX_BYTES = 4 << 20
MAX_ATTRIBUTES = 100_000

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_WIDE = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_CHARSET = re.compile(r"utf-?(?:8|16)|(?:us-)?ascii|iso-?8859-?\d{1,2}|latin-?\d|(?:windows|cp)-?125\d", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""[ \t\n]+([^ \t\n=]+)[ \t\n]*=[ \t\n]*(?:"[^"]*"|'[^']*')""")  # XML 1.0, 2.3 and 3.1


class Attribute(Struct, frozen=True, gc=False):
    """One attribute of one element, at its own line (1-based)."""

    element: str
    name: str
    value: str
    line: int


def as_text(data: bytes, problems: Problems) -> str:
    """The characters of a file, line ends as `\\n`. A byte order mark rules, then the XML declaration; bytes that are
    not what they are declared to be are read as Latin-1: the names that matter are ASCII."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _lines(_decode(data[len(mark):], encoding))
    for start, encoding in _WIDE:
        if data.startswith(start):
            return _lines(_decode(data, encoding))
    declared = _DECLARED.match(data)
    name = declared[1].decode() if declared else "utf-8"
    if not _CHARSET.fullmatch(name):
        problems.stop(1, f"the encoding {quoted(name)} is not known here", "save the file as UTF-8")
    return _lines(_decode(data, "utf-8" if "16" in name else name))


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return data.decode(encoding, "replace") if "16" in encoding else data.decode("latin-1")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_attributes(text: str, problems: Problems) -> list[Attribute]:
    """Every attribute of every element, in the order of the file. Raises InputErrors for what is not well-formed, for
    a document type or entity, and for too much of anything."""
    from defusedxml.expatreader import create_parser  # urllib comes with it: only where a file is read

    parser: Any = create_parser(forbid_dtd=True)
    handler = _Handler(text, problems, parser)
    parser.setContentHandler(handler)
    try:
        parser.feed(text)
        parser.close()
    except DefusedXmlException:
        problems.stop(parser.getLineNumber(), "the file declares a document type or entities, which are not read",
                      "remove the <!DOCTYPE ...> part; phones do without it")
    except SAXParseException as error:
        what = error.getMessage().removeprefix("not well-formed ").strip("()")
        problems.stop(error.getLineNumber(), f"not well-formed XML: {what}",
                      "mend the file; a phone cannot read it either")
    return handler.attributes


class _Handler(ContentHandler):
    """Takes the attributes of each element with the line each stands in."""

    def __init__(self, text: str, problems: Problems, parser: Any) -> None:
        super().__init__()
        self.attributes: list[Attribute] = []
        self._parser = parser
        self._text = text
        self._problems = problems
        self._line, self._offset = 1, 0  # a line and where it begins

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        if not attrs:
            return
        line = self._parser.getLineNumber()
        if len(self.attributes) + len(attrs) > MAX_ATTRIBUTES:
            self._problems.stop(line, f"more than {MAX_ATTRIBUTES} attributes", "split the file")
        self._go_to(line)
        place = self._offset + self._parser.getColumnNumber() + len(f"<{name}")
        for attribute, value in attrs.items():
            found = _ATTRIBUTE.match(self._text, place)
            assert found is not None  # the parser has just read it
            line += self._text.count("\n", place, found.start(1))
            self.attributes.append(Attribute(name, attribute, value, line))
            line += self._text.count("\n", found.start(1), found.end())
            place = found.end()

    def _go_to(self, line: int) -> None:
        while self._line < line:
            self._offset = self._text.find("\n", self._offset) + 1
            self._line += 1
