"""Image sets: shapes, CIFAR, Tiny-ImageNet, folders; flips and crops."""

import hashlib
import os
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import assert_equal_alone, assert_same, make_images, small, state, train
from PIL import Image

from cf_utils import data, shapes, streams
from cf_utils.files import ROOT
from cf_utils.methods import Batch, Replay
from cf_utils.methods.augment import FlipAndCrop
from cf_utils.randomness import generator
from cf_utils.training import TrainConfig

datasets = data.import_torchvision().datasets


def refusal(name, do=data.load):
    with pytest.raises(data.DataError) as error:
        do(name)
    message = str(error.value)
    assert message and "\n" not in message
    return message


def paint(file, colour, size=4, mode="RGB", **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size, size), colour).save(file, **options)


def paint_folder(folder, kind="png", test="test", classes=("cat", "dog")):
    for c, name in enumerate(classes):
        for i in range(3):
            paint(
                folder / (test if i == 2 else "train") / name / f"{i}.{kind}", (100 * c, 50 * i, 7)
            )
    return folder


# --- shapes ---


@pytest.fixture(scope="module")
def drawn():
    return shapes.generate(1200, seed=3)


def test_shapes_have_ten_classes_in_equal_numbers(drawn):
    x, y, masks = drawn
    assert x.shape == (1200, 3, 32, 32) and x.dtype == np.uint8
    assert masks.shape == (1200, 32, 32) and masks.dtype == bool
    assert len(shapes.CLASSES) == 10 and np.bincount(y).tolist() == [120] * 10
    assert y.dtype == np.int64
    assert np.abs(np.diff(y)).mean() > 2  # in random order


def test_shapes_follow_their_seed_alone(drawn):
    np.random.seed(1)
    for found, expected in zip(shapes.generate(1200, seed=3), drawn, strict=True):
        assert np.array_equal(found, expected)
    assert not np.array_equal(shapes.generate(1200, seed=4)[0], drawn[0])
    assert np.array_equal(shapes.generate(np.int64(20))[0], shapes.generate(20)[0])
    assert len({picture.tobytes() for picture in drawn[0]}) == 1200


def test_outside_its_mask_an_image_is_the_ground_alone():
    rng = np.random.default_rng(3)
    labels = rng.permutation(np.arange(200) % 10)
    ground = (255 * shapes._ground(200, rng)).round().astype(np.uint8)  # what is drawn first
    x, found, masks = shapes.generate(200, seed=3)
    changed = (x != ground).any(1)
    assert np.array_equal(found, labels) and not (changed & ~masks).any()
    assert changed[masks].mean() > 0.95 and (masks.sum((1, 2)) > 60).all() and masks.mean() < 0.3


def test_mask_of_a_shape_has_its_form():
    u, v = np.meshgrid(np.linspace(-1.5, 1.5, 301), np.linspace(-1.5, 1.5, 301))
    inside = {name: shape(u, v) < 0 for name, (shape, _) in shapes.CLASSES.items()}
    area = {name: 9 * form.mean() for name, form in inside.items()}
    assert area["disc"] == pytest.approx(np.pi, rel=0.01)
    assert area["square"] == pytest.approx(4, rel=0.02)
    assert area["ring"] == pytest.approx(np.pi * (1 - 0.4**2), rel=0.01)
    assert area["triangle"] == pytest.approx(0.75 * 3**0.5, rel=0.02)
    assert area["heart"] == pytest.approx(1 + np.pi / 4, rel=0.02)
    assert not inside["ring"][150, 150] and not inside["moon"][150, 200]
    assert inside["star"][150, 150]
    for name in set(inside) - {"moon"}:
        assert (inside[name] != inside[name][:, ::-1]).mean() < 0.01  # upright: left is right
    assert inside["triangle"][:150].sum() < inside["triangle"][151:].sum()
    assert inside["heart"][:150].sum() > inside["heart"][151:].sum()


def test_place_size_and_colour_do_not_give_the_class_away(drawn):
    x, y, masks = drawn
    area = masks.sum((1, 2))
    centre = np.stack([(masks * grid).sum((1, 2)) / area for grid in np.mgrid[:32, :32]], 1)
    colour = (x * masks[:, None]).sum((2, 3)) / area[:, None]
    features = np.concatenate([area[:, None], centre, colour], 1)
    for feature in features.T:
        of_class = np.array([feature[y == c].mean() for c in range(10)])
        # Classes differ far less than images of a class.
        assert of_class.std() < 0.5 * feature.std()
    features = np.c_[(features - features.mean(0)) / features.std(0), np.ones(1200)]
    weights = np.linalg.lstsq(features[:900], np.eye(10)[y[:900]], rcond=None)[0]
    assert ((features[900:] @ weights).argmax(1) == y[900:]).mean() < 0.2


@pytest.mark.parametrize("count", [0, -1, 1.5, True])
def test_impossible_count_of_shapes_is_refused(count):
    with pytest.raises(ValueError, match="is not possible; it is a whole number, 1 or more"):
        shapes.generate(count)


@pytest.mark.parametrize("make", [shapes.generate, shapes.generate_striped])
@pytest.mark.parametrize("seed", [2**70, -1, None, "1"])
def test_impossible_seed_of_shapes_is_refused(make, seed):
    with pytest.raises(ValueError) as error:
        make(9, seed)
    expected = f"seed={seed!r} is not possible; it is a whole number from 0 to 2**64 - 1"
    assert str(error.value) == expected


