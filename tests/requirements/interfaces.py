"""Rows U: how agents, people and dashboards reach the workshop."""

from tests.requirements.requirement import Requirement

INTERFACES: tuple[Requirement, ...] = (
    Requirement(
        "U1",
        "An AI agent in any language orders over NATS, with no code of the project.",
        (
            "test_served::test_the_seeds_message_sent_by_a_stranger_gets_a_plan_and_statuses_that_add_up",
            "test_commands::test_the_url_opens_a_connection_for_any_client",
            "test_micro_service::test_a_plain_nats_client_gets_an_answer",
            "test_readme::test_the_python_example_sends_a_command_that_is_understood",
            "test_readme_client::test_the_client_of_the_readme_follows_its_order_to_the_end_and_tells_a_refusal",
            "test_guide_for_agents::test_every_example_of_the_guide_is_answered_as_it_is_shown_by_a_login_of_ones_own",
        ),
        missing="No MCP, A2A or HTTP server.",
    ),
    Requirement(
        "U2",
        "A conversation becomes commands, with the plan shown before money is spent and a notice at the end.",
        missing="No conversation.",
    ),
    Requirement(
        "U3",
        "One OpenTelemetry trace goes from a command over every agent to the last event, logs are JSON with its id, "
        "and messages that were given up are listed, shown and replayed.",
        (
            "test_traces::test_a_command_its_work_and_its_events_share_a_trace",
            "test_telemetry::test_each_line_is_json_on_standard_error_with_role_and_trace",
            "test_replay::test_a_picture_that_is_still_waited_for_is_made_once_its_letter_is_said_again",
            "test_operator::test_a_message_that_was_given_up_is_listed_shown_and_dropped_where_nobody_waits_for_it",
        ),
        missing="No metrics, Prometheus, dashboards, alerts with runbooks, readiness, service levels or web board.",
    ),
    Requirement(
        "U4",
        "Whoever waits sees progress: on the command line, where nothing that a stranger wrote acts on the terminal, "
        "and as messages over NATS.",
        (
            "test_row_21_terminal::test_no_command_lets_it_through",
            "test_commands::test_generate_says_in_plain_lines_what_happens_where_there_is_no_terminal",
            "test_run::test_plain_lines_say_what_happens_where_there_is_no_terminal",
            "test_bus_client::test_progress_is_heard_by_who_watches",
            "test_bus_client::test_a_late_watcher_gets_the_last_status_and_then_the_newer_ones",
            "test_progress_state::test_progress_that_comes_out_of_order_does_not_go_back",
        ),
    ),
    Requirement(
        "U5",
        "A guide tells people how to use the workshop, with every setting; READMEs tell what the protocol says and how "
        "quality is judged, and what the first of them shows is tried.",
        (
            "test_readme::test_the_order_is_a_command_and_the_status_is_a_status",
            "test_readme::test_the_commands_shown_are_commands_of_the_command_line",
            "test_readme::test_the_guide_names_every_setting_with_its_variable_and_default",
            "test_readme::test_shell_lines_of_paper_could_be_run_as_they_stand",
            "test_commands::test_the_doctor_names_what_to_do",
            "test_disks_told::test_no_workshop_is_started_on_a_full_disk_and_the_disk_is_named",
        ),
    ),
    Requirement(
        "U6",
        "The command line speaks of flags where flags were typed and of JSON where JSON was, points out settings that "
        "nobody reads, and asks before it makes very many pictures.",
        (
            "test_commands::test_what_is_refused_is_told_in_flags_to_a_person_and_in_json_to_a_program",
            "test_wording::test_every_flag_that_is_named_is_one_of_its_command",
            "test_settings::test_settings_that_nobody_reads_are_pointed_out_once_and_the_command_goes_on",
            "test_confirm::test_no_command_makes_very_many_pictures_of_a_mistyped_number",
            "test_columns::test_a_list_of_batches_keeps_hash_state_count_and_time_at_every_width",
        ),
    ),
    Requirement(
        "U7",
        "A workshop is started, watched and ended from any terminal, and what it made can be read when none runs.",
        (
            "test_detached::test_a_workshop_outlives_the_terminal_until_down_and_its_records_are_readable_after",
            "test_detached::test_a_workshop_that_cannot_start_says_why_and_leaves_nothing_running",
            "test_read_records::test_a_ledger_of_another_version_is_not_guessed_at",
            "test_row_02_damaged_records::test_a_damaged_ledger_is_told_in_words_and_stays_as_it_is",
            "test_logs::test_the_last_lines_of_one_log_or_of_all_are_printed",
            "test_operator::test_a_picture_is_made_again_by_the_workshop_that_runs_where_it_makes_the_same",
        ),
    ),
    Requirement(
        "U8",
        "What can be chosen is told: every setting with where it comes from and without its secrets, every style, and "
        "one flag for one thing.",
        (
            "test_config::test_every_setting_is_told_with_its_value_and_where_that_comes_from",
            "test_show::test_styles_and_style_references_are_listed_with_ones_own_over_the_packaged",
            "test_help::test_one_thing_has_one_flag_whose_other_spellings_are_understood_and_not_shown",
        ),
    ),
)
