"""Breast ultrasound: lesions."""
