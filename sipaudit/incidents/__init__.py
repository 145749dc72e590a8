"""From what happens to all lines to what an operator reads: incidents (reference-model.md 7).

`watch.Watch` is fed while the route is driven, by whom the lines are replayed;
each kind has a detector of its own, whose thresholds come from the rule pack.
Everything is bounded: counters by server and minute, and what is open by line.
"""
