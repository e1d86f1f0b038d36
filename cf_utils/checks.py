"""Numbers and series of them that people give: Python's and numpy's are accepted, and become
Python's.

Truth values and texts are none.
"""

from collections.abc import Iterable, Mapping, Set
from numbers import Integral, Real

import numpy as np


def is_whole(value):
    """Whether ``value`` is a whole number, Python's or numpy's; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def number(value):
    """``value`` as a float; what is no number becomes NaN, which lies in no range."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else float("nan")


def as_list(values):
    """A series (list, range, array, tensor, generator) as a list, what it holds as Python's own.

    None for what is no series, or has no order of its own: texts, sets, dicts.
    """
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        return None
    if getattr(values, "ndim", 1) == 0:  # an array or tensor that is one number
        return None
    return [value.tolist() if hasattr(value, "tolist") else value for value in values]


def check_count(name, value, least=0):
    """Return ``value`` as an int; ValueError if it is not a whole number of ``least`` or more."""
    if not is_whole(value) or value < least:
        raise ValueError(f"{name}={value!r} is not possible; it is a whole number, {least} or more")
    return int(value)


def is_seed(value):
    """Whether ``value`` is a whole number that torch takes as a seed, and not below 0."""
    return is_whole(value) and 0 <= value < 2**64


def check_seed(name, value):
    """Return ``value`` as an int; ValueError if it is not a whole number from 0 to 2**64 - 1."""
    if not is_seed(value):
        raise ValueError(
            f"{name}={value!r} is not possible; it is a whole number from 0 to 2**64 - 1"
        )
    return int(value)


def check_number(name, value, least=0):
    """Return ``value`` as a float; ValueError if it is not a finite number of ``least`` or more."""
    if not least <= number(value) < float("inf"):
        raise ValueError(
            f"{name}={value!r} is not possible; it is a finite number, {least} or more"
        )
    return float(value)


def check_share(name, value):
    """Return ``value`` as a float; ValueError if it is not a number in [0, 1]."""
    if not 0 <= number(value) <= 1:
        raise ValueError(f"{name}={value!r} is not possible; it lies in [0, 1]")
    return float(value)


def check_switch(name, value):
    """``value`` as a bool; ValueError if it is neither True nor False, Python's or numpy's."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}={value!r} is not possible; it is True or False")
    return bool(value)
