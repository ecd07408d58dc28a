"""Rows B: sessions of catalogues and combos, from the command line."""

from tests.requirements.requirement import Requirement

SESSIONS: tuple[Requirement, ...] = (
    Requirement(
        "B1",
        "`bottega batch` starts, resumes, tries again (a session or one job), shows, previews, makes single pictures "
        "and upgrades, and points out an unfinished session before a new one starts. Sessions are known to their home "
        "by their id, wherever their output lies.",
        (
            "test_index::test_a_session_is_found_by_its_id_alone_wherever_its_output_lies",
            "test_run::test_a_session_that_is_killed_in_the_middle_left_a_true_log_and_goes_on_to_its_end",
            "test_run::test_a_dry_run_shows_the_jobs_and_makes_nothing",
            "test_run::test_one_failed_job_is_tried_again_and_no_other",
            "test_run::test_an_upgrade_makes_the_completed_pictures_again_as_a_session_of_its_own",
            "test_run::test_an_unfinished_session_is_pointed_out_before_a_new_one_starts",
        ),
    ),
    Requirement(
        "B2",
        "The session's log `.sessions/{timestamp}-session.json` has its form, is always current, and is whole "
        "whenever the process is killed.",
        (
            "test_run::test_a_session_makes_the_tree_of_its_seed_and_a_log_with_every_field",
            "test_run::test_status_tells_the_truth_of_the_workshop_and_mends_the_log",
            "test_log::test_a_job_has_every_field_of_the_log",
            "test_log::test_the_counts_add_up_to_the_total",
            "test_log::test_whoever_reads_a_log_while_it_is_written_finds_a_whole_one",
        ),
    ),
    Requirement(
        "B3",
        "A terminal shows bar, counts, current and recent jobs; without one there are plain lines.",
        (
            "test_log::test_the_display_shows_bar_counts_current_recent_and_what_is_not_measured",
            "test_log::test_rate_and_time_left_are_told_once_a_job_ended",
            "test_run::test_plain_lines_say_what_happens_where_there_is_no_terminal",
        ),
    ),
    Requirement(
        "B4",
        "A job is pending, running, retry, completed, failed or cancelled, and the counts of the log are those of its "
        "jobs.",
        (
            "test_run::test_one_failed_job_is_tried_again_and_no_other",
            "test_log::test_a_failed_job_says_why_and_has_no_output",
            "test_log::test_the_counts_add_up_to_the_total",
        ),
        missing="The time and cost of each phase, which the end tells, are shown by no test.",
    ),
)
