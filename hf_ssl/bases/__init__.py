"""Models that several methods have in common, each to be completed by a method."""
