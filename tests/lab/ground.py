"""The addresses of the lab: all scenes use the same ones, each in its own namespaces."""

from __future__ import annotations

DOMAIN = "pbx.example.com"
SERVERS = {"P": "10.0.0.1", "S": "10.0.0.2", "T": "10.0.0.3"}
NAMES = {"P": "sbc1.example.com", "S": "sbc2.example.com", "T": "sbc3.example.com"}
GATEWAY = "10.0.0.9"      # behind the servers, unseen by the tap: answers calls to 2xxx, and calls the phones
RESOLVER = "10.0.0.53"
PHONES = "10.1.0."        # from .11 on
CALLEE = 2000             # and above: numbers behind the gateway
BUSY = 3000               # and above: numbers that are busy
PASSWORD = "secret"
TTL = 20                  # seconds, of all DNS names
RETRIES = 2               # retryMaxCount of all phones
