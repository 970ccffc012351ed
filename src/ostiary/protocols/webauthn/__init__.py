"""WebAuthn level 3: what is asked of an authenticator, and what must hold of its answer. Pure: no clock, no storage.

The library decodes CBOR, verifies attestation statements and signatures. What it leaves to its caller is here: strict
reading of the client data, `crossOrigin` and `topOrigin`, the offered algorithms with their curves and key sizes,
lengths, the backup flags against what is stored, the user handle, and the counter.

    options.py        what a page hands to `navigator.credentials`
    answers.py        what comes back, as JSON, read strictly
    client_data.py    what the browser says that it did, and for whom
    registration.py   section 7.1
    attestation.py    whom an attestation must convince
    assertion.py      section 7.2
    complaints.py     what becomes of the library's errors
    providers.py      who made an authenticator
"""
