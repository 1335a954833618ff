"""Brain MRI: brain and tissues."""
