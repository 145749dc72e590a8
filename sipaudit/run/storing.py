"""Writing a run into a store, and reading a report from one; database libraries are imported only if there is a store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, tzinfo

from sipaudit.model.values import Report
from sipaudit.times import Span, check_order, parse_time, span_of

PeriodFrom = Callable[[float], Span]    # from the time of the first packet


@contextmanager
def keeper(url: str | None) -> Iterator[Callable[[Report], None]]:
    """A function to call with the report at the end of a run: it does nothing, or writes the report into the store,
    which is opened now. Raises InputError if the store cannot be opened, and later OSError if it fails."""
    if url is None:
        yield lambda _: None
        return
    from sipaudit.store.analysis import keep
    from sipaudit.store.opening import open_for_writing

    with closing(open_for_writing(url)) as store:
        yield lambda report: keep(store, report)


def period(start: str | None, end: str | None, zone: tzinfo) -> PeriodFrom:
    """The part of a store chosen by `--from` and `--to`. Raises InputError."""
    begins = None if start is None else parse_time(start, zone, option="--from")
    ends = None if end is None else parse_time(end, zone, option="--to")

    def chosen(first: float) -> Span:
        span = span_of(begins, ends, first)
        check_order(span, zone)
        return span

    return chosen


def read(url: str, chosen: PeriodFrom | None) -> Report:
    """The report of a period of a store, or of the whole store. Raises InputError and OSError."""
    from sipaudit.store import reading
    from sipaudit.store.opening import open_for_reading

    with closing(open_for_reading(url)) as store:
        return reading.read(store, period(None, None, UTC) if chosen is None else chosen)
