"""AdEMAMix, from algorithm 1 of Pagliardini, Ablin & Grangier 2024, its schedules from section 3."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, b3, alpha, eps, weight_decay, mask, warmup):
    """`warmup` in steps."""
    decay, last = 0.0 if mask else weight_decay, b3
    xs, fast, slow, v = [x0], np.zeros_like(x0), np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        mix = alpha
        if t < warmup:
            start, end, part = np.log(b1), np.log(last), t / warmup
            mix, b3 = part * alpha, min(np.exp(start * end / ((1 - part) * end + part * start)), last)
        else:
            b3 = last
        for i in range(len(x)):
            fast[i] = b1 * fast[i] + (1 - b1) * g[i]
            slow[i] = b3 * slow[i] + (1 - b3) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            divisor = np.sqrt(v[i] / (1 - b2**t)) + eps
            x[i] = x[i] - learning_rate * ((fast[i] / (1 - b1**t) + mix * slow[i]) / divisor + decay * x[i])
        xs.append(x)
    return xs
