"""What the parser makes of messages as phones, servers and attackers write them."""

from __future__ import annotations

import pytest

from sipaudit.sip.address import MAX_VALUES
from sipaudit.sip.defects import Defect
from sipaudit.sip.head import MAX_LINES
from sipaudit.sip.line import MAX_HEADER
from sipaudit.sip.message import Address, Challenge, CSeq, Malformed, Request, Response, Uri, Via
from sipaudit.sip.parse import Parser, parse

MANDATORY = {
    "Via": "SIP/2.0/UDP 10.1.0.5:5060;branch=z9hG4bK2b4fae2e",
    "From": '"Reception" <sip:1001@pbx.example.com>;tag=A1B2-C3',
    "To": "<sip:1001@pbx.example.com>",
    "Call-ID": "e9f8a7-1001@10.1.0.5",
    "CSeq": "7 REGISTER",
}


def message(*headers: str, start: str = "REGISTER sip:pbx.example.com SIP/2.0", without: str = "") -> bytes:
    """A REGISTER with the mandatory headers; a header given replaces the mandatory one of its name."""
    given = [header.partition(":")[0].strip() for header in headers]
    base = [f"{name}: {value}" for name, value in MANDATORY.items() if name not in given and name != without]
    return "\r\n".join([start, *base, *headers, "", ""]).encode()


def request(*headers: str, start: str = "REGISTER sip:pbx.example.com SIP/2.0") -> Request:
    read = parse(message(*headers, start=start))
    assert isinstance(read, Request)
    return read


def response(*headers: str, start: str = "SIP/2.0 200 OK") -> Response:
    read = parse(message(*headers, start=start))
    assert isinstance(read, Response)
    return read


def defects(*headers: str, start: str = "REGISTER sip:pbx.example.com SIP/2.0") -> list[str]:
    return list(parse(message(*headers, start=start)).defects)


# A phone's REGISTER and its answers


def test_a_register_is_read_whole() -> None:
    read = request(
        'Contact: <sip:1001@10.1.0.5:5060;transport=udp>;expires=60;+sip.instance="<urn:uuid:0004f2123456>";'
        'methods="INVITE, ACK, BYE"',
        "User-Agent: PolycomVVX-VVX_500-UA/4.0.1.13681", "Expires: 3600", "Max-Forwards: 70",
        "Route: <sip:10.0.0.1;lr>, <sip:10.0.0.2:5070;lr>", "Content-Length: 0",
        'Authorization: Digest username="1001", realm="pbx", nonce="f00", uri="sip:pbx", response="beef"',
    )
    assert read == Request(
        "REGISTER", Uri("sip", None, "pbx.example.com"), Via("UDP", "10.1.0.5", 5060, "z9hG4bK2b4fae2e"),
        Address(Uri("sip", "1001", "pbx.example.com"), "A1B2-C3", display="Reception"),
        Address(Uri("sip", "1001", "pbx.example.com")), "e9f8a7-1001@10.1.0.5", CSeq(7, "REGISTER"),
        (Address(Uri("sip", "1001", "10.1.0.5", 5060, "transport=udp"), None, 60, "urn:uuid:0004f2123456"),),
        3600, "PolycomVVX-VVX_500-UA/4.0.1.13681",
        (Uri("sip", None, "10.0.0.1", 0, "lr"), Uri("sip", None, "10.0.0.2", 5070, "lr")),
        (Challenge("pbx", "f00", "1001"),),
    )


def test_a_response_has_its_own_headers() -> None:
    busy = response("Retry-After: 120 (in a meeting);duration=60", "Server: pbx", start="SIP/2.0 503 Try later")
    assert (busy.status, busy.reason, busy.retry_after, busy.user_agent) == (503, "Try later", 120, None)
    brief = response("Min-Expires: 90", start="SIP/2.0 423 Interval Too Brief")
    assert (brief.status, brief.min_expires, brief.defects) == (423, 90, ())


def test_challenges_of_both_kinds_are_kept_in_order() -> None:
    read = response(
        'WWW-Authenticate: Digest realm="a, b", nonce="1"', 'Proxy-Authenticate: Digest nonce="2",realm="c \\"d\\""',
        start="SIP/2.0 401 Unauthorized",
    )
    assert read.challenges == (Challenge("a, b", "1"), Challenge('c "d"', "2"))


