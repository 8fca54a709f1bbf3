"""Limits of a request, whichever server reads it."""

#: Bytes of request line and headers.
MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100

#: Of a host and a port. The name of a host has at most 253 characters (RFC 1035, section 2.3.4).
MAX_HOST_LENGTH = 260

#: Characters of the raw path and query.
MAX_TARGET_LENGTH = 8_000
MAX_BODY_BYTES = 64 * 1024
