"""The route (`run.route`) on live traffic, for weeks: it takes items from sources and gives sayings to sinks."""
