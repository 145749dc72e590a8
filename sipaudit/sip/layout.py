"""The places of a message's variables: branch, tags, CSeq number, and the digest values (nonce, count, response).

They are searched for once: other messages of the same make of phone have them at the same places, if the same names
precede them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from operator import itemgetter

from sipaudit.sip.front import BRANCH, CRLF, CSEQ_NAME, MAX_DIGITS, NONCE, TAG
from sipaudit.sip.message import Request, Response
from sipaudit.sip.text import TOKENS_AS_LETTERS

Span = tuple[int, int]
NOWHERE: Span = (0, 0)
Named = tuple[bytes, Span]
"""A variable: the bytes that precede it, and its position."""

QUOTE, COMMA = b'",'
VIA_NAME = b"Via: "
COUNT = b" nc="
_QUOTED_AS_LETTERS = bytes(ord("a") if byte in b"/=:@" else letter   # nonces are often Base64
                           for byte, letter in enumerate(TOKENS_AS_LETTERS))


class Layout:
    """The places of the variables in a message of this `length`: branch, CSeq number, nonce, other tokens, and from
    index `quoted` on the other quoted values. Shared by all messages whose parts have the same lengths."""

    __slots__ = ("_longer", "constants", "length", "quoted", "spans", "variables")

    def __init__(self, length: int, spans: tuple[Span, ...], quoted: int) -> None:
        self.length = length
        self.spans = spans
        self.quoted = quoted
        ends = [0, *(end for span in sorted(spans) if span != NOWHERE for end in span), None]
        self.constants: Callable[[bytes], tuple[bytes, ...]] = itemgetter(
            *(slice(ends[at], ends[at + 1]) for at in range(0, len(ends), 2)))
        self.variables: Callable[[bytes], tuple[bytes, ...]] = itemgetter(*(slice(*span) for span in spans))
        self._longer: Layout | None = None

    def longer(self) -> Layout | None:
        """The layout of the same message with one more digit in its CSeq."""
        if self._longer is None:
            begin, end = self.spans[1]
            if end - begin >= MAX_DIGITS:
                return None
            spans = tuple(span if span[0] < begin else
                          (span[0] + (span[0] > begin), span[1] + 1) for span in self.spans)
            self._longer = Layout(self.length + 1, spans, self.quoted)
        return self._longer

    def admits(self, variables: tuple[bytes, ...]) -> bool:
        """Whether the variables consist of characters that have no other meaning in their places."""
        if b"".join(variables).translate(TOKENS_AS_LETTERS).isalnum():
            return True
        quoted = b"".join((variables[2], *variables[self.quoted:]))
        return (b"".join((*variables[:2], *variables[3:self.quoted])).translate(TOKENS_AS_LETTERS).isalnum()
                and quoted.translate(_QUOTED_AS_LETTERS).isalnum())


class Shape:
    """What messages share that have the same length, first three lines of the same lengths, and the same names
    (`marks`, extracted by `marked`) before their variables: the layout, and whether To is `tagged`. Phones of one make
    have a few shapes."""

    __slots__ = ("layout", "marked", "marks", "tagged")

    def __init__(self, payload: bytes, layout: Layout, variables: list[Named], names: list[Span], tagged: bool) -> None:
        spans = names + [(begin - len(name), begin) for name, (begin, _) in variables]
        self.layout = layout
        self.marked: Callable[[bytes], tuple[bytes, ...]] = itemgetter(*(slice(*span) for span in spans))
        self.marks = self.marked(payload)
        self.tagged = tagged

    def holds(self, payload: bytes, message: Request | Response) -> bool:
        """Whether a message has this shape: its variables, taken from these places, equal what the parser has read."""
        if self.marked(payload) != self.marks:
            return False
        variables = self.layout.variables(payload)
        return variables[1].isdigit() and self.layout.admits(variables) and _are_of(variables, message, self.tagged)


def places(payload: bytes, lines: list[bytes], message: Request | Response
            ) -> tuple[list[Named], list[Span], int]:
    """The variables of a message (none if its lines are not in the usual order), the places of the header names that
    identify their lines, and the index of the first quoted variable."""
    _, via, from_, to, *_ = lines
    at_cseq = 4 if lines[4].startswith(CSEQ_NAME) else 5
    if not via.startswith(VIA_NAME) or not lines[at_cseq].startswith(CSEQ_NAME):
        return [], [], 0
    at = [0, *accumulate(len(line) + len(CRLF) for line in lines)]   # where each line begins
    branch, cseq = at[1] + via.find(BRANCH) + len(BRANCH), at[at_cseq] + len(CSEQ_NAME)
    tag, to_tag = at[2] + from_.find(TAG) + len(TAG), at[3] + to.find(TAG) + len(TAG)
    variables = [
        (BRANCH, (branch, branch + len(message.via.branch))), (CRLF + CSEQ_NAME, (cseq, payload.find(b" ", cseq))),
        (b"", NOWHERE), (TAG, (tag, at[3] - 2)),   # a tag that is not the end of its line may stand in quotes
    ]
    if message.to.tag is not None:
        variables.append((TAG, (to_tag, at[4] - 2)))
    names = [(at[1], at[1] + len(VIA_NAME))]
    tokens, nonce = len(variables), payload.find(NONCE, at[6])
    if nonce > at[6] and payload[nonce - 1] in b" ,":
        begin, end = payload.rfind(CRLF, 0, nonce), payload.find(CRLF, nonce)
        names.append((begin, payload.find(b" ", begin)))
        variables[2], counts, quoted = _proof(payload, nonce, begin, end)
        variables += counts + quoted
        tokens += len(counts)
    return variables, names, tokens


def _proof(payload: bytes, at: int, begin: int, end: int) -> tuple[Named, list[Named], list[Named]]:
    """The nonce, whose name is at offset `at` in the line from `begin` to `end`; the nonce count; and the other quoted
    values of the line that are new in every message (response, cnonce)."""
    nonce = at + len(NONCE)
    counts: list[Named] = []
    count = payload.find(COUNT, begin, end) + len(COUNT)
    if count >= len(COUNT):
        counts.append((COUNT, (count, count + 8)))
    quoted: list[Named] = []
    for name in (b' response="', b' cnonce="'):
        found = payload.find(name, begin, end) + len(name)
        behind = payload.find(b'"', found)
        if len(name) <= found < behind:
            quoted.append((name, (found, behind)))
    return (payload[at - 1:nonce], (nonce, payload.find(b'"', nonce))), counts, quoted


def _are_of(variables: tuple[bytes, ...], message: Request | Response, tagged: bool) -> bool:
    """Whether the variables equal what the parser has read of the message."""
    proof = message.credentials if type(message) is Request else message.challenges  # type: ignore[union-attr]
    branch, number, nonce, tag, *others = variables
    to_tag = message.to.tag
    return (
        branch.decode() == message.via.branch and int(number) == message.cseq.number
        and tag.decode() == message.from_.tag and (others[0].decode() == to_tag if tagged else to_tag is None)
        and (nonce.decode() == proof[0].nonce and len(proof) == 1 if proof else not nonce)
    )
