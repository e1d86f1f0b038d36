"""Images that the project generates: textured shapes on cluttered ground, with masks.

A class is a shape with a texture of its own. Nothing else gives it away: place, size, tilt, colours
and ground are drawn alike for all classes, and shapes of one size have one area (but for tips that
the edge of the image cuts off).
"""

from functools import cache

import numpy as np

from cf_utils.checks import check_count, check_seed

SIDE = 32
CHUNK = 500  # images drawn at a time: what stays in a CPU's cache


def _polygon(u, v, corners, inner=None):
    """A regular polygon with a corner on top.

    With ``inner`` a star whose inner corners have that radius.
    """
    half = np.pi / corners
    r, a = np.hypot(u, v), np.abs((np.arctan2(u, -v) + half) % (2 * half) - half)
    x, y = r * np.cos(a) - 1, r * np.sin(a)
    inner = np.cos(half) if inner is None else inner
    # Normal of the edge from corner to inner corner.
    across, along = inner * np.sin(half), 1 - inner * np.cos(half)
    return (across * x + along * y) / np.hypot(across, along)


def _zigzag(along, across):
    return np.sin(across + 4 * np.abs((along / 4) % 2 - 1))


def _flower(u, v):
    r, a = np.hypot(u, v), (np.arctan2(u, -v) + np.pi / 5) % (2 * np.pi / 5) - np.pi / 5
    # Five petals and a middle.
    return np.minimum(np.hypot(r * np.cos(a) - 0.64, r * np.sin(a)) - 0.36, r - 0.45)


def _heart(u, v):
    # A square on its corner, and a disc on each of its upper sides.
    a, b = (u - v) * 0.7071, (-u - v) * 0.7071
    discs = np.minimum(np.hypot(a - 0.5, b), np.hypot(a, b - 0.5)) - 0.5
    return np.minimum(np.maximum(np.abs(a), np.abs(b)) - 0.5, discs)


def _plus(u, v):
    u, v = np.abs(u), np.abs(v)
    return np.minimum(np.maximum(u - 1, v - 0.36), np.maximum(u - 0.36, v - 1))


# Class -> its shape: about the distance to the edge, below 0 inside, of points (u right, v down);
# and its texture: a wave of points in radians, of which two pi make a period. Mirrored, no class
# looks like another.
CLASSES = {
    "disc": (lambda u, v: np.hypot(u, v) - 1, lambda u, v: np.sin(v)),  # stripes that lie
    # Dots.
    "square": (
        lambda u, v: np.maximum(np.abs(u), np.abs(v)) - 1,
        lambda u, v: np.sin(u) + np.sin(v) - 0.5,
    ),
    # Checks.
    "triangle": (lambda u, v: _polygon(u, v, 3), lambda u, v: np.sin(0.7 * u) * np.sin(0.7 * v)),
    # Slanted stripes.
    "ring": (lambda u, v: np.abs(np.hypot(u, v) - 0.7) - 0.3, lambda u, v: np.sin(0.7 * (u + v))),
    "star": (lambda u, v: _polygon(u, v, 5, 0.5), lambda u, v: np.sin(0.2 * v)),  # shading
    "plus": (_plus, lambda u, v: np.sin(u)),  # stripes that stand
    "heart": (_heart, _zigzag),  # zigzags that lie
    # Specks.
    "moon": (lambda u, v: np.maximum(np.hypot(u, v) - 1, 0.75 - np.hypot(u - 0.55, v)), None),
    "hourglass": (
        lambda u, v: np.maximum(np.abs(v) - 1, (np.abs(u) - 0.85 * np.abs(v) - 0.12) / 1.3),
        lambda u, v: _zigzag(v, u),  # zigzags that stand
    ),
    "flower": (_flower, lambda u, v: np.sin(1.1 * np.hypot(u, v))),  # rings
}


