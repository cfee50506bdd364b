"""Which detectors look at a jurisdiction: the one list, for the service, for calibration and for whoever looks back."""

from detectors.area_counts import AreaCounts
from detectors.calibration import Calibrated
from detectors.contract import Detector
from detectors.fusion import Fusion
from detectors.multivariate import Multivariate
from detectors.novelty import Novelty
from detectors.slow_onset import SlowOnset
from detectors.terrain import terrain_of
from streams.detection import jurisdiction_zones
from streams.profile import JurisdictionProfile


def detectors_of(profile: JurisdictionProfile) -> tuple[Detector, ...]:
    """Return what a jurisdiction's detection runs ask, in turn."""
    return (AreaCounts(jurisdiction_zones(profile)), *calibrated_of(profile), Multivariate())


def calibrated_of(profile: JurisdictionProfile) -> tuple[Calibrated, ...]:
    """Return those whose thresholds are learnt beside the counts of areas."""
    terrain = terrain_of(profile.geography)
    return (Fusion(terrain), Novelty(terrain), SlowOnset(jurisdiction_zones(profile)))
