"""Incidents (reference-model.md 7): turns the events of all lines into what an operator reads.

`watch.Watch` receives the events while the lines are replayed. Each kind of incident has a detector of its own, whose
thresholds come from the rule pack. Everything is bounded: counters by server and minute, and open incidents by line.
"""
