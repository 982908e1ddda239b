"""The client's side of a conversation: what `fourtuple talk` does.

`call` puts it together; `connecting` makes the connection, `codecs` know what is spoken on it,
`pump` moves bytes between it and a `source`, `journal` notes each call, `views` makes a Timeline of
all that, and `trouble` says in words what went wrong.
"""

__all__: list[str] = []
