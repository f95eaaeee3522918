"""Gradient descent whose rate falls when the loss plateaus; stretches are lists."""


def run(value_and_grad, x0, steps, *, learning_rate, factor, patience, relative, every, cooldown, min_scale):
    """Looks are written out one by one."""
    xs, losses, best, stale, waiting, scale = [x0], [], None, 0, 0, 1.0
    for _ in range(steps):
        value, g = value_and_grad(xs[-1])
        xs.append(xs[-1] - scale * learning_rate * g)
        losses.append(value)
        if len(losses) < every:
            continue
        mean, losses = sum(losses) / len(losses), []
        if best is None or mean < best - relative * abs(best):
            best, stale = mean, 0
        else:
            stale += 1
        if waiting > 0:
            waiting, stale = waiting - 1, 0
        elif stale == patience:
            scale, stale, waiting = max(scale * factor, min_scale), 0, cooldown
    return xs
