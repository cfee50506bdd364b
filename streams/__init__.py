"""Events: connector, screening, event log, intake, counting, detection runs, housekeeping and simulation.

Read in the order of an event's path: ``connectors``, ``screening``, ``log``, ``intake``, ``counting``, ``detection``.
This package never imports ``alerts``: the wiring in ``tocsin`` hands it a function to call with new signals.
"""
