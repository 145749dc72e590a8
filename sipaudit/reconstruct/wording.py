"""What REGISTERs and their answers say, but for what is new in each of them: one value for all that say the same."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from sipaudit.model.events import CHALLENGES
from sipaudit.one import one_number, one_text
from sipaudit.sip.message import Address, Uri

TARGETS = 256   # Request-URIs remembered
ANSWERS = 256   # as many answers


class Asking(Struct, frozen=True, gc=False):
    """What REGISTERs of a line say, of one form or of several; `asked` in seconds."""

    uri: Uri
    contact: Address
    user_agent: str | None
    call_id: str
    host: str
    asked: int | None
    target: Uri
    to_tag: str | None


class Answering(Struct, frozen=True, gc=False):
    """What answers say to a REGISTER of their line, the same to many lines; `granted` in seconds (`granted_expiry`),
    `realm` of the one challenge, if it is one. (`challenges`) the REGISTER is to be sent again with credentials,
    (`grants`) a registration begins or goes on."""

    status: int
    granted: int | None
    realm: str
    challenges: bool
    grants: bool


def in_words_of(uri: Uri, user: str | None) -> Uri:
    """The same URI of texts that there are anyway: those of other URIs, and `user` where it is the same."""
    return Uri(one_text(uri.scheme), user if user == uri.user else uri.user, one_text(uri.host), one_number(uri.port),
               one_text(uri.parameters))


@lru_cache(TARGETS)
def one_uri(uri: Uri) -> Uri:
    """One for all that are equal: phones of a site register with a few names."""
    return uri


@lru_cache(ANSWERS)
def one_answer(status: int, granted: int | None, own: bool | None, realm: str) -> Answering:
    """One for all that are equal: a registrar says the same to all its lines."""
    return Answering(status, granted, realm, status in CHALLENGES, status == 200 and own is True and bool(granted))
