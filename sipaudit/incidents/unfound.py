"""Names that do not resolve: whether a line is harmed by that."""

from __future__ import annotations

from collections.abc import Mapping

from sipaudit.incidents.draft import Watched
from sipaudit.incidents.servers import ServerWatch
from sipaudit.model.events import Failed


def does_without(subject: Watched, event: Failed, servers: Mapping[str, ServerWatch]) -> bool:
    """Whether a line can do without a server whose name does not resolve: it is registered, and works with another
    server, against which its phone has no evidence other than that its name does not resolve either. Then the name of
    their list does not resolve, and nothing fails because of it.
    """
    stay = subject.state.stays[subject.track]
    if stay is None or all(binding.until <= event.time for binding in subject.state.bindings):
        return False
    server = servers.get(stay.server)
    failing = None if server is None else server.failing.get(event.phone)
    return failing is None or failing.unnamed
