"""Minimum s-t cut by Dinic's algorithm (Dinitz 1970), for the binary choices of the layout."""

from __future__ import annotations

from collections import deque

INFINITE = 1 << 60
"""A capacity that no cut of finite cost crosses."""


class MinCut:
    """Binary variables with costs; `solve` finds an assignment of least total cost.

    A variable on the source's side of the cut is 0, on the sink's side 1.
    """

    def __init__(self) -> None:
        self._heads: list[list[int]] = [[], []]
        self._to: list[int] = []
        self._capacity: list[int] = []

    def variable(self) -> int:
        """Adds a variable and returns its number."""
        self._heads.append([])
        return len(self._heads) - 1

    def cost_if_one(self, x: int, cost: int) -> None:
        """Charges `cost` when `x` is 1."""
        self._arc(0, x, cost)

    def cost_if_zero(self, x: int, cost: int) -> None:
        """Charges `cost` when `x` is 0."""
        self._arc(x, 1, cost)

    def cost_if_zero_one(self, x: int, y: int, cost: int) -> None:
        """Charges `cost` when `x` is 0 and `y` is 1."""
        self._arc(x, y, cost)

    def solve(self) -> list[int]:
        """Returns the value of each variable, by its number (the first two are the terminals)."""
        while self._levels():
            self._next = [0] * len(self._heads)
            while self._augment():
                pass
        return [0 if level >= 0 else 1 for level in self._level]

    def _arc(self, tail: int, head: int, capacity: int) -> None:
        for node, target, amount in ((tail, head, capacity), (head, tail, 0)):
            self._heads[node].append(len(self._to))
            self._to.append(target)
            self._capacity.append(amount)

    def _levels(self) -> bool:
        """Numbers the nodes by their distance from the source; tells whether the sink is reached."""
        self._level = [-1] * len(self._heads)
        self._level[0] = 0
        queue = deque([0])
        while queue:
            node = queue.popleft()
            for arc in self._heads[node]:
                target = self._to[arc]
                if self._capacity[arc] > 0 and self._level[target] < 0:
                    self._level[target] = self._level[node] + 1
                    queue.append(target)
        return self._level[1] >= 0

    def _augment(self) -> bool:
        """Pushes flow along one shortest path, iteratively: paths are as long as the network is deep."""
        path: list[int] = []
        node = 0
        while node != 1:
            arc = self._admissible(node)
            if arc is not None:
                path.append(arc)
                node = self._to[arc]
            elif path:
                back = path.pop()
                node = self._to[back ^ 1]
                self._next[node] += 1
            else:
                return False
        amount = min(self._capacity[arc] for arc in path)
        for arc in path:
            self._capacity[arc] -= amount
            self._capacity[arc ^ 1] += amount
        return True

    def _admissible(self, node: int) -> int | None:
        arcs = self._heads[node]
        while self._next[node] < len(arcs):
            arc = arcs[self._next[node]]
            if self._capacity[arc] > 0 and self._level[self._to[arc]] == self._level[node] + 1:
                return arc
            self._next[node] += 1
        return None
