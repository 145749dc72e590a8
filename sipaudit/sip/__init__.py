"""SIP reading: messages and headers as values, and a parser that never raises."""
