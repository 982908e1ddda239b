"""The table of sockets: who holds which, in what state, with what options, and how that changes.

`listing` asks the kernel, `choose` says which sockets are wanted, `holders` answers who has a port,
`options` and `info` are what can be asked of one socket, `changes` compares two tables; the rest
puts them into words, JSON and tables. Reads only: nothing here changes a socket of another program.
"""
