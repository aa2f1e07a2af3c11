"""When Python's collector of cycles works: not while a program starts, and never through what the start has made."""

import gc


def rest() -> None:
    """Hardly anything that is loaded is garbage: looking for it costs an eighth of a start. Ended by `settle` or `wake`."""
    gc.disable()


def wake() -> None:
    """Collect as usual again, but for what is there already."""
    gc.freeze()
    gc.enable()


def settle() -> None:
    """What the start made stays for good: the collector need not walk through it again for every few phones.

    Every connection leaves a few cycles behind, so it keeps collecting what is young, only in larger portions.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()
