"""Recent activity: what has happened to an account, from the journal, in sentences that its owner understands.

Each event type says its own sentence (`EventType.words`); one without is no owner's business.

GET  /auth/account/activity?cursor=…&limit=…   the latest first; `next` is the cursor of the following page
GET  /account/activity                         the same as a page
"""
