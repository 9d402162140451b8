//! Rollouts as a model: every order of everything that can happen to a service, with the product's own decisions. Whoever
//! changes the order of calls in `rollout` changes it in `steps.rs` first.

#![expect(clippy::unwrap_used, reason = "a model that is wrong fails its test")]

mod rules;
mod steps;
mod world;

use stateright::{Checker, HasDiscoveries, Model};

use rules::{NEWER, ONE_CLAIM, ONE_WRITER, REJECTED, Rollouts, WANTED};
use world::{Scenario, Without};

const fn scenario(good: &'static [bool], serves: bool) -> Scenario {
    Scenario { good, serves, doubled: 0, lost: 0, crashes: 0, refused: 0, sweeps: 0, applies: 0, remakes: 0 }
}

/// All that happens in a scenario is as it must be.
fn holds(scenario: Scenario) {
    let model = Rollouts { scenario, without: Without::Nothing };
    let checker = model.checker().threads(2).spawn_dfs().join();
    checker.assert_properties();
}

#[test]
fn three_pushes_in_any_order_one_of_them_told_twice() {
    holds(Scenario { doubled: 1, ..scenario(&[true, false, true], true) });
}

#[test]
fn three_pushes_and_an_execution_that_dies() {
    holds(Scenario { crashes: 1, ..scenario(&[false, true, false], false) });
}

#[test]
fn a_push_that_nobody_tells_of_and_an_execution_that_dies() {
    holds(Scenario { crashes: 1, lost: 1, sweeps: 1, ..scenario(&[true, false], true) });
}

#[test]
fn an_apply_among_pushes_and_an_execution_that_dies() {
    holds(Scenario { crashes: 1, applies: 1, ..scenario(&[false, true], false) });
}

#[test]
fn an_apply_among_pushes_and_a_call_that_aws_refuses() {
    holds(Scenario { refused: 1, applies: 1, ..scenario(&[true, false], true) });
}

#[test]
fn an_apply_among_three_pushes() {
    holds(Scenario { applies: 1, ..scenario(&[true, false, true], true) });
}

#[test]
fn a_service_that_is_deleted_and_made_again_among_pushes() {
    holds(Scenario { remakes: 1, ..scenario(&[true, false], true) });
    holds(Scenario { remakes: 1, crashes: 1, ..scenario(&[true], true) });
    holds(Scenario { remakes: 2, ..scenario(&[false], true) });
}

#[test]
#[ignore = "some minutes with --release"]
fn everything_at_once() {
    let all = Scenario { doubled: 1, crashes: 1, sweeps: 1, applies: 1, ..scenario(&[true, false], true) };
    holds(all);
    holds(Scenario { doubled: 0, refused: 1, ..all });
    let three = Scenario { good: &[false, true, false], serves: false, sweeps: 0, applies: 0, ..all };
    holds(Scenario { lost: 1, ..three });
    holds(Scenario { doubled: 0, crashes: 0, refused: 1, applies: 1, ..three });
}

#[test]
fn a_push_told_twice_and_an_execution_that_dies() {
    holds(Scenario { crashes: 1, doubled: 1, ..scenario(&[true, true], true) });
}

#[test]
fn executions_that_die_one_after_the_other() {
    holds(Scenario { crashes: 2, sweeps: 1, ..scenario(&[false], true) });
    holds(Scenario { crashes: 2, doubled: 1, ..scenario(&[false], false) });
}

/// Without a guard, this rule is broken.
fn breaks(without: Without, rule: &'static str, scenario: Scenario) {
    let model = Rollouts { scenario, without };
    let found = HasDiscoveries::AnyOf([rule].into());
    let checker = model.checker().finish_when(found).spawn_bfs().join();
    assert!(checker.discovery(rule).is_some(), "without {without:?} `{rule}` holds all the same");
}

#[test]
fn a_swap_that_looks_at_no_etag_undoes_what_is_newer() {
    breaks(Without::Etag, NEWER, scenario(&[true, true], true));
}

#[test]
fn a_record_that_becomes_again_what_it_was_lets_a_rejected_image_in() {
    breaks(Without::Turns, REJECTED, Scenario { doubled: 1, ..scenario(&[false], true) });
}

#[test]
fn a_record_that_is_read_after_the_ledger_lets_a_rejected_image_in() {
    breaks(Without::RecordFirst, REJECTED, Scenario { doubled: 1, ..scenario(&[false], true) });
}

#[test]
fn a_ledger_that_is_read_before_the_holder_is_known_to_be_gone_lets_a_rejected_image_in() {
    breaks(Without::LivenessFirst, REJECTED, Scenario { doubled: 1, crashes: 1, ..scenario(&[false], true) });
}

#[test]
fn relieving_who_is_about_to_write_makes_two_writers() {
    breaks(Without::Waiting, ONE_WRITER, scenario(&[true, true], true));
}

#[test]
fn a_claim_that_nobody_heeds_is_taken_twice() {
    breaks(Without::Claims, ONE_CLAIM, Scenario { doubled: 1, ..scenario(&[true], true) });
}

#[test]
fn a_function_that_outlives_its_execution_writes_beside_the_next_one() {
    breaks(Without::SafeTime, ONE_WRITER, Scenario { crashes: 1, ..scenario(&[true, true], true) });
}

#[test]
fn a_ledger_that_nobody_reads_lets_a_rejected_image_in() {
    breaks(Without::Rejections, REJECTED, scenario(&[false], true));
}

#[test]
fn a_push_that_the_policy_is_not_asked_about_undoes_a_newer_one() {
    breaks(Without::Policy, NEWER, scenario(&[true, true], true));
}

#[test]
fn a_rollback_that_has_lost_the_lease_undoes_what_is_newer() {
    breaks(Without::RollbackLease, NEWER, scenario(&[false, true], true));
}

#[test]
fn a_rejection_before_the_lease_is_sure_is_overtaken_by_a_release() {
    breaks(Without::RejectionUnderLease, REJECTED, Scenario { doubled: 1, crashes: 1, ..scenario(&[false], true) });
}

#[test]
fn a_service_that_was_read_before_the_record_makes_an_apply_undo_what_is_newer() {
    breaks(Without::Standing, NEWER, Scenario { applies: 1, ..scenario(&[true], true) });
}

#[test]
fn a_release_that_is_run_again_without_the_lease_undoes_what_is_newer() {
    breaks(Without::Again, NEWER, Scenario { refused: 1, ..scenario(&[true, true], true) });
}

#[test]
fn a_rollback_that_failed_and_gives_the_lease_back_leaves_a_rejected_image_behind() {
    breaks(Without::FailedRollback, WANTED, Scenario { refused: 1, ..scenario(&[false], true) });
}

#[test]
fn a_sweep_that_takes_nothing_back_leaves_a_rejected_image_behind() {
    breaks(Without::Return, WANTED, Scenario { crashes: 1, ..scenario(&[false], true) });
}

#[test]
fn a_rollback_to_what_never_served_brings_a_rejected_image_back() {
    breaks(Without::Serving, WANTED, scenario(&[false, false], false));
}

#[test]
fn a_record_of_a_service_that_is_gone_is_a_lease_and_an_image_of_the_next_one() {
    breaks(Without::Life, WANTED, Scenario { remakes: 1, ..scenario(&[false], true) });
}

#[test]
fn a_release_to_another_service_than_it_was_decided_for_makes_two_writers() {
    breaks(Without::SameService, WANTED, Scenario { remakes: 1, ..scenario(&[true, true], true) });
}
