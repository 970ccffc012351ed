"""Network rules: from which networks and countries ostiary may be used, by everybody, by administrators, by roles.

The rules are settings, and `core/networks` obeys them: at the edge before anything is read of a request, at the door
once everything is proven, and at every use of a session, token or API key. Here is what an operator asks them.

    ostiary network check ADDRESS [--role ROLE]   what they say of an address, and why; exit status 0 or 1
"""