def test_dialog_headers_are_kept_as_text() -> None:
    read = request(
        "CSeq: 7 INVITE", "Event: presence;id=3", "Replaces: 12@x;to-tag=1;from-tag=2", "RAck: 776656 1 INVITE",
        start="INVITE sip:1002@pbx.example.com SIP/2.0",
    )
    assert (read.event, read.replaces, read.rack) == ("presence;id=3", "12@x;to-tag=1;from-tag=2", "776656 1 INVITE")


def test_via_tells_where_the_request_came_from() -> None:
    read = request("Via: SIP/2.0/TLS [2001:DB8::5]:5061;rport=40000;received=192.0.2.7;branch=z9hG4bKx")
    assert read.via == Via("TLS", "2001:db8::5", 5061, "z9hG4bKx", "192.0.2.7", 40000)
    assert request("Via: SIP/2.0/UDP h;rport;branch=z9hG4bKx").via.rport is None


def test_a_contact_of_star_removes_all() -> None:
    assert request("Contact: *", "Expires: 0").contacts == (Address(Uri("*", None, "")),)


# Spelling


@pytest.mark.parametrize(("plain", "other"), [
    ("Via: SIP/2.0/UDP h;branch=z9hG4bKx", "v: SIP/2.0/UDP h;branch=z9hG4bKx"),
    ("Contact: <sip:a@b>", "m :<sip:a@b>"),
    ("Call-ID: 1@x", "CALL-id\t:  1@x  "),
    ("Event: dialog", "o: dialog"),
    ("Expires: 60", "eXPIRES: 0060"),
    ('Contact: "A" <sip:a@b>;expires=5', 'Contact: "A" <sip:a@b>;expires=5'.replace(";", "\r\n ; ")),
    ("Contact: <sip:a@b>, <sip:c@d>", "Contact: <sip:a@b>\r\nContact: <sip:c@d>"),
    ("Via: SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKx", "Via: SIP/2.0/UDP [2001:db8::1] :\t5070;branch=z9hG4bKx"),
    ('Authorization: Digest realm="r", nonce="n"', 'Authorization: Digest\trealm="r", nonce="n"'),
])
def test_compact_forms_case_folding_and_lists_change_no_value(plain: str, other: str) -> None:
    names = {"v": "Via", "m": "Contact", "call-id": "Call-ID", "o": "Event"}
    without = names.get(other.partition(":")[0].strip().lower(), "")
    assert parse(message(plain)) == parse(message(other, without=without))


def test_separators_inside_quotes_and_brackets_part_nothing() -> None:
    read = request(r'Contact: "a, \"b\"; <c>" <sip:x,y;z@h>;expires=9, <sip:q@h>')
    assert [(contact.display, contact.uri.user, contact.expires) for contact in read.contacts] == [
        ('a, "b"; <c>', "x,y;z", 9), (None, "q", None),
    ]
    assert read.defects == ()


@pytest.mark.parametrize(("raw", "expected"), [("Zoë".encode(), []), (b"Zo\xeb", ["not-utf-8"])])
def test_names_are_read_as_utf8_or_else_as_latin_1(raw: bytes, expected: list[str]) -> None:
    read = parse(message('From: "?" <sip:1@h>;tag=t').replace(b"?", raw))
    assert isinstance(read, Request)
    assert (read.from_.display, read.from_.tag, list(read.defects)) == ("Zoë", "t", expected)


# The memory reads some lines by their front: what stands before the branch, the tag, the nonce


@pytest.mark.parametrize("line", [
    "Via: SIP/2.0/UDP h, SIP/2.0/UDP i;branch=z9hG4bKx",
    "Via: SIP/2.0/UDP h; Branch=1;branch=2",
    "Via: SIP/2.0/UDP h;branch=z9hG4bKx;received=10.0.0.1",
    "From: <sip:a@b>; tag=1;tag=2",
    'From: "x;tag=1" <sip:a@b>;tag=2',
    "To: ;tag=1",
    'Authorization: Digest realm="r", username="u", x=<, nonce="n", y=1',
    'Authorization: Digest realm="r", username="u", cnonce="c", nonce="n"',
    'Authorization: Digest realm="r", nonce="n", username="u"',
    'Authorization: Digest realm="", username="u", nonce="n", realm="s"',
    'Authorization: Digest realm="r", username="u", nonce="n"x, y=z',
    'Authorization: Digest realm="r", username="u", x=1 nonce="n"',
    'Authorization: Digest realm="r", username="u", nonce="n\\"o"',
    'WWW-Authenticate: Digest realm="r", nonce="n", x="unterminated',
    f'WWW-Authenticate: Digest realm="r", nonce="{"n" * MAX_HEADER}"',
])
def test_a_line_read_by_its_front_is_read_as_the_whole(line: str) -> None:
    assert parse(message(line)) == parse(message(line)) == Parser(0).parse(message(line))


