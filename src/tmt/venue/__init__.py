"""The paper venue: fills, brackets, fees and latency in event time, in whole quanta and lots."""

from tmt.venue.config import FeeSchedule, VenueConfig
from tmt.venue.paper import PaperVenue

__all__ = ["FeeSchedule", "PaperVenue", "VenueConfig"]
