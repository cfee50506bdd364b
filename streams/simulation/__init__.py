"""The one simulator: people who are harmed in a county where nothing but chance happens, and scripts of what may.

A history is drawn once, in columns (``history.py``), and then seen in three ways: as messages for the demo
(``records.py``), as counts for the calibration of counts (``counting.py``), as observations for the calibration of
tripwires (``observing.py``). ``rates.py`` makes null counts for any geography from fitted rates; ``scenarios.py``
scripts outbreaks. Every figure is in ``parameters.py`` with its source. Imports nothing else of ``streams``.
"""
