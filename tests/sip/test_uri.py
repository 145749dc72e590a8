"""URIs as text and as addresses of record, and a message described in Wireshark's terms."""

from __future__ import annotations

import pytest

from sipaudit.sip import uri as uris
from sipaudit.sip.defects import Defect
from sipaudit.sip.describe import describe
from sipaudit.sip.message import Uri
from sipaudit.sip.parse import parse
from sipaudit.sip.uri import aor, read_host_port, read_uri, uri_text


@pytest.mark.parametrize(("text", "uri", "canonical", "of_record"), [
    ("sip:1001@PBX.example.com", Uri("sip", "1001", "pbx.example.com"), "sip:1001@pbx.example.com",
     "sip:1001@pbx.example.com"),
    ("SIP:a:secret@h:5060;lr?x=y", Uri("sip", "a", "h", 5060, "lr"), "sip:a@h:5060;lr", "sip:a@h"),
    ("sip:a@h:5070", Uri("sip", "a", "h", 5070), "sip:a@h:5070", "sip:a@h:5070"),
    ("sip:pbx", Uri("sip", None, "pbx"), "sip:pbx", "sip:pbx"),
    ("sips:%61@[2001:DB8::1]:5061", Uri("sips", "%61", "2001:db8::1", 5061), "sips:%61@[2001:db8::1]:5061",
     "sips:a@[2001:db8::1]:5061"),
    ("sip:%2b1%2A%23a%e4%zz@h%61", Uri("sip", "%2b1%2A%23a%e4%zz", "h%61"), "sip:%2b1%2A%23a%e4%zz@h%61",
     "sip:+1*%23a%E4%zz@h%61"),
    ("sip:a@[2001:0DB8:0:0::0:1];lr", Uri("sip", "a", "2001:db8::1", 0, "lr"), "sip:a@[2001:db8::1];lr",
     "sip:a@[2001:db8::1]"),
    ("tel:+1-212;phone-context=x", Uri("tel", "+1-212", "", 0, "phone-context=x"), "tel:+1-212;phone-context=x",
     "tel:+1-212"),
    ("http://h/p;q", Uri("http", None, "//h/p;q"), "http://h/p;q", "http://h/p"),
    ("nothing", Uri("", None, "nothing"), "nothing", "nothing"),
])
def test_a_uri_its_text_and_its_address_of_record(text: str, uri: Uri, canonical: str, of_record: str) -> None:
    assert read_uri(text, []) == uri
    assert (uri_text(uri), aor(uri)) == (canonical, of_record)


@pytest.mark.parametrize(("text", "place", "flaw"), [
    ("10.0.0.1", ("10.0.0.1", 0), None),
    ("255.249.199.99:5060", ("255.249.199.99", 5060), None),
    ("10.0.0.1:65535", ("10.0.0.1", 65535), None),
    ("10.0.0.1:05060", ("10.0.0.1", 5060), None),
    ("10.0.0.1 : 5060", ("10.0.0.1", 5060), None),
    ("10.0.0.1:65536", ("10.0.0.1", 0), Defect.BAD_PORT),
    ("10.0.0.1:0", ("10.0.0.1", 0), Defect.BAD_PORT),
    ("10.0.0.1:", ("10.0.0.1", 0), Defect.BAD_PORT),
    ("256.0.0.1", ("256.0.0.1", 0), Defect.BAD_HOST),
    ("10.0.0.01:5060", ("10.0.0.01", 5060), Defect.BAD_HOST),
    ("10.0.1:5060", ("10.0.1", 5060), Defect.BAD_HOST),
    ("[2001:DB8:0:0:0:0:0:1]:5060", ("2001:db8::1", 5060), None),
    ("[::FFFF:10.0.0.1]", ("::ffff:10.0.0.1", 0), None),
    ("[2001:DB8:::1]", ("2001:db8:::1", 0), Defect.BAD_HOST),
    ("10.0.0.0.1", ("10.0.0.0.1", 0), Defect.BAD_HOST),
])
def test_an_address_is_one_of_four_octets(text: str, place: tuple[str, int], flaw: Defect | None) -> None:
    found: list[Defect] = []
    assert read_host_port(text, found) == place
    assert found == ([] if flaw is None else [flaw])


def test_of_several_at_signs_the_last_before_the_parameters_parts_user_and_host() -> None:
    uri = read_uri("sip:me@company.example@provider.example;line=x@y", [])
    assert (uri.user, uri.host, uri.parameters) == ("me@company.example", "provider.example", "line=x@y")


def test_a_request_in_the_words_of_wireshark() -> None:
    head = (
        b"REGISTER sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:5060;branch=z9hG4bKx\r\nFrom: <sip:1@pbx>;tag=f\r\n"
        b"To: <sip:1@pbx>\r\nCall-ID: c\r\nCSeq: 2 REGISTER\r\nContact: <sip:1@h>, <sip:1@i>\r\nExpires: 0\r\n"
        b"User-Agent: phone\r\n\r\n"
    )
    assert describe(parse(head)) == [
        ("Request-Line method", "REGISTER"), ("Request-URI", "sip:pbx"), ("Via branch", "z9hG4bKx"),
        ("Via sent-by", "[::1]:5060"), ("From URI", "sip:1@pbx"), ("From tag", "f"), ("To URI", "sip:1@pbx"),
        ("Call-ID", "c"), ("CSeq number", "2"), ("CSeq method", "REGISTER"), ("Contact", "sip:1@h"),
        ("Contact", "sip:1@i"), ("Expires", "0"), ("User-Agent", "phone"),
    ]


def test_a_response_and_what_is_none_in_the_words_of_wireshark() -> None:
    head = b"SIP/2.0 180 Ringing\r\nv:SIP/2.0/UDP h\r\nf:<sip:1@p>\r\nt:<sip:2@p>;tag=t\r\ni:c\r\nCSeq:x INVITE\r\n\r\n"
    assert describe(parse(head)) == [
        ("Status-Code", "180"), ("Via sent-by", "h"), ("From URI", "sip:1@p"), ("To URI", "sip:2@p"), ("To tag", "t"),
        ("Call-ID", "c"), ("CSeq method", "INVITE"),
    ]
    assert describe(parse(b"noise\r\n")) == [("First line", "noise")]


def test_hosts_that_are_remembered_are_few_whoever_makes_them_up() -> None:
    for number in range(10_000):
        assert read_host_port(f"h{number}.example:5062", []) == (f"h{number}.example", 5062)
        assert read_host_port("h" * 300 + str(number), []) == ("h" * 300 + str(number), 0)
    assert 0 < len(uris._sound) <= 4096
    assert max(map(len, uris._sound)) < 300
