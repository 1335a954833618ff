"""Methods for any anatomy: thresholds, clustering, region growing, watershed, contours."""
