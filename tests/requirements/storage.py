"""Rows S: where pictures lie, what they say of themselves, how long they stay."""

from tests.requirements.requirement import Requirement

STORAGE: tuple[Requirement, ...] = (
    Requirement(
        "S1",
        "Pictures are local files with a storage key for each client, and no client reaches another's.",
        (
            "test_names::test_keys_are_per_client",
            "test_served::test_one_client_does_not_see_the_batches_of_another",
            "test_stored_picture::test_a_client_is_told_of_its_own_pictures_alone",
            "test_reuse::test_no_client_is_given_what_another_has",
            "test_names::test_what_is_no_id_never_becomes_a_folder",
            "test_row_18_whose_pixels::test_a_blob_of_another_is_refused_in_the_words_of_one_that_is_nowhere",
        ),
        missing="No S3-compatible store.",
    ),
    Requirement(
        "S2",
        "Results carry signed URLs that expire.",
        missing="The field is declared only.",
        not_built=("signed_urls",),
    ),
    Requirement(
        "S3",
        "The catalogue is SQLite, or PostgreSQL by configuration, with one row for each picture.",
        (
            "test_catalogue::test_a_row_comes_back_as_it_was_put_also_after_a_restart",
            "test_catalogue::test_migrations_make_from_nothing_exactly_the_table_that_the_code_uses",
            "test_engine::test_ledger_and_catalogue_may_share_a_database_of_postgresql",
            "test_copying::test_what_was_copied_out_and_in_is_what_was_there",
        ),
        missing="It cannot be searched by prompt, model, seed, rating or colour, nor by a picture.",
    ),
    Requirement(
        "S4",
        "Every picture carries how it was made as PNG text and XMP, with IPTC's source type and an alternative text, "
        "has a JSON sidecar, and can be made again from its own file.",
        (
            "test_record::test_everything_needed_to_make_a_picture_again_comes_back_from_the_file_alone",
            "test_record::test_the_picture_says_that_a_model_made_it",
            "test_record::test_the_parameters_line_is_the_one_that_web_user_interfaces_read",
            "test_png::test_a_text_comes_back_as_it_was_and_other_programs_read_it_too",
            "test_agent::test_an_accepted_picture_is_filed_by_its_template_with_record_and_sidecar",
            "test_rerun::test_a_picture_made_in_company_is_made_again_bit_for_bit_from_its_file",
        ),
        missing="No C2PA manifest.",
    ),
    Requirement(
        "S5",
        "Names and folders follow a template, by default date, section, colour and seed; pictures of catalogues lie "
        "in their own tree.",
        (
            "test_names::test_names_by_template",
            "test_names::test_a_picture_of_a_catalogue_lies_in_the_tree_of_its_seed",
            "test_names::test_a_bad_template_is_refused_by_field",
            "test_agent::test_pictures_whose_names_collide_both_stay",
            "test_run::test_a_session_makes_the_tree_of_its_seed_and_a_log_with_every_field",
        ),
    ),
    Requirement(
        "S6",
        "A batch gets a contact sheet, which shows each picture whole and is bounded to one page, and a page for a "
        "browser with all that is known of each picture, which needs no script and no server.",
        (
            "test_agent::test_a_contact_sheet_shows_the_batch_and_may_be_asked_for_again",
            "test_contact_sheet::test_each_picture_is_shown_whole_in_its_shape",
            "test_contact_sheet::test_a_large_batch_is_bounded_to_one_sheet",
            "test_batch_page::test_a_page_says_of_each_picture_what_made_it_and_what_its_score_rests_on",
            "test_batch_page::test_whatever_a_client_wrote_is_text",
            "test_page::test_a_page_is_opened_in_the_browser_of_a_display_and_named_where_there_is_none",
        ),
        missing="No export: JPEG, WebP, AVIF, sRGB, crops for telephones, the best alone.",
        not_built=("export.formats", "export.jpeg_quality", "export.best"),
    ),
    Requirement(
        "S7",
        "An audit log, kept when batches are forgotten, tells of every command, every end of a picture and all money.",
        (
            "test_money::test_the_audit_log_tells_what_was_asked_how_it_ended_and_where_the_money_went",
            "test_audit::test_every_picture_has_one_row_of_its_end_and_one_for_each_rejection",
            "test_clients::test_every_change_says_in_the_audit_log_what_it_set",
            "test_retention::test_a_batch_that_ended_long_ago_is_forgotten_and_its_money_and_audit_are_not",
        ),
    ),
    Requirement(
        "S8",
        "Pictures that are made again, larger or better, are linked to those that they come from.",
        (
            "test_upgrade::test_results_and_lists_link_an_upgrade_to_its_parent",
            "test_served_steering::test_finished_pictures_are_made_again_once_for_a_command_id",
            "test_upgrade::test_every_finished_picture_is_made_again_with_its_seed_and_prompt",
        ),
        missing="There are no edits to link.",
        not_built=("EDIT",),
    ),
    Requirement(
        "S9",
        "A model whose licence nobody accepted is not fetched, and what to do is said.",
        ("test_pull::test_a_licence_that_was_not_accepted_is_said_with_what_to_do",),
        missing="The registry and `bottega models show` name licences, but no picture does, with those of its "
        "adapters; there is no attribution, and nothing is enforced.",
    ),
    Requirement(
        "S10",
        "Pixels, pictures and ended batches are kept for as long as the settings say; ledger and catalogue are backed "
        "up while the workshop runs, and restored.",
        (
            "test_prune::test_what_a_dry_run_counts_is_removed_by_the_next_run_and_gone_after_it",
            "test_served_retention::test_no_picture_in_flight_misses_its_pixels_and_at_the_end_none_are_left",
            "test_row_08_backups::test_no_change_to_a_backup_gets_further_than_its_check",
            "test_restored::test_a_batch_that_was_backed_up_halfway_is_finished_elsewhere_with_each_picture_once",
            "test_backup::test_a_backup_says_what_is_in_it_and_is_restored_where_there_is_nothing",
            "test_compare::test_each_disagreement_between_ledger_catalogue_and_files_is_counted",
        ),
        missing="Nobody can delete a picture by a command.",
        not_built=("DELETE",),
    ),
)
