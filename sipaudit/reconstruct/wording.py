"""The constant content of REGISTERs and their answers, without what is new in each: one shared value for equal content.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from sipaudit.model.events import CHALLENGES
from sipaudit.one import one_number, one_text
from sipaudit.sip.message import Address, Uri

TARGETS = 256   # Request-URIs in the cache
ANSWERS = 256   # answers in the cache


class Asking(Struct, frozen=True, gc=False):
    """The constant content of a line's REGISTERs, of one form or of several; `asked` in seconds."""

    uri: Uri
    contact: Address
    user_agent: str | None
    call_id: str
    host: str
    asked: int | None
    target: Uri
    to_tag: str | None


class Answering(Struct, frozen=True, gc=False):
    """The constant content of answers to a REGISTER, shared by many lines; `granted` in seconds (`granted_expiry`),
    `realm` of the challenge, if it is one. `challenges`: the REGISTER is to be sent again with credentials; `grants`: a
    registration begins or continues."""

    status: int
    granted: int | None
    realm: str
    challenges: bool
    grants: bool


def in_words_of(uri: Uri, user: str | None) -> Uri:
    """An equal URI made of string objects that exist already: those of other URIs, and `user` if equal."""
    return Uri(one_text(uri.scheme), user if user == uri.user else uri.user, one_text(uri.host), one_number(uri.port),
               one_text(uri.parameters))


@lru_cache(TARGETS)
def one_uri(uri: Uri) -> Uri:
    """One shared object for equal URIs: phones of a site register with a few names."""
    return uri


@lru_cache(ANSWERS)
def one_answer(status: int, granted: int | None, own: bool | None, realm: str) -> Answering:
    """One shared object for equal answers: a registrar answers all its lines alike."""
    return Answering(status, granted, realm, status in CHALLENGES, status == 200 and own is True and bool(granted))
