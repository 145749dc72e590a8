"""Messages recognised by their form: equal to an earlier message on their flow except for a few variables.

From one registration to the next, a phone's REGISTERs and the responses to them differ only in branch, tags, CSeq
number and digest values.  The bytes around these variables, the constants, are a *form*: once one message of a form was
parsed, the others need no parsing.  They are recognised by their length, which tells where the variables are
(`Layout`), and by one hash of their constants.

No message can be mistaken for another.  A form is learnt from a message in which each variable is where the parser
found it, and a message has that form only if its constants are the same and its variables consist of characters that
have no other meaning there: then it parses the same except for them.  The hash has 60 bits and a key that is new in
each process: two forms would collide once in sixty thousand years of a thousand phones' registrations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.front import CRLF, LEADING, MAX_DIGITS, NONCE
from sipaudit.sip.layout import COMMA, QUOTE, Layout, Shape, Span, places
from sipaudit.sip.message import Message, Request, Response
from sipaudit.sip.text import TOKENS_AS_LETTERS

FORMS_KEPT = 262_144    # at a time: about four per line
LAYOUTS_KEPT = 4_096
LONGEST = 4_096         # bytes of a message
FEW = 4                 # forms of a flow that are searched one by one; a phone's flow has two
REST = 1_500            # batches without learning, after most learnt forms were never used
DIGEST = (1 << 60) - 1  # bits of a hash that are kept: more would take a third digit of Python's integers

MAX_NUMBER = 10 ** MAX_DIGITS - 1


class Form(Struct, gc=False):
    """A form. `known` is what the code that follows its messages has noted of them, `request` the same of the requests
    that they answer; in a process that reports forms to another, `known` is the number reported for the form. `digest`
    is the hash of flow and constants, `next` links to another form of the flow, if it has few."""

    flow: Flow
    layout: Layout
    digest: int
    known: object = None
    request: object = None
    next: Form | None = None


class Repeat(Struct, array_like=True, gc=False):
    """A datagram whose message has a known form, with its new values; `nonce` is empty where there is none.

    `number` is 0 here; in a repeat received from another process it is the form's number, by which the receiver sets
    `form`.
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
        """The original datagram, for callers that have to parse it after all."""
        return Datagram(self.time, self.capture, self.frame, self.form.flow, self.payload, self.frames)


Parsed = tuple[Item | Repeat, Message | None, Form | None]
"""An item; its message, None for an item that is no datagram, or is a repeat of a known form; and the form learnt from
this message, if any."""


