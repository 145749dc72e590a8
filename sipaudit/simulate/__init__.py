"""Captures with known truth: simulated phones, servers and a network that act out a plan.

The phones' behaviour is written from the specification, independently of the model that judges it: an import contract
forbids the use of `model`, `rulebook`, `reconstruct`, `settings` and `sip` here, so that a misreading of the
specification on either side shows as a disagreement.
"""
