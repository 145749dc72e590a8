"""Captures whose truth is known: phones, servers and a network played from a plan.

Written from the specification as behaviour of phones, independently of the model that judges them: nothing of
`model`, `rulebook`, `reconstruct`, `settings` or `sip` is used here (an import contract), so that a misreading of the
specification in one of the two shows as a disagreement.
"""
