"""
The two kinds of file that the service writes into a source's folder, as bytes.

A variant is a header and the encoded picture or text. A record is a line with a checksum, then JSON. A file whose
checksum is wrong is never served: a half-written, truncated or overwritten file counts as missing.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat as stat_flags
import struct
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imgcdn.core.output.formats import OUTPUTS
from imgcdn.core.values import (
    Body,
    Effort,
    EncodedImage,
    Facts,
    FailedVariant,
    FileStamp,
    NegativeEntry,
    OriginState,
    Previous,
    SourceRecord,
    Variant,
    Visit,
)
from imgcdn.store.bodies import StoredBody
from imgcdn.store.soundness import is_sound

# magic and layout version, format, width, height, body length, made-at, effort, SHA-256 of the body, key, flags, and 2
# bytes that are not used yet
_FIELDS = struct.Struct(">8s16sIIQQB32s32sB2x")

# The only flag. Variants that were stored before there were flags have none.
_PARTIAL = 1
_CHECKSUM = struct.Struct(">I")
_MAGIC = b"imgcdn\x00\x03"
_RECORD_MAGIC = b"imgcdn-record 1"
_EFFORTS = frozenset(effort.value for effort in Effort)

HEADER_BYTES = _FIELDS.size + _CHECKSUM.size

#: Larger files are read in slices. Otherwise 500 readers of a file of 5 MB would copy 2.5 GB before the next response.
LARGE_BYTES = 256 * 1024

#: No record is longer: its URL, headers and negative entries have greatest lengths, and JSON writes a character in at
#: most six bytes (`origins` holds the limits).
MAX_RECORD_BYTES = 256 * 1024

VARIANT_NAME = re.compile(r"[0-9a-f]{64}\.(" + "|".join(sorted({fmt.extension for fmt in OUTPUTS.values()})) + r")")
RECORD_NAME = "record"
ORIGINAL_NAME = "original"


def variant_name(key: str, format_name: str) -> str:
    """
    Return a variant's file name.

    The extension, for people and tools, is that of the planned format. The file may have another format, which its
    header names.
    """
    return f"{key}.{OUTPUTS[format_name].extension}"


def key_in(name: str) -> str:
    """Return the key in a variant's file name."""
    return name.partition(".")[0]


def pack_variant(image: EncodedImage, *, key: str, made_at: int) -> bytes:
    """
    Return the bytes of a variant's file.

    Args:
        image: The encoded picture or text.
        key: Its key. The header has it, so that a file in another's place is noticed.
        made_at: Unix time in whole seconds, the resolution of Last-Modified.
    """
    digest = hashlib.sha256(image.body).digest()
    fields = _FIELDS.pack(
        _MAGIC,
        image.format.encode("ascii"),
        *image.size,
        len(image.body),
        made_at,
        image.effort.value,
        digest,
        bytes.fromhex(key),
        _PARTIAL if image.partial else 0,
    )
    return fields + _CHECKSUM.pack(zlib.crc32(fields)) + image.body


def unpack_header(data: bytes, file_bytes: int, *, key: str) -> Variant | None:
    """
    Read a variant's header.

    Args:
        data: The beginning of the file.
        file_bytes: Length of the whole file, which must equal that of header and body.
        key: The key that the variant must have.

    Returns:
        The variant without its body; None if the header is damaged or of another variant, or the length is wrong.
    """
    if len(data) < HEADER_BYTES or _CHECKSUM.unpack_from(data, _FIELDS.size)[0] != zlib.crc32(data[: _FIELDS.size]):
        return None
    magic, format_name, width, height, length, made_at, effort, digest, own_key, flags = _FIELDS.unpack_from(data)
    name = format_name.rstrip(b"\x00").decode("ascii", "replace")
    if magic != _MAGIC or name not in OUTPUTS or effort not in _EFFORTS or file_bytes != HEADER_BYTES + length:
        return None
    if own_key.hex() != key:
        return None
    partial = bool(flags & _PARTIAL)
    return Variant(b"", name, (width, height), length, digest, made_at, Effort(effort), partial)


def read_variant(fd: int, file_bytes: int, *, key: str, known: Variant | None) -> Variant | None:
    """
    Read an open file.

    Args:
        file_bytes: Length of the file.
        key: The key that the variant must have.
        known: Its header, if this file was verified before; None to verify it now, which hashes the body.

    Returns:
        None if the file is damaged, or of another variant.

    Raises:
        OSError: The disk fails.
    """
    if file_bytes <= LARGE_BYTES and known is not None:
        # The body alone: it needs no copy without its header.
        body = os.pread(fd, known.length, HEADER_BYTES)
        return _with_body(known, body) if len(body) == known.length else None
    if file_bytes <= LARGE_BYTES:
        return unpack_variant(os.read(fd, file_bytes), file_bytes, key=key)
    header = known or unpack_header(os.pread(fd, HEADER_BYTES, 0), file_bytes, key=key)
    if header is None:
        return None
    stored = StoredBody(fd, HEADER_BYTES, header.length)
    return _with_body(header, stored) if known or stored.sha256() == header.digest else None