# The frame of the message


def test_empty_lines_before_the_start_line_are_legal() -> None:
    assert parse(b"\r\n\r\n" + message()) == parse(message())


@pytest.mark.parametrize("junk", [b"\0\0\0", b"\xff\xfe", b"some noise\r\n", b"\r\n\x01abc\x02"])
def test_junk_before_the_start_line_is_passed_over(junk: bytes) -> None:
    read = parse(junk + message())
    assert isinstance(read, Request)
    assert (read.method, read.defects) == ("REGISTER", ("junk-before-start-line",))


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_bare_line_ends_are_read_and_told(end: bytes) -> None:
    read = parse(message("Contact: <sip:a@b>").replace(b"\r\n", end))
    assert isinstance(read, Request)
    assert (read.contacts[0].uri.user, read.defects) == ("a", ("bare-line-end",))


def test_a_message_cut_in_its_head_is_read_as_far_as_it_goes() -> None:
    whole = message("Expires: 60", "User-Agent: phone")
    cut = parse(whole[:whole.index(b"phone")])
    assert isinstance(cut, Request)
    assert (cut.expires, cut.user_agent, cut.defects) == (60, None, ("unended-head",))


@pytest.mark.parametrize(("length", "body", "expected"), [
    ("3", "abc", []), ("0", "", []), ("4", "abc", ["content-length-long"]), ("2", "abc", ["content-length-short"]),
    ("-3", "abc", ["bad-content-length"]), ("three", "abc", ["bad-content-length"]), ("", "", ["bad-content-length"]),
    ("9" * 5000, "", ["bad-content-length"]),
])
def test_a_wrong_content_length_is_told_and_the_message_kept(length: str, body: str, expected: list[str]) -> None:
    read = parse(message(f"Content-Length: {length}") + body.encode())
    assert isinstance(read, Request)
    assert list(read.defects) == expected


def test_a_body_that_ends_like_a_head_is_still_a_body() -> None:
    read = parse(message("Content-Length: 20") + b"From: no header\r\n\r\n")
    assert isinstance(read, Request)
    assert (read.from_.tag, read.defects) == ("A1B2-C3", ("content-length-long",))


@pytest.mark.parametrize("start", [
    "", "GET / HTTP/1.1", "hello", "REGISTER sip:x", "RE(GISTER sip:x SIP/2.0", "0 0 SIP", "SIP/2.0",
])
def test_without_a_start_line_there_is_no_message(start: str) -> None:
    read = parse(message(start=start))
    assert isinstance(read, Malformed)
    assert "no-start-line" in read.defects


def test_a_malformed_message_shows_its_first_line_but_not_all_of_a_long_one() -> None:
    assert parse(b"\r\nhello there\r\nworld") == Malformed("hello there", ("unended-head", "no-start-line"))
    assert parse(b"") == Malformed("", ("unended-head", "no-start-line"))
    long = parse(b"\xff" * 5000)
    assert isinstance(long, Malformed)
    assert len(long.start) == 200


@pytest.mark.parametrize(("start", "expected"), [
    ("REGISTER sip:h sip/2.0", []), ("REGISTER sip:h SIP/3.0", ["bad-version"]),
    ("REGISTER  sip:h SIP/2.0", ["start-line-spaces"]), ("REGISTER <sip:h> SIP/2.0", ["bracketed-request-uri"]),
    ("REGISTER sip:h;x y SIP/2.0", ["space-in-uri"]), ("REGISTER sip:h?a=b SIP/2.0", ["request-uri-headers"]),
    ("REGISTER pbx SIP/2.0", ["bad-uri"]), ("register sip:h SIP/2.0", ["cseq-method"]),
    ("SIP/2.0 200", ["start-line-spaces"]), ("SIP/1.0 200 OK", ["bad-version"]),
    ("SIP/2.0 999 What", ["bad-status"]), ("SIP/2.0 0200 OK", ["bad-status"]),
])
def test_what_is_wrong_with_a_start_line(start: str, expected: list[str]) -> None:
    assert defects(start=start) == expected


# Headers that are missing, doubled or unreadable


@pytest.mark.parametrize("name", MANDATORY)
def test_a_message_without_a_mandatory_header_belongs_to_nobody(name: str) -> None:
    for data in (message(without=name), message(f"{name}:")):
        assert parse(data) == Malformed("REGISTER sip:pbx.example.com SIP/2.0", (f"missing-{name.lower()}",))


