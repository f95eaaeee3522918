"""Lookahead around gradient descent, algorithm 1 of Zhang, Lucas, Hinton & Ba 2019: two loops."""


def run(value_and_grad, x0, total, *, learning_rate, steps, fraction):
    """The fast weights after every step; the last ones of a cycle are the slow weights."""
    xs, slow = [x0], x0
    while len(xs) <= total:
        fast = slow
        for _ in range(steps):
            _, g = value_and_grad(fast)
            fast = fast - learning_rate * g
            xs.append(fast)
        slow = slow + fraction * (fast - slow)
        xs[-1] = slow
    return xs[: total + 1]