class Forms:
    """Parses messages, and recognises those whose form it knows. It keeps at most `limit` forms: beyond that it forgets
    all of them, since phones register in turn."""

    __slots__ = ("_count", "_forms", "_known", "_lengths", "_limit", "_many", "_new", "_others", "_parse", "_rest",
                 "_shapes", "_used")

    def __init__(self, parse: Callable[[bytes], Any], limit: int = FORMS_KEPT) -> None:
        self._parse = parse
        self._limit = limit
        self._forms: dict[int, Form] = {}   # by id of the flow, which each form holds: the newest of its few
        self._many: dict[tuple[int, int], Form] = {}   # of flows with more forms, by id of the flow and message length
        self._others: dict[int, Form] = {}   # those that share flow, length and layout with one of these, by digest
        self._count = 0                      # of all forms but `_others`
        self._known: dict[tuple[int, tuple[Span, ...]], Layout] = {}
        self._shapes: dict[tuple[int, ...], Shape] = {}   # by the lengths of message and lines, and the nonce's offset
        self._new: dict[int, Layout] = {}    # of this batch: by id of the form, the layout with which it was learnt
        self._lengths: set[int] = set()   # of messages that may be of a known form
        self._used = 0
        self._rest = 0

    def turn(self) -> bool:
        """Begin another batch; returns whether all earlier forms were forgotten."""
        self._rest -= self._rest > 0
        self._new.clear()
        count = self._count + len(self._others)
        if count <= self._limit:
            return False
        self._rest = REST if self._used < count else 0
        self._used = self._count = 0
        self._forms.clear()
        self._many.clear()
        self._others.clear()
        self._known.clear()
        self._shapes.clear()
        self._lengths.clear()
        return True

    def read(self, batch: Sequence[Item]) -> list[Parsed]:
        """Return the items of a batch with their messages. One loop on purpose: it handles nine messages of ten without
        a further call."""
        parsed: list[Parsed] = []
        used = 0
        add, forms, others, many = parsed.append, self._forms.get, self._others.get, self._many
        lengths = self._lengths
        for item in batch:
            if type(item) is not Datagram:
                add((item, None, None))
                continue

            # -- find the form with its flow and length, if there is one; `layout` is that form's
            flow, payload = id(item.flow), item.payload
            length, shorter = len(payload), None
            form = forms(flow) if length in lengths else None
            while form is not None:
                layout = form.layout
                if layout.length == length:
                    break
                if layout.length + 1 == length:
                    shorter = form
                form = form.next
            else:
                if many:
                    form, shorter = many.get((flow, length)), shorter or many.get((flow, length - 1))
                if form is None and shorter is not None:
                    form = self._longer(shorter, payload)
                if form is not None:
                    layout = form.layout

            # -- check that the constants are those of this form, or of another of the same flow, length and layout
            if form is not None:
                digest = hash((flow, layout.constants(payload))) & DIGEST   # as `_digest` makes it
                if form.digest != digest:
                    form = others(digest)

            # -- check that the variables have no other meaning: then the message has the form and needs no parsing
            if form is not None:
                variables = layout.variables(payload)
                if variables[1].isdigit() and not item.cut and (   # nearly always letters and digits: not worth a call
                    b"".join(variables).translate(TOKENS_AS_LETTERS).isalnum() or layout.admits(variables)
                ):
                    used += 1
                    add((Repeat(item.time, item.capture, item.frame, payload, item.frames, 0,
                                variables[0].decode(), int(variables[1]), variables[2].decode(), form), None, None))
                    continue

            # -- parse the message, and perhaps learn its form
            message = self._parse(payload)
            form = None
            kind = type(message)   # not a message type where `run.apart` reads it in parts
            if (kind is Request or kind is Response) and message.cseq.method == "REGISTER" and not self._rest:
                form = self._learnt(item, message)
            add((item, message, form))
        self._used += used
        return parsed

    def _longer(self, form: Form, payload: bytes) -> Form | None:
        """The form of a message one byte longer than those of this form, if its CSeq number has gained a digit."""
        layout = form.layout.longer()
        digest = None if layout is None else _digest(form.flow, layout, payload)
        if layout is None or (digest != form.digest and digest not in self._others):
            return None
        flow = id(form.flow)
        if self._many.pop((flow, form.layout.length), None) is not None:
            self._many[flow, layout.length] = form
        form.layout = layout   # it never gets shorter
        self._lengths.add(layout.length + 1)
        return form

    def _learnt(self, item: Datagram, message: Request | Response) -> Form | None:
        """The form of a message; None if anything in it is unusual."""
        payload = item.payload
        if message.defects or item.cut or len(payload) > LONGEST or message.cseq.number > MAX_NUMBER:
            return None
        lines = payload.split(CRLF, LEADING)
        if len(lines) <= LEADING:
            return None
        via = lines[1]
        if QUOTE in via or COMMA in via:   # ";branch=" may then be inside quotes, or belong to another hop
            return None
        lengths = len(payload), len(lines[0]), len(via), len(lines[2]), payload.find(NONCE)
        shape = self._shapes.get(lengths)
        if shape is None or not shape.holds(payload, message):
            shape = self._shaped(payload, lines, message)
            if shape is None or not shape.holds(payload, message):
                return None
            if len(self._shapes) >= LAYOUTS_KEPT:
                self._shapes.clear()
            self._shapes[lengths] = shape
        form = self._form(item, shape.layout)
        self._new.setdefault(id(form), shape.layout)
        return form

    def _shaped(self, payload: bytes, lines: list[bytes], message: Request | Response) -> Shape | None:
        """The shape of a message; None when its lines are not in the usual order."""
        variables, names, quoted = places(payload, lines, message)
        layout = self._layout(len(payload), tuple(span for _, span in variables), quoted) if variables else None
        return None if layout is None else Shape(payload, layout, variables, names, message.to.tag is not None)

    def _layout(self, length: int, spans: tuple[Span, ...], quoted: int) -> Layout | None:
        """The layout shared by all messages of that length with variables at these places; None when there are too many
        layouts."""
        layout = self._known.get((length, spans))
        if layout is None and len(self._known) < LAYOUTS_KEPT:
            layout = self._known[length, spans] = Layout(length, spans, quoted)
            self._lengths.update((length, length + 1))   # the CSeq number may gain a digit
        return layout

    def _form(self, item: Datagram, layout: Layout) -> Form:
        """The form of a message with that layout."""
        flow = item.flow
        digest, few = _digest(flow, layout, item.payload), self._forms.get(id(flow))
        if digest not in self._others and (
            few is None or (few.next is None and few.layout.length != layout.length)
        ):   # nearly always: the first or second form of a phone
            self._count += 1
            new = self._forms[id(flow)] = Form(flow, layout, digest, None, None, few)
            return new
        first = self._first(item)
        if first is not None and first.layout is layout:
            if first.digest == digest:
                return first
            return self._others.setdefault(digest, Form(flow, layout, digest))
        form = self._others.get(digest) or Form(flow, layout, digest)
        form.layout = layout
        self._put_first(form, instead=first)
        return form

    def _few(self, flow: int) -> Iterator[Form]:
        """The linked forms of the flow with this id."""
        form = self._forms.get(flow)
        while form is not None:
            yield form
            form = form.next

    def _first(self, item: Datagram) -> Form | None:
        """The form of the message's flow and length that `read` compares it with first."""
        flow, length = id(item.flow), len(item.payload)
        few = (form for form in self._few(flow) if form.layout.length == length)
        return next(few, None) or self._many.get((flow, length))

    def _put_first(self, form: Form, instead: Form | None) -> None:
        """From now on compare messages of this flow and length with this form first, and no longer with `instead`."""
        flow, length = id(form.flow), form.layout.length
        self._count += instead is None
        few = [other for other in self._few(flow) if other is not instead]
        if len(few) < FEW and (flow, length) not in self._many:
            for one, following in pairwise((form, *few, None)):
                one.next = following   # type: ignore[union-attr]  # only the last is None
            self._forms[flow] = form
        else:
            self._many[flow, length] = form

    def places(self, form: Form) -> tuple[tuple[Span, ...], int]:
        """The places of the variables, and the first quoted one, in the message from which this batch learnt the form,
        to be passed to `told`. Later messages of the batch may have been longer."""
        layout = self._new[id(form)]
        return layout.spans, layout.quoted

    def told(self, item: Datagram, spans: tuple[Span, ...], quoted: int) -> Form:
        """The form of a message, as learnt by another process."""
        layout = self._layout(len(item.payload), spans, quoted)
        if layout is None:
            return Form(item.flow, Layout(len(item.payload), spans, quoted), 0)
        return self._form(item, layout)


def _digest(flow: Flow, layout: Layout, payload: bytes) -> int:
    """Hash of a flow (by identity, since each flow is one object) and of a message's constants."""
    return hash((id(flow), layout.constants(payload))) & DIGEST
