"""The only raw operating-system calls: namespaces, links, packet sockets, netlink, sysctls.

`capabilities` finds out what this machine allows. Linux only; imports no numpy, and pyroute2 only
where links are made. Knows nothing of experiments.
"""
