"""The ensemble as the method and the model of breast ultrasound run it, and what its members say of unseen pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.optimize import minimize
from torch import nn
from torch.nn import functional as F

from MedImageAnalysisLib.recognition.probabilities import softmax
from MedImageAnalysisLib.recognition.training.calibration import balanced, fit_temperature
from MedImageAnalysisLib.recognition.training.metrics import balanced_accuracy, roc_auc

from .fit import BATCH, seen
from .net import CATEGORIES, Member, Stranger, signs_of
from .texture import Reading, Texture, Wavelets, fit_reading
from .views import Pictures, exposed_otherwise, halved, whole

__all__ = ["Expert", "Outliner", "Recognizer", "experts", "left_out"]

STRANGER_EPOCHS = 12
SEED = 20240501


class Expert(nn.Module):
    """A member with what reads its lesion's texture, and what tells whether a picture is of another kind."""

    def __init__(self, member: Member, reading: Reading, stranger: Stranger) -> None:
        super().__init__()
        self.member, self.reading, self.stranger = member, reading, stranger
        self.register_buffer("weight", torch.ones(()))
        self.register_buffer("offset", torch.zeros(CATEGORIES, 1, 1))

    def forward(self, x: torch.Tensor, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return what each place adds to the scores by the member and by the texture, and the strangeness.

        Both are (batch, categories, 16, 16); `x` is the halved canvas, `maps` are its wavelets.
        """
        found = self.member.features(x - 0.5)
        p, lesion, _ = self.member.pyramid(found)
        texture = self.weight * self.reading(maps, torch.sigmoid(lesion))
        texture = texture + self.offset / (texture.shape[-2] * texture.shape[-1])
        return self.member.shares(p, lesion), texture, self.stranger(signs_of(x, found))


class Outliner(nn.Module):
    """From canvases to the lesion's log-odds at each place and in the picture, as means over the experts' members."""

    names = ("lesion", "presence")

    def __init__(self, experts: Sequence[Expert]) -> None:
        super().__init__()
        self.members = nn.ModuleList(expert.member for expert in experts)
        self.register_buffer("offset", experts[0].offset.flatten())

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = F.avg_pool2d(image, 2)
        found = [member(x) for member in self.members]
        lesion = torch.stack([each[2] for each in found]).mean(0)
        return lesion, torch.stack([log_odds_of_lesion(each[0] + self.offset) for each in found]).mean(0)


def log_odds_of_lesion(scores: torch.Tensor) -> torch.Tensor:
    """Return log((exp s1 + exp s2) / exp s0) of scores (batch, 3)."""
    benign, malignant = scores[:, 1], scores[:, 2]
    return torch.maximum(benign, malignant) + F.softplus(-torch.abs(benign - malignant)) - scores[:, 0]


class Recognizer(nn.Module):
    """From canvases to what a model of the kind "onnx" returns; see `MedImageAnalysisLib.recognition.network`."""

    names = ("scores", "activation", "strangeness")

    def __init__(self, experts: Sequence[Expert]) -> None:
        super().__init__()
        self.wavelets = Wavelets()
        self.experts = nn.ModuleList(experts)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x, maps = F.avg_pool2d(image, 2), self.wavelets(image)
        shares, strange = [], []
        for expert in self.experts:
            learned, texture, strangeness = expert(x, maps)
            shares.append(learned + texture)
            strange.append(strangeness)
        scores = torch.stack([share.sum(dim=(2, 3)) for share in shares], dim=1)
        places = int(shares[0].shape[-1]) ** 2
        return scores, torch.stack(shares).mean(0) * places, torch.stack(strange).mean(0)


def experts(
    members: Mapping[int, Member], pictures: Pictures, fold: np.ndarray, others: np.ndarray
) -> dict[int, Expert]:
    """Return the experts, by the part of the pictures that they have not seen.

    What reads the texture learns from lesions as they are found in unseen pictures: by the member that left them out,
    where there is one. `others` are canvases of images of other kinds.
    """
    x = whole(pictures.plain)
    with torch.no_grad():
        maps = torch.cat([Wavelets()(part) for view in (x, x.flip(-1)) for part in view.split(BATCH)])
    center = maps.mean(dim=(0, 2, 3))[:, None, None]
    lesion = np.zeros((len(x), 1, x.shape[-1] // 4, x.shape[-1] // 4), dtype=np.float32)
    for part in np.unique(fold):
        finders = [members[part]] if part in members else list(members.values())
        lesion[fold == part, 0] = np.mean([seen(each, pictures.plain[fold == part])[1] for each in finders], axis=0)
    lesions = torch.from_numpy(np.concatenate([lesion, lesion[..., ::-1]]))
    found = {}
    for left, member in members.items():
        rows = np.flatnonzero(np.tile(fold != left, 2))
        texture = Texture(maps[rows], lesions[rows], center)
        reading = fit_reading(texture, np.tile(pictures.category, 2)[rows], CATEGORIES)
        found[left] = Expert(member, reading, _stranger(member, pictures.part(fold != left), others)).eval()
    _weigh(found, pictures, fold)
    return found


def _weigh(experts: Mapping[int, Expert], pictures: Pictures, fold: np.ndarray) -> None:
    """Give the texture its weight beside the members, and each category its offset, by likelihood on unseen pictures.

    The offsets leave the categories equally common: what a member learned by heart leans to one of them otherwise.
    """
    asked = [_asked(expert, pictures.plain[fold == left]) for left, expert in experts.items()]
    learned, texture = (np.concatenate([each[kind] for each in asked]) for kind in (0, 1))
    y = np.concatenate([pictures.category[fold == left] for left in experts])
    cases = balanced(y, CATEGORIES)

    def scores_at(chosen: np.ndarray) -> np.ndarray:
        return learned + np.exp(chosen[0]) * texture + np.array([0.0, *chosen[1:]])

    def loss(chosen: np.ndarray) -> float:
        scores = scores_at(chosen)
        p = softmax(scores / fit_temperature(scores, y, cases))
        return float(-(cases * np.log(p[np.arange(len(y)), y])).sum())

    chosen = minimize(loss, np.zeros(CATEGORIES), method="Nelder-Mead").x
    lesion = y > 0
    for name, scores in (("members", learned), ("texture", texture), ("both", scores_at(chosen))):
        auc = roc_auc((scores[:, 2] - scores[:, 1])[lesion], y[lesion] == 2)
        accuracy = balanced_accuracy(scores, y)
        print(f"unseen, {name}: benign against malignant AUC {auc:.3f}, balanced accuracy {accuracy:.3f}")
    print(f"weight of the texture: {np.exp(chosen[0]):.2f}, offsets: {chosen[1]:.2f}, {chosen[2]:.2f}", flush=True)
    for expert in experts.values():
        expert.weight.fill_(float(np.exp(chosen[0])))
        expert.offset[1:, 0, 0] = torch.from_numpy(chosen[1:]).float()


@torch.no_grad()
def _asked(expert: Expert, canvases: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores by the member and by the texture, and strangeness: means over canvas and mirrored canvas."""
    wavelets, views = Wavelets(), []
    for view in (canvases, canvases[:, :, ::-1].copy()):
        parts = []
        for part in whole(view).split(BATCH):
            learned, texture, strangeness = expert(F.avg_pool2d(part, 2), wavelets(part))
            parts.append((learned.sum(dim=(2, 3)), texture.sum(dim=(2, 3)), strangeness))
        views.append([torch.cat(column) for column in zip(*parts, strict=True)])
    return tuple(((a + b) / 2).double().numpy() for a, b in zip(*views, strict=True))


def left_out(
    experts: Mapping[int, Expert], pictures: Pictures, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indices of pictures, and the scores and the strangeness that the expert which left them out gives them."""
    rows, scores, strange = [], [], []
    for left, expert in experts.items():
        rows.append(np.flatnonzero(fold == left))
        learned, texture, strangeness = _asked(expert, pictures.plain[rows[-1]])
        scores.append(learned + texture)
        strange.append(strangeness)
    return np.concatenate(rows), np.concatenate(scores), np.concatenate(strange)


@torch.no_grad()
def _signs(member: Member, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([signs_of(part, member.features(part - 0.5)) for part in x.split(2 * BATCH)])


def _stranger(member: Member, pictures: Pictures, others: np.ndarray) -> Stranger:
    """Return what tells these pictures, as they are or exposed otherwise, from spoiled ones and other images."""
    random = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    x = halved(pictures.plain)
    own = _signs(member, torch.cat([x, x.flip(-1), exposed_otherwise(x, random)]))
    wrong = [1 - x, x.flip(-2), 1 - x.flip(-2), torch.rot90(x, 1, (2, 3)), torch.rot90(x, 3, (2, 3))]
    strange = _signs(member, torch.cat([*wrong, halved(others)]))
    stranger = Stranger(own.mean(0), own.std(0) + 1e-3)
    signs = torch.cat([own, strange])
    truth = torch.cat([torch.zeros(len(own)), torch.ones(len(strange))])
    optimizer = torch.optim.AdamW(stranger.parameters(), lr=2e-3, weight_decay=0.1)
    for _ in range(STRANGER_EPOCHS):
        for batch in torch.randperm(len(truth), generator=random).split(64):
            loss = F.binary_cross_entropy_with_logits(stranger(signs[batch]), truth[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return stranger.eval()
