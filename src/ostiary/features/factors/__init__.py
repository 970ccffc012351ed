"""Factors: what an account has enrolled, whatever its kind, and the way out when everything is lost.

Each kind is a rib of its own that adds, proves and removes; here they are looked at together.

GET /auth/mfa          what is enrolled
GET /account/factors   the same as a page

ostiary users reset-factors   remove all of somebody who has lost them
"""
