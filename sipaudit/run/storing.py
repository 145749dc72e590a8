"""A store beside a run, and a store as a report; the libraries of databases are loaded only when there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, tzinfo

from sipaudit.model.values import Report
from sipaudit.times import Span, check_order, parse_time, span_of

PeriodFrom = Callable[[float], Span]    # of the first packet


@contextmanager
def keeper(url: str | None) -> Iterator[Callable[[Report], None]]:
    """What to do with a report at the end of a run: nothing, or write it into the store, which is opened now. Raises
    InputError when that cannot be done, and later OSError when the store fails."""
    if url is None:
        yield lambda _: None
        return
    from sipaudit.store.analysis import keep
    from sipaudit.store.opening import open_for_writing

    with closing(open_for_writing(url)) as store:
        yield lambda report: keep(store, report)


def period(start: str | None, end: str | None, zone: tzinfo) -> PeriodFrom:
    """What `--from` and `--to` choose of a store. Raises InputError."""
    begins = None if start is None else parse_time(start, zone, option="--from")
    ends = None if end is None else parse_time(end, zone, option="--to")

    def chosen(first: float) -> Span:
        span = span_of(begins, ends, first)
        check_order(span, zone)
        return span

    return chosen


def read(url: str, chosen: PeriodFrom | None) -> Report:
    """The report of a period of a store, or of all of it. Raises InputError and OSError."""
    from sipaudit.store import reading
    from sipaudit.store.opening import open_for_reading

    with closing(open_for_reading(url)) as store:
        return reading.read(store, period(None, None, UTC) if chosen is None else chosen)