def test_striped_shapes_lie_where_their_masks_say():
    (images, labels, masks), again, other = (
        shapes.generate_striped(90, seed) for seed in (0, 0, 1)
    )
    assert images.shape == (90, 3, 32, 32) and images.dtype == np.uint8 and masks.dtype == bool
    assert (np.bincount(labels) == 10).all()
    assert all((a == b).all() for a, b in zip((images, labels, masks), again, strict=True))
    assert (images != other[0]).any()
    areas = masks.mean((1, 2))
    assert areas.min() > 0.03 and areas.max() < 0.4
    spread = [image.mean(0)[mask].std() for image, mask in zip(images, masks, strict=True)]
    assert min(spread) > 15, "stripes, dark and bright, inside"
    with pytest.raises(
        ValueError, match="count=0 is not possible; it is a whole number, 1 or more"
    ):
        shapes.generate_striped(0)


def test_load_of_shapes_works_offline_and_keeps_masks_with_their_images(place):
    images = data.load("shapes")
    held = data._hold_out(images, 1000, seed=2)  # what load does last, without drawing all again
    assert (images.name, images.classes) == ("shapes", tuple(shapes.CLASSES))
    assert images.x_train.shape == (10000, 3, 32, 32) and images.x_test.shape == (2000, 3, 32, 32)
    assert images.y_test.bincount().tolist() == [200] * 10
    assert images.masks_test.shape == (
        2000,
        32,
        32,
    )
    mask = {x.numpy().tobytes(): m for x, m in zip(images.x_train, images.masks_train, strict=True)}
    for part, count in (("train", 9000), ("val", 1000)):
        x, masks = getattr(held, f"x_{part}"), getattr(held, f"masks_{part}")
        assert len(x) == len(masks) == count
        assert all(torch.equal(mask[a.numpy().tobytes()], m) for a, m in zip(x, masks, strict=True))
    with pytest.raises(ValueError, match="masks_train has 10000 rows, but y_train 5"):
        replace(images, x_train=images.x_train[:5], y_train=images.y_train[:5])
    assert (
        data.Images("", (), *(images.x_test, images.y_test) * 3, images.mean, images.std).masks_test
        is None
    )
    stream = streams.split(images, [[0, 1], [2, 3]])
    assert torch.equal(stream.to("cpu").images.masks_test, images.masks_test)
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    ("masks", "given"),
    [
        (torch.ones(78, 6, 6, dtype=torch.uint8), r"torch.uint8 \[78, 6, 6\]"),
        (torch.ones(78, 1, 6, 6, dtype=torch.bool), r"torch.bool \[78, 1, 6, 6\]"),
        (torch.ones(78, 6, 7, dtype=torch.bool), r"torch.bool \[78, 6, 7\]"),
        (np.ones((78, 6, 6), bool), "ndarray"),
        (True, "bool"),
    ],
)
def test_masks_of_another_kind_are_refused(masks, given):
    with pytest.raises(
        ValueError,
        match=rf"masks_train is a tensor of bool \[N, 6, 6\] as its images are, not {given}$",
    ):
        replace(make_images(), masks_train=masks)


def test_as_many_images_as_labels_are_needed():
    images = make_images()
    fitting = torch.ones(78, 6, 6, dtype=torch.bool)
    assert replace(images, masks_train=fitting).masks_train is fitting
    with pytest.raises(
        ValueError, match="x_test has 23 rows, but y_test 24; choose the same of both"
    ):
        replace(images, x_test=images.x_test[1:])
    with pytest.raises(
        ValueError, match="masks_train has 77 rows, but y_train 78; choose the same of both"
    ):
        replace(images, masks_train=fitting[1:])


# --- CIFAR ---


def write_cifar(monkeypatch, place, name, count=3):
    """A set of ``count`` images a file in torchvision's format, with its checksums."""
    kind, rng, pixels = getattr(datasets, name.upper()), np.random.default_rng(0), []
    (place / kind.base_folder).mkdir()

    def write(file, content):
        raw = pickle.dumps(content)
        (place / kind.base_folder / file).write_bytes(raw)
        return file, hashlib.md5(raw).hexdigest()

    def batch(file):
        pixels.append(rng.integers(0, 255, (count, 3072), np.uint8))
        return write(
            file, {"data": pixels[-1], "labels" if name == "cifar10" else "fine_labels": [1, 0, 1]}
        )

    monkeypatch.setattr(kind, "train_list", [batch(file) for file, _ in kind.train_list])
    monkeypatch.setattr(kind, "test_list", [batch(file) for file, _ in kind.test_list])
    _, md5 = write(kind.meta["filename"], {kind.meta["key"]: ["apple", "bear"]})
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": md5})
    return place / kind.base_folder, np.concatenate(pixels)


