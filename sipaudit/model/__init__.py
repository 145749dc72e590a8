"""The reference failover model: pure values and functions, no SIP syntax, no clock, no I/O."""
