"""Calling out by HTTP: the one client, for addresses that others may have written (L18).

A caller asks `client.Outgoing` for a `Client` with its own limits and sends with it; the answer is status, headers and
bytes. On the way the URL is read by a strict reader (`target`), its name is resolved once (`names`), *every* address
that came is judged (`reach`), and the connection goes to one of those very addresses (`network`), with the name in TLS
and in the Host header: a name that changes its answer between check and use gains nothing. Size, header size and total
time are bounded, on the wire and after decoding (`answer`).

There is nothing here that could follow a redirect, keep a cookie, ask a proxy or read the environment: the connection
is httpcore2's, and the client that would do those things is not used (docs/decisions/0013).

Errors (`failure`): `OutOfReach` for what is never called, `NoAnswer` for what failed today.
"""
