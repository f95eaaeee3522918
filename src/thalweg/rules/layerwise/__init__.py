"""Rules that look at a layer as a whole: its norm, its rows and columns, its blocks."""
