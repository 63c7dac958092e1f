"""``python -m tests.coprocessor.fault_report``: the indexer's faults with twenty seeds, and a table of what was seen.

Writes ``benchmarks/results/index_faults.md``; ends with 1 if any case failed. Fault 31, reorganizations, has a report
of its own: ``python -m tests.coprocessor.reorgs``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "index_faults.md"
SEEDS = 20

FAULTS = {
    "25 logs silently dropped": (
        "test_a_thousand_omitted_logs_are_all_found",
        "test_what_one_endpoint_omits_or_forges_is_fetched_from_another",
        "test_a_lie_in_a_later_chunk_keeps_what_was_verified_before",
    ),
    "26 answers truncated": (
        "test_an_answer_cut_at_a_round_number_is_asked_again_in_parts",
        "test_a_lie_stops_indexing_with_a_named_error_and_writes_nothing[get_logs_truncates]",
    ),
    "27 a lagging node": (
        "test_unknown_blocks_are_never_recorded_as_empty",
        "test_a_node_that_lags_drops_nothing",
    ),
    "28 forged or altered logs": (
        "test_a_lie_stops_indexing_with_a_named_error_and_writes_nothing",
        "test_a_log_spelled_in_capitals_is_not_hidden",
        "test_altered_receipts_are_refused",
    ),
    "29 wrong storage proofs": (
        "test_ten_thousand_altered_proofs_are_refused",
        "test_a_node_that_says_other_than_it_proves_is_refused_or_replaced",
        "test_a_proof_under_another_root_or_of_another_key_is_refused",
        "test_a_leaf_that_is_no_canonical_number_is_refused",
        "test_a_forged_value_is_refused_and_state_that_is_gone_is_not_zero",
    ),
    "30 a header with the wrong parent": (
        "test_a_true_header_of_another_branch_does_not_link",
        "test_a_wrong_parent_that_hashes_is_found_by_its_link",
        "test_only_the_blocks_after_the_fork_are_replaced",
        "test_a_store_is_not_rolled_back_on_one_endpoints_word",
    ),
    "31 reorganizations (more in index_reorgs.md)": ("test_a_store_that_saw_reorganizations_equals_a_clean_one",),
    "32 SIGKILL": (
        "test_a_killed_indexer_resumes_without_gap_or_repeat",
        "test_a_run_that_dies_between_files_and_manifest_is_taken_up_again",
        "test_leftovers_of_a_killed_run_do_not_count",
    ),
    "33 limits shrink, time-outs, 413": (
        "test_limits_timeouts_and_garbage_are_split_waited_for_and_passed",
        "test_a_shrinking_log_range_is_split",
        "test_a_limit_on_batches_is_split",
        "test_the_learnt_pace_obeys_retry_after",
    ),
    "34 slow, huge, invalid bodies": (
        "test_an_endpoint_that_is_slower_than_its_deadline_is_split_and_given_up",
        "test_a_huge_answer_is_cut_off",
        "test_an_answer_that_is_not_json_rpc_is_no_answer",
        "test_a_quantity_that_is_none_is_refused",
    ),
    "35 pruned state": (
        "test_pruned_state_is_unknown_and_never_zero",
        "test_a_node_without_old_receipts_is_unavailable_and_not_empty",
    ),
    "36 announcements out of order or dropped": ("test_heads_out_of_order_twice_or_dropped_leave_no_gap",),
    "37 a slow disk": ("test_a_slow_disk_holds_the_fetching_back",),
}


def main() -> None:
    """Run every case and write the table."""
    names = sorted({name.split("[")[0] for tests in FAULTS.values() for name in tests})
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        words = [sys.executable, "-m", "pytest", "tests/coprocessor", "tests/chain", "-q", f"--junitxml={report}"]
        chosen = ["-m", "not slow", "-k", " or ".join(names)]
        subprocess.run([*words, *chosen], cwd=ROOT, env={**os.environ, "VAULTKIT_SEEDS": str(SEEDS)}, check=False)
        cases = [
            (case.get("name", ""), not any(child.tag in ("failure", "error") for child in case), case.find("skipped"))
            for case in ElementTree.parse(report).iter("testcase")
        ]
    run = [(name, passed) for name, passed, skipped in cases if skipped is None]
    missing = [name for name in names if not any(case.split("[")[0] == name for case, _ in run)]
    RESULTS.write_text(table(run))
    print(RESULTS.read_text())
    failed = [name for name, passed in run if not passed]
    print("failed:", failed, "missing:", missing)
    sys.exit(bool(failed or missing))


def table(cases: list[tuple[str, bool]]) -> str:
    """Return the cases by fault as Markdown."""
    lines = [
        "# Faults that the indexer survives",
        "",
        f"Written by `python -m tests.coprocessor.fault_report`: every case against a real local chain, {SEEDS} seeds",
        "for the faults that draw at random. One case of fault 25 is 1,000 omissions (of one log, of all logs of a",
        "receipt, of the last receipts of a block), one of fault 29 is 10,000 altered proofs; each of them was found.",
        "",
        "| fault | cases | passed | tests |",
        "|---|---|---|---|",
    ]
    total: Counter[bool] = Counter()
    for fault, tests in FAULTS.items():
        mine = [passed for name, passed in cases if any(belongs(name, test) for test in tests)]
        total.update(mine)
        lines.append(f"| {fault} | {len(mine)} | {sum(mine)} | {len(tests)} |")
    lines.append(f"| all | {total.total()} | {total[True]} | |")
    return "\n".join(lines) + "\n"


def belongs(case: str, test: str) -> bool:
    return case == test if "[" in test else case.split("[")[0] == test


if __name__ == "__main__":
    main()
