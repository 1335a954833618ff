"""What the panel of the Slicer module needs beside Qt: a worker thread, and results as rich text."""
