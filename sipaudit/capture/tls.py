"""TLS without keys: the hello, the records, the alerts of the handshake (RFC 5246 6, 7; RFC 8446 5, 6)."""

from __future__ import annotations

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23

_HEADER = 5
_LARGEST_RECORD = (1 << 14) + 2048  # RFC 5246 6.2.3
_PLAIN_ALERT = 2                    # level and description
_SEALED_ALERT = 24                  # RFC 8446 5.2: alert, content type and tag; the shortest Finished is longer
_FATAL = 2

_ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
    30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
    43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
    60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
    116: "certificate_required", 120: "no_application_protocol",
}


def is_record(data: bytes | bytearray) -> bool:
    """Whether a TLS record begins here."""
    return (
        len(data) >= _HEADER and CHANGE_CIPHER_SPEC <= data[0] <= APPLICATION_DATA and data[1] == 3 and data[2] <= 4
        and int.from_bytes(data[3:5], "big") <= _LARGEST_RECORD
    )


def is_client_hello(data: bytes | bytearray) -> bool:
    """Whether a ClientHello begins here; includes the SSL 2.0 form that old phones send (RFC 5246 E.2)."""
    if len(data) < 6:
        return False
    if data[0] == HANDSHAKE:
        return is_record(data) and data[5] == 1
    return _ssl2_hello(data) > 0


def may_begin_hello(data: bytes | bytearray) -> bool:
    """Whether this is the header of a handshake record and nothing more: the next byte decides if it is a hello."""
    return len(data) == _HEADER and data[0] == HANDSHAKE


def _ssl2_hello(data: bytes | bytearray) -> int:
    """Length of the SSL 2.0 record if `data` is exactly one with a ClientHello; 0 otherwise."""
    length = ((data[0] & 0x7F) << 8 | data[1]) + 2
    is_hello = data[0] & 0x80 and data[2] == 1 and data[3] == 3 and data[4] <= 4
    return length if is_hello and length == len(data) else 0


class Records:
    """Walks the records of one direction.

    `finished`: this side has sent its Finished, or may have sent it uncaptured.  `alert`: name of the last readable
    alert, `fatal`: its level was fatal.  `application`: number of application data records behind the handshake.
    `closing`: the last record was not application data.
    """

    __slots__ = ("_begun", "_ciphered", "_header", "_left", "alert", "application", "closing", "fatal", "finished")

    def __init__(self, whole: bool) -> None:
        self.finished = not whole   # joined in the middle: the handshake is not judged
        self.alert = ""
        self.fatal = False
        self.application = 0
        self.closing = False
        self._header = bytearray()  # of the record being entered, with the two bytes of an alert
        self._left = 0              # bytes of the record still to come
        self._begun = not whole
        self._ciphered = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        at = 0 if self._begun or len(data) < _HEADER else _ssl2_hello(data)
        self._begun = True
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            taken = self._enter(data[at : at + _HEADER + _PLAIN_ALERT - len(self._header)])
            if not taken:
                return
            at += taken

    def lost(self, count: int) -> None:
        """The next `count` bytes are not in the capture."""
        self.finished = True
        self._header.clear()
        self._left = max(self._left - count, 0)

    def _enter(self, data: bytes) -> int:
        """Read the header of a record, which may come in parts; returns how many bytes were consumed, 0 if this is no
        record."""
        held = len(self._header)
        self._header += data
        header = self._header
        if len(header) < _HEADER:
            return len(data)
        if not is_record(header):
            header.clear()
            return 0
        length = int.from_bytes(header[3:5], "big")
        is_alert = header[0] == ALERT and length == _PLAIN_ALERT
        if is_alert and len(header) < _HEADER + _PLAIN_ALERT:
            return len(data)
        self._note(header[0], length)
        if is_alert:
            self._alert(header[5], header[6])
        taken = _HEADER + (_PLAIN_ALERT if is_alert else 0)
        self._left = _HEADER + length - taken
        header.clear()
        return taken - held

    def _note(self, kind: int, length: int) -> None:
        self.closing = kind != APPLICATION_DATA
        if kind == CHANGE_CIPHER_SPEC:
            self._ciphered = True
        elif kind == HANDSHAKE and self._ciphered:
            self.finished = True
        elif kind == APPLICATION_DATA:
            self.application += self.finished
            self.finished = self.finished or length > _SEALED_ALERT

    def _alert(self, level: int, description: int) -> None:
        """Note a readable alert, which has two bytes; encrypted ones are longer."""
        self.alert = _ALERTS.get(description, str(description))
        self.fatal = level == _FATAL
