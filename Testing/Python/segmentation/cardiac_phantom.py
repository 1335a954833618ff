"""A heart drawn in short-axis slices."""

import numpy as np
import SimpleITK as sitk

SPACING = (1.5, 1.5, 8.0)
SIZE = 140
BLOOD, MUSCLE, LUNG, LIVER = 180, 60, 20, 75


def short_axis(largest_mm, wall_mm=9.0, noise=5.0):
    """A stack of rings: pool 1, wall 2; a crescent of blood on one side, lung on the other, liver below."""
    y, x = np.meshgrid(*(np.arange(SIZE) * SPACING[0],) * 2, indexing="ij")
    labels = np.zeros((8, SIZE, SIZE), np.uint8)
    values = np.full(labels.shape, LUNG, np.float32)
    for number in range(8):
        pool = largest_mm * (1 - 0.07 * number)
        away = np.hypot(y - 100 - number, x - 110)
        values[number][y > 150] = LIVER
        values[number][np.hypot(y - 100, (x - 80) * 0.8) < pool + 4] = BLOOD * 0.9
        values[number][away < pool + wall_mm] = MUSCLE
        values[number][away < pool] = BLOOD
        labels[number][away < pool + wall_mm] = 2
        labels[number][away < pool] = 1
    values += np.random.default_rng(5).normal(0, noise, values.shape)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(SPACING)
    return image, labels
