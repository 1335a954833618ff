"""Fit the small U-Net of the method `chest-xray` and write `segmentation/chest_xray/weights.onnx`.

Same data, channels, frames and folds as `train_chest_xray.py`, which fits the classical cascade: lung masks of
chest_xray_lungs and all outlines of `chest_xray_outlines.csv`. JSRT is not read. Needs torch and onnx beside the rest:

    python benchmarks/train_chest_xray_network.py --data ../shared/data --output /tmp/chest_xray [--target all 0 1 2]

Target `all` writes `weights.onnx`, which ships; targets 0, 1, 2 write `fold0.onnx` ..., each fitted without the
patients of one fold, for `segmentation_chest_xray.py --folds /tmp/chest_xray`. Seeded; another version of torch gives
weights that differ by rounding.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional

from common.chest_xray_outlines import LAST_ROUND
from common.data import add_data_option
from MedImageAnalysisLib.recognition.training.network.graph import exported, store_in_half_precision
from MedImageAnalysisLib.segmentation.pixel_classifier.frame import Frame
from MedImageAnalysisLib.segmentation.pixel_classifier.stage import (
    LOCAL_SCALE,
    REFERENCE_SIZE,
    middle_ranks,
)
from train_chest_xray import FOLDS, Example, examples, fold_of

SIZE = 192
WIDTHS = (16, 32, 64, 96, 128)
CHANNELS = 5
# The canvas shows more than the frame, so that a shifted and turned view of it has content everywhere.
CANVAS_SIZE, CANVAS_MARGIN = 320, 1.6
BATCH = 8
RATE = 3e-3
DECAY = 1e-2
AVERAGE = 0.99
# Pictures with an outline of the heart are shown so many times as often.
DRAWN_WEIGHT = 1.5
# Where the border of the heart is hidden, a network that weighs errors in and out alike draws it too narrow. This is
# added to its log odds of heart: chosen by the bias of the ratio of out-of-fold outlines (folds 0 and 1).
HEART_SHIFT = 0.4


class Outliner(nn.Module):
    """A U-Net that works at half the resolution of its frame and gives logits at the frame's."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, widths[0], 4, 2, 1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList([block(widths[0], widths[0])] + [block(a, b) for a, b in pairs])
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairs])
        self.merge = nn.ModuleList([block(2 * a, a) for a in widths[:-1]])
        self.head = nn.Conv2d(widths[0], CHANNELS, 1)

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        x = self.stem(frame)
        kept = []
        for index, step in enumerate(self.down):
            x = step(functional.max_pool2d(x, 2) if index else x)
            kept.append(x)
        for index in reversed(range(len(self.merge))):
            x = self.merge[index](torch.cat([self.up[index](x), kept[index]], 1))
        return self.head(x)


def block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class Shipped(nn.Module):
    """What is exported: the mean of the members' probabilities at the size of the frame, hearts not too narrow."""

    def __init__(self, members: list[Outliner]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("shift", torch.tensor([0.0] * (CHANNELS - 1) + [HEART_SHIFT])[None, :, None, None])

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        found = sum(torch.sigmoid(member(frame) + self.shift) for member in self.members) / len(self.members)
        return functional.interpolate(found, scale_factor=2, mode="bilinear", align_corners=False)


@dataclass(frozen=True, eq=False)
class Canvas:
    """One picture around its chest: layers are pixels, exposed or not, truth (5), known (5)."""

    group: str
    layers: torch.Tensor
    drawn: bool


def canvas(case: Example) -> Canvas:
    frame = case.frame
    wide = Frame(frame.x, frame.y, frame.half_width * CANVAS_MARGIN, frame.half_height * CANVAS_MARGIN)
    step_x, step_y = wide.steps(CANVAS_SIZE)
    blur = [np.sqrt(max(0.25 * step**2 - 0.25, 0)) for step in (step_y, step_x)]
    matrix, offset = wide.matrix(CANVAS_SIZE)

    def at(layer: np.ndarray, mode: str) -> np.ndarray:
        layer = layer.astype(np.float32)
        return ndimage.affine_transform(layer, matrix, offset, (CANVAS_SIZE,) * 2, order=1, mode=mode)

    pixels = at(ndimage.gaussian_filter(case.pixels, blur, truncate=3), "nearest")
    low, high = np.percentile(pixels, [1, 99])
    layers = [(pixels - low) / (high - low + 1e-6), at(case.valid, "constant")]
    layers += [at(truth, "constant") / 255 for truth in case.truth]
    layers += [at(known, "nearest") for known in case.known]
    return Canvas(case.group, torch.from_numpy(np.stack(layers).astype(np.float32)), bool(case.known[4].any()))


def warp(rng: np.random.Generator) -> torch.Tensor:
    """Return a sampling grid on the canvas: a frame that is shifted, stretched, turned, sheared and bent."""
    turn = rng.normal(0, 0.07) if rng.random() < 0.9 else rng.uniform(-0.35, 0.35)
    wide = rng.random() < 0.15
    zoom = np.exp(rng.uniform(-0.12, 0.14) + (rng.uniform(0, 0.3) if wide else 0))
    stretch = np.exp(rng.uniform(-0.1, 0.1))
    shear = rng.normal(0, 0.04)
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[zoom * stretch, shear], [0, zoom / stretch]])
    shift = rng.uniform(-0.1, 0.1, 2) * (2 if wide else 1)
    theta = torch.tensor(np.column_stack([matrix, shift]) / CANVAS_MARGIN, dtype=torch.float32)[None]
    grid = functional.affine_grid(theta, [1, 1, SIZE, SIZE], align_corners=False)
    bend = torch.from_numpy(rng.normal(0, rng.uniform(0, 0.02), (1, 2, 6, 6)).astype(np.float32))
    return grid + functional.interpolate(bend, (SIZE, SIZE), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return nearly what a Gaussian filter of several pixels' width returns, on a grid four times as coarse."""
    coarse = functional.avg_pool2d(torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None], 4)
    soft = torch.from_numpy(ndimage.gaussian_filter(coarse[0, 0].numpy(), sigma / 4))[None, None]
    return functional.interpolate(soft, image.shape, mode="bilinear", align_corners=False)[0, 0].numpy()


