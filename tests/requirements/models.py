"""Rows M: models and platforms, and what they can be made to do."""

from tests.requirements.requirement import Requirement

MODELS: tuple[Requirement, ...] = (
    Requirement(
        "M1",
        "SD 1.5, SDXL, SD 3.5, FLUX.1-dev, FLUX.1-schnell, Kandinsky 3 and single-file checkpoints run on diffusers, "
        "with the defaults and ranges of their makers and a pinned commit of each in a registry.",
        (
            "test_platforms::test_every_platform_makes_a_picture_over_the_bus",
            "test_registry::test_known_models_have_the_defaults_of_their_makers",
            "test_registry::test_only_models_that_take_one_say_that_they_take_a_negative_prompt",
            "test_install::test_a_single_file_draws_the_picture_of_the_folder_it_was_made_of",
            "test_models::test_a_known_model_is_pulled_at_its_pinned_commit_and_shown",
            "test_models::test_a_file_that_changed_is_found_by_its_hash",
        ),
        missing="SD 3 before 3.5 has no entry of its own, and tests draw with small random weights of the real "
        "classes.",
    ),
    Requirement(
        "M2",
        "A pocket model in the diffusers format comes with the package, made by the project's own script, and draws "
        "what the prompt says.",
        (
            "test_run::test_the_pocket_model_draws_what_the_brief_says",
            "test_weights::test_generated_pictures_show_what_was_asked",
            "test_weights::test_a_plain_pipeline_makes_a_picture_of_the_native_size",
            "test_weights::test_the_folders_keep_within_their_limits",
            "test_recipe::test_the_recipe_goes_from_nothing_to_folders_that_load_and_has_nothing_to_do_again",
        ),
    ),
    Requirement(
        "M3",
        "Several LoRAs act together by weight, stay hot, wake by their trigger words, are written "
        "`<lora:name:weight>` in texts, and are added from a downloaded file with what its metadata tells.",
        (
            "test_served_loras::test_a_tag_in_a_brief_is_a_lora_of_the_picture_and_its_trigger_is_in_the_prompt",
            "test_loras::test_two_loras_act_together",
            "test_loras::test_loras_that_are_switched_are_not_loaded_again",
            "test_loras::test_a_lora_gives_the_picture_that_the_plain_pipeline_gives_with_it",
            "test_install::test_a_lora_is_drawn_with_under_its_new_name",
            "test_lora_file::test_metadata_of_trainers_is_understood",
        ),
    ),
    Requirement(
        "M4",
        "Pictures follow canny, depth, normal, pose and segmentation maps by ControlNets of SD 1.5, SDXL and the "
        "pocket model; a reference that is no map yet is made into one, and one that is said to be a map is checked.",
        (
            "test_served_pictures::test_pictures_are_made_from_pictures_by_command",
            "test_led::test_a_picture_along_a_controlnet_is_the_plain_pipelines",
            "test_led::test_two_controlnets_at_once_are_both_followed",
            "test_control::test_a_map_is_taken_as_it_is_and_a_photograph_is_prepared",
            "test_control::test_models_that_look_make_maps_of_the_pictures_size",
            "test_annotators::test_a_photograph_is_followed_by_the_map_that_a_model_makes_of_it",
        ),
    ),
    Requirement(
        "M5",
        "A picture is made from another one, anew within a mask, or around one that lies in a larger one.",
        (
            "test_served_pictures::test_pictures_are_made_from_pictures_by_command",
            "test_served_pictures::test_a_source_that_leads_nowhere_is_refused_with_the_field_and_what_to_do",
            "test_led::test_a_picture_from_a_picture_is_the_plain_pipelines",
            "test_led::test_what_lies_outside_the_mask_keeps_every_bit",
            "test_source_images::test_a_smaller_picture_lies_where_it_is_placed",
            "test_adapters::test_redrawing_keeps_the_shape_and_takes_the_new_colour",
        ),
    ),
    Requirement(
        "M6",
        "Pictures follow the style, subject or composition of others by IP-Adapters, and learned words (textual "
        "inversion) are drawn where a prompt has them.",
        (
            "test_served_references::test_every_picture_of_a_batch_follows_its_character",
            "test_image_prompts::test_a_picture_that_follows_one_is_the_plain_pipelines",
            "test_adapters::test_what_the_words_leave_open_is_taken_from_a_picture",
            "test_reference_images::test_each_picture_is_followed_by_the_adapter_that_is_most_for_its_role",
            "test_textual_inversion::test_a_word_draws_what_the_plain_pipeline_draws_with_it",
            "test_install::test_a_textual_inversion_teaches_its_word_or_the_name_of_its_file",
        ),
    ),
    Requirement(
        "M7",
        "Pictures are enlarged by ESRGAN networks in tiles, refined by img2img (in tiles where they are too large), "
        "cleaned of artefacts, given the colours of another, and have the faces that the command names restored.",
        (
            "test_served_stages::test_base_upscale_refinement_with_a_style_and_colours_are_one_command",
            "test_upscale::test_tiles_leave_no_seam_where_they_overlap_and_would_without",
            "test_upscale::test_both_namings_of_esrgan_are_one_network",
            "test_run_stages::test_a_picture_too_large_for_the_model_is_refined_tile_by_tile",
            "test_colour_transfer::test_colours_become_those_of_the_other_and_shapes_stay",
            "test_placement::test_what_was_made_of_a_face_fades_into_the_picture",
        ),
        missing="Nothing looks for faces, and networks of other families than ESRGAN need the extra `restore`.",
    ),
    Requirement(
        "M8",
        "ComfyUI workflows under version control run as a platform on a real server, with progress, and so do servers "
        "of Automatic1111, Forge and InvokeAI.",
        missing="No adapter for any of these servers.",
    ),
    Requirement(
        "M9",
        "LoRAs, DreamBooth models and learned words are trained from 20 to 50 captioned pictures, and what comes of "
        "it is registered.",
        missing="No training for whoever uses the workshop; the pocket model's own adapters are taught by its scripts.",
    ),
    Requirement(
        "M10",
        "OpenAI, Stability AI, Replicate, Gemini, fal, Together and Hugging Face make pictures as providers, and "
        "others by a configurable HTTP adapter or are refused by name with the nearest that works.",
        missing="There are no providers.",
        not_built=("provider",),
    ),
    Requirement(
        "M11",
        "A base picture, a style LoRA, an img2img refinement and an upscale are one command.",
        (
            "test_served_stages::test_base_upscale_refinement_with_a_style_and_colours_are_one_command",
            "test_post_processing::test_base_style_refinement_and_upscale_are_four_stages_with_their_sizes_steps_and_e"
            "ngines",
            "test_run_stages::test_alone_a_picture_of_stages_is_the_stock_pipelines_in_sequence",
            "test_rerun::test_a_picture_of_several_stages_is_made_again_with_all_of_them",
        ),
    ),
    Requirement(
        "M12",
        "Parts of a picture have prompts of their own, blended by weight; one character is the same in every picture "
        "of a batch; and short sequences are consistent from frame to frame.",
        (
            "test_regions::test_a_region_changes_its_place_and_one_with_the_same_prompt_nothing",
            "test_region_weights::test_every_cell_is_shared_out_whole",
            "test_served_references::test_every_picture_of_a_batch_follows_its_character",
            "test_motion_served::test_a_sequence_is_ordered_made_filed_and_made_again",
            "test_motion_adapter::test_a_sequence_is_the_plain_pipelines_and_its_frames_differ",
        ),
    ),
    Requirement(
        "M13",
        "Parts of a large model take turns on the device, large pictures are decoded in tiles, models are compiled, "
        "the attention is chosen, and the seconds of each stage are told.",
        (
            "test_tuning::test_parts_that_take_turns_make_the_same_picture",
            "test_tuning::test_a_compiled_model_makes_the_same_picture_and_says_so",
            "test_tuning::test_an_attention_that_is_not_to_be_had_is_refused_with_what_to_unset",
            "test_loop::test_a_picture_that_cannot_be_decoded_in_one_piece_is_decoded_in_tiles",
            "test_diffusers_engine::test_what_was_measured_is_told_and_nothing_else",
            "test_gpu::test_the_bench_runs_without_a_gpu_in_the_size_of_tests_and_writes_what_it_finds",
        ),
        missing="No figures of a GPU: neither that a picture takes less than 10 seconds nor 18 of them less than 90.",
    ),
    Requirement(
        "M14",
        "Samplers are known by the names that people use, such as `DPM++ 2M Karras` and `Euler a`, and by those of "
        "other programs, such as `dpmpp_2m_karras`.",
        (
            "test_orders::test_what_is_accepted_is_drawn_as_understood_and_the_plan_names_the_rest",
            "test_samplers::test_samplers_are_found_however_people_write_them",
            "test_samplers::test_a_model_that_knows_the_picture_is_led_to_it",
            "test_samplers::test_an_unknown_sampler_is_answered_with_the_nearest",
            "test_models::test_samplers_are_listed_by_name_with_what_they_are",
        ),
    ),
)
