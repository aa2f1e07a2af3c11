"""Calls that go round in a circle: who sends them on to whom. Pure."""

from collections.abc import Iterable, Mapping

Edges = Mapping[str, Iterable[str]]
"""Destination → the destinations it sends calls on to. The names are the caller's."""


def find_loop(edges: Edges, start: str) -> tuple[str, ...]:
    """The shortest way from `start` back to itself, both ends included; empty when there is none."""
    came_from: dict[str, str] = {}  # not whole ways: in a long chain they would take the square of its length
    waiting = [start]
    while waiting:
        following: list[str] = []
        for place in waiting:
            for target in edges.get(place, ()):
                if target == start:
                    return (*_way(came_from, start=start, end=place), start)
                if target not in came_from:
                    came_from[target] = place
                    following.append(target)
        waiting = following
    return ()


def _way(came_from: Mapping[str, str], *, start: str, end: str) -> list[str]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


def leads_back(edges: Edges, *, start: str, target: str) -> bool:
    """Whether a call sent from `start` to `target` can come back to `start`."""
    return target == start or bool(find_loop({**edges, start: (target,)}, start))
