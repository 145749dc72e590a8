"""Messages that say what an earlier one on their flow said, but for what is new in each of them.

The REGISTERs of a phone, and the answers to them, are the same bytes from one registration to the next around their
branch, tags, CSeq number and what proves the password.  What stands around these, the constants, is a *form*: once a
message was read, those of the same form need not be.  They are told by their length, which says where the variables
stand (`Layout`), and by one hash of their constants.

It cannot make a message another.  A form is learnt from a message of which each variable is where the parser found it,
and a message is of a form only if its constants are the same and its variables are written with characters that mean
nothing else there: then it reads the same but for these.  Two forms that have one hash of 64 bits, with a key that is
new in each process, would take a million years of a thousand phones' registrations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import itemgetter

from msgspec import Struct

from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.front import BRANCH, CSEQ_NAME, MAX_DIGITS, NONCE, TAG
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.text import TOKENS_AS_LETTERS

FORMS_KEPT = 262_144    # at a time: some four a line
LAYOUTS_KEPT = 4_096
LONGEST = 4_096         # bytes of a message
BESIDE = 8              # bits by which an id is shifted: its last 4 are 0, and that of no other flow is that near
REST = 1_500            # runs in which none are learnt after most were learnt for nothing

MAX_NUMBER = 10 ** MAX_DIGITS - 1

Span = tuple[int, int]
NOWHERE: Span = (0, 0)
Named = tuple[bytes, Span]
"""A variable: what stands before it, and where it stands itself."""

CRLF = b"\r\n"
LINES = 6   # from the first to Call-ID, or CSeq
QUOTE, COMMA = b'",'
VIA_NAME = b"Via: "
COUNT = b" nc="
_QUOTED_AS_LETTERS = bytes(ord("a") if byte in b"/=:@" else letter   # nonces are often Base64
                           for byte, letter in enumerate(TOKENS_AS_LETTERS))


class Form(Struct, gc=False):
    """What the messages of a form are to those who follow them (`known`), and what the requests are that they answer
    (`request`); `number` is for who tells others of it (-1: not told). `digest` is of its flow and constants."""

    flow: Flow
    layout: Layout | None = None
    digest: int = 0
    number: int = -1
    known: object = None
    request: object = None


class Repeat(Struct, array_like=True, gc=False):
    """A datagram whose message is of a known form, and what is new in it; `nonce` is empty where there is none.

    `number` is that of its form, for who is told of it by another process and puts `form` in its place.
    """

    time: float
    capture: int
    frame: int
    payload: bytes
    frames: tuple[int, ...]
    number: int
    branch: str
    cseq: int
    nonce: str
    form: Form = None  # type: ignore[assignment]

    def datagram(self) -> Datagram:
        """The datagram, for who has to read it after all."""
        return Datagram(self.time, self.capture, self.frame, self.form.flow, self.payload, self.frames)


Parsed = tuple[Item | Repeat, Message | None, Form | None]
"""An item with its message, None if it is no datagram, or one of a known form; and the form that can be told by this
message, if it has one."""


class Layout:
    """Where the variables of a message stand: branch, CSeq number, nonce, other tokens, and from `quoted` on what else
    stands in quotes. Shared by all messages that are as long in all parts."""

    __slots__ = ("_longer", "constants", "quoted", "spans", "variables")

    def __init__(self, spans: tuple[Span, ...], quoted: int) -> None:
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
            self._longer = Layout(spans, self.quoted)
        return self._longer

    def admits(self, variables: tuple[bytes, ...]) -> bool:
        """Whether variables are written with characters that mean nothing else where they stand."""
        if b"".join(variables).translate(TOKENS_AS_LETTERS).isalnum():
            return True
        quoted = b"".join((variables[2], *variables[self.quoted:]))
        return (b"".join((*variables[:2], *variables[3:self.quoted])).translate(TOKENS_AS_LETTERS).isalnum()
                and quoted.translate(_QUOTED_AS_LETTERS).isalnum())


class Shape:
    """What messages have in common of which the first three lines are as long, and of which the same (`marks`) stands
    before each of their variables (`marked`): their layout, and whether To is `tagged`. Phones of a make have a few."""

    __slots__ = ("layout", "marked", "marks", "tagged")

    def __init__(self, payload: bytes, layout: Layout, variables: list[Named], names: list[Span], tagged: bool) -> None:
        spans = names + [(begin - len(name), begin) for name, (begin, _) in variables]
        self.layout = layout
        self.marked: Callable[[bytes], tuple[bytes, ...]] = itemgetter(*(slice(*span) for span in spans))
        self.marks = self.marked(payload)
        self.tagged = tagged

    def holds(self, payload: bytes, message: Request | Response) -> bool:
        """Whether it is that of a message: what stands in its places is what the parser has read, and so was read from
        there."""
        if self.marked(payload) != self.marks:
            return False
        variables = self.layout.variables(payload)
        return variables[1].isdigit() and self.layout.admits(variables) and _are_of(variables, message, self.tagged)


class Forms:
    """Reads messages, and knows again those whose form it has read. Remembers `limit` forms at most: then it forgets
    all, since phones come in turn."""

    def __init__(self, parse: Callable[[bytes], Message], limit: int = FORMS_KEPT) -> None:
        self._parse = parse
        self._limit = limit
        self._forms: dict[int, Form] = {}        # by flow and length of the message, mostly the only one
        self._others: dict[int, Form] = {}       # those that share flow, length and layout with one of these, by digest
        self._known: dict[tuple[Span, ...], Layout] = {}
        self._shapes: dict[tuple[int, ...], Shape] = {}   # by how long three lines are, and the nonce's place
        self._used = 0
        self._rest = 0

    def turn(self) -> bool:
        """Another run begins. Whether the forms that there were are forgotten."""
        self._rest -= self._rest > 0
        count = len(self._forms) + len(self._others)
        if count <= self._limit:
            return False
        self._rest = REST if self._used < count else 0
        self._used = 0
        self._forms.clear()
        self._others.clear()
        self._known.clear()
        self._shapes.clear()
        return True

    def read(self, run: Sequence[Item]) -> list[Parsed]:
        """The items of a run with their messages. One loop on purpose: nine messages of ten take all of it that is done
        for them here."""
        parsed: list[Parsed] = []
        add, forms, others = parsed.append, self._forms.get, self._others.get
        for item in run:
            if type(item) is not Datagram:
                add((item, None, None))
                continue
            flow, payload = id(item.flow), item.payload
            key = (flow << BESIDE) + len(payload)   # as `_key` makes it
            form = forms(key)
            if form is None and forms(key - 1) is not None:
                form = self._longer(key, flow, payload)
            if form is not None:
                layout: Layout = form.layout  # type: ignore[assignment]
                digest = hash((flow, layout.constants(payload)))
                if form.digest != digest:
                    form = others(digest)
            if form is not None:
                variables = layout.variables(payload)
                if variables[1].isdigit() and not item.cut and (   # nearly always letters and digits: not worth a call
                    b"".join(variables).translate(TOKENS_AS_LETTERS).isalnum() or layout.admits(variables)
                ):
                    self._used += 1
                    add((Repeat(item.time, item.capture, item.frame, payload, item.frames, form.number,
                                variables[0].decode(), int(variables[1]), variables[2].decode(), form), None, None))
                    continue
            message = self._parse(payload)
            repeats = type(message) is not Malformed and message.cseq.method == "REGISTER" and not self._rest  # type: ignore[union-attr]
            add((item, message, self._learnt(item, message) if repeats else None))  # type: ignore[arg-type]
        return parsed

    def _longer(self, key: int, flow: int, payload: bytes) -> Form | None:
        """The form of a message whose CSeq number has got another digit since the last one of its form."""
        form = self._forms[key - 1]
        layout: Layout | None = form.layout.longer()  # type: ignore[union-attr]
        digest = None if layout is None else hash((flow, layout.constants(payload)))
        if digest != form.digest and digest not in self._others:
            return None
        del self._forms[key - 1]   # it never gets shorter
        form.layout = layout
        self._forms[key] = form
        return form

    def _learnt(self, item: Datagram, message: Request | Response) -> Form | None:
        """The form of a message, if nothing in it is odd."""
        payload = item.payload
        if message.defects or item.cut or len(payload) > LONGEST or message.cseq.number > MAX_NUMBER:
            return None
        lines = payload.split(CRLF, LINES)
        if len(lines) <= LINES:
            return None
        via = lines[1]
        if QUOTE in via or COMMA in via:   # where a branch may stand that is none, or that of another hop
            return None
        lengths = len(lines[0]), len(via), len(lines[2]), payload.find(NONCE)
        shape = self._shapes.get(lengths)
        if shape is None or not shape.holds(payload, message):
            shape = self._shaped(payload, lines, message)
            if shape is None or not shape.holds(payload, message):
                return None
            if len(self._shapes) >= LAYOUTS_KEPT:
                self._shapes.clear()
            self._shapes[lengths] = shape
        return self._form(item, shape.layout)

    def _shaped(self, payload: bytes, lines: list[bytes], message: Request | Response) -> Shape | None:
        """The shape of a message; None when its lines do not come in the usual order."""
        variables, names, quoted = _places(payload, lines, message)
        layout = self._layout(tuple(span for _, span in variables), quoted) if variables else None
        return None if layout is None else Shape(payload, layout, variables, names, message.to.tag is not None)

    def _layout(self, spans: tuple[Span, ...], quoted: int) -> Layout | None:
        """One for all messages whose variables stand there; None when there are too many."""
        layout = self._known.get(spans)
        if layout is None and len(self._known) < LAYOUTS_KEPT:
            layout = self._known[spans] = Layout(spans, quoted)
        return layout

    def _form(self, item: Datagram, layout: Layout) -> Form:
        """The form of a message with that layout."""
        key, digest = _key(item), hash((id(item.flow), layout.constants(item.payload)))
        first = self._forms.get(key)
        if first is None and digest not in self._others:   # nearly always
            new = self._forms[key] = Form(item.flow, layout, digest)   # which holds the flow, and its id
            return new
        is_first = first is None or first.layout is not layout
        form = self._others.get(digest) if is_first or first.digest != digest else first  # type: ignore[union-attr]
        if form is None:
            form = Form(item.flow)
        if form is not first:
            form.layout, form.digest = layout, digest
            if is_first:
                self._forms[key] = form
            else:
                self._others[digest] = form
        return form

    def places(self, item: Datagram) -> tuple[tuple[Span, ...], int]:
        """Where the variables of a message stand whose form was just learnt, for `told`."""
        layout: Layout = self._forms[_key(item)].layout  # type: ignore[assignment]
        return layout.spans, layout.quoted

    def told(self, item: Datagram, spans: tuple[Span, ...], quoted: int) -> Form:
        """The form of a message that others have learnt."""
        layout = self._layout(spans, quoted)
        return Form(item.flow) if layout is None else self._form(item, layout)


def _key(item: Datagram) -> int:
    """Of a flow, which is one object, and of a message's length."""
    return (id(item.flow) << BESIDE) + len(item.payload)


def _places(payload: bytes, lines: list[bytes], message: Request | Response
            ) -> tuple[list[Named], list[Span], int]:
    """The variables of a message, if its lines come in the usual order (none, if they do not), where the names of lines
    stand by which they are known, and which variable is the first in quotes."""
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
    """The nonce, of which the name stands at `at`, in the line from `begin` to `end`; the count; and what else of the
    line is new in every message and stands in quotes."""
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
    """Whether what stands there is what the parser has read of the message."""
    proof = message.credentials if type(message) is Request else message.challenges  # type: ignore[union-attr]
    branch, number, nonce, tag, *others = variables
    to_tag = message.to.tag
    return (
        branch.decode() == message.via.branch and int(number) == message.cseq.number
        and tag.decode() == message.from_.tag and (others[0].decode() == to_tag if tagged else to_tag is None)
        and (nonce.decode() == proof[0].nonce and len(proof) == 1 if proof else not nonce)
    )
