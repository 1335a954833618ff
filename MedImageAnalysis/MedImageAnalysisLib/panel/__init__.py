"""Parts of the panel of the Slicer module; only the module file imports them. Some import qt and slicer."""
