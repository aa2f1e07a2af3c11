"""Calls that go round in a circle: who sends them on to whom. Pure."""

from collections.abc import Iterable, Mapping

Edges = Mapping[str, Iterable[str]]
"""Destination → the destinations it sends calls on to. The names are the caller's."""


def find_loop(edges: Edges, start: str) -> tuple[str, ...]:
    """The shortest way from `start` back to itself, both ends included; empty when there is none."""
    reached: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(start, (start,))]
    while waiting:
        following: list[tuple[str, tuple[str, ...]]] = []
        for place, way in waiting:
            for target in edges.get(place, ()):
                if target == start:
                    return (*way, start)
                if target not in reached:
                    reached[target] = (*way, target)
                    following.append((target, reached[target]))
        waiting = following
    return ()


def leads_back(edges: Edges, *, start: str, target: str) -> bool:
    """Whether a call sent from `start` to `target` can come back to `start`."""
    return target == start or bool(find_loop({**edges, start: (target,)}, start))
