"""Rows A: the five agents, and who decides what."""

from tests.requirements.requirement import Requirement

AGENTS: tuple[Requirement, ...] = (
    Requirement(
        "A1",
        "Planner, prompt, generator, QA and storage are independent processes over NATS, any of which can be stopped, "
        "killed, started again or joined by another, also by one of a newer or older version, and nothing is lost or "
        "done twice.",
        (
            "test_campaign::test_nothing_is_lost_nothing_is_doubled_and_nothing_is_left_over",
            "test_kills::test_24_pictures_are_filed_once_while_every_process_and_the_broker_are_killed",
            "test_up::test_killed_agents_are_started_again_and_the_workshop_works_on",
            "test_deliveries::test_two_processes_of_a_role_share_the_work",
            "test_golden_frames::test_agents_understand_a_message_of_an_older_agent_without_the_optional_fields",
            "test_wiped::test_every_picture_is_filed_once_though_the_store_is_wiped_several_times_during_the_batch",
        ),
    ),
    Requirement(
        "A2",
        "The generator alone owns the GPU, one process for each device, and torch is loaded only there, in QA's "
        "scorer and in training.",
        (
            "test_device::test_a_device_is_locked_against_other_processes_until_its_holder_is_killed",
            "test_agent::test_a_second_generator_on_the_device_is_told_who_holds_it",
            "test_architecture::test_processes_that_own_no_device_never_load_torch",
            "test_architecture::test_a_third_party_package_stays_in_its_home",
        ),
    ),
    Requirement(
        "A3",
        "The planner validates, takes the best model that is installed, estimates from measured history, reserves "
        "money, hands out a window at a time, alone decides every further attempt, and knows where each picture "
        "stands.",
        (
            "test_recipe::test_a_silent_command_gets_an_installed_model_before_a_better_one_that_is_not",
            "test_device_time::test_a_plan_expects_what_its_pictures_take_and_holds_what_the_dearest_may",
            "test_money::test_the_highest_cost_is_held_from_the_start_and_only_what_was_spent_stays_at_the_end",
            "test_ledger::test_a_plan_is_expanded_lazily_and_prompts_are_asked_for_by_the_page",
            "test_attempts::test_only_a_failure_that_may_pass_is_worth_another_attempt",
            "test_outbox::test_a_planner_says_at_its_start_what_the_one_before_it_committed_and_never_said",
        ),
        missing="It does not choose by use case (speed, quality, ControlNets, LoRAs), nor offer the cheapest, fastest "
        "and best way.",
    ),
    Requirement(
        "A4",
        "What the workshop does not do, such as video, classification, embeddings or art direction, is refused with "
        "whom to ask instead and what would work here.",
        (
            "test_delegation::test_at_least_nine_of_ten_requests_for_other_work_are_found_and_given_to_who_does_it",
            "test_delegation::test_no_ordinary_brief_is_refused_for_the_words_in_it",
            "test_served::test_other_work_is_refused_with_who_does_it_and_what_works_here_and_prompts_are_drawn_as_they_are",
        ),
    ),
)
