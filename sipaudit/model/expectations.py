"""What a phone must do and must not do, as two tables of rows.

Each row reads: when the *trigger* happens at such a *place*, in these regimes and modes, the conditions of `reach`
bring the row into play, and those of `when` make it a deviation from the named clause.  A condition returns a `Ground`:
a proposition over the readings, or the reason why it cannot be decided.

The conditions are in `conditions/`, the vocabulary of these tables.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from sipaudit.model.case import Condition
from sipaudit.model.conditions.bindings import (
    granted_nothing,
    holds_binding_there,
    no_binding_anywhere,
    no_binding_there,
    not_registered_since_left,
)
from sipaudit.model.conditions.calls import (
    after_a_failed_try,
    call_is_up,
    challenged_elsewhere,
    credentials_bound,
    fifth_failed_try,
    moved_often,
    no_boot_in_the_call,
    no_call_there,
    no_dial_plan,
    no_try_before,
    of_one_entry,
    registers_on,
    try_fails,
    try_is_open,
)
from sipaudit.model.conditions.failed_servers import (
    call_lives_there,
    last_failover,
    offered_while_failed,
    server_failed,
    spoken_while_failed,
)
from sipaudit.model.conditions.failures import (
    after_a_failure,
    failed_then_moved,
    not_logged_out,
    not_the_challenger,
    nothing_against,
    served_later,
    working_server_alive,
    works_on,
)
from sipaudit.model.conditions.overdue import (
    asked_before_due,
    no_leap_ahead,
    not_for_the_challenger,
    past_due,
    renews_only_here,
    still_below,
)
from sipaudit.model.conditions.primary import (
    no_boot_unserved_there,
    not_the_optimized_one,
    primary_untried,
    story_is_whole,
)
from sipaudit.model.conditions.ran_out import no_contact_elsewhere, ran_out_before
from sipaudit.model.conditions.refreshes import (
    not_turned_away,
    refreshes_nothing,
    registered_just_now,
    registers_at_one,
)
from sipaudit.model.conditions.requests import (
    calls_or_registers,
    deregisters,
    failback_request,
    gated_request,
    moves_on,
    not_either_way,
    of_a_call,
    of_no_call,
    opens_call,
    opens_dialog,
    registers,
    registration_required,
)
from sipaudit.model.conditions.servers import (
    all_resolved,
    below_primary,
    between_untouched,
    goes_back,
    is_new_here,
    list_unchanged,
    lower_server,
    no_equal_failed,
    one_head,
    order_unchanged,
    same_entry,
    several_servers,
    to_the_primary,
)
from sipaudit.model.conditions.timing import before_renewal, before_timeout, before_ttl, first_try, timer_known
from sipaudit.model.conditions.trust import (
    asked_more_than_once,
    judgeable,
    judgeable_by_anyone,
    knows_only_signal,
    modelled,
    no_boot_since,
    no_boot_unserved,
    nothing_missing,
)
from sipaudit.model.conditions.unseen import no_move_there, no_move_unseen
from sipaudit.model.conditions.whereabouts import left_for_nothing, not_back_yet, stay_was_seen, still_working
from sipaudit.model.observations import Verdict
from sipaudit.model.settings import Mode, Regime


class Trigger(StrEnum):
    """What brings rows into play."""

    REQUEST = "request"           # the phone starts a request out of any dialog
    CREDENTIALS = "credentials"   # it answers a challenge
    DIALOG = "dialog"             # it starts a request inside a dialog
    ANSWER = "answer"             # a response reaches it
    REPLY = "reply"               # it answers a request of a server
    MOVE = "move"                 # an answer has changed its working server


class Where(StrEnum):
    """Where the packet's server stands relative to the line's working server."""

    HERE = "here"
    AWAY = "away"
    ANYWHERE = "anywhere"


class About(StrEnum):
    """Which server a deviation names."""

    PACKET = "packet"     # the other end of the packet
    PRIMARY = "primary"   # the primary, which was not tried
    NONE = "none"


class Row(Struct, frozen=True):
    """One requirement. `expectation` is the name that rules select by, `clause` the requirement it enforces. A
    deviation that the event only reveals happened earlier: by as many seconds as the fact named in `timed`."""

    expectation: str
    clause: str
    verdict: Verdict
    trigger: Trigger
    place: Where
    regimes: frozenset[Regime]
    modes: frozenset[Mode]
    reach: tuple[Condition, ...]
    when: tuple[Condition, ...]
    about: About = About.PACKET
    timed: str | None = None


ALL = frozenset(Regime)
GATED = frozenset({Regime.R1, Regime.R2, Regime.R3})
INVALIDATING = frozenset({Regime.R2, Regime.R3})
R0, R1, R2 = frozenset({Regime.R0}), frozenset({Regime.R1}), frozenset({Regime.R2})
ANY_MODE = frozenset(Mode)
DNSTTL, RENEWAL, DURATION = frozenset({Mode.DNSTTL}), frozenset({Mode.REGISTRATION}), frozenset({Mode.DURATION})
BY_TIMER = DNSTTL | DURATION
NEW_REQUESTS = frozenset({Mode.NEW_REQUESTS})

TIMED = (timer_known, working_server_alive, asked_more_than_once, no_boot_since, list_unchanged, not_back_yet,
         judgeable)
STILL_FAILED = (same_entry, last_failover, no_boot_since, knows_only_signal, nothing_missing, judgeable)
A_TRY = (failback_request, same_entry, goes_back, first_try, is_new_here)
OVERDUE = (first_try, no_leap_ahead, timer_known, no_boot_since, list_unchanged, still_below, nothing_missing,
           judgeable)
OVERDUE_CALL = (*OVERDUE, not_for_the_challenger, served_later)
# The line itself moves to the request's server: nothing but a failure could explain it.
OF_ITS_OWN = (refreshes_nothing, registers_at_one, not_either_way, no_call_there, not_the_challenger, order_unchanged,
              stay_was_seen, no_boot_unserved, no_move_there, nothing_missing, judgeable_by_anyone)

REQUEST, HERE, AWAY, ANYWHERE = Trigger.REQUEST, Where.HERE, Where.AWAY, Where.ANYWHERE
FORBIDDEN, EARLY, MISSING, UNEXPECTED = Verdict.FORBIDDEN, Verdict.EARLY, Verdict.MISSING, Verdict.UNEXPECTED

MUST_NOT = (
    # -- registration
    Row("signal-before-registration", "F6", FORBIDDEN, REQUEST, AWAY, GATED, ANY_MODE,
        reach=(gated_request, registration_required, same_entry, after_a_failure),
        when=(no_binding_there, order_unchanged, no_boot_unserved, judgeable)),
    Row("valid-expiry", "F6", UNEXPECTED, Trigger.ANSWER, ANYWHERE, ALL, ANY_MODE,
        reach=(granted_nothing,), when=(modelled,)),
    Row("signal-without-binding", "F6", FORBIDDEN, REQUEST, HERE, INVALIDATING, ANY_MODE,
        reach=(opens_call, registration_required), when=(no_binding_anywhere, no_boot_unserved, judgeable)),
    Row("leave-in-silence", "F8", FORBIDDEN, REQUEST, ANYWHERE, GATED, ANY_MODE,
        reach=(deregisters, several_servers, failed_then_moved),
        when=(not_logged_out, works_on, no_boot_unserved, judgeable)),
    Row("no-second-registration", "F5", UNEXPECTED, REQUEST, ANYWHERE, R0, ANY_MODE,
        reach=(opens_call, registered_just_now), when=(several_servers, nothing_missing, judgeable), timed="elapsed"),
    Row("silence-to-failed", "F9", FORBIDDEN, Trigger.DIALOG, AWAY, R2, ANY_MODE,
        reach=(of_a_call, server_failed), when=(call_lives_there, *STILL_FAILED)),
    Row("silence-to-failed", "F9", FORBIDDEN, Trigger.DIALOG, AWAY, R2, ANY_MODE,
        reach=(of_no_call, server_failed), when=STILL_FAILED),
    Row("silence-to-failed", "F9", FORBIDDEN, REQUEST, AWAY, R2, ANY_MODE,
        reach=(of_no_call, server_failed), when=STILL_FAILED),
    Row("refuse-failed", "F9", FORBIDDEN, Trigger.REPLY, AWAY, R2, ANY_MODE,
        reach=(offered_while_failed,), when=STILL_FAILED),
    Row("refuse-failed", "F9", FORBIDDEN, Trigger.REPLY, AWAY, R2, ANY_MODE,
        reach=(spoken_while_failed,), when=STILL_FAILED),
    # -- failover
    Row("stay-while-it-works", "F1", UNEXPECTED, REQUEST, AWAY, ALL, ANY_MODE,
        reach=(moves_on, same_entry, lower_server, nothing_against),
        when=(no_try_before, no_equal_failed, not_turned_away, no_dial_plan, left_for_nothing, *OF_ITS_OWN)),
    Row("next-in-order", "F1", UNEXPECTED, REQUEST, AWAY, ALL, ANY_MODE,
        reach=(moves_on, same_entry, after_a_failure, between_untouched),
        when=(still_working, *OF_ITS_OWN)),
    Row("keep-secondary", "F11", FORBIDDEN, REQUEST, HERE, ALL, ANY_MODE,
        reach=(deregisters, try_is_open),
        when=(registers_on, several_servers, no_boot_unserved, nothing_missing, judgeable)),
    Row("keep-secondary", "F11", FORBIDDEN, REQUEST, AWAY, ALL, ANY_MODE,
        reach=(moves_on, same_entry, lower_server, nothing_against, after_a_failed_try),
        when=(not_turned_away, still_working, *OF_ITS_OWN, judgeable)),
    Row("credentials-to-challenger", "F13", FORBIDDEN, Trigger.CREDENTIALS, ANYWHERE, ALL, ANY_MODE,
        reach=(challenged_elsewhere,), when=(credentials_bound, of_one_entry, nothing_missing, judgeable)),
    Row("steady", "F11", UNEXPECTED, Trigger.MOVE, ANYWHERE, ALL, ANY_MODE,
        reach=(moved_often,), when=(judgeable,), about=About.NONE),
    # -- failback
    Row("failback-before-due", "B2", EARLY, REQUEST, AWAY, ALL, DNSTTL, reach=A_TRY, when=(before_ttl, *TIMED)),
    Row("failback-before-due", "B3", EARLY, REQUEST, AWAY, ALL, RENEWAL, reach=A_TRY, when=(before_renewal, *TIMED)),
    Row("failback-before-due", "B4", EARLY, REQUEST, AWAY, ALL, DURATION, reach=A_TRY, when=(before_timeout, *TIMED)),
    Row("failback-when-idle", "B5", FORBIDDEN, REQUEST, AWAY, INVALIDATING, BY_TIMER,
        reach=(registers, same_entry, goes_back, call_is_up),
        when=(working_server_alive, no_boot_in_the_call, list_unchanged, not_back_yet, no_move_there, judgeable)),
    Row("register-before-failback", "B6", FORBIDDEN, REQUEST, AWAY, INVALIDATING, ANY_MODE,
        reach=(opens_dialog, registration_required, same_entry, goes_back, not_registered_since_left),
        when=(working_server_alive, no_boot_since, not_back_yet, judgeable)),
    Row("failback-without-probe", "B7", UNEXPECTED, REQUEST, AWAY, R1, ANY_MODE - RENEWAL,
        reach=(registers, same_entry, to_the_primary, holds_binding_there),
        when=(working_server_alive, no_boot_since, not_back_yet, judgeable)),
    Row("failback-in-measure", "B5", UNEXPECTED, REQUEST, AWAY, INVALIDATING, BY_TIMER,
        reach=(same_entry, goes_back, fifth_failed_try),
        when=(try_fails, working_server_alive, no_boot_since, list_unchanged, not_back_yet, judgeable)),
)

MUST = (
    Row("failover-due", "F2", MISSING, REQUEST, HERE, ALL, ANY_MODE,
        reach=(calls_or_registers, ran_out_before),
        when=(several_servers, one_head, all_resolved, no_contact_elsewhere, still_working, no_move_unseen,
              nothing_missing, no_boot_unserved, judgeable_by_anyone)),
    Row("primary-first", "B1", MISSING, REQUEST, ANYWHERE, ALL, NEW_REQUESTS,
        reach=(opens_call, below_primary, primary_untried),
        when=(story_is_whole, not_the_optimized_one, order_unchanged, no_boot_unserved_there, nothing_missing,
              judgeable)),
    Row("failback-due", "B2", MISSING, REQUEST, HERE, ALL, DNSTTL, about=About.PRIMARY,
        reach=(opens_call, below_primary, past_due), when=OVERDUE_CALL),
    Row("failback-due", "B4", MISSING, REQUEST, HERE, ALL, DURATION, about=About.PRIMARY,
        reach=(opens_call, below_primary, past_due), when=OVERDUE_CALL),
    Row("failback-due", "B2", MISSING, REQUEST, HERE, INVALIDATING, DNSTTL, about=About.PRIMARY,
        reach=(registers, below_primary, past_due), when=(*OVERDUE, served_later)),
    Row("failback-due", "B4", MISSING, REQUEST, HERE, INVALIDATING, DURATION, about=About.PRIMARY,
        reach=(registers, below_primary, past_due), when=(*OVERDUE, served_later)),
    Row("failback-due", "B3", MISSING, REQUEST, HERE, INVALIDATING, RENEWAL, about=About.PRIMARY,
        reach=(registers, below_primary, renews_only_here),
        when=(timer_known, no_boot_since, list_unchanged, still_below, nothing_missing, judgeable,
              served_later)),
    Row("failback-due", "B2", Verdict.LATE, Trigger.ANSWER, HERE, INVALIDATING, DNSTTL, about=About.PRIMARY,
        timed="overdue", reach=(asked_before_due, below_primary, past_due), when=OVERDUE),
    Row("failback-due", "B4", Verdict.LATE, Trigger.ANSWER, HERE, INVALIDATING, DURATION, about=About.PRIMARY,
        timed="overdue", reach=(asked_before_due, below_primary, past_due), when=OVERDUE),
)

ROWS = (*MUST_NOT, *MUST)
EXPECTATIONS = frozenset(row.expectation for row in ROWS)
# The rows that a trigger brings into play, by expectation.
BY_TRIGGER: dict[Trigger, dict[str, tuple[Row, ...]]] = {
    trigger: {
        name: tuple(row for row in ROWS if row.expectation == name and row.trigger is trigger)
        for name in sorted({row.expectation for row in ROWS if row.trigger is trigger})
    }
    for trigger in Trigger
}
