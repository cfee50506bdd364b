"""Connectors: how partners' records come in, screened before anything is stored.

``records`` is what the HTTP API does with a body; ``mapping`` says how a table becomes events, ``csv_files`` reads one
by it, ``drop_folder`` takes files from a folder. None of them opens a transaction or reads the system's clock.
"""
