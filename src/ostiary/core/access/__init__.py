"""Access: who may do what.

Roles (`roles`, `store`) grant patterns of permissions (`permission`); policies (`policy`, `expression`) speak beyond
roles and filter rows (`filter`); `decide` puts them together; `authority` asks the database who holds what.
"""