@pytest.mark.parametrize(("name", "files"), [("cifar10", 5), ("cifar100", 1)])
def test_cifar_is_read_as_torchvision_stores_it(place, monkeypatch, name, files):
    _, pixels = write_cifar(monkeypatch, place, name)
    paint_folder(place / name, "jpg")  # the originals come first
    images = data.load(name)
    assert images.name == name and images.classes == ("apple", "bear")
    assert images.x_train.dtype == torch.uint8 and images.x_train.is_contiguous()
    expected = torch.from_numpy(pixels).view(-1, 3, 32, 32)
    assert torch.equal(images.x_train, expected[: 3 * files])
    assert torch.equal(images.x_test, expected[3 * files :])
    assert images.y_train.tolist() == [1, 0, 1] * files and images.y_test.tolist() == [1, 0, 1]
    data.fetch(name)  # is there


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "tiny-imagenet"])
@pytest.mark.parametrize("do", [data.load, data.fetch])
def test_missing_set_without_a_network_names_what_works(place, name, do):
    message = refusal(name, do)
    assert message.startswith(f"{name} is not complete in {place} and could not be downloaded: ")
    assert "no route to host" in message and message.endswith("; 'shapes' works without a network")


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("file", ["test", "meta"])
def test_a_corrupt_cifar_file_is_never_unpickled(place, monkeypatch, name, file):
    folder, _ = write_cifar(monkeypatch, place, name)
    paint_folder(place / name)  # nor replaced by another set
    next(folder.glob(f"*{file}*")).write_bytes(pickle.dumps(Trap()))
    assert "'shapes' works without a network" in refusal(name)


class Trap:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize(
    ("name", "archive"),
    [("cifar10", "cifar-10-python.tar.gz"), ("tiny-imagenet", "tiny-imagenet-200.zip")],
)
def test_a_half_downloaded_archive_is_named(place, name, archive):
    (place / archive).write_bytes(b"half")
    assert f"({archive} there is incomplete or corrupt)" in refusal(name)


# --- folders ---


@pytest.mark.parametrize(
    ("kind", "what"), [("jpg", "JPEG copy"), ("JPEG", "JPEG copy"), ("png", "image folder")]
)
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_a_folder_named_cifar_is_called_what_it_is(place, name, kind, what):
    paint_folder(place / name, kind)
    images = data.load(name)
    assert images.name == f"{name} ({what})" and images.classes == ("cat", "dog")
    assert streams.split(images, [[0], [1]]).name == f"split {name} ({what})"


def test_tiny_imagenet_100_is_found_but_never_taken_for_all_200(place):
    assert "needs the folders train/CLASS" in (message := refusal("tiny-imagenet-100"))
    assert "'shapes' works without a network" in message
    folder = paint_folder(place / "tiny-imagenet-100", "JPEG", "val", ("n01", "n02", "n03"))
    (folder / "classes.txt").write_text(
        "n03\tcrane, bird\nn02\tbullfrog, Rana catesbeiana\nn01\tcrane\nno tab\n"
    )
    images = data.load("tiny-imagenet-100")
    assert images.name == "tiny-imagenet-100"
    assert images.classes == (
        "crane (n01)",
        "bullfrog",
        "crane (n03)",
    )
    message = refusal("tiny-imagenet")
    assert "'tiny-imagenet-100' is: load that" in message
    assert "python -m cf_utils.data tiny-imagenet" in message


def test_images_of_any_kind_are_read_as_rgb(tmp_path):
    train = paint_folder(tmp_path) / "train"
    for file in train.rglob("*.png"):
        file.unlink()
    paint(train / "cat" / "0.png", 120, mode="L")
    paint(train / "cat" / "1.gif", (9, 200, 30))
    paint(train / "cat" / "2.png", 1, mode="1")
    paint(train / "cat" / "3.png", (1, 2, 3, 0), mode="RGBA")
    paint(train / "cat" / "4.png", (50, 7), mode="LA")
    palette = Image.new("RGB", (4, 4), (4, 5, 6)).quantize()
    palette.save(train / "cat" / "5.png", transparency=b"\0" * 3)
    paint(train / "cat" / "6.webp", (7, 8, 9), lossless=True)
    paint(train / "dog" / "0.tif", (0, 0, 0, 0), mode="CMYK")
    paint(train / "dog" / "1.BMP", (70, 80, 90))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = data.load(f"folder:{tmp_path}")
    cats = [[120] * 3, [9, 200, 30], [255] * 3, [1, 2, 3], [50] * 3, [4, 5, 6], [7, 8, 9]]
    assert images.x_train[:, :, 2, 2].tolist() == [*cats, [255] * 3, [70, 80, 90]]


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_an_image_of_more_than_8_bits_is_refused(tmp_path, mode):
    file = paint_folder(tmp_path) / "train" / "dog" / "9.tif"
    paint(file, 300, mode=mode)
    assert f"{file} is not a readable image: it has more than 8 bits" in refusal(
        f"folder:{tmp_path}"
    )


