"""Arithmetic: arrays of counts go in, signals come out.

No input or output, no clock and no SQL in this package. Called by ``streams`` (a detection run, a simulation)
and by ``tocsin`` (calibration, replay).
"""