def generate(count, seed=0):
    """Draw images of all classes in equal numbers and random order.

    Returns images ``[count, 3, 32, 32]`` uint8, labels ``[count]`` int64 (indices into CLASSES) and
    masks ``[count, 32, 32]`` bool: the pixels that the object touches; all others show the ground
    alone.
    The same arguments give the same images. Raises ValueError if count is not a whole number of 1
    or more, or seed not one from 0 to 2**64 - 1.
    """
    count = check_count("count", count, 1)
    rng = np.random.default_rng(check_seed("seed", seed))
    labels = rng.permutation(np.arange(count) % len(CLASSES))
    parts = [_draw(labels[i : i + CHUNK], rng) for i in range(0, count, CHUNK)]
    return (
        np.concatenate([x for x, _ in parts]),
        labels,
        np.concatenate([mask for _, mask in parts]),
    )


def _draw(labels, rng):
    """Objects over grounds: images ``[N, 3, 32, 32]`` uint8 and masks ``[N, 32, 32]``."""
    n = len(labels)
    ground = _ground(n, rng)
    radius = rng.uniform(5.5, 8.5, (n, 1, 1)).astype(np.float32)  # of the disc of the same area
    place = rng.uniform(radius + 1.5, SIDE - 1.5 - radius, (n, 2, 1)).astype(np.float32)
    u, v = _turned(place[:, :1], place[:, 1:], rng.uniform(-0.35, 0.35, (n, 1, 1)))
    # Radians a pixel.
    turn = np.float32(2 * np.pi) / rng.uniform(3.6, 4.6, (n, 1, 1)).astype(np.float32)
    first, second = rng.uniform(0, 2 * np.pi, (2, n, 1, 1)).astype(np.float32)  # phases
    # Specks, where a class has no other texture.
    wave = rng.choice(np.float32([-1, 1]), (n, SIDE, SIDE))
    inside = np.empty((n, SIDE, SIDE), np.float32)
    for c, (shape, texture) in enumerate(CLASSES.values()):
        rows = labels == c
        size = radius[rows] * _scale(shape)
        inside[rows] = (0.5 - size * shape(u[rows] / size, v[rows] / size)).clip(0, 1)
        if texture is not None:
            wave[rows] = texture(
                u[rows] * turn[rows] + first[rows], v[rows] * turn[rows] + second[rows]
            )
    light = 0.5 + 0.5 * (1.5 * wave).clip(-1, 1)
    bright, dark = _colours(n, rng, 0.75, 1.0), _colours(n, rng, 0.1, 0.4)
    swap = rng.random((n, 1, 1, 1)) < 0.5
    a, b = np.where(swap, bright, dark), np.where(swap, dark, bright)
    colour = a + (b - a) * light[:, None]
    x = ground + (colour - ground) * inside[:, None]
    return (255 * x).round().astype(np.uint8), inside > 0


def _ground(n, rng):
    """Coloured clouds under six bars of any colour, size and turn, each striped or plain:
    ``[n, 3, 32, 32]``.
    """
    # Bilinear.
    near = (1 - np.abs(np.linspace(0, 3, SIDE)[:, None] - np.arange(4))).clip(0)
    enlarge = near.astype(np.float32)
    x = enlarge @ rng.random((n, 3, 4, 4)).astype(np.float32) @ enlarge.T * 0.6 + 0.2
    for _ in range(6):
        u, v = _turned(
            *rng.uniform(0, SIDE, (2, n, 1, 1)).astype(np.float32), rng.uniform(0, np.pi, (n, 1, 1))
        )
        length, width = rng.uniform(2, 12, (2, n, 1, 1)).astype(np.float32)
        cover = (0.5 + np.minimum(length - np.abs(u), width / 2 - np.abs(v))).clip(0, 1)
        stripes = 0.15 * np.sin(u * rng.uniform(0, 2, (n, 1, 1)).astype(np.float32))
        x += cover[:, None] * (_colours(n, rng, 0.15, 0.9) + stripes[:, None] - x)
    return x.clip(0, 1)