def test_an_unreadable_topmost_via_is_not_replaced_by_the_next_hops() -> None:
    read = parse(message("Via: nonsense\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx"))
    assert isinstance(read, Malformed)
    assert read.defects == ("bad-via",)


def test_of_a_header_that_comes_twice_the_first_counts() -> None:
    read = request("Call-ID: a\r\nCall-ID: b", "Expires: 1", "Expires: 2")
    assert (read.call_id, read.expires, read.defects) == ("a", 1, ("duplicate-header",))


@pytest.mark.parametrize(("header", "expected"), [
    ("CSeq: x REGISTER", "bad-cseq"), ("CSeq: 7", "bad-cseq"), ("CSeq: 4294967296 REGISTER", "bad-cseq"),
    ("CSeq: 7 INVITE", "cseq-method"), ("Expires: soon", "bad-expires"), ("Expires: 4294967296", "bad-expires"),
    ("Expires: ²", "bad-expires"), ("Contact: <sip:a@b>;expires=4294967296", "bad-expires"), ("RAck: 1 2", "bad-rack"),
    ("Call-ID: a b", "bad-call-id"), ("Date: Sat, 15 Oct 2005 04:44:56 CET", "bad-date"),
    ('Authorization: Digest username="1"', "bad-credentials"), ("Authorization:", ""), ("Contact:", "empty-value"),
    ("Contact: <sip:a@b>,,", "empty-value"), ("Contact: <sip:a@b>;;x", "empty-parameter"),
    ("Contact: <sip:a@b>;x=1;X=2", "duplicate-parameter"), ("Contact: <sip:a@b>junk;x", "bad-parameter"),
    ("Contact: <sip:a@b", "unclosed-bracket"), ('Contact: "a <sip:a@b>', "unterminated-quote"),
    ("Contact: a;b <sip:a@b>", "bad-uri"), ("Contact: a:b@c <sip:a@b>", "bad-display-name"),
    ("Contact: 1001", "bad-uri"), ("Contact: <sip:a b@c>", "bad-uri"), ("Contact: <sip:a@b@c>", "bad-uri"),
    ("Contact: <sip:a@b:0>", "bad-port"), ("Contact: <sip:a@b:>", "bad-port"), ("Contact: <sip:a@[::1>", "bad-host"),
    ("Contact: <sip:a@300.1.1.1>", "bad-host"), ("Contact: sip:a@b?c=d", "unbracketed-uri"),
    ("Route: sip:a;lr", "unbracketed-uri"), ("Via: SIP/2.0/UDP h;branch=z9hG4bK", "empty-branch"),
    ("Via: SIP/2.0/UDP h;rport=x;branch=z9hG4bK1", "bad-parameter"), ("no header at all", "not-a-header"),
    ("Bad name: x", "not-a-header"), (": x", "not-a-header"), (f"X: {'y' * MAX_HEADER}", "long-header"),
])
def test_a_header_that_is_not_as_it_should_be_is_told_and_the_message_kept(header: str, expected: str) -> None:
    assert isinstance(parse(message(header)), Request)
    assert defects(header) == ([expected] if expected else [])


def test_an_unreadable_number_is_none_and_an_unreadable_cseq_is_minus_one() -> None:
    read = request("Expires: soon", "Contact: <sip:a@b>;expires=soon", "CSeq: x REGISTER")
    assert (read.expires, read.contacts[0].expires, read.cseq) == (None, None, CSeq(-1, "REGISTER"))


def test_a_retry_after_out_of_range_is_none() -> None:
    read = response("Retry-After: 949302838503028349304023988", start="SIP/2.0 503 Busy")
    assert (read.retry_after, read.defects) == (None, ("bad-retry-after",))


# Bounds


def test_no_more_headers_are_read_than_the_bound() -> None:
    read = parse(message(*["X: y"] * (MAX_LINES + 10), "Expires: 5"))
    assert isinstance(read, Request)
    assert (read.expires, read.defects) == (None, ("too-many-headers",))


@pytest.mark.parametrize("separator", [", ", "\r\nContact: "])
def test_no_more_contacts_are_kept_than_the_bound(separator: str) -> None:
    read = request("Contact: " + separator.join(["<sip:a@b>"] * (MAX_VALUES + 1)))
    assert (len(read.contacts), read.defects) == (MAX_VALUES, ("too-many-values",))


def test_every_defect_has_a_name_of_its_own() -> None:
    assert len({defect.value for defect in Defect}) == len(Defect)
    assert all(defect.value.replace("-", "").isalnum() and defect.value.islower() for defect in Defect)
