"""Factors: what an account has enrolled, whatever its kind, and the way out when everything is lost.

Each kind is a rib of its own that adds, proves and removes; here they are looked at together.

GET /auth/mfa   what is enrolled
"""
