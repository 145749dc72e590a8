"""The vocabulary of the expectations: conditions on a case, each with its clause.

A condition returns a `Ground`: the worlds of readings in which it holds, or the reason why it cannot be decided.
"""