def unpack_variant(data: bytes, file_bytes: int, *, key: str) -> Variant | None:
    """
    Read a whole file from memory.

    Args:
        data: The bytes that were read.
        file_bytes: Length of the file.
        key: The key that the variant must have.
    """
    header = unpack_header(data, file_bytes, key=key)
    body = data[HEADER_BYTES:]
    if header is None or len(body) != header.length:
        return None
    return _with_body(header, body) if hashlib.sha256(body).digest() == header.digest else None


def _with_body(header: Variant, body: Body) -> Variant:
    # Not dataclasses.replace, which takes five times as long, in every hit.
    of_header = header.size, header.length, header.digest, header.made_at, header.effort, header.partial
    return Variant(body, header.format, *of_header)


def file_stamp(fd: int) -> FileStamp:
    """Return the stamp of an open file."""
    return stamp_of(os.fstat(fd))


def path_stamp(path: str | Path) -> FileStamp | None:
    """Return the stamp of the file at a path, without following a link; None if there is no regular file."""
    try:
        stat = os.lstat(path)
    except OSError:
        return None
    return stamp_of(stat) if stat_flags.S_ISREG(stat.st_mode) else None


def stamp_of(stat: os.stat_result) -> FileStamp:
    """Return the stamp of the result of a stat."""
    return FileStamp(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def remove_file(path: str) -> bool:
    """Remove a file. Return whether this call removed it; a missing file is no error."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def remove_if_same(path: str, stat: os.stat_result) -> None:
    """Remove a file, unless another file has been published at its path since it was looked at."""
    with contextlib.suppress(OSError):
        if os.path.samestat(os.lstat(path), stat):
            os.unlink(path)


def write_file(path: str, data: bytes) -> OSError | None:
    """
    Write a file completely, or not at all. Return the error, or None.

    It is written under a new name, then renamed. So a file that an earlier attempt left at this path is replaced.
    """
    unfinished = f"{path}.{secrets.token_hex(8)}"
    try:
        file = open(unfinished, "xb", buffering=0)  # noqa: SIM115  # if this fails, there is no file to remove
    except OSError as error:
        return error
    try:
        with file:
            rest = memoryview(data)
            while rest:  # a disk that fills up first writes a part
                rest = rest[file.write(rest) :]
        os.rename(unfinished, path)
    except OSError as error:
        remove_file(unfinished)
        return error
    return None


def pack_record(record: SourceRecord) -> bytes:
    """Return the bytes of a record's file."""
    text = json.dumps(asdict(record), separators=(",", ":")).encode("utf-8")
    return b"%s %08x\n%s" % (_RECORD_MAGIC, zlib.crc32(text), text)


def unpack_record(data: bytes) -> SourceRecord | None:
    """Read a record. Return None if it is damaged, too long, or has another layout."""
    if len(data) > MAX_RECORD_BYTES:
        return None
    head, _, text = data.partition(b"\n")
    if head != b"%s %08x" % (_RECORD_MAGIC, zlib.crc32(text)):
        return None
    try:
        fields = json.loads(text)
        facts, negative, origin = fields["facts"], fields["negative"], fields["origin"]
        record = SourceRecord(
            version=fields["version"],
            stamp=FileStamp(**fields["stamp"]),
            facts=_unpack_facts(facts) if facts else None,
            negative=NegativeEntry(**negative) if negative else None,
            origin=_unpack_origin(origin) if origin else None,
            failed=tuple(
                FailedVariant(each["key"], NegativeEntry(**each["negative"])) for each in fields.get("failed", ())
            ),
            previous=_unpack_previous(fields.get("previous")),
        )
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):  # complete, but of a version with other fields
        return None
    if not is_sound(record, SourceRecord) or not (record.facts is None or record.facts.are_possible):
        return None
    return record if record.previous is None or record.previous.facts.are_possible else None


def _unpack_facts(fields: dict[str, Any]) -> Facts:
    return Facts(**{**fields, "size": tuple(fields["size"])})


def _unpack_previous(fields: dict[str, Any] | None) -> Previous | None:
    return Previous(fields["version"], _unpack_facts(fields["facts"]), fields["until"]) if fields else None


def _unpack_origin(fields: dict[str, Any]) -> OriginState:
    way = tuple(Visit(**each) for each in fields["way"])
    headers = tuple((str(name), str(value)) for name, value in fields["headers"])
    return OriginState(**{**fields, "way": way, "headers": headers, "seen": tuple(fields["seen"])})
