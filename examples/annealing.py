"""Simulated annealing: the shortest tour through twelve cities, and a function full of local minima."""

import numpy as np

import thalweg as tw
from thalweg.problems import rastrigin, tour

known = tour()
cool = tw.schedules.Exponential(1.0, 1e-3, every=None)
result = tw.minimize(
    known.problem, known.x0, tw.SimulatedAnnealing(tw.moves.TwoOpt(), cool), stop=tw.Steps(100), restarts=8
)
found = np.sum(result.restarts.values <= known.minimum + 1e-5)
print(result)
print(f"tour {[int(city) for city in result.x]}")
print(f"{found} of 8 runs found the shortest, {known.minimum:.6f} by dynamic programming\n")

known = rastrigin()
cool = tw.schedules.Exponential(10.0, 1e-4, every=None)
near = tw.minimize(known.problem, known.x0, tw.SimulatedAnnealing(tw.moves.GaussianMove(0.5), cool), stop=tw.Steps(200))
there = tw.minimize(known.problem.objective.fun, near.x, tw.LBFGS(), on_failure="ignore")
print(f"annealing comes to {near.value:.2g}, {there.name} from there to {there.value:.2g}")
