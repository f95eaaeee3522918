"""Layer-wise rules: each uses a statistic of a whole layer, such as its norm, its row means or its block means."""
