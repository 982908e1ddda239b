"""The rules of the catalog: one family a file, each a table of `Rule`s and `findings`."""
