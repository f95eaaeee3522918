"""Simulated annealing (Kirkpatrick, Gelatt & Vecchi 1983) in the Metropolis form, one proposal after another.

The random numbers are given: `draws[t]` has, for every proposal of step t, the move's numbers and an exponential
variate. To accept below it is to accept with probability exp(-climb / T).
"""


def run(value, x0, draws, *, neighbor, temperature):
    """Best points and values, walkers, and accepted fractions, step by step."""
    here = best = x0
    here_value = best_value = value(x0)
    steps = [(best, best_value, here_value, None)]
    for t, level in enumerate(draws):
        accepted = 0
        for numbers, exponential in level:
            there = neighbor(here, numbers)
            there_value = value(there)
            climb = there_value - here_value
            if there_value < best_value:
                best, best_value = there, there_value
            if climb <= 0 or climb < temperature(t) * exponential:
                here, here_value = there, there_value
                accepted += 1
        steps.append((best, best_value, here_value, accepted / len(level)))
    return steps


def gaussian(scale):
    """X + scale * xi."""
    return lambda x, numbers: x + scale * numbers.astype(float)


def two_opt(x, numbers):
    """Places i to j reversed."""
    i, j = numbers
    return [*x[:i], *x[i : j + 1][::-1], *x[j + 1 :]]


def bit_flip(x, numbers):
    """The bits at these places changed."""
    return [1 - bit if place in numbers else bit for place, bit in enumerate(x)]
