"""The heavy ball whose memory is rounded to nearest after every step, entry by entry and bit by bit.

bfloat16 keeps the upper half of a float32; blocks of bytes are searched in the table of all 255 values, as Dettmers,
Lewis, Shleifer & Zettlemoyer 2022 search theirs.
"""

import numpy as np

CODES = np.arange(-127, 128).astype(np.float32) / np.float32(127)
TABLE = CODES * abs(CODES) * CODES**2


def run(value_and_grad, x0, steps, *, learning_rate, beta, accumulate, nesterov, dtype, rounding, min_size):
    """The plain form of the momentum only."""
    assert (accumulate, nesterov, rounding) == ("gradients", False, "nearest")
    xs, m = [x0], np.zeros_like(x0)
    for _ in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            m[i] = beta * m[i] + g[i]
            x[i] = x[i] - learning_rate * m[i]
        m = half(m) if dtype == "bfloat16" else byte(m)
        xs.append(x)
    return xs


def half(m):
    """The nearest number with 16 bits, ties to even."""
    out = np.zeros_like(m)
    for i, entry in enumerate(m):
        bits = int(np.float32(entry).view(np.uint32))
        upper, lower = bits >> 16, bits & 0xFFFF
        upper += lower > 0x8000 or (lower == 0x8000 and upper % 2)
        out[i] = np.uint32(upper << 16).view(np.float32)
    return out


def byte(m):
    """The nearest value of the table, but for entries other than 0 not 0; in float32, as it is stored."""
    assert len(m) <= 256, "one block"
    m, out = m.astype(np.float32), np.zeros_like(m)
    scale = max(abs(m))
    for i, entry in enumerate(m):
        if entry != 0:
            values = TABLE[np.sign(TABLE) == np.sign(entry)]
            out[i] = scale * values[np.argmin(abs(values - entry / scale))]
    return out
