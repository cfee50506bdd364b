"""The console, the ingest API and the operators' endpoints: everything that Tocsin says over HTTP.

``create_app`` makes it from a :class:`tocsin.web.services.WebServices`; the wiring in ``tocsin`` is the only caller.
"""
