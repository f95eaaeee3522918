"""Many runs in one compiled program: the pool of lanes, restarts, and the results of many runs."""
