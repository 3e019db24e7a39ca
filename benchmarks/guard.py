"""What octroi may not fall below: ratios of two rates that were measured one after the other on the same machine.

A rate says little on a shared machine; how many times another program's rate it is says more, since both had the same
neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.report import Result


@dataclass(frozen=True, slots=True)
class Guard:
    """One ratio.

    Attributes:
        name: what may not become slower. of, against: names of results, the second's is what the first is a multiple of.
        at_least: what the best of some rounds must reach: two thirds of what was measured when it was set.
        figure: of both results; "value" unless another one is told. is_cost: whether less is better: it is turned round.
    """

    name: str
    of: str
    against: str
    at_least: float
    figure: str = "value"
    is_cost: bool = False

    def ratio(self, results: Mapping[str, Mapping[str, float]]) -> float:
        """Return the ratio by the results of one round.

        Raises:
            KeyError: when a result or its figure is missing.
        """
        of, against = results[self.of][self.figure], results[self.against][self.figure]
        return against / of if self.is_cost else of / against


GUARDS = (
    Guard("end_to_end", "baselines.octroi", "baselines.python_rater", 2.1, "cpu_us_per_record", is_cost=True),
    Guard("decode", "mediation.csv", "limits.arrow_csv", 0.0065),
    Guard("rating.graduated", "rating.graduated", "limits.random_loads", 0.107),
    Guard("rating.voice", "rating.voice", "limits.random_loads", 0.055),
    Guard("rating.block", "rating.block.voice", "limits.random_loads", 0.04),
    Guard("wallets.debits", "wallets.debits", "limits.random_loads", 0.048),
    Guard("wallets.reserve_confirm", "wallets.reserve_confirm", "baselines.python_rater", 0.13),
    Guard("store.insert", "store.insert", "limits.clickhouse_insert", 0.56),
)
"""Each by what bounds it: memory, an insert of the same rows, Arrow's reader of the same bytes, Python itself."""


def guarded(rounds: Sequence[Mapping[str, Mapping[str, float]]], guards: Sequence[Guard] = GUARDS) -> list[Result]:
    """Return the ratios of some rounds, each a mapping from a result's name to the result.

    Raises:
        KeyError: when a round lacks a result.
    """
    found = []
    for guard in guards:
        ratios = [round(guard.ratio(results), 5) for results in rounds]
        details = {"at_least": guard.at_least, "best": max(ratios), "kept": max(ratios) >= guard.at_least}
        found.append(Result(f"guard.{guard.name}", f"times {guard.against}", ratios, details=details))
    return found
