"""Rules that treat a matrix as a matrix: its singular values, the covariances of its rows and columns."""
