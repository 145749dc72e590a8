"""Options given to a probe must have an effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sipaudit.errors import InputError
from sipaudit.live.inputs import open_sources
from sipaudit.live.orders import Orders
from sipaudit.run.job import Job


@pytest.mark.parametrize(("given", "said"), [
    ({"job": Job((), bpf="udp")}, "--filter has no effect without an interface"),
    ({"hep_key": "secret"}, "--hep-key has no effect without --hep"),
    ({"hep_cert": "cert.pem"}, "--hep-cert has no effect without --hep tls://"),
    ({"hep": ("udp://127.0.0.1:0",), "hep_cert": "cert.pem"}, "--hep-cert has no effect without --hep tls://"),
    ({"hep": ("tcp://127.0.0.1:0",), "hep_keyfile": "key.pem"}, "--hep-keyfile has no effect without --hep tls://"),
    ({"follow": ("a", "b", "a")}, "--follow a: is named twice"),
    ({"follow": ("a", "b", "./c/../a/")}, "--follow ./c/../a/: is named twice"),
    ({"interfaces": ("lo",), "notify_severity": "error"}, "--notify-severity has no effect without --notify"),
])
def test_what_has_no_effect_is_refused_before_anything_is_opened(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        open_sources(Orders(**{"job": Job(()), "follow": (str(tmp_path),), **given}))
