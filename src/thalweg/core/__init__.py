"""The nouns and the values, the pure loop; imports nothing else of the package."""
