"""`--redact`: no output shows whom it was about, and all of them still tell the same story."""

from __future__ import annotations

import csv
import io
import json
import socket
import subprocess
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.capture.write import TCP_ACK, TCP_RST, tcp_packet
from sipaudit.errors import InputError
from sipaudit.incidents.chronicle import UNSEEN
from sipaudit.model.values import GroupShare, Happening, Incident, Place
from sipaudit.report import text
from sipaudit.report.document import from_json, to_json
from sipaudit.report.redact import Pseudonyms, read_key
from sipaudit.report.redact_message import MessageRedaction
from sipaudit.report.redact_packets import anew
from sipaudit.report.redact_report import UNDER_PSEUDONYMS, Redaction
from sipaudit.sip.datagram import ErrorKind, TransportError
from sipaudit.sip.message import Request, Response
from sipaudit.sip.parse import parse
from tests.frames import packets_in, write_pcap
from tests.outputs.desk import messages, written
from tests.report.html import pages
from tests.shared import COMMAND
from tests.stories import MINUTE, R2, Handset, Story, site

PHONE, P, S = ("10.77.66.55", 5060), ("10.77.44.33", 5060), ("10.77.44.34", 5060)
USER, DOMAIN, DIALLED = "77712345670", "secret-domain.example.org", "88812345671"
MAC = "0004f2abcdef"
AGENT = f"PolycomVVX-VVX_500-UA/4.0.1.13681_{MAC}"
LABEL, GROUP, HAPPENED, REASON = "Geheimzimmer", "Geheimhaus", "Geheimrat unplugged it", "Geheimgrund"
CAPTURE = "geheimfall.pcap"
ODD = f"""INVITE sip:{DIALLED}@{DOMAIN};maddr=10.77.1.2 SIP/2.0
Via: SIP/2.0/UDP {PHONE[0]};branch=z9hG4bKgeheimbranch;received=10.77.1.3;x=geheimvia
From: "Frau Geheim" <sip:{USER}@{DOMAIN}>;tag=geheimtag
To: Herr Geheim <sip:{DIALLED}@{DOMAIN}>
Call-ID: geheimcall@{PHONE[0]}
CSeq: 7 INVITE
Contact: <sip:{USER}@{PHONE[0]}>;+sip.instance="<urn:uuid:geheim-{MAC}>"
User-Agent: {AGENT}
Max-Forwards: 70
P-Asserted-Identity: "Frau Geheim" <tel:+4977712345670>, <sip:{USER}@{DOMAIN}>
Proxy-Authorization: Digest username="geheimuser", realm="geheimrealm", nonce="geheimnonce", uri="sip:{DOMAIN}",
 response="geheimresponse", cnonce="geheimcnonce", opaque="geheimopaque", nc=00000001, algorithm=MD5
Subject: Geheimthema
X-Geheimhaus: geheimkunde
Warning: 399 {DOMAIN} "geheimwarnung"
Retry-After: 5 (geheimpause)
Content-Type: application/sdp
Content-Length: 0

v=0
o=geheimsdp 1 1 IN IP4 {PHONE[0]}
s=Geheimgespraech
i=geheiminfo
c=IN IP4 {PHONE[0]}
t=0 0
m=audio 2222 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:geheimkey
"""
CRLF = "\r\n"
ORIGINALS = ("geheim", USER, DIALLED, "4977712345670", "secret-domain", "10.77.", MAC, "abcdef")


