"""Pictures and plots of an analysis, for people who look rather than read."""
