"""sipaudit: a passive SIP failover auditor."""

from sipaudit.errors import InputError

__version__ = "0.1.0"
__all__ = ["InputError", "__version__"]
