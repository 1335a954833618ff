#!/usr/bin/env python3
"""Draw the extension's icon and the thumbnails of its sample data. Everything is drawn here; no patient is shown.

::

    python3 Utilities/draw_icon.py

Needs Pillow. Shapes are given on a unit square and drawn eight times too large, then reduced, which smooths edges.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

REPOSITORY = Path(__file__).resolve().parents[1]
RESOURCES = REPOSITORY / "MedImageAnalysis" / "Resources"
ICON_SIZE = (128, 128)
# Slicer's Sample Data module asks for thumbnails of about this size.
THUMBNAIL_SIZE = (260, 280)
OVERSAMPLING = 8

NAVY, BLUE = (13, 34, 56), (24, 84, 130)
LUNG, LUNG_EDGE = (176, 219, 242), (232, 247, 255)
HEART = (247, 118, 92)
BARS = ((255, 205, 92), (147, 214, 170), (120, 180, 220))

Curve = list[tuple[float, float]]

# Control points of closed curves, on the unit square; the other lung is the mirror image, with a notch for the heart.
RIGHT_LUNG: Curve = [(0.41, 0.13), (0.27, 0.19), (0.17, 0.38), (0.13, 0.62), (0.16, 0.70), (0.30, 0.62), (0.42, 0.60)]
LEFT_LUNG: Curve = [(0.59, 0.13), (0.73, 0.19), (0.83, 0.38), (0.87, 0.62), (0.84, 0.70), (0.72, 0.63), (0.66, 0.46)]
HEART_OUTLINE: Curve = [
    (0.47, 0.36),
    (0.56, 0.36),
    (0.66, 0.50),
    (0.70, 0.61),
    (0.60, 0.66),
    (0.46, 0.64),
    (0.43, 0.50),
]


def smooth(points: Curve, size: tuple[int, int], steps: int = 24) -> Curve:
    """Return a closed Catmull-Rom curve through `points`, scaled to pixels."""
    count = len(points)
    curve = []
    for i in range(count):
        before, start, end, after = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            curve.append(
                tuple(
                    size[axis]
                    * 0.5
                    * (
                        2 * start[axis]
                        + (end[axis] - before[axis]) * t
                        + (2 * before[axis] - 5 * start[axis] + 4 * end[axis] - after[axis]) * t**2
                        + (3 * start[axis] - before[axis] - 3 * end[axis] + after[axis]) * t**3
                    )
                    for axis in (0, 1)
                )
            )
    return curve


def gradient(size: tuple[int, int], top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    """Return an opaque image that runs from `top` to `bottom`."""
    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), ramp).convert("RGBA")


def draw_icon() -> Image.Image:
    """Return the icon: segmented lungs and heart over a table of probabilities."""
    size = tuple(side * OVERSAMPLING for side in ICON_SIZE)
    width, height = size
    icon = gradient(size, BLUE, NAVY)
    draw = ImageDraw.Draw(icon)
    for outline in (RIGHT_LUNG, LEFT_LUNG):
        curve = smooth(outline, size)
        draw.polygon(curve, fill=LUNG)
        draw.line([*curve, curve[0]], fill=LUNG_EDGE, width=width // 50, joint="curve")
    heart = smooth(HEART_OUTLINE, size)
    draw.line([*heart, heart[0]], fill=NAVY, width=width // 22, joint="curve")
    draw.polygon(heart, fill=HEART)
    for row, (color, share) in enumerate(zip(BARS, (0.66, 0.38, 0.18), strict=True)):
        top = 0.755 + 0.068 * row
        box = [coordinate * width for coordinate in (0.17, top, 0.17 + share, top + 0.042)]
        draw.rounded_rectangle(box, radius=0.02 * height, fill=color)
    corners = Image.new("L", size, 0)
    ImageDraw.Draw(corners).rounded_rectangle([0, 0, width - 1, height - 1], radius=width // 5, fill=255)
    icon.putalpha(corners)
    return icon.resize(ICON_SIZE, Image.Resampling.LANCZOS)


def draw_chest() -> Image.Image:
    """Return a thumbnail that stands for a chest radiograph, with the outlines a segmentation finds."""
    size = tuple(side * 4 for side in THUMBNAIL_SIZE)
    body = _film(
        size,
        [(0.30, 0.0), (0.70, 0.0), (0.86, 0.10), (0.97, 0.45), (0.95, 1.0), (0.05, 1.0), (0.03, 0.45), (0.14, 0.1)],
    )
    draw = ImageDraw.Draw(body)
    draw.rectangle([0.47 * size[0], 0, 0.53 * size[0], size[1]], fill=196)
    for outline in (RIGHT_LUNG, LEFT_LUNG):
        draw.polygon(smooth(_lowered(outline), size), fill=52)
    draw.polygon(smooth(_lowered(HEART_OUTLINE), size), fill=188)
    ribs = _ribs(size)
    ImageDraw.Draw(ribs).polygon(smooth(_lowered(HEART_OUTLINE), size), fill=0)
    body = ImageChops.add(body.filter(ImageFilter.GaussianBlur(14)), ribs)
    picture = body.convert("RGB")
    outline = ImageDraw.Draw(picture)
    for curve, color in ((RIGHT_LUNG, LUNG), (LEFT_LUNG, LUNG), (HEART_OUTLINE, HEART)):
        points = smooth(_lowered(curve), size)
        outline.line([*points, points[0]], fill=color, width=10, joint="curve")
    return picture.resize(THUMBNAIL_SIZE, Image.Resampling.LANCZOS)


def draw_extremity() -> Image.Image:
    """Return a thumbnail that stands for a radiograph of an extremity."""
    size = tuple(side * 4 for side in THUMBNAIL_SIZE)
    limb = _film(size, [(0.25, 0.0), (0.75, 0.0), (0.78, 0.35), (0.84, 0.55), (0.74, 1.0), (0.28, 1.0), (0.17, 0.55)])
    upper = [
        (0.42, -0.1),
        (0.58, -0.1),
        (0.60, 0.30),
        (0.72, 0.47),
        (0.66, 0.55),
        (0.52, 0.52),
        (0.36, 0.55),
        (0.30, 0.47),
        (0.40, 0.3),
    ]
    lower = [
        (0.32, 0.60),
        (0.50, 0.585),
        (0.69, 0.60),
        (0.66, 0.68),
        (0.57, 0.80),
        (0.56, 1.1),
        (0.42, 1.1),
        (0.43, 0.8),
        (0.34, 0.68),
    ]
    bones = ImageDraw.Draw(limb)
    for bone in (upper, lower):
        bones.polygon(smooth(bone, size), fill=205)
    limb = limb.filter(ImageFilter.GaussianBlur(7))
    picture = limb.convert("RGB")
    outline = ImageDraw.Draw(picture)
    for bone, color in ((upper, BARS[0]), (lower, BARS[1])):
        points = smooth(bone, size)
        outline.line([*points, points[0]], fill=color, width=10, joint="curve")
    return picture.resize(THUMBNAIL_SIZE, Image.Resampling.LANCZOS)


def _film(size: tuple[int, int], body: Curve) -> Image.Image:
    """Return a dark film with the soft outline of a body part."""
    film = Image.new("L", size, 12)
    ImageDraw.Draw(film).polygon(smooth(body, size), fill=120)
    return film.filter(ImageFilter.GaussianBlur(24))


def _lowered(points: Curve) -> Curve:
    """Return the curve a little lower and larger, to fill the upright thumbnail."""
    return [(x, 0.06 + 1.08 * y) for x, y in points]


def _ribs(size: tuple[int, int]) -> Image.Image:
    """Return faint bright arcs on black."""
    ribs = Image.new("L", size, 0)
    draw = ImageDraw.Draw(ribs)
    width, height = size
    for row in range(6):
        top = height * (0.10 + 0.10 * row)
        for left, start, end in ((0.10, 190, 300), (0.50, 240, 350)):
            box = [left * width, top, (left + 0.40) * width, top + 0.26 * height]
            draw.arc(box, start, end, fill=34, width=26)
    return ribs.filter(ImageFilter.GaussianBlur(5))


def main() -> None:
    """Write all pictures to their places in the repository."""
    icon = draw_icon()
    pictures = {
        REPOSITORY / "MedImageAnalysis.png": icon,
        RESOURCES / "Icons" / "MedImageAnalysis.png": icon,
        RESOURCES / "SampleData" / "ChestRadiograph.png": draw_chest(),
        RESOURCES / "SampleData" / "ExtremityRadiograph.png": draw_extremity(),
    }
    for path, picture in pictures.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, optimize=True)
        print(f"{path.relative_to(REPOSITORY)}: {picture.width} x {picture.height}")


if __name__ == "__main__":
    main()
