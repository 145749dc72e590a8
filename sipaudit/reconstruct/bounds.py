"""How much is remembered, and for how long.  Everything grows with what is open, nothing with what has passed."""

from __future__ import annotations

from msgspec import Struct

from sipaudit.model.timers import SILENCE_MAX

TRANSACTION_LIFE = SILENCE_MAX   # seconds after its last packet (RFC 3261 17)
UNANSWERED_LIFE = 128.0   # of one that waits for its final response: a server that comes to itself answers all at once
TRANSACTION_CHECK = 36.0  # so that an answer within 4 s costs one look only
RINGING_LIFE = 3600.0     # an INVITE with a provisional response has no limit (reference-model.md 6); a bound it needs
SWEEP = 4.0               # seconds between two looks at what is due

DIALOG_CHECK = 64.0
DIALOG_LIFE = 64.0        # a call that is over
CALL_LIFE = 86_400.0      # a call that is up, since its last message
SUBSCRIPTION_LIFE = 3600.0  # and never less than twice what was asked for

LEAP = 16.0               # seconds that one packet can make pass: a leaping clock must not make everything forgotten;
                          # more than SWEEP, so that who asks for what is due need not ask for a leap
SILENCE = 2.0             # seconds without an item after which it is asked whether the capture was away
SET_BACK = 60.0           # packets older than this against the newest: the clock was set back

START_TAKES = 600.0       # seconds from one sign of a start to the next, and to the first REGISTER
STARTS_KEPT = 8_192       # devices, and hosts, whose signs are remembered
MID_LIFE = 32.0           # seconds from a phone's first packet in which what has no beginning is no loss

STIRS = 10.0              # seconds in which a phone that starts answers what it is asked, before it registers
REFERRED = 60.0           # seconds after a REFER in which a call may be the one that it asks for
UNRESOLVED = 32.0         # seconds after a name failed in which a phone that starts may pass its server over

LINES_UNPROVEN = 16       # lines of a phone shown before they got a 2xx, and of a candidate for a phone
KEPT_CALL_IDS = 2         # former REGISTER Call-IDs remembered for a phone, and one more a line
AGAIN_KEPT = 64           # challenged requests of one phone waiting to be sent again
FORKS = 16                # remote tags of one leg
ROUTES = 8                # servers of one line remembered for finding its DNS chain
GUISES = 4                # looks of one phone (User-Agent, Contact port) remembered to see them alternate
SOURCE_LINES = 64         # lines (and phones) behind one address that a packet beside SIP may concern
LASTING = 300.0           # seconds over which a phone is heard that no flood invented
SHED = 8                  # a full table that is looked through whole sheds an eighth more than it must
SECOND_CHANCES = 8        # of what is known to matter, when a queue is full: so often its head goes to its end
VIEW_ENTRIES = 16         # server entries of one line that DNS tells of
ENTRY_NAMES = 256         # names that one entry was read from
NAME_ENTRIES = 64         # entries that were read from one name
ENTRY_LISTS = 32          # SRV sets that are compared with one declared entry
WORDS = 64                # different methods, statuses, defects counted by name


class Bounds(Struct, frozen=True):
    """Counts that may be set. The `strange` ones are for sources that are no phones (yet), so that a flood of theirs
    pushes out nothing of a phone's. docs/bounds.md says what each table holds and what goes first."""

    transactions: int = 200_000
    strange_transactions: int = 20_000
    legs: int = 100_000
    strange_legs: int = 5_000
    lines: int = 1_000_000
    candidates: int = 10_000
    strange_lines: int = 200_000  # of candidates, and of phones that show more of them than they were granted
    held: int = 64          # events kept for a candidate until it proves to be a phone
    servers: int = 10_000
    sights: int = 200_000
    names: int = 8_192      # resource record sets
    chains: int = 4_096     # server entries that DNS alone tells of
    devices: int = 2_000_000  # instances, MACs, AORs, Contacts behind NAT of which it is known where they are