def write(file, values, **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(file, **options)


def load_one(folder, values, kind="png", **options):
    """What ``values`` become as a folder's only image, as a file of a kind: ``[C, H, W]``."""
    for part in ("train", "test"):
        write(folder / part / "cat" / f"0.{kind}", values, **options)
    return data.load(f"folder:{folder}").x_train[0].numpy()


@pytest.mark.parametrize("kind", ["png", "tif", "pgm", "jp2"])
def test_grey_of_16_bits_is_scaled_by_its_full_range(tmp_path, kind):
    values = np.array(
        [[0, 128, 129, 257, 128 * 257], [40000, 65278, 65406, 65407, 65535]], np.uint16
    )
    expected = [[0, 0, 1, 1, 128], [156, 254, 254, 255, 255]]  # of a 257th each, rounded
    assert load_one(tmp_path, values, kind).tolist() == [expected]


@pytest.mark.parametrize("kind", ["tif", "pfm"])
def test_floats_from_0_to_1_are_scaled(tmp_path, kind):
    values = np.array([[0, 0.001, 0.002], [0.5, 0.999, 1]], np.float32)
    assert load_one(tmp_path, values, kind).tolist() == [[[0, 0, 1], [128, 255, 255]]]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([[0, 255]], np.float32), "values from 0 to 255; accepted are floats from 0 to 1"),
        (np.array([[-1, 1]], np.float32), "values from -1 to 1"),
        (np.array([[0, np.nan]], np.float32), "values from nan to nan"),
        (np.array([[0, np.inf]], np.float32), "values from 0 to inf"),
        (
            np.array([[0, 65535]], np.int32),
            "whole numbers of 32 bits or with a sign; accepted are 16 bits",
        ),
        (
            np.array([[0, 4095]], np.uint16),
            "takes 6.25% of their range, the most of those here, so that all",
        ),
        (np.array([[0, 0.06]], np.float32), "takes 6.00% of their range"),
    ],
)
def test_values_that_do_not_say_what_is_white_are_refused(tmp_path, values, reason):
    with pytest.raises(data.DataError) as error:
        load_one(tmp_path, values, "tif")
    assert str(error.value).startswith(
        f"{tmp_path / 'train' / 'cat' / '0.tif'} is not a readable image: "
    )
    assert f"it has more than 8 bits{', ' if reason[:4] != 'take' else ' and '}{reason}" in str(
        error.value
    )


def test_dark_images_of_16_bits_are_read_beside_bright_ones(tmp_path):
    load_one(tmp_path, np.full((2, 2), 65535, np.uint16))
    write(tmp_path / "train" / "cat" / "1.png", np.full((2, 2), 300, np.uint16))
    assert data.load(f"folder:{tmp_path}").x_train[:, 0, 0, 0].tolist() == [255, 1]


