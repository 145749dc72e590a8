"""Provisioning files as text: all forms and encodings are read, hostile ones refused."""

from __future__ import annotations

import codecs
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.errors import InputErrors
from sipaudit.settings.polycom import parameters, xml
from sipaudit.settings.polycom.xml import as_text, read_attributes
from sipaudit.settings.provisioning import Provisioning
from sipaudit.yamlfile.problems import Problems
from tests.settings.provisioning_files import flat, lay, one_file, only_line

OLD = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<sip>
  <voIpProt><server voIpProt.server.1.address="sbc.example.com"
      voIpProt.server.1.failOver.reRegisterOn="1"/>
    <SIP><outboundProxy voIpProt.SIP.outboundProxy.address=""/></SIP></voIpProt>
  <reg reg.1.address="1001"/>
</sip>
"""
NEW = """<polycomConfig xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="a.xsd">
  <voIpProt><voIpProt.server voIpProt.server.1.address="sbc.example.com">
    <voIpProt.server.failOver
       voIpProt.server.1.failOver.reRegisterOn="1"/></voIpProt.server></voIpProt>
  <reg reg.1.address="1001"/>
</polycomConfig>
"""
FLAT = """<PHONE_CONFIG>
<ALL voIpProt.server.1.address="sbc.example.com"

  voIpProt.server.1.failOver.reRegisterOn="1"   reg.1.address='1001'/></PHONE_CONFIG>
