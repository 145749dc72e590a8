"""SIP shipped by capture agents: HEP over UDP, TCP and TLS (HEP3 specification, rev. 12)."""
