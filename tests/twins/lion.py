"""Lion, from algorithm 2 of Chen et al. 2023."""


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, weight_decay, mask):
    """The rate may be a schedule."""
    decay = 0.0 if mask else weight_decay
    xs, m = [x0], 0 * x0
    for t in range(steps):
        x, rate = xs[-1].copy(), float(learning_rate(t)) if callable(learning_rate) else learning_rate
        _, g = value_and_grad(x)
        for i in range(len(x)):
            c = b1 * m[i] + (1 - b1) * g[i]
            sign = 1 if c > 0 else -1 if c < 0 else 0
            x[i] = x[i] - rate * (sign + decay * x[i])
            m[i] = b2 * m[i] + (1 - b2) * g[i]
        xs.append(x)
    return xs
