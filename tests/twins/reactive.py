"""Gradient descent that halves its rate at a spike and makes it ten times larger where the loss barely moves."""


def run(
    value_and_grad, x0, steps, *, learning_rate, shrink, grow, spike, barely, every, cooldown, min_scale, max_scale
):
    """Stretches are lists; the time since the last growth is counted in them."""
    xs, losses, last, scale, spiked, waiting = [x0], [], None, 1.0, False, 1
    for _ in range(steps):
        value, g = value_and_grad(xs[-1])
        xs.append(xs[-1] - scale * learning_rate * g)
        losses.append(value)
        last = value if last is None else last
        if value - last > (spike - 1) * abs(last):
            scale, spiked, last, losses = max(scale * shrink, min_scale), True, value, []
        elif len(losses) >= every:
            mean, losses = sum(losses) / len(losses), []
            moved = last - mean >= barely * abs(last)
            if not moved and not spiked and waiting == 0:
                scale, waiting = min(scale * grow, max_scale), cooldown
            else:
                waiting = max(waiting - 1, 0)
            last = mean
    return xs