def quickly_normalized(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return nearly what :func:`..stage.normalized` returns, in a tenth of the time."""
    ranks = middle_ranks(pixels, valid)
    sigma = LOCAL_SCALE * SIZE / REFERENCE_SIZE
    weight = blurred(valid, sigma) + 1e-3
    difference = np.where(valid, ranks - blurred(ranks, sigma) / weight, 0)
    return np.stack([ranks, difference / (np.sqrt(blurred(difference**2, sigma) / weight) + 0.05)]).astype(np.float32)


def smooth_field(rng: np.random.Generator, cells: int) -> np.ndarray:
    coarse = torch.from_numpy(rng.normal(0, 1, (1, 1, cells, cells)).astype(np.float32))
    return functional.interpolate(coarse, (SIZE, SIZE), mode="bicubic", align_corners=True)[0, 0].numpy()


def disturbed(pixels: np.ndarray, valid: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pixels (0 dark to 1 bright) with other shading, sharpness, noise, disease, tubes, marks and blades."""
    pixels = pixels + rng.uniform(0, 0.12) * smooth_field(rng, int(rng.integers(2, 6)))
    if rng.random() < 0.6:
        # From a flat film (negative) to the local enhancement of modern processing (positive).
        base = blurred(pixels, rng.uniform(4, 25))
        pixels = pixels + rng.uniform(-0.5, 1.2) * (pixels - base)
    if rng.random() < 0.3:
        y, x = np.mgrid[:SIZE, :SIZE] / SIZE
        for _ in range(rng.integers(1, 4)):
            cy, cx, ry, rx = (*rng.uniform(0.15, 0.85, 2), *rng.uniform(0.03, 0.18, 2))
            cloud = np.exp(-((((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2) ** rng.uniform(0.7, 2)))
            pixels = pixels + rng.uniform(0.1, 0.5) * cloud * lungs
    if rng.random() < 0.3:
        pixels = ndimage.gaussian_filter(pixels, rng.uniform(0.4, 2.0), truncate=2)
    if rng.random() < 0.4:
        pixels = pixels + rng.uniform(0, 0.12) * rng.standard_normal(pixels.shape, dtype=np.float32)
    if rng.random() < 0.3:
        marks(pixels, rng)
    if rng.random() < 0.2:
        side, depth = rng.integers(0, 4), rng.integers(2, SIZE // 12)
        np.rot90(valid, side)[:depth] = False
    return pixels.astype(np.float32)


def marks(pixels: np.ndarray, rng: np.random.Generator) -> None:
    """Draw bright tubes, letters' boxes and devices into the picture."""
    for _ in range(rng.integers(1, 4)):
        if rng.random() < 0.5:
            t = np.linspace(0, 1, 3 * SIZE)[:, None]
            a, b, c = rng.uniform(-0.1, 1.1, (3, 2)) * SIZE
            line = ((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c).astype(int)
            line = line[((line >= 0) & (line < SIZE - 1)).all(axis=1)]
            for down, right in ((0, 0), (0, 1), (1, 0)):
                pixels[line[:, 0] + down, line[:, 1] + right] += rng.uniform(0.1, 0.4)
        else:
            y, x = rng.integers(0, SIZE - 16, 2)
            height, width = rng.integers(3, 14, 2)
            pixels[y : y + height, x : x + width] = rng.uniform(0.8, 1.3)


def view(source: Canvas, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a normalized frame and, at the network's resolution, truth and known."""
    layers = functional.grid_sample(source.layers[None], warp(rng), align_corners=False, padding_mode="border")[0]
    pixels, valid = layers[0].numpy(), layers[1].numpy() > 0.5
    half = functional.avg_pool2d(layers[2:], 2).numpy()
    lungs = torch.maximum(layers[2], layers[3]).numpy()
    image = quickly_normalized(disturbed(pixels, valid, lungs, rng), valid)
    return image, half[:CHANNELS], (half[CHANNELS:] > 0.99).astype(np.float32)


def loss_of(logits: torch.Tensor, truth: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Return cross-entropy where the truth is known, and 1 - Dice of the channels that are known everywhere."""
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    entropy = (entropy * known).sum((0, 2, 3)) / known.sum((0, 2, 3)).clamp(min=1)
    found = torch.sigmoid(logits)
    whole = (known.mean((2, 3)) > 0.999).float()
    shared, total = 2 * (found * truth).sum((2, 3)) + 1, (found + truth).sum((2, 3)) + 1
    dice = ((1 - shared / total) * whole).sum(0) / whole.sum(0).clamp(min=1)
    return entropy.mean() + 0.5 * dice.mean()


def fitted(canvases: list[Canvas], steps: int, seed: int) -> Outliner:
    """Fit one network by AdamW with a one-cycle rate; return the running average of its weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Outliner()
    average = copy.deepcopy(model)
    weights = np.array([DRAWN_WEIGHT if c.drawn else 1.0 for c in canvases])
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.15)
    started, mean = time.process_time(), 0.0
    for step in range(steps):
        chosen = rng.choice(len(canvases), BATCH, replace=False, p=weights / weights.sum())
        views = zip(*(view(canvases[index], rng) for index in chosen), strict=True)
        image, truth, known = (torch.from_numpy(np.stack(part)) for part in views)
        loss = loss_of(model(image), truth, known)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        update(average, model, min(AVERAGE, step / (step + 10)))
        mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 49:
            print(f"step {step + 1}: loss {mean:.4f}, {time.process_time() - started:.0f} s of CPU", flush=True)
    return average.eval()


@torch.no_grad()
def update(average: nn.Module, model: nn.Module, keep: float) -> None:
    for (_, old), (_, new) in zip(average.state_dict().items(), model.state_dict().items(), strict=True):
        if old.dtype.is_floating_point:
            old.mul_(keep).add_(new, alpha=1 - keep)
        else:
            old.copy_(new)


def export(members: list[Outliner], path: Path) -> None:
    """Write the network as ONNX and check that it gives there what it gives here."""
    import onnx
    import onnxruntime

    model = Shipped(members).eval()
    example = torch.randn(1, 2, SIZE, SIZE)
    description = onnx.load_model_from_string(exported(model, example, "frame", ["probability"]))
    # The exporter leaves these open.
    shape = description.graph.output[0].type.tensor_type.shape
    for length, value in zip(shape.dim[1:], (CHANNELS, SIZE, SIZE), strict=True):
        length.Clear()
        length.dim_value = value
    # So that two networks fit into 5 MiB.
    store_in_half_precision(description.graph)
    onnx.save(description, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"frame": example.numpy()})
    difference = float(np.abs(found - model(example).detach().numpy()).max())
    if difference > 5e-3:
        raise SystemExit(f"{path}: onnxruntime differs from torch by {difference:.2g}.")
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB, differs from torch by {difference:.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder for the weights")
    parser.add_argument("--target", nargs="+", default=["all", *map(str, range(FOLDS))], help="all, or folds")
    parser.add_argument("--steps", type=int, default=600, help="steps of 8 pictures per network")
    parser.add_argument("--members", type=int, default=2, help="networks whose probabilities are averaged")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    canvases = [canvas(case) for case in examples(options.data, LAST_ROUND)]
    for target in options.target:
        seen = [c for c in canvases if target == "all" or fold_of(c.group) != int(target)]
        print(f"{target}: {len(seen)} pictures, {sum(c.drawn for c in seen)} with a heart outline", flush=True)
        members = [fitted(seen, options.steps, seed) for seed in range(options.members)]
        export(members, options.output / ("weights.onnx" if target == "all" else f"fold{target}.onnx"))


if __name__ == "__main__":
    main()
