"""The properties of a line: those that its requests show, and those that the site file declares."""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.one import one_number, one_text
from sipaudit.reconstruct.contacts import port_of
from sipaudit.reconstruct.entries import Entries
from sipaudit.reconstruct.identity import note_guise
from sipaudit.reconstruct.knowledge import Knowledge
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.useragent import read_user_agent
from sipaudit.reconstruct.wording import in_words_of
from sipaudit.sip.message import Address, Uri


class Descriptions:
    """Describes lines: `knowledge` comes from the site file, `entries` holds the servers that it declares."""

    __slots__ = ("_entries", "_knowledge")

    def __init__(self, knowledge: Knowledge, entries: Entries) -> None:
        self._knowledge = knowledge
        self._entries = entries

    def obey(self, knowledge: Knowledge) -> None:
        """Another site file is in force; it applies to a line when `declare` is next called."""
        self._knowledge = knowledge

    def declare(self, line: Line) -> None:
        """Apply the site file's declaration to the line as identified now."""
        line.declaration = self._knowledge.declare(line.identity)
        line.renewals = None   # what counts as a mere renewal may depend on it
        view = self._entries.view(line.declaration.entries)
        if view is not line.view:
            line.view = view
            line.revision = -1
            line.flow = None

    def name(self, line: Line, aor: str, uri: Uri) -> None:
        """Set the line's AOR."""
        if line.aor == aor:
            return
        line.aor, line.user, line.domain = aor, uri.user or "", uri.host
        self.declare(line)

    def refresh(self, line: Line, contact: Address, user_agent: str | None) -> None:
        """Store what a request of the line shows: its Contact's port and its User-Agent."""
        port = port_of(contact.uri) if contact.uri.host == line.contact_host else line.contact_port
        user_agent = user_agent and one_text(user_agent)   # one text for all phones of a make
        note_guise(line, (user_agent or line.user_agent, port))
        if line.address != contact:
            line.address = replace(contact, uri=in_words_of(contact.uri, line.contact_user))
        line.contact_port = one_number(port)
        if user_agent is not None and user_agent != line.user_agent:
            self._describe(line, user_agent)
        line.user_agent = user_agent or line.user_agent

    def _describe(self, line: Line, user_agent: str) -> None:
        phone, before = line.owner, line.user_agent
        line.device = read_user_agent(user_agent)
        line.user_agent = user_agent
        phone.vendor = line.device.vendor
        if before is None:
            self.declare(line)
