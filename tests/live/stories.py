"""Stories that several live tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.frames import write_pcap
from tests.live.ear import Ear
from tests.stories import MINUTE, R2, Handset, P, S, Story, handsets, site
from tests.traps.ground import handset

SITE = site({**R2, **MINUTE}, P, S)
QUARTER = site({**R2, "failBack.mode": "duration", "failBack.timeout": 900}, P, S)
EARLY, OFTEN = "premature-failback", "failback-retried-too-often"


def retries(count: int = 5) -> Story:
    """A phone that moved to S and tries P every minute once it may: the fifth try is one too many."""
    phone = handset()
    phone.register(phone.silence(300, P, "REGISTER"), S)
    for number in range(count):
        phone.silence(1300 + 60 * number, P, "REGISTER")
    return phone.story


def outage(folder: Path) -> tuple[Path, Path]:
    """A site file, and a capture of some seconds in which P does not answer three phones and they move to S."""
    story = Story()
    phones = handsets(story, range(10, 13))
    for number, phone in enumerate(phones):
        phone.register(number / 10)
        asked = phone.ask(0.5 + number / 10, P, "REGISTER", expires=3600)
        phone.again(1.0 + number / 10, asked)
        phone.again(2.0 + number / 10, asked)
    return written(folder, "outage", story), declared(folder, site({**R2, **MINUTE}, P, S))


def written(folder: Path, name: str, story: Story) -> Path:
    return write_pcap(folder / f"{name}.pcap", story.frames())


def declared(folder: Path, what: dict[str, Any]) -> Path:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(what))
    return path


def early_return(phone: Handset, start: float) -> None:
    """The phone moves to S, and returns much too soon."""
    phone.fail_over(start)
    phone.register(start + 30, P)
    phone.call(start + 31, P)


def returned_early(ear: Ear) -> tuple[Story, Handset]:
    """Feed a phone that returned too early; the finding was said."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    early_return(phone, 300)
    ear.hears(story)
    ear.turn(400)
    return story, phone
