"""Rows L: who makes the pictures, in which order, at what cost, how often."""

from tests.requirements.requirement import Requirement

PROVIDERS: tuple[Requirement, ...] = (
    Requirement(
        "L1",
        "Providers have one interface, with what each can do and what it costs; a generator may hold several.",
        ("test_two_vendors::test_one_generator_makes_the_pictures_of_two_vendors_each_at_its_price",),
        missing="No vendor is behind it yet.",
        not_built=("provider",),
    ),
    Requirement(
        "L2",
        "Providers are tried in order: the client's, the command's, by style, the default, the fallbacks, none twice.",
        missing="The fields are declared only.",
        not_built=("provider", "fallbacks"),
    ),
    Requirement(
        "L3",
        "A failure that may pass is tried again after a growing pause and within the attempts of its picture, any "
        "other is final, and a paid call whose end is unknown is never made a second time.",
        (
            "test_deliveries::test_a_retryable_failure_is_delivered_again_after_its_back_off",
            "test_disposition::test_a_failure_becomes_a_retry_or_is_given_up",
            "test_attempts::test_only_a_failure_that_may_pass_is_worth_another_attempt",
            "test_intents::test_a_call_whose_end_nobody_heard_in_time_counts_as_charged",
            "test_intents::test_a_call_that_the_provider_refused_costs_nothing_and_may_be_made_again",
        ),
        missing="No waits by the answer of a provider (429, 500, 403, a timeout, a refused picture).",
    ),
    Requirement(
        "L4",
        "Each provider has its limits: requests a minute, at once, and the pause between them.",
        missing="None of it.",
    ),
    Requirement(
        "L5",
        "The cost of every picture is estimated before and settled after, told by client and provider, refused in "
        "cents over a budget, and commands at once cannot overspend together.",
        (
            "test_paid::test_ten_commands_at_once_on_money_for_five",
            "test_served_costs::test_the_costs_of_a_client_are_those_of_its_pictures_and_nobody_elses",
            "test_costs::test_costs_are_shown_in_a_table_with_their_total",
            "test_pricing::test_over_budget_is_said_in_cents",
            "test_money::test_a_batch_over_its_own_budget_is_refused_in_cents_and_leaves_nothing_behind",
            "test_money::test_of_ten_commands_at_once_on_a_budget_for_five_never_more_than_five_are_admitted",
        ),
    ),
    Requirement(
        "L6",
        "Attempts are counted, a batch goes on past a failed picture, and a client has no more pictures in flight "
        "than its operator allows.",
        (
            "test_ledger::test_whatever_is_lost_repeated_or_late_every_picture_ends_once",
            "test_retries::test_one_failed_picture_is_tried_again_alone",
            "test_window::test_clients_take_turns_of_their_weight_whatever_the_number_of_their_batches",
            "test_ledger::test_no_more_pictures_are_in_flight_than_the_window_allows",
        ),
        missing="A command cannot stop at the first failure, nor say how many pictures at once.",
    ),
    Requirement(
        "L7",
        "Tests of providers cover each answer that they give.",
        missing="There is nothing to test yet.",
    ),
    Requirement(
        "L8",
        "A budget is kept or refused with what to set, a plan holds no money unless it is asked to, and what is held "
        "and expected follows from every picture that was measured.",
        (
            "test_served_dry_run::test_where_no_price_is_set_a_budget_is_refused_unless_it_allows_that",
            "test_served_dry_run::"
            "test_two_plans_of_six_mugs_do_not_keep_a_third_order_out_and_one_beyond_the_limit_is_refused_as_it_would_be",
            "test_served_dry_run::test_what_was_measured_before_a_restart_is_what_plans_expect_and_hold_after_it",
            "test_money::test_pictures_that_cost_more_than_was_held_end_their_batch_before_its_budget_is_exceeded",
            "test_pricing::test_a_hold_is_called_a_hold_and_said_how_it_is_made",
        ),
    ),
)
