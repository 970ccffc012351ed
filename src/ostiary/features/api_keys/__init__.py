"""API keys: credentials for programs, which speak for the account of their owner, or for a service.

GET    /auth/api-keys               one's own, without their secrets
POST   /auth/api-keys               make one {name, scopes, networks?, expires_at?}; shown this once
POST   /auth/api-keys/{id}/rotate   its successor; the old one goes on for a day
DELETE /auth/api-keys/{id}          it is refused at its next request

What a key may do is worked out at each request: its scopes, and of these what its owner may do at that moment.
"""
