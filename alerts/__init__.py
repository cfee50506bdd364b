"""People: incidents, on-call rota, acknowledgement, escalation, outbox, channels and audit.

This package never imports ``streams``: it is told of signals, and knows nothing of how they were found.
"""
