"""Configuration of DINO (arXiv:2104.14294)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class DinoConfig(SSLConfig):
    r"""
    DINO: a student predicts, from any crop, what a moving-average teacher says of the whole image.

    Defaults are those of the official ViT-S/16 run; epochs of the official schedules are shares of the run here.
    Further fields are those of [`SSLConfig`].

    Args:
        head_sizes (`list[int]`, *optional*, defaults to `[2048, 2048, 256]`):
            Widths of the head after the embedding; the last one is the bottleneck (appendix C).
        num_prototypes (`int`, *optional*, defaults to 65536):
            Outputs K of the head.
        norm_last_layer (`bool`, *optional*, defaults to `True`):
            Keep the prototypes at unit norm. The official ViT-S run sets it to `False`, ViT-B to `True`.
        head_batch_norm (`bool`, *optional*, defaults to `False`):
            BatchNorm inside the head (`use_bn_in_head` of the official code): a stronger start for short runs.
        student_temperature (`float`, *optional*, defaults to 0.1)
        teacher_temperature (`float`, *optional*, defaults to 0.07): after the warm-up.
        warmup_teacher_temperature (`float`, *optional*, defaults to 0.04)
        warmup_teacher_share (`float`, *optional*, defaults to 0.1):
            Share of the run over which the teacher's temperature rises (30 of 300 epochs).
        center_momentum (`float`, *optional*, defaults to 0.9): of the running mean of the teacher's outputs.
        teacher_momentum (`float`, *optional*, defaults to 0.996): rises to 1 along a cosine.
        freeze_prototypes_share (`float`, *optional*, defaults to 0.0033):
            Share of the run during which the student's prototypes stay fixed (1 of 300 epochs).
        student_drop_path_rate (`float`, *optional*, defaults to 0.1):
            Stochastic depth of the student, for plain transformers whose own configuration has no `drop_path_rate`
            (ViT, DeiT, CLIP); others have theirs.
    """

    model_type = "ssl_dino"

    head_sizes: list[int] | tuple[int, ...] = (2048, 2048, 256)
    num_prototypes: int = 65536
    norm_last_layer: bool = True
    head_batch_norm: bool = False
    student_temperature: float | int = 0.1
    teacher_temperature: float | int = 0.07
    warmup_teacher_temperature: float | int = 0.04
    warmup_teacher_share: float | int = 0.1
    center_momentum: float | int = 0.9
    teacher_momentum: float | int = 0.996
    freeze_prototypes_share: float | int = 1 / 300
    student_drop_path_rate: float | int = 0.1

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero(
            "num_prototypes", "student_temperature", "teacher_temperature", "warmup_teacher_temperature"
        )
        self.require_share("center_momentum", "teacher_momentum", "warmup_teacher_share", "freeze_prototypes_share")
        self.require_share("student_drop_path_rate")
