"""The lab: hosts that are network namespaces, a wire that is our own program, and experiments.

Who runs where: the *launcher* (the command, or a test) forks a *session*: a process tree of its
own in fresh namespaces. Its first process, the *director*, carries out the experiment's script; it
forks one *program* for each program of a host, and the *wire*, which carries every frame. All of
them append what they see to one *log*; the launcher turns that into a Timeline.

No numpy is imported before the session has its namespaces, and never in a program or the wire.
"""
