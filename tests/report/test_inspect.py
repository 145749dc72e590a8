"""`sipaudit inspect`: Wireshark's dissection beside ours, and Wireshark as the oracle of our parser."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import examine
from sipaudit.capture.tshark import tshark_available
from sipaudit.capture.write import ethernet_frame, icmp_unreachable_packet, udp_packet
from sipaudit.errors import InputError
from sipaudit.report.differences import compare, wireshark_reading
from sipaudit.report.dissect import Dissection, Field, Layer, dissect
from sipaudit.report.inspect import render
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Malformed, Message
from sipaudit.sip.parse import Parser
from tests.capture.sessions import Connection, answer, register, write_capture
from tests.frames import udp_frame, write_pcap
from tests.shared import CAPTURES, INDEX, ROOT, SAMPLE, needs_captures, needs_tshark

PHONE, SERVER = ("10.1.0.5", 5060), ("10.0.0.1", 5060)
WITH_SIP = [entry["file"] for entry in INDEX if {"udp", "tcp"} & set(entry["transports"])]

KNOWN = {
    ("arkime+arkime/arkime_synthetic.pcap", "Via sent-by"): "Wireshark 4.0 reads no port of a Via without parameters",
    ("ntop+nDPI/fuzz-2006-06-26-2594.pcap", "From URI"): "fuzzed: Wireshark ends a value at a NUL byte",
    ("ntop+nDPI/fuzz-2006-06-26-2594.pcap", "To tag"): "fuzzed: Wireshark ends a value at a NUL byte",
    ("ntop+nDPI/fuzz-2006-06-26-2594.pcap", "Contact"): "fuzzed: Wireshark finds no end of this Contact",
    ("ntop+nDPI/fuzz-2006-06-26-2594.pcap", "CSeq number"): "fuzzed: a CSeq that is no number, which Wireshark calls 0",
}
"""Where Wireshark and we differ on a message that we can parse, and why."""


# Wireshark as the oracle of our parser

FIELDS = (
    "sip.Method", "sip.r-uri", "sip.Status-Code", "sip.Via.branch", "sip.Via.sent-by.address", "sip.Via.sent-by.port",
    "sip.from.addr", "sip.from.tag", "sip.to.addr", "sip.to.tag", "sip.Call-ID", "sip.CSeq.seq", "sip.CSeq.method",
    "sip.contact.uri", "sip.Expires", "sip.User-Agent",
)


UNCLEAR = "?"


def in_bulk(path: Path) -> list[Dissection]:
    """The fields that we compare, of every SIP frame, from one run of tshark."""
    words = ["tshark", "-n", "-r", str(path), "-Y", "sip and not icmp and not icmpv6", "-T", "fields"]
    words += ["-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=\x1e"]
    for name in ("frame.number", *FIELDS):
        words += ["-e", name]
    lines = subprocess.run(words, capture_output=True, check=False).stdout.decode("utf-8", "replace").split("\n")
    return [_dissection(line.split("\t")) for line in lines if line]


def _dissection(columns: list[str]) -> Dissection:
    values = {name: column.split("\x1e") for name, column in zip(FIELDS, columns[1:], strict=True) if column}
    ports = values.get("sip.Via.sent-by.port", [])
    if ports and len(ports) != len(values.get("sip.Via.sent-by.address", [])):
        values["sip.Via.sent-by.port"] = [UNCLEAR]  # unclear which of the Vias has a port
    fields = [
        Field(name, value, value)
        for name, found in values.items()
        for value in (found if name == "sip.contact.uri" else found[:1])
    ]
    return Dissection(int(columns[0]), (Layer("sip", tuple(fields)),))


def our_messages(path: Path) -> dict[int, list[Message]]:
    parser = Parser()
    found: dict[int, list[Message]] = defaultdict(list)
    for item in Captures([examine(str(path), str(path))], engine="libpcap"):
        if isinstance(item, Datagram):
            found[item.frame].append(parser.parse(item.payload))
    return found


@needs_tshark
@needs_captures
@pytest.mark.parametrize("name", WITH_SIP)
def test_our_reading_of_every_shared_capture_is_wiresharks(name: str) -> None:
    path = CAPTURES / name
    ours = our_messages(path)
    compared = 0
    for dissection in in_bulk(path):
        messages = ours[dissection.frame][:1]  # tshark's columns do not separate two messages of a frame
        if not messages:
            continue  # another test checks which frames are SIP
        compared += 1
        for difference in compare(dissection, messages):
            if isinstance(messages[0], Malformed):
                assert messages[0].defects
            elif not difference.wireshark.endswith(f":{UNCLEAR}"):
                assert (name, difference.field) in KNOWN, difference
    assert compared or name.startswith("OISF+suricata-verify/http-evader")


@needs_tshark
@needs_captures
@pytest.mark.parametrize("name", [
    "arkime+arkime/gtp-iphone.pcap", "irontec+sngrep/ipv6frag.pcap", "OISF+suricata-verify/sip-tcp.pcap",
    "OISF+suricata-verify/sip_compact_form.pcap", "NormB+sipnab/register-invite-reinvite-bye.pcap",
])
def test_so_it_is_when_pyshark_drives_wireshark(name: str) -> None:
    path = CAPTURES / name
    ours = our_messages(path)
    dissections = dissect(str(path), list(ours))
    assert [each.frame for each in dissections] == sorted(ours)
    assert [difference for each in dissections for difference in compare(each, ours[each.frame])] == []


# The dissection

def capture(folder: Path, *payloads: bytes) -> str:
    return str(write_pcap(folder / "udp.pcap", [
        (1_700_000_000.0 + number, udp_frame(PHONE, SERVER, payload)) for number, payload in enumerate(payloads)]))


def parsed(*payloads: bytes) -> list[Message]:
    return [Parser().parse(payload) for payload in payloads]


@needs_tshark
def test_a_frame_is_given_layer_by_layer(tmp_path: Path) -> None:
    path = capture(tmp_path, register(1), register(2))
    (dissection,) = dissect(path, [2])
    assert dissection.frame == 2
    assert [layer.name for layer in dissection.layers] == ["frame", "eth", "ip", "udp", "sip"]
    sip = {field.name: field.value for field in dissection.layers[-1].fields}
    assert (sip["sip.CSeq.seq"], sip["sip.Call-ID"]) == ("2", "call-1@10.1.0.5")
    assert not dissection.experts


@needs_tshark
def test_two_messages_in_one_frame_stay_two(tmp_path: Path) -> None:
    tcp = Connection(5060)
    tcp.send(True, register(1) + register(2))
    (dissection,) = dissect(str(write_capture(tmp_path / "tcp.pcap", tcp)), [4])
    assert compare(dissection, parsed(register(1), register(2))) == []
    (missing,) = compare(dissection, parsed(register(1)))
    assert (missing.message, missing.wireshark, missing.ours) == (2, "2 in this frame", "1 in this frame")


@needs_tshark
def test_what_icmp_quotes_is_no_message_of_the_frame(tmp_path: Path) -> None:
    unreachable = icmp_unreachable_packet("10.0.0.1", udp_packet(PHONE, SERVER, register(1)))
    path = write_pcap(tmp_path / "icmp.pcap", [(1.0, ethernet_frame(unreachable))])
    (dissection,) = dissect(str(path), [1])
    assert compare(dissection, []) == []


@needs_tshark
@needs_captures
def test_wiresharks_remarks_are_kept() -> None:
    (dissection,) = dissect(str(CAPTURES / "IvanNardi+pl7m/sip.pcap@8b084637.fuzzed"), [2])
    assert any("Malformed" in expert for expert in dissection.experts)
    assert "Wireshark remarks: Expert Info (Error/Malformed)" in render(dissection, [])


@needs_tshark
def test_frames_in_any_order_and_twice(tmp_path: Path) -> None:
    path = capture(tmp_path, register(1), register(2), register(3))
    assert [each.frame for each in dissect(path, [3, 1, 3])] == [1, 3]
    assert dissect(path, []) == []


@needs_tshark
def test_a_pipe_that_was_spooled(tmp_path: Path) -> None:
    with Path(capture(tmp_path, register(1))).open("rb") as stream:
        assert len(dissect(f"/dev/fd/{stream.fileno()}", [1])) == 1


@needs_tshark
def test_nothing_is_said_on_stderr_and_no_process_stays(tmp_path: Path) -> None:
    path = capture(tmp_path, register(1))
    code = f"from sipaudit.report.dissect import dissect; print(len(dissect({path!r}, [1])))"
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")


@needs_tshark
def test_tshark_is_started_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting it takes longer than dissecting all frames of a report."""
    calls, program = tmp_path / "calls", tmp_path / "tshark"
    program.write_text(f'#!/bin/sh\necho started >> {calls}\nexec {tshark_available()} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert [one.frame for one in dissect(capture(tmp_path, register(1), register(2)), [1, 2])] == [1, 2]
    assert calls.read_text() == "started\n"


# What goes wrong

@needs_tshark
@pytest.mark.parametrize("frames", [[3], [0], [1, 99], list(range(1, 2_000))])
def test_a_frame_that_is_not_there(tmp_path: Path, frames: list[int]) -> None:
    path = capture(tmp_path, register(1), register(2))
    with pytest.raises(InputError) as raised:
        dissect(path, frames)
    assert raised.value.file == path


@needs_tshark
def test_a_file_that_is_no_capture(tmp_path: Path) -> None:
    path = tmp_path / "text.pcap"
    path.write_text("this is no capture at all, only some text")
    with pytest.raises(InputError, match="cannot read"):
        dissect(str(path), [1])
    with pytest.raises(InputError, match="no such file"):
        dissect(str(tmp_path / "nowhere.pcap"), [1])


@needs_tshark
def test_a_capture_that_is_cut_short_shows_what_is_there(tmp_path: Path) -> None:
    path = Path(capture(tmp_path, register(1), register(2)))
    path.write_bytes(path.read_bytes()[:-50])
    assert [each.frame for each in dissect(str(path), [1])] == [1]
    with pytest.raises(InputError, match="no such frame: 2"):
        dissect(str(path), [1, 2])


def test_without_tshark_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as raised:
        dissect(capture(tmp_path, register(1)), [1])
    assert "tshark" in raised.value.message
    assert raised.value.fix


def test_without_pyshark_it_is_said_that_the_python_is_not_supported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyshark", None)
    with pytest.raises(InputError, match="does not work with this Python"):
        dissect(capture(tmp_path, register(1)), [1])


@needs_tshark
def test_a_python_without_child_watchers_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.14 has none; pyshark asks for one unless it is given an event loop."""
    for name in ("SafeChildWatcher", "set_child_watcher"):
        monkeypatch.delattr(asyncio, name, raising=False)
    assert len(dissect(capture(tmp_path, register(1)), [1])) == 1


# Side by side

def sip(**values: str) -> Dissection:
    fields = tuple(Field(f"sip.{name.replace('_', '-')}", f"{name}: {value}", value) for name, value in values.items())
    return Dissection(7, (Layer("ip", ()), Layer("sip", fields)))


def test_a_value_stands_beside_the_field_it_belongs_to() -> None:
    text = render(sip(Call_ID="call-1@10.1.0.5", Method="REGISTER"), parsed(register(1)), width=120)
    (line,) = [each for each in text.splitlines() if "Call_ID" in each]
    left, right = line.split("│")
    assert (left.strip(), right.strip()) == ("Call_ID: call-1@10.1.0.5", "Call-ID: call-1@10.1.0.5")
    assert any(each.endswith("│ message 1 of 1") for each in text.splitlines())


def test_where_the_two_differ_is_marked_and_said() -> None:
    text = render(sip(Call_ID="call-2@10.1.0.5", Method="REGISTER"), parsed(register(1)), width=120)
    assert any("call-2@10.1.0.5" in each and "≠" in each for each in text.splitlines())
    assert any("REGISTER" in each and "│" in each and "≠" not in each for each in text.splitlines())
    assert 'Message 1, Call-ID: Wireshark reads "call-2@10.1.0.5", sipaudit "call-1@10.1.0.5"' in text
    assert 'Message 1, From tag: Wireshark reads nothing, sipaudit "phone"' in text


def test_equal_readings_have_no_difference() -> None:
    (message,) = parsed(answer(1))
    assert isinstance(message, Malformed) is False
    whole = Dissection(1, (Layer("sip", tuple(
        Field(name, f"{name}: {value}", value) for name, value in {
            "sip.Status-Code": "200", "sip.Via": "SIP/2.0/TLS 10.1.0.5:49152;branch=z9hG4bK-1",
            "sip.Via.sent-by.address": "10.1.0.5", "sip.Via.sent-by.port": "49152", "sip.Via.branch": "z9hG4bK-1",
            "sip.from.addr": "SIP:1001@PBX.example.com", "sip.from.tag": "phone",
            "sip.to.addr": "sip:1001:pw@pbx.example.com", "sip.to.tag": "server",
            "sip.Call-ID": "call-1@10.1.0.5", "sip.CSeq.seq": "1", "sip.CSeq.method": "REGISTER",
            "sip.contact.uri": "sip:1001@10.1.0.5:49152?Subject=x",
        }.items()
    )),))
    assert compare(whole, [message]) == []
    assert "No difference." in render(whole, [message])


def test_an_ipv6_address_may_be_written_in_any_way() -> None:
    """We keep one normal form of each address."""
    (message,) = parsed(register(1).replace(b"10.1.0.5", b"[2001:db8::5]"))
    names = ("sip.Via", "sip.Via.sent-by.address", "sip.Via.sent-by.port", "sip.contact.uri")
    values = ("", "[2001:0db8:0:0::5]", "49152", "sip:1001@[2001:DB8:0::5]:49152")
    layer = Layer("sip", tuple(Field(name, value, value) for name, value in zip(names, values, strict=True)))
    differ = {each.field for each in compare(Dissection(7, (layer,)), [message])}
    assert differ.isdisjoint({"Via sent-by", "Contact"})


def test_of_several_vias_the_topmost_counts() -> None:
    """This includes what it lacks: here the branch, as in old implementations."""
    names = ("sip.Via", "sip.Via.sent-by.address", "sip.Via", "sip.Via.sent-by.address", "sip.Via.branch")
    values = ("SIP/2.0/UDP proxy", "proxy.example.com", "SIP/2.0/UDP phone", "10.1.0.5", "z9hG4bK-1")
    layer = Layer("sip", tuple(Field(name, value, value) for name, value in zip(names, values, strict=True)))
    assert wireshark_reading(layer) == {"Via sent-by": ["proxy.example.com"]}


def test_bytes_that_are_no_text_may_be_shown_in_any_way() -> None:
    (message,) = parsed(register(1).replace(b"call-1@10.1.0.5", b"call-\xf9\x01-1"))
    for shown in ("call-\ufffd\\x01-1", "call-\ufffd\ufffd-1"):
        assert "Call-ID" not in {each.field for each in compare(sip(Call_ID=shown), [message])}
    assert "Call-ID" in {each.field for each in compare(sip(Call_ID="call-\ufffd-2"), [message])}


def test_a_message_that_we_call_malformed_is_one_difference() -> None:
    (difference,) = compare(sip(Status_Line="SIP/2.0 200 OK", Status_Code="200"), parsed(b"SIP/2.0 200 OK\r\n\r\n"))
    assert (difference.field, difference.wireshark) == ("SIP message", "SIP/2.0 200 OK")
    assert "missing-via" in difference.ours


def test_nothing_from_the_wire_commands_the_terminal() -> None:
    hostile = "\x1b[31mred\x07\u202e\r\n\x9b2J"
    message = register(1).replace(b"PolycomVVX", hostile.encode())
    dissection = Dissection(1, (Layer("sip", (Field("sip.User-Agent", hostile, hostile),)),), (hostile,))
    text = render(dissection, parsed(message), width=80)
    assert all(each.isprintable() for each in text.split("\n"))
    assert "\\x1b[31mred" in text


@pytest.mark.parametrize("width", [10, 60, 200])
def test_the_width_is_kept(width: int) -> None:
    text = render(sip(Call_ID="x" * 300, From="y" * 50_000), parsed(register(1)), width=width)
    assert max(len(line) for line in text.splitlines()) <= max(width, 40)
    assert "(50006" in text  # the number of characters cut is shown


@needs_tshark
def test_frames_are_dissected_also_where_an_event_loop_runs() -> None:
    """A notebook runs one."""
    async def in_a_notebook() -> list[Dissection]:
        return dissect(str(SAMPLE / "capture.pcap"), [220])

    assert [dissection.frame for dissection in asyncio.run(in_a_notebook())] == [220]
