"""Identifiers that sort by time."""

import os
import time
import uuid


def uuid7() -> str:
    """Make a UUID of version 7 (RFC 9562): 48 bits of milliseconds, then chance."""
    random = int.from_bytes(os.urandom(10))
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
