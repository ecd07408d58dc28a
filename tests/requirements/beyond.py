"""Rows X: what goes beyond the usual."""

from tests.requirements.requirement import Requirement

BEYOND: tuple[Requirement, ...] = (
    Requirement(
        "X1",
        "A plan is a quote: the model, cost and time, what of the wish is not honoured, and until when a held one is "
        "valid; one that is dearer than the workshop allows waits for approval.",
        (
            "test_served::test_a_held_plan_waits_for_its_token",
            "test_served_steering::test_a_plan_above_the_configured_cost_is_held",
            "test_ledger::test_a_held_plan_that_nobody_approves_is_cancelled_when_it_expires",
            "test_device_time::test_a_plan_expects_what_its_pictures_take_and_holds_what_the_dearest_may",
        ),
        missing="Cost and time are single figures, not intervals, and a change beyond the quote is not asked for "
        "again.",
    ),
    Requirement(
        "X2",
        "A paid call is written down before it is made, made once, and settled by what it cost, whatever dies at "
        "whatever point.",
        (
            "test_paid::test_every_charge_is_in_the_ledger_whatever_the_generator_dies_of",
            "test_paid::test_a_call_that_is_not_written_down_is_noticed",
            "test_mutants::test_a_missing_guard_is_noticed",
            "test_campaign::test_every_failpoint_was_met_and_every_fault_happened",
            "test_intents::test_a_second_caller_makes_no_second_call_and_the_first_counts_as_charged",
            "test_intents::test_no_further_attempt_is_paid_for_while_the_end_of_an_earlier_one_is_unknown",
        ),
        missing="Only a provider of the tests is paid, and no call is looked up at its provider.",
    ),
    Requirement(
        "X3",
        "Attempts at a picture end at their number, and costs are told for each picture that was accepted.",
        (
            "test_attempts::test_a_rejected_picture_is_made_again_until_its_attempts_are_used_then_the_best_is_kept",
            "test_cost_report::test_costs_are_what_attempts_were_charged_and_pictures_are_counted_once",
        ),
        missing="No repair by what is wrong with a picture.",
    ),
    Requirement(
        "X4",
        "Cheap drafts come first, the best of them are made in full, and the saving is told.",
        missing="None of it but `UPGRADE` of pictures that a person names.",
    ),
    Requirement(
        "X5",
        "A contact sheet comes as a message within a byte budget, and pictures are selected, edited and varied by its "
        "labels.",
        missing="The sheet is a file, and its labels are no command's.",
        not_built=("SELECT", "EDIT"),
    ),
    Requirement(
        "X6",
        "A picture that is there already is returned at no cost where everything that decides its pixels is the same, "
        "and no near-duplicate within a batch is accepted.",
        (
            "test_served_reuse::test_the_second_time_the_pictures_are_there_already",
            "test_run::test_the_same_sentence_with_the_same_seed_is_answered_with_the_pictures_that_are_there",
            "test_reuse::test_what_decides_pixels_changes_the_digest",
            "test_agent::test_of_two_copies_judged_at_once_one_is_accepted",
            "test_served::test_a_restarted_qa_refuses_the_copy_of_what_it_accepted_before",
        ),
        missing="Two QA processes that judge two copies at the same instant may accept both.",
    ),
    Requirement(
        "X7",
        "Small orders pass beside large ones, clients take turns by weight, batches begin and end when they are told "
        "to, and a plan warns where its deadline will hardly be kept.",
        (
            "test_served_steering::test_ten_pictures_go_through_beside_a_million_which_are_accepted_and_cancelled_at_o"
            "nce",
            "test_fairness::test_ten_clients_share_the_generator_evenly",
            "test_window::test_a_batch_that_was_given_nothing_for_long_gets_one_picture_among_interactive_ones",
            "test_amend::test_what_is_left_of_a_batch_at_its_deadline_is_cancelled",
            "test_time_limits::test_a_plan_says_when_its_deadline_will_hardly_be_kept",
        ),
        missing="It does not say why a batch waits, when it will be done or what sooner would cost, and nothing "
        "spills over to providers.",
    ),
    Requirement(
        "X8",
        "Any picture is made again from its own file, and the answer is identical, same to tolerance, or drifted and "
        "why.",
        (
            "test_rerun::test_a_picture_made_in_company_is_made_again_bit_for_bit_from_its_file",
            "test_what_it_left::test_a_picture_of_then_is_made_again_from_its_file",
            "test_rerun::test_another_picture_than_the_file_says_has_drifted_and_exits_with_1",
            "test_rerun::test_reasons_name_what_is_not_as_it_was",
            "test_rerun::test_the_largest_difference_of_a_pixel_decides",
            "test_rerun::test_a_picture_made_from_another_is_made_again_where_that_is_named_and_refused_with_its_name_"
            "where_it_is_gone",
        ),
    ),
    Requirement(
        "X9",
        "Today's families (FLUX.2, Z-Image, Qwen-Image, Krea 2) run, and so does any class of diffusers, in shared "
        "calls once its rows are proved to be independent.",
        missing="Five architectures are known, whose independence tests prove; another one needs code.",
    ),
    Requirement(
        "X10",
        "A picture is edited by an instruction, with references, stable names and its lineage.",
        missing="The command is declared only.",
        not_built=("EDIT",),
    ),
    Requirement(
        "X11",
        "Faster engines and other servers make pictures behind the same ledger.",
        missing="None of it.",
    ),
    Requirement(
        "X12",
        "A score says what it rests on: the measures stand beside it, and one that could not be taken is null and "
        "counts for nothing; words that nothing can judge are named before and after.",
        (
            "test_agent::test_a_prompt_of_unknown_words_gets_no_score_and_says_which_words",
            "test_honesty::test_briefs_from_inside_the_world_are_judged_whole",
            "test_run::test_words_that_the_model_does_not_know_are_named_before_and_after_and_get_no_score",
            "test_agent::test_without_a_scorer_adherence_and_embedding_are_null",
            "test_agent::test_told_not_to_look_it_accepts_and_states_no_figure",
            "test_measures::test_sharpness_is_null_where_there_is_no_edge_to_judge",
        ),
        missing="There is no `not_judged` for what nobody can judge.",
    ),
    Requirement(
        "X13",
        "Previews of pictures in the making are shown live.",
        missing="None of it.",
    ),
    Requirement(
        "X14",
        "A client is a stranger: what it sends is bounded and answered, and its share of the device is fair in every "
        "step.",
        (
            "test_short_form::test_the_first_inputs_of_every_suite_are_read_or_refused",
            "test_micro_service::test_a_client_cannot_make_an_agent_speak_elsewhere_than_to_an_inbox",
            "test_fair_share::test_a_client_with_few_pictures_gets_half_of_each_call_beside_one_with_many",
            "test_fair_share::test_time_of_the_device_is_shared_and_not_steps",
            "test_served::test_reserved_words_name_no_client",
        ),
        missing="Nobody sees the shares.",
    ),
)
