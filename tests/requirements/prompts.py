"""Rows R: from what a person wants to the words that a model gets."""

from tests.requirements.requirement import Requirement

PROMPTS: tuple[Requirement, ...] = (
    Requirement(
        "R1",
        "Styles and style references, with palette, mood, lens and negative prompt, are named and versioned files "
        "that a person edits while the workshop runs.",
        (
            "test_style_files::test_an_edit_is_picked_up_and_a_removed_file_is_forgotten",
            "test_style_files::test_a_broken_edit_keeps_the_last_good_version_until_it_is_mended",
            "test_style_files::test_a_users_file_overrides_the_packaged_one_of_the_same_name",
            "test_writer::test_every_packaged_style_puts_the_content_first_and_fills_its_template",
            "test_served::test_an_unknown_style_is_refused_in_the_plan_with_the_nearest_one",
        ),
        missing="A new version of a reference does not score again what was made under the old one.",
    ),
    Requirement(
        "R2",
        "A deterministic writer makes prompts of a brief: the brief first and whole, in the template of the style, "
        "with one movement of the camera and one adjective of light.",
        (
            "test_writer::test_a_dressed_brief_comes_first_and_whole_and_is_what_qa_looks_for",
            "test_writer::test_the_fowlai_style_is_the_template_and_the_preset_of_its_author",
            "test_writer::test_plain_leaves_a_brief_exactly_as_it_is",
            "test_writer::test_any_cut_into_pages_gives_the_same_prompts",
        ),
        missing="No language model writes, and there are no five candidates of which the best two are kept.",
    ),
    Requirement(
        "R3",
        "Negative prompts of command, style and reference are joined, and a style speaks to each platform in a "
        "template of its own.",
        (
            "test_writer::test_the_negative_prompt_joins_command_style_and_reference_and_says_nothing_twice",
            "test_writer::test_a_model_without_negative_prompts_gets_none",
            "test_writer::test_the_pocket_model_is_spoken_to_in_its_own_words",
        ),
    ),
    Requirement(
        "R4",
        "Variants of a prompt are compared fairly, with a winner.",
        missing="The field is declared only.",
        not_built=("variants",),
    ),
    Requirement(
        "R5",
        "A plan warns with reasons, and changes nothing, where guidance is outside the model's range, steps are over "
        "30, a negative prompt does nothing, or a finished prompt lacks the trigger of its LoRA.",
        (
            "test_recipe::test_named_values_win_over_defaults_and_unwise_ones_are_warned_of_not_changed",
            "test_recipe::test_a_negative_prompt_that_a_model_ignores_is_said",
            "test_lora_syntax::test_a_finished_prompt_without_a_trigger_is_warned_of",
        ),
        missing="Not warned of: a negative prompt that would help, a single picture to judge by, a LoRA's weight out "
        "of range, another shape than 1:1 for abstract backgrounds.",
    ),
    Requirement(
        "R6",
        "Fields are swept as a grid or a paired list, every combination with the same seeds, and names and records "
        "say the values.",
        (
            "test_served_sweep::test_a_swept_batch_makes_each_combination_with_the_same_seeds_and_says_so_in_names_and"
            "_files",
            "test_sweep::test_a_list_is_paired_side_by_side",
            "test_sweep::test_a_grid_tries_every_combination_once_and_the_last_field_varies_fastest",
            "test_sweep::test_the_door_names_the_place_of_what_cannot_be_swept",
            "test_names::test_swept_values_are_in_the_name",
        ),
    ),
    Requirement(
        "R7",
        "Every prompt file of a catalogue meets every combo of reference pictures, with the prompt put together from "
        "both.",
        (
            "test_served_sweep::test_a_catalogue_with_combos_is_filed_in_its_tree_with_its_references_as_hashes",
            "test_run::test_prompts_are_put_together_with_the_words_of_their_combo",
            "test_prompt_catalogue::test_every_prompt_meets_every_combo_as_often_as_is_asked_for",
            "test_prompt_catalogue::test_the_combo_folder_is_the_only_source_of_references",
            "test_prompt_catalogue::test_a_missing_full_height_pose_is_said_and_not_looked_for_elsewhere",
            "test_prompt_requests::test_a_pose_that_is_missing_falls_back_to_what_the_combo_has",
        ),
        missing="No tables of products, a row for each picture.",
    ),
    Requirement(
        "R8",
        "The style `fowlai` has its template, its negative prompt, and DPM++ 2M Karras, 25 steps, guidance "
        "7, LoRAs at 0.8 and 9:16, which apply where a command is silent; the plan says so, and that six pictures are "
        "meant.",
        (
            "test_writer::test_the_fowlai_style_is_the_template_and_the_preset_of_its_author",
            "test_style_settings::test_a_silent_command_gets_the_settings_of_its_style_and_the_plan_says_so",
            "test_style_settings::test_what_the_command_says_wins",
        ),
        missing="Six pictures are told and not made: a command that leaves the quantity out asks for one.",
    ),
    Requirement(
        "R9",
        "A folder of reference shots becomes a palette and a mood.",
        missing="None of it.",
    ),
    Requirement(
        "R10",
        "Weights of words such as `(word:1.2)`, `BREAK` and prompts of any length act where CLIP reads, and are taken "
        "off or cut, and named, elsewhere; other syntax and settings (`{a|b}`, `[a:b:0.5]`, `--ar 9:16`) are "
        "understood or named in the plan.",
        (
            "test_prompt_syntax::test_a_prompt_is_read_as_other_programs_read_it",
            "test_prompt_embeddings::"
            "test_a_prompt_with_weights_or_of_any_length_is_the_plain_pipelines_given_its_embeddings",
            "test_prompt_embeddings::test_a_job_without_a_syntax_is_drawn_as_0_1_0_drew_it",
            "test_writer::test_a_choice_deals_its_words_in_turn_inner_ones_first_and_in_what_must_not_be_shown_too",
            "test_orders::test_what_is_accepted_is_drawn_as_understood_and_the_plan_names_the_rest",
            "test_orders::test_a_planner_reads_an_order_of_a_stranger_and_says_what_it_sets_and_leaves_out",
        ),
    ),
)