"""
ENCODINGS = {
    "UTF-8 with a mark": codecs.BOM_UTF8 + OLD.encode(),
    "UTF-16, little end first": codecs.BOM_UTF16_LE + OLD.encode("utf-16-le"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + OLD.encode("utf-16-be"),
    "UTF-16 without a mark": OLD.encode("utf-16-le"),
    "declared to be UTF-16, and is not": OLD.replace("UTF-8", "UTF-16").encode(),
    "Latin-1, declared": OLD.replace("UTF-8", "ISO-8859-1").replace("<reg", '<r n="Müller"/><reg').encode("latin-1"),
    "Latin-1, declared to be UTF-8": OLD.replace("<reg", '<r n="Müller"/><reg').encode("latin-1"),
    "a codepage that does not exist": OLD.replace("UTF-8", "windows-1259").encode(),
    "DOS line ends": OLD.replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize(("text", "line"), [(OLD, 4), (NEW, 4), (FLAT, 4)], ids=["3.2", "3.3", "flat"])
def test_every_shape_says_the_same(tmp_path: Path, text: str, line: int) -> None:
    lay(tmp_path, site=text)
    ((_, block),) = Provisioning([str(tmp_path / "site.cfg")]).lines()
    setting = block.servers[0].settings["reRegisterOn"]
    assert (block.user, setting.value) == ("1001", 1)
    assert setting.source == f"{tmp_path}/site.cfg:{line} voIpProt.server.1.failOver.reRegisterOn"


@pytest.mark.parametrize("data", ENCODINGS.values(), ids=ENCODINGS)
def test_every_encoding_is_read(tmp_path: Path, data: bytes) -> None:
    lay(tmp_path, site=data)
    ((_, block),) = Provisioning([str(tmp_path / "site.cfg")]).lines()
    assert block.servers[0].settings["reRegisterOn"].value == 1


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]><a reg.1.address="&c;"/>'
HOSTILE = {
    "an entity bomb": (BOMB, "declares a document type or entities"),
    "a file from elsewhere": ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "declares a document type"),
    "an entity that nobody declared": ('<a reg.1.address="&who;"/>', "not well-formed XML: undefined entity"),
    "half a file": ("<a><b", "not well-formed XML: unclosed token"),
    "an attribute twice": ('<a b="1" b="2"/>', "not well-formed XML: duplicate attribute"),
    "a secret encoding": ('<?xml version="1.0" encoding="rot13"?><a/>', "the encoding 'rot13' is not known here"),
    "prose": ("Dear phone,\nplease register.", "neither XML nor a line 'key = value'"),
    "nothing but bytes": ("\x00\x01\x02", "neither XML"),
}


@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE)
def test_it_is_refused_with_file_and_reason(tmp_path: Path, text: str, message: str) -> None:
    lay(tmp_path, site=text)
    with pytest.raises(InputErrors) as raised:
        Provisioning([str(tmp_path / "site.cfg")])
    (error,) = raised.value.errors
    assert message in error.message
    assert (error.file, error.line) == (str(tmp_path / "site.cfg"), 1)
    assert error.fix


@pytest.mark.parametrize(("mark", "encoding"), [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")])
def test_utf_16_that_ends_in_half_a_character_is_refused(tmp_path: Path, mark: bytes, encoding: str) -> None:
    lay(tmp_path, site=mark + OLD.encode(encoding) + b"\n")
    with pytest.raises(InputErrors, match="not well-formed"):
        Provisioning([str(tmp_path / "site.cfg")])


def test_too_much_of_anything_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MAX_ATTRIBUTES", 3)
    with pytest.raises(InputErrors, match="more than 3 attributes"):
        Provisioning(one_file(tmp_path, a=1, b=2, c=3, d=4))
    monkeypatch.setattr(xml, "MAX_BYTES", 1 << 20)
    lay(tmp_path, site="<a/>" + " " * (1 << 20))
    with pytest.raises(InputErrors, match="larger than 1 MB"):
        Provisioning([str(tmp_path / "site.cfg")])
    monkeypatch.setattr(xml, "MAX_ATTRIBUTES", 1000)
    lists = " ".join(f'CONFIG_FILES_M{number}="a.cfg"' for number in range(300))
    lay(tmp_path, _000000000000=f"<APPLICATION {lists}/>")
    with pytest.raises(InputErrors, match="more than 200 lists"):
        Provisioning([str(tmp_path)])


def test_all_files_that_are_wrong_are_said_at_once(tmp_path: Path) -> None:
    lay(tmp_path, _000000000000='<A CONFIG_FILES="a.cfg, b.cfg, a.cfg"/>', a="<a", b=BOMB)
    with pytest.raises(InputErrors) as raised:
        Provisioning([str(tmp_path)])
    assert [error.file for error in raised.value.errors] == [f"{tmp_path}/a.cfg", f"{tmp_path}/b.cfg"]


NAMES = st.text("abc.é", min_size=1, max_size=4).map(lambda text: "n" + text)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="<&\"'\ufffe\uffff", exclude_categories=["Cc", "Cs"]),
                max_size=5)
SPACE = st.text(" \n\t", min_size=1, max_size=3)
ELEMENTS = st.lists(st.tuples(NAMES, st.dictionaries(NAMES, TEXTS, max_size=3), SPACE), max_size=6)


@given(ELEMENTS)
def test_each_attribute_has_the_line_it_stands_in(elements: list[tuple[str, dict[str, str], str]]) -> None:
    text, expected = "<a>", []
    for name, attributes, space in elements:
        text += f"<!-- <{name} x=\"1\" -->😀<{name}"
        for attribute, value in attributes.items():
            text += space
            expected.append((attribute, value, text.count("\n") + 1))
            text += f"{attribute}{space}={space}'{value}'"
        text += f"{space}/>"
    found = read_attributes(text + "</a>", Problems("a.cfg"))
    assert [(one.name, one.value, one.line) for one in found] == expected


@given(st.binary(max_size=200) | st.text("<>a=\"' &;!-?/\n", max_size=60).map(str.encode))
def test_no_bytes_at_all_do_more_than_be_refused(data: bytes) -> None:
    problems = Problems("a.cfg")
    with suppress(InputErrors):
        read_attributes(as_text(data, problems), problems)


def test_the_first_of_two_statements_in_a_file_counts(tmp_path: Path) -> None:
    text = flat(reg__1__address="1001", voIpProt__server__1__expires=60).replace(
        "</PHONE", '<B voIpProt.server.1.expires="90"/></PHONE')
    lay(tmp_path, site=text)
    ((_, block),) = Provisioning([str(tmp_path / "site.cfg")]).lines()
    assert block.servers[0].settings["expires"].value == 60
    blanks = only_line(tmp_path, reg__1__address="1001", voIpProt__server__1__expires=" 90 ")
    assert blanks.common["expires"].value == 90


def test_what_was_meant_is_guessed_for_so_many_names_and_no_more(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "MOST_GUESSES", 3)
    misspelt = {f"voIpProt__server__1__failOver__reRegister{letter}": 1 for letter in "ABCDEFGH"}
    issues = [issue.rule for issue, _ in Provisioning(one_file(tmp_path, reg__1__address="1001", **misspelt)).issues()]
    assert issues.count("config-unknown-parameter") == 3


@pytest.mark.parametrize(("written", "meant"), [
    ("reg.1.server.1.reRegisterOn", "reg.1.server.1.failOver.reRegisterOn"),     # "register" is nearer by spelling
    ("voIpProt.server.1.failBack.mode", "voIpProt.server.1.failOver.failBack.mode"),
    ("voIpProt.server.1.failback.mode", "voIpProt.server.1.failOver.failBack.mode"),
    ("reg.1.outboundProxy.failBack.timeout", "reg.1.outboundProxy.failOver.failBack.timeout"),
    ("reg.1.server.1.retryTimeout", "reg.1.server.1.retryTimeOut"),
])
def test_the_parameter_that_was_meant_is_named(written: str, meant: str) -> None:
    assert parameters.meant(written, set()) == meant
