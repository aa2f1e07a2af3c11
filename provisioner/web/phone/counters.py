"""What the phone door counts, for metrics. Plain integers: a Prometheus counter would cost more than the answer."""

from collections import defaultdict


class DoorCounters:
    """Answers by reason; reasons come from a fixed list, so this cannot grow."""

    def __init__(self) -> None:
        self.answers: defaultdict[str, int] = defaultdict(int)
        self.shed = 0

    def count(self, reason: str) -> None:
        self.answers[reason] += 1