def run(folder: Path, *options: str, name: str = "analyze") -> str:
    command = [*COMMAND, name, CAPTURE, "--site", "site.yaml", "--tz", "utc"]
    said = subprocess.run([*command, *options], cwd=folder, check=True, capture_output=True)
    return said.stdout.decode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a capture of a fault, its outputs in `plain` and `hidden`, and the key."""
    folder = tmp_path_factory.mktemp("redact")
    story = Story()
    phone = Handset(story, user=USER, place=PHONE, domain=DOMAIN, agent=AGENT)
    phone.register(0, P)
    phone.fail_over(300, P, S)
    phone.register(336, P)
    story.udp(340, PHONE, P, ODD.replace("\n", "\r\n").encode())
    quoted = story.udp(350, PHONE, S, ODD.replace("geheimb", "geheimc").replace("\n", "\r\n").encode())
    story.unreachable(350.1, quoted, S, PHONE)
    other = Handset(story, user="99912345672", place=("10.77.66.56", 5060), domain=DOMAIN, agent=None)
    other.register(10, P)
    written(story, folder / CAPTURE)
    declared = site({**R2, **MINUTE}, P, S)
    declared["lines"][0] |= {"label": LABEL, "group": GROUP}
    declared["events"] = [f"2026-11-22T12:03:04Z {HAPPENED}"]
    (folder / "site.yaml").write_text(yaml.safe_dump(declared))
    (folder / "known.yaml").write_text(yaml.safe_dump([{"rule": "flapping", "reason": REASON}]))
    (folder / "key").write_bytes(bytes(range(32)))
    run(folder, "-o", "plain")
    run(folder, "-o", "hidden", "--redact", "--redact-key", "key")
    return folder


def hidden_outputs(place: Path) -> dict[str, bytes]:
    """Every output as bytes, with the table of messages unpacked."""
    files = {str(path): path.read_bytes() for path in (place / "hidden").rglob("*")
             if path.is_file() and path.suffix != ".parquet"}
    page = pages.unpacked((place / "hidden" / "report.html").read_bytes())
    files |= {f"report.html, {name}": content for name, content in page.items() if name != "plotly"}
    hide = ("--redact", "--redact-key", "key")
    for form in ("text", "json", "jsonl", "csv", "junit"):
        files[form] = run(place, "--format", form, *hide).encode()
    for name in ("phones", "ladder", "events"):
        files[name] = run(place, *hide, name=name).encode()
    table = pq.read_table(place / "hidden" / "messages.parquet").to_pylist()
    return files | {"messages.parquet": repr(table).encode()}


def test_no_original_is_left_anywhere(place: Path) -> None:
    assert "Geheimrat" in run(place)  # without --redact they are found
    assert any(b"geheim" in path.read_bytes() for path in (place / "plain").rglob("*.pcapng"))
    outputs = hidden_outputs(place)
    assert len(outputs) > 10
    for name, content in outputs.items():
        low = content.lower()
        for original in ORIGINALS:
            assert original.encode() not in low, (name, original)
        for address in (PHONE[0], P[0], S[0]):
            assert socket.inet_aton(address) not in content, (name, address)


KEPT = {"id", "rule", "severity", "confidence", "basis", "assumptions", "also", "cause", "incident", "wireshark",
        "kind", "result", "method", "end", "reason", "origin", "regime", "mode", "model", "firmware", "schema",
        "generator", "link_types", "transports", "state", "declare"}
HIDDEN = {"path", "capture", "server", "name", "entry", "entries", "line", "phone", "contact", "mac", "user_agent",
          "label", "group", "working", "from", "to", "source"}


class Fields:
    """Walks two documents side by side and records which value replaced which."""

    def __init__(self) -> None:
        self.became: dict[str, str] = {}

    def compare(self, was: Any, now: Any, key: str = "") -> None:
        assert type(was) is type(now), key
        if isinstance(was, dict):
            assert list(was) == list(now)
            for name in was:
                self.compare(was[name], now[name], name)
        elif isinstance(was, list):
            assert len(was) == len(now)
            for one, other in zip(was, now, strict=True):
                self.compare(one, other, key)
        elif not isinstance(was, str) or key in KEPT:
            assert was == now, key
        elif key in HIDDEN and was:
            assert was != now, (key, was)
            assert self.became.setdefault(was, now) == now, (key, was)


def document(place: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / name / "report.json").read_bytes())
    return found


def mapped(place: Path) -> dict[str, str]:
    fields, hidden = Fields(), document(place, "hidden")
    assert hidden["notes"].pop() == UNDER_PSEUDONYMS
    fields.compare(document(place, "plain"), hidden)
    return fields.became


def test_every_output_says_that_it_is_under_pseudonyms_and_once(place: Path) -> None:
    """Its reader is usually not the one who wrote it."""
    report = from_json((place / "hidden" / "report.json").read_bytes())
    assert Redaction(Pseudonyms(bytes(32))).report(report).notes.count(UNDER_PSEUDONYMS) == 1
    assert "are pseudonyms here (--redact)" in text.render(report, UTC, 400, False)
    assert b"are pseudonyms here (--redact)" in (place / "hidden" / "report.html").read_bytes()
    assert "are pseudonyms here" in (place / "hidden" / "report.md").read_text()


def test_json_differs_in_names_alone_and_the_same_gets_the_same(place: Path) -> None:
    became = mapped(place)
    assert {f"sip:{USER}@{DOMAIN}", "10.77.66.55:5060", "10.77.44.33:5060/udp", LABEL, GROUP, CAPTURE, AGENT} <= set(
        became)
    assert len(set(became.values())) == len(became)
    line = document(place, "hidden")["lines"][0]
    assert line["user_agent"].startswith("PolycomVVX-VVX_500-UA/4.0.1.13681_0004f2")
    assert line["line"].partition("@")[0] == line["contact"].partition("@")[0]
    assert line["phone"].startswith(line["contact"].rpartition("@")[2])
    evidence = document(place, "hidden")["findings"][0]["evidence"][0]
    assert evidence["summary"].split(" ")[1] == line["phone"].partition(":")[0]


def test_csv_has_the_same_pseudonyms(place: Path) -> None:
    became = mapped(place)
    plain, hidden = (list(csv.DictReader(io.StringIO((place / name / "findings.csv").read_text(), newline="")))
                     for name in ("plain", "hidden"))
    for was, now in zip(plain, hidden, strict=True):
        for column in ("id", "time", "epoch", "rule", "severity", "confidence", "basis", "assumptions", "incident"):
            assert was[column] == now[column]
        for column in ("line", "phone", "server"):
            assert now[column] == became[was[column]]
        assert json.loads(now["facts"])["elapsed"] == json.loads(was["facts"])["elapsed"]
        assert json.loads(now["facts"])["working"] == became[json.loads(was["facts"])["working"]]
        assert now["evidence"] == was["evidence"].replace(CAPTURE, became[CAPTURE])


def test_parquet_has_the_same_pseudonyms(place: Path) -> None:
    became = mapped(place)
    plain, hidden = (pq.read_table(place / name / "messages.parquet").to_pylist() for name in ("plain", "hidden"))
    kept = ("time", "frame", "transport", "from_phone", "method", "status", "cseq", "expires", "retransmission",
            "length", "defects")
    for was, now in zip(plain, hidden, strict=True):
        assert [now[column] for column in kept] == [was[column] for column in kept]
        for column in ("capture", "phone", "line", "server", "user_agent", "contact"):
            if was[column] in became:
                assert now[column] == became[was[column]]
        for column in ("call_id", "branch", "from_tag", "to_tag", "request_uri", "source", "destination", "contact"):
            if was[column]:
                assert became.setdefault(was[column], now[column]) == now[column] != was[column]
    assert len(set(became.values())) == len(became)


def test_files_made_with_one_key_agree_and_without_it_they_do_not(place: Path) -> None:
    again = json.loads(run(place, "--format", "json", "--redact", "--redact-key", "key"))
    assert again == document(place, "hidden")
    alone = json.loads(run(place, "--format", "json", "--redact"))
    assert alone["lines"][0]["line"] not in json.dumps(again)
    rendered = subprocess.run(
        [*COMMAND, "report", "plain", "--redact", "--redact-key", "key", "--format",
         "json"], cwd=place, check=True, capture_output=True).stdout
    assert json.loads(rendered) == again


def test_evidence_is_written_anew_a_message_a_packet(place: Path) -> None:
    for plain in (place / "plain" / "evidence").iterdir():
        was, now = list(messages(plain)), list(messages(place / "hidden" / "evidence" / plain.name))
        assert len(packets_in(plain)) == len(packets_in(place / "hidden" / "evidence" / plain.name))
        assert [item.time for item in was] == [item.time for item in now]
        for before, after in zip(map(parse, (item.payload for item in was)),
                                 map(parse, (item.payload for item in now)), strict=True):
            assert type(before) is type(after)
            assert isinstance(before, Request | Response)
            assert isinstance(after, Request | Response)
            assert (after.cseq, after.expires, after.defects) == (before.cseq, before.expires, ())
    pcapng = next((place / "hidden" / "evidence").iterdir()).read_bytes()
    frames = [proof["frame"] for proof in document(place, "hidden")["findings"][0]["evidence"]]
    assert all(f"written anew: frame {frame} of f".encode() in pcapng for frame in frames)


def test_sentences_lose_what_the_report_names(place: Path) -> None:
    report = from_json((place / "plain" / "report.json").read_bytes())
    incident = Incident(
        "i-0001", "server-outage", "10.77.44.33:5060/udp", "geheim entry", "closed", 1.0, None,
        [f"sip:{USER}@{DOMAIN}"], 1, [GroupShare(GROUP, 1, 2)], [], {}, [],
        [Happening(1.0, f"{HAPPENED}: {GROUP} ({LABEL}) lost {DOMAIN}, [fd00:77::1]:5060 and {MAC} for 300 s")])
    declared = replace(report.findings[0], line=None, phone=None, server=None, time=None,
                       expected="reg.1.address is set.",
                       observed=f"It is {USER} in geheim.cfg, and line.geheim is geheim dir/x.cfg:3.",
                       facts={"attribute": "reg.1.address", "value": USER, "other": "geheim dir/x.cfg:3"},
                       evidence=[Place("geheim dir/x.cfg", 3, "reg.1.address", f"reg.1.address={USER}")])
    plain = replace(declared, facts={"attribute": "reg.1.server.1.failOver.failBack.timeout", "value": "30"},
                    observed="It is 30, which acts as 60.", evidence=[])
    hidden = Redaction(Pseudonyms(bytes(32))).report(replace(
        report, incidents=[incident], findings=[declared, plain],
        notes=["error by /home/geheim/rules.yaml:12; warning"]))
    (told,) = hidden.incidents
    assert told.timeline[0].what.endswith("for 300 s")
    assert hidden.findings[1].observed == plain.observed
    assert hidden.findings[1].facts == plain.facts
    assert hidden.notes[0].endswith(".yaml:12; warning")
    text = to_json(hidden).decode().replace("line.geheim", "").lower()
    assert not [original for original in (*ORIGINALS, "fd00:77") if original in text]


def test_every_header_is_hidden_and_the_message_stays_one() -> None:
    wire = ODD.replace("\n", "\r\n").encode()
    hidden = HIDING.text(wire)
    assert not [original for original in ORIGINALS if original.encode() in hidden.lower()]
    was, now = parse(wire), parse(hidden)
    assert isinstance(was, Request)
    assert isinstance(now, Request)
    assert (now.method, now.cseq, now.defects) == (was.method, was.cseq, ())
    assert now.contacts[0].uri.user == now.from_.uri.user == HIDING.redaction.names.word(USER)
    assert now.via.host == now.contacts[0].uri.host == HIDING.redaction.names.address(PHONE[0])
    text = hidden.decode()
    assert "algorithm=\"MD5\"" in text
    assert "m=audio 2222 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n" in text
    assert "Retry-After: 5\r\n" in text
    assert f"Content-Length: {len(hidden.partition(bytes(CRLF, 'ascii') * 2)[2])}\r\n" in text
    shown = HIDING.message(was)
    assert isinstance(shown, Request)
    assert shown.from_ == replace(now.from_, display=None)


@pytest.mark.parametrize("line", [
    "SIP/2.0 ²00 OK", f"SIP/2.0 {USER} OK", f"Expires: {USER}", "Max-Forwards: 10.77.66.55", "Event: fd77::6655",
    "Accept: fd77:6655:0:0:0:0:0:1", f"Via: SIP/2.0/{MAC} h", f"CSeq: 1 {MAC}", f"CSeq: {USER}", "CSeq:",
    "Authorization:", 'Authorization: Digest\tusername="geheim", nonce="geheim"', "Authorization: Digest\tgeheim",
])
def test_nothing_gets_through_where_something_else_is_expected(line: str) -> None:
    start = "BYE sip:a SIP/2.0\r\n" if ":" in line else ""
    hidden = HIDING.text(f"{start}{line}\r\n\r\n".encode())
    assert not [original for original in (*ORIGINALS, "6655") if original.encode() in hidden.lower()]


@pytest.mark.parametrize("line", [f"rtpmap:96 H{MAC}/90000", f"fmtp:96 {USER}", "ptime:10.77.1.1"])
def test_an_attribute_of_a_medium_that_may_name_somebody_is_left_out(line: str) -> None:
    hidden = HIDING.text(ODD.replace("rtpmap:0 PCMU/8000", line).replace("\n", "\r\n").encode())
    assert b"a=" not in hidden.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(("was", "now"), [
    ("SIP/2.0/UDP ", "SIP/2.0/TLS-SCTP "), ("INVITE", "NEW!"), ("7 INVITE", "7\tINVITE"), ("Digest ", "Digest\t"),
])
def test_an_unusual_message_says_in_the_evidence_what_it_says_in_the_table(was: str, now: str) -> None:
    wire = ODD.replace(was, now).replace("\n", "\r\n").encode()
    written, shown = parse(HIDING.text(wire)), HIDING.message(parse(wire))
    assert isinstance(written, Request)
    assert isinstance(shown, Request)
    assert (written.via.transport, written.cseq, written.method) == (shown.via.transport, shown.cseq, shown.method)
    assert written.credentials[0].realm == HIDING.redaction.names.word("geheimrealm")


def test_what_is_no_message_is_written_anew_as_well(tmp_path: Path) -> None:
    story = Story()
    quoted = story.udp(0, PHONE, S, b"OPTIONS sip:geheim SIP/2.0\r\n\r\n")
    story.unreachable(0.1, quoted, S, PHONE)
    phone = Handset(story, place=PHONE, transport="tcp")
    phone.ask(1, P, "OPTIONS")
    story.reset(2, P, PHONE)
    other = PHONE[0], 5070
    story.syn(3, other, S)
    refusal = tcp_packet(S, other, sequence=1, acknowledgement=story.sequences[other, S], flags=TCP_RST | TCP_ACK)
    story.put(3.1, refusal, S, other)
    original = items(written(story, tmp_path / "a.pcap"))
    names = HIDING.redaction.names
    made = [packet for item in original if (packet := anew(item, "a.pcap", names, b"OPTIONS x SIP/2.0\r\n\r\n"))]
    write_pcap(tmp_path / "b.pcap", [(packet.time, packet.data) for packet in made])
    kinds = {type(item).__name__ + getattr(item, "kind", "") for item in original}
    assert {"TransportErroricmp", "TransportErrorreset", "TransportErrorrefused", "Connectionsyn", "Datagram"} <= kinds
    again = [item for item in items(tmp_path / "b.pcap") if isinstance(item, TransportError)]
    assert ErrorKind.ICMP in {item.kind for item in again}
    hidden = {names.address(host) for host in (PHONE[0], P[0], S[0])}
    assert {item.flow.source_host for item in again} | {item.flow.destination_host for item in again} <= hidden
    assert b"geheim" not in (tmp_path / "b.pcap").read_bytes()


def items(path: Path) -> list[Any]:
    return list(Captures(resolve((str(path),)).files, engine="libpcap"))


HIDING = MessageRedaction(Redaction(Pseudonyms(bytes(32))))
odd_text = st.text(max_size=60)


few = settings(max_examples=40)


@few
@given(st.binary(max_size=400))
def test_whatever_the_wire_holds_is_hidden_without_a_fault(payload: bytes) -> None:
    HIDING.text(payload)
    HIDING.message(parse(payload))


@few
@given(odd_text, odd_text)
def test_odd_values_of_headers_are_hidden_without_a_fault(name: str, value: str) -> None:
    """Except for a product and its version, such as `Unmistakable/Unmistakable`."""
    for header in ("From", "Via", "Contact", "Authorization", "User-Agent", "Call-ID", "Retry-After", name):
        if header.lower() in ("user-agent", "server") and value[:1] in ("/", ":"):
            continue
        said = f"INVITE {value} SIP/2.0\r\n{header}: Unmistakable{value}Unmistakable\r\n\r\n".encode("utf-8", "replace")
        assert b"Unmistakable" not in HIDING.text(said).replace(f"X{name}".encode("utf-8", "replace"), b"")


@few
@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_addresses_keep_their_networks(one: Any, other: Any) -> None:
    names = Pseudonyms(bytes(16))
    if {str(one), str(other)} & {"0.0.0.0", "255.255.255.255"}:
        return
    hidden = [int.from_bytes(socket.inet_aton(names.address(str(each))), "big") for each in (one, other)]
    assert (hidden[0] ^ hidden[1]).bit_length() == (int(one) ^ int(other)).bit_length()


@few
@given(st.ip_addresses(v=6))
def test_addresses_of_version_6_too(address: Any) -> None:
    names = Pseudonyms(bytes(16))
    hidden = names.endpoint(f"[{address}]:5060/tls")
    assert hidden.endswith("]:5060/tls")
    assert socket.inet_pton(socket.AF_INET6, hidden[1:].partition("]")[0])


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"secret")
    for path in ("short", "none"):
        with pytest.raises(InputError) as caught:
            read_key(str(tmp_path / path))
        assert "head -c 32" in str(caught.value)
    assert read_key(None) != read_key(None)


def test_a_key_without_redact_is_a_mistake(place: Path) -> None:
    command = [*COMMAND, "analyze", CAPTURE, "--redact-key", "key"]
    ran = subprocess.run(command, cwd=place, capture_output=True, check=False)
    assert ran.returncode == 2
    assert b"--redact is missing" in ran.stderr


@pytest.mark.parametrize("group", ["HQ", "1", "of nothing"])
def test_a_group_of_two_letters_is_not_told_in_a_timeline(group: str) -> None:
    report, _ = pages.sample()
    lost = replace(report.incidents[0], groups=[GroupShare(group, 1, 2)], timeline=[
        Happening(1.0, f"first request of {group} that came to nothing")])
    redaction = Redaction(Pseudonyms(b"k" * 32))
    (told, *_) = redaction.report(replace(report, incidents=[lost])).incidents
    (shown,) = told.groups
    assert told.timeline[0].what == f"first request of {shown.group} that came to nothing"
    assert shown.group != group


def test_a_server_of_which_nothing_is_seen_is_hidden_and_our_words_stay_though_a_group_is_called_like_one() -> None:
    report, _ = pages.sample()
    lost = replace(report.incidents[0], timeline=[Happening(1.0, f"{UNSEEN}10.0.0.1:5060/udp")])
    lines = [replace(line, group="nothing") for line in report.lines]
    redaction = Redaction(Pseudonyms(b"k" * 32))
    (told, *_) = redaction.report(replace(report, incidents=[lost], lines=lines)).incidents
    assert told.timeline[0].what.startswith(UNSEEN)
    assert "10.0.0.1" not in told.timeline[0].what