def png_of_16_bits(values):
    """A PNG with colours ``[H, W, 3]`` of 16 bits, which Pillow reads and does not write."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    height, width, _ = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in values))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_of_colours_with_16_bits_the_upper_8_are_read(tmp_path):
    train = paint_folder(tmp_path, classes=("cat",)) / "train" / "cat"
    for file in train.iterdir():
        file.write_bytes(png_of_16_bits(np.full((4, 4, 3), (65535, 256, 40000))))
    assert data.load(f"folder:{tmp_path}").x_train[0, :, 0, 0].tolist() == [255, 1, 156]
    for file in train.iterdir():
        file.write_bytes(png_of_16_bits(np.full((4, 4, 3), (255, 200, 3))))
    assert "1.png is not a readable image: it has more than 8 bits and takes 0.00%" in refusal(
        f"folder:{tmp_path}"
    )


def test_a_tiff_of_12_bits_and_one_where_0_is_white(tmp_path):
    """12 bits written by hand: two values in three bytes, of which 4095 is white."""
    entries = [
        (256, 2),
        (257, 1),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 200),
        (277, 1),
        (278, 1),
        (279, 3),
    ]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    tags = (
        b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries) + b"\0" * 4
    )
    for part in ("train", "test"):
        file = tmp_path / part / "cat" / "0.tif"
        file.parent.mkdir(parents=True)
        # 0x800, 0xFFF.
        file.write_bytes((head + tags).ljust(200, b"\0") + bytes([0x80, 0x0F, 0xFF]))
    assert data.load(f"folder:{tmp_path}").x_train.tolist() == [[[[128, 255]]]]
    values = np.array([[0, 65535, 257]], np.uint16)
    assert load_one(tmp_path / "turned", values, "tif", tiffinfo={262: 0}).tolist() == [
        [[255, 0, 254]]
    ]


TURNED = {  # what EXIF's orientation asks for, done by hand
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNED)
def test_images_are_turned_as_their_exif_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50
    colour = np.stack([grey, grey // 2, grey * 0 + 9], 2)
    arrays = {
        "grey": grey,
        "colour": colour,
        "transparent": np.dstack([colour, grey]),
        "deep": grey * np.uint16(257),
    }
    for (name, values), kind in [
        (item, kind) for item in arrays.items() for kind in ("png", "tif")
    ]:
        found = load_one(tmp_path / name / kind, values, kind, exif=exif)
        expected = TURNED[orientation](grey if name == "deep" else values).reshape(
            *found.shape[1:], -1
        )
        assert np.array_equal(found.transpose(1, 2, 0), expected[..., :3]), (name, kind)


def test_exif_of_a_photograph_is_read_and_broken_exif_is_not(tmp_path):
    exif = Image.Exif()
    exif[274] = 8
    values = np.repeat(np.uint8([[20, 220]]), 8, 1).repeat(8, 0)  # dark left, bright right
    found = load_one(tmp_path / "photograph", values, "jpg", exif=exif)
    assert found.shape == (1, 16, 8) and found[0, :8].min() > 200 and found[0, 8:].max() < 40
    assert np.array_equal(load_one(tmp_path / "broken", values, exif=b"no EXIF")[0], values)


def test_of_a_moving_gif_the_first_frame_is_read(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((9, 200, 30), (1, 2, 3))]
    folder = paint_folder(tmp_path, "gif")
    for kind in ("gif", "png", "webp"):
        frames[0].save(
            folder / "train" / "cat" / f"9.{kind}",
            save_all=True,
            append_images=frames[1:],
            lossless=True,
        )
    found = data.load(f"folder:{folder}").x_train[2:5, :, 2, 2].tolist()
    assert found == [[9, 200, 30]] * 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_picture_in_transparency_alone_is_refused(tmp_path, mode):
    file = paint_folder(tmp_path) / "train" / "cat" / "9.png"
    ink = Image.new(mode, (4, 4))
    ink.putpixel((1, 1), (0,) * (len(mode) - 1) + (255,))  # black on nothing
    ink.save(file)
    message = refusal(f"folder:{tmp_path}")
    assert message.startswith(
        f"{file} is not a readable image: what it shows is in its transparency alone; lay it"
    )


def test_a_folder_of_grey_images_has_one_channel(tmp_path, digits):
    for i, picture in enumerate(digits.x_test[::100, 0].numpy()):
        colours = np.stack([picture] * 3, 2)  # as matplotlib writes grey
        write(tmp_path / "train" / str(i) / "0.png", picture if i % 2 else colours)
        write(tmp_path / "test" / str(i) / "0.png", 255 - picture)
    images = data.load(f"folder:{tmp_path}")
    assert torch.equal(images.x_train, digits.x_test[::100]) and images.x_train.is_contiguous()
    assert torch.equal(images.x_test, 255 - digits.x_test[::100])
    assert images.classes == digits.classes and images.mean.shape == images.std.shape == (1,)
    paint(tmp_path / "test" / "9" / "1.png", (1, 1, 2), 28)
    mixed = data.load(f"folder:{tmp_path}")
    assert torch.equal(mixed.x_train, digits.x_test[::100].expand(-1, 3, -1, -1))
    assert mixed.mean.shape == (3,)
    assert mixed.x_test[-1, :, 0, 0].tolist() == [1, 1, 2]


def test_classes_are_in_natural_order(tmp_path):
    names = [str(c) for c in range(12)]
    for part in ("train", "test"):
        for c in range(12):
            paint(tmp_path / part / str(c) / "0.png", c)
    images = data.load(f"folder:{tmp_path}")
    assert images.classes == tuple(names)
    assert images.y_train.tolist() == images.x_train[:, 0, 0, 0].tolist()
    assert images.y_test.tolist() == [*range(12)]
    mixed = ["Zoo", "a", "a2b", "a10", "b01", "b1", "b02", "x²", "10", "9", ""]
    expected = ["", "9", "10", "Zoo", "a", "a2b", "a10", "b01", "b1", "b02", "x²"]
    assert sorted(mixed, key=data._natural) == expected
    assert sorted(expected, key=data._natural) == expected


def test_natural_order_leaves_the_photographs_of_notebook_08_as_they_were():
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    names = re.findall(r"\bn\d{8}\b", text)
    assert len(names) == 100 and sorted(set(names), key=data._natural) == sorted(names)


def test_what_is_hidden_is_no_class_and_no_image(tmp_path):
    folder = paint_folder(tmp_path)
    for name in (
        ".ipynb_checkpoints/0-checkpoint.png",
        "__MACOSX/cat/0.png",
        "cat/.ipynb_checkpoints/0.png",
        "__pycache__/0.png",
        "$RECYCLE.BIN/cat/0.png",
        "#recycle/0.png",
    ):
        paint(folder / "train" / name, (9, 9, 9))
    for name in (".git", "__pycache__", "lost+found", "System Volume Information"):
        for place in (folder / "train" / "dog", folder / "test"):  # as a class, and in one
            (place / name).mkdir()
    (folder / "test" / "__pycache__" / "x.pyc").write_text("")
    for name in ("cat/._0.png", "dog/.DS_Store", ".DS_Store", "dog/Thumbs.db", "cat/@eaDir/0.png"):
        paint(folder / "test" / name, 9, format="png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = data.load(f"folder:{folder}")
    assert images.classes == ("cat", "dog") and (len(images.y_train), len(images.y_test)) == (4, 2)


def test_files_that_are_left_out_are_counted(tmp_path):
    folder = paint_folder(tmp_path)
    paint(folder / "train" / "0.png", 9)
    for name in ("train/cat/0.heic", "test/dog/notes.txt"):
        (folder / name).write_text("")
    why = "in no folder of a class, or of a type that is not read"
    expected = f"left out: 3 files in {folder}, {why}, such as {folder / 'train' / '0.png'}"
    with pytest.warns(UserWarning, match=re.escape(expected)) as warned:
        images = data.load(f"folder:{folder}")
    assert len(images.y_train) == 4 and len(warned) == 1 and warned[0].filename == __file__


def test_home_is_found_in_names_of_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    paint_folder(tmp_path / "pets")
    assert data.load("folder:~/pets").classes == ("cat", "dog")
    assert data.load("folder:~/pets").name == "folder:~/pets"
    monkeypatch.setenv("CF_DATA", "~")
    assert data.root() == tmp_path and data.load("folder:pets").classes == ("cat", "dog")
    monkeypatch.setenv("CF_DATA", "~/pets")
    assert data.load("folder:").classes == ("cat", "dog")
    monkeypatch.setenv("CF_DATA", "~nobody-here/x")
    message = refusal("mnist")
    assert message == "CF_DATA=~nobody-here/x names no folder: Could not determine home directory"


def test_one_class_is_read_but_not_a_folder_of_classes_for_one(tmp_path):
    images = data.load(f"folder:{paint_folder(tmp_path / 'one', classes=('cat',))}")
    assert images.classes == ("cat",) and images.y_train.tolist() == [0, 0]
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            paint(tmp_path / "deep" / part / "pictures" / name / "0.png", 9)
    message = refusal(f"folder:{tmp_path / 'deep'}")
    place = tmp_path / "deep" / "train"
    found = f"{place} has one class, pictures, and folders in it"
    assert message == f"{found}; classes are the folders right in {place}: move them up"


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_empty_class_is_named(tmp_path, part):
    folder = paint_folder(tmp_path)
    (folder / part / "eel").mkdir()
    (folder / part / "cow").mkdir()
    (folder / part / "cow" / "notes.txt").write_text("none yet")
    message = refusal(f"folder:{folder}")
    assert message.startswith(
        f"{folder / part} has classes without images: cow, eel; read are .jpg"
    )


def test_a_circle_of_links_is_refused(tmp_path):
    folder = paint_folder(tmp_path)
    (folder / "train" / "cat" / "again").symlink_to(folder / "train" / "cat")
    message = refusal(f"folder:{folder}")
    link = folder / "train" / "cat" / "again"
    reason = f"the link {link} leads to a folder that is read already"
    assert message == f"{folder / 'train'} cannot be read: {reason}"


def test_images_are_in_text_order_however_the_disk_lists_them(tmp_path, monkeypatch):
    for i in range(12):
        paint(tmp_path / "train" / "cat" / f"{i}.png", i)
    paint(tmp_path / "train" / "cat" / "1a" / "0.png", 99)
    paint(tmp_path / "test" / "cat" / "0.png", 0)
    walk = os.walk
    monkeypatch.setattr(
        os, "walk", lambda *a, **b: ((p, f, sorted(n)[::-1]) for p, f, n in walk(*a, **b))
    )
    order = [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9, 99]  # as torchvision's ImageFolder has them
    assert data.load(f"folder:{tmp_path}").x_train[:, 0, 0, 0].tolist() == order


def test_links_to_images_elsewhere_are_followed(tmp_path):
    folder = paint_folder(tmp_path / "pets")
    (folder / "train" / "cat").rename(tmp_path / "cats")
    (folder / "train" / "cat").symlink_to(tmp_path / "cats")
    assert data.load(f"folder:{folder}").y_train.tolist() == [0, 0, 1, 1]


def test_a_folder_that_may_not_be_listed_is_refused(tmp_path, monkeypatch):
    folder, scandir = paint_folder(tmp_path), os.scandir

    def refuse(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert f"{folder / 'train'} cannot be read: [Errno 13] Permission denied" in refusal(
        f"folder:{folder}"
    )


def test_images_of_two_sizes_name_one_of_each(tmp_path):
    paint(paint_folder(tmp_path) / "train" / "dog" / "9.png", 0, 6)
    message = refusal(f"folder:{tmp_path}")
    assert message.startswith(
        f"{tmp_path / 'train'} has images of 2 different sizes, "
        "such as 4×4 (cat/0.png) and 6×6 (dog/9.png)"
    )


def test_a_folder_is_read_anew_and_left_as_it_was(tmp_path):
    folder = paint_folder(tmp_path)
    images = data.load(f"folder:{folder}")
    assert images.x_train[:, :, 0, 0].tolist() == [[0, 0, 7], [0, 50, 7], [100, 0, 7], [100, 50, 7]]
    assert images.x_test[:, :, 0, 0].tolist() == [[0, 100, 7], [100, 100, 7]]
    assert images.x_test.dtype == torch.uint8
    assert images.y_train.tolist() == [0, 0, 1, 1] and images.mean.tolist() == [50, 25, 7]
    paint(folder / "train" / "cat" / "0.png", (255, 0, 0))
    assert data.load(f"folder:{folder}").x_train[0, :, 0, 0].tolist() == [255, 0, 0]
    assert sorted(os.listdir(folder)) == ["test", "train"]


# --- Tiny-ImageNet ---


def write_tiny_imagenet(place, classes=("n01", "n02")):
    """The layout of the original archive, small: two training images a class, two tests in all."""
    folder = place / "tiny-imagenet-200"
    for c, wnid in enumerate(classes):
        for i in range(2):
            paint(
                folder / "train" / wnid / "images" / f"{wnid}_{i}.JPEG",
                (100 * c, 0, 0),
                8,
                quality=95,
            )
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text("0 0 1 1")
    rows = [f"val_{i}.JPEG\t{wnid}\t0\t0\t62\t62" for i, wnid in enumerate(reversed(classes))]
    for i, _ in enumerate(classes):
        paint(folder / "val" / "images" / f"val_{i}.JPEG", 200, 8, "L")
    paint(folder / "test" / "images" / "test_0.JPEG", 0, 8)
    (folder / "val" / "val_annotations.txt").write_text("\n".join(rows) + "\n")
    (folder / "wnids.txt").write_text("\n".join(reversed(classes)))
    (folder / "words.txt").write_text(
        "n00\tentity\nn01\tgoldfish, Carassius auratus\nn02\tbullfrog\n"
    )
    return folder


@pytest.fixture
def archive(place, monkeypatch, tmp_path_factory):
    """The bytes of a small archive whose checksum is the expected one."""
    source = tmp_path_factory.mktemp("source")
    folder, file = write_tiny_imagenet(source), source / "small.zip"
    with zipfile.ZipFile(file, "w") as whole:
        for path in sorted(folder.rglob("*")):
            whole.write(path, path.relative_to(source))
    raw = file.read_bytes()
    monkeypatch.setattr(data, "TINY_IMAGENET_MD5", hashlib.md5(raw).hexdigest())
    return raw


def serve(monkeypatch, raw):
    """Let torchvision's download write ``raw``; returns the addresses asked for."""
    asked = []

    def write(url, filename, chunk_size=0):
        asked.append(url)
        with open(filename, "wb") as file:
            file.write(raw)

    monkeypatch.setattr(datasets.utils, "_get_redirect_url", lambda url, max_hops=3: url)
    monkeypatch.setattr(datasets.utils, "_urlretrieve", write)
    return asked


