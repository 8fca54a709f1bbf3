"""Generated ICC profiles, each as the bytes of its file."""

import struct


def display_p3() -> bytes:
    """A matrix profile with the primaries of Display P3 (SMPTE EG 432-1, adapted to D50) and the curve of sRGB."""
    # Parametric curve type 3 (ICC.1:2022, 10.18): g, a, b, c, d.
    curve = b"para\x00\x00\x00\x00\x00\x03\x00\x00" + b"".join(
        map(_fixed_point, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
    )
    return _profile(
        b"RGB ",
        b"XYZ ",
        {
            b"rXYZ": _xyz(0.51512, 0.24120, -0.00105),
            b"gXYZ": _xyz(0.29198, 0.69225, 0.04189),
            b"bXYZ": _xyz(0.15710, 0.06657, 0.78407),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def gamma_18() -> bytes:
    """A matrix profile with the primaries of sRGB and a gamma of 1.8, as that of ProPhoto RGB."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(1.8 * 256)) + bytes(2)
    return _profile(
        b"RGB ",
        b"XYZ ",
        {
            b"rXYZ": _xyz(0.4361, 0.2225, 0.0139),
            b"gXYZ": _xyz(0.3851, 0.7169, 0.0971),
            b"bXYZ": _xyz(0.1431, 0.0606, 0.7141),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def linear_grey() -> bytes:
    """A grey profile whose values are linear in light, so that 128 is much brighter than in sRGB."""
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": b"curv" + bytes(8)})


def strange_press() -> bytes:
    """A CMYK profile of a press with green ink as cyan, so that a conversion without the profile is noticed."""
    identity = bytes(range(256))
    corners = bytearray()
    for corner in range(16):
        cyan, magenta, yellow, black = (corner >> 3 & 1, corner >> 2 & 1, corner >> 1 & 1, corner & 1)
        # ICC Lab in 8 bits: L x 2.55, a and b + 128.
        light = 255 - 90 * cyan - 90 * magenta - 20 * yellow
        corners += bytes([0 if black else max(0, light), 128 - 70 * cyan + 70 * magenta, 128 + 50 * cyan + 60 * yellow])
    matrix = b"".join(map(_fixed_point, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table = b"mft1\x00\x00\x00\x00\x04\x03\x02\x00" + matrix + identity * 4 + bytes(corners) + identity * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table}, device=b"prtr")


def _fixed_point(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + _fixed_point(x) + _fixed_point(y) + _fixed_point(z)


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(data), 28) + data


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], *, device: bytes = b"mntr") -> bytes:
    """Pack a version 4 profile (ICC.1:2022, section 7)."""
    tags = {b"desc": _text("drawn"), b"cprt": _text("CC0"), b"wtpt": _xyz(0.9642, 1.0, 0.8249), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += padded
    head = struct.pack(">I4sI4s4s4s", offset + len(body), bytes(4), 0x04300000, device, space, connection)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _xyz(0.9642, 1.0, 0.8249)[8:] + bytes(48)
    return head + table + body