def _turned(x, y, angle):
    """Coordinates of all pixels, in pixels, around (x, y) and turned by ``angle``:
    u and v ``[N, 32, 32]``.
    """
    axis = np.arange(SIDE, dtype=np.float32) + 0.5
    right, down = axis - x, axis[:, None] - y
    cos, sin = np.cos(angle, dtype=np.float32), np.sin(angle, dtype=np.float32)
    return cos * right + sin * down, cos * down - sin * right


def _colours(n, rng, low, high):
    """Random hues whose brightest channel lies between low and high: ``[n, 3, 1, 1]``."""
    colour = rng.random((n, 3, 1, 1), dtype=np.float32)
    return (
        colour
        / colour.max(1, keepdims=True)
        * rng.uniform(low, high, (n, 1, 1, 1)).astype(np.float32)
    )


@cache
def _scale(shape):
    """The factor that gives ``shape`` the area of the unit disc."""
    axis = np.linspace(-1.5, 1.5, 301)
    return float(np.sqrt(np.pi / (9 * np.mean(shape(axis, axis[:, None]) < 0))))


def generate_striped(count, seed=0):
    """Draw images of nine simple classes, each a shape with stripes of its own turn and width.

    Of random size, place and colours on a ground with plain patches and noise: a set that a small
    network learns in few steps, by the stripes if it likes. Returns and raises as ``generate``,
    with labels from 0 to 8.
    """
    from skimage import draw

    count = check_count("count", count, 1)
    rng, (y, x) = np.random.default_rng(check_seed("seed", seed)), np.mgrid[:32, :32]
    turn = {n: np.exp(2j * np.pi * (np.arange(n) + 0.5) / n) for n in (3, 4, 10, 24)}
    # As complex numbers.
    corners = {
        "disk": turn[24],
        "square": turn[4],
        "triangle": turn[3],
        "ring": turn[24],
        "half disk": turn[24][:12],
    }
    cross = (1j ** np.arange(4)[:, None] * [1 - 0.35j, 1 + 0.35j, 0.35 + 0.35j]).ravel()
    corners |= {"star": turn[10] * np.tile([1, 0.45], 5), "cross": cross}
    corners |= {
        "diamond": np.array([1, 0.7j, -1, -0.7j]),
        "bar": turn[4].real * 0.65 + 1.4j * turn[4].imag,
    }
    labels = rng.permutation(np.arange(count) % 9)
    images, masks = np.empty((count, 32, 32, 3), np.uint8), np.empty((count, 32, 32), bool)
    for i, c in enumerate(labels):
        # Ground, dark, bright.
        radius, colors = rng.uniform(8, 11), rng.integers(0, 100, (3, 3)) + [[60], [0], [156]]
        place, (name, at) = rng.uniform(radius, 31 - radius, 2), list(corners.items())[c]
        masks[i] = draw.polygon2mask((32, 32), place + radius * np.stack([at.imag, at.real], 1))
        masks[i] &= (name != "ring") | (np.hypot(y - place[0], x - place[1]) > 0.5 * radius)
        patches, _ = draw.random_shapes((32, 32), 9, 6, 3, 7, allow_overlap=True, rng=rng)
        ground = np.where((patches == 255).all(2, keepdims=True), colors[0], patches)
        angle, period = np.pi * (c % 3) / 3, (3, 4.2, 5.4)[c // 3]
        across = x * np.cos(angle) + y * np.sin(angle)
        wave = np.sin(2 * np.pi * across / period + rng.uniform(0, 6))
        stripes = np.where(wave[..., None] > 0, colors[1], colors[2])
        filled = np.where(masks[i, ..., None], stripes, ground)
        images[i] = np.clip(filled + rng.normal(0, 15, filled.shape), 0, 255)
    return images.transpose(0, 3, 1, 2), labels, masks
