"""Rows D: on one machine, on many, and who may do what."""

from tests.requirements.requirement import Requirement

DEPLOYMENT: tuple[Requirement, ...] = (
    Requirement(
        "D1",
        "One machine needs nothing else: the NATS server is embedded, records are SQLite, pictures local files; "
        "killed processes and full disks cost nothing but time.",
        (
            "test_run::test_a_workshop_is_started_for_the_occasion_and_stopped",
            "test_up::test_ctrl_c_lets_the_agents_finish_and_ends_the_broker_last",
            "test_up::test_a_killed_broker_comes_back_on_the_same_port_with_its_streams",
            "test_up::test_a_killed_supervisor_leaves_no_process_behind_and_the_home_free",
            "test_disk::test_a_disk_that_was_full_in_mid_batch_costs_nothing_but_time",
            "test_disk_watch::test_a_broker_whose_disk_was_full_is_started_again_once_there_is_room",
        ),
    ),
    Requirement(
        "D2",
        "Agents on other machines join by the URL of a NATS server, records lie in PostgreSQL, and generators share "
        "the queues of the platforms that they have.",
        (
            "test_engine::test_writers_of_several_processes_lose_no_update_although_each_reads_before_it_writes",
            "test_copying::test_what_was_copied_out_and_in_is_what_was_there",
            "test_deliveries::test_two_processes_of_a_role_share_the_work",
            "test_agent::test_it_reads_the_queues_of_the_platforms_whose_models_it_has",
            "test_commands::test_the_doctor_asks_the_server_that_the_settings_name",
            "test_connection::test_a_url_and_an_address_say_the_same",
        ),
        missing="No S3, so that machines share one blob folder; no scaling by queue depth; no files for compose, "
        "Kubernetes, systemd or a rented GPU.",
    ),
    Requirement(
        "D3",
        "Each agent has a login with the least rights on the broker; each client has its own, which the operator alone "
        "makes, changes and ends, with its limits; addresses and errors repeat no password or token.",
        (
            "test_row_05_broker_rights::test_a_login_says_what_its_table_allows_and_nothing_else",
            "test_row_05_broker_rights::test_a_login_hears_what_its_table_allows_and_nothing_else",
            "test_served_clients::test_the_operator_makes_limits_suspends_and_resumes_a_client",
            "test_row_07_identity::test_a_revoked_login_is_cut_off_and_refused_until_the_client_gets_a_new_one",
            "test_settings::test_a_key_in_a_wrong_place_is_refused_and_not_repeated",
            "test_connection::test_an_address_does_not_show_its_password",
        ),
    ),
)
