"""Matrix rules: each uses the singular values of a weight matrix, or the covariances of its rows and columns."""
