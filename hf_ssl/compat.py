"""
Every part of transformers that we use although it is not promised to stay: where a new version changes one, this is
the list of what to look at. A test compares it with the code, and with the transformers that is installed.
"""

# Class of transformers -> what of it we override or call, and why there is no other way.
PRIVATE = {
    "Trainer": {
        "_clip_grad_norm": "DINO clips the gradient of each parameter on its own.",
        "_determine_best_metric": "A checkpoint that was saved off the schedule is not asked whether it is the best.",
        "_finalize_training": "A signal that came in the last step still has its checkpoint.",
        "_finish_current_push": "A push in the background that failed is logged, and does not end the training.",
        "_get_dataloader": "The loss of an evaluation has views of its own; workers do not end at a Ctrl-C.",
        "_get_eval_sampler": "Images that have no loss, such as a last one alone, are left out of an evaluation.",
        "_get_grad_norm": "A group that is clipped by itself is clipped where the Trainer clips nothing.",
        "_get_learning_rate": "What is logged is the learning rate of the schedule, not that of the first group.",
        "_get_output_dir": "Where the Trainer puts its checkpoints.",
        "_init_training_state": "A resumed run logs and saves as this start says; its clock begins here.",
        "_issue_warnings_after_load": "A checkpoint of another model is refused, where the Trainer only warns.",
        "_load_best_model": "The best checkpoint is loaded, too, when nothing is left to train.",
        "_load_from_checkpoint": "Tensors of another shape end in one sentence.",
        "_load_rng_state": "Right after it comes what we measured, which goes on with the run.",
        "_maybe_log_save_evaluate": "Right after it, a run that was asked to end does so.",
        "_prepare_input": "Images of several sizes in one buffer move to the device in one copy.",
        "_prepare_inputs": "Views are drawn on the device.",
        "_push_from_checkpoint": "What is pushed is a repository that plain transformers loads.",
        "_save_checkpoint": "A checkpoint is written aside and renamed: it is whole, or it is not there.",
        "_save_optimizer_and_scheduler": "A part of the checkpoint that is written aside.",
        "_save_rng_state": "A part of the checkpoint that is written aside.",
        "_save_scaler": "A part of the checkpoint that is written aside.",
        "_update_auto_batch_size": "With the batch goes the learning rate that follows from it.",
    },
    "PreTrainedModel": {
        "_can_record_outputs": "Hooks are set before torch.compile traces, which cannot do it.",
        "_init_weights": "A method may start its own parts otherwise than transformers would.",
        "_keep_in_fp32_modules_strict": "Centres and queues stay in float32 in a model of half precision.",
        "_keys_to_ignore_on_load_unexpected": "An encoder is loaded from a checkpoint that holds heads.",
        "_supports_attention_backend": "A method takes every attention that its encoder takes.",
        "_supports_flash_attn": "A method takes every attention that its encoder takes.",
        "_supports_flex_attn": "A method takes every attention that its encoder takes.",
        "_supports_sdpa": "A method takes every attention that its encoder takes.",
    },
    "PreTrainedConfig": {
        "_attn_implementation": "A decoder attends as its encoder does.",
        "_decode_special_floats": "A config.json is read within bounds, and then as transformers reads it.",
        "_dict_from_json_file": "A config.json is read within bounds.",
    },
}
# Tables of `transformers.models.auto` that `auto_classes` enters names into, so that no method is imported before it
# is asked for: `AutoConfig.register` and its like want the classes themselves.
AUTO_TABLES = {
    "configuration_auto": ("CONFIG_MAPPING_NAMES",),
    "modeling_auto": (
        "MODEL_MAPPING_NAMES",
        "MODEL_FOR_PRETRAINING_MAPPING_NAMES",
        "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
        "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES",
        "MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES",
    ),
    "image_processing_auto": ("IMAGE_PROCESSOR_MAPPING_NAMES",),
    "feature_extraction_auto": ("FEATURE_EXTRACTOR_MAPPING_NAMES",),
}
# Arguments of `transformers.utils.cached_file`: a file that may be missing is no error, and nothing is logged.
CACHED_FILE = ("_raise_exceptions_for_missing_entries", "_raise_exceptions_for_connection_errors")
