"""The experiments: one file an idea; each answers the question it opens with."""
