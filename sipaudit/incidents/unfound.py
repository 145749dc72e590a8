"""Names that do not resolve: whether that fails anybody."""

from __future__ import annotations

from collections.abc import Mapping

from sipaudit.incidents.draft import Watched
from sipaudit.incidents.servers import ServerWatch
from sipaudit.model.events import Failed


def does_without(subject: Watched, event: Failed, servers: Mapping[str, ServerWatch]) -> bool:
    """Whether a line that does not find a server is registered, and works with another, of which its phone does not
    know more than that it does not find it either: the name of their list does not resolve, and nothing fails by that.
    """
    stay = subject.state.stays[subject.track]
    if stay is None or all(binding.until <= event.time for binding in subject.state.bindings):
        return False
    server = servers.get(stay.server)
    failing = None if server is None else server.failing.get(event.phone)
    return failing is None or failing.unnamed
