"""What all stages share on images: pixels as arrays, histograms, filters, grids and places in space."""
