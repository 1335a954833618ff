"""Bone radiographs: the exposed field, the limb in it, and its bones."""
