"""The closed list of message defects.  A message's `defects` holds these words and no others.

A defect is an observation, never a reason to drop a message: the message is
kept and parsed as far as possible.  A message that is valid by RFC 3261 has none,
with the one exception explained at `content-length-short`.
"""

from __future__ import annotations

from enum import StrEnum


class Defect(StrEnum):
    """One word per problem. Clauses are those of RFC 3261 unless another RFC is named."""

    # The message as a whole.
    JUNK_BEFORE_START = "junk-before-start-line"  # bytes other than CR and LF precede it (7.5)
    NO_START_LINE = "no-start-line"               # neither a Request-Line nor a Status-Line (7.1, 7.2)
    START_LINE_SPACES = "start-line-spaces"       # more or other than single spaces between its parts (7.1)
    BAD_VERSION = "bad-version"                   # not SIP/2.0, in the start line or the topmost Via (7.1)
    BAD_STATUS = "bad-status"                     # the status code is not three digits from 100 to 699 (7.2)
    BARE_LINE_END = "bare-line-end"               # a line ends in LF or CR alone (7)
    UNENDED_HEAD = "unended-head"                 # no empty line ends the header fields (7)
    NOT_A_HEADER = "not-a-header"                 # a line without a name, a colon or a token for a name (7.3)
    NOT_UTF8 = "not-utf-8"                        # a header field is not UTF-8 (7.3.1)
    TOO_MANY_HEADERS = "too-many-headers"         # more lines than the parser reads; the rest is ignored
    LONG_HEADER = "long-header"                   # a header field longer than the parser reads; it is ignored
    TOO_MANY_VALUES = "too-many-values"           # more Contacts, Routes or credentials than are kept
    MISSING_VIA = "missing-via"                   # absent or empty (8.1.1), and so for the next four
    MISSING_FROM = "missing-from"
    MISSING_TO = "missing-to"
    MISSING_CALL_ID = "missing-call-id"
    MISSING_CSEQ = "missing-cseq"
    DUPLICATE_HEADER = "duplicate-header"         # a second value where one is allowed (7.3.1); the first is kept
    CSEQ_METHOD = "cseq-method"                   # CSeq names another method than the Request-Line (8.1.1.5)
    CONTENT_LENGTH_LONG = "content-length-long"   # fewer octets follow than it states (18.3)
    CONTENT_LENGTH_SHORT = "content-length-short"  # more octets follow: to be ignored (18.3), but worth reporting

    # One header field that cannot be read: its value is None, or empty where the field is mandatory.
    BAD_VIA = "bad-via"
    BAD_CALL_ID = "bad-call-id"
    BAD_CSEQ = "bad-cseq"
    BAD_CONTENT_LENGTH = "bad-content-length"
    BAD_EXPIRES = "bad-expires"                   # header or Contact parameter: no number up to 2**32 - 1 (20.19)
    BAD_MIN_EXPIRES = "bad-min-expires"
    BAD_RETRY_AFTER = "bad-retry-after"
    BAD_CREDENTIALS = "bad-credentials"           # a Digest without realm and nonce, challenge or answer (RFC 2617 3.2)
    BAD_RACK = "bad-rack"                         # RFC 3262 7.2
    BAD_DATE = "bad-date"                         # a time zone other than GMT (20.17)

    # Inside a value, whichever header field it stands in.
    BAD_URI = "bad-uri"                           # no scheme, or a character that must be escaped (19.1.1)
    BAD_HOST = "bad-host"                         # no host name, IPv4 address or IPv6 reference (RFC 5118 4)
    BAD_PORT = "bad-port"                         # not a number from 1 to 65535
    BRACKETED_REQUEST_URI = "bracketed-request-uri"  # in "<>" (7.1)
    REQUEST_URI_HEADERS = "request-uri-headers"   # carries "?" headers (19.1.1 table 1)
    SPACE_IN_URI = "space-in-uri"                 # 7.1, 25.1
    UNBRACKETED_URI = "unbracketed-uri"           # holds "?" or needs "<>" (20)
    UNCLOSED_BRACKET = "unclosed-bracket"         # "<" without ">"
    UNTERMINATED_QUOTE = "unterminated-quote"     # a quoted string does not end; read as unquoted text (25.1)
    BAD_DISPLAY_NAME = "bad-display-name"         # neither tokens nor one quoted string (25.1)
    EMPTY_VALUE = "empty-value"                   # nothing between two commas (7.3.1)
    EMPTY_PARAMETER = "empty-parameter"           # nothing between two semicolons (25.1)
    DUPLICATE_PARAMETER = "duplicate-parameter"   # the first counts (7.3.1)
    BAD_PARAMETER = "bad-parameter"               # a tag, rport or the like without a usable value
    EMPTY_BRANCH = "empty-branch"                 # nothing, or the magic cookie alone (8.1.1.7)


Found = list[Defect]
"""The list to which a header's parser adds the defects that it finds."""