def test_tiny_imagenet_is_fetched_and_read(place, archive, monkeypatch):
    asked = serve(monkeypatch, archive)
    (place / "tiny-imagenet-200.zip").write_bytes(archive[:100])  # an interrupted download
    data.fetch("tiny-imagenet")
    assert asked == [data.TINY_IMAGENET_URL] and os.listdir(place) == ["tiny-imagenet-200"]
    images = data.load("tiny-imagenet")
    assert images.name == "tiny-imagenet" and images.classes == ("goldfish", "bullfrog")
    assert images.x_train.shape == (4, 3, 8, 8) and images.y_train.tolist() == [0, 0, 1, 1]
    assert images.x_test[:, :, 4, 4].tolist() == [[200] * 3] * 2
    assert images.y_test.tolist() == [
        1,
        0,
    ]
    assert (images.x_train[:, 0, 4, 4] - torch.tensor([0, 0, 100, 100])).abs().max() <= 2
    data.fetch("tiny-imagenet")
    assert len(asked) == 1


def test_a_wrong_checksum_leaves_no_folder(place, archive, monkeypatch):
    serve(monkeypatch, archive[:-1])
    message = refusal("tiny-imagenet", data.fetch)
    assert "(tiny-imagenet-200.zip there is incomplete or corrupt)" in message
    assert "corrupted; 'shapes'" in message
    assert os.listdir(place) == ["tiny-imagenet-200.zip"]


