"""Several filters over one image: the response maps, one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import SimpleITK as sitk

from ...errors import InvalidSettingError
from ...progress import Progress
from .filter import ImageFilter

__all__ = ["FilterResponse", "filter_bank_responses"]


@dataclass(frozen=True, eq=False)
class FilterResponse:
    """The response map of one filter; `label` is the prefix of the names of features computed from it."""

    filter: ImageFilter
    label: str
    image: sitk.Image


def filter_bank_responses(
    image: sitk.Image, filters: Sequence[ImageFilter], progress: Progress
) -> Iterator[FilterResponse]:
    """Yield the response of each filter in turn; only one response map is held in memory.

    Parameters
    ----------
    image : sitk.Image
        Scalar, 2D or 3D. It is filtered as it is: interpolate it first.
    filters : sequence of ImageFilter
        All different.

    Raises
    ------
    InvalidSettingError
        If a filter occurs twice, since their features could not be told apart.
    """
    twice = [label for label, count in Counter(item.label for item in filters).items() if count > 1]
    if twice:
        raise InvalidSettingError(f"The filter '{twice[0]}' is listed twice: its features would have the same name.")
    return _responses(image, filters, progress)


def _responses(image: sitk.Image, filters: Sequence[ImageFilter], progress: Progress) -> Iterator[FilterResponse]:
    for item, part in zip(filters, progress.parts(len(filters)), strict=True):
        yield FilterResponse(item, item.label, item(image, part))
