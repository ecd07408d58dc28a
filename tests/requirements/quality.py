"""Rows Q: whether a picture is good, and what follows."""

from tests.requirements.requirement import Requirement

QUALITY: tuple[Requirement, ...] = (
    Requirement(
        "Q1",
        "Each picture is scored from 0 to 1 by documented measures; below `min_score` it is made again within "
        "`max_attempts`, then failed with the best kept, and the status tells the rate of rejections.",
        (
            "test_run::test_pictures_below_the_bar_are_made_again_and_then_failed",
            "test_served::test_quality_thresholds_are_taken_from_the_command_or_the_settings",
            "test_score::test_the_score_of_measures",
            "test_score::test_the_bar_decides",
            "test_measures::test_every_measure_is_between_0_and_1",
            "test_attempts::test_a_rejected_picture_is_made_again_until_its_attempts_are_used_then_the_best_is_kept",
        ),
    ),
    Requirement(
        "Q2",
        "The consistency of a batch, 0 to 1, is the mean likeness of its pictures' embeddings.",
        (
            "test_tally::test_consistency_is_the_mean_cosine_over_all_pairs",
            "test_tally::test_an_embedding_of_another_scorer_is_left_out_of_the_consistency",
            "test_scorer::test_a_judgement_is_an_adherence_and_a_unit_vector",
        ),
    ),
    Requirement(
        "Q3",
        "A picture that cannot be decoded, or is of the wrong format or size, blank, blurred, posterised or nearly "
        "another of its batch, is not accepted.",
        (
            "test_score::test_a_failed_gate_is_score_0_and_never_accepted",
            "test_score::test_a_blank_picture_is_score_0",
            "test_measures::test_sharpness_falls_with_every_step_out_of_focus",
            "test_measures::test_a_gradient_in_few_steps_is_posterised_and_a_smooth_one_is_not",
            "test_agent::test_a_copy_within_the_batch_is_not_accepted",
            "test_picture::test_damaged_files_end_in_a_fault_or_a_picture_and_nothing_else",
        ),
        missing="Nothing looks at faces: eyes, where they look, anatomy.",
    ),
    Requirement(
        "Q4",
        "An image-text model judges whether a picture shows its prompt: the pocket scorer for the pocket model, as far "
        "as it knows the words, for others a CLIP or SigLIP model that is pulled by name and calibrated.",
        (
            "test_scorer::test_most_true_pictures_pass_the_bar_of_0_85_and_most_others_stay_below_half",
            "test_scorer::test_the_true_caption_is_preferred_to_another_ones",
            "test_scorer::test_regions_are_judged_each_by_its_own_prompt_and_the_least_sure_one_counts",
            "test_agent::test_the_pocket_scorer_judges_pictures_of_the_pocket_model_alone",
            "test_calibrate::test_a_scorer_that_tells_things_apart_is_calibrated_and_then_used_for_other_models",
            "test_weights::test_the_adherence_of_a_right_sentence_falls_as_the_picture_is_spoilt",
        ),
    ),
    Requirement(
        "Q5",
        "Content is filtered before money is spent and in the picture, and each refusal is logged with its reason.",
        missing="None of it but a model's own safety checker, which no test shows.",
    ),
    Requirement(
        "Q6",
        "The dominant colour of a picture has a name, and its colours can be locked to those of a guide picture.",
        (
            "test_colour::test_brand_colours_have_the_names_of_their_guidelines",
            "test_colour::test_a_coloured_thing_on_white_gives_the_name_and_a_larger_ground_wins_over_it",
            "test_colour_transfer::test_colours_become_those_of_the_other_and_shapes_stay",
            "test_run_stages::test_colours_are_taken_from_the_picture_as_it_was_generated",
        ),
        missing="No check that the palette is present or matches a section's background, and no snapping to a palette.",
    ),
    Requirement(
        "Q7",
        "What is wrong with a picture changes how its next attempt is made.",
        missing="A further attempt changes the seed alone.",
    ),
    Requirement(
        "Q8",
        "A finished batch has a contact sheet, and the best candidate of a picture below the bar lies in "
        "`_Rejected/Maybe Later`.",
        (
            "test_served::test_a_batch_ends_with_files_seeds_and_a_contact_sheet",
            "test_agent::test_a_candidate_below_the_bar_is_kept_apart",
            "test_names::test_accepted_and_kept_pictures_lie_apart",
            "test_contact_sheet::test_captions_tell_pictures_apart",
        ),
        missing="No viewer with a loupe, stars and comparison.",
        not_built=("RATE",),
    ),
    Requirement(
        "Q9",
        "The best of several pictures are selected by their score.",
        missing="The command is declared only.",
        not_built=("SELECT",),
    ),
    Requirement(
        "Q10",
        "A logo is laid over a picture pixel for pixel, text in it is read back, and things are cut out.",
        missing="None of it.",
    ),
    Requirement(
        "Q11",
        "Pictures that are less like the centre of their batch, or the references that they follow, than a command's "
        "bound are made again when all have a score, within their attempts and the money held, in whatever order the "
        "scores arrived; one that gets no better keeps its file and is named. Where nothing compares pictures, the "
        "plan says so.",
        (
            "test_consistency::test_a_reference_is_the_centre_of_the_pictures_that_follow_it",
            "test_consistency_rounds::test_an_outlier_that_gets_no_better_keeps_its_file_and_is_named",
            "test_consistency_rounds::test_the_same_pictures_are_made_again_in_whatever_order_their_scores_arrive",
            "test_consistency_rounds::test_money_for_another_attempt_is_held_until_the_batch_ends",
            "test_recipe::test_where_no_scorer_compares_pictures_consistency_is_not_honoured",
            "test_agent::test_an_attempt_that_replaces_the_stored_one_takes_its_place_and_stays",
        ),
    ),
)