def test_an_interrupted_extraction_starts_afresh(place, archive, monkeypatch):
    asked = serve(monkeypatch, archive)

    def interrupt(self, path):
        (data.Path(path) / "tiny-imagenet-200" / "train").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(zipfile.ZipFile, "extractall", interrupt)
        data.fetch("tiny-imagenet")
    assert os.listdir(place) == ["tiny-imagenet-200.zip"]
    # The archive was whole.
    assert data.load("tiny-imagenet").x_train.shape == (4, 3, 8, 8) and len(asked) == 1


def test_an_incomplete_tiny_imagenet_is_named(place):
    folder = write_tiny_imagenet(place)
    (folder / "val" / "images" / "val_1.JPEG").unlink()
    assert "val_1.JPEG is not a readable image" in refusal("tiny-imagenet")
    (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG n01\n")
    assert f"{folder} is incomplete or corrupt, delete it" in refusal("tiny-imagenet")
    (folder / "val" / "val_annotations.txt").write_text("")
    (folder / "wnids.txt").write_text("n01 n02 n03")
    assert f"{folder} is incomplete, delete it: 2 of 3 classes are there" in refusal(
        "tiny-imagenet"
    )


def test_classes_are_drawn_into_disjoint_tasks_by_a_seed():
    images = make_images(classes=7)
    drawn = streams.draw_classes(images, 3, 2, seed=1)
    assert [len(task) for task in drawn] == [2, 2, 2]
    assert len({c for task in drawn for c in task}) == 6
    torch.manual_seed(5)
    assert (
        streams.draw_classes(images, 3, 2, seed=1)
        == drawn
        != streams.draw_classes(images, 3, 2, seed=2)
    )
    assert len(streams.split(images, drawn)) == 3
    assert sorted(c for task in streams.draw_classes(images, 7, 1) for c in task) == list(range(7))


@pytest.mark.parametrize(
    ("tasks", "classes", "message"),
    [
        (4, 2, "4 tasks of 2 classes need 8, but made has 7"),
        (0, 2, "tasks=0 is not possible; it is a whole number, 1 or more"),
        (2, 1.5, "classes=1.5 is not possible"),
    ],
)
def test_impossible_draws_of_classes_are_refused(tasks, classes, message):
    with pytest.raises(ValueError, match=message):
        streams.draw_classes(make_images(classes=7), tasks, classes)


# --- flips and crops ---


def by_hand(picture, mirrored, right, down):
    """What a mirrored or plain image looks like through a window that is moved right and down."""
    picture = picture.flip(-1) if mirrored else picture
    padded = torch.nn.functional.pad(picture, (9, 9, 9, 9))
    height, width = picture.shape[-2:]
    return padded[:, 9 + down : 9 + down + height, 9 + right : 9 + right + width]


def test_flips_and_crops_are_those_done_by_hand():
    x = torch.randint(1, 256, (300, 2, 5, 6), generator=generator(0, "pictures")).to(torch.uint8)
    changed, before = data.flip_and_crop(x, generator(0, "draws"), padding=2), x.clone()
    choices = [(m, r, d) for m in (False, True) for r in range(-2, 3) for d in range(-2, 3)]
    found = [
        [c for c in choices if torch.equal(by_hand(a, *c), b)]
        for a, b in zip(x, changed, strict=True)
    ]
    assert all(len(choice) == 1 for choice in found) and torch.equal(x, before)
    assert len({choice[0] for choice in found}) == 50  # of 50 there are; each image has its own
    assert 0.4 < np.mean([choice[0][0] for choice in found]) < 0.6
    again = data.flip_and_crop(x.view(3, 100, 2, 5, 6), generator(0, "draws"), padding=2)
    assert changed.dtype == torch.uint8 and torch.equal(again.flatten(0, 1), changed)
    assert not torch.equal(data.flip_and_crop(x, generator(1, "draws"), padding=2), changed)


def test_images_are_mirrored_and_shifted_as_told():
    x = torch.randint(1, 256, (300, 2, 5, 6), generator=generator(0, "pictures")).to(torch.uint8)
    down, right = torch.randint(5, (2, 300), generator=generator(0, "moves"))
    mirrored = torch.arange(300) % 2 == 1
    changed = data.mirror_and_shift(x, down, right, mirrored, padding=2)
    for before, after, d, r, m in zip(
        x, changed, down.tolist(), right.tolist(), mirrored.tolist(), strict=True
    ):
        window = torch.nn.functional.pad(before, (2, 2, 2, 2))[:, d : d + 5, r : r + 6]
        assert torch.equal(after, window.flip(2) if m else window)
    kept = torch.full((300,), 4)
    assert torch.equal(data.mirror_and_shift(x, kept, kept, kept == 0), x)


def test_without_padding_images_are_only_mirrored():
    x = torch.arange(24, dtype=torch.float32).view(1, 2, 3, 4).repeat(20, 1, 1, 1)
    changed = data.flip_and_crop(x, generator(0, "draws"), padding=0)
    kinds = [torch.equal(a, x[0]) + 2 * torch.equal(a, x[0].flip(-1)) for a in changed]
    assert set(kinds) == {1, 2} and data.flip_and_crop(x[:0]).shape == (0, 2, 3, 4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_flips_and_crops_are_the_same_on_a_gpu():
    x = torch.randint(256, (50, 3, 8, 8), dtype=torch.uint8)
    changed = data.flip_and_crop(x.cuda(), generator(0, "draws"))
    assert changed.is_cuda
    assert torch.equal(changed.cpu(), data.flip_and_crop(x, generator(0, "draws")))


@pytest.mark.parametrize(
    ("x", "padding", "message"),
    [
        (torch.zeros(5, 5), 4, r"a tensor \[..., C, H, W\], not torch.Size\(\[5, 5\]\)"),
        ([1, 2], 4, "not list"),
        (
            torch.zeros(1, 5, 5),
            -1,
            "padding=-1 is not possible; it is a whole number of pixels, 0 or more",
        ),
        (torch.zeros(1, 5, 5), 1.5, "padding=1.5 is not possible"),
        (torch.zeros(1, 5, 5), True, "padding=True is not possible"),
        (torch.zeros(1, 5, 5), np.float64(1), r"padding=np.float64\(1.0\) is not possible"),
        (np.zeros((1, 5, 5)), 4, "not ndarray"),
    ],
)
def test_flip_and_crop_names_wrong_input(x, padding, message):
    with pytest.raises(ValueError, match=message):
        data.flip_and_crop(x, padding=padding)


def test_flip_and_crop_takes_numpys_padding_and_no_seed():
    x = torch.arange(75, dtype=torch.uint8).view(1, 3, 5, 5)
    drawn = [
        data.flip_and_crop(x, generator(0, "draws"), padding=kind(2))
        for kind in (int, np.int64, np.uint8)
    ]
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])
    with pytest.raises(
        ValueError, match=r"generator=7 is not possible; it is a torch\.Generator, or None"
    ):
        data.flip_and_crop(x, 7)


