"""Each property bites: planted bugs turn it red.

    python -m tests.actors.bites

Plants them all, one after another, and says which were found. The exit code is 0 if all were. The test suite plants the
first one for each property.
"""

from __future__ import annotations

import sys
from unittest.mock import patch

from . import mutants, test_model, test_properties
from .claims import Claim, is_refuted
from .mutants import Mutant

BITES: dict[Claim, tuple[Mutant, ...]] = {
    test_model.test_any_tree_under_any_faults_goes_as_the_rules_say: mutants.AGAINST_THE_MODEL,
    test_properties.test_a_tree_keeps_its_budgets_and_its_siblings_apart_and_nothing_outlives_its_supervisor: (
        mutants.AGAINST_THE_CHRONICLE
    ),
    test_properties.test_what_one_task_sends_is_handled_in_order_and_once_over_all_crashes: mutants.AGAINST_ORDER,
    test_properties.test_a_stop_overtakes_any_restart_loop: mutants.AGAINST_LOOPS,
    test_properties.test_a_start_of_a_system_can_be_cancelled_at_any_point: mutants.AGAINST_CANCELLATION["start"],
    test_properties.test_the_end_of_a_system_can_be_cancelled_at_any_point: mutants.AGAINST_CANCELLATION["end"],
    test_properties.test_an_ask_can_be_cancelled_at_any_point: mutants.AGAINST_CANCELLATION["ask"],
    test_properties.test_a_send_that_is_cancelled_has_sent_all_or_nothing: mutants.AGAINST_CANCELLATION["send"],
    test_properties.test_a_request_of_a_supervisor_that_is_cancelled_was_done_or_was_not: (
        mutants.AGAINST_CANCELLATION["request"]
    ),
}


def is_found(claim: Claim, mutant: Mutant) -> bool:
    """Say whether a property turns red when that bug is planted."""
    with patch(mutant.place, mutant.bug):
        return is_refuted(claim, examples=2000)


def main() -> int:
    """Plant all of them; return the exit code."""
    missed = 0
    for claim, planted in BITES.items():
        for mutant in planted:
            found = is_found(claim, mutant)
            missed += not found
            sys.stdout.write(f"{'found ' if found else 'MISSED'}  {mutant.name}  ({mutant.place})\n")
    sys.stdout.write(f"{sum(map(len, BITES.values())) - missed} found, {missed} missed\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
