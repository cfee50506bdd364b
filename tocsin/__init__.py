"""The front door of Tocsin: settings, wiring, the engine that runs the jobs, the command line and the console."""

__version__ = "0.1.0"