CONFIG = TrainConfig(epochs=3, batch_size=9, lr=0.02, optimizer="adam")


def test_augmented_replicas_equal_separate_runs(stream):
    methods = [Replay(10), FlipAndCrop(1)]
    build = small("batch", dtype=torch.float64)
    run = train(build, methods, stream, CONFIG)
    for r, seed in enumerate(run.seeds):
        assert_equal_alone(run, train(build, methods, stream, CONFIG, [seed]), r)
    plain = train(build, methods[:1], stream, CONFIG)
    assert any(
        not torch.equal(w, plain.model.weights[name]) for name, w in run.model.weights.items()
    )


def test_every_step_task_and_replica_has_draws_of_its_own(stream):
    x = stream.tasks[0].x_train
    found = []
    for t, step, seeds in [(0, 0, [0, 1]), (0, 1, [0]), (1, 0, [0])]:
        batch = Batch(x.expand(len(seeds), *x.shape), None, len(x))
        found += FlipAndCrop(2).augment(SimpleNamespace(t=t, step=step, seeds=seeds), batch).x
    assert all(changed.dtype == torch.uint8 and changed.shape == x.shape for changed in found)
    assert not any(torch.equal(a, b) for i, a in enumerate([x, *found]) for b in found[i:])


def test_augmentation_leaves_the_stored_images_and_repeats_itself(stream):
    before = stream.tasks[0].x_train.clone()
    runs = [train(small(), FlipAndCrop(2), stream, CONFIG) for _ in range(2)]
    assert_same(state(runs[0].model), state(runs[1].model))
    assert torch.equal(stream.tasks[0].x_train, before)


def test_augmentation_names_wrong_padding():
    with pytest.raises(ValueError, match="padding=-1 is not possible"):
        FlipAndCrop(-1)
