"""Zeroes the code for other GPUs in a CUDA library, so that it compresses well.

usage: python3 bench/prune.py LIBRARY ARCH     keeps what is for sm_ARCH, and its PTX

A fatbin is a header (magic, version 1, size 16, bytes of all entries) and entries: kind (1 PTX, 2
ELF), version, header size, payload size, and at byte 28 the architecture.
"""

import struct
import sys

MAGIC = struct.pack("<IHH", 0xBA55ED50, 1, 16)

path, wanted = sys.argv[1], int(sys.argv[2])
with open(path, "r+b") as file:
    data = bytearray(file.read())
    start = data.find(MAGIC)
    while start >= 0:
        (size,) = struct.unpack_from("<Q", data, start + 8)
        entry, end = start + 16, start + 16 + size
        while entry < end:
            _, _, header, payload = struct.unpack_from("<HHIQ", data, entry)
            (arch,) = struct.unpack_from("<I", data, entry + 28)
            if arch != wanted:
                first = entry + header
                data[first : first + payload] = bytes(payload)
            entry += header + payload
        start = data.find(MAGIC, end)
    file.seek(0)
    file.write(data)
