"""The HTTP plumbing that every rib stands on: routes and their guards, cookies, CSRF, headers, addresses, problems.

A request passes, from the outside in: `assembly.App` (visit, TRACE) → `headers` → `cors` → `problems` → https
redirect → `body` → `csrf` → hot routes or the FastAPI app. Everything is pure ASGI, and nothing here knows a feature.
"""
