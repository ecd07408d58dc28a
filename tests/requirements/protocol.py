"""Rows P: what is said, and how it is answered."""

from tests.requirements.requirement import Requirement

PROTOCOL: tuple[Requirement, ...] = (
    Requirement(
        "P1",
        "`GENERATE_IMAGES` with style, requirements, platform, models, quality and respond_format alone is accepted "
        "byte for byte; its own models make the pictures where they are installed, the pocket model makes them at its "
        "native size where it stands in (which plan and status say), and else the plan is refused with what to "
        "install.",
        (
            "test_golden_frames::test_the_command_of_the_specification_is_accepted_byte_for_byte",
            "test_served::test_the_seeds_message_sent_by_a_stranger_gets_a_plan_and_statuses_that_add_up",
            "test_served::test_a_workshop_without_the_models_refuses_the_seeds_command_and_says_what_to_install",
            "test_recipe::test_the_seeds_command_runs_on_its_own_models_where_they_are_installed",
            "test_recipe::test_the_pocket_model_stands_in_at_its_own_native_size_and_the_recipe_says_so",
            "test_tally::test_a_stand_in_is_said_in_the_status",
        ),
    ),
    Requirement(
        "P2",
        "`respond_format` chooses the reply: the plan with prompts, time, cost and warnings, the status, or the "
        "result, which waits at most 30 seconds and then answers with what there is.",
        (
            "test_served::test_a_client_may_wait_for_the_result_or_ask_for_the_status",
            "test_served::test_a_batch_ends_with_files_seeds_and_a_contact_sheet",
            "test_device_time::test_a_plan_expects_what_its_pictures_take_and_holds_what_the_dearest_may",
            "test_post_processing::test_time_and_cost_count_every_stage_once_each_was_measured",
        ),
        missing="No test shows that a result is waited for no longer than 30 seconds.",
    ),
    Requirement(
        "P3",
        "`generation_status` has exactly its fields in their nesting, each figure measured or null; `failed` and "
        "`cancelled` appear only when they are not zero, so that the counts always add up to the quantity, and `hash` "
        "names the batch in the form `gen_batch_42`.",
        (
            "test_golden_frames::test_the_status_of_the_specification_is_produced_with_exactly_its_fields_in_its_order",
            "test_tally::test_failed_and_cancelled_appear_only_when_there_are_any_and_the_counts_add_up",
            "test_tally::test_nothing_is_measured_before_anything_was_made",
            "test_served::test_a_cancelled_batch_stops_and_its_counts_add_up",
            "test_ledger::test_a_batch_in_the_making_shows_pending_and_running_pictures",
            "test_ids::test_batch_names_are_fresh_ids_of_the_known_form",
        ),
    ),
    Requirement(
        "P4",
        "Messages between agents are zstd frames, a client may send zstd or plain JSON and is answered in kind, and "
        "nothing is decompressed without a bound on memory and time.",
        (
            "test_compression::test_every_message_survives_packing_and_is_told_by_its_headers",
            "test_served::test_an_answer_comes_in_the_encoding_of_the_question",
            "test_compression::test_a_bomb_or_a_broken_frame_is_refused_in_bounded_memory_and_time",
            "test_compression::test_a_bound_is_exact_to_a_byte_whether_the_size_is_named_or_not",
            "test_dictionary::test_a_message_between_agents_names_its_dictionary_is_smaller_by_it_and_comes_back",
            "test_dictionary::test_what_a_client_may_send_or_read_never_needs_the_dictionary",
        ),
    ),
    Requirement(
        "P5",
        "Every field of a command is declared and described, one that is not built is refused with `not_supported`, "
        "and a misspelt one with its path and the nearest name, while agents among themselves ignore fields that they "
        "do not know.",
        (
            "test_schema_documents::test_every_field_of_a_generation_command_is_described",
            "test_not_supported::test_a_field_that_is_not_built_is_refused_by_name",
            "test_command_errors::test_a_wrong_command_is_refused_with_code_path_and_hint",
            "test_golden_frames::test_agents_ignore_a_field_that_a_newer_agent_added",
            "test_short_form::test_every_kind_of_mutation_takes_part_and_some_messages_are_accepted",
            "test_order::test_flags_become_fields_of_the_command",
        ),
        missing="Four fields are declared only, and so are pictures named by a URL.",
        not_built=("variants", "provider", "fallbacks", "signed_urls"),
    ),
    Requirement(
        "P6",
        "A batch is approved, looked at, listed, cancelled, paused, resumed, amended, tried again, upgraded and moved "
        "by commands; others tell what the workshop can do and what pictures cost.",
        (
            "test_commands::test_a_batch_is_paused_moved_amended_and_goes_on",
            "test_commands::test_a_plan_is_held_until_it_is_approved",
            "test_served_steering::test_finished_pictures_are_made_again_once_for_a_command_id",
            "test_served::test_capabilities_name_processes_models_styles_and_what_is_not_supported",
            "test_served_costs::test_the_costs_of_a_client_are_those_of_its_pictures_and_nobody_elses",
            "test_not_supported::test_a_command_that_is_not_built_is_refused_by_name",
        ),
        missing="Four commands are declared only, and capabilities name no prices.",
        not_built=("RATE", "SELECT", "EDIT", "DELETE"),
    ),
    Requirement(
        "P7",
        "JSON Schema and AsyncAPI are generated from the types and kept current, and a validator of another project "
        "accepts the schemas and every frame that travels, and AsyncAPI's own parser the document (`make asyncapi`).",
        (
            "test_schema_documents::test_the_committed_document_is_current",
            "test_schema_documents::test_every_schema_is_a_valid_json_schema",
            "test_schema_documents::test_a_frame_satisfies_its_schema_its_union_and_the_whole",
            "test_schema_documents::test_the_schema_refuses_what_the_codec_refuses",
            "test_schema_documents::test_every_message_of_the_document_has_a_golden_example_that_its_payload_schema_ac"
            "cepts",
            "test_schema_documents::test_the_streams_and_rights_of_the_broker_are_those_of_the_channel",
        ),
    ),
    Requirement(
        "P8",
        "Every agent is a NATS micro-service that answers PING, INFO and STATS, and a request that cannot be read or "
        "done gets a typed error.",
        (
            "test_micro_service::test_every_agent_answers_ping_info_and_stats",
            "test_micro_service::test_one_process_of_a_role_answers_each_request",
            "test_row_03_floods::test_a_flood_of_messages_is_refused_in_part_and_others_are_answered_beside_it",
            "test_served_endpoints::test_what_cannot_be_read_or_done_is_an_ordinary_reply_that_counts_as_answered",
            "test_served_endpoint::test_what_is_no_question_is_a_service_error",
        ),
    ),
    Requirement(
        "P9",
        "A command that is sent again with its `command_id` is done once and answered with the first plan, and the "
        "same id with another payload is refused.",
        (
            "test_served::test_the_same_command_id_is_done_once",
            "test_served::test_a_command_id_is_answered_with_its_first_plan_though_the_workshop_can_do_less_now",
            "test_ledger::test_a_command_id_is_done_once_and_answered_with_the_first_plan",
            "test_full_disk::test_a_command_that_finds_the_disk_full_is_done_when_it_is_sent_again_once_there_is_room",
        ),
    ),
    Requirement(
        "P10",
        "A size is `WxH`, an aspect, or `1K`, `2K`, `4K`, and the model's native square where none is named; what "
        "cannot be made as asked is said in the plan, and `render_quality` is another thing than the thresholds of "
        "`quality`.",
        (
            "test_sizes::test_a_size_is_fitted_to_what_the_model_can_make",
            "test_sizes::test_every_named_aspect_stays_within_the_model",
            "test_sizes::test_leaving_the_native_sizes_is_warned_of_with_what_happens",
            "test_sizes::test_what_is_no_size_is_refused_with_the_path_and_the_ways_to_say_it",
            "test_served::test_quality_thresholds_are_taken_from_the_command_or_the_settings",
            "test_upgrade::test_named_pictures_are_made_again_with_more_steps",
        ),
        missing="No tables of the sizes that hosted platforms take.",
    ),
    Requirement(
        "P11",
        "The result of each picture has its id, status, URL of its file, storage key, provider, cost, dimensions, "
        "score, attempts, the last error, and how it was made: time, prompt, seed, model version, seconds.",
        (
            "test_served::test_a_batch_ends_with_files_seeds_and_a_contact_sheet",
            "test_commands::test_generate_prints_one_object_with_the_pictures_that_it_stored",
            "test_ledger::test_a_rejected_picture_gets_new_seeds_until_its_attempts_are_used_and_the_best_is_kept",
            "test_ledger::test_a_stage_that_breaks_is_tried_again_and_its_error_is_told_when_it_never_works",
            "test_served_costs::test_the_costs_of_a_client_are_those_of_its_pictures_and_nobody_elses",
            "test_served_stages::test_base_upscale_refinement_with_a_style_and_colours_are_one_command",
        ),
        missing="No URL that another machine can open, and none that is signed.",
        not_built=("signed_urls",),
    ),
    Requirement(
        "P12",
        "A status has a `state` where its batch is held, waiting for its time, paused, being cancelled, cancelled, "
        "failed or partly failed, and none while it is made and when every picture was stored; a batch without a "
        "stored picture is not completed.",
        (
            "test_shown_states::test_what_a_client_is_told_of_a_batch",
            "test_shown_states::test_a_batch_whose_every_picture_failed_is_not_completed",
            "test_shown_states::test_a_batch_some_of_whose_pictures_failed_says_so",
            "test_shown_states::test_a_batch_whose_time_has_not_come_waits_until_its_first_picture_is_handed_out",
            "test_shown_states::test_a_stopped_batch_is_cancelling_until_its_last_picture_in_flight_has_ended",
        ),
    ),
)
