"""Tasks and parts that other processes can import."""

import os
import time


class NumberedPart:
    """A part that stands for the rows of its number."""

    def __init__(self, number):
        self.number = number

    def __str__(self):
        return f"part {self.number}"


def divide(part):
    """Fail at the third part."""
    return 1 / (part.number - 2)


def end_worker(part):
    """End the worker at the third part, as a lack of memory does."""
    if part.number == 2:
        os._exit(9)
    return part.number


def count(part):
    """The number of the part."""
    return part.number


def wait(part):
    """The number of the part, a while later."""
    time.sleep(0.05)
    return part.number


def parts(n, taken=None):
    """Numbered parts; `taken` keeps the numbers of those that were asked for."""
    for number in range(n):
        if taken is not None:
            taken.append(number)
        yield NumberedPart(number)
