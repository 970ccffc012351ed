"""Roles: what one's own account may do, for its owner; roles and who holds them, for operators.

GET  /auth/account/roles      the roles that the account holds, and what they allow
GET  /account/roles           the same as a page
     /account/roles/people    whoever may gives roles to people, and takes them
ostiary roles …               list, define, drop, grant, revoke, explain
"""
