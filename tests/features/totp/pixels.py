"""Owns a painter for the few kinds of SVG paths that a QR code is made of."""

import re

_TOKEN = re.compile(r"([Mmh])(-?[\d.]+)(?:[ ,]?(-?[\d.]+))?")


def painted(svg: str, scale: int = 4) -> memoryview:
    """A grey picture of the code, white where nothing is drawn: rows of bytes, as decoders take them."""
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    lines = re.search(r'<path[^>]*stroke="#000"[^>]* d="([^"]+)"', svg)
    assert size is not None
    assert lines is not None
    side = int(size[1])
    dark = [[False] * side for _ in range(side)]
    x = y = 0.0
    for kind, first, second in _TOKEN.findall(lines[1]):
        if kind == "h":
            for column in range(int(x), int(x + float(first))):
                dark[int(y)][column] = True
            x += float(first)
        elif kind == "M":
            x, y = float(first), float(second)
        else:
            x, y = x + float(first), y + float(second)
    rows = b"".join(bytes(0 if cell else 255 for cell in row for _ in range(scale)) * scale for row in dark)
    return memoryview(rows).cast("B", (side * scale, side * scale))
