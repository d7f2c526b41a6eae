"""Configuration of iBOT (arXiv:2111.07832)."""

from huggingface_hub.dataclasses import strict

from ...configuration_utils import SSLConfig


@strict
class IBOTConfig(SSLConfig):
    r"""
    iBOT: a student predicts what a moving-average teacher says of the whole image, and of the patches that it does
    not see.

    Defaults are those of the official ViT-S/16 run of 800 epochs; epochs of its schedules are shares of the run here.
    Further fields are those of [`SSLConfig`].

    Args:
        head_sizes (`list[int]`, *optional*, defaults to `[2048, 2048, 256]`):
            Widths of the head that embeddings and patches share; the last one is the bottleneck.
        num_prototypes (`int`, *optional*, defaults to 8192): outputs K of the head.
        norm_last_layer (`bool`, *optional*, defaults to `False`):
            Keep the prototypes at unit norm. The official ViT-B run sets it to `True`.
        head_batch_norm (`bool`, *optional*, defaults to `False`): a stronger start for short runs.
        student_temperature (`float`, *optional*, defaults to 0.1)
        teacher_temperature (`float`, *optional*, defaults to 0.07): of the views, after the warm-up.
        warmup_teacher_temperature (`float`, *optional*, defaults to 0.04)
        teacher_patch_temperature (`float`, *optional*, defaults to 0.07): of the patches, after the warm-up.
        warmup_teacher_patch_temperature (`float`, *optional*, defaults to 0.04)
        warmup_teacher_share (`float`, *optional*, defaults to 0.0375):
            Share of the run over which both temperatures rise (30 of 800 epochs).
        center_momentum (`float`, *optional*, defaults to 0.9): of the two running means of the teacher's outputs.
        teacher_momentum (`float`, *optional*, defaults to 0.996): rises to 1 along a cosine.
        freeze_prototypes_share (`float`, *optional*, defaults to 0.00125):
            Share of the run during which the student's prototypes stay fixed (1 of 800 epochs).
        student_drop_path_rate (`float`, *optional*, defaults to 0.1): stochastic depth of the student.
        view_weight (`float`, *optional*, defaults to 1.0): of the loss of the views, lambda 1.
        patch_weight (`float`, *optional*, defaults to 1.0): of the loss of the masked patches, lambda 2.
    """

    model_type = "ssl_ibot"

    head_sizes: list[int] | tuple[int, ...] = (2048, 2048, 256)
    num_prototypes: int = 8192
    norm_last_layer: bool = False
    head_batch_norm: bool = False
    student_temperature: float | int = 0.1
    teacher_temperature: float | int = 0.07
    warmup_teacher_temperature: float | int = 0.04
    teacher_patch_temperature: float | int = 0.07
    warmup_teacher_patch_temperature: float | int = 0.04
    warmup_teacher_share: float | int = 30 / 800
    center_momentum: float | int = 0.9
    teacher_momentum: float | int = 0.996
    freeze_prototypes_share: float | int = 1 / 800
    student_drop_path_rate: float | int = 0.1
    view_weight: float | int = 1.0
    patch_weight: float | int = 1.0

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        temperatures = [name for name in vars(self) if name.endswith("_temperature")]
        self.require_above_zero("num_prototypes", *temperatures)
        self.require_share("center_momentum", "teacher_momentum", "warmup_teacher_share", "freeze_prototypes_share")
        self.require_share("student_drop_path_rate")
        self.require_maskable()
        if self.pooling is not None or min(self.view_weight, self.patch_weight) < 0:
            raise ValueError(
                "IBOTConfig.pooling must be None, and view_weight and patch_weight at least 0, got "
                f"{self.pooling!r}, {self.view_weight} and {self.patch_weight}."
            )
