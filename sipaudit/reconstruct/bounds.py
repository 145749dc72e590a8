"""How much is stored, and for how long. Every table grows with what is open now, never with the capture's length."""

from __future__ import annotations

from msgspec import Struct

from sipaudit.model.timers import SILENCE_MAX

TRANSACTION_LIFE = SILENCE_MAX   # seconds after its last packet (RFC 3261 17)
UNANSWERED_LIFE = 128.0   # while waiting for a final response: a server that recovers answers all at once
TRANSACTION_CHECK = 36.0  # so that a transaction answered within 4 s is checked only once
RINGING_LIFE = 3600.0     # INVITE with a provisional response: no limit (reference-model.md 6), but it needs a bound
SWEEP = 4.0               # seconds between two sweeps of what is due

DIALOG_CHECK = 64.0
DIALOG_LIFE = 64.0        # a call that is over
CALL_LIFE = 86_400.0      # a call that is up, since its last message
SUBSCRIPTION_LIFE = 3600.0  # and never less than twice the requested expiry

LEAP = 16.0               # most seconds by which one packet advances our clock: a leaping clock must not expire all;
                          # more than SWEEP, so that the check for a due sweep covers a leap as well
SILENCE = 2.0             # seconds without an item after which the capture may have been interrupted
SET_BACK = 60.0           # a packet older than the newest by more than this: the clock was set back

START_TAKES = 600.0       # seconds from one sign of a start to the next, and to the first REGISTER
STARTS_KEPT = 8_192       # devices, and hosts, whose signs are remembered
MID_LIFE = 32.0           # seconds from a phone's first packet in which a transaction without a beginning is no loss

STIRS = 10.0              # seconds in which a starting phone may answer requests before it registers
REFERRED = 60.0           # seconds after a REFER in which a call may be the one it requested
UNRESOLVED = 32.0         # seconds after a failed lookup in which a starting phone may skip that server

LINES_UNPROVEN = 16       # lines of a phone shown before they got a 2xx, and of a candidate for a phone
KEPT_CALL_IDS = 2         # former REGISTER Call-IDs stored for a phone, plus one for each line
AGAIN_KEPT = 64           # challenged requests of one phone waiting to be sent again
FORKS = 16                # remote tags of one leg
ROUTES = 8                # servers of one line stored to find its DNS chain
GUISES = 4                # guises of one phone (User-Agent, Contact port) stored to detect that they alternate
SOURCE_LINES = 64         # lines (and phones) behind one address that a non-SIP packet may concern
LASTING = 300.0           # a phone seen over this many seconds was not made up by a flood
SHED = 8                  # a full table that is scanned whole sheds an eighth more than it must
SECOND_CHANCES = 8        # when a queue is full: how often a head that matters is moved to the end instead
VIEW_ENTRIES = 16         # server entries of one line that come from DNS
ENTRY_NAMES = 256         # names that one entry was read from
NAME_ENTRIES = 64         # entries that were read from one name
ENTRY_LISTS = 32          # SRV sets that are compared with one declared entry
WORDS = 64                # different methods, statuses, defects counted by name


class Bounds(Struct, frozen=True):
    """Configurable table sizes. The `strange` ones are for sources that are not (yet) phones, so that a flood of these
    evicts nothing of a phone's. docs/bounds.md says what each table holds and what is evicted first."""

    transactions: int = 200_000
    strange_transactions: int = 20_000
    legs: int = 100_000
    strange_legs: int = 5_000
    lines: int = 1_000_000
    candidates: int = 10_000
    strange_lines: int = 200_000  # lines of candidates, and of phones with too many lines that were never granted
    held: int = 64          # events held for a candidate until it proves to be a phone
    servers: int = 10_000
    sights: int = 200_000
    names: int = 8_192      # resource record sets
    chains: int = 4_096     # server entries known from DNS alone
    devices: int = 2_000_000  # instances, MACs, AORs, Contacts behind NAT whose address is known
